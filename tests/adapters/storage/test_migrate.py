"""The migrations make the schema, on both engines."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from adapters.storage import migrate as migrations
from adapters.storage.migrate import check, engine_for, known, latest, migrate
from adapters.storage.postgres import Postgres
from adapters.storage.schema import metadata
from adapters.storage.sqlite import Sqlite
from gateway.errors import Misconfigured


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An engine on a store without tables."""
    if request.param == "sqlite":
        database = Sqlite(tmp_path / "gateway.db", durability="full")
        database.create()
        return engine_for(database.url)
    url = request.getfixturevalue("postgres_url")
    return engine_for(Postgres(url, durability="full").url)


def tables(engine: Engine) -> set[str]:
    """The names of all tables."""
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_the_migrations_make_what_the_schema_says(empty: Engine) -> None:
    """Alembic finds no difference between a migrated store and the tables the code knows."""
    assert migrate(empty) == (None, latest())
    with empty.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert tables(empty) == set(metadata.tables) | {"alembic_version"}


def test_a_second_migration_changes_nothing(empty: Engine) -> None:
    """Migrating twice is as migrating once."""
    migrate(empty)
    assert migrate(empty) == (latest(), latest())


def test_what_goes_up_comes_down(empty: Engine) -> None:
    """Each migration can be taken back, and made again."""
    migrate(empty)
    config = migrations._scripts()
    with empty.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert tables(empty) == {"alembic_version"}
    assert migrate(empty) == (None, latest())
    check(empty)


def test_two_that_migrate_at_once_make_it_once(empty: Engine) -> None:
    """The second waits for the first, and finds nothing to do."""
    with ThreadPoolExecutor(2) as threads:
        results = [threads.submit(migrate, empty) for _ in range(2)]
        assert sorted(str(result.result()[0]) for result in results) == [latest(), "None"]
    check(empty)


def test_a_migration_that_fails_leaves_nothing(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it or nothing: on SQLite, too."""
    upgrade = command.upgrade

    def fail(config: object, revision: str) -> None:
        upgrade(config, revision)  # type: ignore[arg-type]
        raise ZeroDivisionError

    monkeypatch.setattr(command, "upgrade", fail)
    with pytest.raises(ZeroDivisionError):
        migrate(empty)
    assert tables(empty) == set()


def test_a_store_without_tables_is_refused(empty: Engine) -> None:
    """The message says what to do."""
    with pytest.raises(Misconfigured) as refused:
        check(empty)
    assert refused.value.problems == [
        f"the store has schema none, this release needs {latest()}: run `gateway migrate`"
    ]


def test_an_older_store_is_refused(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that has a newer schema asks for the migration."""
    migrate(empty)
    older = latest()
    monkeypatch.setattr(migrations, "latest", lambda: "0099")
    with pytest.raises(Misconfigured) as refused:
        check(empty)
    assert refused.value.problems == [
        f"the store has schema {older}, this release needs 0099: run `gateway migrate`"
    ]


def test_a_newer_store_is_refused(empty: Engine) -> None:
    """A store that a later release has migrated needs that release."""
    migrate(empty)
    with empty.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Misconfigured) as refused:
        check(empty)
    assert refused.value.problems == [
        "the store has schema 9999, which is newer than this release: install that release"
    ]


def test_a_migrated_store_is_accepted(empty: Engine) -> None:
    """Then there is nothing to say."""
    migrate(empty)
    check(empty)
    assert latest() in known()


def test_asking_for_a_store_does_not_make_one(tmp_path: Path) -> None:
    """A check of a file that is not there leaves no file behind."""
    with pytest.raises(OperationalError):
        check(engine_for(f"sqlite:///{tmp_path}/gateway.db"))
    assert list(tmp_path.iterdir()) == []
