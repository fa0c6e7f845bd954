"""The page of all metrics, ``docs/metrics.md``."""

from metrics.metric import Metric
from metrics.registry import METRICS


def page() -> str:
    """The page of all metrics, ``docs/metrics.md``, as Markdown."""
    lines = [_INTRODUCTION]
    for scope, title in _TITLES.items():
        lines += [
            f"## {title}",
            "",
            "| metric | kind | labels | unit | meaning |",
            "|" + "---|" * 5,
        ]
        lines += [_row(metric) for metric in METRICS if metric.scope == scope]
        lines.append("")
    lines += ["## Values of labels", "", "| metric | label | values |", "|---|---|---|"]
    lines += [
        f"| `{metric.full_name}` | `{label}` | {' '.join(f'`{value}`' for value in values)} |"
        for metric in METRICS
        for label, values in metric.labels.items()
        if values
    ]
    lines += ["", "## Bounds of histograms", "", "| metric | bounds |", "|---|---|"]
    lines += [
        f"| `{metric.full_name}` | {' '.join(f'{bound:g}' for bound in metric.buckets)} |"
        for metric in METRICS
        if metric.buckets
    ]
    return "\n".join(lines) + "\n"


def _row(metric: Metric) -> str:
    labels = " ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.full_name}` | {metric.kind} | {labels} | {metric.unit} | {metric.help} |"


_TITLES = {
    "process": "Of the process: `GET /metrics`",
    "advertiser": "Of each advertiser: `GET /metrics/advertisers`",
}

_INTRODUCTION = """\
# Metrics

Made from the table in `metrics/registry.py` by `make docs`.

Both pages are on the metrics listener, in Prometheus's text format. Counters start at 0 with the
process and move only after what they count is on disk: scrape every process and add up. A call
is counted once, when it is settled, however often its events are told.

`/metrics/advertisers?shard=i/n` gives one of n parts, for installations with many advertisers.
An advertiser's part is the CRC-32 of its id modulo n; number the parts 0 to n-1, or 1 to n (part
n is part 0). Anything else is answered 400.
"""
