"""What the dashboards ask of Prometheus, read out of their files as Grafana would."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

SAMPLES = Path(__file__).parents[2] / "metrics"
FOLDER = SAMPLES / "dashboards"
BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))
}
"""The dashboards by name and language: ``operator.ja``."""

RECORDED: dict[str, str] = {
    rule["record"]: rule["expr"]
    for path in (SAMPLES / "rules").glob("*.yml")
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "record" in rule
}
"""What the rules write down, by its name."""

_VARIABLE = re.compile(r"\$(\w+)")
_VALUES_OF = re.compile(r"label_values\((\w+), (\w+)\)")


class Asked(NamedTuple):
    """One query."""

    dashboard: str
    panel: str
    expr: str


def queries() -> Iterator[Asked]:
    """Every query of every panel, and of every variable, with Grafana's variables in it."""
    for name, board in BOARDS.items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield Asked(name, panel["title"], target["expr"])
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                asked = _VALUES_OF.fullmatch(variable["query"])
                assert asked, variable["query"]
                yield Asked(name, variable["label"], f"group by ({asked[2]}) ({asked[1]})")


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The panels of a dashboard, without the headings."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def filled(expr: str, advertiser: str, window: str) -> str:
    """A query as Prometheus takes it: of this advertiser and every process, over this time."""
    values = {
        "advertiser": advertiser,
        "instance": ".*",
        "__interval": window,
        "__rate_interval": window,
        "__range": window,
    }
    return _VARIABLE.sub(lambda found: values[found[1]], expr)
