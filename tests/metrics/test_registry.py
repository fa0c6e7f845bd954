import re
from pathlib import Path

from metrics.registry import BY_NAME, METRICS, page

ROOT = Path(__file__).parents[2]


def test_the_page_of_metrics_is_the_table() -> None:
    """docs/metrics.md is what the table makes; `python -m metrics.registry` writes it anew."""
    assert (ROOT / "docs/metrics.md").read_text() == page()
    assert all(f"`{metric.full_name}`" in page() for metric in METRICS)


def test_names_follow_prometheus_conventions() -> None:
    """Counters end in _total, times are seconds, and only histograms have bounds, rising."""
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert (metric.unit == "seconds") == bool(re.search(r"(?<!stamp)_seconds", metric.name))
        assert bool(metric.buckets) == (metric.kind == "histogram")
        assert list(metric.buckets) == sorted(set(metric.buckets))


def test_an_advertiser_has_counters_with_closed_labels_only() -> None:
    """Series of an advertiser are a fixed row, so that ten thousand of them stay cheap."""
    for metric in METRICS:
        assert (metric.scope == "advertiser") == ("advertiser" in metric.labels)
        if metric.scope == "advertiser":
            assert metric.kind == "counter"
            assert all(values for label, values in metric.labels.items() if label != "advertiser")


def test_alarms_ask_for_metrics_that_exist() -> None:
    """Every metric and every label value in the alert rules is one of the table's."""
    rules = (ROOT / "metrics/rules/alerts.yml").read_text()
    names = set(re.findall(r"gateway_[a-z_]+", rules))
    assert names
    assert names <= {metric.full_name for metric in METRICS}
    alerts = re.findall(r"- alert: (\w+)", rules)
    runbooks = re.findall(r"runbook: docs/operate\.md#(\w+)", rules)
    assert runbooks == [alert.lower() for alert in alerts]
    assert len(set(alerts)) == len(alerts)
