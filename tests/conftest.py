"""What every test may use: PostgreSQL, and the order from the quick tests to the slow."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import PostgresServer, fresh_database, running_server

_LAST = ("postgres", "process", "slow")
_ON_POSTGRES = {"postgres", "postgres_url", "own_postgres"}

# A shared machine is slow at times, and that is no failure; CI tries the same examples each time.
# `make test ARGS=--hypothesis-profile=deep` looks further.
for profile, examples in (("default", 50), ("ci", 50), ("deep", 2_000)):
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        derandomize=profile == "ci",
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.hookimpl(tryfirst=True)  # before -m selects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses PostgreSQL, and run the quick tests first."""
    for item in items:
        if _ON_POSTGRES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("postgres")
    items.sort(key=lambda item: [item.get_closest_marker(name) is not None for name in _LAST[::-1]])


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL that may create databases: GATEWAY_TEST_POSTGRES_URL, or our own."""
    if given := os.environ.get("GATEWAY_TEST_POSTGRES_URL"):
        yield given
    else:
        with running_server() as server:
            yield server.url()


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A running server of the test's own, to stop, kill and pause."""
    with running_server() as server:
        yield server
