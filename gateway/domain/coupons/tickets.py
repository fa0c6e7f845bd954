"""Tickets: what one friend holds of a coupon, from the hand-out to the stamp."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Literal, get_args

import msgspec

from gateway.domain.coupons.coupon import Coupon
from gateway.domain.hours import TOKYO
from gateway.domain.values import SECOND, micros, moment
from gateway.errors import Refusal

State = Literal["issued", "used", "expired", "void", "lost", "sent"]
"""``lost``: the friend drew a blank. ``sent``: LINE's own was sent, and nobody tells what became of
it. ``void``: taken back."""

TRANSITIONS: dict[State, tuple[State, ...]] = {
    "issued": ("used", "expired", "void"),
    "used": ("issued", "void"),
    "expired": (),
    "void": (),
    "lost": (),
    "sent": ("void",),
}
"""From used back to issued leads an undo."""

Action = Literal["issued", "used", "undone", "expired", "lost", "voided", "refused", "put_off"]
"""What is counted."""

ACTIONS: tuple[str, ...] = get_args(Action)

_HELD: frozenset[State] = frozenset({"issued", "used", "expired", "sent"})
"""What counts against the limits of coupon and campaign."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: nothing to be mistaken
_TOKEN = 24
_CODE = 9
TOKENS = 32**_TOKEN
"""A token is a number below this, written in base 32: 120 bits that nobody can guess."""

_TRIES = 5
_LOCKED_SECONDS = 600
_LONGEST_LOCK = 86_400

_REMINDER = time(10, tzinfo=TOKYO)
_DAYTIME = (9, 20)

_replace = msgspec.structs.replace


class Ticket(msgspec.Struct, frozen=True):
    """One ticket, or one blank; the fields are the columns of the store, in order."""

    id: int
    coupon: str
    advertiser: str
    campaign: str
    channel: str
    friend: int
    token: str
    state: State
    issued_at: int
    expires_at: int
    luck: int | None = None
    """What was drawn, where we drew: by it anybody can reckon the odds again."""
    remind_at: int = 0
    """When the friend is to be reminded; 0: not (any more)."""
    uses: int = 0
    used_at: int = 0
    used_by: str = ""
    """``pin``, or the token of the API with which staff stamped."""
    wrong: int = 0
    """Wrong PINs since the last right one."""
    locked_until: int = 0
    """No PIN is tried before."""
    card: int = 0
    """The shop card that it is a reward of, which counts against no limit of the friend's; 0: it
    was handed out by a message."""

    @property
    def code(self) -> str:
        """What people read out and type: the beginning of the token."""
        return "-".join(self.token[at : at + 3] for at in range(0, _CODE, 3))

    def is_open(self, now: int) -> bool:
        """Whether it can still be used."""
        return self.state == "issued" and now <= self.expires_at


# --- tokens ---


def token_of(number: int) -> str:
    """The token that stands for a number below :data:`TOKENS`."""
    signs = []
    for _ in range(_TOKEN):
        number, sign = divmod(number, 32)
        signs.append(_ALPHABET[sign])
    return "".join(signs)


def is_token(key: str) -> bool:
    """Whether ``key`` is a whole token. A code alone is for staff: it could be guessed some day."""
    span = tokens_of(key)
    return span is not None and span[0] == span[1]


def tokens_of(key: str) -> tuple[str, str] | None:
    """The first and last token that ``key``, a token or the code of one, may stand for.

    A code is taken as people type it: small letters, blanks, O for 0, I and L for 1.
    """
    plain = unicodedata.normalize("NFKC", key).upper().translate(_TYPED)
    if len(plain) not in (_TOKEN, _CODE) or not set(plain) <= set(_ALPHABET):
        return None
    return plain.ljust(_TOKEN, _ALPHABET[0]), plain.ljust(_TOKEN, _ALPHABET[-1])


_TYPED = str.maketrans({"-": "", " ": "", "O": "0", "I": "1", "L": "1"})


# --- handing out ---

Offer = Literal["new", "again", "early", "over", "sold_out", "enough"]


def offer(
    coupon: Coupon, held: Sequence[Ticket], issued: int, now: int
) -> tuple[Offer, Ticket | None]:
    """What a friend who asks for ``coupon`` gets.

    ``held`` is what the friend has of it, and of other coupons of its campaign; ``issued`` what all
    friends have of it. A ticket that was not used yet is shown again, before a new one is made;
    rewards of shop cards are shown, too, but count against no limit of the friend's.
    """
    if now > coupon.ends:
        return "over", None
    if now < coupon.starts:
        return "early", None
    mine = [ticket for ticket in held if ticket.coupon == coupon.id and ticket.state != "void"]
    for ticket in mine:
        if ticket.state == "sent" or ticket.is_open(now):
            return "again", ticket
    if sum(not ticket.card for ticket in mine) >= coupon.per_friend:
        return "enough", None
    if coupon.campaign:
        won = [ticket for ticket in held if ticket.state in _HELD and not ticket.card]
        if sum(ticket.campaign == coupon.campaign for ticket in won) >= coupon.campaign_limit:
            return "enough", None
    if coupon.total is not None and not coupon.is_drawn_by_line and issued >= coupon.total:
        return "sold_out", None
    return "new", None


def may_reward(coupon: Coupon, issued: int, now: int) -> bool:
    """Whether a shop card's reward can be made a ticket of ``coupon`` now, of which all friends
    have ``issued``. What a friend has of it already does not matter: each reward is earned.
    """
    is_left = coupon.total is None or issued < coupon.total
    return coupon.kind == "own" and coupon.starts <= now <= coupon.ends and is_left


def counts(ticket: Ticket) -> bool:
    """Whether ``ticket`` counts among those that all friends have of a coupon."""
    return ticket.state in _HELD


def expiry(coupon: Coupon, now: int) -> int:
    """When a ticket that is handed out now ends."""
    if coupon.valid_days is None:
        return coupon.ends
    day = moment(now).astimezone(TOKYO).date() + timedelta(coupon.valid_days + 1)
    return min(coupon.ends, micros(datetime.combine(day, time(tzinfo=TOKYO))) - 1)


def reminder(coupon: Coupon, expires_at: int, now: int) -> int:
    """When the friend is reminded of a ticket that ends then; 0: never."""
    if coupon.reminder_days is None or coupon.kind == "line":
        return 0
    day = moment(expires_at).astimezone(TOKYO).date() - timedelta(coupon.reminder_days)
    at = micros(datetime.combine(day, _REMINDER))
    return at if now < at < expires_at else 0


def is_day(now: int) -> bool:
    """Whether friends may be disturbed now, as far as the hour goes. A channel's own quiet hours
    are kept beside it.
    """
    return _DAYTIME[0] <= moment(now).astimezone(TOKYO).hour < _DAYTIME[1]


# --- the stamp ---


def objection(coupon: Coupon | None, ticket: Ticket, now: int) -> Refusal | None:
    """Why ``ticket`` cannot be stamped, if so; ``coupon`` is ``None`` where it was taken away."""
    match ticket.state:
        case "lost" | "sent":
            return Refusal.NOT_FOUND
        case "used":
            return Refusal.COUPON_USED
        case "void":
            return Refusal.COUPON_VOID
        case "expired":
            return Refusal.COUPON_EXPIRED
        case _:
            pass
    if coupon is None:
        return Refusal.COUPON_VOID
    return None if ticket.is_open(now) else Refusal.COUPON_EXPIRED


def used(ticket: Ticket, coupon: Coupon, by: str, now: int) -> Ticket:
    """``ticket`` with a stamp of ``by``."""
    once = coupon.uses_per_ticket == 1
    return _replace(
        ticket,
        state="used" if once else ticket.state,
        remind_at=0 if once else ticket.remind_at,
        uses=ticket.uses + 1,
        used_at=now,
        used_by=by,
        wrong=0,
        locked_until=0,
    )


def mistaken(ticket: Ticket, now: int) -> Ticket:
    """``ticket`` after a wrong PIN: each fifth one locks it, each time for twice as long."""
    wrong = ticket.wrong + 1
    if wrong % _TRIES:
        return _replace(ticket, wrong=wrong)
    seconds = min(_LOCKED_SECONDS << min(wrong // _TRIES - 1, 20), _LONGEST_LOCK)
    return _replace(ticket, wrong=wrong, locked_until=now + seconds * SECOND)


def unstamped(ticket: Ticket) -> Ticket | None:
    """``ticket`` without its last stamp; ``None`` where it has none."""
    if not ticket.uses or ticket.state not in ("issued", "used"):
        return None
    left = ticket.uses - 1
    used_at, used_by = (ticket.used_at, ticket.used_by) if left else (0, "")
    return _replace(ticket, state="issued", uses=left, used_at=used_at, used_by=used_by)


def voided(ticket: Ticket) -> Ticket | None:
    """``ticket``, taken back; ``None`` where there is nothing to take back."""
    if "void" not in TRANSITIONS[ticket.state]:
        return None
    return _replace(ticket, state="void", remind_at=0)


def expired(ticket: Ticket) -> Ticket:
    """``ticket`` after its end."""
    return _replace(ticket, state="expired", remind_at=0)
