"""The cards that a friend holds, and how points come on them and go again.

A card's points are the sum of its ledger: every change of them is an entry, and no entry is ever
changed. Whatever is decided here is decided by the friend's own cards alone, so that it is enough
to hold the friend while it is written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from gateway.domain.cards.design import SAME, ShopCard, day_of, end_of_day
from gateway.domain.effects import NEVER
from gateway.errors import Refusal

State = Literal["active", "full", "expired"]
How = Literal["qr", "printed", "bonus", "manual", "undo"]
Action = Literal["started", "filled", "expired", "handed_on"]
"""What happens to cards; a metric label. The first card is started, those after a full one are
handed on."""

_replace = msgspec.structs.replace


class Card(msgspec.Struct, frozen=True):
    """A card that a friend holds or held; the fields are the columns of the store, in order."""

    id: int
    root: str
    """The card that the shop's codes are of: the one that others are handed on after."""
    card: str
    """What kind it is: the root, or one that was handed on."""
    advertiser: str
    channel: str
    friend: int
    number: int
    """The friend's first card of the root is 1."""
    state: State
    points: int
    started_at: int
    last_at: int
    """When points came on it last."""
    visited_at: int
    """The friend's latest visit, on whichever card; 0 where there was none, or it was undone."""
    full_at: int
    """0 where it is not full."""
    expires_at: int
    noticed_at: int
    """The expiry that its holder was told of; 0 for none."""


class Entry(msgspec.Struct, frozen=True):
    """One line of the ledger; the fields are the columns of the store, in order."""

    id: int
    advertiser: str
    card_id: int
    points: int
    at: int
    how: How
    ref: str
    """What it rests on: the code's nonce, who gave it by hand, the entry that is undone."""


class Grant(msgspec.Struct, frozen=True):
    """Points that a friend is to get."""

    points: int
    how: Literal["qr", "printed", "manual"]
    ref: str
    at: int


class Earned(msgspec.Struct, frozen=True):
    """A reward of a card that a friend has come to."""

    card: Card
    at: int
    coupon: str
    text: str


class Owed(msgspec.Struct, frozen=True):
    """A reward that was earned and whose coupon its friend has not got yet."""

    card: int
    at: int
    coupon: str
    """As it was when it was earned, whatever the card says by now; and so are the words."""
    text: str


class Given(msgspec.Struct, frozen=True):
    """What a grant came to."""

    card: Card
    """The one that the friend holds now."""
    cards: tuple[Card, ...]
    """Those that are new or changed, as they are now."""
    entries: tuple[Entry, ...]
    earned: tuple[Earned, ...]
    """Whoever keeps them sees to it that none is earned twice on one card."""
    actions: tuple[Action, ...]


class Undone(msgspec.Struct, frozen=True):
    """A card after an entry was taken back, and the entry that says so."""

    card: Card
    entry: Entry


def give(
    designs: Mapping[str, ShopCard],
    root: ShopCard,
    friend: int,
    held: Sequence[Card],
    grant: Grant,
    new_id: Callable[[], int],
) -> Given | Refusal:
    """What ``grant`` comes to for a friend who has ``held`` these cards of ``root``, in order.

    ``designs`` are the kinds that may be handed on, by id. Points beyond a full card go on the one
    that is handed on after it. A limit speaks of visits: it holds for codes, not for what is given
    by hand.
    """
    last = held[-1] if held else None
    visited_at = max((card.visited_at for card in held), default=0)
    if grant.how != "manual":
        design = designs.get(last.card, root) if last else root
        if design.is_too_soon(visited_at, grant.at, printed=grant.how == "printed"):
            return Refusal.TOO_SOON
        visited_at = grant.at
    known = {card.card for card in held}
    book = _Book(designs, root, friend, known, visited_at, new_id)
    card = book.fill(book.open(last, grant.at), grant)
    if not any(entry.how == grant.how for entry in book.entries):
        return Refusal.CARD_FULL
    return Given(
        card,
        tuple(book.changed.values()),
        tuple(book.entries),
        tuple(book.earned),
        tuple(book.actions),
    )


class _Book:
    """A friend's cards of one root while points come on them, and what is written of it."""

    def __init__(
        self,
        designs: Mapping[str, ShopCard],
        root: ShopCard,
        friend: int,
        known: set[str],
        visited_at: int,
        new_id: Callable[[], int],
    ) -> None:
        """``known`` are the kinds of card that the friend had before."""
        self._designs = designs
        self._root = root
        self._friend = friend
        self._known = known
        self._visited_at = visited_at
        self._new_id = new_id
        self.changed: dict[int, Card] = {}
        self.entries: list[Entry] = []
        self.earned: list[Earned] = []
        self.actions: list[Action] = []

    def open(self, card: Card | None, at: int) -> Card:
        """The friend's card where there is one that has not expired, else a new one."""
        if card is not None and (expired := overdue(card, at)):
            card = self._keep(expired)
            self.actions.append("expired")
        if card is None or card.state == "expired":
            self.actions.append("started")
            return self._start(self._root, card, at)
        return card

    def fill(self, card: Card, grant: Grant) -> Card:
        """Put points on the card and on those after it; returns the last of them."""
        left = grant.points
        card = self._handed_on(card, grant.at)
        while left and (room := self._room(card)) > 0:
            points = min(left, room)
            left -= points
            card = self._add(card, points, grant.how, grant.ref, grant.at)
            card = self._handed_on(card, grant.at)
        return card

    def _handed_on(self, card: Card, at: int) -> Card:
        """The card after a full one; the card itself while it has room, or nothing comes after."""
        while self._room(card) <= 0:
            if card.state != "full":
                card = self._keep(_replace(card, state="full", full_at=at))
                self.actions.append("filled")
            design = self._design(card)
            after = self._designs.get(design.id if design.next == SAME else design.next)
            if after is None:
                return card
            card = self._start(after, card, at)
            self.actions.append("handed_on")
        return card

    def _start(self, design: ShopCard, before: Card | None, at: int) -> Card:
        card = Card(
            id=self._new_id(),
            root=self._root.id,
            card=design.id,
            advertiser=self._root.advertiser,
            channel=self._root.channel,
            friend=self._friend,
            number=before.number + 1 if before else 1,
            state="active",
            points=0,
            started_at=at,
            last_at=at,
            visited_at=self._visited_at,
            full_at=0,
            expires_at=_expiry(design, at),
            noticed_at=0,
        )
        self._keep(card)
        if design.bonus and design.id not in self._known:
            card = self._add(card, design.bonus, "bonus", "", at)
        self._known.add(design.id)
        return card

    def _add(self, card: Card, points: int, how: How, ref: str, at: int) -> Card:
        design = self._design(card)
        self.entries.append(Entry(self._new_id(), card.advertiser, card.id, points, at, how, ref))
        before, after = card.points, card.points + points
        card = _replace(
            card,
            points=after,
            last_at=max(card.last_at, at),
            visited_at=self._visited_at,
            expires_at=_expiry(design, at) if design.expires == "last" else card.expires_at,
        )
        self.earned += [
            Earned(card, reward.at, reward.coupon, reward.text)
            for reward in design.rewards
            if before < reward.at <= after
        ]
        return self._keep(card)

    def _room(self, card: Card) -> int:
        return self._design(card).points - card.points

    def _design(self, card: Card) -> ShopCard:
        """How the card is now; one whose kind is not provisioned any more goes by its root."""
        return self._designs.get(card.card, self._root)

    def _keep(self, card: Card) -> Card:
        self.changed[card.id] = card
        return card


def undo(
    card: Card, ledger: Iterable[Entry], entry_id: int, at: int, by: str, new_id: int
) -> Undone | Refusal:
    """Take back one entry of the card that a friend holds now, given its ledger.

    Rewards that were earned stay. Where a visit is taken back, its limit goes with it.
    """
    if card.state == "expired" or card.expires_at <= at:
        return Refusal.CARD_EXPIRED
    entries = list(ledger)
    entry = next((each for each in entries if each.id == entry_id), None)
    if entry is None or entry.how in ("bonus", "undo"):
        return Refusal.NOT_FOUND
    if any(each.how == "undo" and each.ref.startswith(f"{entry_id} ") for each in entries):
        return Refusal.ALREADY_UNDONE
    ref = f"{entry_id} {by}"
    taken = Entry(new_id, card.advertiser, card.id, -entry.points, at, "undo", ref)
    visited_at = 0 if entry.how != "manual" and entry.at == card.visited_at else card.visited_at
    changed = _replace(
        card, points=card.points - entry.points, state="active", full_at=0, visited_at=visited_at
    )
    return Undone(changed, taken)


def overdue(card: Card, at: int) -> Card | None:
    """The card as it is once it has expired; ``None`` where it has not, or is full."""
    if card.state != "active" or card.expires_at > at:
        return None
    return _replace(card, state="expired")


def _expiry(design: ShopCard, at: int) -> int:
    if design.expires == "never":
        return NEVER
    return end_of_day(day_of(at) + design.expires_days)
