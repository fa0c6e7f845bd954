"""Backup and restore: SQLite by its online backup, PostgreSQL by its own tools."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from adapters.storage.migrate import check, engine_for
from adapters.storage.postgres import Postgres
from adapters.storage.sqlite import Sqlite
from gateway.errors import Misconfigured

Progress = Callable[[int, int], None]
"""Called with the pages that are left and the pages in all."""


def backup(database: Sqlite | Postgres, destination: Path, progress: Progress) -> None:
    """Write the whole store, as of one moment, to the new file ``destination``; the daemon may
    run on.

    Raises:
        Misconfigured: there is nothing to back up, or ``destination`` exists.
        OSError, sqlite3.Error, subprocess.CalledProcessError: it failed; nothing is left behind.
    """
    if destination.exists():
        raise Misconfigured([f"{destination} exists: name a new file"])
    partial = destination.with_name(destination.name + ".partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        if isinstance(database, Sqlite):
            _backup_sqlite(database, partial, progress)
        else:
            _postgres_tool(database, "pg_dump", "--format=custom", f"--file={partial}")
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, destination)
    finally:
        partial.unlink(missing_ok=True)


def restore(database: Sqlite | Postgres, source: Path) -> Path | None:
    """Put the backup ``source`` in the store's place; returns where the former store was moved to
    (SQLite), if there was one.

    Raises:
        Misconfigured: ``source`` is no backup of this release, or a daemon is running.
        OSError, sqlite3.Error, subprocess.CalledProcessError: it failed.
    """
    if not source.is_file():
        raise Misconfigured([f"{source}: there is no such file"])
    if isinstance(database, Sqlite):
        database.guard()
        try:
            return _restore_sqlite(database, source)
        finally:
            database.release()
    _postgres_tool(database, "pg_restore", "--list", str(source), quiet=True)
    _postgres_tool(
        database,
        "pg_restore",
        "--clean",
        "--if-exists",
        "--no-owner",
        "--single-transaction",
        f"--dbname={database.conninfo['dbname']}",
        str(source),
    )
    return None


def _backup_sqlite(database: Sqlite, partial: Path, progress: Progress) -> None:
    if not database.path.exists():
        raise Misconfigured([f"{database.path}: there is no store to back up"])
    source = sqlite3.connect(f"file:{database.path}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(partial)) as target:
        # In steps, so that the daemon's own writes get their turn.
        source.backup(
            target, pages=2_000, progress=lambda status, left, total: progress(left, total)
        )


def _restore_sqlite(database: Sqlite, source: Path) -> Path | None:
    with closing(sqlite3.connect(f"file:{source}?mode=ro&immutable=1", uri=True)) as opened:
        try:
            sound = opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        except sqlite3.DatabaseError:
            sound = False
    if not sound:
        raise Misconfigured([f"{source} is no sound SQLite backup"])
    check(engine_for(f"sqlite:///{source}"))
    path = database.path
    partial = path.with_name(path.name + ".partial")
    shutil.copyfile(source, partial)
    os.chmod(partial, 0o600)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    former = None
    if path.exists():
        former = _aside(path)
    os.replace(partial, path)
    return former


def _aside(path: Path) -> Path:
    """Move a store and its journal away, under the first free name."""
    number = 1
    while (former := path.with_name(f"{path.name}.before-restore-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm"):
        if (side := path.with_name(path.name + suffix)).exists():
            os.replace(side, former.with_name(former.name + suffix))
    os.replace(path, former)
    return former


def _postgres_tool(database: Postgres, tool: str, *arguments: str, quiet: bool = False) -> None:
    """Run one of PostgreSQL's tools; the password goes by the environment, not the process list."""
    if shutil.which(tool) is None:
        raise Misconfigured([f"{tool} is not installed: install PostgreSQL's client programs"])
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    settings = {
        variable: str(database.conninfo[key])
        for key, variable in names.items()
        if database.conninfo.get(key)
    }
    settings["PGDATABASE"] = str(database.conninfo["dbname"])
    subprocess.run(  # noqa: S603 - a fixed tool with our own arguments
        [tool, *arguments],
        env={**os.environ, **settings},
        check=True,
        stdout=subprocess.DEVNULL if quiet else None,
    )
