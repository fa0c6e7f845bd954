"""The pages of metrics, asked for without a listener and read by prometheus-client's parsers."""

import asyncio
import gzip
import math
from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict
from prometheus_client import parser as text
from prometheus_client.openmetrics import parser as openmetrics

from gateway.domain.calls import Settled
from gateway.domain.values import SECOND
from gateway.ports import Answer, Request
from metrics.exposition import TYPES, Exposition
from metrics.observer import Metrics
from metrics.registry import METRICS

NOW = 1_790_000_000 * SECOND
PATHS = ("/metrics", "/metrics/advertisers")
OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]

SERIES = sum(
    math.prod(len(values) for label, values in metric.labels.items() if label != "advertiser")
    for metric in METRICS
    if metric.scope == "advertiser"
)
"""Of one advertiser: each metric in each combination of its labels."""


def fresh(most: int | None = None) -> Metrics:
    return Metrics("1.2.3", lambda: NOW, most)


def request(path: str, query: str = "", headers: Mapping[str, str] | None = None) -> Request:
    return Request("GET", path, query, CIMultiDict(headers or {}), b"", NOW, "request-1")


def fetch(
    metrics: Metrics, path: str, query: str = "", headers: Mapping[str, str] | None = None
) -> Answer:
    """The answer, with the body that its pieces make."""

    async def ask() -> Answer:
        [handler] = [route.handler for route in Exposition(metrics).routes() if route.path == path]
        answer = await handler(request(path, query, headers))
        if answer.pieces is None:
            return answer
        pieces = [piece async for piece in answer.pieces]
        assert all(pieces), "an empty piece would end the answer"
        return Answer(b"".join(pieces), content_type=answer.content_type, headers=answer.headers)

    return asyncio.run(ask())


def parsed(answer: Answer) -> Series:
    """Every sample of a page; each is there once."""
    assert answer.status == 200
    body = answer.body
    if answer.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    readers: dict[str, Any] = {TYPES["text"]: text, TYPES["openmetrics"]: openmetrics}
    series: Series = {}
    for family in readers[answer.content_type].text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in series
            series[key] = sample.value
    return series


def process(metrics: Metrics) -> Series:
    return parsed(fetch(metrics, "/metrics"))


def advertisers(metrics: Metrics, query: str = "") -> Series:
    return parsed(fetch(metrics, "/metrics/advertisers", query))


def at(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return ("gateway_" + name, frozenset(labels.items()))


def called(advertiser: str) -> Settled:
    return Settled(advertiser, "answered", 7, 42, "accepted")
