"""Pushes: set up, looked at beforehand, cancelled. How they are sent: ``push_sending``."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.domain.access import Access
from gateway.domain.audience import Segment
from gateway.domain.hours import month_of
from gateway.domain.line.channel import Channel
from gateway.domain.pushes import (
    OVER,
    UNITS_A_MONTH,
    Audience,
    Demographic,
    Named,
    OfSegment,
    Push,
    after_quiet,
    encode_audience,
    encode_messages,
)
from gateway.domain.values import EVERYBODY, SECOND, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.usecases.messages import check_messages
from gateway.usecases.personal import is_personal
from gateway.usecases.push_quota import over
from gateway.usecases.push_sending import take_back

MOST_DAYS = 366
"""So far ahead a push may be set up."""

_PAST_SECONDS = 300


class NewPush(msgspec.Struct, frozen=True):
    """A push as a person wants it."""

    scope: Scope
    access: Access
    channel: str
    audience: Audience
    messages: tuple[dict[str, Any], ...]
    now: int
    seed: Seed
    """With one id."""
    at: int | None = None
    """When; ``None``: now."""
    silent: bool = False
    unit: str = ""
    partial: bool = False
    expected: int = 0
    """How many would get it, as counted a moment ago; of a narrowcast the most it may be."""


def create(tx: Transaction, new: NewPush) -> tuple[Push, tuple[Fact, ...]]:
    """Set up a push.

    A time that lies in the channel's quiet hours is moved to their end.

    Raises:
        Refused: what it names is not there, its messages cannot be sent, its time is past or too
            far off, the month's quota or its aggregation units have no room, or it is a narrowcast
            and somebody stopped pushes.
    """
    channel = tx.entities.find(new.scope, Channel, new.channel)
    if channel is None:
        raise Refused(Refusal.NOT_FOUND, "there is no such channel")
    _check_audience(tx, channel, new)
    check_messages(tx, channel.advertiser, channel.id, new.messages)
    at = _begin(channel, new)
    push = Push(
        id=new.seed.draw().id(),
        advertiser=channel.advertiser,
        channel=channel.id,
        audience=encode_audience(new.audience),
        messages=encode_messages(new.messages),
        created_at=new.now,
        created_by=new.access.actor,
        at=at,
        due_at=at,
        silent=new.silent,
        unit=new.unit,
        partial=new.partial,
        singly=is_personal(new.messages),
        recipients=new.expected if isinstance(new.audience, Demographic) else 0,
    )
    _check_quota(tx, push, new)
    if push.unit and not tx.pushes.use_unit(EVERYBODY, push, month_of(at), UNITS_A_MONTH):
        detail = f"a channel may use {UNITS_A_MONTH} names a month; use one of those"
        raise Refused(Refusal.TOO_MANY_UNITS, detail)
    tx.pushes.add(EVERYBODY, push)
    _audit(tx, new.now, new.access, push, "push.created")
    return push, ()


def _check_audience(tx: Transaction, channel: Channel, new: NewPush) -> None:
    whom = new.audience
    if isinstance(whom, OfSegment):
        segment = tx.entities.find(new.scope, Segment, whom.segment)
        if segment is None or segment.channel != channel.id:
            raise Refused(Refusal.UNKNOWN_REFERENCE, "the channel has no such segment")
    elif isinstance(whom, Named):
        known = tx.audience.named(new.scope, channel.id, whom.friends)
        if len(known) < len(set(whom.friends)):
            raise Refused(Refusal.UNKNOWN_REFERENCE, "some are no friends of the channel")
    elif isinstance(whom, Demographic):
        if tx.pushes.stops.any_of(EVERYBODY, channel.id):
            detail = "somebody stopped pushes, whom a narrowcast would reach; push to a segment"
            raise Refused(Refusal.STOPS_PRESENT, detail)
        if new.unit:
            raise Refused(Refusal.NOT_IN_ONE, "a narrowcast has no aggregation unit")
        if is_personal(new.messages):
            raise Refused(Refusal.NOT_IN_ONE, "a narrowcast is the same for all friends")


def _begin(channel: Channel, new: NewPush) -> int:
    at = new.now if new.at is None else new.at
    if not new.now - _PAST_SECONDS * SECOND <= at <= new.now + MOST_DAYS * 86_400 * SECOND:
        detail = f"at: is past, or more than {MOST_DAYS} days ahead"
        raise Refused(Refusal.INVALID_FIELD, detail)
    return after_quiet(channel.quiet, max(at, new.now))


def _check_quota(tx: Transaction, push: Push, new: NewPush) -> None:
    """Of a month to come, and of one that the platform was not asked about, nobody knows yet."""
    month = month_of(push.at)
    quota = tx.outbox.quotas.find(EVERYBODY, push.channel, month)
    if new.partial or quota is None or not quota.kind or month != month_of(new.now):
        return
    if not quota.has_room(new.expected):
        detail = "the month's quota has no room for all; send to fewer, or say partial"
        raise Refused(Refusal.QUOTA_TOO_SMALL, detail)


class Cancel(msgspec.Struct, frozen=True):
    """A person's wish that a push ends."""

    scope: Scope
    access: Access
    push: int
    now: int


def cancel(tx: Transaction, wish: Cancel) -> tuple[Push, Sequence[Fact]]:
    """End a push: nothing more of it is handed out, and what was not taken to the platform yet is
    taken back. Cancelling twice is as once.

    Raises:
        Refused: there is no such push, or it is over.
    """
    push = tx.pushes.find(wish.scope, wish.push)
    if push is None:
        raise Refused(Refusal.NOT_FOUND)
    if push.state == "cancelled":
        return push, ()
    if push.state in OVER:
        raise Refused(Refusal.PUSH_OVER, f"it is {push.state}")
    push, facts = over(tx, take_back(tx, push), "cancelled", wish.now)
    tx.pushes.save(EVERYBODY, push)
    _audit(tx, wish.now, wish.access, push, "push.cancelled")
    return push, facts


def _audit(tx: Transaction, now: int, access: Access, push: Push, action: str) -> None:
    actor, subject = access.actor, str(push.id)
    detail = {"channel": push.channel}
    tx.access.audit(EVERYBODY, now, actor, push.advertiser, action, subject, detail)
