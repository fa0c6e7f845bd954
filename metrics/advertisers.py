"""Counters and gauges of each advertiser: a compact store and its renderer.

prometheus-client takes seconds for ten thousand advertisers and holds the loop meanwhile; one
array of integers for each advertiser and a renderer in slices do not.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from zlib import crc32

from metrics.metric import Metric
from metrics.registry import METRICS

SLICE_LINES = 4_000
"""Lines rendered in one go: about 2 ms."""


class Advertisers:
    """One row of whole numbers for each advertiser, one column for each series."""

    def __init__(self) -> None:
        families = [metric for metric in METRICS if metric.scope == "advertiser"]
        self._columns: dict[tuple[str, ...], int] = {}
        self._families: list[tuple[str, list[tuple[str, str, int]]]] = []
        for metric in families:
            lines = []
            for values in product(*_closed(metric).values()):
                column = self._columns[metric.name, *values] = len(self._columns)
                lines.append((*_around(metric, values), column))
            header = (
                f"# HELP {metric.full_name} {metric.help}\n"
                f"# TYPE {metric.full_name} {metric.kind}\n"
            )
            self._families.append((header, lines))
        self._empty = array("q", bytes(8 * len(self._columns)))
        self._rows: dict[str, array[int]] = {}
        self._sorted: list[str] | None = None

    def ensure(self, advertisers: Iterable[str]) -> None:
        """Show the series of ``advertisers`` from now on, at 0 where nothing was counted yet."""
        for advertiser in advertisers:
            if advertiser not in self._rows:
                self._rows[advertiser] = self._empty[:]
                self._sorted = None

    def add(self, advertiser: str, amount: int, name: str, *values: str) -> None:
        """Add ``amount`` to the counter ``name`` with the label ``values`` of ``advertiser``.

        Raises:
            KeyError: the table has no such series.
        """
        column = self._columns[name, *values]
        row = self._rows.get(advertiser)
        if row is None:
            self.ensure((advertiser,))
            row = self._rows[advertiser]
        row[column] += amount

    def put(self, advertiser: str, value: int, name: str, *values: str) -> None:
        """Let the gauge ``name`` of ``advertiser`` show ``value``.

        Raises:
            KeyError: the table has no such series.
        """
        column = self._columns[name, *values]
        self.ensure((advertiser,))
        self._rows[advertiser][column] = value

    def render(
        self,
        part: int = 0,
        parts: int = 1,
        shows: Callable[[str], bool] = lambda advertiser: True,
    ) -> Iterator[bytes]:
        """Prometheus's text format 0.0.4 of one part of the advertisers, in short slices.

        An advertiser belongs to the part ``crc32(id) % parts``; it is left out where ``shows`` says
        no. Between two slices counters may move: every series is read once.
        """
        if self._sorted is None:
            self._sorted = sorted(self._rows)
        names = [
            name
            for name in self._sorted
            if (parts == 1 or crc32(name.encode()) % parts == part) and shows(name)
        ]
        labels = [_escaped(name) for name in names]
        rows = [self._rows[name] for name in names]
        for header, lines in self._families:
            yield header.encode()
            step = SLICE_LINES // len(lines)
            for start in range(0, len(names), step):
                yield "".join(
                    [
                        f"{before}{label}{after}{row[column]}\n"
                        for label, row in zip(
                            labels[start : start + step], rows[start : start + step], strict=True
                        )
                        for before, after, column in lines
                    ]
                ).encode()


def _closed(metric: Metric) -> dict[str, tuple[str, ...]]:
    return {label: values for label, values in metric.labels.items() if label != "advertiser"}


def _around(metric: Metric, values: tuple[str, ...]) -> tuple[str, str]:
    """What stands before and after the advertiser in a series' line."""
    others = "".join(
        f',{label}="{value}"' for label, value in zip(_closed(metric), values, strict=True)
    )
    return f'{metric.full_name}{{advertiser="', f'"{others}}} '


def _escaped(value: str) -> str:
    """A label value as the text format wants it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
