"""What channels may send in a month, in the store."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare, prepare_bulk
from adapters.storage.schema.sending import line_quotas
from gateway.domain.hours import month_of
from gateway.domain.line.quota import Quota, reserve
from gateway.domain.values import Scope
from gateway.ports.quota import Spent

_astuple = msgspec.structs.astuple
_replace = msgspec.structs.replace
_KEY = {"channel", "month"}


class QuotaStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.find = prepare(
            dialect,
            select(line_quotas)
            .where(
                line_quotas.c.month == bindparam("of_month"),
                among(dialect, line_quotas.c.channel, "channels"),
            )
            .order_by(line_quotas.c.channel)
            .with_for_update(),
        )
        self.upsert = prepare_bulk(
            dialect, line_quotas, update=[c.name for c in line_quotas.c if c.name not in _KEY]
        )


class QuotasInTransaction:
    """See :class:`gateway.ports.quota.Quotas`. Writes wait until :meth:`flush`."""

    def __init__(self, connection: Connection, statements: QuotaStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._loaded: dict[tuple[str, str], Quota | None] = {}
        self._changed: dict[tuple[str, str], Quota] = {}
        self.writes = 0

    def find(self, scope: Scope, channel: str, month: str) -> Quota | None:
        self._load([channel], month)
        return self._loaded[channel, month]

    def _load(self, channels: Sequence[str], month: str) -> None:
        missing = sorted({c for c in channels if (c, month) not in self._loaded})
        if not missing:
            return
        self._loaded |= dict.fromkeys(((channel, month) for channel in missing), None)
        for row in self._connection.rows(self._sql.find, of_month=month, channels=missing):
            self._loaded[row[0], row[1]] = Quota(*row)

    def save(self, scope: Scope, quota: Quota) -> None:
        self.writes += 1
        key = (quota.channel, quota.month)
        self._loaded[key] = self._changed[key] = quota

    def spend(self, scope: Scope, spent: Sequence[Spent]) -> None:
        months = {month_of(one.at) for one in spent} | {one.reserved for one in spent}
        for month in sorted(months - {""}):
            self._load([one.channel for one in spent], month)
        for one in spent:
            quota = self._of(one, month_of(one.at))
            self.save(scope, _replace(quota, spent=quota.spent + one.count))
            if one.reserved:
                self.save(scope, reserve(self._of(one, one.reserved), -one.count))

    def _of(self, spent: Spent, month: str) -> Quota:
        known = self._loaded[spent.channel, month]
        return known or Quota(spent.channel, month, spent.advertiser)

    def flush(self) -> None:
        """Write the months that changed."""
        if self._changed:
            # Sorted, so that two processes that take the same months wait, and do not deadlock.
            rows = [_astuple(quota) for _, quota in sorted(self._changed.items())]
            self._connection.write([(self._sql.upsert, rows)])


class QuotaReader:
    """See :class:`gateway.ports.quota.QuotaReading`."""

    def __init__(self, dialect: Dialect) -> None:
        months = (
            select(line_quotas)
            .where(line_quotas.c.month == bindparam("of_month"))
            .order_by(line_quotas.c.channel)
        )
        self._all = prepare(dialect, months)
        self._some = prepare(
            dialect, months.where(among(dialect, line_quotas.c.advertiser, "whose"))
        )

    def of(self, connection: Connection, scope: Scope, month: str) -> list[Quota]:
        if scope.advertisers is None:
            rows = connection.rows(self._all, of_month=month)
        else:
            rows = connection.rows(self._some, of_month=month, whose=sorted(scope.advertisers))
        return [Quota(*row) for row in rows]
