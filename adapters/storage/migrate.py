"""Bring a store's schema to this release, and tell whether it is there."""

from pathlib import Path

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


def engine_for(url: str, password: str | None = None) -> Engine:
    """An engine for migrations alone; the daemon's own statements do not go through it."""
    arguments = {"password": password} if password else {}
    return create_engine(url, poolclass=NullPool, connect_args=arguments)


def latest() -> str:
    """The schema version of this release."""
    return ScriptDirectory.from_config(_scripts()).get_current_head() or ""


def current(connection: Connection) -> str | None:
    """The schema version of the store, ``None`` where it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Migrate to :func:`latest`, in one transaction; returns the versions before and after."""
    config = _scripts()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Two processes that migrate at once would both create; the second one waits.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7827)")
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
    known = {script.revision for script in ScriptDirectory.from_config(_scripts()).walk_revisions()}
    if found is None or found in known:
        raise Misconfigured(
            [
                f"the store has schema {found or 'none'}, this release needs {latest()}: run `gateway migrate`"
            ]
        )
    raise Misconfigured(
        [f"the store has schema {found}, which is newer than this release: install that release"]
    )
