"""SQLite: the embedded store of one process, in WAL mode."""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.engine import Dialect

from adapters.storage.database import Away, Bulk, Prepared, Rerun
from gateway.errors import Misconfigured

_AWAY = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
}
_RERUN = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

_READ_SECONDS = 2.0
_encode = msgspec.json.encode


class SqliteConnection:
    """One connection to the file; see :class:`adapters.storage.database.Connection`."""

    def __init__(self, path: str, *, durability: str, read_only: bool) -> None:
        try:
            self._sqlite = sqlite3.connect(
                f"file:{path}?mode={'ro' if read_only else 'rw'}",
                uri=True,
                isolation_level=None,
                timeout=1.0,
                cached_statements=256,
                check_same_thread=False,  # closed by the thread that ends the store
            )
            self._begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"
            if read_only:
                self._sqlite.execute("PRAGMA query_only = 1")
                self._sqlite.set_progress_handler(self._too_long, 10_000)
            else:
                self._sqlite.execute("PRAGMA journal_mode = WAL")
                self._sqlite.execute(f"PRAGMA synchronous = {durability}")
                self._sqlite.execute("PRAGMA cache_size = -65536")
        except sqlite3.Error as error:
            raise _translated(error) from error
        self._until = 0.0

    def begin(self) -> None:
        self._until = time.monotonic() + _READ_SECONDS
        self._execute(self._begin)

    def rows(self, prepared: Prepared, **parameters: Any) -> list[tuple[Any, ...]]:
        return self._execute(prepared.sql, _given(prepared, parameters)).fetchall()

    def run(self, prepared: Prepared, **parameters: Any) -> int:
        return self._execute(prepared.sql, _given(prepared, parameters)).rowcount

    def write(self, writes: Sequence[tuple[Bulk, list[tuple[Any, ...]]]]) -> None:
        try:
            for bulk, rows in writes:
                if self._sqlite.executemany(bulk.sql, rows).rowcount != len(rows):
                    raise Rerun("a row was there already")
        except sqlite3.Error as error:
            raise _translated(error) from error

    def commit(self) -> None:
        self._execute("COMMIT")

    def rollback(self) -> None:
        if self._sqlite.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._sqlite.execute("ROLLBACK")

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._sqlite.close()

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._sqlite.execute(sql, parameters)
        except sqlite3.Error as error:
            raise _translated(error) from error

    def _too_long(self) -> int:
        return time.monotonic() > self._until


class Sqlite:
    """The engine of one file; see :class:`adapters.storage.database.Database`."""

    def __init__(self, path: Path, *, durability: str) -> None:
        self.dialect: Dialect = dialects.dialect(paramstyle="qmark")
        self.url = f"sqlite:///{path}"
        self.path = path
        self._durability = durability
        self._lock: int | None = None

    def create(self) -> None:
        """Make the empty file, for its owner alone; SQLite gives its journal the same mode."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def writer(self) -> SqliteConnection:
        return SqliteConnection(str(self.path), durability=self._durability, read_only=False)

    def reader(self) -> SqliteConnection:
        return SqliteConnection(str(self.path), durability=self._durability, read_only=True)

    def guard(self) -> None:
        descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            problem = (
                f"{self.path} is used by another daemon: stop that one first, "
                "or use PostgreSQL, which several processes share"
            )
            raise Misconfigured([problem]) from None
        self._lock = descriptor

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _given(prepared: Prepared, parameters: dict[str, Any]) -> list[Any]:
    """Parameters in their order; a list goes as JSON, which ``json_each`` opens again."""
    return [
        _encode(value).decode() if isinstance(value, list) else value
        for value in prepared.values(parameters)
    ]


def _translated(error: sqlite3.Error) -> Exception:
    """``error`` as what the store distinguishes; an extended code keeps its primary one below."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return error
    if code & 0xFF in _RERUN:
        return Rerun(str(error))
    if code & 0xFF in _AWAY:
        return Away(str(error))
    return error
