"""The rules for Prometheus: each does what it is for, and asks for what there is."""

import os
import re
import shutil
import subprocess
from collections import defaultdict
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from gateway.domain.effects import Kind
from gateway.ports.outbox import HALTED
from metrics.metric import Metric
from metrics.registry import METRICS
from tests.support.dashboards import queries

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "metrics/rules").glob("*.yml"))
CASES = sorted((ROOT / "metrics/rules/tests").glob("*.yml"))
SAMPLES = ROOT / "metrics"
OPERATE = (ROOT / "docs/operate.md").read_text()

MISSING = (
    ""
    if shutil.which("promtool") and shutil.which("amtool")
    else "Prometheus and Alertmanager are not installed; .ci/run installs them"
)
with_tools = pytest.mark.skipif(bool(MISSING), reason=MISSING)

_OF_PROMETHEUS = {"job", "instance", "shard"}
"""Labels that the sample configuration gives to what is scraped."""


def name_of(path: Path) -> str:
    return path.stem


def rules_of(path: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


RULE_LIST = [rule for path in RULES for rule in rules_of(path)]
ALERTS = [rule for rule in RULE_LIST if "alert" in rule]
RECORDS = {rule["record"]: rule for rule in RULE_LIST if "record" in rule}


def run(*command: str | Path) -> str:
    """What a tool says; it fails with that where the tool does."""
    quiet = {**os.environ, "TZ": "UTC"}
    ran = subprocess.run(
        command, env=quiet, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


# --- the tools' own word ---


@with_tools
def test_rules_are_sound() -> None:
    """Prometheus can read all of them."""
    run("promtool", "check", "rules", *RULES)


@with_tools
@pytest.mark.parametrize("cases", CASES, ids=name_of)
def test_rules_do_what_their_cases_say(cases: Path) -> None:
    """Alarms fire and stay quiet, and sums come out, as the cases for promtool tell."""
    run("promtool", "test", "rules", cases)


@with_tools
def test_the_sample_for_prometheus_is_sound() -> None:
    """Prometheus takes it, and finds every file of rules by it."""
    said = run("promtool", "check", "config", SAMPLES / "prometheus.yml")
    assert all(f"{path}\n" in said for path in RULES)


@with_tools
def test_the_sample_of_an_advertiser_is_sound(tmp_path: Path) -> None:
    """Prometheus takes it once the file with the token is there."""
    config = tmp_path / "prometheus.yml"
    config.write_text((SAMPLES / "prometheus-advertiser.yml").read_text())
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/gateway.token").write_text("tsn_0123456789")
    run("promtool", "check", "config", config)


@with_tools
def test_the_sample_for_alertmanager_is_sound() -> None:
    """Alertmanager takes it."""
    run("amtool", "check-config", SAMPLES / "alertmanager.yml")


# --- every rule has its cases ---


TESTED = [test for path in CASES for test in yaml.safe_load(path.read_text())["tests"]]


def test_every_alarm_has_a_case_that_fires_and_one_that_does_not() -> None:
    """Each of its severities is told of in some case, and at some moment none is."""
    fires, quiet = set(), set()
    for case in chain.from_iterable(test.get("alert_rule_test", ()) for test in TESTED):
        fires |= {
            (case["alertname"], alert["exp_labels"]["severity"]) for alert in case["exp_alerts"]
        }
        if not case["exp_alerts"]:
            quiet.add(case["alertname"])
    assert fires == {(rule["alert"], rule["labels"]["severity"]) for rule in ALERTS}
    assert quiet == {rule["alert"] for rule in ALERTS}


def test_every_recording_rule_has_a_case() -> None:
    """What each writes down is compared with figures worked out by hand."""
    shown = {
        case["expr"]
        for test in TESTED
        for case in test.get("promql_expr_test", ())
        if case["exp_samples"]
    }
    assert RECORDS.keys() <= shown


def test_what_is_written_down_is_read() -> None:
    """Each sum is on a dashboard, or another rule asks for it."""
    asked = [rule["expr"] for rule in RULE_LIST] + [each.expr for each in queries()]
    read = set(re.findall(r"\bjob[a-z_]*:[a-z0-9_:]+", "\n".join(asked)))
    assert read == RECORDS.keys()


_AMOUNT = re.compile(
    r"sum by \([^)]*\) \(irate\(last_over_time\([^()]+\[10m\]\)\[10m:5m\] offset 1m\)\) \* 300"
)


def test_amounts_of_five_minutes_come_every_five_minutes() -> None:
    """Samples can be added up: each ends where the next begins, the group's interval later, and
    after all scrapes that began before its end.
    """
    scraped = yaml.safe_load((SAMPLES / "prometheus.yml").read_text())["scrape_configs"]
    [job] = [job for job in scraped if job["job_name"] == "gateway-advertisers"]
    assert (job["scrape_interval"], job["scrape_timeout"]) == ("60s", "40s")
    groups = yaml.safe_load((SAMPLES / "rules/recording.yml").read_text())["groups"]
    [group] = [group for group in groups if group["interval"] == "5m"]
    for rule in group["rules"]:
        assert rule["record"].endswith(":increase5m")
        assert _AMOUNT.fullmatch(rule["expr"]), rule


# --- what the rules ask for is there ---

_METRIC = {metric.full_name: metric for metric in METRICS}
_SELECTOR = re.compile(
    r"(?P<name>\b(?:gateway|process|job)_[a-z0-9_:]+|\bup\b)(?:\{(?P<matchers>[^}]*)\})?"
)
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_GROUPED = re.compile(r"\b(?:by|on) \(([^)]*)\)")


def labels_of(name: str) -> tuple[set[str], Metric | None]:
    """The labels that series of ``name`` have, and the metric, where it is one of the table."""
    if name == "up":
        return _OF_PROMETHEUS, None
    if name in RECORDS:
        return {*RECORDS[name]["record"].partition(":")[0].split("_")}, None
    metric = _METRIC.get(name) or _METRIC[name.removesuffix("_bucket")]
    assert name.endswith("_bucket") == (metric.kind == "histogram"), name
    return _OF_PROMETHEUS | set(metric.labels) | ({"le"} if metric.buckets else set()), metric


def matched(operator: str, pattern: str, values: tuple[str, ...]) -> set[str]:
    """Which of ``values`` a matcher's pattern is about."""
    if operator in ("=", "!="):
        return {value for value in values if value == pattern}
    return {value for value in values if re.fullmatch(pattern, value)}


def test_rules_ask_for_series_that_exist() -> None:
    """Each metric, label and value in them is one of the table's, and so is what they group by."""
    for rule in RULE_LIST:
        known: set[str] = set()
        for found in _SELECTOR.finditer(_GROUPED.sub("", rule["expr"])):
            labels, metric = labels_of(found["name"])
            known |= labels
            for label, operator, pattern in _MATCHER.findall(found["matchers"] or ""):
                assert label in labels, label
                values = metric.labels[label] if metric and label in metric.labels else ()
                for piece in pattern.split("|") if values else ():
                    assert matched(operator, piece, values), piece
        assert known, rule
        for grouped in _GROUPED.findall(rule["expr"]):
            assert set(grouped.split(", ")) <= known, rule


def test_an_alarm_speaks_of_labels_that_it_has() -> None:
    """What its words show is grouped by, or left alone, in what it asks for."""
    for rule in ALERTS:
        shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        grouped = [set(labels.split(", ")) for labels in _GROUPED.findall(rule["expr"])]
        names = [labels_of(found["name"])[0] for found in _SELECTOR.finditer(rule["expr"])]
        assert shown <= set.union(*(grouped or names)), rule["alert"]


def test_the_outbox_is_given_a_day_where_sends_may_be_halted() -> None:
    """The alarm tells of every kind, a reply by an alarm of its own, and knows what is halted."""
    [rule] = [rule for rule in ALERTS if rule["alert"] == "OutboxOld"]
    soon, late = re.findall(r'kind(!~|=~)"([^"]+)"\}\) > (\d+)', rule["expr"])
    assert (soon[0], late[0]) == ("!~", "=~")
    kinds: tuple[str, ...] = get_args(Kind)
    assert matched("=~", late[1], kinds) == set(HALTED)
    assert matched("=~", soon[1], kinds) == {*HALTED, "line.reply"}
    assert int(soon[2]) < 86_400 < int(late[2])


# --- what people read ---


def test_every_alarm_says_what_it_means_in_two_languages() -> None:
    """Each has a severity, a summary in English and in Japanese, and its page."""
    for rule in ALERTS:
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        told = rule["annotations"]
        assert told.keys() == {"summary", "summary_ja", "runbook"}
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", told["summary_ja"]), rule["alert"]
        assert told["summary"].isascii()
        assert told["runbook"] == f"docs/operate.md#{rule['alert'].lower()}"
        values = [set(re.findall(r"\{\{.*?\}\}", told[key])) for key in ("summary", "summary_ja")]
        assert len(values[0]) == len(values[1]), rule["alert"]


def test_every_alarm_has_its_page() -> None:
    """Every alarm stands on its page once, under its own heading, with what to do."""
    alarms = OPERATE.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    pages = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", alarms, re.MULTILINE | re.DOTALL))
    assert list(pages) == list(dict.fromkeys(rule["alert"] for rule in ALERTS))
    for alert, text in pages.items():
        assert text.startswith("\n**Means**: "), alert
        assert re.search(r"^\*\*Do\*\*|\| do \|$", text, re.MULTILINE), alert


def test_an_alarm_of_two_severities_has_one_name() -> None:
    """Rules of one name differ in severity alone, so that the worse one hides the other."""
    by_name = defaultdict(list)
    for rule in ALERTS:
        by_name[rule["alert"]].append(rule)
    for rules in by_name.values():
        severities = [rule["labels"]["severity"] for rule in rules]
        assert severities in (["critical"], ["warning"], ["warning", "critical"])
        assert all(rule["annotations"] == rules[0]["annotations"] for rule in rules)
