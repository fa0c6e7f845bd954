import asyncio
import gzip
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import exposition
from prometheus_client import parser as text_parser
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.registry import Collector

from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route
from metrics.advertisers import SLICE_LINES, Advertisers, Format, series_of
from metrics.exposition import TYPES, Exposition
from metrics.process import render
from metrics.registry import METRICS
from tests.support.metrics import (
    OPENMETRICS,
    PATHS,
    SERIES,
    Series,
    advertisers,
    at,
    called,
    fetch,
    fresh,
    parsed,
    process,
    request,
)

OF_ADVERTISERS = [metric for metric in METRICS if metric.scope == "advertiser"]

labels_of_any_text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
figures = st.sampled_from([(m, 2**62) for m in OF_ADVERTISERS]) | st.tuples(
    st.sampled_from(OF_ADVERTISERS), st.integers(0, 10**6)
)


class Official(Collector):
    """The same figures as prometheus-client's families."""

    def __init__(self, held: dict[str, Counter[tuple[str, ...]]]) -> None:
        self._held = held

    def collect(self) -> Iterator[Family]:
        for metric in OF_ADVERTISERS:
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(
                metric.full_name, metric.help, labels=tuple(metric.labels), unit=metric.told_unit
            )
            for who, counts in sorted(self._held.items()):
                for series in series_of(metric):
                    family.add_metric((who, *series), counts[metric.name, *series])
            yield family


@given(
    st.lists(st.tuples(labels_of_any_text, figures, st.randoms(use_true_random=False)), max_size=12)
)
def test_a_page_is_what_the_official_package_writes(counted: list[Any]) -> None:
    """In both forms, sample by sample and line by line, whatever an id looks like."""
    ours = Advertisers()
    held: dict[str, Counter[tuple[str, ...]]] = {}
    for who, (metric, amount), luck in counted:
        series = luck.choice(series_of(metric))
        ours.put(who, amount, metric.name, *series)
        held.setdefault(who, Counter())[metric.name, *series] = amount
    official = Official(held)
    forms: list[tuple[Format, Any, Any]] = [
        ("text", exposition, text_parser),
        ("openmetrics", openmetrics, openmetrics_parser),
    ]
    for form, writer, reader in forms:
        page = b"".join(ours.render(form)).decode()
        theirs = writer.generate_latest(official).decode()
        read, expected = (list(reader.text_string_to_metric_families(t)) for t in (page, theirs))
        assert [f for f in read if f.samples] == [f for f in expected if f.samples]
        assert [(f.name, f.type, f.unit) for f in read] == [
            (f.name, f.type, f.unit) for f in expected
        ]


def test_an_advertiser_shows_every_series_from_its_first_day() -> None:
    """Ensured advertisers stand at 0, sorted, and ensuring them again changes nothing."""
    metrics = fresh()
    metrics.ensure(["zoo", "acme"])
    metrics.observe([called("acme")])
    metrics.ensure(["acme", "zoo", "mid"])
    shown = advertisers(metrics)
    assert shown[at("calls_total", advertiser="acme", result="answered")] == 1
    assert shown[at("calls_total", advertiser="zoo", result="answered")] == 0
    assert shown[at("call_talk_seconds_total", advertiser="mid")] == 0
    for who in ("acme", "mid", "zoo"):
        assert sum(("advertiser", who) in labels for _, labels in shown) == SERIES
    page = fetch(metrics, "/metrics/advertisers").body.decode()
    told = [line.split('"')[1] for line in page.splitlines() if "ring_seconds_total{" in line]
    assert told == ["acme", "mid", "zoo"]


@given(st.sets(labels_of_any_text, max_size=20), st.integers(1, 5), st.integers(0, 1))
def test_shards_part_the_advertisers(ids: set[str], parts: int, first: int) -> None:
    """The n parts, numbered from 0 or from 1, hold every series once; crc32 says which."""
    metrics = fresh()
    metrics.ensure(ids)
    shards = [advertisers(metrics, f"shard={part}/{parts}") for part in range(first, parts + first)]
    assert sum(map(len, shards)) == len(advertisers(metrics))
    united: Series = {}
    for part, shard in enumerate(shards, first):
        for _, labels in shard:
            assert crc32(dict(labels)["advertiser"].encode()) % parts == part % parts
        united |= shard
    assert united == advertisers(metrics)


@pytest.mark.parametrize(
    "query",
    [
        "shard=",
        "shard=1",
        "shard=3/2",
        "shard=-1/2",
        "shard=0/0",
        "shard=a/b",
        "shard=1/2/3",
        "shard=1/99999",
        "shard=0/2&shard=1/2",
        "shard=1/2%00",
        "shard=%D9%A1/2",
    ],
)
def test_an_absurd_shard_is_refused(query: str) -> None:
    """A wrong shard is the scraper's mistake: 400, never another part than was meant."""
    with pytest.raises(Refused) as caught:
        fetch(fresh(), "/metrics/advertisers", query)
    assert caught.value.reason is Refusal.ABSURD_VALUE


def test_many_advertisers_are_rendered_in_short_slices() -> None:
    """No slice is longer than its limit, and together they are one valid page."""
    metrics = fresh()
    metrics.ensure(f"adv-{number}" for number in range(1_200))
    slices = list(metrics.advertisers.render())
    assert max(piece.count(b"\n") for piece in slices) <= SLICE_LINES
    assert b"".join(slices) == fetch(metrics, "/metrics/advertisers").body
    assert len(advertisers(metrics)) == 1_200 * SERIES


def test_counters_may_move_while_they_are_rendered() -> None:
    """An advertiser that comes between two slices waits for the next page."""
    metrics = fresh()
    metrics.ensure(["acme"])
    page = metrics.advertisers.render()
    head = next(page)
    metrics.observe([called("new")])
    assert b'advertiser="new"' not in head + b"".join(page)
    assert at("call_talk_seconds_total", advertiser="new") in advertisers(metrics)


def test_every_metric_of_the_table_is_shown() -> None:
    """Both pages, in both forms, show the table's families, kinds and help, and no more."""
    metrics = fresh()
    metrics.ensure(["acme"])
    kinds = {metric.family: (metric.kind, metric.help) for metric in METRICS}
    for headers in ({}, OPENMETRICS):
        shown: dict[str, dict[str, str]] = {}
        for path in PATHS:
            page = fetch(metrics, path, headers=headers).body.decode()
            for line in page.splitlines():
                if line.startswith(("# TYPE ", "# HELP ")):
                    _, what, name, told = line.split(" ", 3)
                    family = name if headers else name.removesuffix("_total")
                    shown.setdefault(family, {})[what] = told
        assert {name: (told["TYPE"], told["HELP"]) for name, told in shown.items()} == kinds


def ours_of(series: Series) -> Series:
    """Without the process's own, which move from page to page."""
    return {key: value for key, value in series.items() if not key[0].startswith("process_")}


def test_both_forms_tell_the_same() -> None:
    """OpenMetrics differs in its heads alone, and ends with its mark."""
    metrics = fresh()
    metrics.observe([called("acme"), called("shop")])
    metrics.webhook("twilio", "voice", 200, 0.01)
    for path in PATHS:
        one, other = fetch(metrics, path), fetch(metrics, path, headers=OPENMETRICS)
        assert one.content_type == TYPES["text"]
        assert other.content_type == TYPES["openmetrics"]
        assert other.body.endswith(b"# EOF\n")
        assert ours_of(parsed(one)) == ours_of(parsed(other))
    told = re.findall(r"# UNIT gateway_(\w+) (\w+)", other.body.decode())
    assert ("call_talk_seconds", "seconds") in told


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "text"),
        ("*/*", "text"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text"),
        ("text/plain;version=0.0.4", "text"),
        ("application/json", "text"),
        ("application/openmetrics-text", "openmetrics"),
        # Prometheus 2 and 3
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "openmetrics",
        ),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;q=0.3",
            "openmetrics",
        ),
        ("text/plain;q=0.9,application/openmetrics-text;q=0.5", "text"),
        ("application/openmetrics-text;q=0", "text"),
        ("Application/OpenMetrics-Text; Q=1.0", "openmetrics"),
        (";;=,,;q=x,application/openmetrics-text;q=one", "openmetrics"),
        ("application/openmetrics-text;version=x;q=9", "openmetrics"),
    ],
)
def test_a_scraper_gets_the_form_it_asks_for(accept: str, form: Format) -> None:
    """By the weights of its Accept header; text, where it names neither form."""
    headers = {"Accept": accept} if accept else {}
    for path in PATHS:
        assert fetch(fresh(), path, headers=headers).content_type == TYPES[form]


def test_of_a_long_header_little_is_looked_at() -> None:
    """A megabyte of it would hold the loop for a second; what stands first counts."""
    headers = {"Accept": "application/openmetrics-text," + "a;q=1," * 100_000}
    began = time.thread_time()
    assert (
        fetch(fresh(), "/metrics/advertisers", headers=headers).content_type == TYPES["openmetrics"]
    )
    assert time.thread_time() - began < 0.1
    headers = {"Accept": "a;q=1," * 100_000 + "application/openmetrics-text"}
    assert fetch(fresh(), "/metrics", headers=headers).content_type == TYPES["text"]


def test_the_page_of_a_process_with_many_series_is_written_in_slices() -> None:
    """Thousands of series at once would hold the loop; the parts are one page all the same."""

    async def handler(request: Request) -> Answer:
        raise AssertionError(request)

    metrics = fresh()
    metrics.expect([Route("POST", f"/{n}", handler, "twilio", f"route-{n}") for n in range(20)])
    forms: list[tuple[Format, Any]] = [("text", text_parser), ("openmetrics", openmetrics_parser)]
    for form, reader in forms:
        slices = list(render(metrics.snapshot(), form))
        assert max(piece.count(b"\n") for piece in slices) <= 150
        families = list(reader.text_string_to_metric_families(b"".join(slices).decode()))
        names = [family.name for family in families]
        assert len(names) == len(set(names))
        [refusals] = [family for family in families if family.name == "gateway_refusals"]
        assert len(refusals.samples) == 20 * len(Refusal)


@pytest.mark.parametrize(
    ("accepts", "is_packed"),
    [("", False), ("gzip", True), ("br;q=1, GZIP;q=0.5", True), ("gzip;q=0", False), ("*", False)],
)
def test_a_page_is_packed_where_that_is_asked_for(accepts: str, is_packed: bool) -> None:
    """With gzip, whole, and the same page."""
    metrics = fresh()
    metrics.ensure(f"adv-{number}" for number in range(300))
    for path in PATHS:
        answer = fetch(metrics, path, headers={"Accept-Encoding": accepts} if accepts else {})
        assert answer.headers == ({"Content-Encoding": "gzip"} if is_packed else {})
        page = gzip.decompress(answer.body) if is_packed else answer.body
        plain = fetch(metrics, path).body
        assert page.count(b"\n") == plain.count(b"\n")
        assert page[:2000] == plain[:2000]


def test_a_page_shows_no_more_advertisers_than_it_may() -> None:
    """The first by id are shown, whoever came first; each scrape counts those it left out, and so
    do the scrapes of the parts together.
    """
    metrics = fresh(most=2)
    metrics.ensure(["zoo", "mid"])
    metrics.observe([called("acme"), called("late"), called("zoo")])
    shown = {dict(labels)["advertiser"] for _, labels in advertisers(metrics)}
    assert shown == {"acme", "late"}
    read = process(metrics)
    assert read[at("advertisers")] == 4
    assert read[at("advertisers_left_out_total")] == 2
    for part in range(3):
        advertisers(metrics, f"shard={part}/3")
    assert process(metrics)[at("advertisers_left_out_total")] == 4


def test_the_cap_counts_those_shown_to_whoever_asks() -> None:
    """An advertiser's own page has it, however late its id."""
    metrics = fresh(most=1)
    metrics.ensure(["acme", "zoo"])
    page = b"".join(metrics.advertisers.render(shows=lambda name: name == "zoo"))
    assert b'"zoo"' in page
    assert b'"acme"' not in page
    assert metrics.advertisers.left_out == 0


def test_scrapes_at_once_take_turns() -> None:
    """In one turn of the loop there is one slice, however many scrape: webhooks go between."""
    metrics = fresh()
    metrics.ensure(f"adv-{number}" for number in range(100))
    turn = 0
    slices: Counter[int] = Counter()
    render = metrics.advertisers.render

    def watched(*args: Any) -> Iterator[bytes]:
        for piece in render(*args):
            slices[turn] += 1
            yield piece

    metrics.advertisers.render = watched  # type: ignore[assignment]  # to see when it is asked

    async def count_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    async def scrape(pages: Exposition) -> int:
        answer = pages.advertisers(request("/metrics/advertisers"))
        assert answer.pieces
        return sum([len(piece) async for piece in answer.pieces])

    async def together() -> set[int]:
        counting, pages = asyncio.create_task(count_turns()), Exposition(metrics)
        sizes = await asyncio.gather(*(scrape(pages) for _ in range(3)))
        counting.cancel()
        return set(sizes)

    assert len(asyncio.run(together())) == 1
    assert slices.total() == 3 * (len(OF_ADVERTISERS) + sum(1 for _ in OF_ADVERTISERS))
    assert set(slices.values()) == {1}


def test_a_scraper_that_leaves_is_in_nobodys_way() -> None:
    """Its page is given up, and the next one scrapes as ever."""
    metrics = fresh()
    metrics.ensure(["acme"])

    async def scrape() -> bytes:
        pages = Exposition(metrics)
        for headers in ({}, {"Accept-Encoding": "gzip"}):
            left = pages.advertisers(request("/metrics/advertisers", headers=headers)).pieces
            assert left
            async with aclosing(left):
                await anext(left)
        pieces = pages.advertisers(request("/metrics/advertisers")).pieces
        assert pieces
        return b"".join([piece async for piece in pieces])

    assert asyncio.run(scrape()) == b"".join(metrics.advertisers.render())
