"""Rows of contents in the store; their files are in :mod:`adapters.storage.content_folder`."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, prepare, prepare_bulk
from adapters.storage.schema.inbox import KEPT, REMOVING, line_contents
from gateway.domain.line.contents import Content
from gateway.domain.values import Scope

_astuple = msgspec.structs.astuple
_CHANGING = ["state", "why", "path", "media_type", "bytes", "sha256", "fetched_at"]
_ONE = (
    line_contents.c.channel == bindparam("of_channel"),
    line_contents.c.message_id == bindparam("message"),
)


class ContentStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        contents = line_contents
        self.one = prepare(dialect, select(contents).where(*_ONE).with_for_update())
        self.of_friend = prepare(
            dialect,
            select(contents).where(contents.c.friend == bindparam("whose")).with_for_update(),
        )
        self.oldest = prepare(
            dialect,
            select(contents)
            .where(KEPT)
            .order_by(contents.c.fetched_at)
            .limit(bindparam("most"))
            .with_for_update(skip_locked=True),
        )
        self.removing = prepare(
            dialect,
            select(contents)
            .where(REMOVING)
            .limit(bindparam("most"))
            .with_for_update(skip_locked=True),
        )
        self.size = prepare(
            dialect, select(func.coalesce(func.sum(contents.c.bytes), 0)).where(KEPT)
        )
        self.upsert = prepare_bulk(dialect, contents, update=_CHANGING)


class ContentsInTransaction:
    """See :class:`gateway.ports.contents.Contents`. Every write is made at once."""

    def __init__(self, connection: Connection, statements: ContentStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def find(self, scope: Scope, channel: str, message_id: str) -> Content | None:
        found = self._all(scope, self._sql.one, of_channel=channel, message=message_id)
        return found[0] if found else None

    def save(self, scope: Scope, content: Content) -> None:
        self.writes += 1
        self._connection.write([(self._sql.upsert, [_astuple(content)])])

    def of_friend(self, scope: Scope, friend: int) -> Sequence[Content]:
        return self._all(scope, self._sql.of_friend, whose=friend)

    def oldest(self, scope: Scope, limit: int) -> Sequence[Content]:
        return self._all(scope, self._sql.oldest, most=limit)

    def removing(self, scope: Scope, limit: int) -> Sequence[Content]:
        return self._all(scope, self._sql.removing, most=limit)

    def size(self, scope: Scope) -> int:
        return int(self._connection.rows(self._sql.size)[0][0])

    def _all(self, scope: Scope, query: Prepared, **parameters: Any) -> list[Content]:
        found = [Content(*row) for row in self._connection.rows(query, **parameters)]
        return [content for content in found if scope.covers(content.advertiser)]

    def flush(self) -> None:
        """Nothing waits."""


class ContentReader:
    """See :class:`gateway.ports.contents.ContentReading`."""

    def __init__(self, dialect: Dialect) -> None:
        self._one = prepare(dialect, select(line_contents).where(*_ONE))

    def content(self, connection: Connection, channel: str, message_id: str) -> Content | None:
        rows = connection.rows(self._one, of_channel=channel, message=message_id)
        return Content(*rows[0]) if rows else None
