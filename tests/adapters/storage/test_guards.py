"""What the engines refuse to start on, and how they translate what their drivers raise."""

import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.storage.calls import CallReader
from adapters.storage.database import Away, Prepared, Rerun, reading
from adapters.storage.migrate import engine_for, migrate
from adapters.storage.postgres import WRITER_NAME, Postgres, PostgresConnection, _translated
from adapters.storage.sqlite import Sqlite
from gateway.errors import Misconfigured, Transient, Trouble
from gateway.usecases.calls import record
from tests.support.calls import incoming, new_sid, voice
from tests.support.postgres import running_server
from tests.support.stores import Engine, Recorder, on_a_loop

# --- SQLite ---


@pytest.mark.parametrize("umask", [0, 0o022, 0o277])
def test_files_are_for_their_owner_alone(tmp_path: Path, umask: int) -> None:
    """Database, journal, shared memory and lock are 0600, whatever the umask."""
    (tmp_path / "var").mkdir()  # a folder made under such a umask could not be entered
    former = os.umask(umask)
    try:
        database = Sqlite(tmp_path / "var" / "gateway.db", durability="full")
        database.create()
        migrate(engine_for(database.url))
        database.guard()

        async def call() -> None:
            async with Engine("sqlite", lambda: database).store() as store:
                await store.run(lambda tx, _: (tx.provisioning.version(_), ()), None)
                modes = {
                    file.name: oct(stat.S_IMODE(file.stat().st_mode))
                    for file in database.path.parent.iterdir()
                }
                assert modes == {
                    f"gateway.db{end}": "0o600" for end in ("", "-wal", "-shm", ".lock")
                }

        asyncio.run(call())
        database.release()
    finally:
        os.umask(former)


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    """`gateway migrate` mends what somebody made by hand."""
    database = Sqlite(tmp_path / "gateway.db", durability="full")
    database.path.touch(0o644)
    database.create()
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600


def test_a_second_daemon_on_one_file_is_refused(tmp_path: Path) -> None:
    """Until the first one has ended."""
    first, second = (Sqlite(tmp_path / "gateway.db", durability="full") for _ in range(2))
    first.guard()
    with pytest.raises(Misconfigured, match="is used by another daemon: stop that one first"):
        second.guard()
    first.release()
    second.guard()
    second.release()


@on_a_loop
async def test_a_closed_store_is_one_file(sqlite: Engine) -> None:
    """The journal is gone, whoever read meanwhile: the file alone is the whole store."""
    async with sqlite.store() as store:
        await store.read(CallReader(sqlite.database().dialect).in_progress)
        await store.run(record, incoming(voice(new_sid())))
    path = sqlite.database().path  # type: ignore[union-attr]
    assert [file.name for file in path.parent.iterdir()] == ["gateway.db"]


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
def test_durability_is_what_was_configured(
    sqlite: Engine, durability: str, synchronous: int
) -> None:
    """The journal is write-ahead, synced at each commit or at each checkpoint."""
    path = sqlite.database().path  # type: ignore[union-attr]
    with closing(Sqlite(path, durability=durability).writer()) as connection:
        pragmas = [
            connection.rows(Prepared(f"PRAGMA {name}", (), {}))[0][0]
            for name in ("journal_mode", "synchronous")
        ]
    assert pragmas == ["wal", synchronous]


def test_a_path_is_taken_as_it_is_written(tmp_path: Path) -> None:
    """Characters that mean something in a URI mean nothing in a path."""
    database = Sqlite(tmp_path / "100% of?calls#1.db", durability="full")
    database.create()
    migrate(engine_for(database.url))
    with closing(database.reader()) as connection, reading(connection):
        assert CallReader(database.dialect).in_progress(connection) == 0
    assert database.path.stat().st_size > 0


def test_a_file_that_is_not_there_is_away(tmp_path: Path) -> None:
    """And it is not made by looking for it."""
    database = Sqlite(tmp_path / "gateway.db", durability="full")
    for connect in (database.writer, database.reader):
        with pytest.raises(Away, match="unable to open"):
            connect()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_away(tmp_path: Path) -> None:
    """The store says so, and takes no events."""
    database = Sqlite(tmp_path / "gateway.db", durability="full")
    database.path.write_text("Dear Sir or Madam" * 99)
    with pytest.raises(Away, match="not a database"):
        database.writer()


def test_a_lock_is_a_reason_to_run_again(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy is neither away nor the unit's fault."""
    monkeypatch.setattr("adapters.storage.sqlite._PATIENT_SECONDS", 0.01)
    with closing(sqlite.raw()) as other, closing(sqlite.database().writer()) as connection:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Rerun, match="locked"):
            connection.begin()


ENDLESS = Prepared(
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n", (), {}
)


@on_a_loop
async def test_a_read_that_takes_too_long_is_ended(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The console gets a temporary failure, and the reader is free again."""
    monkeypatch.setattr("adapters.storage.sqlite._READ_SECONDS", 0.05)
    async with sqlite.store() as store:
        with pytest.raises(Transient) as late:
            await store.read(lambda connection: connection.rows(ENDLESS))
        assert late.value.reason is Trouble.STORE_DEADLINE
        reader = CallReader(sqlite.database().dialect)
        assert await store.read(reader.in_progress) == 0


# --- PostgreSQL ---


@on_a_loop
async def test_a_query_that_takes_too_long_is_ended(
    postgresql: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends it; console and writer are told that it took too long."""
    options = "-c statement_timeout=50"
    monkeypatch.setattr("adapters.storage.postgres._READER", options)
    async with postgresql.store() as store:
        with pytest.raises(Transient) as late:
            await store.read(
                lambda connection: connection.rows(Prepared("SELECT pg_sleep(60)", (), {}))
            )
        assert late.value.reason is Trouble.STORE_DEADLINE


def fit(url: str, durability: str) -> list[str]:
    """What the guard says of the server at ``url``."""
    try:
        Postgres(url, durability=durability).guard()
    except Misconfigured as error:
        return error.problems
    return []


@pytest.mark.postgres
@on_a_loop
async def test_a_server_that_may_lose_commits_is_refused() -> None:
    """With fsync, full_page_writes or synchronous_commit off, ``full`` would be a lie: at the
    start, and where the server comes up later.
    """
    with running_server(fsync="off", full_page_writes="off", synchronous_commit="off") as server:
        (problem,) = fit(server.url(), "full")
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            assert name in problem
        assert 'off: switch that on, or say durability = "normal"' in problem
        assert fit(server.url(), "normal") == []
        database = Postgres(server.url(), durability="full")
        migrate(engine_for(database.url))
        async with Engine("postgres", lambda: database).store() as store:
            assert store.down is not None
            assert "fsync" in store.down
            with pytest.raises(Transient):
                await store.run(record, incoming(voice(new_sid())))
        lax = Postgres(server.url(), durability="normal")
        async with Engine("postgres", lambda: lax).store() as store:
            assert store.down is None


def test_a_durable_server_is_accepted(postgresql: Engine) -> None:
    """The tests' own server is as PostgreSQL is by default."""
    postgresql.database().guard()


def test_an_old_server_is_refused(postgresql: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message tells the version that is needed."""
    monkeypatch.setattr("adapters.storage.postgres._LEAST_VERSION", 990000)
    with pytest.raises(Misconfigured, match=r"PostgreSQL \d+ is too old: 15 or later is needed"):
        postgresql.database().guard()


def test_a_server_that_is_down_is_no_reason_not_to_start() -> None:
    """Calls are forwarded from the snapshot until it is there."""
    database = Postgres("postgresql://nobody@127.0.0.1:1/none", durability="full")
    database.guard()
    with pytest.raises(Away):
        database.writer()


def test_the_password_is_in_no_text() -> None:
    """The URL for SQLAlchemy holds none; it is handed over apart."""
    database = Postgres("postgresql://gw:s3cret@db/calls", durability="full")
    assert "s3cret" not in database.url
    assert database.password == "s3cret"
    assert Postgres("postgresql://gw@db/calls", durability="full", password="x").password == "x"


def test_options_of_the_url_do_not_get_in_the_way(postgresql: Engine) -> None:
    """Whoever sets a timeout of his own in the URL gets a connection, with ours; and the name by
    which a restore finds the daemons stays.
    """
    conninfo = postgresql.database().conninfo  # type: ignore[union-attr]
    address = f"postgresql://{conninfo['user']}@{conninfo['host']}:{conninfo['port']}"
    url = f"{address}/{conninfo['dbname']}?connect_timeout=9&application_name=gateway"
    database = Postgres(url, durability="full", password=conninfo["password"])
    database.guard()
    with closing(database.writer()) as connection:
        assert isinstance(connection, PostgresConnection)
        shown = [
            connection.rows(Prepared(f"SHOW {name}", (), {}))[0][0]
            for name in ("application_name", "lock_timeout", "statement_timeout")
        ]
    assert shown == [WRITER_NAME, "500ms", "1s"]


@pytest.mark.parametrize(("durability", "commit"), [("full", "on"), ("normal", "off")])
def test_a_commit_waits_for_the_disk_as_configured(
    postgresql: Engine, durability: str, commit: str
) -> None:
    """The session says how durable its commits are, whatever the server's default."""
    conninfo: dict[str, Any] = postgresql.database().conninfo  # type: ignore[union-attr]
    database = postgresql.database()
    database._durability = durability
    with closing(database.writer()) as connection:
        shown = connection.rows(Prepared("SHOW synchronous_commit", (), {}))
    assert shown == [(commit,)]
    assert conninfo["dbname"]


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("40P01", Rerun),
        ("40001", Rerun),
        ("55P03", Transient),
        ("57014", Transient),
        ("08006", Away),
        ("53100", Away),
        ("57P01", Away),
        ("57P03", Away),
        ("58030", Away),
        ("25006", Away),
        ("23505", psycopg.Error),
        ("42P01", psycopg.Error),
    ],
)
def test_each_error_of_the_server_has_its_meaning(sqlstate: str, kind: type[Exception]) -> None:
    """Run again, come again, or away; all else is the unit's own."""
    error = psycopg.errors.lookup(sqlstate)("what it says\nDETAIL: +819012345678")
    translated = _translated(error)
    assert isinstance(translated, kind)
    if kind is not psycopg.Error:
        assert "+8190" not in str(translated)


def test_a_connection_without_an_answer_is_away() -> None:
    """An error without a code comes from the connection itself."""
    assert isinstance(_translated(psycopg.OperationalError("the connection is closed")), Away)
    assert isinstance(_translated(psycopg.DataError("cannot dump")), psycopg.DataError)


@on_a_loop
async def test_a_store_without_tables_is_away(tmp_path: Path) -> None:
    """Whoever serves on a file that was never migrated takes no events."""
    database = Sqlite(tmp_path / "gateway.db", durability="full")
    database.create()
    async with Engine("sqlite", lambda: database).store(Recorder()) as store:
        assert store.down == "no such table: provisioning_version"
    assert sqlite3.sqlite_version_info >= (3, 35)  # upserts and RETURNING
