"""The figures of what the process stands on: disks, and the certificates before it."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway import config as configuration
from gateway.config.checks import Address
from gateway.main import host
from gateway.main.host import Disk, asking
from gateway.main.proxy import proxy
from gateway.main.store import database_of
from metrics.observer import Metrics
from tests.support.daemon import Daemon, wait_for
from tests.support.ports import free_port
from tests.support.stores import on_a_loop

_DAY = 86_400.0
EXPIRY = "certificate_expiry_timestamp_seconds"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long chores wanted to wait; they do not."""
    asked: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        asked.append(seconds)
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return asked


# --- disks ---


def told(disk: Disk) -> tuple[int | None, int | None]:
    """What is left, and what there is in all."""
    return disk.free, disk.size


@on_a_loop
async def test_a_disk_tells_what_is_left_to_the_gateway(waits: list[float], tmp_path: Path) -> None:
    """As statvfs has it: without what is kept back for root; nothing before the first look."""
    disk = Disk(tmp_path)
    assert told(disk) == (None, None)
    await disk.look()
    found = os.statvfs(tmp_path)
    assert disk.size == found.f_blocks * found.f_frsize
    assert disk.free is not None
    assert 0 < disk.free <= disk.size
    assert waits == [10]


@on_a_loop
async def test_a_full_disk_has_nothing_left(
    waits: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a figure like others: 0, not absent; what is kept for root is not ours."""
    full = (4096, 4096, 1000, 50, 0, 0, 0, 0, 0, 255)  # 50 blocks are left for root
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(full))
    disk = Disk(tmp_path)
    await disk.look()
    assert told(disk) == (0, 4_096_000)


@on_a_loop
async def test_a_folder_that_hangs_holds_nobody_and_is_soon_not_told(
    waits: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop goes on; what was found before is told for half a minute, as between two looks."""
    now, answer = 100.0, asyncio.Event()
    loop = asyncio.get_running_loop()
    real = os.statvfs

    def hung(folder: Path) -> os.statvfs_result:
        asyncio.run_coroutine_threadsafe(answer.wait(), loop).result()
        return real(folder)

    disk = Disk(tmp_path, lambda: now)
    await disk.look()
    monkeypatch.setattr(os, "statvfs", hung)
    looking = asyncio.create_task(disk.look())
    try:
        now += 30
        assert told(disk) != (None, None)
        now += 1
        assert told(disk) == (None, None)
    finally:
        answer.set()
        await looking
    assert told(disk) != (None, None)


@on_a_loop
async def test_a_folder_that_is_gone_is_not_told_and_logged_once(
    waits: list[float], tmp_path: Path
) -> None:
    """And once when it is there again."""
    folder = tmp_path / "state"
    disk = Disk(folder)
    with capture_logs() as logs:
        await disk.look()
        await disk.look()
        assert told(disk) == (None, None)
        folder.mkdir()
        await disk.look()
        await disk.look()
        assert told(disk) != (None, None)
        folder.rmdir()
        await disk.look()
        assert told(disk) == (None, None)
    assert [(each["log_level"], each["folder"]) for each in logs] == [
        ("warning", str(folder)),
        ("info", str(folder)),
        ("warning", str(folder)),
    ]
    assert "No such file" in logs[0]["error"]


# --- certificates ---


@on_a_loop
async def test_an_end_once_read_stays_while_the_server_is_away(
    waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked each hour, and a minute after it could not be, which is logged once a reason."""
    refused, reset = OSError("refused"), ConnectionResetError()
    said: list[float | OSError] = [refused, refused, 5.0, 5.0, reset, refused, refused, 7.0]

    async def expiry_of(host: str, port: int) -> float:
        assert (host, port) == ("::1", 443)
        answer = said.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(host, "expiry_of", expiry_of)
    ends: dict[str, float] = {}
    ask = asking(Address("::1", 443), ends)
    told = []
    with capture_logs() as logs:
        while said:
            await ask()
            told.append(ends.get("[::1]:443"))
    assert told == [None, None, 5, 5, 5, 5, 5, 7]
    assert waits == [60, 60, 3600, 3600, 60, 60, 60, 3600]
    assert [each.get("error", "well") for each in logs] == [
        "refused",
        "well",
        "ConnectionResetError",
        "refused",
        "well",
    ]
    assert {each["server"] for each in logs} == {"[::1]:443"}


# --- all of it ---


def test_nothing_is_asked_where_nothing_is_configured(tmp_path: Path) -> None:
    """Of a database on a server the disk is that server's business."""
    metrics = Metrics("1.0", lambda: 0)
    (tmp_path / "config.toml").write_text('[storage]\nurl = "postgresql://gateway@db/gateway"\n')
    config = configuration.load(tmp_path / "config.toml", {})
    assert host.host_chores(config, database_of(config), metrics).keys() == {"disk-state"}
    (tmp_path / "config.toml").write_text('[metrics]\ncertificates_of = "gw.example.jp:443"\n')
    config = configuration.load(tmp_path / "config.toml", {})
    chores = host.host_chores(config, database_of(config), metrics)
    assert chores.keys() == {"disk-state", "disk-database", "certificate-gw.example.jp:443"}


@pytest.mark.process
@on_a_loop
async def test_a_daemon_shows_what_it_stands_on(tmp_path: Path) -> None:
    """Both disks, and the certificate of the server that answers; the other one stands at 0, for
    an alarm to find.
    """
    nobody = f"127.0.0.1:{free_port()}"
    async with proxy("gw.example.jp") as server:
        daemon = Daemon(tmp_path, metrics_certificates_of=f"{server}, {nobody}")
        try:
            daemon.migrate()
            daemon.apply()
            daemon.start()  # here, and not in a thread that might end before it
            await asyncio.to_thread(daemon.wait_until, "ready")

            def shown() -> bool:
                folders = ("state", "database")
                names = (f"disk_{what}_bytes" for what in ("free", "size"))
                spaces = [daemon.metric(name, folder=each) for name in names for each in folders]
                return all(spaces) and daemon.metric(EXPIRY, server=server) > time.time() + _DAY

            await asyncio.to_thread(wait_for, shown, "not all was shown")
            page = await asyncio.to_thread(daemon.page)
            assert f'gateway_{EXPIRY}{{server="{nobody}"}} 0.0\n' in page
        finally:
            daemon.close()
