"""The routes on disk, for a start without the store."""

import os
import stat
from pathlib import Path

import msgspec
import pytest

from adapters.storage import snapshot
from adapters.storage.provisioning import RouteCache
from gateway.domain.routing import TrackedNumber
from tests.support.stores import FLYER, SIGN

ODD = TrackedNumber(
    "+815031000003", "acme", "広告\n", ("+81311111111",), "sequential", 9, 60, "number", True, 0
)


def cache_of(*routes: TrackedNumber) -> RouteCache:
    """A cache as it is after a look at the store."""
    cache = RouteCache()
    cache.version = 7
    cache.numbers.update((route.number, route) for route in routes)
    return cache


def test_routes_survive_on_disk(tmp_path: Path) -> None:
    """Every field of every route comes back; the version does not, so that the store is asked."""
    path = tmp_path / "routes"
    snapshot.save(cache_of(FLYER, SIGN, ODD), path)
    loaded = snapshot.load(path)
    assert loaded.numbers == {route.number: route for route in (FLYER, SIGN, ODD)}
    assert loaded.version < 0
    assert loaded.loaded


def test_more_routes_than_a_piece_survive(tmp_path: Path) -> None:
    """Routes are written in pieces, and all of them are read."""
    path = tmp_path / "routes"
    routes = [msgspec.structs.replace(FLYER, number=f"+8150310{n:05d}") for n in range(1_234)]
    snapshot.save(cache_of(*routes), path)
    assert len(snapshot.load(path).numbers) == 1_234


def test_without_a_snapshot_nothing_is_known(tmp_path: Path) -> None:
    """A first start has no snapshot, and that is no error."""
    assert not snapshot.load(tmp_path / "routes").loaded


def test_a_damaged_snapshot_is_told(tmp_path: Path) -> None:
    """Half a file is not half the routes."""
    path = tmp_path / "routes"
    snapshot.save(cache_of(FLYER, SIGN), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(msgspec.DecodeError):
        snapshot.load(path)


def test_a_snapshot_with_a_wrong_byte_is_told_likewise(tmp_path: Path) -> None:
    """A disk that garbles text must not keep the daemon from starting."""
    path = tmp_path / "routes"
    snapshot.save(cache_of(FLYER), path)
    path.write_bytes(path.read_bytes().replace(b"flyer", b"fl\xffer"))
    with pytest.raises(msgspec.DecodeError):
        snapshot.load(path)


def test_a_snapshot_that_cannot_be_written_leaves_the_former(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the routes of before are still there, and nothing else is."""
    path = tmp_path / "routes"
    snapshot.save(cache_of(FLYER), path)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        snapshot.save(cache_of(FLYER, SIGN), path)
    assert list(snapshot.load(path).numbers) == [FLYER.number]
    assert list(tmp_path.iterdir()) == [path]


def test_a_snapshot_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask."""
    former = os.umask(0)
    try:
        snapshot.save(cache_of(FLYER), tmp_path / "routes")
    finally:
        os.umask(former)
    assert stat.S_IMODE((tmp_path / "routes").stat().st_mode) == 0o600
