"""Shop cards in the store: friends' cards and their ledger, scanned codes, signing keys."""

from typing import Any, Literal

import msgspec
from sqlalchemy import and_, bindparam, delete, literal_column, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, prepare, prepare_bulk
from adapters.storage.schema.cards import (
    card_points,
    card_rewards,
    card_scans,
    card_tries,
    cards,
    signing_keys,
)
from gateway.domain.cards import Card, Earned, Entry, Owed, day_of
from gateway.domain.values import Scope
from gateway.ports.cards import Scan, Tries

_astuple = msgspec.structs.astuple
_CHANGING = ("state", "points", "last_at", "visited_at", "full_at", "expires_at", "noticed_at")

# As the partial indexes have them: with a parameter in its place an index would not be used.
_ACTIVE = cards.c.state == literal_column("'active'")
OWED = and_(
    card_rewards.c.ticket == literal_column("0"), card_rewards.c.coupon != literal_column("''")
)
_PENDING = card_scans.c.state == literal_column("'pending'")

_tries_key = (card_tries.c.card, card_tries.c.user, card_tries.c.day)


class CardStatements:
    """The statements of friends' cards, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.held = prepare(
            dialect,
            select(cards)
            .where(cards.c.root == bindparam("of_root"), cards.c.friend == bindparam("whose"))
            .order_by(cards.c.number)
            .with_for_update(),
        )
        self.save = prepare_bulk(dialect, cards, update=_CHANGING)
        self.append = prepare_bulk(dialect, card_points)
        self.ledger = prepare(
            dialect,
            select(card_points)
            .where(card_points.c.card_id == bindparam("of_card"))
            .order_by(card_points.c.id),
        )
        self.earned = prepare(
            dialect,
            select(card_rewards.c.at_points).where(
                card_rewards.c.card_id == bindparam("of_card"),
                card_rewards.c.at_points == bindparam("at_point"),
            ),
        )
        self.earn = prepare_bulk(dialect, card_rewards)
        rewards = card_rewards.c
        self.owed = prepare(
            dialect,
            select(
                rewards.card_id, rewards.at_points, rewards.coupon, rewards.text, rewards.advertiser
            )
            .join(cards, cards.c.id == rewards.card_id)
            .where(OWED, cards.c.root == bindparam("of_root"), cards.c.friend == bindparam("whose"))
            .order_by(rewards.earned_at.desc(), rewards.card_id.desc(), rewards.at_points.desc())
            .limit(bindparam("most")),
        )
        self.settle = prepare(
            dialect,
            update(card_rewards)
            .where(rewards.card_id == bindparam("of_card"), rewards.at_points == bindparam("point"))
            .values(ticket=bindparam("made")),
        )
        expiring = (
            select(cards)
            .where(_ACTIVE, cards.c.expires_at < bindparam("before"))
            .order_by(cards.c.expires_at)
            .limit(bindparam("most"))
        )
        self.due = prepare(dialect, expiring)
        self.unnoticed = prepare(
            dialect,
            expiring.where(
                cards.c.card == bindparam("kind"),
                cards.c.points > 0,
                cards.c.noticed_at != cards.c.expires_at,
            ),
        )


class CardsInTransaction:
    """See :class:`gateway.ports.cards.Cards`, and ``CardRewards`` beside it. Every write is made at
    once.
    """

    def __init__(self, connection: Connection, statements: CardStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def held(self, scope: Scope, root: str, friend: int) -> list[Card]:
        rows = self._connection.rows(self._sql.held, of_root=root, whose=friend)
        return [Card(*row) for row in rows if scope.covers(row[3])]

    def save(self, scope: Scope, card: Card) -> None:
        self.writes += 1
        self._connection.write([(self._sql.save, [_astuple(card)])])

    def append(self, scope: Scope, entry: Entry) -> None:
        self.writes += 1
        self._connection.write([(self._sql.append, [_astuple(entry)])])

    def ledger(self, scope: Scope, card: int) -> list[Entry]:
        rows = self._connection.rows(self._sql.ledger, of_card=card)
        return [Entry(*row) for row in rows if scope.covers(row[1])]

    @property
    def rewards(self) -> "CardsInTransaction":
        return self

    def earn(self, scope: Scope, earned: Earned, at: int) -> bool:
        card = earned.card
        if self._connection.rows(self._sql.earned, of_card=card.id, at_point=earned.at):
            return False
        self.writes += 1
        row = (card.id, earned.at, card.advertiser, at, earned.coupon, earned.text, 0)
        self._connection.write([(self._sql.earn, [row])])
        return True

    def owed(self, scope: Scope, root: str, friend: int, limit: int) -> list[Owed]:
        rows = self._connection.rows(self._sql.owed, of_root=root, whose=friend, most=limit)
        return [Owed(*row[:-1]) for row in rows if scope.covers(row[-1])]

    def settle(self, scope: Scope, owed: Owed, ticket: int) -> None:
        self.writes += 1
        self._connection.run(self._sql.settle, of_card=owed.card, point=owed.at, made=ticket)

    def due(self, scope: Scope, before: int, limit: int, kind: str = "") -> list[Card]:
        if kind:
            rows = self._connection.rows(self._sql.unnoticed, before=before, most=limit, kind=kind)
        else:
            rows = self._connection.rows(self._sql.due, before=before, most=limit)
        return [Card(*row) for row in rows if scope.covers(row[3])]

    def flush(self) -> None:
        """Nothing waits."""


class CardCodeStatements:
    """The statements of scanned codes, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.scan = prepare(
            dialect, select(card_scans).where(card_scans.c.nonce == bindparam("spent"))
        )
        self.spend = prepare_bulk(dialect, card_scans)
        self.pending = prepare(
            dialect,
            select(card_scans)
            .where(
                card_scans.c.channel == bindparam("of_channel"),
                card_scans.c.user == bindparam("whose"),
                _PENDING,
            )
            .order_by(card_scans.c.at, card_scans.c.nonce)
            .with_for_update(),
        )
        self.settle = prepare(
            dialect,
            update(card_scans)
            .where(card_scans.c.nonce == bindparam("spent"))
            .values(state=bindparam("became")),
        )
        self.add = _added(dialect)
        self.tries = prepare(
            dialect,
            select(card_tries.c.printed, card_tries.c.wrong).where(
                card_tries.c.card == bindparam("of_card"),
                card_tries.c.user == bindparam("whose"),
                card_tries.c.day == bindparam("of_day"),
            ),
        )
        old_scans = (
            select(card_scans.c.nonce)
            .where(card_scans.c.at < bindparam("before"))
            .order_by(card_scans.c.at)
            .limit(bindparam("most"))
        )
        self.forget_scans = prepare(
            dialect, delete(card_scans).where(card_scans.c.nonce.in_(old_scans))
        )
        old_tries = (
            select(*_tries_key)
            .where(card_tries.c.day < bindparam("before"))
            .order_by(card_tries.c.day)
            .limit(bindparam("most"))
        )
        self.forget_tries = prepare(
            dialect, delete(card_tries).where(tuple_(*_tries_key).in_(old_tries))
        )


def _added(dialect: Dialect) -> Prepared:
    """An insert that adds to the counts of a row that is there, and locks it either way."""
    insert: Any = sqlite_insert if dialect.name == "sqlite" else postgresql_insert
    given: dict[str, Any] = {c.name: bindparam(f"given_{c.name}") for c in card_tries.c}
    statement = insert(card_tries).values(**given)
    more = {name: card_tries.c[name] + statement.excluded[name] for name in ("printed", "wrong")}
    return prepare(
        dialect,
        statement.on_conflict_do_update(index_elements=["card", "user", "day"], set_=more),
    )


class CardCodesInTransaction:
    """See :class:`gateway.ports.cards.CardCodes`. Every write is made at once."""

    def __init__(self, connection: Connection, statements: CardCodeStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def scan(self, scope: Scope, nonce: str) -> Scan | None:
        rows = self._connection.rows(self._sql.scan, spent=nonce)
        return Scan(*rows[0]) if rows else None

    def spend(self, scope: Scope, scan: Scan) -> None:
        self.writes += 1
        # Where another process spends the same code, this one runs again and finds it spent.
        self._connection.write([(self._sql.spend, [_astuple(scan)])])

    def pending(self, scope: Scope, channel: str, user: str) -> list[Scan]:
        rows = self._connection.rows(self._sql.pending, of_channel=channel, whose=user)
        return [Scan(*row) for row in rows]

    def settle(self, scope: Scope, nonce: str, state: Literal["given", "lapsed"]) -> None:
        self.writes += 1
        self._connection.run(self._sql.settle, spent=nonce, became=state)

    def count(
        self, scope: Scope, of: tuple[str, str, str, int], *, printed: int = 0, wrong: int = 0
    ) -> Tries:
        self.writes += 1
        advertiser, card, user, day = of
        self._connection.run(
            self._sql.add,
            given_advertiser=advertiser,
            given_card=card,
            given_user=user,
            given_day=day,
            given_printed=printed,
            given_wrong=wrong,
        )
        return Tries(
            *self._connection.rows(self._sql.tries, of_card=card, whose=user, of_day=day)[0]
        )

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        self.writes += 1
        scans = self._connection.run(self._sql.forget_scans, before=before, most=limit)
        day = day_of(before)
        return scans + self._connection.run(self._sql.forget_tries, before=day, most=limit)

    def flush(self) -> None:
        """Nothing waits."""


class SigningStatements:
    """The statements of signing keys, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.key = prepare(
            dialect,
            select(signing_keys.c.secret).where(signing_keys.c.name == bindparam("called")),
        )
        self.make = prepare_bulk(dialect, signing_keys)


class SigningInTransaction:
    """See :class:`gateway.ports.cards.Signing`."""

    def __init__(self, connection: Connection, statements: SigningStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def key(self, scope: Scope, name: str, fresh: bytes) -> bytes:
        rows = self._connection.rows(self._sql.key, called=name)
        if rows:
            return bytes(rows[0][0])
        self.writes += 1
        # Where another process makes it at this moment, this one runs again and finds that.
        self._connection.write([(self._sql.make, [(name, fresh)])])
        return fresh

    def flush(self) -> None:
        """Nothing waits."""
