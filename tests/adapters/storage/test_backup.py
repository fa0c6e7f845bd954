"""A backup is the store of one moment, and a restore puts it back."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.storage.backup import backup, restore
from adapters.storage.migrate import engine_for, migrate
from adapters.storage.postgres import Postgres
from adapters.storage.sqlite import Sqlite
from adapters.storage.store import SqlStore
from gateway.errors import Misconfigured
from gateway.usecases.calls import record
from tests.support.calls import answered_call, incoming, new_sid, voice
from tests.support.postgres import find_programs, fresh_database
from tests.support.stores import ACME, FLYER, Engine, eventually, on_a_loop


@pytest.fixture(autouse=True)
def _tools_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump and pg_restore of the version that the tests' server has."""
    if programs := find_programs():
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A store of the test's own: a restore takes all its tables away."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    programs = find_programs()
    if programs is None or not (programs / "pg_dump").exists():
        pytest.skip("this PostgreSQL comes without pg_dump")
    with fresh_database(request.getfixturevalue("postgres")) as url:
        engine = Engine("postgres", lambda: Postgres(url, durability="full"))
        migrate(engine_for(engine.database().url))
        engine.provision(ACME, FLYER)
        yield engine


def quiet(left: int, total: int) -> None:
    """Nobody watches the progress."""


async def keep_calling(store: SqlStore, sids: list[str]) -> None:
    """Call until cancelled; notes each call once it was acknowledged."""
    while True:
        sid = new_sid()
        await store.run(record, incoming(voice(sid)))
        sids.append(sid)


@on_a_loop
async def test_a_backup_beside_a_busy_daemon_is_of_one_moment(
    engine: Engine, tmp_path: Path
) -> None:
    """It ends although calls go on, holds all that was acknowledged before, and can be restored."""
    before, during = list[str](), list[str]()
    destination = tmp_path / "backup"
    async with engine.store() as store:
        calling = asyncio.create_task(keep_calling(store, before))
        await eventually(lambda: len(before) > 20)
        acknowledged = set(before)

        def progress(left: int, total: int) -> None:
            during.append(f"{left}/{total}")

        await asyncio.to_thread(backup, engine.database(), destination, progress)
        so_far = len(before)
        await eventually(lambda: len(before) > so_far)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
    await asyncio.to_thread(restore, engine.database(), destination)
    restored = {found.call.sid for found in engine.records()}
    assert acknowledged <= restored <= set(before)
    assert len(restored) < len(before)
    if engine.name == "sqlite":
        assert during[-1].startswith("0/")
    async with engine.store() as store:
        await store.run(record, incoming(voice(new_sid())))


@on_a_loop
async def test_a_restored_store_has_every_row(engine: Engine, tmp_path: Path) -> None:
    """Calls, events, routes: all as they were, and what came since is gone."""
    async with engine.store() as store:
        for event in answered_call(new_sid()):
            await store.run(record, incoming(event))
    records, sizes = engine.records(), engine.sizes()
    backup(engine.database(), tmp_path / "backup", quiet)
    async with engine.store() as store:
        await store.run(record, incoming(voice(new_sid())))
    former = restore(engine.database(), tmp_path / "backup")
    assert (engine.records(), engine.sizes()) == (records, sizes)
    if engine.name == "sqlite":
        assert former is not None
        with closing(sqlite3.connect(former)) as old:
            assert old.execute("SELECT count(*) FROM calls").fetchone() == (2,)


def test_a_backup_is_for_its_owner_alone(engine: Engine, tmp_path: Path) -> None:
    """It holds callers' numbers: 0600 whatever the umask, and nothing is left beside it."""
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "backup.partial").write_text("of a backup that was killed")
    (folder / "backup.partial").chmod(0o644)
    former = os.umask(0)
    try:
        backup(engine.database(), folder / "backup", quiet)
    finally:
        os.umask(former)
    assert [file.name for file in folder.iterdir()] == ["backup"]
    assert stat.S_IMODE((folder / "backup").stat().st_mode) == 0o600


def test_a_backup_replaces_nothing(engine: Engine, tmp_path: Path) -> None:
    """An existing file is refused, and kept."""
    (tmp_path / "backup").write_text("yesterday's")
    with pytest.raises(Misconfigured, match="backup exists: name a new file"):
        backup(engine.database(), tmp_path / "backup", quiet)
    assert (tmp_path / "backup").read_text() == "yesterday's"


def test_what_is_no_backup_is_not_restored(engine: Engine, tmp_path: Path) -> None:
    """A missing or foreign file is refused, and the store stays as it is."""
    with pytest.raises(Misconfigured, match="there is no such file"):
        restore(engine.database(), tmp_path / "nothing")
    (tmp_path / "letter").write_text("Dear Sir or Madam" * 999)
    with pytest.raises(Misconfigured, match=r"is no (sound SQLite|PostgreSQL) backup"):
        restore(engine.database(), tmp_path / "letter")
    assert engine.sizes()["tracked_numbers"] > 0


def test_a_backup_of_a_later_release_is_not_restored(engine: Engine, tmp_path: Path) -> None:
    """Its schema is not known here: this release could not serve on it."""
    with closing(engine.raw()) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    backup(engine.database(), tmp_path / "backup", quiet)
    with closing(engine.raw()) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(Misconfigured, match="no backup of this release or an earlier one"):
        restore(engine.database(), tmp_path / "backup")


# --- SQLite's own ---


def test_a_restore_beside_a_daemon_is_refused(sqlite: Engine, tmp_path: Path) -> None:
    """Its writes would go to the file that was moved away."""
    backup(sqlite.database(), tmp_path / "backup", quiet)
    running = sqlite.database()
    running.guard()
    try:
        with pytest.raises(Misconfigured, match="used by another daemon"):
            restore(sqlite.database(), tmp_path / "backup")
    finally:
        running.release()
    assert sorted(file.name for file in tmp_path.iterdir() if "restore" in file.name) == []


def test_a_backup_does_not_begin_anew_at_each_write(
    sqlite: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that writes between any two of its steps holds it up no step longer."""
    monkeypatch.setattr("adapters.storage.backup._PAGES", 1)
    steps: list[int] = []
    with closing(sqlite.raw()) as daemon:

        def write_between(left: int, total: int) -> None:
            steps.append(left)
            assert len(steps) <= total, "it began anew"
            daemon.execute("UPDATE provisioning_version SET starts = starts + 1")

        backup(sqlite.database(), tmp_path / "backup", write_between)
    assert steps == list(range(len(steps)))[::-1]
    with closing(sqlite3.connect(tmp_path / "backup")) as saved:
        assert saved.execute("SELECT starts FROM provisioning_version").fetchone() == (0,)


def test_a_restore_on_a_new_machine_makes_the_store(sqlite: Engine, tmp_path: Path) -> None:
    """There need be neither a store nor its folder; and nothing is written beside the backup."""
    (tmp_path / "backups").mkdir()
    source = tmp_path / "backups" / "a 100% backup?"
    backup(sqlite.database(), source, quiet)
    database = Sqlite(tmp_path / "new" / "gateway.db", durability="full")
    assert restore(database, source) is None
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600
    new = Engine("sqlite", lambda: database)
    assert new.sizes() == sqlite.sizes()
    assert list((tmp_path / "backups").iterdir()) == [source]


def test_a_journal_without_its_store_is_moved_away(sqlite: Engine, tmp_path: Path) -> None:
    """SQLite would apply a journal that lies there to the restored store."""
    backup(sqlite.database(), tmp_path / "backup", quiet)
    database = sqlite.database()
    assert isinstance(database, Sqlite)
    database.path.unlink()
    journal = Path(f"{database.path}-wal")
    journal.write_bytes(b"of another store")
    assert restore(database, tmp_path / "backup") is not None
    assert not journal.exists()
    assert sqlite.sizes()["tracked_numbers"] == 2


def test_a_damaged_backup_is_not_restored(sqlite: Engine, tmp_path: Path) -> None:
    """It is looked through before anything is moved."""
    backup(sqlite.database(), tmp_path / "backup", quiet)
    data = bytearray((tmp_path / "backup").read_bytes())
    data[8_192:20_480] = bytes(12_288)
    (tmp_path / "backup").write_bytes(data)
    with pytest.raises(Misconfigured, match="is no sound SQLite backup"):
        restore(sqlite.database(), tmp_path / "backup")
    assert sqlite.sizes()["tracked_numbers"] == 2


def test_without_a_store_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    """Neither a store nor a backup is made."""
    database = Sqlite(tmp_path / "gateway.db", durability="full")
    with pytest.raises(Misconfigured, match="there is no store to back up"):
        backup(database, tmp_path / "backup", quiet)
    assert list(tmp_path.iterdir()) == []


# --- PostgreSQL's own ---


@pytest.mark.postgres
@on_a_loop
async def test_a_restore_beside_a_daemon_on_postgresql_is_refused(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Nothing is restored while a writer is connected, and it is once that is gone."""
    with fresh_database(request.getfixturevalue("postgres")) as url:
        database = Postgres(url, durability="full")
        migrate(engine_for(database.url))
        backup(database, tmp_path / "backup", quiet)
        writer = database.writer()
        try:
            with pytest.raises(Misconfigured, match="stop them first"):
                restore(database, tmp_path / "backup")
        finally:
            writer.close()
        await eventually(lambda: not database.has_writers())
        assert restore(database, tmp_path / "backup") is None


def test_without_its_tools_postgresql_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names what to install, before the server is asked for anything."""
    monkeypatch.setenv("PATH", str(tmp_path))
    database = Postgres("postgresql://nobody@127.0.0.1:1/none", durability="full")
    with pytest.raises(Misconfigured, match="pg_dump is not installed"):
        backup(database, tmp_path / "backup", quiet)
    assert list(tmp_path.iterdir()) == []


def test_the_tools_get_the_password_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process list shows the address with all its options, and no password."""
    tool = tmp_path / "pg_dump"
    tool.write_text('#!/bin/sh\necho "$@" "$PGPASSWORD" > "${0%/*}/called"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    url = "postgresql://gw:s3cret@db.example:5433/calls?sslmode=require"
    backup(Postgres(url, durability="full"), tmp_path / "backup", quiet)
    arguments, password = (tmp_path / "called").read_text().strip().rsplit(" ", 1)
    assert password == "s3cret"
    assert "s3cret" not in arguments
    for part in ("host=db.example", "port=5433", "user=gw", "dbname=calls", "sslmode=require"):
        assert part in arguments
