"""Shop cards: points that people give by hand, and take back."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.domain.access import Access
from gateway.domain.cards import Grant, ShopCard, undo
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, Counted, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.usecases.card_points import Scanned, give, shop, shown


class ByHand(msgspec.Struct, frozen=True):
    """Points that a person gives to a friend."""

    scope: Scope
    card: str
    friend: int
    points: int
    reason: str
    by: Access
    at: int
    seed: Seed
    """With :data:`IDS_A_SCAN` ids."""


def give_by_hand(tx: Transaction, asked: ByHand) -> tuple[Scanned, Sequence[Fact]]:
    """Give points without a visit; no limit holds, and the audit says who did it.

    Raises:
        Refused: there is no such card or friend, or the card is full and none is handed on.
    """
    root, channel = shop(tx, asked.scope, asked.card)
    friend = _friend(tx, asked.scope, root, asked.friend)
    grant = Grant(asked.points, "manual", asked.by.actor, asked.at)
    result = give(tx, channel, root, friend, grant, asked.seed.draw())
    if isinstance(result, Refusal):
        raise Refused(result)
    _audit(tx, root, asked, "card.points_given", {"points": asked.points, "reason": asked.reason})
    return result


class Undoing(msgspec.Struct, frozen=True):
    """A line of the ledger that a person takes back."""

    scope: Scope
    card: str
    friend: int
    entry: int
    by: Access
    at: int
    seed: Seed
    """With one id."""


def take_back(tx: Transaction, asked: Undoing) -> tuple[Scanned, Sequence[Fact]]:
    """Take a line of a friend's current card back, once; the audit says who did it.

    Raises:
        Refused: there is no such line on it, it was taken back before, or the card has expired or
            was handed on.
    """
    root, _ = shop(tx, asked.scope, asked.card)
    friend = _friend(tx, asked.scope, root, asked.friend)
    held = tx.cards.held(EVERYBODY, root.id, friend.id)
    if not held:
        raise Refused(Refusal.NOT_FOUND)
    for earlier in held[:-1]:
        if any(entry.id == asked.entry for entry in tx.cards.ledger(EVERYBODY, earlier.id)):
            raise Refused(Refusal.CARD_FULL, "another card was begun since")
    ledger = tx.cards.ledger(EVERYBODY, held[-1].id)
    undone = undo(held[-1], ledger, asked.entry, asked.at, asked.by.actor, asked.seed.draw().id())
    if isinstance(undone, Refusal):
        raise Refused(undone)
    tx.cards.save(EVERYBODY, undone.card)
    tx.cards.append(EVERYBODY, undone.entry)
    taken = -undone.entry.points
    _audit(tx, root, asked, "card.points_undone", {"points": taken, "entry": str(asked.entry)})
    facts = [Counted(root.advertiser, "card_points_total", ("undo",), taken)]
    return Scanned(points=-taken, stand=shown(tx, root, undone.card)), facts


def _friend(tx: Transaction, scope: Scope, root: ShopCard, id_: int) -> Friend:
    friend = tx.line.friend_by_id(scope, id_)
    if friend is None or friend.channel != root.channel or friend.is_group:
        raise Refused(Refusal.NOT_FOUND)
    return friend


def _audit(
    tx: Transaction,
    root: ShopCard,
    asked: ByHand | Undoing,
    action: str,
    detail: dict[str, Any],
) -> None:
    told = {"friend": str(asked.friend), **detail}
    actor = asked.by.actor
    tx.access.audit(EVERYBODY, asked.at, actor, root.advertiser, action, root.id, told)
