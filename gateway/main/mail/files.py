"""Files of recipients that are being taken in: kept in a folder until all of their lines are.

A file is named by its import's id and by whose it is, and is there before the import is. Whoever
takes its lines in holds a lock on it, so that a daemon goes on where another process was killed,
and never beside it.
"""

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from gateway.domain.mail.importing.csvfile import Layout, Limit, examined, rows_of
from gateway.domain.mail.importing.lines import Line, checked_line
from gateway.domain.mail.lists import MailList
from gateway.errors import Refusal, Refused, Transient, Trouble
from gateway.usecases.mail.imports import AT_ONCE

R = TypeVar("R")

MOST_WAITING = 10
MOST_OF_ONE = 4
"""Files that may lie there at once, in all and of one advertiser: of 100 MB each, that is all the
disk they may take."""

_PIECE_BYTES = 65_536
_SUFFIX = ".csv"


class ImportFiles:
    """The folder; it implements :class:`adapters.http.api.mail.base.Staging`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "imports")

    # --- for whoever brings a file ---

    async def keep(self, imported: int, advertiser: str, pieces: AsyncIterator[bytes]) -> str:
        """Write a file of an advertiser's down as it comes; its SHA-256.

        Raises:
            Refused: the body is refused while it comes; nothing is kept.
            Transient: there are too many files already.
        """
        file = await asyncio.to_thread(self._create, imported, advertiser)
        digest = sha256()
        try:
            with os.fdopen(file, "wb") as out:
                async for piece in pieces:
                    digest.update(piece)
                    await asyncio.to_thread(out.write, piece)
                out.flush()
                # The file is on the disk before the store says that there is an import.
                await asyncio.to_thread(os.fsync, out.fileno())
        except BaseException:
            self.drop(imported)
            raise
        return digest.hexdigest()

    def copy(self, imported: int, advertiser: str, source: Path) -> None:
        """Write down what is in another file, for an advertiser.

        Raises:
            OSError: it cannot be read, or the folder cannot be written to.
            Transient: there are too many files already.
        """
        with (
            source.open("rb") as original,
            os.fdopen(self._create(imported, advertiser), "wb") as out,
        ):
            try:
                shutil.copyfileobj(original, out, _PIECE_BYTES)
                out.flush()
                os.fsync(out.fileno())
            except BaseException:
                self.drop(imported)
                raise

    async def examine(self, imported: int, mail_list: MailList) -> Layout:
        """What a file that was kept is.

        Raises:
            Refused: FILE_INVALID, with what to mend.
        """
        return await self.beside(self.examine_now, imported, mail_list)

    def examine_now(self, imported: int, mail_list: MailList) -> Layout:
        """The same, at once."""
        return examined(_pieces(self.path(imported)), mail_list.attributes)

    async def beside(self, work: Callable[..., R], *args: Any) -> R:
        """``work(*args)`` beside the event loop, one after the other in a thread of its own: a
        file takes minutes, for which nobody else's work may wait.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args))

    def drop(self, imported: int) -> None:
        """Take a file away, if there is one."""
        self.path(imported).unlink(missing_ok=True)

    # --- for whoever takes it in ---

    def waiting(self) -> list[int]:
        """The imports of which a file is there, the oldest first."""
        return sorted(imported for imported, _ in self._there())

    def path(self, imported: int) -> Path:
        """Where the file of an import lies, if there is one."""
        found = self._folder.glob(f"{imported}.*{_SUFFIX.removeprefix('.')}")
        return next(found, self._folder / f"{imported}{_SUFFIX}")

    def is_readable(self, imported: int) -> bool:
        """Whether a file may be read: another user's command may have left it behind."""
        path = self.path(imported)
        return os.access(path, os.R_OK) or not path.exists()

    def age(self, imported: int) -> float:
        """For how many seconds a file has been as it is; 0 where it is gone."""
        try:
            return time.time() - self.path(imported).stat().st_mtime
        except FileNotFoundError:
            return 0

    @contextmanager
    def locked(self, imported: int) -> Iterator[bool]:
        """Hold a file against others; whether it could be had. It ends with the process, too."""
        try:
            file = os.open(self.path(imported), os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError):  # done, or of another user
            yield False
            return
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(file)

    def batches(
        self, imported: int, mail_list: MailList, now: int, beyond: int
    ) -> Iterator[tuple[Line, ...]]:
        """The lines behind a line, so many at a time as one unit takes in.

        Raises:
            Refused: FILE_INVALID; the list has changed since the file was examined, or too many
                lines are unfit.
        """
        path = self.path(imported)
        layout = examined(_pieces(path), mail_list.attributes)
        rows = rows_of(_pieces(path), layout, beyond)
        states = layout.states_consent
        limit = Limit()
        while batch := tuple(
            checked_line(row, mail_list, now, states_consent=states)
            for row in islice(rows, AT_ONCE)
        ):
            yield batch
            for line in batch:  # behind it, so that the report has them
                limit.count(line.line, is_refused=line.fault is not None)

    def _there(self) -> list[tuple[int, str]]:
        """The imports of which a file is there, and whose they are."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        parts = [name.removesuffix(_SUFFIX).partition(".") for name in names if _SUFFIX in name]
        return [(int(id_), whose) for id_, _, whose in parts if id_.isascii() and id_.isdigit()]

    def _create(self, imported: int, advertiser: str) -> int:
        if not self._folder.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _give(self._folder, self._folder.parent)
        there = self._there()
        of_one = sum(whose == advertiser for _, whose in there)
        if len(there) >= MOST_WAITING or of_one >= MOST_OF_ONE:
            raise Transient(Trouble.STORE_BUSY, "too many imports wait")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        path = self._folder / f"{imported}.{advertiser}{_SUFFIX}"
        file = os.open(path, flags, 0o600)
        _give(path, self._folder)
        return file


def _give(path: Path, like: Path) -> None:
    """Let what root made be of whose ``like`` is: their daemon may have to go on with it."""
    if os.geteuid() == 0:
        whose = like.stat()
        os.chown(path, whose.st_uid, whose.st_gid)


def fault_of(refused: Refused) -> str:
    """Why an import ends, in the words of its report."""
    if refused.reason is Refusal.FILE_INVALID:
        return refused.detail
    return str(refused.reason)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
