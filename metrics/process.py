"""The page of the process, which prometheus-client writes."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from prometheus_client import ProcessCollector, exposition
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from metrics.advertisers import Format
from metrics.metric import Metric
from metrics.registry import METRICS

Labels = tuple[str | int, ...]

_of_process = ProcessCollector(registry=None)


class Snapshot(msgspec.Struct, frozen=True):
    """The figures of the process at one moment, by metric and label values."""

    values: Mapping[str, Mapping[Labels, float]]
    """Of counters and gauges."""
    histograms: Mapping[str, Mapping[tuple[str, ...], tuple[list[tuple[str, float]], float]]]
    """Of histograms: what lies below each bound, and the sum."""


def render(snapshot: Snapshot, form: Format) -> bytes:
    """The page of ``snapshot``. Thousands of series take tens of milliseconds: call it in a
    thread.
    """
    write: Any = openmetrics if form == "openmetrics" else exposition
    page: bytes = write.generate_latest(_Collected(snapshot))
    return page


class _Collected(Collector):
    """A snapshot as prometheus-client takes it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._own = {
            sample.name: sample.value
            for family in _of_process.collect()
            for sample in family.samples
        }

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            if metric.scope == "process":
                yield self._family(metric)

    def _family(self, metric: Metric) -> Family:
        names, unit = tuple(metric.labels), metric.told_unit
        if metric.kind == "histogram":
            histogram = HistogramMetricFamily(
                metric.full_name, metric.help, labels=names, unit=unit
            )
            held = self._snapshot.histograms[metric.name]
            for labels, (buckets, total) in sorted(held.items()):
                histogram.add_metric(labels, buckets, total)
            return histogram
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(metric.full_name, metric.help, labels=names, unit=unit)
        values = self._snapshot.values[metric.name]
        if metric.full_name in self._own:
            values = {(): self._own[metric.full_name]}
        for of_series, value in sorted(values.items()):
            family.add_metric([str(v) for v in of_series], value)
        return family
