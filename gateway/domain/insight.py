"""Figures of a channel by day and by month: LINE's and ours, which are never mixed.

LINE counts what its users see, withholds what is under 20, and tells it the day after; we count
what we were told and what was done here. Days and months are those of Asia/Tokyo.

Source: https://developers.line.biz/en/reference/messaging-api/#get-insight
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Literal, get_args

import msgspec

from gateway.domain.values import SECOND

_DAY = 86_400 * SECOND
_TOKYO = 9 * 3_600 * SECOND  # ahead of UTC, without summer time since 1951
_EPOCH = date(1970, 1, 1).toordinal()
_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")

_replace = msgspec.structs.replace


# --- days and months ---


def day_of(instant: int) -> int:
    """The day in which ``instant`` (microseconds) lies, counted from 1970-01-01."""
    return (instant + _TOKYO) // _DAY


def begin_of(day: int) -> int:
    """The first instant (microseconds) of a day of :func:`day_of`."""
    return day * _DAY - _TOKYO


def date_of(day: int) -> date:
    """The date of a day of :func:`day_of`."""
    return date.fromordinal(_EPOCH + day)


def day_on(date_: date) -> int:
    """The day, as of :func:`day_of`, that has this date."""
    return date_.toordinal() - _EPOCH


def month_days(month: str) -> range:
    """The days of a month such as ``2026-11``; none where it is not written so."""
    found = _MONTH.fullmatch(month)
    if not found:
        return range(0)
    begin = date(int(found[1]), int(found[2]), 1)
    return range(day_on(begin), day_on(_next_month(begin)))


def month_before(month: str) -> str:
    """The month before a well-formed one."""
    return f"{date_of(month_days(month)[0] - 1):%Y-%m}"


def _next_month(first: date) -> date:
    years, months = divmod(first.month, 12)
    return date(first.year + years, months + 1, 1)


# --- ours ---

Flow = Literal[
    "follows",
    "blocks",
    "messages",
    "replies",
    "pushes",
    "clicks",
    "coupons_issued",
    "coupons_used",
    "points",
    "visits",
]
"""What happens in a day; days of it add up."""

FLOWS: tuple[Flow, ...] = get_args(Flow)


class Own(msgspec.Struct, frozen=True):
    """What we know of one day, or of several. The fields are columns, in their order."""

    friends: int = 0
    """At the end of the last day."""
    blocked: int = 0
    """Likewise: former friends who blocked the channel."""
    follows: int = 0
    """Times that somebody became a friend, also again after a block."""
    blocks: int = 0
    """Times that somebody blocked the channel."""
    messages: int = 0
    """What friends sent."""
    replies: int = 0
    pushes: int = 0
    """Recipients that messages of ours were pushed to; whom a narrowcast or broadcast reached is
    known to LINE alone."""
    clicks: int = 0
    """Visits of people to our short links."""
    coupons_issued: int = 0
    coupons_used: int = 0
    """Stamps of coupons, without those that were taken back; a ticket may have several."""
    points: int = 0
    """Points of shop cards that were given, less those that were taken back."""
    visits: int = 0
    """Codes of shop cards that were scanned."""
    last_at: int = 0
    """When LINE told us of anything last; 0 where it did not."""


class OwnDay(msgspec.Struct, frozen=True):
    """Our figures of a channel's day."""

    channel: str
    advertiser: str
    day: int
    own: Own


class Tally(msgspec.Struct, frozen=True):
    """So much more of one figure of a channel's day."""

    channel: str
    advertiser: str
    day: int
    figure: Flow | Literal["last_at"]
    amount: int


class Clicks(msgspec.Struct, frozen=True):
    """Clicks on a link, not yet known to be a channel's."""

    channel: str
    """Where the friend whom the link was sent to is; empty where it was sent to many."""
    advertiser: str
    day: int
    link: str
    origin: str
    """What the link was sent with, such as ``push:123``."""
    amount: int


def push_of(origin: str) -> int | None:
    """The push that something comes of, where it comes of one."""
    kind, _, id_ = origin.partition(":")
    return int(id_) if kind == "push" and id_.isdecimal() else None


def attributed(
    clicks: Iterable[Clicks],
    pushes: Mapping[int, str],
    links: Mapping[str, str],
    channels: Mapping[str, Sequence[str]],
) -> list[Tally]:
    """``clicks`` by the channel they belong to: their friend's, else their push's, else that of
    the link, else the only one that the advertiser has. What belongs to none is left out.

    ``pushes`` and ``links`` tell channels by id, ``channels`` those of each advertiser.
    """
    found = []
    for click in clicks:
        mine = channels.get(click.advertiser, ())
        channel = (
            click.channel
            or pushes.get(push_of(click.origin) or 0)
            or links.get(click.link)
            or (mine[0] if len(mine) == 1 else "")
        )
        if channel:
            found.append(Tally(channel, click.advertiser, click.day, "clicks", click.amount))
    return found


def added(tallies: Iterable[Tally]) -> dict[tuple[str, int], OwnDay]:
    """The days, by channel and day, that ``tallies`` add up to; still without friends."""
    days: dict[tuple[str, int], dict[str, int]] = {}
    whose: dict[str, str] = {}
    for tally in tallies:
        figures = days.setdefault((tally.channel, tally.day), {})
        before = figures.get(tally.figure, 0)
        is_latest = tally.figure == "last_at"
        figures[tally.figure] = max(before, tally.amount) if is_latest else before + tally.amount
        whose[tally.channel] = tally.advertiser
    return {
        (channel, day): OwnDay(channel, whose[channel], day, Own(**figures))
        for (channel, day), figures in days.items()
    }


# --- LINE's ---

PlatformState = Literal["", "unready", "ready", "out_of_service", "refused"]
"""Empty: not asked yet; ``unready``: LINE is still counting; ``refused``: it does not tell."""

FINAL: frozenset[PlatformState] = frozenset({"ready", "out_of_service"})

_FIRST_ASK = 33 * 3600 * SECOND


def asked_from(day: int) -> int:
    """When LINE is first asked about a day: at nine the next morning."""
    return begin_of(day) + _FIRST_ASK


class Told(msgspec.Struct, frozen=True):
    """What LINE tells of one day. ``None`` is what it does not tell, and is never 0."""

    state: PlatformState = ""
    followers: int | None = None
    """How many ever became friends; it does not fall."""
    targeted_reaches: int | None = None
    blocks: int | None = None
    """How many block the channel."""
    delivery_state: PlatformState = ""
    deliveries: dict[str, int] = {}
    """Messages that went out, by LINE's words for how; a kind that is missing was not told."""

    @property
    def is_final(self) -> bool:
        """Whether asking again would tell nothing more."""
        return self.state in FINAL and self.delivery_state in FINAL


class Sent(msgspec.Struct, frozen=True):
    """What LINE tells of one message, or of all that were sent under one unit's name."""

    channel: str
    ref: str
    """Which: ``request:`` and the id of a narrowcast or broadcast, or ``unit:``, the name and the
    day since when it is counted."""
    advertiser: str
    day: int
    """When it was sent; its figures, which LINE counts for two weeks and more, are this day's."""
    read_at: int = 0
    """When LINE was last asked; 0: not yet."""
    delivered: int | None = None
    impressions: int | None = None
    """How many people saw it."""
    clicks: int | None = None
    """How many people followed a link in it."""


class Day(msgspec.Struct, frozen=True):
    """A channel's day."""

    channel: str
    day: int
    advertiser: str
    own_at: int
    """When ours were counted; 0: not yet."""
    own: Own
    platform: Told


# --- a month ---


class Figures(msgspec.Struct, frozen=True):
    """Figures of several days. What LINE told of none of them is ``None``."""

    own: Own = Own()
    own_days: int = 0
    """Days that ours were counted of."""
    platform_days: int = 0
    """Days whose friends LINE told of."""
    platform_followers: int | None = None
    """These three: of the last of those days."""
    platform_targeted_reaches: int | None = None
    platform_blocks: int | None = None
    platform_deliveries: dict[str, int] | None = None
    """Added up over the days that LINE told of."""
    platform_messages: int = 0
    """Messages and units that LINE was asked about."""
    platform_impressions: int | None = None
    """These two: added up over those that LINE tells of."""
    platform_clicks: int | None = None
    platform_withheld: int = 0
    """How many of the messages have clicks that LINE withholds, as they are under 20."""


def total(days: Sequence[Day], sent: Iterable[Sent] = ()) -> Figures:
    """What ``days``, in their order, and what was ``sent`` in them add up to."""
    asked = [message for message in sent if message.read_at]
    friends = [day.platform for day in days if day.platform.state == "ready"]
    counted = [day.platform for day in days if day.platform.delivery_state == "ready"]
    last = friends[-1] if friends else Told()
    own = [day.own for day in days if day.own_at]
    return Figures(
        own=_own_total(own),
        own_days=len(own),
        platform_days=len(friends),
        platform_followers=last.followers,
        platform_targeted_reaches=last.targeted_reaches,
        platform_blocks=last.blocks,
        platform_deliveries=_by_kind(each.deliveries for each in counted) if counted else None,
        platform_messages=len(asked),
        platform_impressions=_sum(message.impressions for message in asked),
        platform_clicks=_sum(message.clicks for message in asked),
        platform_withheld=sum(message.clicks is None for message in asked),
    )


def _own_total(days: Sequence[Own]) -> Own:
    if not days:
        return Own()
    flows = {flow: sum(getattr(day, flow) for day in days) for flow in FLOWS}
    last_at = max(day.last_at for day in days)
    return Own(friends=days[-1].friends, blocked=days[-1].blocked, **flows, last_at=last_at)


def _by_kind(days: Iterable[Mapping[str, int]]) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for day in days:
        for kind, count in day.items():
            kinds[kind] = kinds.get(kind, 0) + count
    return kinds


def _sum(values: Iterable[int | None]) -> int | None:
    told = [value for value in values if value is not None]
    return sum(told) if told else None


COMPARED = (
    "platform_followers",
    "platform_targeted_reaches",
    "platform_blocks",
    "platform_impressions",
    "platform_clicks",
)
"""LINE's figures that are compared with the month before; of ours it is all."""


def change(now: Figures, before: Figures) -> dict[str, int | None]:
    """How much more there is than before, by figure; ``None`` where one of the two is not known."""
    ours = ("friends", "blocked", *FLOWS)
    are_known = now.own_days and before.own_days
    changes: dict[str, int | None] = {
        f"own_{name}": getattr(now.own, name) - getattr(before.own, name) if are_known else None
        for name in ours
    }
    for name in COMPARED:
        new, old = getattr(now, name), getattr(before, name)
        changes[name] = None if new is None or old is None else new - old
    return changes
