import ast
import re
from collections.abc import Iterator
from pathlib import Path

from metrics.page import page
from metrics.registry import BY_NAME, METRICS

ROOT = Path(__file__).parents[2]


def test_the_page_of_metrics_is_the_table() -> None:
    """docs/metrics.md is what the table makes; `make docs` writes it anew."""
    assert (ROOT / "docs/metrics.md").read_text() == page()
    assert all(f"`{metric.full_name}`" in page() for metric in METRICS)


def test_names_follow_prometheus_conventions() -> None:
    """Counters end in _total, times are seconds, and only histograms have bounds, rising."""
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        is_span = re.search(r"(?<!stamp)(?<!start_time)_seconds", metric.name)
        assert (metric.unit == "seconds") == bool(is_span)
        assert bool(metric.buckets) == (metric.kind == "histogram")
        assert list(metric.buckets) == sorted(set(metric.buckets))


def test_an_advertiser_has_series_with_closed_labels_only() -> None:
    """Series of an advertiser are a fixed row, so that ten thousand of them stay cheap."""
    for metric in METRICS:
        assert (metric.scope == "advertiser") == ("advertiser" in metric.labels)
        if metric.scope == "advertiser":
            assert metric.kind in ("counter", "gauge")
            assert all(values for label, values in metric.labels.items() if label != "advertiser")


def _counted() -> Iterator[tuple[str, int]]:
    """Every metric that code counts by a fact, with how many labels beside the advertiser."""
    for folder in ("adapters", "gateway"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            constants = {
                target.id: node.value.value
                for node in tree.body
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for node in ast.walk(tree):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                    continue
                if node.func.id == "Counted":
                    metric, labels = node.args[1:3]
                    name = getattr(metric, "value", None) or constants.get(ast.unparse(metric))
                    yield str(name), len(labels.elts) if isinstance(labels, ast.Tuple) else -1


def test_what_is_counted_is_in_the_table() -> None:
    """A fact of another metric, or with other labels, would be counted nowhere."""
    counted = list(_counted())
    assert "line_messages_total" in {name for name, _ in counted}
    for name, labels in counted:
        assert BY_NAME[name].scope == "advertiser"
        assert labels in (len(BY_NAME[name].labels) - 1, -1)
