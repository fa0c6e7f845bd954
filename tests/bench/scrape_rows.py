"""The rows of scrapes: the pages of many advertisers beside prometheus-client, and the webhooks
that come meanwhile.
"""

import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from tests.bench import servers, traffic
from tests.bench.load import Measured, measure
from tests.bench.mail_rows import Crowd
from tests.bench.rows import CALLS, Holds, Line, Settings, counted, judged
from tests.bench.scraped import Generated, Rendered, Scraped, scrape
from tests.bench.servers import Server

T = TypeVar("T")

PROCESS, ADVERTISERS = "/metrics", "/metrics/advertisers"

_ROLES = (sys.executable, "-m", "tests.bench.scraped")
_CROWDED = 0.05  # of the machine
_MEGA = 10**6


class ScrapeRows:
    """Runs rows of so many ``advertisers``; ``holds`` is told of each load."""

    def __init__(self, settings: Settings, holds: Holds, advertisers: int) -> None:
        self._settings = settings
        self._holds = holds
        self._advertisers = advertisers

    def scrape(self) -> Iterator[Line]:
        """The page beside as many series of prometheus-client, its longest slice, and the daemon's
        voice webhook while one scrape follows the other.
        """
        folder = self._settings.folder / "scrape"
        shutil.rmtree(folder, ignore_errors=True)
        servers.prepare(folder, self._advertisers * servers.NUMBERS_EACH)
        with servers.gateway(folder, _ROLES) as server:
            server.wait_until_quiet()
            before = server.metrics()
            yield from self._pages(server)
            yield self._slices()
            yield self._webhooks(server, folder)
            self._holds(before, server.metrics())

    def _pages(self, server: Server) -> Iterator[Line]:
        """A whole page over HTTP: as text, and packed, which is what Prometheus asks for."""
        crowd, resident = Crowd(), server.resident_mb()
        texts, packed, peers = [], [], []
        port = server.metrics_port
        assert port is not None
        for _ in range(self._settings.rounds):
            texts.append(scrape(port, ADVERTISERS, packed=False))
            packed.append(scrape(port, ADVERTISERS, packed=True))
            peers.append(self._told_by("generate", Generated))
        notes = [f"memory {resident:.0f} MB before, {server.resident_mb():.0f} MB after"]
        if (others := crowd.others()) > _CROWDED:
            notes.append(f"others use the machine: {others:.0%} of it")
        what = f"a scrape of {self._advertisers:,} advertisers"
        for name, ours, theirs in (
            (what, texts, [peer.seconds for peer in peers]),
            (f"{what}, packed", packed, [peer.packed_seconds for peer in peers]),
        ):
            seconds = [each.seconds for each in ours]
            each = [a / b for a, b in zip(seconds, theirs, strict=True)]
            line = judged(name, each, "×", "≤", 0.05)
            size = statistics.median(each.size for each in ours) / _MEGA
            line.ours = f"{statistics.median(seconds):.2f} s, {size:,.1f} MB"
            line.beside = (
                f"prometheus-client {statistics.median(theirs):.2f} s, {peers[0].series:,} series"
            )
            line.wrong, line.notes = _refused(ours), notes
            yield line

    def _slices(self) -> Line:
        """How long the renderer holds the loop at most, alone."""
        rendered = [self._told_by("slices", Rendered) for _ in range(self._settings.rounds)]
        longest = [1000 * each.longest for each in rendered]
        return judged("a scrape's longest slice, of processor", longest, "ms", "≤", 5)

    def _webhooks(self, server: Server, folder: Path) -> Line:
        """The latency of the voice webhook while both pages are asked for without a pause."""
        supply = traffic.voices(servers.numbers(self._advertisers * servers.NUMBERS_EACH))
        crowd, rounds, pages = Crowd(), list[tuple[Measured, Measured]](), list[Scraped]()
        for _ in range(self._settings.rounds):
            alone = measure(server, supply, self._settings.seconds)
            with _scraping(server, pages):
                meanwhile = measure(server, supply, self._settings.seconds)
            rounds.append((meanwhile, alone))
        each = [a.p99 / b.p99 for a, b in rounds]
        line = judged("voice webhook during scrapes: p99", each, "×", "≤", 2)
        line.ours = _told([a for a, _ in rounds])
        line.beside = f"without {_told([b for _, b in rounds])}"
        line.rounds = rounds
        both = [one for pair in rounds for one in pair]
        line.wrong = [f"{n} × {status}" for one in both for status, n in one.wrong.items()]
        line.wrong += _refused(pages)
        told = sum(one.whole_jobs for one in both)
        if (held := counted(folder, CALLS)) != told:
            line.wrong.append(f"{told} calls were told, the store holds {held}")
        line.notes = [f"{len(pages)} scrapes, one after the other, of both pages"]
        if (others := crowd.others()) > _CROWDED:
            line.notes.append(f"others use the machine: {others:.0%} of it")
        return line

    def _told_by(self, role: str, what: type[T]) -> T:
        with servers.on_core(servers.SERVER_CORE):
            done = subprocess.run(
                [*_ROLES, role, str(self._advertisers)],
                cwd=servers.ROOT,
                check=True,
                stdout=subprocess.PIPE,
            )
        return msgspec.json.decode(done.stdout, type=what)


@contextmanager
def _scraping(server: Server, pages: list[Scraped]) -> Iterator[None]:
    """Ask for both pages again and again meanwhile; ``pages`` gets what came."""
    command = [*_ROLES, "scrape", str(server.metrics_port), PROCESS, ADVERTISERS]
    process = subprocess.Popen(command, cwd=servers.ROOT, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()
            came = process.stdout.read()
    pages += msgspec.json.decode(came, type=list[Scraped])


def _refused(pages: Sequence[Scraped]) -> list[str]:
    return [f"a page was answered {page.status}" for page in pages if page.status != 200]


def _told(rounds: Sequence[Measured]) -> str:
    p99, rps = (statistics.median(getattr(one, name) for one in rounds) for name in ("p99", "rps"))
    return f"{p99:.1f} ms at {rps:,.0f}/s"
