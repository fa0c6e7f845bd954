"""The press: composes and signs letters beside the event loop.

In threads, or in processes of its own. RSA lets other threads run, so that threads sign on all
cores at once; composing does not, and takes turns with the event loop. Processes take both away
from it, for some copying.
"""

import asyncio
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from queue import SimpleQueue
from types import TracebackType
from typing import Self

import msgspec

from adapters.smtp.composing.mime import Letter
from adapters.smtp.composing.pressing import (
    MOST_JOBS,
    Batch,
    Made,
    PressJob,
    Ready,
    read_frame,
    write_frame,
)
from gateway.errors import Transient, Trouble

BATCH = 50
"""Letters of one errand: some 20 ms of work with signatures."""

THREADS = 2
"""Threads of a press without processes."""

_END_SECONDS = 10.0
"""So long a process may take to end by itself."""


class Press:
    """Makes letters of jobs; used with ``async with``."""

    def __init__(self, processes: int = 0, *, threads: int = THREADS) -> None:
        """Start nothing yet.

        Args:
            processes: how many work for it; 0: ``threads`` of this process do.
            threads: see there.
        """
        self._workers = [_Worker() for _ in range(processes)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._pool = ThreadPoolExecutor(processes or threads, "press")
        self._jobs: dict[str, _Known] = {}  # in the order of their making
        self._lock = threading.Lock()

    async def __aenter__(self) -> Self:
        for worker in self._workers:
            self._idle.put(worker)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._close)

    async def compose(
        self, key: str, job: PressJob, letters: Sequence[Letter], now_seconds: int
    ) -> list[Made]:
        """The letters in their order; each as bytes, or why it cannot be made.

        Args:
            key: of the job, such as its campaign's id; a job that changed is noticed.
            job: what they are made of; best the same object each time, as an equal one is compared.
            letters: one for each recipient.
            now_seconds: since 1970, for the signatures.

        Raises:
            Misconfigured: where the job's key is none.
            Transient: PRESS_DOWN, where processes died twice over a batch.
        """
        loop = asyncio.get_running_loop()
        known = self._jobs.get(key)
        if known is None or known.job is not job:  # to load its key takes a while
            known = await loop.run_in_executor(self._pool, self._known, key, job)
        make = self._make_away if self._workers else self._make_here
        batches = [letters[at : at + BATCH] for at in range(0, len(letters), BATCH)]
        done = await asyncio.gather(
            *(loop.run_in_executor(self._pool, make, known, each, now_seconds) for each in batches)
        )
        return [made for batch in done for made in batch]

    def _known(self, key: str, job: PressJob) -> "_Known":
        with self._lock:
            known = self._jobs.pop(key, None)
            if known is None or known.job != job:
                known = _Known(job)
            self._jobs[key] = known
            while len(self._jobs) > MOST_JOBS:
                del self._jobs[next(iter(self._jobs))]
            return known

    @staticmethod
    def _make_here(known: "_Known", letters: Sequence[Letter], now_seconds: int) -> list[Made]:
        return known.ready.make(letters, now_seconds)

    def _make_away(
        self, known: "_Known", letters: Sequence[Letter], now_seconds: int
    ) -> list[Made]:
        for _ in range(2):
            worker = self._idle.get()  # there are no more threads than workers
            try:
                return worker.make(known, letters, now_seconds)
            except (EOFError, OSError):
                continue  # it died (of too little memory, perhaps); to compose again does no harm
            finally:
                self._idle.put(worker)
        raise Transient(Trouble.PRESS_DOWN)

    def _close(self) -> None:
        self._pool.shutdown()
        for worker in self._workers:
            worker.end()


class _Known:
    """A job, made ready, with the name that processes know it by."""

    def __init__(self, job: PressJob) -> None:
        self.job = job
        self.ready = Ready(job)
        self.id = sha256(msgspec.msgpack.encode(job)).digest()


class _Worker:
    """One process, from its first batch on; used by one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._jobs: OrderedDict[bytes, None] = OrderedDict()  # what the process keeps, as there
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[list[Made]] = msgspec.msgpack.Decoder(list[Made])

    def make(self, known: _Known, letters: Sequence[Letter], now_seconds: int) -> list[Made]:
        """Have letters made.

        Raises:
            EOFError: the process is gone; the next call starts another.
            OSError: the same, or none can be started.
        """
        process = self._process or self._start()
        job, forget = None, b""
        if known.id not in self._jobs:
            job = known.job
            if len(self._jobs) >= MOST_JOBS:
                forget, _ = self._jobs.popitem(last=False)
            self._jobs[known.id] = None
        self._jobs.move_to_end(known.id)
        batch = Batch(known.id, job, forget, now_seconds, list(letters))
        try:
            assert process.stdin is not None  # noqa: S101  # both are pipes, which types cannot say
            assert process.stdout is not None  # noqa: S101  # see above
            write_frame(process.stdin, self._encoder.encode(batch))
            return self._decoder.decode(read_frame(process.stdout))
        except (EOFError, OSError):
            self.end(at_once=True)
            raise

    def end(self, *, at_once: bool = False) -> None:
        """End the process, if there is one, and wait for its end."""
        process, self._process = self._process, None
        self._jobs.clear()
        if process is None:
            return
        if at_once:
            process.kill()
        try:
            process.communicate(timeout=_END_SECONDS)  # closes the pipe, by which it ends
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def _start(self) -> subprocess.Popen[bytes]:
        # what the environment says to the daemon (secrets among it) does not concern it
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")
        }
        self._process = subprocess.Popen(  # this interpreter, with constants
            [sys.executable, "-P", "-m", "adapters.smtp.composing.pressing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is for the daemon alone
        )
        return self._process
