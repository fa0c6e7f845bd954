"""Counts of campaigns in the store."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ARRAY, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect

from adapters.storage.database import Bulk, Connection, prepare
from adapters.storage.mail.campaigns.rows import Abouts
from adapters.storage.mail.given import Additions
from adapters.storage.schema.campaigns import mail_figures, mail_responses
from gateway.domain.values import Scope


class FigureStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.add = _prepare_add(dialect)
        self.of = prepare(
            dialect,
            select(mail_figures.c.name, mail_figures.c.amount)
            .where(mail_figures.c.campaign == bindparam("named"))
            .order_by(mail_figures.c.name),
        )
        self.responses = Additions(dialect, mail_responses)


def _prepare_add(dialect: Dialect) -> Bulk:
    """An insert of amounts; where there is one, they are added up."""
    statement: Any
    if dialect.name == "sqlite":
        statement = sqlite_insert(mail_figures)
    else:
        names = [column.name for column in mail_figures.c]
        arrays = [bindparam(column.name, type_=ARRAY(column.type)) for column in mail_figures.c]
        given = func.unnest(*arrays).table_valued(*names).render_derived("given")
        statement = postgresql_insert(mail_figures).from_select(names, select(*given.c))
    more = mail_figures.c.amount + statement.excluded.amount
    statement = statement.on_conflict_do_update(
        index_elements=list(mail_figures.primary_key), set_={"amount": more}
    )
    return Bulk(prepare(dialect, statement).sql)


class FiguresInTransaction:
    """See :class:`gateway.ports.mail.campaigns.Figures`. Counts wait until :meth:`flush`."""

    def __init__(
        self, connection: Connection, statements: FigureStatements, abouts: Abouts
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._abouts = abouts
        self._waiting: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self.writes = 0

    def add(self, scope: Scope, campaign: int, amounts: Mapping[str, int]) -> None:
        for name, amount in amounts.items():
            if amount:
                self.writes += 1
                self._waiting[campaign][name] += amount

    def moved(self, campaign: int, before: str, after: str, count: int = 1) -> None:
        """So many mails went from one state into another."""
        if before != after:
            waiting = self._waiting[campaign]
            waiting[before] -= count
            waiting[after] += count

    def of(self, scope: Scope, campaign: int) -> Mapping[str, int]:
        if not self._abouts.covers(scope, campaign):
            return {}
        found = dict(self._connection.rows(self._sql.of, named=campaign))
        # Not written for it: rows are locked all at once, at the end.
        for name, amount in self._waiting.get(campaign, {}).items():
            if amount:
                found[name] = found.get(name, 0) + amount
        return dict(sorted(found.items()))

    def responded(self, scope: Scope, campaign: int, recipient: int, what: str, at: int) -> bool:
        self.writes += 1
        row = (campaign, recipient, what, at)
        return self._sql.responses.write(self._connection, [row]) > 0

    def flush(self) -> None:
        """Write what was counted."""
        # Sorted, so that two processes that count the same wait instead of deadlocking.
        rows = [
            (campaign, name, amount)
            for campaign, waiting in sorted(self._waiting.items())
            for name, amount in sorted(waiting.items())
            if amount
        ]
        self._waiting.clear()
        if rows:
            self._connection.write([(self._sql.add, rows)])
