"""Reads beside the writer: two threads, each with a read-only connection while it asks."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from adapters.storage.database import Away, Connection, Database, Rerun, reading
from gateway.errors import Transient, Trouble

R = TypeVar("R")

_MOST = 2


class Readers:
    """Runs queries, each in a transaction of its own; connections are kept until one fails."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(_MOST, thread_name_prefix="store-reader")
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._closed = False

    async def run(self, query: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """``query(connection, …)``.

        Raises:
            Transient: the store is away or closed, or the query took longer than two seconds.
        """
        if self._closed:
            raise Transient(Trouble.STORE_CLOSED)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._ask, query, args, kwargs)

    def close(self) -> None:
        """Take no more queries; one that runs closes its connection itself."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._close_idle()

    def _ask(self, query: Callable[..., R], args: Any, kwargs: Any) -> R:
        try:
            connection = self._connection()
            try:
                with reading(connection):
                    found = query(connection, *args, **kwargs)
            except BaseException:
                connection.close()
                raise
        except Away as error:
            raise Transient(Trouble.STORE_DOWN, str(error)) from error
        except Rerun as error:
            raise Transient(Trouble.STORE_CONFLICT, str(error)) from error
        self._idle.put(connection)
        if self._closed:
            self._close_idle()
        return found

    def _connection(self) -> Connection:
        try:
            return self._idle.get_nowait()
        except Empty:
            return self._database.reader()

    def _close_idle(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._idle.get_nowait().close()
