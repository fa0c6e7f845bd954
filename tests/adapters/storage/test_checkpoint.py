"""The write-ahead log is copied beside the writer, and does not grow without end."""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.storage.checkpoint import Checkpointer

ROWS, TRANSACTIONS = 2_000, 150
ROW_BYTES = 200


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def _write(path: Path, connect: Callable[[], sqlite3.Connection]) -> tuple[int, int]:
    """Commit many rows under a checkpointer; the log at its largest, and the rows at the end."""
    writer = _connect(path)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE things (body TEXT)")
    checkpointer = Checkpointer(writer, connect)
    log, most = path.with_name(path.name + "-wal"), 0
    for _ in range(TRANSACTIONS):
        writer.execute("BEGIN IMMEDIATE")
        writer.executemany("INSERT INTO things VALUES (?)", [("x" * ROW_BYTES,)] * ROWS)
        writer.execute("COMMIT")
        checkpointer.committed(ROWS)
        most = max(most, log.stat().st_size)
    checkpointer.close()
    writer.close()
    with _connect(path) as reader:
        (count,) = reader.execute("SELECT count(*) FROM things").fetchone()
    return most, count


@pytest.mark.slow
def test_the_log_begins_anew_instead_of_growing(tmp_path: Path) -> None:
    """The log stays below what was written, and every row is there."""
    path = tmp_path / "store.db"
    most, count = _write(path, lambda: _connect(path))
    assert count == ROWS * TRANSACTIONS
    assert most < ROWS * TRANSACTIONS * ROW_BYTES * 3 / 4


@pytest.mark.slow
def test_closing_in_the_middle_of_a_copy_ends(tmp_path: Path) -> None:
    """Whoever closes while the thread copies does not wait for ever: a writer whose disk fails
    must come back.
    """
    writer = _connect(tmp_path / "store.db")
    writer.execute("PRAGMA journal_mode = WAL")
    copying, closing = threading.Event(), threading.Event()

    def connect() -> sqlite3.Connection:
        copying.set()
        assert closing.wait(10)
        return _connect(tmp_path / "store.db")

    checkpointer = Checkpointer(writer, connect)
    checkpointer.committed(10**9)
    assert copying.wait(10)
    closer = threading.Thread(target=checkpointer.close, daemon=True)
    closer.start()
    while not checkpointer._closing.is_set():
        time.sleep(0.001)
    closing.set()
    closer.join(10)
    assert not closer.is_alive()
    writer.close()


def test_a_checkpointer_that_cannot_connect_leaves_the_copying_to_the_writer(
    tmp_path: Path,
) -> None:
    """Without a connection of its own the thread goes on, and the log still begins anew."""
    path = tmp_path / "store.db"

    def refuse() -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    most, count = _write(path, refuse)
    assert count == ROWS * TRANSACTIONS
    assert most < ROWS * TRANSACTIONS * ROW_BYTES * 3 / 4
