"""What a dashboard consists of, in no language yet."""

from typing import Literal

import msgspec

from metrics.dashboards.text import Text

Kind = Literal["stat", "lines", "bars", "ranking", "table"]
"""``bars``: stacked amounts over time. ``ranking``: one amount for each name, the largest first."""

Steps = tuple[tuple[float, str], ...]
"""From each value on its colour; the first holds below, too."""

SMALL_IS_GOOD: Steps = ((0, "green"), (0.5, "red"))
"""One is already red, also where a counter's one is extrapolated to a little less."""
UP: Steps = ((0, "red"), (1, "green"))
YES_OR_NO = {"1": Text("正常", "yes"), "0": Text("異常", "no")}
COUNT = "locale"
"""Whole numbers written out, as 12,345. Grafana makes 12 K of them elsewhere, of yen, too."""
DURATION = "dthms"
"""Seconds as days and h:m:s. Grafana makes 2 min of 90 to 149 s elsewhere."""
HOURS = Text("suffix:時間", "suffix:hours")
DAYS = Text("suffix:日", "suffix:days")
"""Grafana's own days become weeks from the seventh on."""


class Query(msgspec.Struct, frozen=True):
    """One line of a panel, or several that share a legend."""

    expr: str
    legend: str | Text = ""
    """With ``{{label}}`` for a label's value."""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One panel."""

    kind: Kind
    title: Text
    about: Text
    """What it shows, and what to do about it."""
    queries: tuple[Query, ...]
    unit: str | Text
    """One of Grafana's ids of units."""
    width: int
    """Of 24 columns."""
    height: int
    decimals: int | None = None
    steps: Steps = ()
    values: dict[str, Text] = {}
    """What is written instead of a value."""
    highest: float | None = None
    """Where the axis ends."""
    step: str = ""
    """At least so long lies between two points; empty: the interval of scraping."""
    columns: dict[str, Text] = {}
    """Tables only: the columns that are shown, in order."""
    leads_to: str = ""
    """The dashboard, and its variable, that a click on a name opens: ``advertiser``."""


class Row(msgspec.Struct, frozen=True):
    """Panels that belong together under a heading."""

    title: Text
    panels: tuple[Panel, ...]


class Variable(msgspec.Struct, frozen=True):
    """What a reader chooses above the panels: a label's values as a metric has them."""

    name: str
    """Also the label."""
    title: Text
    metric: str
    several: bool


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """A dashboard."""

    name: str
    """Of the file, and in the uid."""
    title: Text
    about: Text
    span: str
    """How far it looks back at first."""
    refresh: str
    variables: tuple[Variable, ...] = ()
    rows: tuple[Row, ...]


INSTANCE = Variable("instance", Text("プロセス", "Process"), "gateway_build_info", several=True)


def stat(
    title: Text,
    about: Text,
    expr: str,
    unit: str | Text = COUNT,
    *,
    decimals: int = 0,
    steps: Steps = (),
    values: dict[str, Text] | None = None,
) -> Panel:
    """One figure; those of counters are extrapolated, so they come without decimals."""
    return Panel(
        kind="stat",
        title=title,
        about=about,
        queries=(Query(expr),),
        unit=unit,
        width=3,
        height=4,
        decimals=decimals,
        steps=steps,
        values=values or {},
    )


def lines(
    title: Text,
    about: Text,
    *queries: Query,
    unit: str | Text = "short",
    width: int = 12,
    height: int = 8,
    steps: Steps = (),
    highest: float | None = None,
    step: str = "",
) -> Panel:
    """Figures over time."""
    return Panel(
        kind="lines",
        title=title,
        about=about,
        queries=queries,
        unit=unit,
        width=width,
        height=height,
        steps=steps,
        highest=highest,
        step=step,
    )


def bars(
    title: Text,
    about: Text,
    *queries: Query,
    unit: str = COUNT,
    width: int = 12,
    height: int = 8,
    step: str,
) -> Panel:
    """Amounts of each stretch of time; those of the queries are stacked."""
    return Panel(
        kind="bars",
        title=title,
        about=about,
        queries=queries,
        unit=unit,
        width=width,
        height=height,
        decimals=0,
        step=step,
    )


def ranking(
    title: Text,
    about: Text,
    query: Query,
    unit: str = COUNT,
    *,
    decimals: int = 0,
    width: int = 6,
    height: int = 8,
    leads_to: str = "",
) -> Panel:
    """One amount for each name."""
    return Panel(
        kind="ranking",
        title=title,
        about=about,
        queries=(query,),
        unit=unit,
        width=width,
        height=height,
        decimals=decimals,
        leads_to=leads_to,
    )


def table(
    title: Text,
    about: Text,
    expr: str,
    columns: dict[str, Text],
    unit: str = COUNT,
    *,
    width: int = 12,
    height: int = 8,
) -> Panel:
    """Labels and the figure that belongs to them; the figure's column is ``Value``."""
    return Panel(
        kind="table",
        title=title,
        about=about,
        queries=(Query(expr),),
        unit=unit,
        width=width,
        height=height,
        decimals=0,
        columns=columns,
    )
