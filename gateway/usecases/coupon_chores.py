"""Coupons with time: tickets end, and friends are reminded before they do."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from gateway.domain.coupons import tickets
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.coupons.messages import reminder_message
from gateway.domain.coupons.tickets import Ticket
from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.pushes import after_quiet
from gateway.domain.values import EVERYBODY, SECOND, Draw, Seed
from gateway.ports import Fact, Transaction
from gateway.usecases.coupons import counted, url_of
from gateway.usecases.faults import FAULTS
from gateway.usecases.notices import notice_to

EXPIRE_AT_ONCE = 500
REMIND_AT_ONCE = 100
"""Tickets that one unit of the background lane looks at."""

_DAY = 86_400 * SECOND

_replace = msgspec.structs.replace


def expire(tx: Transaction, now: int) -> tuple[int, Sequence[Fact]]:
    """End tickets whose time is over, a bounded piece at a time; returns how many."""
    due = tx.coupons.due(EVERYBODY, "expiry", now, EXPIRE_AT_ONCE)
    for ticket in due:
        tx.coupons.save(EVERYBODY, tickets.expired(ticket))
    whose = Counter(ticket.advertiser for ticket in due)
    return len(due), [counted(advertiser, "expired", n) for advertiser, n in whose.items()]


class Reminding(msgspec.Struct, frozen=True):
    """A round of reminders; the seed has :data:`REMIND_AT_ONCE` ids."""

    now: int
    seed: Seed


def remind(tx: Transaction, round_: Reminding) -> tuple[int, Sequence[Fact]]:
    """Remind friends of tickets that end soon, each once; returns how many were looked at.

    In a channel's quiet hours its reminders are put off to their end. A ticket whose reminder
    cannot be made is put off by a day and counted; it must not hold up those of other shops.
    """
    draw, facts = round_.seed.draw(), list[Fact]()
    due = tx.coupons.due(EVERYBODY, "reminder", round_.now, REMIND_AT_ONCE)
    for ticket in due:
        try:
            remind_at, effect = _reminder(tx, ticket, draw, round_.now)
        except FAULTS:
            remind_at, effect = round_.now + _DAY, None
            facts.append(counted(ticket.advertiser, "put_off"))
        tx.coupons.save(EVERYBODY, _replace(ticket, remind_at=remind_at))
        if effect is not None:
            tx.outbox.add(EVERYBODY, effect)
    return len(due), facts


def _reminder(tx: Transaction, ticket: Ticket, draw: Draw, now: int) -> tuple[int, Effect | None]:
    """When to look at a ticket again (0: never), and what reminds its friend now."""
    channel = tx.entities.find(EVERYBODY, Channel, ticket.channel)
    coupon = tx.entities.find(EVERYBODY, Coupon, ticket.coupon)
    if channel is None or coupon is None or not ticket.is_open(now):
        return 0, None
    if (later := after_quiet(channel.quiet, now)) > now:
        return later, None
    friend = tx.line.friend_by_id(EVERYBODY, ticket.friend)
    if friend is None or not friend.can_receive:
        return 0, None
    if tx.pushes.stops.has_stopped(EVERYBODY, friend.id):
        return 0, None
    message = reminder_message(coupon, ticket, url_of(tx, ticket), friend.language)
    return 0, notice_to(
        friend,
        message,
        id_=draw.id(),
        advertiser=ticket.advertiser,
        origin="coupon-reminder",
        mark=str(ticket.id),
        now=now,
        give_up_at=ticket.expires_at,
    )
