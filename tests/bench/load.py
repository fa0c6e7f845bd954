"""The load generator: as many keep-alive connections as asked for, each with one request open.

It runs in the process of the benchmark, on a core of its own, and does next to nothing between an
answer and the next request, so that what it measures is the server.
"""

import asyncio
import gc
import re
import time
from array import array
from collections import Counter
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from tests.bench.servers import Server
from tests.bench.traffic import Job, Supply

CONNECTIONS = 64
_WARM_UP = 0.2  # of the time measured
_MOST_PER_SECOND = 50_000  # requests; more than any server here takes
_STUCK_SECONDS = 10.0

_length = re.compile(rb"content-length: *(\d+)", re.IGNORECASE).search


class Measured(msgspec.Struct, frozen=True):
    """What one round showed; latencies in milliseconds."""

    rps: float
    p50: float
    p99: float
    p999: float
    requests: int
    cpu_us: float
    """What a request took of the server's processor, in microseconds."""
    whole_jobs: int
    """Jobs of which every request was answered, before and after the window, too."""
    generator_busy: float
    """Share of the time that the generator used its core: near 1 it measures itself."""
    generator_waited: float
    """Share of the time that it waited for its core: others use the machine, too."""
    wrong: dict[str, int]
    """Answers that were not as they must be, by status line."""


def measure(server: Server, supply: Supply, seconds: float) -> Measured:
    """Load ``server`` for ``seconds``; all requests are made beforehand."""
    supply.top_up(int(_MOST_PER_SECOND * seconds * (1 + _WARM_UP)) + CONNECTIONS)
    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_Round(server, supply, seconds).run())
    finally:
        gc.enable()


class _Round:
    """What the connections of one round share."""

    def __init__(self, server: Server, supply: Supply, seconds: float) -> None:
        self.supply = supply
        self.latencies = array("d")
        self.wrong: Counter[str] = Counter()
        self.whole_jobs = 0
        self.ended = False
        self._server = server
        self._seconds = seconds
        self._open = CONNECTIONS
        self._done = asyncio.Event()

    async def run(self) -> Measured:
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._server.port)
            for _ in range(CONNECTIONS)
        ]
        for _, connection in made:
            connection.next_job()
        await asyncio.sleep(self._seconds * _WARM_UP)
        del self.latencies[:]
        before = self._clocks()
        await asyncio.sleep(self._seconds)
        took, used, waited, served = (b - a for a, b in zip(before, self._clocks(), strict=True))
        latencies = sorted(self.latencies)
        if not self.supply.jobs:
            raise RuntimeError("the generator ran out of requests: raise _MOST_PER_SECOND")
        self.ended = True
        await asyncio.wait_for(self._done.wait(), _STUCK_SECONDS)
        for transport, _ in made:
            transport.close()
        return Measured(
            rps=len(latencies) / took,
            p50=_quantile(latencies, 0.5),
            p99=_quantile(latencies, 0.99),
            p999=_quantile(latencies, 0.999),
            requests=len(latencies),
            cpu_us=1e6 * served / max(1, len(latencies)),
            whole_jobs=self.whole_jobs,
            generator_busy=used / took,
            generator_waited=waited / took,
            wrong=dict(self.wrong),
        )

    def _clocks(self) -> tuple[float, float, float, float]:
        """Seconds that have passed, that we used, that we waited for our core, that the server
        used.
        """
        _, waited, _ = Path("/proc/self/schedstat").read_text().split()
        return (
            time.perf_counter(),
            time.process_time(),
            int(waited) / 1e9,
            self._server.cpu_seconds(),
        )

    def finished(self) -> None:
        """A connection has nothing more to send."""
        self.ended = True
        self._open -= 1
        if not self._open:
            self._done.set()


class _Connection(asyncio.Protocol):
    """Sends the requests of one job after the other, each once the one before is answered."""

    _transport: asyncio.Transport

    def __init__(self, round_: _Round) -> None:
        self._round = round_
        self._job: Job = ()
        self._at = 0
        self._sent = 0.0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not derived from it

    def next_job(self) -> None:
        if self._round.ended or not self._round.supply.jobs:
            self._round.finished()
            return
        self._job, self._at = self._round.supply.jobs.popleft(), 0
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._job[self._at])

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self._buffer:
            data = self._buffer + data
        head = data.find(b"\r\n\r\n")
        length = _length(data, 0, head) if head >= 0 else None
        if length is None or len(data) < head + 4 + int(length[1]):
            self._buffer = data
            return
        self._buffer = b""
        round_ = self._round
        round_.latencies.append(now - self._sent)
        if not data.startswith(b"HTTP/1.1 200 ") or round_.supply.marks[self._at] not in data:
            round_.wrong[data[: data.find(b"\r\n")].decode()] += 1
        self._at += 1
        if self._at < len(self._job):
            self._send()
        else:
            round_.whole_jobs += 1
            self.next_job()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._round.ended:
            self._round.wrong["connection lost"] += 1
            self._round.finished()


def _quantile(ordered: list[float], share: float) -> float:
    """In milliseconds."""
    if not ordered:
        return float("nan")
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]
