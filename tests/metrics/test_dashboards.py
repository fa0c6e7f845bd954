"""The dashboards ask for what the table of metrics has, in two languages alike."""

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from metrics.dashboards.boards import BOARDS as MADE
from metrics.dashboards.boards import FILES
from metrics.dashboards.text import LOOKS, look
from metrics.metric import Metric
from metrics.registry import METRICS
from tests.support.dashboards import BOARDS, FOLDER, RECORDED, filled, panels, queries

ROOT = Path(__file__).parents[2]
TABLE = {metric.full_name: metric for metric in METRICS}
OF_PROMETHEUS: dict[str, tuple[str, ...]] = {
    "up": (),
    "ALERTS": ("alertname", "alertstate", "severity"),
}
"""What Prometheus itself tells, with the labels that are asked for."""

PLAIN = {("refusals_total", "reason"), ("spool_events_total", "reason")}
"""Labels whose values are drawn as they are: they are looked up in the log and the handbook."""

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_CAMELS = re.compile(r"(?<![A-Za-z])[A-Z][a-z]+(?:[A-Z][a-z]+)+(?![A-Za-z])")
_NAME = re.compile(r"\bjob[a-z_]*:[a-z0-9_:]+|\b(?:gateway|process)_[a-z_]+\b|\bup\b|\bALERTS\b")
_GROUPS = re.compile(r"\b(?:by|on|group_left) \(([^)]*)\)")
_MATCHERS = re.compile(r"([\w:]+)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def _labels(expr: str) -> set[str]:
    """Every label that what is asked for can have."""
    labels = set()
    for name in _NAME.findall(expr):
        if name in RECORDED:
            labels |= set(name.partition(":")[0].split("_"))
            continue
        labels |= {"job", "instance"}
        if name in OF_PROMETHEUS:
            labels |= set(OF_PROMETHEUS[name])
        else:
            labels |= set(_metric(name).labels)
        if name.endswith("_bucket"):
            labels.add("le")
    return labels


def _metric(name: str) -> Metric:
    """Of the table; of what rules write down, the one that they read."""
    while name in RECORDED:
        [name] = set(_NAME.findall(RECORDED[name]))
    return TABLE[name.removesuffix("_bucket")]


def _metrics(expr: str) -> list[Metric]:
    """Those of the table behind a query."""
    return [_metric(name) for name in _NAME.findall(expr) if name not in OF_PROMETHEUS]


def _alarms() -> set[str]:
    """The names of the rules' alarms."""
    rules = "".join(path.read_text() for path in (ROOT / "metrics/rules").glob("*.yml"))
    return set(re.findall(r"- alert: (\w+)", rules))


def _targets() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for name, board in BOARDS.items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", panel, target


def test_the_folder_holds_what_the_code_makes() -> None:
    """No dashboard is there that `make docs` does not write, and none is missing."""
    assert {path.name for path in FOLDER.glob("*.json")} == set(FILES)


def test_the_running_gateway_does_without_the_generator() -> None:
    """Only the dashboards' own folder imports what makes them, a package of development."""
    sources = [
        path
        for folder in ("gateway", "adapters", "metrics")
        for path in (ROOT / folder).rglob("*.py")
        if FOLDER not in path.parents
    ]
    assert sources
    naming = re.compile(r"grafana_foundation_sdk|metrics\.dashboards|metrics import dashboards")
    assert [str(path) for path in sources if naming.search(path.read_text())] == []


def test_panels_ask_for_metrics_and_labels_that_exist() -> None:
    """Every metric, matcher, value and grouping of every query is one of the table's."""
    for dashboard, panel, expr in queries():
        where = f"{dashboard}: {panel}: {expr}"
        assert _NAME.search(expr), where
        for name in set(_NAME.findall(expr)) - set(OF_PROMETHEUS):
            metric = _metric(name)
            if name not in RECORDED:
                assert (metric.kind == "histogram") == name.endswith("_bucket"), where
        for name, matchers in _MATCHERS.findall(expr):
            for label, sign, value in _MATCHER.findall(matchers):
                assert label in _labels(name), where
                closed = () if name in OF_PROMETHEUS else _metric(name).labels.get(label, ())
                alternatives = value.split("|") if sign in ("=~", "!~") else [re.escape(value)]
                for one in alternatives if closed else []:
                    assert any(re.fullmatch(one, known) for known in closed), where
        for group in _GROUPS.findall(expr):
            assert set(filter(None, group.split(", "))) <= _labels(expr), where


def test_legends_name_labels_that_their_queries_keep() -> None:
    """A legend's `{{label}}` is one that the outermost grouping leaves, or the metric has."""
    for where, _, target in _targets():
        groups = _GROUPS.findall(target["expr"])
        kept = set(groups[0].split(", ")) if groups and groups[0] else _labels(target["expr"])
        assert set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))) <= kept, where


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_prometheus_can_read_every_query(tmp_path: Path) -> None:
    """Prometheus's own parser takes each query as the rule of a recording."""
    rules = [
        {"record": f"panel:{at}", "expr": filled(asked.expr, "acme", "5m")}
        for at, asked in enumerate(queries())
    ]
    file = tmp_path / "rules.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    said = subprocess.run(
        ["promtool", "check", "rules", "--lint=none", str(file)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"{len(rules)} rules found" in said.stdout


def test_every_metric_is_on_a_panel() -> None:
    """Whatever is counted can be looked at, and all of an advertiser's on their own dashboard."""
    shown: dict[str, set[str]] = {name: set() for name in BOARDS}
    for where, _, target in _targets():
        names = {metric.full_name for metric in _metrics(target["expr"])}
        shown[where.split(":")[0]] |= names
    everywhere = set().union(*shown.values())
    assert sorted(set(TABLE) - everywhere) == []
    theirs = {name for name, metric in TABLE.items() if metric.scope == "advertiser"}
    assert sorted(theirs - shown["advertiser.ja"]) == []


def test_an_advertisers_dashboard_asks_for_theirs_alone() -> None:
    """Each metric there is matched with the advertiser that was chosen."""
    for where, _, target in _targets():
        if where.startswith("advertiser."):
            names = _NAME.findall(target["expr"])
            assert target["expr"].count('{advertiser="$advertiser"') == len(names), where


def test_sums_over_all_advertisers_are_read_where_rules_wrote_them_down() -> None:
    """No dashboard but the one of a single advertiser adds up the series of all; what rules write
    down every five minutes comes to amounts by the sum of its samples.
    """
    for where, _, target in _targets():
        expr = target["expr"]
        raw = [name for name in _NAME.findall(expr) if name in TABLE]
        if not where.startswith("advertiser."):
            assert [name for name in raw if TABLE[name].scope == "advertiser"] == [], where
        summed = re.findall(r"sum_over_time\(([\w:]+)(?:\{[^}]*\})?\[\$__\w+\]", expr)
        assert summed == re.findall(r"[\w:]+:increase5m", expr), where


def test_rates_span_several_scrapes() -> None:
    """Advertisers are scraped once a minute, so their rates look at four; bars cover a stretch
    of time that is given, without gaps.
    """
    for where, panel, target in _targets():
        theirs = any(metric.scope == "advertiser" for metric in _metrics(target["expr"]))
        if theirs and panel["type"] == "timeseries":
            assert target.get("interval"), where
        if "$__interval" in target["expr"]:
            assert target["interval"] == "10m", where
            assert panel["fieldConfig"]["defaults"]["custom"]["drawStyle"] == "bars", where


def test_whole_figures_are_written_out() -> None:
    """Where no decimals are shown, Grafana does not make 12 K of 12,345, or 2 min of 149 s; yen are
    named in the title.
    """
    for where, panel, target in _targets():
        defaults = panel["fieldConfig"]["defaults"]
        if defaults.get("decimals") == 0 and defaults["unit"] != "percentunit":
            assert defaults["unit"] in ("locale", "dthms"), where
        if "billed_yen" in target["expr"]:
            assert re.search(r"（円）|\(yen\)", panel["title"]), where
            assert defaults["unit"] == "locale", where


def test_what_this_release_does_not_count_is_said() -> None:
    """Charges and SIMs stand at 0, and their panels say why."""
    for where, panel, target in _targets():
        if re.search("billed_yen|gateway_sims", target["expr"]):
            assert re.search("常に0|always 0", panel["description"]), where


def test_boards_with_bars_say_where_they_end() -> None:
    """Grafana ends a range at a full step, so the last bar is not of now."""
    for name, board in BOARDS.items():
        if any("$__interval" in asked.expr for asked in queries() if asked.dashboard == name):
            assert re.search("棒グラフ|Bars end", board["description"]), name


def test_advertisers_are_told_whom_to_ask() -> None:
    """Their dashboard is imported without the handbook and the rules: what names either says who
    has them.
    """
    alarms = _alarms()
    told = [
        panel["description"]
        for name, board in BOARDS.items()
        if name.startswith("advertiser.")
        for panel in panels(board)
        if re.search("運用手引き|operate.md", panel["description"])
        or alarms & set(_CAMELS.findall(panel["description"]))
    ]
    assert told
    assert [each for each in told if not re.search("運用会社に連絡|sk who runs", each)] == []


def test_both_languages_show_the_same() -> None:
    """The panels of the two languages differ in their words alone."""
    for made in MADE:
        ja, en = BOARDS[f"{made.name}.ja"], BOARDS[f"{made.name}.en"]
        assert len(ja["panels"]) == len(en["panels"])
        for left, right in zip(ja["panels"], en["panels"], strict=True):
            assert left["type"] == right["type"]
            assert left["gridPos"] == right["gridPos"]
            assert [(t["expr"], t["refId"]) for t in left.get("targets", [])] == [
                (t["expr"], t["refId"]) for t in right.get("targets", [])
            ]
        assert ja["refresh"] == en["refresh"]
        assert [v["name"] for v in ja["templating"]["list"]] == [
            v["name"] for v in en["templating"]["list"]
        ]


def test_every_panel_says_what_it_is_in_its_language() -> None:
    """Titles and descriptions are there; the English ones hold no Japanese."""
    for name, board in BOARDS.items():
        english = name.endswith(".en")
        assert board["title"]
        assert bool(JAPANESE.search(board["description"])) != english
        for panel in board["panels"]:
            assert panel["title"], name
            assert not (english and JAPANESE.search(panel["title"])), panel["title"]
        for panel in panels(board):
            assert bool(JAPANESE.search(panel["description"])) != english, panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            overrides = json.dumps(panel["fieldConfig"]["overrides"], ensure_ascii=False)
            assert not (english and JAPANESE.search(overrides)), panel["title"]


def test_alarms_that_panels_name_exist() -> None:
    """A description sends its reader to an alarm of the rules, by its name."""
    told = [panel["description"] for board in BOARDS.values() for panel in panels(board)]
    named = set(_CAMELS.findall("\n".join(told)))
    assert named
    assert sorted(named - _alarms()) == []


def test_values_of_closed_labels_have_japanese_names() -> None:
    """Whatever value a legend can show has a word, and no word is left for a value that is gone."""
    known = set()
    for metric in METRICS:
        for label, values in metric.labels.items():
            known |= {*values, *(f"{metric.name}.{value}" for value in values)}
            if (metric.name, label) not in PLAIN:
                assert [value for value in values if look(metric.name, value) is None] == []
    assert sorted(set(LOOKS) - known) == []


def test_dashboards_are_told_apart() -> None:
    """Uids are unique and stable, ids are unique within a dashboard, and each links to the rest."""
    assert {board["uid"] for board in BOARDS.values()} == {
        f"tsunagi-{made.name}-{language}" for made in MADE for language in ("ja", "en")
    }
    titles = Counter(board["title"] for board in BOARDS.values())
    assert titles.most_common(1)[0][1] == 1
    for name, board in BOARDS.items():
        language = name.rpartition(".")[2]
        assert board["tags"] == ["tsunagi", language]
        assert board["timezone"] == "Asia/Tokyo"
        assert board["links"][0]["tags"] == board["tags"]
        assert board["links"][1]["url"][3:] in {other["uid"] for other in BOARDS.values()}
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)


def test_panels_fill_the_grid_without_overlaps() -> None:
    """No two panels share a place, none reaches over the edge, and no line has a gap."""
    for name, board in BOARDS.items():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            places = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert not places & taken, f"{name}: {panel['title']}"
            assert at["x"] + at["w"] <= 24, f"{name}: {panel['title']}"
            taken |= places
        tops = sorted({panel["gridPos"]["y"] for panel in board["panels"]})
        for top in tops:
            assert all((x, top) in taken for x in range(24)), f"{name}: line {top}"
        assert all(below > above for above, below in pairwise(tops))


def test_links_lead_to_dashboards_and_variables_that_exist() -> None:
    """A click on an advertiser's name opens the dashboard that has them as a variable."""
    by_uid = {board["uid"]: board for board in BOARDS.values()}
    links = [
        (name, link["url"])
        for name, board in BOARDS.items()
        for panel in panels(board)
        for link in panel["fieldConfig"]["defaults"].get("links", [])
    ]
    assert links
    for name, url in links:
        found = re.match(r"/d/([\w-]+)\?var-(\w+)=", url)
        assert found
        assert found[1].endswith(name.rpartition(".")[2])
        variables = [each["name"] for each in by_uid[found[1]]["templating"]["list"]]
        assert found[2] in variables
