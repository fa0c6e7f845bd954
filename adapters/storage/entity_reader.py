"""What is provisioned as the API shows it: read beside the writer, page by page."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare
from adapters.storage.schema.provisioning import entities
from gateway.domain.provisioning import Entity
from gateway.domain.values import Scope

E = TypeVar("E", bound=Entity)


class EntityReader(Generic[E]):
    """Entities of one kind that were not taken away, by their ids."""

    def __init__(self, dialect: Dialect, kind: type[E]) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        listed = (
            select(entities.c.body)
            .where(entities.c.kind == kind.table, entities.c.removed.is_(False))
            .order_by(entities.c.id)
        )
        page = listed.where(entities.c.id > bindparam("after")).limit(bindparam("most"))
        self._page = prepare(dialect, page)
        self._page_of = prepare(dialect, page.where(among(dialect, entities.c.advertiser, "whose")))
        self._one = prepare(dialect, listed.where(entities.c.id == bindparam("wanted")))

    def page(self, connection: Connection, scope: Scope, *, after: str, limit: int) -> list[E]:
        """At most ``limit`` of those in scope, behind ``after``."""
        if scope.advertisers is None:
            return self._read(connection.rows(self._page, after=after, most=limit))
        whose = sorted(scope.advertisers)
        return self._read(connection.rows(self._page_of, after=after, most=limit, whose=whose))

    def one(self, connection: Connection, scope: Scope, id_: str) -> list[E]:
        """The one with an id, where it is in scope."""
        found = self._read(connection.rows(self._one, wanted=id_))
        return [entity for entity in found if scope.covers(entity.owner)]

    def _read(self, rows: Sequence[tuple[Any, ...]]) -> list[E]:
        return [self._decode(body) for (body,) in rows]
