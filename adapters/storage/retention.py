"""How far a clean-up came: what is behind is not looked through again."""

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.schema.effects import retention


class Progress:
    """The ids up to which each kind of clean-up is done."""

    def __init__(self, dialect: Dialect) -> None:
        self._read = prepare(
            dialect, select(retention.c.done_until).where(retention.c.what == bindparam("subject"))
        )
        self._write = prepare_bulk(dialect, retention, update=["done_until"])

    def of(self, connection: Connection, what: str) -> int:
        """The first id that is not done."""
        rows = connection.rows(self._read, subject=what)
        return int(rows[0][0]) if rows else 0

    def reach(self, connection: Connection, what: str, until: int) -> None:
        """What is before ``until`` is done."""
        connection.write([(self._write, [(what, until)])])
