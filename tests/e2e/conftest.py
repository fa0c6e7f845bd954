"""Daemons for the tests, ended and their logs looked through afterwards."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import SQLITE, Daemon

NewDaemon = Callable[..., Daemon]


@pytest.fixture
def new_daemon(tmp_path: Path) -> Iterator[NewDaemon]:
    """Makes daemons of one test: ``new_daemon("name", url, setting=value)``."""
    made: list[Daemon] = []

    def make(name: str = "daemon", url: str = SQLITE, **settings: object) -> Daemon:
        made.append(Daemon(tmp_path / name, url, **settings))
        return made[-1]

    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def on_each_store(request: pytest.FixtureRequest, new_daemon: NewDaemon) -> Daemon:
    """A daemon on SQLite, and one on PostgreSQL; not started yet."""
    if request.param == "sqlite":
        return new_daemon()
    return new_daemon("daemon", request.getfixturevalue("postgres_url"))
