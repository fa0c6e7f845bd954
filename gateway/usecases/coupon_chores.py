"""Coupons with time: tickets end, and friends are reminded before they do."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from gateway.domain.coupons import tickets
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.coupons.messages import reminder_message
from gateway.domain.coupons.tickets import Ticket
from gateway.domain.line.channel import Channel
from gateway.domain.values import EVERYBODY, SECOND, Seed
from gateway.ports import Fact, Transaction
from gateway.usecases.coupons import counted, url_of
from gateway.usecases.notices import notice_to

EXPIRE_AT_ONCE = 500
REMIND_AT_ONCE = 100
"""Tickets that one unit of the background lane looks at."""

_LATER = 900 * SECOND

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
    """Remind friends of tickets that end soon, each once; returns how many were looked at."""
    draw = round_.seed.draw()
    due = tx.coupons.due(EVERYBODY, "reminder", round_.now, REMIND_AT_ONCE)
    for ticket in due:
        channel = tx.entities.find(EVERYBODY, Channel, ticket.channel)
        if channel is not None and not tickets.may_remind(channel.quiet, round_.now):
            tx.coupons.save(EVERYBODY, _replace(ticket, remind_at=round_.now + _LATER))
            continue
        tx.coupons.save(EVERYBODY, _replace(ticket, remind_at=0))
        if channel is not None and ticket.is_open(round_.now):
            _push(tx, ticket, draw.id(), round_.now)
    return len(due), ()


def _push(tx: Transaction, ticket: Ticket, id_: int, now: int) -> None:
    coupon = tx.entities.find(EVERYBODY, Coupon, ticket.coupon)
    friend = tx.line.friend_by_id(EVERYBODY, ticket.friend)
    if coupon is None or friend is None or friend.state != "friend":
        return
    if tx.pushes.stops.has_stopped(EVERYBODY, friend.id):
        return
    message = reminder_message(coupon, ticket, url_of(tx, ticket), friend.language)
    effect = notice_to(
        friend,
        message,
        id_=id_,
        advertiser=ticket.advertiser,
        origin="coupon-reminder",
        mark=str(ticket.id),
        now=now,
        give_up_at=ticket.expires_at,
    )
    tx.outbox.add(EVERYBODY, effect)
