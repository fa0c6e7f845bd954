"""A campaign to a million recipients: what it takes of memory, and how fast the daemon starts
while all of them are queued.

The list is made once and kept between runs; what a run makes of it is a copy.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.domain.mail.campaigns import Campaign
from tests.bench import servers
from tests.bench.mail_sinks import smtp_sink
from tests.bench.mail_world import World
from tests.bench.rows import Holds, Line, Settings, judged
from tests.bench.servers import Server
from tests.support.ports import free_port

MILLION = 1_000_000

_PATIENCE = 3_600.0
_LOOK_SECONDS = 0.5


def million(settings: Settings, holds: Holds, count: int = MILLION) -> Iterator[Line]:
    """The rows; ``holds`` is told how long the loop was held."""
    port = free_port()
    world = _world(settings.folder, count, port)
    # Nobody listens at the port yet, so that all mails stay queued.
    with servers.gateway(world.folder) as server:
        began = time.perf_counter()
        campaign = world.begin()
        memory = _Memory(server)
        _until(lambda: world.state(campaign) == "sending", memory.look)
        took = time.perf_counter() - began
        print(f"{count:,} recipients fixed in {took:.0f} s, {memory}", flush=True)
    ready = []
    for _ in range(settings.rounds):
        with servers.gateway(world.folder) as server:
            ready.append(server.ready_seconds)
    yield judged(f"start to ready, {count:,} mails queued", ready, "s", "≤", 3)
    with smtp_sink(port), servers.gateway(world.folder) as server:
        before = server.metrics()
        yield _sent(world, campaign, server)
        holds(before, server.metrics())


def _sent(world: World, campaign: Campaign, server: Server) -> Line:
    memory, count = _Memory(server), world.count
    began_at, tenths = 0.0, [memory.first]

    def look() -> None:
        nonlocal began_at
        memory.look()
        done = world.figure(campaign, "sent")
        if not began_at and done:
            began_at = time.perf_counter()
        if len(tenths) <= 10 * done // count:
            tenths.append(memory.last)

    _until(lambda: world.figure(campaign, "sent") == count, look)
    rate = count / (time.perf_counter() - began_at)
    print(f"{count:,} mails sent, {rate:,.0f}/s, {memory}", flush=True)
    print("memory by tenths of it:", *(f"{each:.0f}" for each in tenths), "MB", flush=True)
    # By then the pages that SQLite keeps of the store have filled their share.
    half = tenths[len(tenths) // 2]
    what = f"memory, {count:,} mails: at most, beside after half of them"
    line = judged(what, [memory.most / half], "×", "≤", 1.1)
    line.ours, line.beside = f"{memory.most:.0f} MB at most", f"{half:.0f} MB"
    tries = world.figure(campaign, "tries")
    if tries != count:
        line.wrong = [f"{count} mails took {tries} tries"]
    return line


class _Memory:
    """Resident memory of a daemon, in MB."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.first = self.last = self.most = server.resident_mb()

    def look(self) -> None:
        self.last = self._server.resident_mb()
        self.most = max(self.most, self.last)

    def __str__(self) -> str:
        return f"memory {self.first:.0f} MB at first, {self.most:.0f} at most, {self.last:.0f} last"


def _until(condition: Callable[[], bool], look: Callable[[], None]) -> None:
    until = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError("it does not come to an end")
        look()
        time.sleep(_LOOK_SECONDS)
    look()


def _world(folder: Path, count: int, port: int) -> World:
    """A copy of the list; that one is made first, if need be."""
    made, used = folder / f"mail-list-{count}", folder / f"mail-{count}"
    finished = made / "finished"
    if not finished.exists():
        shutil.rmtree(made, ignore_errors=True)
        began = time.perf_counter()
        World(made, count, port).make()
        finished.touch()
        print(f"{made}: built in {time.perf_counter() - began:.0f} s; kept for the next run")
    shutil.rmtree(used, ignore_errors=True)
    shutil.copytree(made, used)
    world = World(used, count, port)
    world.configure()
    return world
