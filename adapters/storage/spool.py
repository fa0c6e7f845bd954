"""The spool: where events wait while the store is away.

A file a process, its space reserved ahead so that a full disk still takes records. A record is
length, CRC-32, generation, time and payload; it is acknowledged after fdatasync. Once everything
in a file was replayed, the generation in its head is raised, which voids all records at once:
replaying is idempotent, so a crash on the way only replays again.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from gateway.errors import Permanent, Refused, Transient, Trouble
from gateway.ports import Clock

_log = logging.getLogger("gateway.spool")

_MAGIC = b"TSPOOL1\n"
_HEAD = struct.Struct("<8sQ")  # magic, generation
_RECORD = struct.Struct("<IIQQ")  # length of kind and body, CRC-32, generation, time
_CHUNK = 1 << 20
_FAILURES = 5
_LOOK_SECONDS = 0.5
_ADOPT_SECONDS = 5.0
DEAD = "spool.dead"


class Record(NamedTuple):
    """One event that waits."""

    kind: str
    body: bytes
    time: int
    """When it was spooled, in microseconds."""


class SpoolFile:
    """One file of records, locked by the process that has it open."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._fd = descriptor
        self._generation = 1
        self._end = _HEAD.size
        self.waiting: list[Record] = []
        self.replayed = 0
        """How many of them, from the front, are dealt with."""

    @classmethod
    def open(cls, path: Path, *, create: bool, reserve: int = 0) -> "SpoolFile | None":
        """Open and lock ``path`` with what waits in it; ``None`` where another process has it.

        Raises:
            OSError: the space cannot be reserved, or the disk fails.
        """
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.exists() or os.stat(path).st_ino != os.fstat(descriptor).st_ino:
                raise BlockingIOError("it was taken away meanwhile")
            file = cls(path, descriptor)
            file._read()
            file._reserve(reserve)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return file

    @property
    def used(self) -> int:
        """Bytes of records that wait."""
        return self._end - _HEAD.size if self.waiting else 0

    @property
    def size(self) -> int:
        """Bytes reserved."""
        return os.fstat(self._fd).st_size

    def append(self, records: Iterable[Record]) -> None:
        """Write ``records`` and sync them once.

        Raises:
            OSError: nothing of them counts as written.
        """
        new = list(records)
        blob = b"".join(self._packed(record) for record in new)
        self._reserve(self._end + len(blob))
        _write_all(self._fd, blob, self._end)
        os.fdatasync(self._fd)
        self._end += len(blob)
        self.waiting += new

    def clear(self) -> None:
        """Void all records; to be called when each was replayed."""
        self._generation += 1
        self._write_head()
        self._end = _HEAD.size
        self.waiting = []
        self.replayed = 0

    def close(self) -> None:
        """Unlock and close the file; what waits in it is adopted by the next process."""
        os.close(self._fd)

    def remove(self) -> None:
        """Delete the file and close it."""
        self.path.unlink()
        self.close()

    def _packed(self, record: Record) -> bytes:
        body = record.kind.encode() + b"\0" + record.body
        crc = zlib.crc32(body, self._generation & 0xFFFFFFFF)
        return _RECORD.pack(len(body), crc, self._generation, record.time) + body

    def _read(self) -> None:
        data = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        if len(data) < _HEAD.size or data[:8] != _MAGIC:
            if data.strip(b"\0"):
                raise OSError(f"{self.path} is no spool file: move it away")
            self._write_head()
            return
        _, self._generation = _HEAD.unpack_from(data)
        while self._end + _RECORD.size <= len(data):
            length, crc, generation, time = _RECORD.unpack_from(data, self._end)
            start = self._end + _RECORD.size
            body = data[start : start + length]
            # A torn or voided record ends the file: nothing behind it was ever acknowledged.
            if (
                generation != self._generation
                or len(body) != length
                or crc != zlib.crc32(body, generation & 0xFFFFFFFF)
            ):
                break
            kind, _, rest = body.partition(b"\0")
            self.waiting.append(Record(kind.decode(), rest, time))
            self._end = start + length

    def _write_head(self) -> None:
        _write_all(self._fd, _HEAD.pack(_MAGIC, self._generation), 0)
        os.fsync(self._fd)

    def _reserve(self, size: int) -> None:
        """Write zeros up to ``size``: unlike a hole, they can be overwritten on a full disk."""
        have = self.size
        if size <= have:
            return
        target = -(-size // _CHUNK) * _CHUNK
        try:
            for start in range(have, target, _CHUNK):
                _write_all(self._fd, bytes(min(_CHUNK, target - start)), start)
            os.fsync(self._fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, max(have, self._end))
            raise


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


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
    ) -> None:
        self._folder = folder
        self._reserve = reserve
        self._clock = clock
        self._replay = replay
        self._ready = ready
        self._files: list[SpoolFile] = []
        self._queue: list[tuple[Record, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._replaying: asyncio.Task[None] | None = None
        self._disk = asyncio.Lock()
        self._failures: dict[bytes, int] = {}
        self.replayed = 0
        self.dead = 0
        """Records in ``spool.dead``."""

    async def __aenter__(self) -> "FileSpool":
        await asyncio.to_thread(self._open)
        self._replaying = asyncio.create_task(self._replay_all(), name="spool-replay")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._replaying is not None:
            self._replaying.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._replaying
        if self._writing is not None:
            await self._writing
        for file in self._files:
            file.close()  # its reserved space stays, for a start on a full disk

    @property
    def waiting(self) -> int:
        """Records that wait."""
        return sum(len(file.waiting) for file in self._files)

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
        return min((file.waiting[0].time for file in self._files if file.waiting), default=None)

    async def append(self, kind: str, record: bytes) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((Record(kind, record, self._clock()), future))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="spool-write")
        await asyncio.shield(future)

    async def _write(self) -> None:
        while self._queue:
            taken, self._queue = self._queue, []
            try:
                async with self._disk:
                    if not self._files:
                        raise FileNotFoundError("no space could be reserved")
                    await asyncio.to_thread(self._files[0].append, [r for r, _ in taken])
            except OSError as error:
                full = error.errno in (28, 122)  # ENOSPC, EDQUOT
                reason = Trouble.SPOOL_FULL if full else Trouble.SPOOL_FAULT
                _log.error("the spool refuses: %s", error.strerror or error)
                for _, future in taken:
                    if not future.done():
                        future.set_exception(Permanent(reason))
                        future.exception()  # whoever went away must not be asked for it
            else:
                for _, future in taken:
                    if not future.done():
                        future.set_result(None)

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._adopt()
        if not self._files:
            self._create()
        else:
            with contextlib.suppress(OSError):
                self._files[0]._reserve(self._reserve)
        self._count_dead()

    def _create(self) -> None:
        for number in range(1, 10_000):
            path = self._folder / f"spool-{number}.log"
            try:
                file = SpoolFile.open(path, create=True, reserve=self._reserve)
            except FileExistsError:
                continue
            except OSError as error:
                with contextlib.suppress(OSError):
                    path.unlink()
                _log.error("the spool cannot reserve %d bytes: %s", self._reserve, error)
                return
            if file is not None:
                self._files.append(file)
                return

    def _adopt(self) -> bool:
        """Take the files that no process holds; returns whether there were any."""
        mine = {file.path for file in self._files}
        found = False
        for path in sorted(self._folder.glob("spool-*.log")):
            if path in mine:
                continue
            try:
                file = SpoolFile.open(path, create=False)
            except OSError as error:
                _log.error("a spool file cannot be read: %s", error)
                continue
            if file is not None:
                found = True
                self._files.append(file)
                if file.waiting:
                    _log.warning("adopted a spool file with %d events", len(file.waiting))
        return found

    async def _replay_all(self) -> None:
        passed = 0.0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            passed += _LOOK_SECONDS
            if passed >= _ADOPT_SECONDS:
                passed = 0.0
                async with self._disk:
                    await asyncio.to_thread(self._adopt)
                    if not self._files:
                        await asyncio.to_thread(self._create)
                    await asyncio.to_thread(self._count_dead)
            for file in list(self._files):
                if file.waiting and self._ready():
                    await self._replay_file(file)
                await self._tidy(file)

    async def _replay_file(self, file: SpoolFile) -> None:
        while file.replayed < len(file.waiting):
            if not await self._replay_one(file.waiting[file.replayed]):
                return  # the order stays: what follows waits for this one
            file.replayed += 1
        async with self._disk:
            if file.replayed == len(file.waiting):
                await asyncio.to_thread(file.clear)

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
            _log.error("a spooled event is dead: %s", type(error).__name__)
            async with self._disk:
                await asyncio.to_thread(self._bury, record)
        else:
            self.replayed += 1
        self._failures.pop(record.body, None)
        return True

    async def _tidy(self, file: SpoolFile) -> None:
        """An adopted file that is empty is not needed beside our own."""
        async with self._disk:
            if file is not self._files[0] and not file.waiting:
                self._files.remove(file)
                await asyncio.to_thread(file.remove)

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
            target = folder / f"spool-{number}.log"
            if not target.exists():
                os.rename(path, target)
                return len(file.waiting)
        raise FileExistsError("too many spool files")
    finally:
        file.close()


def waiting_in(folder: Path) -> int:
    """How many events wait in the spool files that no process holds."""
    count = 0
    for path in folder.glob("spool-*.log"):
        file = SpoolFile.open(path, create=False)
        if file is not None:
            count += len(file.waiting)
            file.close()
    return count
