"""Counts what happens and shows it to Prometheus."""

import asyncio
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from urllib.parse import parse_qsl

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family

from gateway.domain.calls import Noted, Settled
from gateway.domain.values import SECOND, Counted
from gateway.errors import Refusal, Refused, Trouble
from gateway.ports import Answer, Clock, Fact, Request, Route
from metrics.advertisers import Advertisers
from metrics.metric import Metric
from metrics.registry import BY_NAME, METRICS, STATUSES

Figures = float | Mapping[str, float] | None
"""What a figure kept elsewhere reads as: a number, or numbers by the value of the only label."""

_LAG_INTERVAL = 0.1
_MOST_PARTS = 10_000


class Metrics:
    """The observer that Prometheus reads. Every method is for the loop's thread alone.

    That thread is the reason for plain integers in dictionaries: prometheus-client's own counters
    take a lock and a label look-up each time. It renders the process-wide page all the same.
    """

    def __init__(self, version: str, clock: Clock) -> None:
        self.advertisers = Advertisers()
        self._clock = clock
        self._counts: dict[str, defaultdict[tuple[str | int, ...], int]] = {}
        self._histograms: dict[str, defaultdict[tuple[str, ...], _Histogram]] = {}
        self._readers: dict[str, Callable[[], Figures]] = {}
        self._webhooks = self._count("webhooks_total")
        self._refusals = self._count("refusals_total")
        self._spooled = self._count("spool_events_total")
        self._notes = self._count("call_notes_total")
        self._answer_seconds = self._histogram("webhook_seconds")
        self._commit_seconds = self._histogram("store_commit_seconds")[()]
        self._batch_size = self._histogram("store_batch_size")[()]
        self._loop_lag = self._histogram("loop_lag_seconds")[()]
        self._committed_at: float | None = None
        self._faults = 0
        for value in BY_NAME["call_notes_total"].labels["what"]:
            self._notes[value,] = 0
        self.gauge("build_info", lambda: {version: 1})
        self.gauge("store_last_commit_timestamp_seconds", lambda: self._committed_at)
        self.counter("observer_faults_total", lambda: self._faults)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    # --- wiring ---

    def ensure(self, advertisers: Iterable[str]) -> None:
        """Show the series of ``advertisers`` (ids) from now on."""
        self.advertisers.ensure(advertisers)

    def expect(self, routes: Iterable[Route]) -> None:
        """Show the series of ``routes`` from now on, so that their first failure is a step."""
        for route in routes:
            where = (route.provider, route.name)
            self._answer_seconds[where]  # a defaultdict: to look is to make
            for status in STATUSES:
                self._webhooks[*where, status] += 0
            for reason in Refusal:
                self._refusals[*where, reason] += 0
            for trouble in Trouble:
                self._spooled[*where, trouble] += 0

    def gauge(self, name: str, function: Callable[[], Figures]) -> None:
        """Show what ``function`` returns as the gauge ``name`` (without prefix), at each scrape.

        ``None``, or an exception, leaves the gauge out of that scrape.
        """
        self._read(name, "gauge", function)

    def counter(self, name: str, function: Callable[[], Figures]) -> None:
        """Show a counter that is kept elsewhere; see :meth:`gauge`."""
        self._read(name, "counter", function)

    async def watch_loop(self) -> None:
        """Measure how late the loop wakes a timer, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_INTERVAL
            await asyncio.sleep(_LAG_INTERVAL)
            self._loop_lag.observe(max(0.0, loop.time() - due))

    def routes(self) -> list[Route]:
        """The pages of the metrics listener."""
        return [
            Route("GET", "/metrics", self._show_process, "metrics", "process"),
            Route("GET", "/metrics/advertisers", self._show_advertisers, "metrics", "advertisers"),
        ]

    # --- gateway.ports.Observer: nothing here raises ---

    def observe(self, facts: Sequence[Fact]) -> None:
        """Count facts of committed transactions."""
        for fact in facts:
            try:
                if isinstance(fact, Counted):
                    self.advertisers.add(fact.advertiser, fact.amount, fact.metric, *fact.labels)
                elif isinstance(fact, Settled):
                    self._settled(fact)
                else:
                    self._noted(fact)
            except Exception:  # noqa: BLE001 - counting must not fail a call; the fault is counted
                self._faults += 1

    def webhook(self, provider: str, route: str, status: int, seconds: float) -> None:
        """Count a webhook that was answered."""
        try:
            self._webhooks[provider, route, status] += 1
            self._answer_seconds[provider, route].observe(seconds)
        except Exception:  # noqa: BLE001 - as above
            self._faults += 1

    def refused(self, provider: str, route: str, reason: str) -> None:
        """Count a request that was refused."""
        try:
            self._refusals[provider, route, reason] += 1
        except Exception:  # noqa: BLE001 - as above
            self._faults += 1

    def spooled(self, provider: str, route: str, reason: str) -> None:
        """Count an event that went to the spool."""
        try:
            self._spooled[provider, route, reason] += 1
        except Exception:  # noqa: BLE001 - as above
            self._faults += 1

    def batch(self, units: int, seconds: float) -> None:
        """Count a transaction."""
        try:
            self._commit_seconds.observe(seconds)
            self._batch_size.observe(units)
            self._committed_at = self._clock() / SECOND
        except Exception:  # noqa: BLE001 - as above
            self._faults += 1

    def _settled(self, call: Settled) -> None:
        add = self.advertisers.add
        add(call.advertiser, 1, "calls_total", call.result)
        add(call.advertiser, call.ring_seconds, "call_ring_seconds_total")
        add(call.advertiser, call.talk_seconds, "call_talk_seconds_total")
        add(call.advertiser, 1, "call_outcomes_total", call.outcome)

    def _noted(self, note: Noted) -> None:
        self._notes[note.what,] += 1

    # --- exposition ---

    def collect(self) -> Iterator[Family]:
        """All process-wide families, for prometheus-client's registry."""
        for metric in METRICS:
            if metric.scope == "process":
                yield self._family(metric)

    def describe(self) -> list[Family]:
        """Nothing: registering must not read the figures of parts that are not open yet."""
        return []

    async def _show_process(self, request: Request) -> Answer:
        return Answer(generate_latest(self._registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def _show_advertisers(self, request: Request) -> Answer:
        part, parts = _shard(request.query)
        slices = []
        for piece in self.advertisers.render(part, parts):
            slices.append(piece)
            await asyncio.sleep(0)  # webhooks go first
        return Answer(b"".join(slices), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    def _family(self, metric: Metric) -> Family:
        names = tuple(metric.labels)
        if metric.kind == "histogram":
            histogram = HistogramMetricFamily(metric.full_name, metric.help, labels=names)
            for labels, held in sorted(self._histograms[metric.name].items()):
                histogram.add_metric(labels, held.buckets(), held.sum)
            return histogram
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(metric.full_name, metric.help, labels=names)
        for values, value in sorted(self._values(metric).items()):
            family.add_metric([str(v) for v in values], value)
        return family

    def _values(self, metric: Metric) -> Mapping[tuple[str | int, ...], float]:
        if metric.name in self._counts:
            return self._counts[metric.name]
        try:
            figures = self._readers[metric.name]() if metric.name in self._readers else None
            if isinstance(figures, Mapping):
                return {(label,): float(value) for label, value in figures.items()}
            return {} if figures is None else {(): float(figures)}
        except Exception:  # noqa: BLE001 - one figure that cannot be read does not hide the others
            self._faults += 1
            return {}

    def _count(self, name: str) -> defaultdict[tuple[str | int, ...], int]:
        counts = self._counts[name] = defaultdict(int)
        return counts

    def _histogram(self, name: str) -> defaultdict[tuple[str, ...], "_Histogram"]:
        bounds = BY_NAME[name].buckets
        histograms = self._histograms[name] = defaultdict(lambda: _Histogram(bounds))
        return histograms

    def _read(self, name: str, kind: str, function: Callable[[], Figures]) -> None:
        metric = BY_NAME[name]
        if metric.kind != kind or metric.scope != "process":
            raise ValueError(f"{name} is no {kind} of the process")
        self._readers[name] = function


class _Histogram:
    """Counts of values by the smallest bound they do not exceed."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        names = [*map(repr, self.bounds), "+Inf"]
        return list(zip(names, accumulate(self.counts), strict=True))


def _shard(query: str) -> tuple[int, int]:
    """The part and the number of parts that ``query`` asks for."""
    asked = [value for key, value in parse_qsl(query, keep_blank_values=True) if key == "shard"]
    if not asked:
        return 0, 1
    found = re.fullmatch(r"([0-9]{1,5})/([1-9][0-9]{0,4})", asked[0])
    if found and len(asked) == 1:
        part, parts = int(found[1]), int(found[2])
        if part <= parts <= _MOST_PARTS:
            return part % parts, parts
    raise Refused(Refusal.ABSURD_VALUE, "shard is i/n, with i from 0 to n-1 or from 1 to n")
