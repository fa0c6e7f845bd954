"""Shop cards: what every way of giving points has in common."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from gateway.domain.cards import (
    SAME,
    Action,
    Card,
    Earned,
    Given,
    Grant,
    ShopCard,
)
from gateway.domain.cards import give as decide
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, Counted, Draw, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.usecases import coupons

IDS_A_SCAN = 128
"""So many ids may be needed where points are given: cards, lines of the ledger, coupons."""

MOST_AT_ONCE = 10
"""Points that a code gives, or a person, at the most."""


class Prize(msgspec.Struct, frozen=True):
    """A reward as the friend is told of it."""

    at: int
    text: str
    url: str
    """The page of the coupon, where there is one."""


class Stand(msgspec.Struct, frozen=True):
    """A friend's card as it stands."""

    title: str
    size: int
    card: Card


class Scanned(msgspec.Struct, frozen=True):
    """What came of a scan."""

    refusal: Refusal | None = None
    """Why nothing was given, if so."""
    pending: bool = False
    """Whether the points wait until the scanner is a friend."""
    points: int = 0
    """Given now, the bonus included."""
    stand: Stand | None = None
    filled: bool = False
    """Whether a card was filled by it."""
    prizes: tuple[Prize, ...] = ()


def give(
    tx: Transaction, channel: Channel, root: ShopCard, friend: Friend, grant: Grant, draw: Draw
) -> tuple[Scanned, list[Fact]] | Refusal:
    """Give points to a friend whom this transaction holds; ``draw`` has :data:`IDS_A_SCAN` ids."""
    held = tx.cards.held(EVERYBODY, root.id, friend.id)
    given = decide(_designs(tx, root), root, friend.id, held, grant, draw.id)
    if isinstance(given, Refusal):
        return given
    for card in given.cards:
        tx.cards.save(EVERYBODY, card)
    for entry in given.entries:
        tx.cards.append(EVERYBODY, entry)
    facts = list(_facts(root, given))
    prizes = []
    for earned in given.earned:
        if tx.cards.earn(EVERYBODY, earned, grant.at):
            prize, more = _prize(tx, channel, friend, earned, draw, grant.at)
            prizes.append(prize)
            facts += more
    scanned = Scanned(
        points=sum(entry.points for entry in given.entries),
        stand=shown(tx, root, given.card),
        filled="filled" in given.actions,
        prizes=tuple(prizes),
    )
    return scanned, facts


def _prize(
    tx: Transaction, channel: Channel, friend: Friend, earned: Earned, draw: Draw, now: int
) -> tuple[Prize, list[Fact]]:
    text, url = earned.text, ""
    facts: list[Fact] = []
    if earned.coupon:
        messages, facts = coupons.offer(tx, channel, friend, earned.coupon, draw, now)
        url = next(_addresses(messages), "")
        coupon = tx.entities.find(EVERYBODY, Coupon, earned.coupon)
        text = text or (coupon.title if coupon else "")
    return Prize(earned.at, text, url), facts


def _addresses(part: Any) -> Iterator[str]:
    """What the buttons of messages open."""
    if isinstance(part, Mapping):
        if isinstance(part.get("uri"), str):
            yield part["uri"]
        part = list(part.values())
    if isinstance(part, Sequence) and not isinstance(part, str):
        for each in part:
            yield from _addresses(each)


def _facts(root: ShopCard, given: Given) -> Iterator[Fact]:
    for entry in given.entries:
        yield Counted(root.advertiser, "card_points_total", (entry.how,), entry.points)
    for action in given.actions:
        yield happened(root.advertiser, action)


def happened(advertiser: str, action: Action) -> Counted:
    """A fact of the metric ``cards_total``."""
    return Counted(advertiser, "cards_total", (action,))


def _designs(tx: Transaction, root: ShopCard) -> dict[str, ShopCard]:
    """The root, and all that may be handed on after it."""
    designs = {root.id: root}
    design: ShopCard | None = root
    while design is not None and design.next != SAME and design.next not in designs:
        design = tx.entities.find(EVERYBODY, ShopCard, design.next)
        if design is not None:
            designs[design.id] = design
    return designs


def shop(tx: Transaction, scope: Scope, card: str) -> tuple[ShopCard, Channel]:
    """A card and its channel.

    Raises:
        Refused: there is none in ``scope``.
    """
    root = tx.entities.find(scope, ShopCard, card)
    channel = tx.entities.find(scope, Channel, root.channel) if root else None
    if root is None or channel is None:
        raise Refused(Refusal.NOT_FOUND)
    return root, channel


def stand_of(tx: Transaction, root: ShopCard, friend: Friend) -> Stand | None:
    """The card of ``root`` that a friend holds, or held last."""
    held = tx.cards.held(EVERYBODY, root.id, friend.id)
    return shown(tx, root, held[-1]) if held else None


def shown(tx: Transaction, root: ShopCard, card: Card) -> Stand:
    """``card`` as its friend sees it."""
    design = tx.entities.find(EVERYBODY, ShopCard, card.card) or root
    return Stand(design.title, design.points, card)
