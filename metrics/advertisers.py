"""Counters and gauges of each advertiser: a compact store and its renderer.

prometheus-client takes seconds for ten thousand advertisers and holds the loop meanwhile; one
array of integers for each advertiser, and a template for each metric, do not.
"""

from array import array
from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from operator import attrgetter
from typing import Literal
from zlib import crc32

from metrics.metric import Metric
from metrics.registry import METRICS

Format = Literal["text", "openmetrics"]
"""Prometheus's text format 0.0.4, or OpenMetrics 1.0.0."""

SLICE_LINES = 3_000
"""Lines rendered in one go: a millisecond or two."""

_HOLE = "\0"
"""Where the advertiser stands in a template."""


class Advertisers:
    """One row of whole numbers for each advertiser, one column for each series."""

    def __init__(self, most: int | None = None) -> None:
        self.left_out = 0
        """Advertisers that pages left out since they had ``most`` already, if there is such a
        bound; each page anew.
        """
        self._most = most
        self._columns: dict[tuple[str, ...], int] = {}
        self._families: list[_Family] = []
        for metric in METRICS:
            if metric.scope == "advertiser":
                family = _Family(metric, len(self._columns))
                self._families.append(family)
                for values in family.series:
                    self._columns[metric.name, *values] = len(self._columns)
        self._empty = array("q", bytes(8 * len(self._columns)))
        self._rows: dict[str, _Row] = {}
        self._order: list[_Row] = []

    def __len__(self) -> int:
        return len(self._rows)

    def ensure(self, advertisers: Iterable[str]) -> None:
        """Show the series of ``advertisers`` from now on, at 0 where nothing was counted yet."""
        new = [name for name in advertisers if name not in self._rows]
        for name in new:
            self._rows[name] = _Row(name, self._empty[:])
        if len(new) == 1:
            insort(self._order, self._rows[new[0]], key=_BY_NAME)
        elif new:
            self._order = sorted(self._rows.values(), key=_BY_NAME)

    def add(self, advertiser: str, amount: int, name: str, *values: str) -> None:
        """Add ``amount`` to the counter ``name`` with the label ``values`` of ``advertiser``.

        Raises:
            KeyError: the table has no such series.
        """
        column = self._columns[name, *values]
        self._figures(advertiser)[column] += amount

    def put(self, advertiser: str, value: int, name: str, *values: str) -> None:
        """Let the gauge ``name`` of ``advertiser`` show ``value``.

        Raises:
            KeyError: the table has no such series.
        """
        column = self._columns[name, *values]
        self._figures(advertiser)[column] = value

    def _figures(self, advertiser: str) -> "array[int]":
        row = self._rows.get(advertiser)
        if row is None:
            self.ensure((advertiser,))
            row = self._rows[advertiser]
        return row.figures

    def render(
        self,
        form: Format = "text",
        part: int = 0,
        parts: int = 1,
        shows: Callable[[str], bool] | None = None,
    ) -> Iterator[bytes]:
        """The page of one part of the advertisers, in short slices.

        The first ``most`` are shown, in the order of their ids, of those that ``shows`` says yes
        to; an advertiser belongs to the part ``crc32(id) % parts``. Between two slices counters
        may move: every series is read once.
        """
        rows = self._order if shows is None else [row for row in self._order if shows(row.name)]
        most = len(rows) if self._most is None else self._most
        shown, beyond = rows[:most], rows[most:]
        if parts > 1:
            shown, beyond = (
                [row for row in some if row.hash % parts == part] for some in (shown, beyond)
            )
        self.left_out += len(beyond)
        for family in self._families:
            yield family.headers[form]
            step = max(1, SLICE_LINES // len(family.series))
            for start in range(0, len(shown), step):
                yield family.lines(shown[start : start + step])
        if form == "openmetrics":
            yield b"# EOF\n"


class _Row:
    """What is counted of an advertiser."""

    __slots__ = ("figures", "hash", "label", "name")

    def __init__(self, name: str, figures: "array[int]") -> None:
        self.name = name
        self.label = name.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
        self.hash = crc32(name.encode())
        self.figures = figures


_BY_NAME = attrgetter("name")


class _Family:
    """A metric, and how its lines are written.

    A template holds all lines of one advertiser: the figures are filled in by one formatting, the
    advertiser by one replacement. Most rows of most metrics are zeros, and their text is made
    already.
    """

    def __init__(self, metric: Metric, first: int) -> None:
        closed = [name for name in metric.labels if name != "advertiser"]
        self.series = series_of(metric)
        self.headers = {"text": _header(metric), "openmetrics": _openmetrics_header(metric)}
        self._columns = slice(first, first + len(self.series))
        self._zeros = array("q", bytes(8 * len(self.series)))
        self._template = "".join(
            f'{metric.full_name}{{advertiser="{_HOLE}"{_labels(closed, values)}}} %d\n'
            for values in self.series
        )
        self._text_of_zeros = self._template % tuple(self._zeros)

    def lines(self, rows: Iterable[_Row]) -> bytes:
        columns, zeros, template = self._columns, self._zeros, self._template
        texts = []
        for row in rows:
            figures = row.figures[columns]
            text = self._text_of_zeros if figures == zeros else template % tuple(figures)
            texts.append(text.replace(_HOLE, row.label))
        return "".join(texts).encode()


def series_of(metric: Metric) -> list[tuple[str, ...]]:
    """The values of the labels beside the advertiser, series by series."""
    return list(product(*(v for name, v in metric.labels.items() if name != "advertiser")))


def _labels(closed: Iterable[str], values: Iterable[str]) -> str:
    return "".join(f',{name}="{value}"' for name, value in zip(closed, values, strict=True))


def _header(metric: Metric) -> bytes:
    name = metric.full_name
    return f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n".encode()


def _openmetrics_header(metric: Metric) -> bytes:
    name = metric.family
    unit = f"# UNIT {name} {metric.told_unit}\n" if metric.told_unit else ""
    return f"# TYPE {name} {metric.kind}\n{unit}# HELP {name} {metric.help}\n".encode()
