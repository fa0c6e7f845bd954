"""Both engines behind one face, stores on them, and connections that fail on purpose."""

import asyncio
import functools
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec

import psycopg
import pytest
from sqlalchemy.engine import Dialect

from adapters.storage.calls import CallReader
from adapters.storage.database import Bulk, Connection, Database, Prepared
from adapters.storage.migrate import engine_for, migrate
from adapters.storage.postgres import Postgres
from adapters.storage.provisioning import RouteCache
from adapters.storage.schema import metadata
from adapters.storage.sqlite import Sqlite
from adapters.storage.store import Limits, SqlStore
from adapters.storage.transaction import Statements, StoreTransaction
from gateway.domain.calls import Settled
from gateway.domain.provisioning import Entity
from gateway.domain.routing import TrackedNumber
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import EVERYBODY, Scope
from gateway.ports import CallRecord, Fact
from tests.support.postgres import fresh_database

P = ParamSpec("P")

PATIENCE = 60.0
"""Seconds that a test waits for what should happen at once, on a busy machine."""

ACME = Advertiser("acme", "Acme")
OTHER = Advertiser("other", "Other")
FLYER = TrackedNumber(
    "+815031000001",
    "acme",
    "flyer",
    ("+81312345678", "+819012345678"),
    min_talk_seconds=30,
)
SIGN = TrackedNumber("+815031000002", "other", "sign", ("+81312345679",))


def on_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that is a coroutine, run to its end on a loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until ``condition`` holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(0.002)


def limits(**changed: Any) -> Limits:
    """The limits of a store that looks around quickly while it is idle, and gives nobody up
    because the machine is slow: a test of a limit says so.
    """
    patient = dict.fromkeys(("deadline", "oldest", "closing"), PATIENCE)
    return Limits(**{"look": 0.02, **patient, **changed})


PATIENT = limits()
"""Limits for tests that are about something else."""


# --- engines ---


def dialect_of(name: str) -> Dialect:
    """The dialect of an engine; statements are compiled for it once, as compiling takes long."""
    if name == "sqlite":
        return Sqlite(Path("nowhere"), durability="full").dialect
    return Postgres("postgresql://nowhere/none", durability="full").dialect


@functools.cache
def statements_of(name: str) -> Statements:
    """All statements of an engine."""
    return Statements(dialect_of(name))


@functools.cache
def reader_of(name: str) -> CallReader:
    """What reads calls from an engine."""
    return CallReader(dialect_of(name))


@dataclass
class Engine:
    """One of the two engines with a migrated store: two advertisers with a number each."""

    name: str
    make: Callable[[], Sqlite | Postgres]

    def database(self) -> Sqlite | Postgres:
        """A database of its own, as another process has it."""
        return self.make()

    def store(
        self,
        observer: "Recorder | None" = None,
        database: Database | None = None,
        **options: Any,
    ) -> SqlStore:
        """A store that is yet to be opened."""
        options.setdefault("limits", limits())
        return SqlStore(database or self.database(), observer=observer or Recorder(), **options)

    def records(self, scope: Scope = EVERYBODY, *, since: int = 0) -> list[CallRecord]:
        """All calls, oldest first."""
        with closing(self.database().reader()) as connection:
            every = reader_of(self.name).every
            return list(every(connection, scope, since=since, limit=None))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the engine itself answers to ``sql``, with a connection of its own."""
        with closing(self.raw()) as connection:
            return list(connection.execute(sql).fetchall())

    def raw(self) -> "sqlite3.Connection | psycopg.Connection[Any]":
        """The driver's own connection, in autocommit."""
        database = self.database()
        if isinstance(database, Sqlite):
            return sqlite3.connect(database.path, isolation_level=None, timeout=5.0)
        return psycopg.connect(**database.conninfo, autocommit=True)

    def sizes(self) -> dict[str, int]:
        """The number of rows in each table."""
        names = sorted(metadata.tables)
        counts = ", ".join(f"(SELECT count(*) FROM {name})" for name in names)
        return dict(zip(names, self.rows(f"SELECT {counts}")[0], strict=True))

    def provision(self, *entities: Entity, removed: Sequence[Entity] = ()) -> int:
        """Write entities as a command does; returns the version."""
        with closing(self.database().writer()) as connection:
            tx = StoreTransaction(connection, statements_of(self.name), RouteCache())
            version = tx.provisioning.write(EVERYBODY, entities, removed)
            connection.commit()
        return version


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated and provisioned SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "gateway.db"
    database = Sqlite(path, durability="full")
    database.create()
    migrate(engine_for(database.url))
    Engine("sqlite", lambda: database).provision(ACME, OTHER, FLYER, SIGN)
    return path


@pytest.fixture(scope="session")
def postgres_schema(postgres: str) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database, to be emptied before each test."""
    with fresh_database(postgres) as url:
        migrate(engine_for(Postgres(url, durability="full").url))
        yield url


def sqlite_engine(template: Path, folder: Path) -> Engine:
    """A store in a file of its own in ``folder``."""
    path = folder / "gateway.db"
    shutil.copy(template, path)
    return Engine("sqlite", lambda: Sqlite(path, durability="full"))


def postgres_engine(url: str) -> Engine:
    """A store in the migrated database at ``url``, as after ``gateway migrate``."""
    engine = Engine("postgres", lambda: Postgres(url, durability="full"))
    with psycopg.connect(url, autocommit=True) as connection:
        emptied = [name for name in metadata.tables if name != "provisioning_version"]
        # Much faster than TRUNCATE, which makes new files.
        connection.execute("; ".join(f"DELETE FROM {name}" for name in emptied))
        connection.execute("UPDATE provisioning_version SET version = 0, starts = 0")
    engine.provision(ACME, OTHER, FLYER, SIGN)
    return engine


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> Engine:
    """Both engines, one after the other."""
    if request.param == "sqlite":
        return sqlite_engine(sqlite_template, tmp_path)
    return postgres_engine(request.getfixturevalue("postgres_schema"))


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> Engine:
    """SQLite alone."""
    return sqlite_engine(sqlite_template, tmp_path)


@pytest.fixture
def postgresql(postgres: str, postgres_schema: str) -> Engine:
    """PostgreSQL alone; ``postgres`` is named so that the test is marked."""
    return postgres_engine(postgres_schema)


# --- who watches ---


@dataclass
class Recorder:
    """An observer that keeps what it is told."""

    facts: list[Fact] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    @property
    def settled(self) -> list[Settled]:
        """The settlements among the facts."""
        return [fact for fact in self.facts if isinstance(fact, Settled)]

    def observe(self, facts: Sequence[Fact]) -> None:
        self.facts += facts

    def batch(self, units: int, seconds: float) -> None:
        self.batches.append(units)

    def webhook(self, provider: str, route: str, status: int, seconds: float) -> None:
        pass

    def refused(self, provider: str, route: str, reason: str) -> None:
        pass

    def spooled(self, provider: str, route: str, reason: str) -> None:
        pass


# --- what fails ---


class Gate:
    """A use-case that holds the writer until it is let go."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._open = threading.Event()

    def __call__(self, *_: object) -> tuple[None, tuple[()]]:
        self._entered.set()
        assert self._open.wait(PATIENCE), "the gate was never opened"
        return None, ()

    async def entered(self) -> None:
        """Wait until the writer stands in the gate."""
        await eventually(self._entered.is_set)

    def let_go(self) -> None:
        """Open the gate for good."""
        self._open.set()


class Faulty:
    """A database whose connections do what a test wants before and after the engine's own work.

    Keys are the methods of :class:`adapters.storage.database.Connection`, and ``writer`` and
    ``reader``.
    """

    def __init__(self, inner: Database) -> None:
        self._inner = inner
        self.dialect = inner.dialect
        self.url = inner.url
        self.before: dict[str, Callable[[], object]] = {}
        self.after: dict[str, Callable[[], object]] = {}

    def writer(self) -> Connection:
        self.do(self.before, "writer")
        return _FaultyConnection(self, self._inner.writer())

    def reader(self) -> Connection:
        self.do(self.before, "reader")
        return _FaultyConnection(self, self._inner.reader())

    def guard(self) -> None:
        self._inner.guard()

    def release(self) -> None:
        self._inner.release()

    def do(self, hooks: dict[str, Callable[[], object]], name: str) -> None:
        """Call the hook of ``name``, if any."""
        if hook := hooks.get(name):
            hook()


class _FaultyConnection:
    def __init__(self, database: Faulty, inner: Connection) -> None:
        self._database = database
        self._inner = inner

    def begin(self) -> None:
        with self._around("begin"):
            self._inner.begin()

    def rows(self, prepared: Prepared, **parameters: Any) -> list[tuple[Any, ...]]:
        with self._around("rows"):
            return self._inner.rows(prepared, **parameters)

    def run(self, prepared: Prepared, **parameters: Any) -> int:
        with self._around("run"):
            return self._inner.run(prepared, **parameters)

    def write(self, writes: Sequence[tuple[Bulk, list[tuple[Any, ...]]]]) -> None:
        with self._around("write"):
            self._inner.write(writes)

    def commit(self) -> None:
        with self._around("commit"):
            self._inner.commit()

    def rollback(self) -> None:
        self._inner.rollback()

    def close(self) -> None:
        self._inner.close()

    @contextmanager
    def _around(self, name: str) -> Iterator[None]:
        self._database.do(self._database.before, name)
        yield
        self._database.do(self._database.after, name)


def times(count: int, error: Exception) -> Callable[[], None]:
    """A hook that raises ``error`` the first ``count`` times."""
    left = iter(range(count))

    def hook() -> None:
        if next(left, None) is not None:
            raise error

    return hook


_WAITS = """SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'"""


def wait_for_a_lock(engine: Engine, thread: threading.Thread) -> None:
    """Until somebody waits for a lock of PostgreSQL's, or the thread is through."""
    end = time.monotonic() + PATIENCE
    while thread.is_alive() and not engine.rows(_WAITS):
        assert time.monotonic() < end, "nobody waits for a lock"
        thread.join(0.05)
