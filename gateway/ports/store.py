"""The store and what watches over it, worded by those who consume them."""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Protocol, TypeVar

from gateway.domain.calls import Fact as CallFact
from gateway.domain.routing import TrackedNumber
from gateway.domain.values import Counted
from gateway.ports.access import Accesses
from gateway.ports.audience import Audiences
from gateway.ports.calls import Calls
from gateway.ports.cards import CardCodes, Cards, Signing
from gateway.ports.contents import Contents
from gateway.ports.coupons import CouponPlatform, Coupons
from gateway.ports.inbox import Erasure, Inbox
from gateway.ports.insight import Insight, PlatformFigures, Reports
from gateway.ports.line import Line
from gateway.ports.links import LinkRoom
from gateway.ports.mail.campaigns import CampaignRoom
from gateway.ports.mail.lists import MailRoom
from gateway.ports.menus import Blobs, Menus
from gateway.ports.outbox import Outbox
from gateway.ports.postings import Postings
from gateway.ports.provisioning import Entities, Provisioning, Routes
from gateway.ports.pushes import Pushes
from gateway.ports.surveys import Surveys

R = TypeVar("R")
E = TypeVar("E")

Clock = Callable[[], int]
"""Our own time in microseconds; taken once, on receipt."""

Fact = CallFact | Counted
"""What a committed transaction tells whoever counts."""


class Transaction(Protocol):
    """What a use-case works on, a room each. It is committed, or nothing of it is kept."""

    @property
    def public_url(self) -> str:
        """What links in messages begin with."""

    @property
    def calls(self) -> Calls:
        """Calls and their events."""

    @property
    def routes(self) -> Routes:
        """The tracked numbers."""

    @property
    def entities(self) -> Entities:
        """All that is provisioned."""

    @property
    def provisioning(self) -> Provisioning:
        """The same to be changed, for ``apply``."""

    @property
    def line(self) -> Line:
        """LINE's friends and events."""

    @property
    def outbox(self) -> Outbox:
        """What is to be done to the world."""

    @property
    def access(self) -> Accesses:
        """Tokens, repeated writes and the audit."""

    @property
    def coupons(self) -> Coupons:
        """Tickets of coupons."""

    @property
    def coupon_platform(self) -> CouponPlatform:
        """What LINE holds of its own coupons."""

    @property
    def cards(self) -> Cards:
        """Shop cards."""

    @property
    def card_codes(self) -> CardCodes:
        """Codes that were scanned."""

    @property
    def signing(self) -> Signing:
        """The keys that codes are signed with."""

    @property
    def audience(self) -> Audiences:
        """Tags of friends, and segments."""

    @property
    def pushes(self) -> Pushes:
        """Pushes and steps."""

    @property
    def menus(self) -> Menus:
        """Rich menus on the platform."""

    @property
    def blobs(self) -> Blobs:
        """The files that entities name."""

    @property
    def links(self) -> LinkRoom:
        """Short links."""

    @property
    def insight(self) -> Insight:
        """Our figures of channels by day."""

    @property
    def platform_figures(self) -> PlatformFigures:
        """Those of LINE."""

    @property
    def reports(self) -> Reports:
        """What people write beside them."""

    @property
    def postings(self) -> Postings:
        """The posting calendar."""

    @property
    def surveys(self) -> Surveys:
        """Surveys."""

    @property
    def inbox(self) -> Inbox:
        """Notes and templates of staff."""

    @property
    def contents(self) -> Contents:
        """The contents of messages."""

    @property
    def erasure(self) -> Erasure:
        """Taking people out of the store."""

    @property
    def mail(self) -> MailRoom:
        """Mail lists and their recipients."""

    @property
    def campaigns(self) -> CampaignRoom:
        """Mail campaigns."""


class Lane(IntEnum):
    """Which queue of the writer a unit waits in."""

    WEBHOOK = 0
    BACKGROUND = 1
    """At most one a commit, after the webhooks."""


UseCase = Callable[[Transaction, Any], tuple[R, Sequence[Fact]]]


class Store(Protocol):
    """Where facts are kept before they are answered."""

    async def run(self, use_case: UseCase[R], argument: Any, lane: Lane = Lane.WEBHOOK) -> R:
        """Run ``use_case`` in the next transaction and return its reply once that is durable.

        It may run more than once. Where the argument says that it is to run ``once``, it does not
        run again after a COMMIT of which nobody knows whether it arrived.

        Raises:
            Refused: as the use-case did; nothing was written.
            Transient: the store could not take it in time, or is away. What the unit wrote may be
                kept all the same; not what one wrote that runs ``once``, where the reason is
                ``STORE_BUSY`` or ``STORE_CONFLICT``.
            Permanent: the unit failed alone, too.
        """

    def entity(self, kind: type[E], key: str) -> E | None:
        """What is provisioned of ``kind`` under ``key``, from the cache: as it was a moment ago.

        Raises:
            Transient: nothing was ever loaded.
        """

    def route(self, number: str) -> TrackedNumber | None:
        """The route of ``number`` from the cache; for the time the store is away.

        Raises:
            Transient: no routes were ever loaded.
        """


class Spool(Protocol):
    """Where events wait while the store is away."""

    async def append(self, kind: str, record: bytes) -> None:
        """Keep ``record`` durably.

        Raises:
            Permanent: the spool refuses, too (full, or its disk fails).
        """


class Observer(Protocol):
    """Whoever counts. Nothing it does can fail a call."""

    def observe(self, facts: Sequence[Fact]) -> None:
        """Facts of committed transactions."""

    def webhook(self, provider: str, route: str, status: int, seconds: float) -> None:
        """A webhook was answered."""

    def refused(self, provider: str, route: str, reason: str) -> None:
        """A request was refused, with one of the closed reasons."""

    def spooled(self, provider: str, route: str, reason: str) -> None:
        """An event went to the spool, with the trouble that sent it there."""

    def batch(self, units: int, seconds: float) -> None:
        """A transaction of ``units`` took ``seconds`` to its commit."""
