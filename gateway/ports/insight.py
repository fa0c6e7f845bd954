"""Figures of channels in the store, and what people write beside them."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from gateway.domain.insight import Clicks, Day, Own, OwnDay, Sent, Tally, Told
from gateway.domain.line.channel import Channel
from gateway.domain.line.quota import Quota
from gateway.domain.values import Scope


class Ask(msgspec.Struct, frozen=True):
    """One thing that LINE is to be asked about."""

    channel: str
    advertiser: str
    day: int
    ref: str = ""
    """A message or unit, as :attr:`gateway.domain.insight.Sent.ref` names it; empty: the day."""


class Campaign(msgspec.Struct, frozen=True):
    """A push whose figures LINE can be asked for."""

    channel: str
    advertiser: str
    started_at: int
    unit: str
    request: str


class Note(msgspec.Struct, frozen=True):
    """What the adviser found in a month; the fields are the columns, in their order."""

    channel: str
    month: str
    advertiser: str
    text: str
    at: int
    by: str
    """The actor, as the audit names it."""


class SupportCall(msgspec.Struct, frozen=True):
    """A conversation with the shop; the fields are the columns, in their order."""

    id: int
    advertiser: str
    channel: str
    at: int
    who: str
    """Who of ours spoke."""
    minutes: int
    subject: str
    outcome: str
    logged_by: str


class Insight(Protocol):
    """Our figures, and what LINE is asked for."""

    def rolled_until(self, scope: Scope) -> int:
        """The first day that is not counted for good; 0 where none ever was."""

    def keep_own(self, scope: Scope, days: Sequence[OwnDay], at: int) -> None:
        """Keep what was counted at ``at``, in the place of what was counted before."""

    def roll_until(self, scope: Scope, day: int) -> None:
        """All days before this one are counted for good."""

    def campaigns(self, scope: Scope, since: int) -> Sequence[Campaign]:
        """Pushes that began at ``since`` or later, and that LINE counts apart."""


class PlatformFigures(Protocol):
    """What LINE is asked for, and what it told."""

    def expect(self, scope: Scope, asks: Sequence[Ask]) -> None:
        """Ask for these, each named once, as soon as LINE can tell; for what was asked for before
        nothing changes.
        """

    def claim(self, scope: Scope, now: int, until: int, limit: int) -> Sequence[Ask]:
        """What is due, at most ``limit`` days and as many messages. Until ``until`` they are
        claimed, and handed to nobody else.
        """

    def keep_day(self, scope: Scope, ask: Ask, told: Told, due_at: int | None) -> None:
        """Keep what LINE told of a day, and when to ask again, if ever."""

    def keep_sent(self, scope: Scope, sent: Sent, due_at: int | None) -> None:
        """Likewise of a message."""

    def put_off(self, scope: Scope, ask: Ask, due_at: int | None) -> None:
        """Only change when to ask again."""


class Reports(Protocol):
    """What people write."""

    def write(self, scope: Scope, note: Note) -> None:
        """Keep what was found in a month, in the place of what was written before."""

    def log(self, scope: Scope, call: SupportCall) -> None:
        """Keep a support call."""


class ChannelState(msgspec.Struct, frozen=True):
    """A channel, and how it is doing."""

    channel: Channel
    quota: Quota | None
    """Of the month asked for; ``None`` where nothing is known of it."""
    own: Own
    """Its latest day; ``last_at`` is that of all days."""
    own_at: int
    """When that was counted; 0: never."""


class Month(msgspec.Struct, frozen=True):
    """All that a month's report is made of."""

    days: Sequence[Day]
    sent: Sequence[Sent]
    note: Note | None
    calls: Sequence[SupportCall]


class ChannelReading(Protocol):
    """Channels, read beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands
    in.
    """

    def channels(
        self, connection: Any, scope: Scope, *, month: str, after: str, limit: int
    ) -> Sequence[ChannelState]:
        """Channels by id, with their quota of ``month`` (``2026-11``)."""

    def channel(self, connection: Any, scope: Scope, id_: str) -> Channel | None:
        """One of them."""

    def logins(self, connection: Any, scope: Scope, id_: str, since: int) -> tuple[int, int]:
        """How many users were told by ID tokens of a channel's login since an instant, and how
        many of them are its friends.
        """


class InsightReading(Protocol):
    """Figures and reports, likewise."""

    def days(
        self, connection: Any, scope: Scope, channel: str, *, since: int, until: int, limit: int
    ) -> Sequence[Day]:
        """The days that there are, from ``since`` on and before ``until``."""

    def sent(
        self, connection: Any, scope: Scope, channel: str, *, since: int, until: int
    ) -> Sequence[Sent]:
        """Messages that were sent in these days, as far as LINE counts them apart."""

    def month(self, connection: Any, scope: Scope, channel: str, month: str) -> Month:
        """What the report of a well-formed month is made of."""

    def calls(
        self, connection: Any, scope: Scope, channel: str, *, after: int, limit: int
    ) -> Sequence[SupportCall]:
        """Support calls in the order in which they were logged."""


class TallyReading(Protocol):
    """What our figures are counted from, a bounded stretch at a time."""

    def tallies(self, connection: Any, begin: int, end: int, since: int) -> Sequence[Tally]:
        """What was kept between two instants of things that happened at ``since`` or later."""

    def clicks(self, connection: Any, begin: int, end: int) -> Sequence[Clicks]:
        """The visits to links between two instants."""

    def pushes(self, connection: Any, ids: Sequence[int]) -> dict[int, str]:
        """The channels of pushes."""

    def standing(self, connection: Any, channel: str, by: int) -> tuple[int, int]:
        """How many friends a channel had before an instant, and how many had blocked it."""
