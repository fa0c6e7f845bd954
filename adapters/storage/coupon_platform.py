"""What LINE holds of its own coupons, in the store."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.schema.coupons import coupon_platform
from gateway.domain.coupons.platform import Held
from gateway.domain.values import Scope

_KEY = ("coupon", "channel")


class CouponPlatformStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        held = coupon_platform
        self.all = prepare(
            dialect,
            select(held).order_by(held.c.coupon, held.c.channel).with_for_update(),
        )
        self.find = prepare(
            dialect,
            select(held).where(
                held.c.coupon == bindparam("of_coupon"), held.c.channel == bindparam("of_channel")
            ),
        )
        self.insert = prepare_bulk(dialect, held)
        self.upsert = prepare_bulk(
            dialect, held, update=[c.name for c in held.c if c.name not in _KEY]
        )


class CouponPlatformInTransaction:
    """See :class:`gateway.ports.coupons.CouponPlatform`. Written at once."""

    def __init__(self, connection: Connection, statements: CouponPlatformStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._known: set[tuple[str, str]] = set()
        self.writes = 0

    def all(self, scope: Scope) -> Sequence[Held]:
        found = [Held(*row) for row in self._connection.rows(self._sql.all)]
        self._known.update((held.coupon, held.channel) for held in found)
        return [held for held in found if scope.covers(held.advertiser)]

    def find(self, scope: Scope, coupon: str, channel: str) -> Held | None:
        rows = self._connection.rows(self._sql.find, of_coupon=coupon, of_channel=channel)
        self._known.update((row[0], row[1]) for row in rows)
        found = Held(*rows[0]) if rows else None
        return found if found is not None and scope.covers(found.advertiser) else None

    def save(self, scope: Scope, held: Held) -> None:
        self.writes += 1
        key = (held.coupon, held.channel)
        bulk = self._sql.upsert if key in self._known else self._sql.insert
        self._connection.write([(bulk, [msgspec.structs.astuple(held)])])
        self._known.add(key)

    def flush(self) -> None:
        """Nothing waits."""
