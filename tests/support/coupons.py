"""Coupons, friends who ask for them, and tickets for tests."""

from itertools import count
from typing import Any

import msgspec

from gateway.domain.coupons.coupon import Coupon
from gateway.domain.coupons.tickets import Ticket
from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, SECOND, Seed
from gateway.ports import Fact, Transaction
from gateway.usecases.coupons import offer
from tests.support.line import NOON, SHOP

DAY = 86_400 * SECOND
PIN = "4649"

SALON: Channel = msgspec.structs.replace(SHOP, staff_secret=PIN)
"""A shop with a PIN."""


def coupon(**changed: Any) -> Coupon:
    """A coupon of :data:`SALON`, good for thirty days from a day before :data:`NOON` on."""
    given: dict[str, Any] = {
        "id": "autumn",
        "advertiser": "acme",
        "title": "秋の10%OFF",
        "starts": NOON - DAY,
        "ends": NOON + 30 * DAY,
    }
    return Coupon(**(given | changed))


_ids = count(1)


class Asking(msgspec.Struct, frozen=True):
    """A friend who asks for a coupon."""

    coupon: str
    seed: Seed
    user: str = "U" + "1" * 32
    channel: str = SALON.id
    at: int = NOON
    more: dict[str, Any] = {}
    """Further fields of the friend."""


def asking(coupon_id: str = "autumn", user: str | int = 1, **more: Any) -> Asking:
    """The wish of a friend, named by a text or a number."""
    named = user if isinstance(user, str) else f"U{user:032}"
    ordinal = next(_ids)
    seed = Seed(ordinal * 1_000, 8, ordinal.to_bytes(16))
    return Asking(coupon_id, seed, named, **more)


def ask(tx: Transaction, wish: Asking) -> tuple[list[dict[str, Any]], list[Fact]]:
    """Make the friend if need be, and offer them the coupon; the use-case of a test."""
    channel = tx.entities.find(EVERYBODY, Channel, wish.channel)
    assert channel is not None
    draw = wish.seed.draw()
    friend = tx.line.friend(EVERYBODY, channel.id, wish.user)
    if friend is None:
        friend = Friend(
            channel=channel.id,
            user=wish.user,
            id=draw.id(),
            advertiser=channel.advertiser,
            first_at=wish.at,
            followed_at=wish.at,
            **wish.more,
        )
        tx.line.save(EVERYBODY, friend)
    return offer(tx, channel, friend, wish.coupon, draw, wish.at)


def token_in(messages: list[dict[str, Any]]) -> str:
    """The token in a message's button."""
    (message,) = messages
    uri: str = message["template"]["actions"][0]["uri"]
    return uri.rpartition("/")[2]


def ticket(**changed: Any) -> Ticket:
    """A ticket that was handed out at :data:`NOON`."""
    given: dict[str, Any] = {
        "id": 1,
        "coupon": "autumn",
        "advertiser": "acme",
        "campaign": "",
        "channel": SALON.id,
        "friend": 7,
        "token": "0123456789ABCDEFGHJKMNPQ",
        "state": "issued",
        "issued_at": NOON,
        "expires_at": NOON + 30 * DAY,
    }
    return Ticket(**(given | changed))
