"""What provisioning files ask for, and every kind of entity they know."""

from collections.abc import Mapping
from typing import ClassVar, Protocol

import msgspec

from gateway.domain.audience import Segment
from gateway.domain.cards import ShopCard
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.line.channel import Channel
from gateway.domain.links import Link
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.segments import MailSegment
from gateway.domain.menus import RichMenu
from gateway.domain.pushes import StepSeries
from gateway.domain.routing import TrackedNumber
from gateway.domain.surveys import Survey
from gateway.domain.tenancy import Advertiser


class Entity(Protocol):
    """Something provisioned: a frozen struct that a file describes in full."""

    table: ClassVar[str]
    """The table of the files it is written in."""

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""

    @property
    def owner(self) -> str:
        """The id of the advertiser it belongs to."""


KINDS: tuple[type[Entity], ...] = (
    Advertiser,
    TrackedNumber,
    Channel,
    Coupon,
    ShopCard,
    Link,
    Segment,
    StepSeries,
    RichMenu,
    Survey,
    MailList,
    MailSegment,
)
"""Every kind of entity, in the order in which they are shown."""

KIND = {kind.table: kind for kind in KINDS}

WITH_FILES = frozenset({RichMenu.table})
"""Tables whose entities name a file that the store keeps with them."""

Held = Mapping[str, Mapping[str, Entity]]
"""Entities by table and key."""


class Blob(msgspec.Struct, frozen=True):
    """A file that an entity names, as it was when it was provisioned."""

    hash: str
    """SHA-256 of its bytes, hexadecimal: the entity has it, the store has the bytes."""
    media_type: str
    body: bytes


class Plan(msgspec.Struct, frozen=True):
    """The entities that the files describe in full; all others stay as they are."""

    wanted: tuple[Entity, ...] = ()
    removed: tuple[tuple[str, str], ...] = ()
    """Tables and keys of what shall not exist; naming one that does not is no error."""
    blobs: Mapping[tuple[str, str], Blob] = {}
    """The files of entities that are wanted, by table and key."""
    notes: tuple[str, ...] = ()
    """What whoever applies should know; nothing of it is wrong."""
