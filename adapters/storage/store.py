"""The store: units wait in two lanes, one writer thread commits them in groups.

``await store.run(use_case, argument)`` queues a unit. The writer takes all that wait, runs them in
one transaction, commits once and wakes the loop once. So an answer is given only after its facts
are on disk, and one fsync serves many calls.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from adapters.storage.database import Away, Connection, Database, Rerun, Taken
from adapters.storage.provisioning import EntitiesInTransaction, RouteCache
from adapters.storage.readers import Readers
from adapters.storage.transaction import Statements, StoreTransaction
from adapters.storage.units import Unit
from gateway.domain.routing import TrackedNumber
from gateway.domain.values import EVERYBODY
from gateway.errors import GatewayError, Permanent, Refused, Transient, Trouble
from gateway.ports import Lane, Observer, UseCase

R = TypeVar("R")
E = TypeVar("E")

_log = logging.getLogger("gateway.store")

_RERUNS = 3
_WATCH_SECONDS = 0.05
_NOT_OPENED = "not opened yet"


class Limits:
    """How much the store takes on, and for how long anyone waits for it (seconds)."""

    def __init__(
        self,
        *,
        deadline: float = 1.5,
        waiting: int = 2_000,
        oldest: float = 1.0,
        batch: int = 256,
        closing: float = 3.0,
        look: float = 0.5,
    ) -> None:
        self.deadline = deadline
        self.waiting = waiting
        self.oldest = oldest
        self.batch = batch
        self.closing = closing
        self.look = look
        """How long an idle writer waits before it looks for new routes, or for the store."""


_Result = tuple[Unit, Any, BaseException | None]


class SqlStore:
    """See :class:`gateway.ports.Store`; open it with ``async with``."""

    def __init__(
        self,
        database: Database,
        *,
        observer: Observer,
        limits: Limits | None = None,
        cache: RouteCache | None = None,
        on_routes: Callable[[RouteCache], None] = lambda cache: None,
        public_url: str = "",
    ) -> None:
        self._database = database
        self._observer = observer
        self._limits = limits or Limits()
        self._on_routes = on_routes
        self._public_url = public_url
        self.on_effects: Callable[[], object] = lambda: None
        """Called on the loop after each transaction that asked for effects."""
        self.cache = cache or RouteCache()
        self.down: str | None = _NOT_OPENED
        """Why nothing can be stored at the moment, if so."""
        self.routes_checked = 0.0
        """When the route cache was last found equal to the store (seconds since 1970)."""
        self.start_number: int | None = None
        """Which start of a daemon on this store this is: a node number for ids, once known."""
        self._sql = Statements(database.dialect)
        self._webhooks: SimpleQueue[Unit | None] = SimpleQueue()
        self._background: SimpleQueue[Unit] = SimpleQueue()
        self._pending: deque[Unit] = deque()
        self._open = 0
        self._closing = False
        self._watching = False
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._readers = Readers(database)

    # --- on the loop ---

    async def __aenter__(self) -> "SqlStore":
        self._loop = asyncio.get_running_loop()
        self._first_try = asyncio.Event()
        self._thread.start()
        await self._first_try.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit all that waits, then close."""
        self._closing = True
        self._readers.close()  # first: SQLite tidies its journal away when a writer closes last
        self._webhooks.put(None)
        await asyncio.to_thread(self._thread.join, self._limits.closing)
        if self._thread.is_alive():
            _log.error("the store hangs: closing without it")

    async def run(self, use_case: UseCase[R], argument: Any, lane: Lane = Lane.WEBHOOK) -> R:
        if self.down is not None:
            raise Transient(Trouble.STORE_DOWN, self.down)
        if self._closing:
            raise Transient(Trouble.STORE_CLOSED)
        now = self._loop.time()
        future: asyncio.Future[R] = self._loop.create_future()
        unit = Unit(use_case, argument, lane, future, now)
        if lane is Lane.BACKGROUND:
            self._background.put(unit)
            self._webhooks.put(None)
            return await future
        if self._open >= self._limits.waiting or self.oldest_wait(now) > self._limits.oldest:
            raise Transient(Trouble.STORE_BUSY)
        self._open += 1
        self._pending.append(unit)
        if not self._watching:
            self._watching = True
            self._loop.call_later(_WATCH_SECONDS, self._watch)
        self._webhooks.put(unit)
        return await future

    async def read(self, query: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """``query(connection, …)`` in a transaction of one of two read-only connections.

        Raises:
            Transient: the store is away or closed, or the query took longer than two seconds.
        """
        return await self._readers.run(query, *args, **kwargs)

    def route(self, number: str) -> TrackedNumber | None:
        if not self.cache.loaded:
            raise Transient(Trouble.STORE_DOWN, "no routes were ever loaded")
        return self.cache.numbers.get(number)

    def entity(self, kind: type[E], key: str) -> E | None:
        if self.cache.version < 0:  # a snapshot holds routes alone
            raise Transient(Trouble.STORE_DOWN, "no settings were ever loaded")
        return EntitiesInTransaction(self.cache).find(EVERYBODY, kind, key)

    @property
    def waiting(self) -> int:
        """Webhooks that wait for their commit."""
        return self._open

    def oldest_wait(self, now: float | None = None) -> float:
        """Seconds that the oldest of them has waited."""
        pending = self._pending
        while pending and pending[0].settled:
            pending.popleft()
        if not pending:
            return 0.0
        return (self._loop.time() if now is None else now) - pending[0].since

    def _watch(self) -> None:
        """Give up what waits beyond the deadline.

        A unit in the queue is withdrawn, a running one abandoned: whoever waits spools the event,
        and repeating it does no harm. Where nobody waits any more, nobody spools: it stays queued.
        """
        while self.oldest_wait() >= self._limits.deadline:
            unit = self._pending.popleft()
            if not unit.future.done():
                unit.withdrawn = True
                self._finish(unit, None, Transient(Trouble.STORE_DEADLINE))
        self._watching = bool(self._pending)
        if self._watching:
            self._loop.call_later(_WATCH_SECONDS, self._watch)

    def _settle(self, results: list[_Result], seconds: float | None) -> None:
        """Back on the loop, once a batch: replies to those who wait, facts to the observer.

        ``seconds`` is what the transaction took, ``None`` where there was none.
        """
        for unit, reply, error in results:
            self._finish(unit, reply, error)
        # Last, so that nothing an observer does keeps a reply back; who waits goes on after this.
        if seconds is not None:
            self._observer.batch(len(results), seconds)
        for unit, _, _ in results:
            if unit.facts:
                self._observer.observe(unit.facts)

    def _finish(self, unit: Unit, reply: Any, error: BaseException | None) -> None:
        if unit.settled:
            return
        unit.settled = True
        if unit.lane is Lane.WEBHOOK:
            self._open -= 1
        if unit.future.done():
            return  # whoever waited has gone away
        if error is None:
            unit.future.set_result(reply)
        else:
            unit.future.set_exception(error)

    # --- in the writer thread ---

    def _work(self) -> None:
        self._probe()
        self._call_on_loop(self._first_try.set)
        while True:
            closing = self._closing  # read first: all that was queued before it is collected yet
            units = self._collect()
            if units:
                self._run(units)
            elif closing:
                break
            else:
                self._probe()
        self._drop_connection()

    def _collect(self) -> list[Unit]:
        """All webhooks that wait (up to a batch), then at most one unit of the background."""
        units: list[Unit] = []
        queue = self._webhooks
        wait = self._background.empty() and not self._closing
        with contextlib.suppress(Empty):
            unit = queue.get(block=wait, timeout=self._limits.look)
            while True:
                if unit is not None and not unit.withdrawn:
                    units.append(unit)
                    if len(units) >= self._limits.batch:
                        break
                unit = queue.get_nowait()
        with contextlib.suppress(Empty):
            units.append(self._background.get_nowait())
        return units

    def _probe(self) -> None:
        """Between batches: notice new routes, and whether the store is back."""
        was_up = self.down is None
        if not self._look() and was_up:
            self._look()  # a connection that died while nobody used it is replaced at once

    def _look(self) -> bool:
        """Whether the store takes writes."""
        try:
            if self._connection is None:
                self._connection = self._database.writer()
            tx = StoreTransaction(self._connection, self._sql, self.cache)
            if self.down is not None:
                # Reading works on a full disk, too; only a write tells.
                self._connection.run(self._sql.provisioning.touch)
            if self.start_number is None:
                self._connection.run(self._sql.provisioning.start)
                starts = self._connection.rows(self._sql.provisioning.starts)[0][0]
            self._connection.commit()
        except (Rerun, Transient):
            # Another has the store for himself, a migration maybe: it is busy, not away.
            if self._connection is not None:
                self._connection.rollback()
            return self.down is None
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look may find it gone
            self._gone(error)
            return False
        self.routes_checked = time.time()
        if self.start_number is None:
            self.start_number = starts
        if tx.routes_changed:
            self._tell_routes()
        if self.down is not None:
            self.down = None
            _log.info("the store takes writes")
        return True

    def _gone(self, error: Exception) -> None:
        if self.down is None or self.down == _NOT_OPENED:
            _log.error("the store is away: %s", error)
        self.down = str(error)  # before the connection is closed, which may take a while
        self._drop_connection()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.rollback()
            self._connection.close()
            self._connection = None

    def _tell_routes(self) -> None:
        try:
            self._on_routes(self.cache)
        except Exception:  # noqa: BLE001 - the transaction is committed, whatever comes of it
            _log.exception("whoever follows the routes failed")

    def _run(self, units: list[Unit]) -> None:
        if self.down is not None:
            self._fail(units, Transient(Trouble.STORE_DOWN, self.down))
            return
        started = time.perf_counter()
        taken: Taken | None = None
        for _ in range(1 + _RERUNS):
            taken = None
            try:
                results = self._attempt(units)
            except Rerun as lost:
                trouble = Transient(Trouble.STORE_CONFLICT, str(lost))
                taken = lost if isinstance(lost, Taken) else None
            except Away as error:
                trouble = Transient(Trouble.STORE_DOWN, str(error))
                self._gone(error)
                # At COMMIT it may have arrived: keys make running most of them again safe.
                self._fail([unit for unit in units if unit.is_over], trouble)
                units = [unit for unit in units if not unit.is_over]
                if not self._look():
                    break
            except Exception as error:  # noqa: BLE001 - the units' own: it goes to whoever waits
                self._run_alone(units, error)
                return
            else:
                if results:
                    self.routes_checked = time.time()
                    self._call_on_loop(self._settle, results, time.perf_counter() - started)
                return
        if taken is not None:
            # Who lost a race has seen the other's row by now: it is one unit's own id that is
            # taken, and neither its neighbours nor what is spooled behind it may wait for that.
            self._run_alone(units, taken)
        else:
            self._fail(units, trouble)

    def _run_alone(self, units: list[Unit], error: Exception) -> None:
        """After ``error``: each unit in a transaction of its own, so that one fails alone."""
        if len(units) > 1:
            for unit in units:
                self._run([unit])
        elif isinstance(error, GatewayError):
            self._fail(units, error)
        else:
            _log.warning("a unit failed alone: %s", type(error).__name__)
            self._fail(units, _fault(error))

    def _attempt(self, units: list[Unit]) -> list[_Result]:
        """All units in one transaction.

        A unit that refuses before its first write fails alone; any other error takes the whole
        transaction back.
        """
        # A unit that may have been committed runs again even if withdrawn: its facts are due.
        units = [unit for unit in units if unit.lost or not unit.withdrawn]
        if not units:
            return []
        if self._connection is None:
            raise Away("there is no connection")
        connection = self._connection
        try:
            tx = StoreTransaction(connection, self._sql, self.cache, self._public_url)
            tx.load([unit.argument for unit in units])
            results: list[_Result] = []
            for unit in units:
                writes = tx.writes
                unit.facts = ()
                try:
                    reply, unit.facts = unit.use_case(tx, unit.argument)
                    results.append((unit, reply, None))
                except Refused as refused:
                    if tx.writes != writes:
                        raise
                    results.append((unit, None, refused))
            tx.flush()
            self._commit(connection, results)
        except BaseException:
            connection.rollback()
            raise
        if tx.routes_changed:
            self._tell_routes()
        if tx.asked_for_effects:
            self._call_on_loop(self.on_effects)
        return results

    def _commit(self, connection: Connection, results: list[_Result]) -> None:
        try:
            connection.commit()
        except Away:
            for unit, _, error in results:
                unit.lost = unit.facts or unit.lost
                unit.is_over = unit.once and error is None
            raise
        for unit, _, error in results:
            # A repeat of what an unacknowledged COMMIT had kept after all: its facts are due.
            if unit.lost and not unit.facts and error is None:
                unit.facts = unit.lost

    def _fail(self, units: list[Unit], error: Exception) -> None:
        for unit in units:
            unit.facts = ()
        self._call_on_loop(self._settle, [(unit, None, error) for unit in units], None)

    def _call_on_loop(self, callback: Callable[..., object], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed without us: nobody waits
            self._loop.call_soon_threadsafe(callback, *args)


def _fault(error: Exception) -> Permanent:
    """A unit's own failure, without the driver's message: it may quote what was to be written."""
    fault = Permanent(Trouble.STORE_FAULT, type(error).__name__)
    fault.__cause__ = error
    return fault
