"""A disk that fills in the middle of calls: the calls go on, and their events wait in the spool."""

import asyncio
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import NewDaemon
from tests.support.carrier import TimedCarrier, assert_forwarded_and_kept
from tests.support.daemon import Daemon, measured, wait_for

pytestmark = [pytest.mark.process, pytest.mark.slow]


class SmallDisk:
    """A tmpfs in memory, filled to its last byte."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._filler = daemon.folder / "store" / "filler"

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def free(self) -> None:
        self._filler.unlink()


class SmallFiles:
    """Where nothing can be mounted: no file may be long, as under a quota."""

    LIMIT = 512 * 1024  # bytes: far less than the store's journal, and enough for the spool's use

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def fill(self) -> None:
        self._limit(self.LIMIT)

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, most: int) -> None:
        limits = (most, resource.RLIM_INFINITY)
        resource.prlimit(self._daemon.running.pid, resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def small_disk(new_daemon: NewDaemon) -> Iterator[Daemon]:
    """A daemon whose store and spool lie on a disk of 16 MB."""
    daemon = new_daemon(storage_state_dir="store/state")
    place = daemon.folder / "store"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "none", str(place)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield daemon
    finally:
        daemon.close()
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_forwards_every_call_and_loses_nothing(small_disk: Daemon) -> None:
    """While the disk is full every call is forwarded within 2 s and its events are spooled; with
    space again all of them reach the store, and readiness tells both.
    """
    asyncio.run(run_out_of_space(small_disk, SmallDisk(small_disk)))


def test_limited_files_forward_every_call_and_lose_nothing(new_daemon: NewDaemon) -> None:
    """The same where a limit, not the disk, keeps the store from growing."""
    daemon = new_daemon(storage_state_dir="store/state")
    asyncio.run(run_out_of_space(daemon, SmallFiles(daemon)))


async def run_out_of_space(daemon: Daemon, disk: SmallDisk | SmallFiles) -> None:
    daemon.run()

    def spooled(least: int) -> bool:
        return daemon.metric("spool_events_total") >= least

    async with (
        TimedCarrier(daemon, seed=3, speed=150, duplicates=0.1, disorder=0.1) as carrier,
        carrier.calling(rate=20) as played,
    ):
        await asyncio.to_thread(wait_for, lambda: len(carrier.posts) > 200, "no calls came")
        assert daemon.readiness() == "ready"
        disk.fill()
        await asyncio.to_thread(wait_for, lambda: spooled(200), "nothing was spooled")
        await asyncio.to_thread(daemon.wait_until, "degraded")
        disk.free()
        await asyncio.to_thread(daemon.wait_until, "ready")
        count = len(carrier.posts)
        await asyncio.to_thread(wait_for, lambda: len(carrier.posts) > count + 100, "no more calls")
    daemon.wait_until("ready")
    assert_forwarded_and_kept(carrier, played, daemon)
    events, replayed = daemon.metric("spool_events_total"), daemon.metric("spool_replayed_total")
    assert replayed == events
    assert daemon.metric("spool_dead_records") == 0
    measured(
        f"{len(played)} calls forwarded, the slowest in {carrier.slowest('voice'):.3f} s;"
        f" {events:.0f} events spooled, {replayed:.0f} replayed"
    )
    assert daemon.terminate() == 0
