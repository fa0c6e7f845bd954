"""The machine around the process: the disks under its folders, and the certificates before it."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from adapters.http.certificates import expiry_of
from adapters.storage.postgres import Postgres
from adapters.storage.sqlite import Sqlite
from gateway.config import Config
from gateway.config.checks import Address
from gateway.main.parts import Chore
from metrics.observer import Metrics

_LOOK_SECONDS = 10.0
_FRESH_SECONDS = 3 * _LOOK_SECONDS
_HOUR, _MINUTE = 3600.0, 60.0

_log = structlog.get_logger("gateway")


def host_chores(config: Config, database: Sqlite | Postgres, metrics: Metrics) -> dict[str, Chore]:
    """The chores that read these figures, by name; ``metrics`` shows them from now on."""
    disks = {"state": Disk(config.storage.state_dir)}
    if isinstance(database, Sqlite):
        disks["database"] = Disk(database.path.parent)
    metrics.gauge("disk_free_bytes", lambda: _known({n: d.free for n, d in disks.items()}))
    metrics.gauge("disk_size_bytes", lambda: _known({n: d.size for n, d in disks.items()}))
    servers = config.metrics.certificates_of or ()
    ends = dict.fromkeys(map(str, servers), 0.0)
    metrics.gauge("certificate_expiry_timestamp_seconds", lambda: ends)
    chores: dict[str, Chore] = {f"disk-{name}": disk.look for name, disk in disks.items()}
    for server in servers:
        chores[f"certificate-{server}"] = asking(server, ends)
    return chores


class Disk:
    """The space where a folder lies, as it was found last.

    A network folder that hangs holds a thread, this chore and the process's end, but not the loop:
    what was found before is told for half a minute more, then nothing.
    """

    def __init__(self, folder: Path, steady: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._steady = steady
        self._found: tuple[int, int] | None = None
        self._found_at = 0.0
        self._trouble = _Trouble(folder=str(folder))

    async def look(self) -> None:
        """Find out, and wait until it is time to look again: a chore."""
        try:
            found = await asyncio.to_thread(os.statvfs, self._folder)
        except OSError as error:
            self._found = None
            self._trouble.note(error)
        else:
            # What is kept back for root is of no use to the gateway: not f_bfree.
            self._found = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
            self._found_at = self._steady()
            self._trouble.note(None)
        await asyncio.sleep(_LOOK_SECONDS)

    @property
    def free(self) -> int | None:
        """Bytes left to the gateway; ``None`` where that is not known."""
        return self._fresh[0] if self._fresh else None

    @property
    def size(self) -> int | None:
        """Bytes in all, likewise."""
        return self._fresh[1] if self._fresh else None

    @property
    def _fresh(self) -> tuple[int, int] | None:
        return self._found if self._steady() - self._found_at <= _FRESH_SECONDS else None


def asking(server: Address, ends: dict[str, float]) -> Chore:
    """A chore that writes into ``ends``, under the server's name, when its certificate ends
    (seconds since 1970): each hour, and a minute after it could not be asked.

    An end once read stays until another is read: a server that is away for a while has the same
    certificate afterwards, and an alarm on its end must not fall silent meanwhile.
    """
    trouble = _Trouble(server=str(server))

    async def chore() -> None:
        try:
            ends[str(server)] = await expiry_of(server.host, server.port)
        except OSError as error:
            trouble.note(error)
            await asyncio.sleep(_MINUTE)
        else:
            trouble.note(None)
            await asyncio.sleep(_HOUR)

    return chore


class _Trouble:
    """Tells the log of a figure that cannot be read, once for as long as the reason is the same."""

    def __init__(self, **of: str) -> None:
        self._log = _log.bind(**of)
        self._told = ""

    def note(self, error: OSError | None) -> None:
        reason = "" if error is None else str(error) or type(error).__name__
        if reason == self._told:
            return
        self._told = reason
        if reason:
            self._log.warning("a figure cannot be read", error=reason)
        else:
            self._log.info("a figure is read again")


def _known(spaces: dict[str, int | None]) -> dict[str, float]:
    return {name: space for name, space in spaces.items() if space is not None}
