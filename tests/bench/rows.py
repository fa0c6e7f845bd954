"""The rows of the table: what is measured, beside what, and the bar it is held to."""

import shutil
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from gateway.domain.line.channel import Channel
from tests.bench import friends, servers, traffic
from tests.bench.load import Measured, measure
from tests.bench.past import past
from tests.bench.servers import Server
from tests.bench.traffic import Supply

FEW, MANY = 100, 100_000  # tracked numbers
CALLS = "SELECT count(*) FROM calls"
SETTLED = "SELECT count(settled_at) FROM calls"
EVENTS = "SELECT count(*) FROM line_events"
NOWHERE = "http://127.0.0.1:9"  # where nobody listens
_BUSY = 0.9  # a generator that works so much of its time is what is measured
_CROWDED = 0.05  # one that waits so much for its core shares it


Holds = Callable[[dict[str, float], dict[str, float]], None]
"""Takes a daemon's series of before and after a load: how long its loop was held."""


class Settings(msgspec.Struct, frozen=True):
    """What the command line chose."""

    folder: Path
    seconds: float
    rounds: int
    calls: int


class Line(msgspec.Struct):
    """One line of the table."""

    what: str
    figure: float
    """What is held to the bar: the median of the rounds' ratios, or a value."""
    unit: str
    bar: str
    met: bool
    each: Sequence[float]
    """The figure of each round."""
    ours: str = ""
    beside: str = ""
    wrong: Sequence[str] = ()
    """What makes the line worthless."""
    notes: Sequence[str] = ()
    """What makes it doubtful."""
    rounds: Sequence[tuple[Measured, Measured]] = ()


def judged(
    what: str, each: Sequence[float], unit: str, sign: Literal["≥", "≤"], bar: float
) -> Line:
    """A line whose figure is held to a bar."""
    figure = statistics.median(each)
    met = figure >= bar if sign == "≥" else figure <= bar
    return Line(what, figure, unit, f"{sign} {bar:g} {unit}", met, each)


class Side(NamedTuple):
    """A server, what it is asked, and what it is called."""

    name: str
    server: Server
    supply: Supply


def _in_turn(settings: Settings, one: Side, other: Side) -> list[tuple[Measured, Measured]]:
    """A B A B …: both suffer alike from whatever else the machine does."""
    return [
        (
            measure(one.server, one.supply, settings.seconds),
            measure(other.server, other.supply, settings.seconds),
        )
        for _ in range(settings.rounds)
    ]


def _compared(
    what: str, bar: float, settings: Settings, ours: Side, beside: Side
) -> tuple[Line, list[tuple[Measured, Measured]]]:
    """The requests a second of two servers, taken in turn."""
    rounds = _in_turn(settings, ours, beside)
    line = judged(f"{what}: requests/s", [a.rps / b.rps for a, b in rounds], "×", "≥", bar)
    line.ours = _told([a for a, _ in rounds])
    line.beside = f"{beside.name} {_told([b for _, b in rounds])}"
    line.rounds = rounds
    line.wrong = [*_wrong(rounds)]
    waited = max(one.generator_waited for pair in rounds for one in pair)
    if waited > _CROWDED:
        line.notes = [f"others use the machine: the generator waited {waited:.0%} of a round"]
    return line, rounds


def _told(rounds: Sequence[Measured]) -> str:
    def median(name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in rounds))

    latencies = " / ".join(f"{median(name):.1f}" for name in ("p50", "p99", "p999"))
    return f"{median('rps'):,.0f}/s, {latencies} ms, {median('cpu_us'):.0f} µs of processor"


def _wrong(rounds: Sequence[tuple[Measured, Measured]]) -> Iterator[str]:
    for one in (measured for pair in rounds for measured in pair):
        for status, count in one.wrong.items():
            yield f"{count} × {status}"
        if one.generator_busy > _BUSY:
            yield f"the generator was busy {one.generator_busy:.0%} of the time"


# --- the rows ---


class Bench:
    """Runs rows; keeps in mind how long the loop was held in all of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._holds: Counter[str] = Counter()
        settings.folder.mkdir(parents=True, exist_ok=True)

    def voice(self) -> Iterator[Line]:
        """A voice webhook: verified, decided, durable, answered; beside a bare handler."""
        settings, folder = self._settings, self._new("voice")
        supply = traffic.voices(servers.numbers(FEW))
        with servers.gateway(folder) as ours, servers.bare(folder) as bare:
            before = ours.metrics()
            line, rounds = _compared(
                "voice webhook",
                0.5,
                settings,
                Side("gateway", ours, supply),
                Side("bare aiohttp", bare, supply),
            )
            line.wrong = [*line.wrong, *self._checked(folder, before, ours.metrics(), rounds)]
        yield line
        yield judged("voice webhook: p99", [a.p99 / b.p99 for a, b in rounds], "×", "≤", 3)

    def line(self) -> Iterator[Line]:
        """A LINE webhook with one event: verified, known or new, durable; beside a bare handler.

        Nothing is answered to it: what goes out to friends has a row of its own.
        """
        settings, folder = self._settings, self._new("line", shops=servers.shops())
        servers.befriend(servers.config_of(folder))
        supply = traffic.said(servers.SHOPS)
        with servers.gateway(folder) as ours, servers.bare(folder) as bare:
            ours.wait_until_quiet()
            before = ours.metrics()
            line, rounds = _compared(
                "LINE webhook, one event",
                0.5,
                settings,
                Side("gateway", ours, supply),
                Side("bare aiohttp", bare, supply),
            )
            wrong = self._checked(folder, before, ours.metrics(), rounds, EVENTS)
            line.wrong = [*line.wrong, *wrong]
        yield line
        yield judged("LINE webhook: p99", [a.p99 / b.p99 for a, b in rounds], "×", "≤", 3)

    def pushes(self) -> Iterator[Line]:
        """Messages to friends, from the store to the platform; beside the official package in a
        loop, which stores nothing. Once with a platform that answers at once, once with one that
        takes as long as one across a network.
        """
        with friends.playing() as platform:
            folder = self._new("pushes", shops=platform.shops(), url=platform.url)
            with servers.gateway(folder) as ours:
                by_us, by_package = platform.by_us(servers.config_of(folder)), platform.by_package()
                before = ours.metrics()
                for after_ms, many, few in ((0, 5_000, 5_000), (20, 5_000, 150)):
                    platform.answer_after(after_ms / 1000)
                    rounds = [
                        (platform.rate(by_us, many), platform.rate(by_package, few))
                        for _ in range(self._settings.rounds)
                    ]
                    what = f"pushes a second, answered after {after_ms} ms"
                    line = judged(what, [a / b for a, b in rounds], "×", "≥", 1)
                    line.ours = f"{statistics.median(a for a, _ in rounds):,.0f}/s"
                    peer = statistics.median(b for _, b in rounds)
                    line.beside = f"line-bot-sdk in a loop {peer:,.0f}/s"
                    yield line
                self.note_holds(before, ours.metrics())

    def life(self) -> Iterator[Line]:
        """Calls told whole, five webhooks each; beside the bare handler."""
        settings, folder = self._settings, self._new("life")
        supply = traffic.lives(servers.numbers(FEW))
        with servers.gateway(folder) as ours, servers.bare(folder) as bare:
            before = ours.metrics()
            line, rounds = _compared(
                "a call's whole life",
                0.4,
                settings,
                Side("gateway", ours, supply),
                Side("bare aiohttp", bare, supply),
            )
            line.wrong = [
                *line.wrong,
                *self._checked(folder, before, ours.metrics(), rounds, SETTLED),
            ]
        yield line

    def node(self) -> Iterator[Line]:
        """The voice webhook, beside the usual way in Node."""
        settings, folder = self._settings, self._new("node-voice")
        supply = traffic.voices(servers.numbers(FEW))
        with servers.gateway(folder) as ours, servers.express(settings.folder) as express:
            before = ours.metrics()
            line, rounds = _compared(
                "voice webhook",
                10,
                settings,
                Side("gateway", ours, supply),
                Side("Express + twilio + better-sqlite3", express, supply),
            )
            line.wrong = [*line.wrong, *self._checked(folder, before, ours.metrics(), rounds)]
        yield line

    def past(self) -> Iterator[Line]:
        """The voice webhook with many numbers and a past; beside itself with neither."""
        settings, empty = self._settings, self._new("empty")
        folder = settings.folder / f"past-{settings.calls}"
        took = past(folder, settings.calls, MANY)
        size = (folder / "gateway.db").stat().st_size / 1e9
        how = "as a former run left it" if took is None else f"built in {took:.0f} s"
        print(f"{folder}: {size:.1f} GB, {how}; kept for the next run", flush=True)
        with servers.gateway(folder) as ours, servers.gateway(empty) as none:
            before, before_none = ours.metrics(), none.metrics()
            line, rounds = _compared(
                f"voice webhook, {settings.calls:,} calls and {MANY:,} numbers",
                0.8,
                settings,
                Side("gateway", ours, traffic.voices(servers.numbers(MANY))),
                Side("empty", none, traffic.voices(servers.numbers(FEW))),
            )
            other = [(b, a) for a, b in rounds]
            line.wrong = [
                *line.wrong,
                *self._checked(None, before, ours.metrics(), rounds),
                *self._checked(empty, before_none, none.metrics(), other),
            ]
        yield line

    def memory(self) -> Iterator[Line]:
        """Resident memory and the time to start."""
        with servers.gateway(self._new("idle")) as server:
            yield judged("memory, idle", [_at_rest(server)], "MB", "≤", 120)
        with friends.playing() as platform:
            folder = self._new("channels", shops=platform.shops(), url=platform.url)
            with servers.gateway(folder) as server:
                platform.greet(server)
                what = f"memory, {servers.SHOPS} LINE channels, a friend answered"
                yield judged(what, [_at_rest(server)], "MB", "≤", 190)
        folder, resident, started = self._new("numbers", MANY), [], []
        for _ in range(self._settings.rounds):
            with servers.gateway(folder) as server:
                resident.append(_at_rest(server))
                started.append(server.ready_seconds)
        yield judged(f"memory, {MANY:,} numbers", resident, "MB", "≤", 300)
        yield judged(f"start to ready, {MANY:,} numbers", started, "s", "≤", 3)

    def holds(self) -> Iterator[Line]:
        """How long the loop was held under all the loads above."""
        count = self._holds["inf"]
        if not count:
            return
        bounds = sorted(self._holds, key=float)
        bound = next(float(b) for b in bounds if self._holds[b] >= 0.999 * count)
        what = f"loop held, p99.9 of {count:,} samples, at most"
        yield judged(what, [1000 * bound], "ms", "≤", 20)

    def _new(
        self, name: str, numbers: int = FEW, shops: Sequence[Channel] = (), url: str = NOWHERE
    ) -> Path:
        folder = self._settings.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        servers.prepare(folder, numbers, shops, url)
        return folder

    def _checked(
        self,
        folder: Path | None,
        before: dict[str, float],
        after: dict[str, float],
        rounds: Sequence[tuple[Measured, Measured]],
        count: str = CALLS,
    ) -> Iterator[str]:
        """What shows that a load was not taken as it should; notes the loop's holds beside."""
        self.note_holds(before, after)
        for series, value in after.items():
            grown = int(value - before.get(series, 0))
            if series.startswith("gateway_spool_events_total") and grown:
                yield f"{grown} events were spooled: {series}"
        if folder is None:
            return
        told = sum(one.whole_jobs for one, _ in rounds)
        if (held := counted(folder, count)) != told:
            yield f"{told} were told, the store holds {held}: {count}"

    def note_holds(self, before: dict[str, float], after: dict[str, float]) -> None:
        """Add how long the loop was held in the time between."""
        for series, value in after.items():
            if series.startswith("gateway_loop_lag_seconds_bucket"):
                bound = series.split('"')[1].replace("+Inf", "inf")
                self._holds[bound] += int(value - before.get(series, 0))


def counted(folder: Path, count: str) -> int:
    """What the query ``count`` says of the store in ``folder``."""
    with closing(sqlite3.connect(folder / "gateway.db")) as database:
        return int(database.execute(count).fetchone()[0])


def _at_rest(server: Server) -> float:
    """Its memory in MB, once what follows the start is done."""
    time.sleep(2)
    return server.resident_mb()
