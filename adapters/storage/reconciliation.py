"""The calls of a stretch of time as they are held against the carrier's list."""

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare
from adapters.storage.schema.calls import calls
from gateway.domain.calls.reconciliation import Held
from gateway.domain.values import Scope, first_id


class HeldCalls:
    """Reads a few columns of many calls, without their events."""

    def __init__(self, dialect: Dialect) -> None:
        columns = [calls.c[name] for name in Held.__struct_fields__]
        page = (
            select(*columns)
            .where(
                calls.c.id > bindparam("after"),
                calls.c.id < bindparam("before"),
                calls.c.provider == bindparam("provider"),
            )
            .order_by(calls.c.id)
            .limit(bindparam("most"))
        )
        self._page = prepare(dialect, page)
        self._page_of = prepare(dialect, page.where(among(dialect, calls.c.advertiser, "whose")))

    def page(
        self,
        connection: Connection,
        scope: Scope,
        provider: str,
        *,
        begin: int,
        end: int,
        after: int,
        limit: int,
    ) -> list[Held]:
        """At most ``limit`` calls with ids beyond ``after``, whose first event came from ``begin``
        on and before ``end`` (microseconds).
        """
        wanted = {
            "provider": provider,
            "after": max(after, first_id(begin) - 1),
            "before": first_id(end),
            "most": limit,
        }
        if scope.advertisers is None:
            rows = connection.rows(self._page, **wanted)
        else:
            rows = connection.rows(self._page_of, **wanted, whose=sorted(scope.advertisers))
        return [Held(*row) for row in rows]
