"""Shop cards with time: cards expire, their holders are told before, old scans are forgotten."""

from collections.abc import Sequence

import msgspec

from gateway.domain.cards import Card, ShopCard, overdue
from gateway.domain.cards.messages import notice_message
from gateway.domain.line.channel import Channel
from gateway.domain.pushes import after_quiet
from gateway.domain.values import EVERYBODY, SECOND, Draw, Seed
from gateway.ports import Fact, Transaction
from gateway.usecases.card_codes import page_of
from gateway.usecases.card_points import happened
from gateway.usecases.faults import FAULTS, put_aside
from gateway.usecases.notices import notice_to

AT_ONCE = 50
"""Cards that one unit of the background lane looks at."""

FORGET_AT_ONCE = 500
"""Rows that one unit of the background lane deletes."""

KEPT_FOR = 7 * 86_400 * SECOND
"""How long scans and counts of PINs are kept; codes of the screen live for minutes, and points
wait for a friendship on one day alone.
"""

NIGHT = "21:00-09:00"
"""When nobody is told anything, where the channel names no quiet hours of its own."""

_DAY = 86_400 * SECOND


def expire(tx: Transaction, now: int) -> tuple[int, Sequence[Fact]]:
    """Let cards expire whose time is over, a bounded piece at a time; returns how many."""
    facts: list[Fact] = []
    for due in tx.cards.due(EVERYBODY, now + 1, AT_ONCE):
        card = _held(tx, due)
        if card is not None and (expired := overdue(card, now)):
            tx.cards.save(EVERYBODY, expired)
            facts.append(happened(card.advertiser, "expired"))
    return len(facts), facts


class Noticing(msgspec.Struct, frozen=True):
    """A round of notices; the seed has :data:`AT_ONCE` ids."""

    now: int
    seed: Seed


def notice(tx: Transaction, round_: Noticing) -> tuple[int, Sequence[Fact]]:
    """Tell holders of cards that expire soon, each once; returns how many were looked at.

    By day alone: in a channel's quiet hours none of its holders is looked at.
    """
    draw, left, facts = round_.seed.draw(), AT_ONCE, list[Fact]()
    for design in tx.entities.all(EVERYBODY, ShopCard):
        channel = tx.entities.find(EVERYBODY, Channel, design.channel)
        if not design.notice_days or channel is None or not left:
            continue
        if after_quiet(channel.quiet or NIGHT, round_.now) > round_.now:
            continue
        before = round_.now + design.notice_days * _DAY
        for due in tx.cards.due(EVERYBODY, before, left, design.id):
            left -= 1
            card = _held(tx, due)
            if card is None or card.state != "active":
                continue
            tx.cards.save(EVERYBODY, msgspec.structs.replace(card, noticed_at=card.expires_at))
            try:
                if round_.now < card.expires_at:
                    _push(tx, design, card, draw, round_.now)
            except FAULTS:
                facts.append(put_aside(card.advertiser, "card-notice"))
    return AT_ONCE - left, facts


def _held(tx: Transaction, due: Card) -> Card | None:
    """The card as it is now that its holder is held: a visit may have come in between."""
    tx.line.friend_by_id(EVERYBODY, due.friend)
    held = tx.cards.held(EVERYBODY, due.root, due.friend)
    return next((card for card in held if card.id == due.id), None)


def _push(tx: Transaction, design: ShopCard, card: Card, draw: Draw, now: int) -> None:
    root = tx.entities.find(EVERYBODY, ShopCard, card.root)
    friend = tx.line.friend_by_id(EVERYBODY, card.friend)
    if root is None or friend is None or not friend.can_receive:
        return
    if tx.pushes.stops.has_stopped(EVERYBODY, friend.id):
        return
    message = notice_message(design, card, page_of(tx, root, friend, draw), friend.language)
    effect = notice_to(
        friend,
        message,
        id_=draw.id(),
        advertiser=card.advertiser,
        origin="card-notice",
        mark=f"{card.id}/{card.expires_at}",
        now=now,
        give_up_at=card.expires_at,
    )
    tx.outbox.add(EVERYBODY, effect)


def forget(tx: Transaction, now: int) -> tuple[int, Sequence[Fact]]:
    """Delete old scans and counts, a bounded piece at a time; returns how many."""
    return tx.card_codes.forget(EVERYBODY, now - KEPT_FOR, FORGET_AT_ONCE), ()
