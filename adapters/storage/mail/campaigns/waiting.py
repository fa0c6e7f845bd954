"""What waits to be sent, found for many campaigns with one statement."""

from collections.abc import Sequence, Set
from typing import Any

from sqlalchemy import BigInteger, Text, bindparam, literal_column, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection
from adapters.storage.mail.campaigns.rows import Abouts
from adapters.storage.mail.given import MOST, Rows, prepare_indexed
from adapters.storage.schema.campaigns import mail_sends
from gateway.domain.values import Scope


class WaitingStatements:
    """The statement of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        sends = mail_sends.c
        self.lanes = Rows(dialect, {"campaign": BigInteger(), "lane": Text()})
        given = self.lanes.table.c
        # In the order of the index: however many wait, the first of them is all that is read.
        first: Any = (
            select(sends.due_at)
            .where(
                sends.campaign == given.campaign,
                sends.lane == given.lane,
                sends.due_at.is_not(None),
            )
            .order_by(sends.due_at, sends.recipient)
            .limit(literal_column("1"))
            .correlate(self.lanes.table)
            .scalar_subquery()
        )
        now: Any = bindparam("now", type_=BigInteger)
        due = select(given.campaign, given.lane).where(first <= now)
        self.due = prepare_indexed(dialect, due, mail_sends, "mail_sends_due")


class WaitingInTransaction:
    """See :class:`gateway.ports.mail.campaigns.Waiting`."""

    def __init__(
        self, connection: Connection, statements: WaitingStatements, abouts: Abouts
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._abouts = abouts

    def due(self, scope: Scope, lanes: Sequence[tuple[int, str]], now: int) -> Set[tuple[int, str]]:
        found: set[tuple[int, str]] = set()
        for at in range(0, len(lanes), MOST):
            given = self._sql.lanes.given(lanes[at : at + MOST])
            for campaign, lane in self._connection.rows(self._sql.due, now=now, **given):
                if self._abouts.covers(scope, campaign):
                    found.add((campaign, lane))
        return found
