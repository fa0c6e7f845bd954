"""The posting calendar in the store."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, or_, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.schema.postings import posting_entries
from gateway.domain.postings import Posting
from gateway.domain.values import Scope
from gateway.ports.postings import Wanted

_FIXED = {"id", "advertiser", "channel"}


class PostingStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        entries = posting_entries
        self.find = prepare(
            dialect,
            select(entries).where(entries.c.id == bindparam("posting")).with_for_update(),
        )
        changing = [column.name for column in entries.c if column.name not in _FIXED]
        self.save = prepare_bulk(dialect, entries, update=changing)
        self.due = prepare(
            dialect,
            select(entries)
            .where(entries.c.remind_at > 0, entries.c.remind_at <= bindparam("now"))
            .order_by(entries.c.remind_at)
            .limit(bindparam("most"))
            .with_for_update(skip_locked=True),
        )


class PostingsInTransaction:
    """See :class:`gateway.ports.postings.Postings`. Written at once."""

    def __init__(self, connection: Connection, statements: PostingStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def find(self, scope: Scope, id_: int) -> Posting | None:
        rows = self._connection.rows(self._sql.find, posting=id_)
        found = Posting(*rows[0]) if rows else None
        return found if found is not None and scope.covers(found.advertiser) else None

    def save(self, scope: Scope, posting: Posting) -> None:
        self.writes += 1
        self._connection.write([(self._sql.save, [msgspec.structs.astuple(posting)])])

    def due(self, scope: Scope, now: int, limit: int) -> Sequence[Posting]:
        rows = self._connection.rows(self._sql.due, now=now, most=limit)
        return [Posting(*row) for row in rows if scope.covers(row[1])]

    def flush(self) -> None:
        """Nothing waits."""


class PostingReader:
    """See :class:`gateway.ports.postings.PostingReading`."""

    def __init__(self, dialect: Dialect) -> None:
        entries = posting_entries.c
        after_at: Any = bindparam("after_at")
        after_id: Any = bindparam("after_id")
        page = (
            select(posting_entries)
            .where(
                entries.channel == bindparam("of_channel"),
                entries.at >= bindparam("since"),
                entries.at < bindparam("until"),
                or_(entries.at > after_at, (entries.at == after_at) & (entries.id > after_id)),
            )
            .order_by(entries.at, entries.id)
            .limit(bindparam("most"))
        )
        self._page = prepare(dialect, page)
        self._page_in = prepare(dialect, page.where(entries.state == bindparam("in_state")))

    def postings(
        self,
        connection: Connection,
        scope: Scope,
        wanted: Wanted,
        *,
        after: tuple[int, int],
        limit: int,
    ) -> list[Posting]:
        given = {
            "of_channel": wanted.channel,
            "since": wanted.since,
            "until": wanted.until,
            "after_at": after[0],
            "after_id": after[1],
            "most": limit,
        }
        if wanted.state is None:
            rows = connection.rows(self._page, **given)
        else:
            rows = connection.rows(self._page_in, **given, in_state=wanted.state)
        return [Posting(*row) for row in rows if scope.covers(row[1])]
