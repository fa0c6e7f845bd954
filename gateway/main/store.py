"""The store, for commands that run beside the daemon."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from adapters.storage import backup as backups
from adapters.storage import migrate as migrations
from adapters.storage.calls import CallReader
from adapters.storage.database import Away, Connection, Rerun
from adapters.storage.postgres import Postgres
from adapters.storage.provisioning import ProvisioningInTransaction, RouteCache
from adapters.storage.spool import resend_dead, waiting_in
from adapters.storage.sqlite import Sqlite
from adapters.storage.transaction import Statements, StoreTransaction
from gateway.config import Config
from gateway.domain.provisioning import Held
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Misconfigured, Permanent, Transient, Trouble
from gateway.ports import CallRecord, UseCase
from gateway.usecases import provisioning
from gateway.usecases.provisioning import Changes

R = TypeVar("R")


def database_of(config: Config) -> Sqlite | Postgres:
    """The engine that the configuration names; nothing is opened yet."""
    durability = config.storage.durability
    if config.storage.url.startswith("sqlite"):
        path = Path(config.storage.url.removeprefix("sqlite:///"))
        return Sqlite(path, durability=durability)
    return Postgres(config.storage.url, durability=durability, password=config.storage.password)


def migrate(config: Config) -> tuple[str | None, str]:
    """Bring the schema to this release; returns the versions before and after.

    Raises:
        Transient: the server cannot be asked.
    """
    database = database_of(config)
    if isinstance(database, Sqlite):
        database.create()
    with _translated():
        return migrations.migrate(_engine(database))


def check_schema(config: Config) -> None:
    """Refuse a store whose schema is not this release's, or which is not there.

    Raises:
        Misconfigured: with what to do.
        Transient: the server cannot be asked.
    """
    database = database_of(config)
    if isinstance(database, Sqlite) and not database.path.exists():
        raise Misconfigured([f"{database.path}: there is no store yet: run `gateway migrate`"])
    with _translated():
        migrations.check(_engine(database))


def is_disk_at_fault(error: Transient) -> bool:
    """Whether SQLite could not be asked because its disk is full or fails: on a full one it cannot
    make the files beside the store that it needs for reading, either.
    """
    cause = error.__cause__
    code = getattr(cause.orig, "sqlite_errorcode", 0) if isinstance(cause, DBAPIError) else 0
    return code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def execute(config: Config, use_case: UseCase[R], argument: Any, *, settings: bool = False) -> R:
    """Run a use-case beside the daemons, in a transaction of its own.

    It sees what is provisioned only where ``settings`` says so: to read all of that takes a
    moment, and most commands do without it.

    Raises:
        Refused: the use-case refused; nothing was written.
        Transient: the store is away, or a daemon was faster.
    """
    with connected(config) as (connection, sql):
        cache = RouteCache()
        if settings:
            cache.refresh(connection, sql.provisioning)  # here, where no webhook waits for it
            connection.rollback()
        else:  # as if it held the version that stands: else the transaction would read it all
            held = ProvisioningInTransaction(connection, sql.provisioning)
            cache.version = held.version(EVERYBODY)
        tx = StoreTransaction(connection, sql, cache)
        reply, _ = use_case(tx, argument)
        tx.flush()
        connection.commit()
    return reply


def apply(config: Config, changes: Changes) -> int:
    """Write a difference; works beside a running daemon, which takes it up within a second.

    Raises:
        Transient: another was faster, or the store is away.
    """
    with connected(config) as (connection, sql):
        cache = RouteCache()
        cache.version = changes.base_version  # the daemons wait: all routes are not read again
        tx = StoreTransaction(connection, sql, cache)
        version, _ = provisioning.apply(tx, changes)
        tx.flush()
        connection.commit()
    return version


def provisioned(config: Config) -> "Provisioned":
    """The version of the provisioning, and all entities by table and key.

    Read outside of any transaction that daemons would wait for, the version first: whoever
    applies to it is refused where another came between.
    """
    with connected(config) as (connection, sql):
        held = ProvisioningInTransaction(connection, sql.provisioning)
        return held.version(EVERYBODY), held.everything(EVERYBODY)


def list_calls(
    config: Config, scope: Scope, *, since: int, limit: int | None
) -> Iterator[CallRecord]:
    """Calls, oldest first; read in pages, beside a running daemon."""
    with beside(config) as connection:
        reader = CallReader(database_of(config).dialect)
        yield from reader.every(connection, scope, since=since, limit=limit)


def backup(config: Config, destination: Path, progress: Callable[[int, int], None]) -> None:
    """See :func:`adapters.storage.backup.backup`."""
    with _translated():
        backups.backup(database_of(config), destination, progress)


def restore(config: Config, source: Path) -> Path | None:
    """See :func:`adapters.storage.backup.restore`."""
    with _translated():
        return backups.restore(database_of(config), source)


def spooled_events(config: Config) -> int:
    """How many events wait in spool files of daemons that are not running."""
    return waiting_in(spool_folder(config))


def resend_spool(config: Config) -> int:
    """Hand dead events to the daemon once more; returns how many."""
    return resend_dead(spool_folder(config))


def spool_folder(config: Config) -> Path:
    """Where the spool files lie."""
    return config.storage.state_dir / "spool"


Provisioned = tuple[int, Held]


@contextmanager
def connected(config: Config) -> Iterator[tuple[Connection, Statements]]:
    """A command's connection; what is not committed in it is rolled back."""
    database = database_of(config)
    with _translated():
        connection = database.writer()
        try:
            yield connection, Statements(database.dialect)
        finally:
            connection.rollback()
            connection.close()


@contextmanager
def beside(config: Config) -> Iterator[Connection]:
    """A command's connection to read by, beside the daemons."""
    database = database_of(config)
    with _translated():
        connection = database.reader()
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def _translated() -> Iterator[None]:
    """The engines' errors as the gateway's own."""
    try:
        yield
    except Rerun as error:
        raise Transient(Trouble.STORE_CONFLICT, str(error)) from error
    except Away as error:
        raise Transient(Trouble.STORE_DOWN, str(error)) from error
    except DBAPIError as error:
        raise Transient(Trouble.STORE_DOWN, str(error.orig).partition("\n")[0]) from error
    except psycopg.Error as error:  # rights that are missing, for example
        raise Permanent(Trouble.STORE_FAULT, str(error).partition("\n")[0]) from error


def _engine(database: Sqlite | Postgres) -> Engine:
    password = database.password if isinstance(database, Postgres) else None
    return migrations.engine_for(database.url, password)
