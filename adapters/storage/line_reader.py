"""LINE's friends, and what was sent to them, read beside the writer."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, prepare
from adapters.storage.outbox_statements import OPEN
from adapters.storage.schema.effects import outbox
from adapters.storage.schema.line import line_friends
from gateway.domain.line.friends import Friend


class Send(msgspec.Struct, frozen=True):
    """An effect of LINE's, whatever became of it; the fields are columns, in their order."""

    id: int
    advertiser: str
    kind: str
    key: str
    payload: str
    state: str
    """See :data:`gateway.domain.effects.State`."""
    due_at: int
    stream: str
    origin: str
    last_error: str | None
    ended_at: int | None
    result: str


_COLUMN = {"key": "idempotency_key"}


class LineReader:
    """Of everybody; pages are oldest first, with ids beyond ``after``."""

    def __init__(self, dialect: Dialect) -> None:
        columns = [outbox.c[_COLUMN.get(name, name)] for name in Send.__struct_fields__]
        of_line = select(*columns).where(outbox.c.kind.startswith("line."))
        with_key = of_line.where(outbox.c.idempotency_key == bindparam("key"))
        self._send = prepare(dialect, with_key)
        open_ = select(func.count()).select_from(outbox)
        self._open = prepare(dialect, open_.where(OPEN, outbox.c.kind.startswith("line.")))
        self._sends = _paged(dialect, of_line, outbox.c.id)
        self._friends = _paged(dialect, select(line_friends), line_friends.c.id)

    def send(self, connection: Connection, key: str) -> Send | None:
        """The effect of this key."""
        rows = connection.rows(self._send, key=key)
        return Send(*rows[0]) if rows else None

    def open(self, connection: Connection) -> int:
        """How many effects have not ended."""
        return int(connection.rows(self._open)[0][0])

    def sends(self, connection: Connection, *, after: int, limit: int) -> list[Send]:
        """A page of effects."""
        return [Send(*row) for row in connection.rows(self._sends, after=after, most=limit)]

    def friends(self, connection: Connection, *, after: int, limit: int) -> list[Friend]:
        """A page of friends and groups."""
        return [Friend(*row) for row in connection.rows(self._friends, after=after, most=limit)]


def _paged(dialect: Dialect, rows: Select[Any], id_: ColumnElement[int]) -> Prepared:
    page = rows.where(id_ > bindparam("after")).order_by(id_).limit(bindparam("most"))
    return prepare(dialect, page)
