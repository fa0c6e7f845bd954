"""The daemon of the demonstration, in a process of its own."""

import asyncio
import contextlib
import sys
import time
import urllib.error
import urllib.request
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.config import Config

PATIENCE = 15.0
"""So many seconds it has to start, to settle and to stop."""

LOG = "gateway.log"


@contextlib.asynccontextmanager
async def running(config: Config, folder: Path) -> AsyncIterator[Process]:
    """The daemon, ready; in a session of its own, too: Ctrl-C is for us alone.

    Raises:
        OSError: it does not start; its log was shown.
    """
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(folder / "config.toml")]
    with (folder / LOG).open("wb") as log:
        daemon = await asyncio.create_subprocess_exec(*command, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{config.metrics.listen.port}/readyz"
        deadline = time.monotonic() + PATIENCE
        while not await asyncio.to_thread(_answers, url):
            if daemon.returncode is not None or time.monotonic() > deadline:
                print((folder / LOG).read_text(), file=sys.stderr)
                raise OSError("the daemon did not start, see above")
            await asyncio.sleep(0.05)
        yield daemon
    finally:
        if daemon.returncode is None and await stopped(daemon) is None:
            daemon.kill()
            await daemon.wait()


async def stopped(daemon: Process) -> int | None:
    """Let it drain; returns its exit code, ``None`` where it does not end."""
    daemon.terminate()
    try:
        return await asyncio.wait_for(daemon.wait(), PATIENCE)
    except TimeoutError:
        return None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own loopback address
            return True
    except (urllib.error.URLError, OSError):
        return False
