"""SQLite's checkpoints, beside the writer instead of in its way.

By default the commit that fills a thousand pages of the write-ahead log also copies them into the
database and syncs that: every few hundred calls, some wait many times the usual. Here a thread
copies, and the writer only copies what came in the meantime, which lets the log begin anew instead
of growing. (SQLite documentation, "Write-Ahead Logging", 2.2 and 6.)
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable

_ROWS = 50_000
"""Rows after which the log is copied: with a call's usual rows some 60 MB. So seldom that fewer
than one call in a hundred meets a checkpoint."""

_NICENESS = 10
"""Calls come first where there is one core for all."""

_COPY = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpointer:
    """Copies the log of one writer into the database, in a thread of its own."""

    def __init__(self, writer: sqlite3.Connection, connect: Callable[[], sqlite3.Connection]):
        self._writer = writer
        self._connect = connect
        self._rows = 0
        self._due = threading.Event()
        self._copied = False
        self._closing = threading.Event()
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        self._thread = threading.Thread(target=self._work, name="store-checkpoint", daemon=True)
        self._thread.start()

    def committed(self, rows: int) -> None:
        """The writer has committed so many rows; called in its thread, between transactions."""
        self._rows += rows
        if self._copied:
            # Next to nothing is left; once that is copied, the next commit starts the log anew.
            self._copied = False
            self._copy(self._writer)
        elif self._rows >= _ROWS and not self._due.is_set():
            self._rows = 0
            self._due.set()

    def close(self) -> None:
        """End the thread; the rest of the log is copied when the last connection closes."""
        self._closing.set()
        self._due.set()
        self._thread.join()

    def _work(self) -> None:
        with contextlib.suppress(OSError):  # a sandbox may forbid it, which must not end the thread
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while not self._closing.is_set():
            self._due.wait()
            if self._closing.is_set():
                return
            # A connection that fails leaves all copying to the writer, which is slower, not less.
            with contextlib.suppress(sqlite3.Error), contextlib.closing(self._connect()) as own:
                self._copy(own)
                self._copy(own)  # what came meanwhile, so that the writer finds next to nothing
            # Cleared before the loop asks whether it ends: this may have been the word to end.
            self._due.clear()
            self._copied = True

    @staticmethod
    def _copy(connection: sqlite3.Connection) -> None:
        # A reader that holds the log, or a full disk: nothing is lost, the next time will do.
        with contextlib.suppress(sqlite3.Error):
            connection.execute(_COPY).fetchone()
