"""PostgreSQL 15 or later: the store that several processes share."""

import contextlib
from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy.dialects.postgresql import psycopg as dialects
from sqlalchemy.engine import Dialect, make_url

from adapters.storage.database import Away, Bulk, Prepared, Rerun, Taken
from gateway.errors import Misconfigured, Transient, Trouble

_WRITER = (
    "-c lock_timeout=500 -c statement_timeout=1000 -c idle_in_transaction_session_timeout=5000"
    " -c default_transaction_isolation=read\\ committed"
)
_READER = "-c statement_timeout=2000 -c default_transaction_read_only=on"
_LEAST_VERSION = 150000

# SQLSTATEs, or the beginnings of whole classes.
# Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
_RERUN = ("40",)  # transaction rollback: deadlock, serialization failure
_LATE = {"55P03": Trouble.STORE_CONFLICT, "57014": Trouble.STORE_DEADLINE}  # our two timeouts
_AWAY = (
    "08",  # connection exception
    "25006",  # the server is a standby
    "25P03",  # idle_in_transaction_session_timeout
    "53",  # insufficient resources: disk, memory, connections
    "57P",  # shut down, starting up
    "58",  # its own disk fails
)


WRITER_NAME = "tsunagi-writer"
"""How writers are called in the server's list of connections."""

_WRITERS = Prepared(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = %s",
    names=("name",),
    constants={"name": WRITER_NAME},
)

_SETTINGS_OFF = Prepared(
    "SELECT name FROM pg_settings WHERE setting = 'off'"
    " AND name IN ('fsync', 'full_page_writes', 'synchronous_commit')",
    names=(),
    constants={},
)


class PostgresConnection:
    """One connection to the server; see :class:`adapters.storage.database.Connection`."""

    def __init__(self, conninfo: dict[str, Any], options: str, name: str = "tsunagi") -> None:
        try:
            self._psycopg = psycopg.connect(
                **{
                    **conninfo,
                    "options": options,
                    "application_name": name,
                    "connect_timeout": 1,  # psycopg makes it 2, as libpq does
                    "tcp_user_timeout": 1500,
                    "keepalives_idle": 1,
                    "keepalives_interval": 1,
                    "keepalives_count": 2,
                    "prepare_threshold": 1,
                }
            )
        except psycopg.Error as error:
            raise Away(_one_line(error)) from error

    def forbids(self, durability: str) -> list[str]:
        """Why this server is not fit for ``durability``, if so.

        Raises:
            Away: it does not answer.
        """
        problems = []
        version = self._psycopg.info.server_version
        if version < _LEAST_VERSION:
            problems.append(f"PostgreSQL {version // 10000} is too old: 15 or later is needed")
        off = ", ".join(name for (name,) in self.rows(_SETTINGS_OFF))
        self.rollback()
        if off and durability == "full":
            problems.append(
                f"[storage] durability = full, but the server has {off} off: "
                'switch that on, or say durability = "normal"'
            )
        return problems

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
                raise Taken("a row was there already")

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
    """The server behind a ``postgresql://`` URL; see :class:`adapters.storage.database.Database`.

    A server that did not answer :meth:`guard` is asked again by :meth:`writer`.
    """

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
        options = f"{_WRITER} -c synchronous_commit={commit}"
        connection = PostgresConnection(self.conninfo, options, WRITER_NAME)
        try:
            if problems := connection.forbids(self._durability):
                raise Away("; ".join(problems))
        except BaseException:
            connection.close()
            raise
        return connection

    def reader(self) -> PostgresConnection:
        return PostgresConnection(self.conninfo, _READER)

    def has_writers(self) -> bool:
        """Whether daemons, or commands that write, are connected at the moment."""
        connection = self.reader()
        try:
            return bool(connection.rows(_WRITERS)[0][0])
        finally:
            connection.close()

    def guard(self) -> None:
        try:
            connection = self.reader()
        except Away:
            return  # a start with the server down forwards from the snapshot
        try:
            problems = connection.forbids(self._durability)
        except Away:
            return
        finally:
            connection.close()
        if problems:
            raise Misconfigured(problems)

    def release(self) -> None:
        """Nothing is held."""


def _translated(error: psycopg.Error) -> Exception:
    """``error`` as what the store distinguishes."""
    state, said = error.sqlstate, _one_line(error)
    if state is None:
        # The connection itself: no server answered with a code.
        return Away(said) if isinstance(error, psycopg.OperationalError) else error
    if state.startswith(_RERUN):
        return Rerun(said)
    if state in _LATE:
        return Transient(_LATE[state], said)
    return Away(said) if state.startswith(_AWAY) else error


def _one_line(error: psycopg.Error) -> str:
    """The message without its second lines, which may quote data."""
    return str(error).partition("\n")[0]
