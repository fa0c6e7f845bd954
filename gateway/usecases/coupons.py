"""Coupons: hand out a ticket, stamp it once, take it back."""

import unicodedata
from collections.abc import Sequence
from hmac import compare_digest
from typing import ClassVar

import msgspec

from gateway.domain.cards import Owed, day_of
from gateway.domain.coupons import messages, tickets
from gateway.domain.coupons.coupon import ODDS_OF, Coupon
from gateway.domain.coupons.tickets import Action, State, Ticket
from gateway.domain.line.channel import Channel, Message
from gateway.domain.line.friends import Friend
from gateway.domain.line.messages import render
from gateway.domain.values import EVERYBODY, Counted, Draw, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.usecases import audience

PIN = "pin"
"""Who stamped, where it was the shop's PIN."""

WRONG_PINS_OF_ALL = 100
"""After so many wrong PINs in a day on all tickets of a channel together, none is taken that day:
whoever holds many tickets cannot search for it. Staff's own devices stamp on.
"""

_MOST_PIN = 40


def counted(advertiser: str, action: Action, amount: int = 1) -> Counted:
    """A fact of the metric ``coupons_total``."""
    return Counted(advertiser, "coupons_total", (action,), amount)


# --- handing out ---


def offer(
    tx: Transaction, channel: Channel, friend: Friend, coupon_id: str, draw: Draw, now: int
) -> tuple[list[Message], list[Fact]]:
    """What takes the place of ``{type = "coupon"}``, as it is to be sent; takes one id of ``draw``.

    The friend must be loaded, and so locked: it is what keeps the limit per friend exact.
    """
    message, facts = _offer(tx, channel, friend, coupon_id, draw, now)
    values = {"name": friend.name, "shop": channel.shop}
    return ([render(message, values)] if message else []), facts


def _offer(
    tx: Transaction, channel: Channel, friend: Friend, coupon_id: str, draw: Draw, now: int
) -> tuple[Message | None, list[Fact]]:
    coupon = tx.entities.find(EVERYBODY, Coupon, coupon_id)
    refused: list[Fact] = [counted(channel.advertiser, "refused")]
    if coupon is None or coupon.advertiser != channel.advertiser or friend.is_group:
        return None, refused
    platform_id = ""
    if coupon.kind == "line":
        held = tx.coupon_platform.find(EVERYBODY, coupon.id, channel.id)
        if held is None or held.state != "running":
            return None, refused  # LINE has not made it (yet): there is nothing to be sent
        platform_id = held.platform_id
    mine = tx.coupons.of_friend(EVERYBODY, friend.id, coupon)
    issued = 0 if coupon.total is None else tx.coupons.issued(EVERYBODY, coupon)
    outcome, ticket = tickets.offer(coupon, mine, issued, now)
    facts: list[Fact] = []
    if outcome == "new":
        ticket = _drawn(coupon, channel, friend, draw, now)
        facts = _keep(tx, coupon, ticket, friend)
    if ticket is None:
        return messages.refusal_message(coupon, outcome, friend.language), refused
    if ticket.state == "lost":
        return messages.lost_message(coupon, friend.language), facts
    if ticket.state == "sent":
        return messages.platform_message(platform_id), facts
    return messages.ticket_message(coupon, ticket, url_of(tx, ticket), friend.language), facts


def reward(
    tx: Transaction, channel: Channel, friend: Friend, owed: Owed, draw: Draw, now: int
) -> tuple[Ticket | None, list[Fact]]:
    """A new ticket for a reward that a friend has earned on a shop card; takes one id of ``draw``.

    ``None`` where there is none to be had now: the coupon is gone, early, over or sold out.
    The friend must be loaded, and so locked.
    """
    coupon = tx.entities.find(EVERYBODY, Coupon, owed.coupon)
    if coupon is None or coupon.advertiser != channel.advertiser:
        return None, []
    issued = 0 if coupon.total is None else tx.coupons.issued(EVERYBODY, coupon)
    if not tickets.may_reward(coupon, issued, now):
        return None, []
    ticket = _drawn(coupon, channel, friend, draw, now, owed.card)
    return ticket, _keep(tx, coupon, ticket, friend)


def _keep(tx: Transaction, coupon: Coupon, ticket: Ticket, friend: Friend) -> list[Fact]:
    """Keep a new ticket, and what follows of it."""
    tx.coupons.save(EVERYBODY, ticket)
    if ticket.state == "lost":
        return [counted(coupon.advertiser, "lost")]
    tagged = audience.tag(tx, friend, coupon.tags, ticket.issued_at, f"coupon:{coupon.id}")
    return [counted(coupon.advertiser, "issued"), *tagged]


def url_of(tx: Transaction, ticket: Ticket) -> str:
    """The address of a ticket's page."""
    return f"{tx.public_url}/c/{ticket.token}"


def _drawn(
    coupon: Coupon, channel: Channel, friend: Friend, draw: Draw, now: int, card: int = 0
) -> Ticket:
    luck = draw.below(ODDS_OF) if coupon.is_drawn_by_us else None
    state: State = "sent" if coupon.kind == "line" else "issued"
    if luck is not None and not coupon.is_won_by(luck):
        state = "lost"
    expires_at = tickets.expiry(coupon, now)
    return Ticket(
        id=draw.id(),
        coupon=coupon.id,
        advertiser=coupon.advertiser,
        campaign=coupon.campaign,
        channel=channel.id,
        friend=friend.id,
        token=tickets.token_of(draw.below(tickets.TOKENS)),
        state=state,
        issued_at=now,
        expires_at=expires_at,
        luck=luck,
        remind_at=tickets.reminder(coupon, expires_at, now) if state == "issued" else 0,
        card=card,
    )


# --- the stamp ---


class PinStamp(msgspec.Struct, frozen=True):
    """A stamp on a friend's own page, by the shop's PIN."""

    room: ClassVar[str] = "coupons"

    key: str
    """The whole token."""
    pin: str
    at: int


def stamp_by_pin(tx: Transaction, asked: PinStamp) -> tuple[Refusal | None, Sequence[Fact]]:
    """Stamp a ticket; returns why not, where it was not stamped. A wrong PIN is kept.

    Raises:
        Refused: there is no such ticket.
    """
    ticket = tx.coupons.ticket(EVERYBODY, asked.key) if tickets.is_token(asked.key) else None
    if ticket is None:
        raise Refused(Refusal.NOT_FOUND)
    coupon = tx.entities.find(EVERYBODY, Coupon, ticket.coupon)
    why = _objection(coupon, ticket, "pin", asked.at)
    if why is None and (asked.at < ticket.locked_until or _are_too_many(tx, ticket, asked.at)):
        why = Refusal.COUPON_PIN_LOCKED
    if why is None and not _is_pin(tx, ticket, asked.pin):
        why = Refusal.COUPON_PIN_WRONG
        tx.coupons.save(EVERYBODY, tickets.mistaken(ticket, asked.at))
        _wrong_pins(tx, ticket, asked.at, more=1)
    if why is not None or coupon is None:
        return why, [counted(ticket.advertiser, "refused")]
    tx.coupons.save(EVERYBODY, tickets.used(ticket, coupon, PIN, asked.at))
    return None, [counted(ticket.advertiser, "used")]


def _are_too_many(tx: Transaction, ticket: Ticket, at: int) -> bool:
    return _wrong_pins(tx, ticket, at) >= WRONG_PINS_OF_ALL


def _wrong_pins(tx: Transaction, ticket: Ticket, at: int, more: int = 0) -> int:
    """How many wrong PINs a channel's tickets have had today, with ``more``."""
    # No card has such an id. The room of cards keeps these counts for a week, and forgets them.
    of = (ticket.advertiser, f"coupons/{ticket.channel}", "", day_of(at))
    return tx.card_codes.count(EVERYBODY, of, wrong=more).wrong


def _is_pin(tx: Transaction, ticket: Ticket, given: str) -> bool:
    channel = tx.entities.find(EVERYBODY, Channel, ticket.channel)
    if channel is None or not channel.staff_secret or len(given) > _MOST_PIN:
        return False
    # Japanese keyboards write digits in full width, too.
    typed = unicodedata.normalize("NFKC", given).strip()
    return compare_digest(typed.encode(errors="replace"), channel.staff_secret.encode())


class StaffStamp(msgspec.Struct, frozen=True):
    """A stamp by staff, with a device that holds a token of the API."""

    room: ClassVar[str] = "coupons"

    scope: Scope
    key: str
    """The token, or the code that stands above it."""
    actor: str
    at: int


def stamp_by_staff(tx: Transaction, asked: StaffStamp) -> tuple[Ticket, Sequence[Fact]]:
    """Stamp a ticket.

    Raises:
        Refused: it cannot be stamped; nothing was changed.
    """
    ticket = tx.coupons.ticket(asked.scope, asked.key)
    if ticket is None:
        raise Refused(Refusal.NOT_FOUND)
    coupon = tx.entities.find(EVERYBODY, Coupon, ticket.coupon)
    why = _objection(coupon, ticket, "staff", asked.at)
    if why is not None or coupon is None:
        raise Refused(why or Refusal.COUPON_VOID)
    stamped = tickets.used(ticket, coupon, asked.actor, asked.at)
    tx.coupons.save(EVERYBODY, stamped)
    return stamped, [counted(ticket.advertiser, "used")]


def count_refusal(tx: Transaction, asked: StaffStamp) -> tuple[None, Sequence[Fact]]:
    """Count that a ticket was not stamped: a unit that is refused tells no facts itself."""
    ticket = tx.coupons.ticket(asked.scope, asked.key)
    return None, [counted(ticket.advertiser, "refused")] if ticket else []


def _objection(coupon: Coupon | None, ticket: Ticket, by: str, now: int) -> Refusal | None:
    why = tickets.objection(coupon, ticket, now)
    if why is None and coupon is not None and coupon.stamp not in (by, "both"):
        return Refusal.COUPON_STAMPED_OTHERWISE
    return why


# --- taking back ---


class Correction(msgspec.Struct, frozen=True):
    """A ticket that a manager corrects."""

    scope: Scope
    ticket: int
    actor: str
    at: int


def undo(tx: Transaction, asked: Correction) -> tuple[Ticket, Sequence[Fact]]:
    """Take a ticket's last stamp back.

    Raises:
        Refused: there is no such ticket, or it has no stamp.
    """
    ticket = _found(tx, asked)
    unstamped = tickets.unstamped(ticket)
    if unstamped is None:
        raise Refused(Refusal.COUPON_NOT_STAMPED)
    return _corrected(tx, asked, unstamped, "undone")


def void(tx: Transaction, asked: Correction) -> tuple[Ticket, Sequence[Fact]]:
    """Take a ticket itself back: it does not count against any limit from then on.

    Raises:
        Refused: there is no such ticket, or nothing of it to be taken back.
    """
    voided = tickets.voided(_found(tx, asked))
    if voided is None:
        raise Refused(Refusal.COUPON_VOID)
    return _corrected(tx, asked, voided, "voided")


def _found(tx: Transaction, asked: Correction) -> Ticket:
    ticket = tx.coupons.ticket(asked.scope, asked.ticket)
    if ticket is None:
        raise Refused(Refusal.NOT_FOUND)
    return ticket


def _corrected(
    tx: Transaction, asked: Correction, ticket: Ticket, action: Action
) -> tuple[Ticket, Sequence[Fact]]:
    tx.coupons.save(EVERYBODY, ticket)
    tx.access.audit(
        EVERYBODY,
        asked.at,
        asked.actor,
        ticket.advertiser,
        f"coupon.{action}",
        str(ticket.id),
        {"coupon": ticket.coupon},
    )
    return ticket, [counted(ticket.advertiser, action)]
