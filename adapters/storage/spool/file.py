"""A file of the spool.

A file a process, its space reserved ahead so that a full disk still takes records. A record is
length, CRC-32, generation, time and payload; it is acknowledged after fdatasync. Once everything
in a file was replayed, the generation in its head is raised, which voids all records at once:
replaying is idempotent, so a crash on the way only replays again.
"""

import contextlib
import fcntl
import logging
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_log = logging.getLogger("gateway.spool")

_MAGIC = b"TSPOOL1\n"
_HEAD = struct.Struct("<8sQ")  # magic, generation
_RECORD = struct.Struct("<IIQQ")  # length of kind and body, CRC-32, generation, time
_CHUNK = 1 << 20


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
        self._head_kept = False
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
            file.reserve(reserve)
            if create:
                sync_names(path.parent)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            if create:
                # Before it is unlocked: another process might take it, and lose it.
                with contextlib.suppress(OSError):
                    path.unlink()
            os.close(descriptor)
            raise
        return file

    @property
    def left(self) -> int:
        """Records that are not dealt with."""
        return len(self.waiting) - self.replayed

    @property
    def oldest(self) -> int | None:
        """When the first of them was spooled (microseconds)."""
        return self.waiting[self.replayed].time if self.left else None

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
        if not self._head_kept:
            self._write_head()  # what follows is only found again under the generation it names
        new = list(records)
        blob = b"".join(self._packed(record) for record in new)
        self.reserve(self._end + len(blob))
        _write_all(self._fd, blob, self._end)
        os.fdatasync(self._fd)
        self._end += len(blob)
        self.waiting += new

    def clear(self) -> None:
        """Void all records; to be called when each was replayed.

        Raises:
            OSError: they may come back after a crash, and no sooner.
        """
        self._generation += 1
        self._head_kept = False
        self._end = _HEAD.size
        self.replayed = 0  # first: others look at what is left, and must not see less than none
        self.waiting = []
        self._write_head()

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
        self._head_kept = True
        damaged = 0
        while self._end + _RECORD.size <= len(data):
            length, crc, generation, time = _RECORD.unpack_from(data, self._end)
            start = self._end + _RECORD.size
            # A voided record, or one that was cut off, ends the file: nothing follows it.
            if generation != self._generation or start + length > len(data):
                break
            body = data[start : start + length]
            self._end = start + length
            if crc != zlib.crc32(body, generation & 0xFFFFFFFF):
                damaged += 1  # torn, or the disk's fault: what follows is whole all the same
                continue
            kind, _, rest = body.partition(b"\0")
            self.waiting.append(Record(kind.decode(), rest, time))
        if damaged:
            _log.error("%s: %d damaged records were left out", self.path.name, damaged)

    def _write_head(self) -> None:
        _write_all(self._fd, _HEAD.pack(_MAGIC, self._generation), 0)
        os.fsync(self._fd)
        self._head_kept = True

    def reserve(self, size: int) -> None:
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


def sync_names(folder: Path) -> None:
    """Make the names in ``folder`` durable: a file that nothing leads to is lost."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
