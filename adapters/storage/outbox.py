"""The outbox: effects that wait to be delivered. Its workers come with the first effect."""

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare
from adapters.storage.schema import outbox


class OutboxReader:
    """What waits, for the metrics."""

    def __init__(self, dialect: Dialect) -> None:
        waiting = (
            select(outbox.c.kind, func.count(), func.min(outbox.c.due_at))
            .where(outbox.c.state == bindparam("state"))
            .group_by(outbox.c.kind)
        )
        self._waiting = prepare(dialect, waiting)

    def waiting(self, connection: Connection) -> dict[str, tuple[int, int]]:
        """By kind: how many effects wait, and when the oldest was due (microseconds)."""
        rows = connection.rows(self._waiting, state="waiting")
        return {kind: (count, oldest) for kind, count, oldest in rows}
