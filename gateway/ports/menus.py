"""What the store knows of rich menus on the platform, and the files that entities name."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from gateway.domain.audience import Condition
from gateway.domain.menus import Shown, State
from gateway.domain.provisioning import Blob
from gateway.domain.values import Scope


class Placed(msgspec.Struct, frozen=True):
    """A menu as we last knew it on the platform; the fields are the columns, in their order."""

    menu: str
    advertiser: str
    channel: str
    platform_id: str
    """Its richMenuId; empty where it was never made."""
    version: str
    state: State
    error: str
    """Why it failed, in the platform's words."""
    synced_at: int


class Tended(msgspec.Struct, frozen=True):
    """A channel whose menus are kept as they shall be; the fields are the columns, in order."""

    channel: str
    advertiser: str
    digest: str = ""
    """Of what was to be shown when it was last looked after."""
    due_at: int = 0
    leased_until: int = 0
    synced_at: int = 0
    """When all was last found, or made, as it shall be."""
    failures: int = 0
    """How often in a row it did not work."""
    error: str = ""
    """Why."""


class Linked(msgspec.Struct, frozen=True):
    """Friends who were linked to a menu."""

    channel: str
    advertiser: str
    friends: tuple[int, ...]
    """Their ids."""
    platform_id: str
    """The richMenuId; empty where they were unlinked."""


class Menus(Protocol):
    """Rich menus on the platform."""

    def tended(self, scope: Scope) -> Mapping[str, Tended]:
        """All channels that are looked after, by id, locked against other processes."""

    def tend(self, scope: Scope, tended: Tended) -> None:
        """Keep how a channel is, after :meth:`tended` was asked. Where another process took a new
        one at the same time, the transaction runs again.
        """

    def leave(self, scope: Scope, channel: str) -> None:
        """Forget a channel, with its menus and links."""

    def placed(self, scope: Scope, channel: str) -> Sequence[Placed]:
        """The menus of a channel on the platform."""

    def place(self, scope: Scope, placed: Placed) -> None:
        """Keep how a menu is."""

    def link(self, scope: Scope, linked: Linked) -> None:
        """Keep which menu friends see."""


class Blobs(Protocol):
    """The files that entities name, each with its entity."""

    def keep(self, scope: Scope, table: str, key: str, advertiser: str, blob: Blob) -> None:
        """Keep an entity's file, in the place of an older one."""

    def drop(self, scope: Scope, table: str, key: str) -> None:
        """Forget it."""


class MenuReading(Protocol):
    """The same beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands in."""

    def placed(self, connection: Any, scope: Scope, menus: Sequence[str]) -> Sequence[Placed]:
        """Of these menus those that were ever made, or tried."""

    def tended(self, connection: Any, scope: Scope) -> Sequence[Tended]:
        """All channels that are looked after."""

    def shown(
        self,
        connection: Any,
        scope: Scope,
        channel: str,
        conditions: Sequence[Condition],
        *,
        now: int,
        after: str,
        limit: int,
    ) -> Sequence[Shown]:
        """Users of a channel by userId: which menu is linked to each, and the first of
        ``conditions`` that they fulfil. Without conditions only those who have a link.
        """

    def blob(self, connection: Any, scope: Scope, table: str, key: str) -> Blob | None:
        """The file of an entity."""
