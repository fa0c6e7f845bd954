"""PostgreSQL 15 or later: the store that several processes share."""

import contextlib
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors
from sqlalchemy.dialects.postgresql import psycopg as dialects
from sqlalchemy.engine import Dialect, make_url

from adapters.storage.database import Away, Bulk, Prepared, Rerun
from gateway.errors import Misconfigured

_WRITER = (
    "-c lock_timeout=500 -c statement_timeout=1000 -c idle_in_transaction_session_timeout=5000"
)
_READER = "-c statement_timeout=2000 -c default_transaction_read_only=on"
_LEAST_VERSION = 150000


class PostgresConnection:
    """One connection to the server; see :class:`adapters.storage.database.Connection`."""

    def __init__(self, conninfo: dict[str, Any], options: str) -> None:
        try:
            self._psycopg = psycopg.connect(
                **conninfo,
                options=options,
                connect_timeout=1,
                tcp_user_timeout=1500,
                keepalives_idle=1,
                keepalives_interval=1,
                keepalives_count=2,
                prepare_threshold=1,
            )
        except psycopg.Error as error:
            raise Away(_one_line(error)) from error

    def begin(self) -> None:
        """Psycopg begins with the first statement, which saves a round trip."""

    def rows(self, prepared: Prepared, **parameters: Any) -> list[tuple[Any, ...]]:
        return self._execute(prepared, parameters).fetchall()

    def run(self, prepared: Prepared, **parameters: Any) -> int:
        return self._execute(prepared, parameters).rowcount

    def write(self, writes: Sequence[tuple[Bulk, list[tuple[Any, ...]]]]) -> None:
        try:
            with self._psycopg.pipeline():
                cursors = [
                    self._psycopg.execute(bulk.sql, [list(c) for c in zip(*rows, strict=True)])
                    for bulk, rows in writes
                ]
        except psycopg.Error as error:
            raise _translated(error) from error
        for cursor, (_, rows) in zip(cursors, writes, strict=True):
            if cursor.rowcount != len(rows):
                raise Rerun("a row was there already")

    def commit(self) -> None:
        try:
            self._psycopg.commit()
        except psycopg.Error as error:
            raise _translated(error) from error

    def rollback(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self._psycopg.rollback()

    def close(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self._psycopg.close()

    def _execute(self, prepared: Prepared, parameters: dict[str, Any]) -> psycopg.Cursor[Any]:
        try:
            return self._psycopg.execute(prepared.sql, prepared.values(parameters))
        except psycopg.Error as error:
            raise _translated(error) from error


class Postgres:
    """The engine behind a ``postgresql://`` URL; see :class:`adapters.storage.database.Database`."""

    def __init__(self, url: str, *, durability: str, password: str | None = None) -> None:
        self.dialect: Dialect = dialects.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this one untyped
        parsed = make_url(url)
        self.password = password or parsed.password
        self.url = parsed.set(drivername="postgresql+psycopg", password=None).render_as_string()
        self.conninfo: dict[str, Any] = {
            "host": parsed.host,
            "port": parsed.port,
            "user": parsed.username,
            "password": self.password,
            "dbname": parsed.database,
            **parsed.query,
        }
        self._durability = durability

    def writer(self) -> PostgresConnection:
        commit = "on" if self._durability == "full" else "off"
        return PostgresConnection(self.conninfo, f"{_WRITER} -c synchronous_commit={commit}")

    def reader(self) -> PostgresConnection:
        return PostgresConnection(self.conninfo, _READER)

    def guard(self) -> None:
        try:
            with psycopg.connect(**self.conninfo, connect_timeout=2) as connection:
                version = connection.info.server_version
                off = [
                    setting
                    for setting in ("fsync", "full_page_writes", "synchronous_commit")
                    if connection.execute(f"SHOW {setting}").fetchone() == ("off",)
                ]
        except psycopg.OperationalError:
            return  # a start with the database down forwards from the snapshot; checked again later
        problems = []
        if version < _LEAST_VERSION:
            problems.append(f"PostgreSQL {version // 10000} is too old: 15 or later is needed")
        if off and self._durability == "full":
            problems.append(
                f"[storage] durability = full, but the server has {', '.join(off)} off: "
                'switch that on, or say durability = "normal"'
            )
        if problems:
            raise Misconfigured(problems)

    def release(self) -> None:
        """Nothing is held."""


def _translated(error: psycopg.Error) -> Exception:
    """``error`` as what the store distinguishes."""
    if isinstance(error, (errors.DeadlockDetected, errors.SerializationFailure)):
        return Rerun(_one_line(error))
    away = (
        errors.AdminShutdown,
        errors.CrashShutdown,
        errors.CannotConnectNow,
        errors.DiskFull,
        errors.TooManyConnections,
        errors.ReadOnlySqlTransaction,
    )
    if isinstance(error, away):
        return Away(_one_line(error))
    if error.sqlstate is None and isinstance(error, psycopg.OperationalError):
        return Away(_one_line(error))  # the connection itself: no server answered with a code
    return error


def _one_line(error: psycopg.Error) -> str:
    """The message without its second lines, which may quote data."""
    return str(error).partition("\n")[0]
