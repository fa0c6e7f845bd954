import asyncio
from bisect import bisect_left
from collections import Counter
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.calls import Noted, Settled
from gateway.domain.values import SECOND
from gateway.errors import Refusal, Trouble
from gateway.ports import Answer, Observer, Request, Route
from metrics import observer as observing
from metrics.observer import Metrics
from metrics.registry import BY_NAME, STATUSES
from tests.support.metrics import NOW, advertisers, at, called, fresh, process

labels_of_any_text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
settlements = st.builds(
    Settled,
    advertiser=labels_of_any_text,
    result=st.sampled_from(BY_NAME["calls_total"].labels["result"]),
    ring_seconds=st.integers(0, 10_000),
    talk_seconds=st.integers(0, 10_000),
    outcome=st.sampled_from(BY_NAME["call_outcomes_total"].labels["outcome"]),
)
notes = st.builds(Noted, st.sampled_from(BY_NAME["call_notes_total"].labels["what"]))


@given(st.lists(settlements | notes, max_size=12))
def test_facts_are_shown_as_they_were_observed(facts: list[Settled | Noted]) -> None:
    """Prometheus's own parser reads exactly the sums of the facts, whatever an id looks like."""
    metrics = fresh()
    metrics.observe(facts)
    expected: Counter[tuple[str, frozenset[tuple[str, str]]]] = Counter()
    noted: Counter[str] = Counter()
    for fact in facts:
        if isinstance(fact, Noted):
            noted[fact.what] += 1
            continue
        who = fact.advertiser
        expected[at("calls_total", advertiser=who, result=fact.result)] += 1
        expected[at("call_outcomes_total", advertiser=who, outcome=fact.outcome)] += 1
        expected[at("call_ring_seconds_total", advertiser=who)] += fact.ring_seconds
        expected[at("call_talk_seconds_total", advertiser=who)] += fact.talk_seconds
    shown = advertisers(metrics)
    assert {key: value for key, value in shown.items() if value} == +expected
    assert expected.keys() <= shown.keys()
    read = process(metrics)
    for what in BY_NAME["call_notes_total"].labels["what"]:
        assert read[at("call_notes_total", what=what)] == noted[what]
    assert read[at("observer_faults_total")] == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["twilio", 'q"uo\\te\n']),
            st.sampled_from(["voice", "status"]),
            st.sampled_from([*STATUSES, 418]),
            st.sampled_from([0.0, 0.001, 0.0011, 2.0, 5.0, 5.1, 60.0]) | st.floats(0, 10),
        ),
        max_size=12,
    )
)
def test_webhooks_fill_their_histogram_and_counter(
    answered: list[tuple[str, str, int, float]],
) -> None:
    """Each answer is counted by status and lies in every bucket whose bound it does not exceed."""
    metrics = fresh()
    for provider, route, status, seconds in answered:
        metrics.webhook(provider, route, status, seconds)
    read = process(metrics)
    by_status = Counter((provider, route, status) for provider, route, status, _ in answered)
    for (provider, route, status), count in by_status.items():
        key = at("webhooks_total", provider=provider, route=route, status=str(status))
        assert read[key] == count
    bounds = (*BY_NAME["webhook_seconds"].buckets, float("inf"))
    for provider, route in {(provider, route) for provider, route, _, _ in answered}:
        times = [time for p, r, _, time in answered if (p, r) == (provider, route)]
        where = {"provider": provider, "route": route}
        assert read[at("webhook_seconds_sum", **where)] == pytest.approx(sum(times))
        assert read[at("webhook_seconds_count", **where)] == len(times)
        buckets = {
            float(dict(key)["le"]): value
            for (name, key), value in read.items()
            if name == "gateway_webhook_seconds_bucket" and where.items() <= dict(key).items()
        }
        inside = Counter(bisect_left(bounds, time) for time in times)
        cumulated = accumulate(inside[place] for place in range(len(bounds)))
        assert buckets == dict(zip(bounds, cumulated, strict=True))


def test_transactions_are_counted_with_their_size_and_time() -> None:
    """A commit moves both histograms and the time of the last commit, which is absent before."""
    metrics = fresh()
    assert at("store_last_commit_timestamp_seconds") not in process(metrics)
    metrics.batch(1, 0.25)
    metrics.batch(3, 0.5)
    read = process(metrics)
    assert read[at("store_last_commit_timestamp_seconds")] == NOW / SECOND
    assert read[at("store_commit_seconds_sum")] == 0.75
    assert read[at("store_batch_size_sum")] == 4
    assert read[at("store_batch_size_bucket", le="1.0")] == 1
    assert read[at("store_batch_size_bucket", le="4.0")] == 2


def test_refusals_and_spooled_events_are_counted_by_reason() -> None:
    """The reasons of errors.py are the values of the label."""
    metrics = fresh()
    metrics.refused("twilio", "voice", Refusal.SIGNATURE_WRONG)
    metrics.refused("twilio", "voice", "signature_wrong")
    metrics.spooled("twilio", "status", Trouble.STORE_DOWN)
    read = process(metrics)
    refusal = at("refusals_total", provider="twilio", route="voice", reason="signature_wrong")
    spooled = at("spool_events_total", provider="twilio", route="status", reason="store_down")
    assert read[refusal] == 2
    assert read[spooled] == 1


def test_expected_routes_stand_at_zero_before_their_first_request() -> None:
    """An alarm on the first failure needs a step from 0, not a series that begins at 1."""

    async def handler(request: Request) -> Answer:
        raise AssertionError(request)

    metrics = fresh()
    metrics.webhook("twilio", "voice", 200, 0.01)
    metrics.expect([Route("POST", "/twilio/voice", handler, "twilio", "voice")])
    read = process(metrics)
    where = {"provider": "twilio", "route": "voice"}
    assert read[at("webhooks_total", status="200", **where)] == 1
    assert read[at("webhooks_total", status="503", **where)] == 0
    assert all(read[at("refusals_total", reason=reason, **where)] == 0 for reason in Refusal)
    assert all(read[at("spool_events_total", reason=reason, **where)] == 0 for reason in Trouble)


def test_gauges_are_read_at_each_scrape() -> None:
    """A figure that is absent or cannot be read leaves the others alone; the fault is counted."""
    metrics = fresh()
    ready = [1.0]
    metrics.gauge("ready", lambda: ready[0])
    metrics.gauge("outbox_pending", lambda: {"mail": 3, "push": 0})
    metrics.gauge("spool_bytes", lambda: None)
    metrics.gauge("spool_oldest_seconds", lambda: 1 / 0)
    metrics.counter("spool_replayed_total", lambda: 5)
    read = process(metrics)
    assert read[at("ready")] == 1
    assert read[at("outbox_pending", kind="mail")] == 3
    assert read[at("outbox_pending", kind="push")] == 0
    assert read[at("spool_replayed_total")] == 5
    assert read[at("build_info", version="1.2.3")] == 1
    assert at("spool_bytes") not in read
    assert at("spool_oldest_seconds") not in read
    ready[0] = 0.0
    read = process(metrics)
    assert read[at("ready")] == 0
    assert read[at("observer_faults_total")] >= 1


def test_only_figures_of_the_table_can_be_shown() -> None:
    """A name outside the table, or of another kind, is a mistake found at the start."""
    metrics = fresh()
    with pytest.raises(KeyError):
        metrics.gauge("made_up", lambda: 1)
    with pytest.raises(ValueError, match="webhooks_total is no gauge"):
        metrics.gauge("webhooks_total", lambda: 1)
    with pytest.raises(ValueError, match="calls_total is no counter of the process"):
        metrics.counter("calls_total", lambda: 1)


def test_an_observer_never_raises() -> None:
    """What it cannot count is counted as its own fault, and the facts after it still count."""
    metrics = fresh()
    observer: Observer = metrics
    wrong = Settled("acme", "vanished", 1, 1, "pending")  # type: ignore[arg-type]
    observer.observe([wrong, None, called("acme")])  # type: ignore[list-item]
    observer.webhook([], "voice", 200, 0.1)  # type: ignore[arg-type]
    observer.refused("twilio", [], "x")  # type: ignore[arg-type]
    observer.spooled("twilio", "voice", [])  # type: ignore[arg-type]
    observer.batch(1, None)  # type: ignore[arg-type]
    assert process(metrics)[at("observer_faults_total")] == 6
    assert advertisers(metrics)[at("calls_total", advertiser="acme", result="answered")] == 1


def test_the_lag_of_the_loop_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is watched, a histogram holds how late timers woke."""
    monkeypatch.setattr(observing, "_LAG_INTERVAL", 0.001)
    metrics = fresh()

    async def watch() -> None:
        watching = asyncio.create_task(metrics.watch_loop())
        while not shown(metrics):  # noqa: ASYNC110 - nothing else tells of a sample
            await asyncio.sleep(0)
        watching.cancel()

    def shown(metrics: Metrics) -> int:
        [(buckets, _)] = metrics.snapshot()["loop_lag_seconds"].values()  # type: ignore[misc]  # it is a histogram
        return int(buckets[-1][1])

    asyncio.run(watch())
    assert process(metrics)[at("loop_lag_seconds_count")] >= 1
