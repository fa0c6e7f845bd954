"""SQLite: the embedded store of one process, in WAL mode."""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.engine import Dialect

from adapters.storage.checkpoint import Checkpointer
from adapters.storage.database import Away, Bulk, Prepared, Rerun, Taken
from gateway.errors import Misconfigured, Transient, Trouble

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
_BUSY_SECONDS = 1.0
_PATIENT_SECONDS = 10.0
"""A webhook cannot wait long for the lock; a command beside a busy daemon can, and nobody in
SQLite's queue has a turn: whoever asks at the right moment gets it."""
_encode = msgspec.json.encode


class SqliteConnection:
    """One connection to the file; see :class:`adapters.storage.database.Connection`."""

    def __init__(
        self, path: str, *, durability: str, read_only: bool = False, lasting: bool = False
    ) -> None:
        """``lasting``: the daemon's writer, whose checkpoints are made beside it."""
        self._checkpointer: Checkpointer | None = None
        self._rows = 0
        try:
            patience = _BUSY_SECONDS if lasting or read_only else _PATIENT_SECONDS
            self._sqlite = _connect(path, "ro" if read_only else "rw", patience)
            self._begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"
            if read_only:
                self._sqlite.execute("PRAGMA query_only = 1")
                self._sqlite.set_progress_handler(self._too_long, 10_000)
            else:
                self._sqlite.execute("PRAGMA journal_mode = WAL")
                self._sqlite.execute(f"PRAGMA synchronous = {durability}")
                self._sqlite.execute("PRAGMA cache_size = -65536")
            if lasting:
                self._checkpointer = Checkpointer(
                    self._sqlite, lambda: _connect(path, "rw", patience)
                )
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
                    raise Taken("a row was there already")
                self._rows += len(rows)
        except sqlite3.Error as error:
            raise _translated(error) from error

    def commit(self) -> None:
        self._execute("COMMIT")
        if self._checkpointer is not None:
            self._checkpointer.committed(self._rows)
            self._rows = 0

    def rollback(self) -> None:
        if self._sqlite.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._sqlite.execute("ROLLBACK")

    def close(self) -> None:
        if self._checkpointer is not None:
            self._checkpointer.close()
        with contextlib.suppress(sqlite3.Error):
            self._sqlite.close()

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._sqlite.execute(sql, parameters)
        except sqlite3.Error as error:
            raise _translated(error) from error

    def _too_long(self) -> int:
        return time.monotonic() > self._until


def _connect(path: str, mode: str, patience: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(path)}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=patience,
        cached_statements=256,
        check_same_thread=False,  # closed by the thread that ends the store
    )


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
        os.close(_open_private(str(self.path)))

    def writer(self) -> SqliteConnection:
        # Who holds the guard is the daemon; commands make a few commits and close.
        lasting = self._lock is not None
        return SqliteConnection(str(self.path), durability=self._durability, lasting=lasting)

    def reader(self) -> SqliteConnection:
        return SqliteConnection(str(self.path), durability=self._durability, read_only=True)

    def guard(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = _open_private(f"{self.path}.lock")
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


def _open_private(path: str) -> int:
    """Open a file, made if need be, for its owner alone: whatever the umask, whoever made it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


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
    if code == sqlite3.SQLITE_INTERRUPT:
        return Transient(Trouble.STORE_DEADLINE, f"a read took over {_READ_SECONDS:.0f} s")
    if code & 0xFF in _RERUN:
        return Rerun(str(error))
    if code & 0xFF in _AWAY:
        return Away(str(error))
    return error
