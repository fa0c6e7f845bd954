"""The API with its store, one for all tests of a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.http.api.world import World
from tests.support.stores import sqlite_template

__all__ = ["sqlite_template"]


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API."""
    made = World(sqlite_template, tmp_path_factory.mktemp("api"))
    made.open()
    yield made
    made.close()
