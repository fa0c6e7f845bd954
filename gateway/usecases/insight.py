"""Figures of channels by day: ours are counted here, LINE's are asked for and kept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from gateway.domain.insight import (
    Own,
    OwnDay,
    Sent,
    Tally,
    Told,
    added,
    begin_of,
    date_of,
    day_of,
)
from gateway.domain.line.channel import Channel
from gateway.domain.links import Link
from gateway.domain.values import EVERYBODY, SECOND
from gateway.ports import Fact, Transaction
from gateway.ports.insight import Ask, Campaign

LATE_SECONDS = 86_400
"""What happened in a day may be told so long after it; then the day is counted for good."""

BACK_DAYS = 35
"""So far back days are counted where nobody counted for long."""

AT_ONCE = 200
"""Days that are written in one unit."""

_HOUR = 3600 * SECOND
_DAY = 86_400 * SECOND

_replace = msgspec.structs.replace


# --- ours ---


class Rolling(msgspec.Struct, frozen=True):
    """What is to be counted now."""

    first: int
    """The first day that is not counted for good."""
    today: int
    channels: tuple[tuple[str, str], ...]
    """Every channel with its advertiser."""
    links: dict[str, str]
    """The channels of links that have one."""

    @property
    def days(self) -> range:
        """The days that are counted."""
        return range(self.first, self.today + 1)

    def channels_of(self) -> dict[str, list[str]]:
        """The channels of each advertiser."""
        mine: dict[str, list[str]] = {}
        for channel, advertiser in self.channels:
            mine.setdefault(advertiser, []).append(channel)
        return mine

    def stretches(self, now: int) -> Iterator[tuple[int, int]]:
        """The hours in which what belongs to these days can have been kept, up to ``now``; what is
        sent later than it was asked for lies before the first day.
        """
        begin = begin_of(self.first) - LATE_SECONDS * SECOND
        while begin < now:
            yield begin, begin + _HOUR
            begin += _HOUR


def rolling(tx: Transaction, now: int) -> tuple[Rolling, Sequence[Fact]]:
    """Say what is to be counted."""
    today = day_of(now)
    known = tx.insight.rolled_until(EVERYBODY)
    first = max(known, today - BACK_DAYS) if known else today - 1
    channels = tx.entities.all(EVERYBODY, Channel)
    links = tx.entities.all(EVERYBODY, Link)
    return Rolling(
        min(first, today),
        today,
        tuple((channel.id, channel.advertiser) for channel in channels),
        {link.id: link.channel for link in links if link.channel},
    ), ()


def counted(
    job: Rolling,
    tallies: Iterable[Tally],
    standing: Mapping[tuple[str, int], tuple[int, int]],
) -> list[OwnDay]:
    """The days of ``job`` as ``tallies`` add up, with the friends and the blocked of each.

    Every channel has them all: what was counted before and is not there any more goes to 0.
    """
    found = added(tally for tally in tallies if job.first <= tally.day <= job.today)
    for channel, advertiser in job.channels:
        for day in job.days:
            known = found.get((channel, day)) or OwnDay(channel, advertiser, day, Own())
            friends, blocked = standing[channel, day]
            own = _replace(known.own, friends=friends, blocked=blocked)
            found[channel, day] = _replace(known, own=own)
    return [found[key] for key in sorted(found)]


class Rolled(msgspec.Struct, frozen=True):
    """What was counted, or a part of it."""

    days: tuple[OwnDay, ...]
    at: int
    is_last: bool
    """Whether there is no further part."""


def keep_own(tx: Transaction, rolled: Rolled) -> tuple[None, Sequence[Fact]]:
    """Keep what was counted."""
    tx.insight.keep_own(EVERYBODY, rolled.days, rolled.at)
    if rolled.is_last:
        tx.insight.roll_until(EVERYBODY, day_of(rolled.at - LATE_SECONDS * SECOND))
    return None, ()


# --- LINE's ---

ASKED_BACK_DAYS = 31
"""A channel that is new to us is asked about so many days."""

FOLLOWED_DAYS = 31
"""So long after it was sent a message's figures are asked for anew, once a day."""

LEASE_SECONDS = 600
ASKS_AT_ONCE = 20
EXPECTED_AT_ONCE = 200


def expected(tx: Transaction, now: int) -> tuple[list[Ask], Sequence[Fact]]:
    """All that LINE is to be asked about: the days of every channel, and what was sent."""
    yesterday = day_of(now) - 1
    asks = [
        Ask(channel.id, channel.advertiser, yesterday - back)
        for channel in tx.entities.all(EVERYBODY, Channel)
        for back in range(ASKED_BACK_DAYS)
    ]
    campaigns = tx.insight.campaigns(EVERYBODY, now - FOLLOWED_DAYS * _DAY)
    return asks + _of_campaigns(campaigns), ()


def _of_campaigns(campaigns: Sequence[Campaign]) -> list[Ask]:
    """One ask for each message. Pushes of one unit are counted together, month by month: LINE
    tells of 31 days at most, and no click is counted twice.
    """
    asks: dict[tuple[str, str], Ask] = {}
    for campaign in sorted(campaigns, key=lambda each: each.started_at):
        day = day_of(campaign.started_at)
        ref = f"request:{campaign.request}"
        if campaign.unit:
            ref = f"unit:{campaign.unit}:{date_of(day):%Y-%m}"
        ask = Ask(campaign.channel, campaign.advertiser, day, ref)
        asks.setdefault((ask.channel, ask.ref), ask)
    return list(asks.values())


def expect(tx: Transaction, asks: Sequence[Ask]) -> tuple[None, Sequence[Fact]]:
    """Write down what LINE is to be asked about; what is written down already stays as it is."""
    tx.platform_figures.expect(EVERYBODY, asks)
    return None, ()


def claim(tx: Transaction, now: int) -> tuple[list[tuple[Ask, Channel]], Sequence[Fact]]:
    """What to ask now, with whose channel; it is ours for :data:`LEASE_SECONDS`."""
    until = now + LEASE_SECONDS * SECOND
    claimed: list[tuple[Ask, Channel]] = []
    for ask in tx.platform_figures.claim(EVERYBODY, now, until, ASKS_AT_ONCE):
        channel = tx.entities.find(EVERYBODY, Channel, ask.channel)
        if channel is None:  # without its credentials nothing can be asked any more
            tx.platform_figures.put_off(EVERYBODY, ask, None)
        else:
            claimed.append((ask, channel))
    return claimed, ()


class Heard(msgspec.Struct, frozen=True):
    """What LINE answered."""

    ask: Ask
    at: int
    told: Told | None = None
    """Of a day."""
    sent: Sent | None = None
    """Of a message."""
    problem: Literal["", "later", "refused"] = ""
    """Why there is nothing: it may tell later, or it will hardly."""


def hear(tx: Transaction, answers: Sequence[Heard]) -> tuple[None, Sequence[Fact]]:
    """Keep what LINE answered, and when to ask again."""
    for heard in answers:
        _hear(tx, heard)
    return None, ()


def _hear(tx: Transaction, heard: Heard) -> None:
    figures, ask = tx.platform_figures, heard.ask
    told = heard.told
    if heard.problem == "refused" and not ask.ref:
        told = Told(state="refused", delivery_state="refused")
    if told is not None:
        figures.keep_day(EVERYBODY, ask, told, None if told.is_final else _again(heard))
    elif heard.sent is not None:
        figures.keep_sent(EVERYBODY, heard.sent, _again(heard))
    else:
        figures.put_off(EVERYBODY, ask, _again(heard))


def _again(heard: Heard) -> int | None:
    """When to ask again; never what is too long ago."""
    if day_of(heard.at) > heard.ask.day + FOLLOWED_DAYS:
        return None
    is_counting = heard.problem == "later" or heard.told is not None
    return heard.at + (_HOUR if is_counting else _DAY)
