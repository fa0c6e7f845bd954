"""Advertisers and tracked numbers in the store, and the cache of routes made of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, literal_column, select, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Rerun, prepare, prepare_bulk
from adapters.storage.schema import advertisers, provisioning_version, tracked_numbers
from gateway.domain.routing import TrackedNumber
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import Scope


class ProvisioningStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.version = prepare(dialect, select(provisioning_version.c.version))
        self.advertisers = prepare(
            dialect, select(advertisers).where(advertisers.c.version > bindparam("version"))
        )
        self.numbers = prepare(
            dialect, select(tracked_numbers).where(tracked_numbers.c.version > bindparam("version"))
        )
        self.raise_version = prepare(
            dialect,
            update(provisioning_version)
            .where(provisioning_version.c.version == bindparam("known"))
            .values(version=provisioning_version.c.version + literal_column("1")),
        )
        self.touch = prepare(
            dialect,
            update(provisioning_version).values(version=provisioning_version.c.version),
        )
        self.start = prepare(
            dialect,
            update(provisioning_version).values(
                starts=provisioning_version.c.starts + literal_column("1")
            ),
        )
        self.starts = prepare(dialect, select(provisioning_version.c.starts))
        self.write_advertisers = prepare_bulk(
            dialect, advertisers, update=[c.name for c in advertisers.c if c.name != "id"]
        )
        self.write_numbers = prepare_bulk(
            dialect,
            tracked_numbers,
            update=[c.name for c in tracked_numbers.c if c.name != "number"],
        )


class RouteCache:
    """All routes in memory, with the version of the provisioning they stand for.

    One thread changes it, others look up single numbers: a dict allows that.
    """

    def __init__(self) -> None:
        self.version = -1
        self.numbers: dict[str, TrackedNumber] = {}
        self.advertisers: dict[str, Advertiser] = {}

    @property
    def loaded(self) -> bool:
        """Whether routes were ever read, from the store or from a snapshot."""
        return self.version >= 0 or bool(self.numbers)

    def refresh(self, connection: Connection, sql: ProvisioningStatements) -> bool:
        """Read what is newer than the cache, if anything is; returns whether it changed."""
        version = connection.rows(sql.version)[0][0]
        if version == self.version:
            return False
        # A lower version is a restored backup: what was read since is void. What a snapshot said
        # (version -1) is void, too, once the store itself can be asked.
        anew = self.version < 0 or version < self.version
        since = -1 if anew else self.version
        numbers = {} if anew else self.numbers
        parties = {} if anew else self.advertisers
        for row in connection.rows(sql.advertisers, version=since):
            _take(parties, row[0], _advertiser(row), removed=row[-2])
        for row in connection.rows(sql.numbers, version=since):
            _take(numbers, row[0], _number(row), removed=row[-2])
        self.numbers, self.advertisers, self.version = numbers, parties, version
        return True


class RoutesInTransaction:
    """See :class:`gateway.ports.Routes`."""

    def __init__(self, cache: RouteCache) -> None:
        self._cache = cache

    def find(self, scope: Scope, number: str) -> TrackedNumber | None:
        route = self._cache.numbers.get(number)
        return route if route is not None and scope.covers(route.advertiser) else None


class ProvisioningInTransaction:
    """See :class:`gateway.ports.Provisioning`."""

    def __init__(self, connection: Connection, sql: ProvisioningStatements) -> None:
        self._connection = connection
        self._sql = sql
        self.writes = 0

    def version(self, scope: Scope) -> int:
        return int(self._connection.rows(self._sql.version)[0][0])

    def everything(self, scope: Scope) -> tuple[dict[str, Advertiser], dict[str, TrackedNumber]]:
        cache = RouteCache()
        cache.refresh(self._connection, self._sql)
        return (
            {id_: a for id_, a in cache.advertisers.items() if scope.covers(id_)},
            {n: t for n, t in cache.numbers.items() if scope.covers(t.advertiser)},
        )

    def write(
        self,
        scope: Scope,
        written: Sequence[Advertiser],
        numbers: Sequence[TrackedNumber],
        removed: Sequence[Advertiser | TrackedNumber],
    ) -> int:
        self.writes += 1
        known = self.version(scope)
        version = known + 1
        parties = [_advertiser_row(a, version, removed=False) for a in written]
        routes = [_number_row(n, version, removed=False) for n in numbers]
        for gone in removed:
            if isinstance(gone, Advertiser):
                parties.append(_advertiser_row(gone, version, removed=True))
            else:
                routes.append(_number_row(gone, version, removed=True))
        # The one row of the version is the lock between two who apply at once.
        if not self._connection.run(self._sql.raise_version, known=known):
            raise Rerun("provisioned by another at the same time")
        writes = [(self._sql.write_advertisers, parties), (self._sql.write_numbers, routes)]
        self._connection.write([(bulk, rows) for bulk, rows in writes if rows])
        return version


def _take(into: dict[str, Any], key: str, value: object, *, removed: bool) -> None:
    if removed:
        into.pop(key, None)
    else:
        into[key] = value


def _advertiser(row: tuple[Any, ...]) -> Advertiser:
    id_, name, kind, parent, _, _ = row
    return Advertiser(id=id_, name=name, kind=kind, parent=parent)


def _advertiser_row(party: Advertiser, version: int, *, removed: bool) -> tuple[Any, ...]:
    return (party.id, party.name, party.kind, party.parent, removed, version)


def _number(row: tuple[Any, ...]) -> TrackedNumber:
    number, advertiser, medium, forward_to, strategy, ring, limit, caller_id, record, talk, _, _ = (
        row
    )
    return TrackedNumber(
        number=number,
        advertiser=advertiser,
        medium=medium,
        forward_to=tuple(forward_to.split(" ")),
        strategy=strategy,
        ring_seconds=ring,
        time_limit_seconds=limit,
        caller_id=caller_id,
        record=bool(record),
        min_talk_seconds=talk,
    )


def _number_row(route: TrackedNumber, version: int, *, removed: bool) -> tuple[Any, ...]:
    return (
        route.number,
        route.advertiser,
        route.medium,
        " ".join(route.forward_to),
        route.strategy,
        route.ring_seconds,
        route.time_limit_seconds,
        route.caller_id,
        route.record,
        route.min_talk_seconds,
        removed,
        version,
    )
