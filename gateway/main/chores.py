"""What runs beside the requests: sweeps, retention, figures, the snapshot of routes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog

from adapters.http.health import Readiness
from adapters.storage import snapshot
from adapters.storage.calls import CallReader
from adapters.storage.database import Database
from adapters.storage.outbox import OutboxReader
from adapters.storage.provisioning import RouteCache
from adapters.storage.store import SqlStore
from gateway.config import Config
from gateway.domain.values import SECOND
from gateway.errors import Permanent, Transient
from gateway.ports import Clock, Lane, Store, UseCase
from gateway.usecases import calls, inbox, line, surveys
from metrics.observer import Metrics

_HOUR = 3600
_DAY = 24 * _HOUR
_JUMP = 60.0  # seconds; what is less, clocks do while they are kept right
_LONGEST_CALL = 5 * _HOUR  # Dial's longest time limit, its ringing and the wait for callbacks

_log = structlog.get_logger("gateway")


class State:
    """What the process knows of itself."""

    def __init__(self, folder: Path) -> None:
        self.readiness: Readiness = "starting"
        self.calls_in_progress: int | None = None
        self.outbox: dict[str, tuple[int, int]] = {}
        self.routes_dirty = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._snapshot = folder / "routes.snapshot"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def load(self) -> RouteCache:
        """The routes as they were when the store was last at hand."""
        try:
            return snapshot.load(self._snapshot)
        except (OSError, msgspec.MsgspecError) as error:
            _log.error("the snapshot of routes cannot be read", error=str(error))
            return RouteCache()

    def save(self, cache: RouteCache) -> None:
        """Keep the routes for a start without the store."""
        snapshot.save(cache, self._snapshot)

    def routes_changed(self, cache: RouteCache) -> None:
        """Called in the writer's thread."""
        self._loop.call_soon_threadsafe(self.routes_dirty.set)


class Pace:
    """Whether our clock can be trusted to say that something is over.

    A clock that was set, by hours or by months, makes calls in progress look silent and keys look
    old. After such a jump nothing is swept or deleted until every call begun before has ended.
    """

    def __init__(self, clock: Clock, steady: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steady = steady
        self._offset = self._now()
        self._trusted_from = 0.0

    @property
    def is_even(self) -> bool:
        """Whether the clock has run evenly for long enough; to be asked again and again."""
        offset = self._now()
        if abs(offset - self._offset) > _JUMP:
            seconds = round(offset - self._offset)
            _log.warning("our clock was set: nothing is swept for some hours", seconds=seconds)
            self._trusted_from = self._steady() + _LONGEST_CALL
        self._offset = offset
        return self._steady() >= self._trusted_from

    def _now(self) -> float:
        return self._clock() / SECOND - self._steady()


def chores(
    config: Config,
    database: Database,
    store: SqlStore,
    state: State,
    metrics: Metrics,
    clock: Clock,
) -> dict[str, Callable[[], Awaitable[None]]]:
    """All chores of the daemon, by name; each is done again and again."""
    reader = CallReader(database.dialect)
    outbox = OutboxReader(database.dialect)

    pace = Pace(clock)

    async def sweep() -> None:
        await asyncio.sleep(1)
        while (
            pace.is_even
            and await store.run(calls.sweep, clock(), Lane.BACKGROUND) == calls.SWEEP_AT_ONCE
        ):
            pass

    async def forget() -> None:
        await asyncio.sleep(60)
        if not pace.is_even:
            return
        jobs: list[tuple[UseCase[int], Any]] = []
        for what, seconds in (
            ("unknown", config.retention.unknown_hours * _HOUR),
            ("payloads", config.retention.raw_days * _DAY),
            ("keys", config.retention.keys_days * _DAY),
            ("calls", config.retention.calls_days * _DAY),
        ):
            jobs.append((calls.forget, calls.Forget(what, clock() - seconds * SECOND)))
        for what, days in (
            ("line-texts", config.retention.line_text_days),
            ("line-events", config.retention.line_event_days),
        ):
            jobs.append((line.forget, calls.Forget(what, clock() - days * _DAY * SECOND)))
        before = clock() - config.retention.line_text_days * _DAY * SECOND
        await clean_up(store, [*jobs, (surveys.forget, before), (inbox.forget_notes, before)])

    async def count() -> None:
        state.calls_in_progress = await store.read(reader.in_progress)
        state.outbox = await store.read(outbox.waiting)
        await asyncio.sleep(5)

    async def keep_routes() -> None:
        await state.routes_dirty.wait()
        state.routes_dirty.clear()
        metrics.ensure(store.cache.advertisers)
        await asyncio.to_thread(state.save, store.cache)
        await asyncio.sleep(1)  # an apply in pieces is one snapshot

    return {
        "sweep": sweep,
        "retention": forget,
        "calls-in-progress": count,
        "routes": keep_routes,
        "loop-lag": metrics.watch_loop,
    }


async def clean_up(store: Store, jobs: Iterable[tuple[UseCase[int], Any]]) -> None:
    """Do each job, a use-case with its argument, until it finds nothing any more. One that fails is
    logged, and does not keep the others from being done.

    Raises:
        Transient: the store is away.
    """
    for use_case, argument in jobs:
        try:
            while await store.run(use_case, argument, Lane.BACKGROUND):
                pass  # a unit at a time, each behind the webhooks that wait
        except Permanent as error:
            _log.error("a clean-up failed", job=use_case.__module__, exc_info=error)


@asynccontextmanager
async def running(chores: dict[str, Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Run each chore again and again; one that fails is logged, and tried again a second later."""

    async def keep_doing(name: str, chore: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await chore()
            except Transient:
                await asyncio.sleep(1)  # the store says itself that it is away
            except Exception as error:  # noqa: BLE001 - the chore's fault is not the others' end
                _log.error("a chore failed", chore=name, exc_info=error)
                await asyncio.sleep(1)

    tasks = [asyncio.create_task(keep_doing(*item), name=item[0]) for item in chores.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
