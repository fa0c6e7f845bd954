"""Shop cards: what a visit gives, and the codes that prove one.

``design`` is a card as a shop provisions it, ``book`` what a friend holds and how points come on
it, ``codes`` the signed tokens behind the QR codes.
"""

from gateway.domain.cards.book import (
    Action,
    Card,
    Earned,
    Entry,
    Given,
    Grant,
    How,
    Owed,
    State,
    Undone,
    give,
    overdue,
    undo,
)
from gateway.domain.cards.codes import REFUSALS, Code, read, signed
from gateway.domain.cards.design import SAME, Reward, ShopCard, day_of, end_of_day

__all__ = [
    "REFUSALS",
    "SAME",
    "Action",
    "Card",
    "Code",
    "Earned",
    "Entry",
    "Given",
    "Grant",
    "How",
    "Owed",
    "Reward",
    "ShopCard",
    "State",
    "Undone",
    "day_of",
    "end_of_day",
    "give",
    "overdue",
    "read",
    "signed",
    "undo",
]
