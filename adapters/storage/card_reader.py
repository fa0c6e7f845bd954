"""Shop cards as the API shows them: read beside the writer."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, func, literal_column, select
from sqlalchemy.engine import Dialect

from adapters.storage.cards import OWED
from adapters.storage.database import Connection, Prepared, among, prepare
from adapters.storage.entity_reader import EntityReader
from adapters.storage.schema.cards import card_points, card_rewards
from adapters.storage.schema.cards import cards as held
from adapters.storage.schema.line import line_friends
from gateway.domain.cards import Card, Entry, ShopCard
from gateway.domain.values import Scope
from gateway.ports.cards import CardFigures, CardRecord, Holding

_BIGGEST = 2**63 - 1
_NO_FIGURES = CardFigures(0, 0, 0, 0, 0, 0)

_ONE: ColumnElement[int] = literal_column("1")
_NONE: ColumnElement[int] = literal_column("0")


def _in_state(state: str) -> Any:
    return func.sum(case((held.c.state == literal_column(f"'{state}'"), _ONE), else_=_NONE))


class CardReader:
    """See :class:`gateway.ports.cards.CardReading`."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._cards = EntityReader(dialect, ShopCard)
        self._friend = self._scoped(
            select(line_friends.c.id).where(line_friends.c.id == bindparam("wanted")),
            line_friends.c.advertiser,
        )
        self._figures = prepare(
            dialect,
            select(
                held.c.root,
                func.count(held.c.friend.distinct()),
                _in_state("active"),
                _in_state("full"),
                _in_state("expired"),
                func.sum(held.c.points),
            )
            .where(among(dialect, held.c.root, "roots"))
            .group_by(held.c.root),
        )
        self._owed = prepare(
            dialect,
            select(held.c.root, func.count())
            .join(card_rewards, card_rewards.c.card_id == held.c.id)
            .where(OWED, among(dialect, held.c.root, "roots"))
            .group_by(held.c.root),
        )
        other = held.alias("other")
        latest = (
            select(func.max(other.c.number))
            .where(other.c.root == held.c.root, other.c.friend == held.c.friend)
            .scalar_subquery()
        )
        self._holders = self._scoped(
            select(held, line_friends.c.name)
            .outerjoin(line_friends, line_friends.c.id == held.c.friend)
            .where(
                held.c.root == bindparam("of_root"),
                held.c.friend > bindparam("after"),
                held.c.number == latest,
            )
            .order_by(held.c.friend)
            .limit(bindparam("most"))
        )
        self._of_friend = self._scoped(
            select(held)
            .where(held.c.friend == bindparam("whose"), held.c.id < bindparam("before"))
            .order_by(held.c.id.desc())
            .limit(bindparam("most"))
        )
        self._history = self._scoped(
            select(card_points)
            .join(held, held.c.id == card_points.c.card_id)
            .where(
                held.c.root == bindparam("of_root"),
                held.c.friend == bindparam("whose"),
                card_points.c.id > bindparam("after"),
            )
            .order_by(card_points.c.id)
            .limit(bindparam("most"))
        )

    def cards(
        self, connection: Connection, scope: Scope, *, after: str, limit: int
    ) -> list[CardRecord]:
        found = self._cards.page(connection, scope, after=after, limit=limit)
        return self._records(connection, found)

    def card(self, connection: Connection, scope: Scope, id_: str) -> CardRecord | None:
        found = self._cards.one(connection, scope, id_)
        return next(iter(self._records(connection, found)), None)

    def holders(
        self, connection: Connection, scope: Scope, root: str, *, after: int | None, limit: int
    ) -> list[Holding]:
        given = {"of_root": root, "after": -1 if after is None else after, "most": limit}
        rows = self._rows(connection, self._holders, scope, **given)
        return [Holding(Card(*row[:-1]), row[-1] or "") for row in rows]

    def of_friend(
        self, connection: Connection, scope: Scope, friend: int, *, before: int | None, limit: int
    ) -> list[Card]:
        given = {"whose": friend, "before": _BIGGEST if before is None else before, "most": limit}
        return [Card(*row) for row in self._rows(connection, self._of_friend, scope, **given)]

    def has_friend(self, connection: Connection, scope: Scope, friend: int) -> bool:
        return bool(self._rows(connection, self._friend, scope, wanted=friend))

    def history(
        self,
        connection: Connection,
        scope: Scope,
        root: str,
        friend: int,
        *,
        after: int | None,
        limit: int,
    ) -> list[Entry]:
        rows = self._rows(
            connection,
            self._history,
            scope,
            of_root=root,
            whose=friend,
            after=-1 if after is None else after,
            most=limit,
        )
        return [Entry(*row) for row in rows]

    def _records(self, connection: Connection, found: Sequence[ShopCard]) -> list[CardRecord]:
        roots = [card.id for card in found]
        owed = dict(connection.rows(self._owed, roots=roots))
        figures = {
            root: CardFigures(*map(int, (*rest, owed.get(root, 0))))
            for root, *rest in connection.rows(self._figures, roots=roots)
        }
        return [CardRecord(card, figures.get(card.id, _NO_FIGURES)) for card in found]

    def _scoped(
        self, statement: Select[Any], whose: ColumnElement[str] = held.c.advertiser
    ) -> tuple[Prepared, Prepared]:
        """A query for what belongs to everybody, and for that of some."""
        some = statement.where(among(self._dialect, whose, "advertisers"))
        return prepare(self._dialect, statement), prepare(self._dialect, some)

    def _rows(
        self,
        connection: Connection,
        statements: tuple[Prepared, Prepared],
        scope: Scope,
        **given: Any,
    ) -> list[tuple[Any, ...]]:
        if scope.advertisers is None:
            return connection.rows(statements[0], **given)
        return connection.rows(statements[1], **given, advertisers=sorted(scope.advertisers))
