"""The monthly quota of channels: what the platform says of it, and what is promised of it."""

from typing import Literal

import msgspec

from gateway.domain.hours import month_of
from gateway.domain.line import quota
from gateway.domain.line.channel import Channel
from gateway.domain.line.quota import Quota
from gateway.domain.values import EVERYBODY
from gateway.ports import Fact, Transaction

_replace = msgspec.structs.replace


class Reading(msgspec.Struct, frozen=True):
    """What the platform said of a channel's month."""

    channel: str
    advertiser: str
    kind: Literal["none", "limited"]
    limit: int
    used: int
    now: int


def keep(tx: Transaction, reading: Reading) -> tuple[Quota, tuple[Fact, ...]]:
    """Remember what the platform said; returns the month as it stands with that."""
    known = _month(tx, reading.channel, reading.advertiser, month_of(reading.now))
    fresh = quota.read(known, reading.kind, reading.limit, reading.used, reading.now)
    tx.outbox.quotas.save(EVERYBODY, fresh)
    return fresh, ()


def reserve(tx: Transaction, channel: Channel, count: int, month: str) -> bool:
    """Promise ``count`` messages of a month (``2026-11``) to a campaign; whether there is room.

    What is sent for it names the month as ``reserved`` in its payload, and takes the promise back
    as it goes; what is not sent after all is given back by :func:`release`. Of a month that the
    platform was not asked about nothing is promised.
    """
    known = _month(tx, channel.id, channel.advertiser, month)
    if not known.has_room(count):
        return False
    tx.outbox.quotas.save(EVERYBODY, quota.reserve(known, count))
    return True


def release(tx: Transaction, channel: Channel, count: int, month: str) -> None:
    """Give back what :func:`reserve` promised of a month."""
    known = _month(tx, channel.id, channel.advertiser, month)
    tx.outbox.quotas.save(EVERYBODY, quota.reserve(known, -count))


def move(tx: Transaction, channel: Channel, count: int, month: str, to: str) -> bool:
    """Promise of the month ``to`` what was promised of another; whether there is room.

    Without room the old promise stands, and what it was for has to wait.
    """
    if not reserve(tx, channel, count, to):
        return False
    release(tx, channel, count, month)
    return True


def take_instead(tx: Transaction, channel: Channel, now: int) -> bool:
    """Whether the channel allows one more push in the place of a reply; if so, it is counted."""
    if not channel.push_instead:
        return False
    month = _month(tx, channel.id, channel.advertiser, month_of(now))
    # Where the platform was not asked yet, its own limit holds; the shop's cap holds always.
    if month.instead >= channel.push_cap or (month.kind and not month.has_room(1)):
        return False
    tx.outbox.quotas.save(EVERYBODY, _replace(month, instead=month.instead + 1))
    return True


def _month(tx: Transaction, channel: str, advertiser: str, month: str) -> Quota:
    return tx.outbox.quotas.find(EVERYBODY, channel, month) or Quota(channel, month, advertiser)
