"""Shop cards in the store, the codes that were scanned, and the keys that codes are signed with."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

from gateway.domain.cards import Card, Earned, Entry, Owed, ShopCard
from gateway.domain.values import Scope


class Cards(Protocol):
    """Friends' cards, and the ledger that their points are the sum of."""

    def held(self, scope: Scope, root: str, friend: int) -> Sequence[Card]:
        """All cards that a friend has or had of ``root``, in order.

        Whoever changes them has to hold the friend (:meth:`gateway.ports.line.Line.friend`).
        """

    def save(self, scope: Scope, card: Card) -> None:
        """Keep a card, new or changed."""

    def append(self, scope: Scope, entry: Entry) -> None:
        """Keep a line of the ledger."""

    def ledger(self, scope: Scope, card: int) -> Sequence[Entry]:
        """The lines of a card, in order."""

    @property
    def rewards(self) -> "CardRewards":
        """What was earned on them."""

    def due(self, scope: Scope, before: int, limit: int, kind: str = "") -> Sequence[Card]:
        """Active cards that expire before an instant, at most ``limit``, the first to go first.

        With ``kind``: those of that kind with points whose holder was not told of this expiry.
        """


class CardRewards(Protocol):
    """Rewards that were earned, and the tickets that were made for them.

    Whoever asks or changes has to hold the friend, as of the cards.
    """

    def earn(self, scope: Scope, earned: Earned, at: int) -> bool:
        """Keep that a reward was earned at an instant; whether it had not been on that card. Its
        coupon, where it has one, is owed from then on.
        """

    def owed(self, scope: Scope, root: str, friend: int, limit: int) -> Sequence[Owed]:
        """What a friend is owed for cards of ``root``, the latest first, at most ``limit``."""

    def settle(self, scope: Scope, owed: Owed, ticket: int) -> None:
        """Keep which ticket was made for what was owed."""


class Scan(msgspec.Struct, frozen=True):
    """A code that somebody scanned; the fields are the columns of the store, in their order."""

    nonce: str
    advertiser: str
    channel: str
    user: str
    card: str
    how: Literal["qr", "printed"]
    points: int
    at: int
    state: Literal["given", "pending", "lapsed"]
    """``pending``: its points wait for the friendship."""
    first_id: int
    """The block of ids that was set aside for what is given later."""


class Tries(msgspec.Struct, frozen=True):
    """What came of a printed code on one day."""

    printed: int = 0
    """Points that it gave."""
    wrong: int = 0
    """Wrong PINs."""


class CardCodes(Protocol):
    """Codes that were scanned."""

    def scan(self, scope: Scope, nonce: str) -> Scan | None:
        """Who spent a code."""

    def spend(self, scope: Scope, scan: Scan) -> None:
        """Keep a scan; its code is spent from then on."""

    def pending(self, scope: Scope, channel: str, user: str) -> Sequence[Scan]:
        """Scans of somebody whose points wait for the friendship, in order."""

    def settle(self, scope: Scope, nonce: str, state: Literal["given", "lapsed"]) -> None:
        """Say what came of a scan that was pending."""

    def count(
        self, scope: Scope, of: tuple[str, str, str, int], *, printed: int = 0, wrong: int = 0
    ) -> Tries:
        """Add to the counts of a printed code, or of another PIN, and tell them.

        ``of`` is advertiser, card, user (empty: all together) and day. Held until the end of the
        transaction.
        """

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """Delete scans and counts of before an instant, at most ``limit``; returns how many."""


class Signing(Protocol):
    """Keys that all processes of a store share, and nobody else ever sees."""

    def key(self, scope: Scope, name: str, fresh: bytes) -> bytes:
        """The key called ``name``; ``fresh``, from now on, where there was none."""


class Holding(msgspec.Struct, frozen=True):
    """A card and who holds it, as people read it."""

    card: Card
    name: str
    """What the friend is called; empty where the platform did not tell."""


class CardFigures(msgspec.Struct, frozen=True):
    """What came of one card so far."""

    holders: int
    """Friends who have, or had, one."""
    active: int
    """Cards that are being filled."""
    full: int
    expired: int
    points: int
    """Points given, less those that were undone."""
    owed: int
    """Rewards whose coupon is not handed out yet."""


class CardRecord(msgspec.Struct, frozen=True):
    """A card as it is provisioned, with its figures."""

    card: ShopCard
    figures: CardFigures


class CardReading(Protocol):
    """Cards, read beside the writer; ``connection`` is what :class:`gateway.ports.reading.Reads`
    hands in.
    """

    def cards(
        self, connection: Any, scope: Scope, *, after: str, limit: int
    ) -> Sequence[CardRecord]:
        """Cards by id, after one."""

    def card(self, connection: Any, scope: Scope, id_: str) -> CardRecord | None:
        """One of them."""

    def holders(
        self, connection: Any, scope: Scope, root: str, *, after: int | None, limit: int
    ) -> Sequence[Holding]:
        """Each friend's latest card of ``root``, by the friend's id, after one."""

    def of_friend(
        self, connection: Any, scope: Scope, friend: int, *, before: int | None, limit: int
    ) -> Sequence[Card]:
        """The cards that a friend has or had, newest first, before one."""

    def has_friend(self, connection: Any, scope: Scope, friend: int) -> bool:
        """Whether there is such a friend."""

    def history(
        self,
        connection: Any,
        scope: Scope,
        root: str,
        friend: int,
        *,
        after: int | None,
        limit: int,
    ) -> Sequence[Entry]:
        """The ledger of a friend's cards of ``root``, oldest first, after an entry."""
