"""The processes of the scrape rows: ``serve`` is the daemon with figures that are not all zero,
``slices`` its renderer alone, ``generate`` prometheus-client with as many series, and ``scrape``
asks for pages as Prometheus does.
"""

import gzip
import http.client
import json
import random
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from gateway import cli
from metrics.advertisers import Advertisers, Format, series_of
from metrics.metric import Metric
from metrics.registry import METRICS

_FILLED = 0.3  # of an advertiser's series: those that are not zero
_MOST = 10**6
_PATIENCE = 60.0
_OF_ADVERTISERS = [metric for metric in METRICS if metric.scope == "advertiser"]
_ACCEPT = {  # what Prometheus 2.42 sends
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
    "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}


class Scraped(msgspec.Struct, frozen=True):
    """What came of one page."""

    status: int
    seconds: float
    """From the request to the last byte."""
    size: int
    """Bytes of the body, as they came."""


class Rendered(msgspec.Struct, frozen=True):
    """What the renderer took."""

    series: int
    longest: float
    """Seconds of processor of the slice that took most."""


class Generated(msgspec.Struct, frozen=True):
    """What prometheus-client took."""

    series: int
    seconds: float
    packed_seconds: float
    """The same, and packed as its own server does."""


# --- asking ---


def scrape(port: int, path: str, *, packed: bool) -> Scraped:
    """Ask for one page of the metrics listener, and read all of it; nothing is unpacked.

    Raises:
        OSError: nobody answers, or not to the end.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        began = time.perf_counter()
        connection.request("GET", path, headers=_ACCEPT if packed else {})
        answer = connection.getresponse()
        size = 0
        while piece := answer.read(2**20):
            size += len(piece)
        return Scraped(answer.status, time.perf_counter() - began, size)
    finally:
        connection.close()


def _scrape(port: int, paths: Sequence[str]) -> list[Scraped]:
    """Ask for the pages in turn, without a pause, until SIGTERM; says on a line that it begins."""
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    print(flush=True)
    came: list[Scraped] = []
    for path in cycle(paths):
        if ended:
            break
        came.append(scrape(port, path, packed=True))
    return came


# --- rendering ---


def _fill() -> None:
    """Let each advertiser that is new in this process have figures: zeros are rendered faster."""
    ensure = Advertisers.ensure
    names = [(metric.name, *values) for metric in _OF_ADVERTISERS for values in series_of(metric)]
    dice = random.Random(1)
    known: set[str] = set()

    def ensure_and_fill(self: Advertisers, advertisers: Iterable[str]) -> None:
        new = [name for name in advertisers if name not in known]
        ensure(self, new)
        known.update(new)
        for advertiser in new:
            for name in dice.sample(names, round(_FILLED * len(names))):
                self.put(advertiser, dice.randrange(_MOST), *name)

    setattr(Advertisers, "ensure", ensure_and_fill)  # noqa: B010 - a method, as far as mypy knows


def _slices(count: int) -> Rendered:
    """All slices of the page of ``count`` advertisers, in both forms. The processor's time is
    taken: whoever else uses the machine is not the renderer's fault.
    """
    _fill()
    advertisers, longest, series = Advertisers(), 0.0, 0
    piece: bytes | None
    advertisers.ensure(_names(count))
    forms: tuple[Format, ...] = ("text", "openmetrics")
    for form in forms:
        pieces = advertisers.render(form)
        series, piece = 0, b""
        while piece is not None:
            series += sum(not line.startswith(b"#") for line in piece.splitlines())
            began = time.thread_time()
            piece = next(pieces, None)
            longest = max(longest, time.thread_time() - began)
    return Rendered(series, longest)


def _generate(count: int) -> Generated:
    """``generate_latest`` of as many series."""
    registry, collector = CollectorRegistry(), _Collector(count)
    registry.register(collector)
    began = time.perf_counter()
    page = generate_latest(registry)
    seconds = time.perf_counter() - began
    gzip.compress(page)
    return Generated(collector.series, seconds, time.perf_counter() - began)


class _Collector(Collector):
    """Has the series of ``count`` advertisers, of one metric at a time: that is less work than
    prometheus-client's own counters are, and fits into memory.
    """

    def __init__(self, count: int) -> None:
        self.series = 0
        self._advertisers = _names(count)
        dice = random.Random(1)
        self._figures = cycle(dice.randrange(_MOST) * (dice.random() < _FILLED) for _ in range(997))

    def describe(self) -> list[Family]:
        """Nothing: else all would be collected to be registered."""
        return []

    def collect(self) -> Iterator[Family]:
        return map(self._family, _OF_ADVERTISERS)

    def _family(self, metric: Metric) -> Family:
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(metric.full_name, metric.help, labels=list(metric.labels))
        closed = series_of(metric)
        for advertiser in self._advertisers:
            for values in closed:
                family.add_metric((advertiser, *values), next(self._figures))
        self.series += len(family.samples)
        return family


def _names(count: int) -> list[str]:
    return [f"advertiser-{ordinal}" for ordinal in range(count)]


def main(role: str, *given: str) -> int:
    if role == "serve":
        _fill()
        return cli.main([role, *given])
    told: object
    if role == "scrape":
        told = _scrape(int(given[0]), given[1:])
    else:
        told = (_slices if role == "slices" else _generate)(int(given[0]))
    print(json.dumps(msgspec.to_builtins(told)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
