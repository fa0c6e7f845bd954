"""What the parts of the daemon are made of, and what they give to it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from adapters.http.api.endpoint import Endpoint
from adapters.http.server import SILENT
from adapters.storage.database import Database
from adapters.storage.store import SqlStore
from gateway.config import Config
from gateway.domain.values import Ids, Seed
from gateway.ports import Clock, Lane, Observer, Route, UseCase
from gateway.ports.line_platform import LinePlatform
from gateway.ports.login import Logins
from gateway.ports.outbox import Handler

Chore = Callable[[], Awaitable[None]]
"""Done again and again, for as long as the daemon runs."""


class NewIds:
    """Makes ids that no other process makes; by chance alone until the store has been asked."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._ids = Ids(secrets.randbelow(1024))

    def next(self, now: int) -> int:
        """A new id."""
        return self._numbered().next(now)

    def block(self, now: int, count: int) -> int:
        """The first of ``count`` new ids, as :class:`gateway.domain.values.Seed` takes it."""
        return self._numbered().block(now, count)

    def _numbered(self) -> Ids:
        if self._store.start_number is not None:
            self._ids.node = self._store.start_number
        return self._ids


@dataclass(frozen=True, kw_only=True)
class Deps:
    """What every part may use."""

    config: Config
    database: Database
    store: SqlStore
    ids: NewIds | Ids
    clock: Clock
    log: Any
    platform: LinePlatform | None = None
    """LINE, where it is configured."""
    logins: Logins | None = None
    """Who somebody is, likewise."""
    observer: Observer = SILENT
    """Who counts what pages refuse."""

    def seed(self, now: int, ids: int) -> Seed:
        """A new seed with ``ids`` ids."""
        first = self.ids.block(now, ids) if ids else 0
        return Seed(first, ids, secrets.token_bytes(16))


def repeating(deps: Deps, seconds: float, use_case: UseCase[int]) -> Chore:
    """Every so many seconds ``use_case`` of the time, until it finds nothing any more."""

    async def chore() -> None:
        await asyncio.sleep(seconds)
        while await deps.store.run(use_case, deps.clock(), Lane.BACKGROUND):
            pass  # a unit at a time, each behind the webhooks that wait

    return chore


def in_rounds(
    deps: Deps,
    seconds: float,
    use_case: UseCase[int],
    asked: Callable[[int, Seed], object],
    at_once: int,
    *,
    is_time: Callable[[int], bool] = lambda now: True,
) -> Chore:
    """Every so many seconds ``use_case`` of what is ``asked`` by the time and a seed with
    ``at_once`` ids, until it looks at fewer rows than that: then none is left that is due. Only
    while ``is_time`` says so.
    """

    async def chore() -> None:
        await asyncio.sleep(seconds)
        looked_at = at_once
        while looked_at == at_once and is_time(now := deps.clock()):
            round_ = asked(now, deps.seed(now, at_once))
            looked_at = await deps.store.run(use_case, round_, Lane.BACKGROUND)

    return chore


class Sync(Protocol):
    """Brings the platform in line with what is provisioned."""

    async def once(self) -> int:
        """One piece; 0 where there was nothing to do."""


def syncing(deps: Deps, sync: Sync, seconds: float) -> Chore:
    """``sync`` whenever something new was provisioned, and every so many seconds in any case."""
    seen, looked_at = -1, 0.0

    async def chore() -> None:
        nonlocal seen, looked_at
        await asyncio.sleep(1)
        now, version = asyncio.get_running_loop().time(), deps.store.cache.version
        if version == seen and now - looked_at < seconds:
            return
        while await sync.once():
            pass
        seen, looked_at = version, now

    return chore


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a part adds to the daemon."""

    public: list[Route] = field(default_factory=list)
    """Paths of the public listener."""
    admin: list[Route] = field(default_factory=list)
    """Paths of the admin listener, beside the API."""
    endpoints: list[Endpoint] = field(default_factory=list)
    """Endpoints of the admin API."""
    chores: dict[str, Chore] = field(default_factory=dict)
    """What is done again and again, by name."""
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    """Who carries out which kinds of effects."""
