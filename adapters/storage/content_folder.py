"""The files of contents: written whole and durably or not at all, for their owner alone."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from gateway.domain.line.contents import HEAD_BYTES, sniffed
from gateway.ports.contents import Stored

_PIECE_BYTES = 1 << 20
"""So much is gathered before the disk is asked: each time costs a change of threads."""


_STALE_SECONDS = 3600
"""Nobody writes to a part any more that has not grown for so long: a fetch has ten minutes."""


class ContentFolder:
    """See :class:`gateway.ports.contents.Folder`. The loop never waits for the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = folder / ".parts"  # no channel's id begins with a dot

    async def write(self, path: str, chunks: AsyncIterator[bytes], most: int) -> Stored | None:
        whole = self._folder / path
        # Several processes may be asked for one content, if one of them is slow.
        part = self._parts / f"{path.replace('/', '.')}.{os.getpid()}"
        file = _opened(part)
        try:
            stored = await _written(file, chunks, most)
            if stored is not None:
                await _beside(_settle, file, part, whole)
            return stored
        finally:
            os.close(file)
            with suppress(FileNotFoundError):  # it has its name by now, if all went well
                os.unlink(part)

    async def find(self, path: str) -> Path | None:
        whole = self._folder / path
        return whole if await asyncio.to_thread(whole.is_file) else None

    async def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            await asyncio.to_thread(os.unlink, self._folder / path)

    async def tidy(self) -> int:
        """Remove what processes left that died amid writing; returns how many files."""
        return await asyncio.to_thread(self._tidy)

    def _tidy(self) -> int:
        left = 0
        before = time.time() - _STALE_SECONDS
        with suppress(FileNotFoundError):  # nothing was ever written, or another process is quicker
            for part in self._parts.iterdir():
                if part.stat().st_mtime < before:
                    part.unlink()
                    left += 1
        return left


async def _beside(work: Callable[..., object], *args: object) -> None:
    """Do ``work`` in a thread, to its end even if nobody waits for it any more: what it works on
    is not taken away from under it.
    """
    thread = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait({thread})
        raise


async def _written(file: int, chunks: AsyncIterator[bytes], most: int) -> Stored | None:
    digest, size, head = sha256(), 0, b""
    piece = bytearray()

    def put() -> None:
        digest.update(piece)
        done = 0
        while done < len(piece):
            done += os.write(file, piece[done:])

    async for chunk in chunks:
        size += len(chunk)
        if size > most:
            return None
        head = head if len(head) >= HEAD_BYTES else head + chunk[:HEAD_BYTES]
        piece += chunk
        if len(piece) >= _PIECE_BYTES:
            await _beside(put)
            piece.clear()
    await _beside(put)
    return Stored(sniffed(head), size, digest.hexdigest())


def _opened(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def _settle(file: int, part: Path, whole: Path) -> None:
    """Make the file durable before its name is, and its name before anybody is told of it."""
    os.fsync(file)
    whole.parent.mkdir(mode=0o700, exist_ok=True)
    part.replace(whole)
    folder = os.open(whole.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
