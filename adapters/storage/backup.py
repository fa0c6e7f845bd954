"""Backup and restore: SQLite by its online backup, PostgreSQL by its own tools."""

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import make_conninfo

from adapters.storage.migrate import known
from adapters.storage.postgres import Postgres
from adapters.storage.sqlite import Sqlite
from gateway.errors import Misconfigured

_PAGES = 2_000
"""How many pages a backup copies between two reports of its progress."""

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
        partial.unlink(missing_ok=True)  # of a backup that was killed
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if isinstance(database, Sqlite):
            _backup_sqlite(database, partial, progress)
        else:
            target = (f"--file={partial}", f"--dbname={_conninfo(database)}")
            _postgres_tool(database, "pg_dump", "--format=custom", *target)
        _sync(partial)
        os.replace(partial, destination)
        _sync(destination.parent)
    finally:
        partial.unlink(missing_ok=True)


def restore(database: Sqlite | Postgres, source: Path) -> Path | None:
    """Put the backup ``source`` in the store's place; returns where the former store was moved to
    (SQLite), if there was one.

    Raises:
        Misconfigured: ``source`` is no backup of this release or an earlier one, or a daemon is
            running. An earlier one needs `gateway migrate` afterwards.
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
    _refuse_foreign(source, _version_in_archive(database, source))
    if database.has_writers():
        raise Misconfigured(["daemons are connected to this database: stop them first"])
    _postgres_tool(
        database,
        "pg_restore",
        "--clean",
        "--if-exists",
        "--no-owner",
        "--single-transaction",
        f"--dbname={_conninfo(database)}",
        str(source),
    )
    return None


def _refuse_foreign(source: Path, version: str | None) -> None:
    if version not in known():
        raise Misconfigured([f"{source} is no backup of this release or an earlier one"])


def _sync(path: Path) -> None:
    """Make a file durable, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _backup_sqlite(database: Sqlite, partial: Path, progress: Progress) -> None:
    if not database.path.exists():
        raise Misconfigured([f"{database.path}: there is no store to back up"])
    source = sqlite3.connect(f"file:{quote(str(database.path))}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(partial)) as target:
        # Of one moment: without a transaction around its steps, each write of the daemon in
        # between would start the backup anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        source.backup(
            target, pages=_PAGES, progress=lambda status, left, total: progress(left, total)
        )


def _restore_sqlite(database: Sqlite, source: Path) -> Path | None:
    _refuse_foreign(source, _version_in_file(source))
    path = database.path
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    shutil.copyfile(source, partial)
    _sync(partial)
    former = _aside(path)
    os.replace(partial, path)
    _sync(path.parent)
    return former


def _version_in_file(source: Path) -> str | None:
    """The schema version of a sound SQLite backup; nothing is written beside it."""
    file = f"file:{quote(str(source))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(file, uri=True)) as opened, contextlib.suppress(sqlite3.Error):
        if opened.execute("PRAGMA integrity_check").fetchone() == ("ok",):
            (version,) = opened.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(version)
    raise Misconfigured([f"{source} is no sound SQLite backup"])


def _aside(path: Path) -> Path | None:
    """Move a store and its journal away, under the first free name; ``None`` where there is none.

    A journal without its store is moved, too: SQLite would apply it to whatever comes there.
    """
    present = [end for end in ("-wal", "-shm", "") if path.with_name(path.name + end).exists()]
    number = 1
    while (former := path.with_name(f"{path.name}.before-restore-{number}")).exists():
        number += 1
    for end in present:
        os.replace(path.with_name(path.name + end), former.with_name(former.name + end))
    return former if present else None


def _version_in_archive(database: Postgres, source: Path) -> str | None:
    """The schema version of a PostgreSQL backup."""
    wanted = ("--data-only", "--table=alembic_version", "--file=-")
    try:
        said = _postgres_tool(database, "pg_restore", *wanted, str(source))
    except subprocess.CalledProcessError:
        raise Misconfigured([f"{source} is no PostgreSQL backup"]) from None
    found = re.search(r"^COPY .*alembic_version.*\n(.+)$", said, re.MULTILINE)
    return found and found[1]


def _conninfo(database: Postgres) -> str:
    """How the tools reach the database, all options of its URL included, but no password."""
    given = {key: value for key, value in database.conninfo.items() if key != "password"}
    return make_conninfo("", **given)


def _postgres_tool(database: Postgres, tool: str, *arguments: str) -> str:
    """What one of PostgreSQL's tools prints; the password goes by the environment, not the process
    list.
    """
    if shutil.which(tool) is None:
        raise Misconfigured([f"{tool} is not installed: install PostgreSQL's client programs"])
    password = {"PGPASSWORD": database.password} if database.password else {}
    return subprocess.run(  # noqa: S603 - a fixed tool with our own arguments
        [tool, *arguments],
        env={**os.environ, **password},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
