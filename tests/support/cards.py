"""Shop cards, friends who scan codes, and codes for tests."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec

from gateway.domain.cards import Code, Reward, ShopCard
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, SECOND, Draw, Seed
from gateway.ports import Fact, Transaction
from gateway.usecases.card_points import IDS_A_SCAN
from gateway.usecases.cards import Scanning, befriended, offer
from tests.support.line import SHOP

NOON = 1_793_674_800 * SECOND
"""2026-11-03T12:00:00+09:00."""

HOUR = 3_600 * SECOND
DAY = 24 * HOUR
PIN = "4649"
LOGIN = "2000000000"

CAFE: Channel = msgspec.structs.replace(
    SHOP, login_channel_id=LOGIN, liff_id=f"{LOGIN}-abcdefgh", quiet="21:00-09:00"
)
"""A shop with a LINE Login channel."""

COFFEE = Coupon("coffee", "acme", "コーヒー1杯", NOON - DAY, NOON + 60 * DAY)
"""What a card may be worth."""


def card(id_: str = "acme-card", **changed: Any) -> ShopCard:
    """A card of :data:`CAFE`."""
    given: dict[str, Any] = {"channel": CAFE.id, "title": "Acme カード"}
    return ShopCard(id_, "acme", **(given | changed))


def printed(**changed: Any) -> ShopCard:
    """A card with a printed code, too."""
    given: dict[str, Any] = {"printed": True, "printed_a_day": 3, "pin_secret": PIN}
    return card(**(given | changed))


REWARDING = card(points=3, rewards=(Reward(2, text="おまけ"), Reward(3, "coffee")))
"""A card that is worth words and a coupon."""


def user(number: int) -> str:
    """The userId of one of many."""
    return f"U{number:032x}"


_ordinals = count(1)


def seed(ids: int = IDS_A_SCAN) -> Seed:
    """Ids and luck that no other unit has."""
    ordinal = 10**9 + next(_ordinals)
    return Seed(ordinal * 1_000, ids, ordinal.to_bytes(16))


def code(nonce: str = "", *, at: int = NOON, **changed: Any) -> Code:
    """A code that a screen shows at ``at`` for a minute."""
    fresh = nonce or f"nonce-{next(_ordinals)}"
    given: dict[str, Any] = {"card": "acme-card", "expires_at": at + 60 * SECOND, "nonce": fresh}
    return Code("screen", **(given | changed))


def scanning(of: Code | None = None, who: int = 1, at: int = NOON, pin: str = "") -> Scanning:
    """A code that somebody scans; a fresh one where none is given."""
    return Scanning(of or code(at=at), user(who), pin, at, seed())


class Coming(msgspec.Struct, frozen=True):
    """Somebody who adds the shop as a friend, as its webhook tells."""

    user: str
    at: int
    seed: Seed
    channel: str = CAFE.id


def coming(who: int = 1, at: int = NOON - DAY) -> Coming:
    """One of many who adds the shop."""
    return Coming(user(who), at, seed(16))


def befriend(tx: Transaction, someone: Coming) -> tuple[Friend, Sequence[Fact]]:
    """Make a friend; the use-case of a test."""
    draw = someone.seed.draw()
    channel, friend = _befriend(tx, someone, draw)
    return friend, befriended(tx, channel, friend, draw, someone.at)


def _befriend(tx: Transaction, someone: Coming, draw: Draw) -> tuple[Channel, Friend]:
    channel = tx.entities.find(EVERYBODY, Channel, someone.channel)
    assert channel is not None
    known = tx.line.friend(EVERYBODY, channel.id, someone.user)
    friend = known or Friend(channel.id, someone.user, draw.id(), "acme", someone.at)
    friend = msgspec.structs.replace(friend, followed_at=someone.at, name="花子")
    tx.line.save(EVERYBODY, friend)
    return channel, friend


class Leaving(msgspec.Struct, frozen=True):
    """Somebody who blocks the shop."""

    user: str
    at: int


def block(tx: Transaction, leaving: Leaving) -> tuple[None, Sequence[Fact]]:
    """Let a friend go; the use-case of a test."""
    friend = tx.line.friend(EVERYBODY, CAFE.id, leaving.user)
    assert friend is not None
    tx.line.save(EVERYBODY, msgspec.structs.replace(friend, unfollowed_at=leaving.at))
    return None, ()


class Showing(msgspec.Struct, frozen=True):
    """A friend who is to be sent their card."""

    user: str
    card: str
    seed: Seed


def show(tx: Transaction, showing: Showing) -> tuple[list[dict[str, Any]], Sequence[Fact]]:
    """What takes the place of the card in a message; the use-case of a test."""
    channel = tx.entities.find(EVERYBODY, Channel, CAFE.id)
    assert channel is not None
    friend = tx.line.friend(EVERYBODY, CAFE.id, showing.user)
    assert friend is not None
    return offer(tx, channel, friend, showing.card, showing.seed.draw(), NOON)
