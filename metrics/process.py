"""The page of the process, which prometheus-client writes."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
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
Buckets = tuple[list[tuple[str, float]], float]
"""What lies below each bound, and the sum."""

_SLICE_SERIES = 100
"""Series written in one go: a millisecond or two. All at once would hold the loop for fifty; in a
thread, which is Python too, it would keep every turn of the loop waiting.
"""

_END = b"# EOF\n"

_of_process = ProcessCollector(registry=None)


class Snapshot(msgspec.Struct, frozen=True):
    """The figures of the process at one moment, by metric and label values."""

    values: Mapping[str, Mapping[Labels, float]]
    """Of counters and gauges."""
    histograms: Mapping[str, Mapping[tuple[str, ...], Buckets]]
    """Of histograms."""


def render(snapshot: Snapshot, form: Format) -> Iterator[bytes]:
    """The page of ``snapshot``, in short slices."""
    own = {
        sample.name: {(): sample.value}
        for family in _of_process.collect()
        for sample in family.samples
    }
    for metric in METRICS:
        if metric.scope == "process":
            held: Mapping[Any, Any] = (
                snapshot.histograms[metric.name]
                if metric.kind == "histogram"
                else own.get(metric.full_name) or snapshot.values[metric.name]
            )
            yield from _slices(metric, held, form)
    if form == "openmetrics":
        yield _END


def _slices(metric: Metric, held: Mapping[Any, Any], form: Format) -> Iterator[bytes]:
    head = _written(_family(metric, ()), form)
    yield head
    step = _SLICE_SERIES // (len(metric.buckets) or 1)
    series = iter(sorted(held.items()))
    while some := list(islice(series, step)):
        yield _written(_family(metric, some), form).removeprefix(head)


def _written(family: Family, form: Format) -> bytes:
    write: Any = openmetrics if form == "openmetrics" else exposition
    page: bytes = write.generate_latest(_One(family))
    return page.removesuffix(_END)


class _One(Collector):
    """A family as prometheus-client takes it."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterator[Family]:
        yield self._family


def _family(metric: Metric, series: Iterable[tuple[Labels, Any]]) -> Family:
    names, unit = tuple(metric.labels), metric.told_unit
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.full_name, metric.help, labels=names, unit=unit)
        for labels, (buckets, total) in series:
            histogram.add_metric([str(v) for v in labels], buckets, total)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.full_name, metric.help, labels=names, unit=unit)
    for labels, value in series:
        family.add_metric([str(v) for v in labels], value)
    return family
