"""Bring a store's schema to this release, and tell whether it is there."""

import sqlite3
from functools import partial
from pathlib import Path
from urllib.parse import quote

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

from gateway.errors import Misconfigured


def _scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


SQLITE = "sqlite:///"


def engine_for(url: str, password: str | None = None) -> Engine:
    """An engine for migrations alone; the daemon's own statements do not go through it."""
    if url.startswith(SQLITE):
        # Asking for a store must not make one; and whoever changes it says BEGIN, see `migrate`.
        file = f"file:{quote(url.removeprefix(SQLITE))}?mode=rw"
        connect = partial(sqlite3.connect, file, uri=True, isolation_level=None)
        return create_engine("sqlite://", creator=connect, poolclass=NullPool)
    arguments = {"connect_timeout": 2, "password": password}
    return create_engine(url, poolclass=NullPool, connect_args=arguments)


def latest() -> str:
    """The schema version of this release."""
    return ScriptDirectory.from_config(_scripts()).get_current_head() or ""


def known() -> set[str]:
    """All schema versions that this release can migrate from, its own among them."""
    scripts = ScriptDirectory.from_config(_scripts()).walk_revisions()
    return {script.revision for script in scripts}


def current(connection: Connection) -> str | None:
    """The schema version of the store, ``None`` where it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Migrate to :func:`latest`, in one transaction; returns the versions before and after."""
    config = _scripts()
    # Two processes that migrate at once would both create; the second one waits.
    lock = {
        "sqlite": "BEGIN IMMEDIATE",
        "postgresql": "SELECT pg_advisory_xact_lock(7827)",
    }[engine.dialect.name]
    with engine.begin() as connection:
        connection.exec_driver_sql(lock)
        before = current(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, latest()


def check(engine: Engine) -> None:
    """Refuse a store whose schema is not this release's.

    Raises:
        Misconfigured: it is older, newer or empty; the message says what to do.
        sqlalchemy.exc.OperationalError: it cannot be asked.
    """
    with engine.connect() as connection:
        found = current(connection)
    if found == latest():
        return
    if found is None or found in known():
        have = f"the store has schema {found or 'none'}, this release needs {latest()}"
        raise Misconfigured([f"{have}: run `gateway migrate`"])
    raise Misconfigured(
        [f"the store has schema {found}, which is newer than this release: install that release"]
    )
