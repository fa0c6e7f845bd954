"""Counts what happens: the observer that Prometheus's pages are made of."""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from gateway.domain.calls import Noted, Settled
from gateway.domain.values import SECOND, Counted
from gateway.errors import Refusal, Trouble
from gateway.ports import Clock, Fact, Route
from metrics.advertisers import Advertisers
from metrics.metric import Metric
from metrics.process import Labels, Series
from metrics.registry import BY_NAME, METRICS, STATUSES

Figures = float | Mapping[str, float] | None
"""What a figure kept elsewhere reads as: a number, or numbers by the value of the only label."""

_LAG_INTERVAL = 0.1


class Metrics:
    """The observer. Every method is for the loop's thread alone.

    That thread is the reason for plain integers in dictionaries: prometheus-client's own counters
    take a lock and a label look-up each time. It renders the process-wide page all the same.
    """

    def __init__(self, version: str, clock: Clock, max_advertisers: int | None = None) -> None:
        self.advertisers = Advertisers(max_advertisers)
        self._clock = clock
        self._counts: dict[str, defaultdict[Labels, int]] = {}
        self._histograms: dict[str, defaultdict[Labels, _Histogram]] = {}
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
        self.gauge("advertisers", lambda: len(self.advertisers))
        self.counter("advertisers_left_out_total", lambda: self.advertisers.left_out)
        self.counter("observer_faults_total", lambda: self._faults)

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

    def snapshot(self) -> dict[str, Series]:
        """The figures of the process as they stand now, by metric; they do not change."""
        return {m.name: self._series(m) for m in METRICS if m.scope == "process"}

    def _series(self, metric: Metric) -> Series:
        if metric.name in self._counts:
            return self._counts[metric.name].copy()
        if metric.name in self._histograms:
            held = self._histograms[metric.name]
            return {labels: (each.buckets(), each.sum) for labels, each in held.items()}
        try:
            figures = self._readers[metric.name]() if metric.name in self._readers else None
            series: dict[Labels, float] = {}
            if isinstance(figures, Mapping):
                series = {(label,): float(value) for label, value in figures.items()}
            elif figures is not None:
                series = {(): float(figures)}
        except Exception:  # noqa: BLE001 - one figure that cannot be read does not hide the others
            self._faults += 1
            return {}
        return series

    def _count(self, name: str) -> defaultdict[Labels, int]:
        counts = self._counts[name] = defaultdict(int)
        return counts

    def _histogram(self, name: str) -> defaultdict[Labels, "_Histogram"]:
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
