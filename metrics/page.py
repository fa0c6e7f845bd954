"""The page of all metrics, ``docs/metrics.md``."""

from metrics.advertisers import series_of
from metrics.metric import Metric
from metrics.registry import METRICS


def page() -> str:
    """The page of all metrics, ``docs/metrics.md``, as Markdown."""
    of_one = sum(len(series_of(metric)) for metric in METRICS if metric.scope == "advertiser")
    lines = [_INTRODUCTION.format(series=of_one)]
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

Made from the table in `metrics/registry.py` by `make docs`. [operate.md](operate.md#metrics) says
how to scrape them, and what each alarm means.

**Counters** start at 0 with the process and move only after what they count is on disk. Each
process counts what it did itself: scrape every one and add up. A call is counted once, when it is
settled, however often its events are told. What a process counted between its last scrape and a
crash is in the store, and in no counter.

**Gauges of the store**, such as `gateway_calls_in_progress`, are read alike by every process: take
the greatest, do not add up.

**Series stand at 0** from a process's start, and from an advertiser's first day, because a rate
does not see a step from nothing to 1. So labels have closed sets of values, below, and each
advertiser has {series} series.

**Forms**: OpenMetrics 1.0.0 where the scraper names it in `Accept`, else Prometheus's text format
0.0.4; packed with gzip where `Accept-Encoding` names it.

`/metrics/advertisers?shard=i/n` gives one of n parts, for installations with many advertisers.
An advertiser's part is the CRC-32 of its id modulo n; number the parts 0 to n-1, or 1 to n (part
n is part 0). Anything else is answered 400. Of more advertisers than `[metrics] max_advertisers`
the first by id are shown, and `gateway_advertisers_left_out_total` counts the others.

`GET /api/v1/metrics` on the admin listener shows the same of a token's advertisers alone.
"""
