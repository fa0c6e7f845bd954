"""What is provisioned, in the store, and the cache of it that daemons decide by."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import bindparam, literal_column, select, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Rerun, prepare, prepare_bulk
from adapters.storage.schema.provisioning import (
    advertisers,
    entities,
    provisioning_version,
    tracked_numbers,
)
from gateway.domain.provisioning import KIND, KINDS, Entity, Held
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
        self.entities = prepare(
            dialect, select(entities).where(entities.c.version > bindparam("version"))
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
        self.write_entities = prepare_bulk(
            dialect, entities, update=["advertiser", "body", "removed", "version"]
        )


E = TypeVar("E")


def _plain(value: object) -> str:
    """A secret as the text that it is; it is shown as dots elsewhere."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be kept")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode
_DECODE = {kind.table: msgspec.json.Decoder(kind).decode for kind in KINDS}


class RouteCache:
    """All that is provisioned, in memory, with the version that it stands for.

    One thread changes it, others look up single entities: a dict allows that.
    """

    def __init__(self) -> None:
        self.version = -1
        self.held: dict[str, dict[str, Entity]] = _nothing()

    @property
    def numbers(self) -> dict[str, TrackedNumber]:
        """The routes by number."""
        return self.held[TrackedNumber.table]  # type: ignore[return-value]  # kept by kind

    @property
    def advertisers(self) -> dict[str, Advertiser]:
        """The advertisers by id."""
        return self.held[Advertiser.table]  # type: ignore[return-value]  # kept by kind

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
        held = _nothing() if anew else self.held
        for row in connection.rows(sql.advertisers, version=since):
            _take(held, _advertiser(row), removed=row[-2])
        for row in connection.rows(sql.numbers, version=since):
            _take(held, _number(row), removed=row[-2])
        for kind, _, _, body, removed, _ in connection.rows(sql.entities, version=since):
            if kind in _DECODE:  # of a later release, maybe, which was here before this one
                _take(held, _DECODE[kind](body), removed=removed)
        self.held, self.version = held, version
        return True


class RoutesInTransaction:
    """See :class:`gateway.ports.Routes`."""

    def __init__(self, cache: RouteCache) -> None:
        self._cache = cache

    def find(self, scope: Scope, number: str) -> TrackedNumber | None:
        route = self._cache.numbers.get(number)
        return route if route is not None and scope.covers(route.advertiser) else None


class EntitiesInTransaction:
    """See :class:`gateway.ports.Entities`."""

    def __init__(self, cache: RouteCache) -> None:
        self._cache = cache

    def find(self, scope: Scope, kind: type[E], key: str) -> E | None:
        found = self._cache.held[_table(kind)].get(key)
        return found if found is not None and scope.covers(found.owner) else None  # type: ignore[return-value]  # kept by kind

    def all(self, scope: Scope, kind: type[E]) -> Sequence[E]:
        held = self._cache.held[_table(kind)]
        return [held[key] for key in sorted(held) if scope.covers(held[key].owner)]  # type: ignore[misc]  # kept by kind


class ProvisioningInTransaction:
    """See :class:`gateway.ports.Provisioning`."""

    def __init__(self, connection: Connection, sql: ProvisioningStatements) -> None:
        self._connection = connection
        self._sql = sql
        self.writes = 0

    def version(self, scope: Scope) -> int:
        return int(self._connection.rows(self._sql.version)[0][0])

    def everything(self, scope: Scope) -> Held:
        cache = RouteCache()
        cache.refresh(self._connection, self._sql)
        return {
            table: {key: entity for key, entity in held.items() if scope.covers(entity.owner)}
            for table, held in cache.held.items()
        }

    def write(self, scope: Scope, wanted: Sequence[Entity], removed: Sequence[Entity]) -> int:
        self.writes += 1
        known = self.version(scope)
        version = known + 1
        # The one row of the version is the lock between two who apply at once.
        if not self._connection.run(self._sql.raise_version, known=known):
            raise Rerun("provisioned by another at the same time")
        parties: list[tuple[Any, ...]] = []
        routes: list[tuple[Any, ...]] = []
        others: list[tuple[Any, ...]] = []
        for entities_, gone in ((wanted, False), (removed, True)):
            for entity in entities_:
                if isinstance(entity, Advertiser):
                    parties.append(_advertiser_row(entity, version, removed=gone))
                elif isinstance(entity, TrackedNumber):
                    routes.append(_number_row(entity, version, removed=gone))
                else:
                    others.append(_entity_row(entity, version, removed=gone))
        writes = [
            (self._sql.write_advertisers, parties),
            (self._sql.write_numbers, routes),
            (self._sql.write_entities, others),
        ]
        self._connection.write([(bulk, rows) for bulk, rows in writes if rows])
        return version

    def flush(self) -> None:
        """Nothing waits."""


def _nothing() -> dict[str, dict[str, Entity]]:
    return {table: {} for table in KIND}


def _table(kind: type[object]) -> str:
    table: str = kind.table  # type: ignore[attr-defined]  # every kind of entity has it
    return table


def _take(held: dict[str, dict[str, Entity]], entity: Entity, *, removed: bool) -> None:
    if removed:
        held[entity.table].pop(entity.key, None)
    else:
        held[entity.table][entity.key] = entity


def _entity_row(entity: Entity, version: int, *, removed: bool) -> tuple[Any, ...]:
    body = _encode(entity).decode()
    return (entity.table, entity.key, entity.owner, body, removed, version)


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
