"""The spool: where events wait while the store is away, until they are replayed."""

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from adapters.storage.spool.file import Record, SpoolFile, sync_names
from gateway.errors import Permanent, Refused, Transient, Trouble
from gateway.ports import Clock

R = TypeVar("R")

_log = logging.getLogger("gateway.spool")

_FAILURES = 5
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DEAD = "spool.dead"


class FileSpool:
    """See :class:`gateway.ports.Spool`; open it with ``async with``.

    Appends of one turn of the loop share a sync. What waits is replayed, in order, through
    ``replay`` (by kind), which runs the same use-case in the background lane.
    """

    def __init__(
        self,
        folder: Path,
        *,
        reserve: int,
        clock: Clock,
        replay: dict[str, Callable[[bytes], Awaitable[object]]],
        ready: Callable[[], bool],
        look_seconds: float = 0.5,
        adopt_seconds: float = 5.0,
    ) -> None:
        self._folder = folder
        self._reserve = reserve
        self._clock = clock
        self._replay = replay
        self._ready = ready
        self._look_seconds = look_seconds
        self._adopt_seconds = adopt_seconds
        self._files: list[SpoolFile] = []
        self._queue: list[tuple[Record, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._replaying: asyncio.Task[None] | None = None
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="spool-disk")
        self._closed = False
        self._trouble: int | None = None
        self._failures: dict[bytes, int] = {}
        self._foreign: set[Path] = set()
        self.replayed = 0
        self.dead = 0
        """Records in ``spool.dead``."""

    async def __aenter__(self) -> "FileSpool":
        await self._on_disk(self._open)
        self._replaying = asyncio.create_task(self._replay_all(), name="spool-replay")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        if self._replaying is not None:
            self._replaying.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._replaying
        if self._writing is not None:
            await self._writing
        await self._on_disk(self._close)
        self._disk.shutdown(wait=False)

    @property
    def waiting(self) -> int:
        """Records that wait."""
        return sum(file.left for file in self._files)

    @property
    def bytes_waiting(self) -> int:
        """Bytes that they take."""
        return sum(file.used for file in self._files)

    @property
    def capacity(self) -> int:
        """Bytes reserved for records to come and those that wait."""
        return sum(file.size for file in self._files)

    @property
    def oldest(self) -> int | None:
        """When the oldest of them was spooled (microseconds)."""
        times = (file.oldest for file in self._files)
        return min((time for time in times if time is not None), default=None)

    async def append(self, kind: str, record: bytes) -> None:
        if self._closed:
            raise Permanent(Trouble.SPOOL_FAULT, "it is closed")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((Record(kind, record, self._clock()), future))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="spool-write")
        await asyncio.shield(future)

    async def _write(self) -> None:
        while self._queue:
            taken, self._queue = self._queue, []
            try:
                await self._on_disk(self._append, [record for record, _ in taken])
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must know
                full = isinstance(error, OSError) and error.errno in _FULL
                reason = Trouble.SPOOL_FULL if full else Trouble.SPOOL_FAULT
                _log.error("the spool refuses: %s", error)
                for _, future in taken:
                    future.set_exception(Permanent(reason))
                    future.exception()  # whoever went away must not be asked for it
            else:
                for _, future in taken:
                    future.set_result(None)

    # --- in the one thread that touches the files ---

    async def _on_disk(self, work: Callable[..., R], *args: object) -> R:
        """Run ``work`` there, after all that was given to it before."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work, *args)

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._adopt()
        if self._files:
            with contextlib.suppress(OSError):
                self._files[0].reserve(self._reserve)
        else:
            self._create()
        self._count_dead()

    def _close(self) -> None:
        for file in self._files:
            file.close()  # its reserved space stays, for a start on a full disk
        self._files = []

    def _append(self, records: list[Record]) -> None:
        if not self._files:
            raise OSError(self._trouble, "no space could be reserved")
        self._files[0].append(records)

    def _create(self) -> None:
        for number in range(1, 10_000):
            path = self._folder / f"spool-{number}.log"
            try:
                file = SpoolFile.open(path, create=True, reserve=self._reserve)
            except FileExistsError:
                continue
            except OSError as error:
                self._trouble = error.errno
                _log.error("the spool cannot reserve %d bytes: %s", self._reserve, error)
                return
            if file is not None:
                self._files.append(file)
                return

    def _adopt(self) -> None:
        """Take the files that no process holds."""
        mine = {file.path for file in self._files}
        for path in sorted(self._folder.glob("spool-*.log")):
            if path in mine:
                continue
            try:
                file = SpoolFile.open(path, create=False)
            except FileNotFoundError:
                continue  # its process tidied it away
            except OSError as error:
                if path not in self._foreign:  # told once, not at every look
                    self._foreign.add(path)
                    _log.error("a spool file cannot be read: %s", error)
                continue
            if file is not None:
                self._files.append(file)
                if file.waiting:
                    _log.warning("adopted a spool file with %d events", len(file.waiting))

    def _look_around(self) -> None:
        self._adopt()
        if not self._files:
            self._create()
        self._count_dead()

    def _clear(self, file: SpoolFile) -> None:
        if not file.left:  # none came meanwhile
            file.clear()

    def _tidy(self, file: SpoolFile) -> None:
        """An adopted file that is empty is not needed beside our own."""
        if file is not self._files[0] and not file.waiting:
            self._files.remove(file)
            file.remove()

    def _bury(self, record: Record) -> None:
        path = self._folder / DEAD
        file = SpoolFile.open(path, create=not path.exists())
        if file is None:
            raise BlockingIOError("spool.dead is being sent again")
        file.append([record])
        self.dead = len(file.waiting)
        file.close()

    def _count_dead(self) -> None:
        path = self._folder / DEAD
        if not path.exists():
            self.dead = 0
            return
        with contextlib.suppress(OSError):
            file = SpoolFile.open(path, create=False)
            if file is not None:
                self.dead = len(file.waiting)
                file.close()

    # --- on the loop again: what waits ---

    async def _replay_all(self) -> None:
        looked = 0.0
        while True:
            await asyncio.sleep(self._look_seconds)
            looked += self._look_seconds
            try:
                if looked >= self._adopt_seconds:
                    looked = 0.0
                    await self._on_disk(self._look_around)
                for file in list(self._files):
                    if file.waiting and self._ready():
                        await self._replay_file(file)
                    if file is not self._files[0] and not file.waiting:
                        await self._on_disk(self._tidy, file)
            except Exception as error:  # noqa: BLE001 - the disk's, mostly: the next look may do
                _log.error("the spool cannot be replayed: %s", error)

    async def _replay_file(self, file: SpoolFile) -> None:
        while file.left:
            if not await self._replay_one(file.waiting[file.replayed]):
                return  # the order stays: what follows waits for this one
            file.replayed += 1
        await self._on_disk(self._clear, file)

    async def _replay_one(self, record: Record) -> bool:
        """Whether ``record`` is dealt with: replayed, refused for good, or dead."""
        try:
            await self._replay[record.kind](record.body)
        except Transient:
            return False
        except Refused as refused:
            _log.warning("a spooled event was refused: %s", refused.reason)
        except Exception as error:  # noqa: BLE001 - what fails five times is buried, with its type
            failures = self._failures[record.body] = self._failures.get(record.body, 0) + 1
            if failures < _FAILURES:
                return False
            await self._on_disk(self._bury, record)
            told = error if isinstance(error, Permanent) else type(error).__name__
            _log.error("a spooled event is dead: %s", told)
        else:
            self.replayed += 1
        self._failures.pop(record.body, None)
        return True


def resend_dead(folder: Path) -> int:
    """Hand ``spool.dead`` to the daemon, which adopts it within seconds; returns the records.

    Raises:
        OSError: it cannot be read, or is in use.
    """
    path = folder / DEAD
    if not path.exists():
        return 0
    file = SpoolFile.open(path, create=False)
    if file is None:
        raise BlockingIOError("spool.dead is in use: try again")
    try:
        for number in range(1, 10_000):
            # A link, since a rename would replace a file that a daemon makes at this moment.
            with contextlib.suppress(FileExistsError):
                os.link(path, folder / f"spool-{number}.log")
                path.unlink()
                sync_names(folder)
                return len(file.waiting)
        raise FileExistsError("too many spool files")
    finally:
        file.close()


def waiting_in(folder: Path) -> int:
    """How many events wait in the spool files that no process holds."""
    count = 0
    for path in folder.glob("spool-*.log"):
        with contextlib.suppress(OSError):  # the daemon that adopts tells of a file it cannot read
            file = SpoolFile.open(path, create=False)
            if file is not None:
                count += len(file.waiting)
                file.close()
    return count
