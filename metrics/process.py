"""The page of the process, which prometheus-client writes."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

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
"""Of a histogram: what lies below each bound, and the sum."""

Series = Mapping[Labels, float] | Mapping[Labels, Buckets]
"""What a metric shows, by the values of its labels."""

_SLICE_SERIES = 100
"""Series written in one go: a millisecond or two. All at once would hold the loop for fifty; in a
thread, which is Python too, it would keep every turn of the loop waiting.
"""

_END = b"# EOF\n"

_of_process = ProcessCollector(registry=None)


def render(figures: Mapping[str, Series], form: Format) -> Iterator[bytes]:
    """The page of ``figures``, by metric, in short slices. They are read slice by slice: nothing
    may change them meanwhile.
    """
    own: dict[str, Series] = {
        sample.name: dict[Labels, float]({(): sample.value})
        for family in _of_process.collect()
        for sample in family.samples
    }
    for metric in METRICS:
        if metric.scope == "process":
            yield from _slices(metric, own.get(metric.full_name) or figures[metric.name], form)
    if form == "openmetrics":
        yield _END


def _slices(metric: Metric, held: Series, form: Format) -> Iterator[bytes]:
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
