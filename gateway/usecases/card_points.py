"""Shop cards: what every way of giving points has in common."""

from collections.abc import Iterator

import msgspec

from gateway.domain.cards import (
    SAME,
    Action,
    Card,
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

MOST_TICKETS = 64
"""So many coupons one scan hands out; what is owed beyond comes with the next one."""

_LOOKED_AT = 200
"""So many rewards that are owed a scan looks at."""

MOST_AT_ONCE = 10
"""Points that a code gives, or a person, at the most."""


class Prize(msgspec.Struct, frozen=True):
    """A reward as the friend is told of it."""

    at: int
    text: str
    url: str = ""
    """The page of the coupon, where there is one."""
    is_owed: bool = False
    """Whether the coupon could not be handed out now: it comes with later points."""


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
    tx: Transaction,
    channel: Channel,
    root: ShopCard,
    friend: Friend,
    grant: Grant,
    draw: Draw,
    *,
    is_shown: bool = True,
) -> tuple[Scanned, list[Fact]] | Refusal:
    """Give points to a friend whom this transaction holds; ``draw`` has :data:`IDS_A_SCAN` ids.

    Where nothing of it is shown to anybody, coupons that are earned stay owed: they come with the
    next points that are.
    """
    held = tx.cards.held(EVERYBODY, root.id, friend.id)
    given = decide(_designs(tx, root), root, friend.id, held, grant, draw.id)
    if isinstance(given, Refusal):
        return given
    for card in given.cards:
        tx.cards.save(EVERYBODY, card)
    for entry in given.entries:
        tx.cards.append(EVERYBODY, entry)
    facts = list(_facts(root, given))
    prizes = _earned(tx, given, grant.at)
    if is_shown:
        handed, more = _handed_out(tx, channel, root, friend, given, draw, grant.at)
        prizes += handed
        facts += more
    scanned = Scanned(
        points=sum(entry.points for entry in given.entries),
        stand=shown(tx, root, given.card),
        filled="filled" in given.actions,
        prizes=tuple(prizes),
    )
    return scanned, facts


def _earned(tx: Transaction, given: Given, now: int) -> list[Prize]:
    """Keep what was earned, each reward once a card; those that are words alone."""
    return [
        Prize(earned.at, earned.text)
        for earned in given.earned
        if tx.cards.rewards.earn(EVERYBODY, earned, now) and not earned.coupon
    ]


def _handed_out(
    tx: Transaction,
    channel: Channel,
    root: ShopCard,
    friend: Friend,
    given: Given,
    draw: Draw,
    now: int,
) -> tuple[list[Prize], list[Fact]]:
    """Hand out the coupons that are owed, of this time and of earlier ones."""
    prizes, facts, tickets = list[Prize](), list[Fact](), 0
    new = {(earned.card.id, earned.at) for earned in given.earned}
    for owed in reversed(tx.cards.rewards.owed(EVERYBODY, root.id, friend.id, _LOOKED_AT)):
        coupon = tx.entities.find(EVERYBODY, Coupon, owed.coupon)
        text = owed.text or (coupon.title if coupon else "")
        ticket, more = None, list[Fact]()
        if tickets < MOST_TICKETS:
            ticket, more = coupons.reward(tx, channel, friend, owed, draw, now)
        if ticket is not None:
            tickets += 1
            tx.cards.rewards.settle(EVERYBODY, owed, ticket.id)
            prizes.append(Prize(owed.at, text, coupons.url_of(tx, ticket)))
            facts += more
        elif (owed.card, owed.at) in new:  # it is said once, not at every scan
            prizes.append(Prize(owed.at, text, is_owed=True))
    return prizes, facts


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
