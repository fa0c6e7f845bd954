"""Pushes and steps: quiet hours, days, and what is sent when."""

from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.hours import TOKYO
from gateway.domain.pushes import (
    MULTICAST,
    SINGLY,
    Closing,
    Everyone,
    Push,
    Step,
    StepRun,
    StepSeries,
    advanced,
    after_quiet,
    begun,
    closed,
    due,
    encode_audience,
    encode_messages,
    ended,
    latest_due,
    over,
)
from gateway.domain.values import SECOND, Counted, micros

DAY = 86_400 * SECOND
EVENING = 19 * 60


def at(text: str) -> int:
    """An instant by the clocks of Tokyo."""
    return micros(datetime.fromisoformat(text).replace(tzinfo=TOKYO))


SERIES = StepSeries(
    "welcome",
    "acme",
    "acme-shop",
    "follow",
    (Step(0, ()), Step(0, (), EVENING), Step(3, (), EVENING), Step(7, ())),
)


# --- quiet hours ---


@pytest.mark.parametrize(
    ("quiet", "wanted", "moved"),
    [
        ("21:00-09:00", "2026-11-03T20:59:59", "2026-11-03T20:59:59"),
        ("21:00-09:00", "2026-11-03T21:00:00", "2026-11-04T09:00:00"),
        ("21:00-09:00", "2026-11-03T23:59:59", "2026-11-04T09:00:00"),
        ("21:00-09:00", "2026-11-04T00:00:00", "2026-11-04T09:00:00"),
        ("21:00-09:00", "2026-11-04T08:59:59", "2026-11-04T09:00:00"),
        ("21:00-09:00", "2026-11-04T09:00:00", "2026-11-04T09:00:00"),
        ("21:00-09:00", "2026-12-31T23:00:00", "2027-01-01T09:00:00"),
        ("00:00-06:00", "2026-11-03T23:59:59", "2026-11-03T23:59:59"),
        ("00:00-06:00", "2026-11-04T00:00:00", "2026-11-04T06:00:00"),
        ("12:00-13:00", "2026-11-03T12:30:00", "2026-11-03T13:00:00"),
        ("22:00-00:00", "2026-11-03T23:00:00", "2026-11-04T00:00:00"),
        ("", "2026-11-03T23:00:00", "2026-11-03T23:00:00"),
        ("09:00-09:00", "2026-11-03T23:00:00", "2026-11-03T23:00:00"),
    ],
)
def test_what_falls_into_quiet_hours_is_moved_to_their_end(
    quiet: str, wanted: str, moved: str
) -> None:
    """By the clocks of Tokyo, over midnight and the year, on holidays as on other days."""
    assert after_quiet(quiet, at(wanted)) == at(moved)


@given(
    st.tuples(st.integers(0, 1439), st.integers(0, 1439)),
    st.integers(at("2026-01-01T00:00:00"), at("2027-12-31T00:00:00")),
)
def test_nothing_is_moved_by_more_than_a_day_or_into_quiet_hours(
    span: tuple[int, int], wanted: int
) -> None:
    """Whatever the span, what comes out is outside of it, and stays where it is."""
    start, end = ("{:02}:{:02}".format(*divmod(minutes, 60)) for minutes in span)
    moved = after_quiet(f"{start}-{end}", wanted)
    assert wanted <= moved < wanted + DAY
    assert after_quiet(f"{start}-{end}", moved) == moved


# --- steps ---


@pytest.mark.parametrize(
    ("began", "step", "expected"),
    [
        ("2026-11-03T12:00:00", 0, "2026-11-03T12:00:00"),
        ("2026-11-03T12:00:00", 1, "2026-11-03T19:00:00"),
        ("2026-11-03T19:00:00", 1, "2026-11-03T19:00:00"),
        ("2026-11-03T19:00:01", 1, "2026-11-04T19:00:00"),
        ("2026-11-03T23:59:59", 2, "2026-11-06T19:00:00"),
        ("2026-11-04T00:00:00", 2, "2026-11-07T19:00:00"),
        ("2026-11-03T12:00:00", 3, "2026-11-10T12:00:00"),
    ],
)
def test_a_step_is_due_on_its_day_in_tokyo(began: str, step: int, expected: str) -> None:
    """At its time of day, or at the one at which the series began."""
    assert due(SERIES, at(began), step) == at(expected)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.none() | st.integers(0, 1439)), min_size=1, max_size=6
    ),
    st.integers(0, 20_000 * DAY),
)
def test_steps_are_due_in_their_order_and_never_before_the_beginning(
    days: list[tuple[int, int | None]], began: int
) -> None:
    """However they are written, none overtakes the one before it."""
    series = StepSeries("s", "a", "c", "follow", tuple(Step(d, (), t) for d, t in days))
    dues = [due(series, began, step) for step in range(len(days))]
    assert dues == sorted(dues)
    assert dues[0] >= began


@given(
    st.integers(at("2026-01-01T00:00:00"), at("2026-12-31T00:00:00")),
    st.lists(st.integers(0, 12 * DAY), max_size=8),
)
def test_a_series_sends_each_step_at_most_once_and_in_order(began: int, looks: list[int]) -> None:
    """Whenever it is looked at, what is sent is due, and the sum of sent and skipped is right."""
    run = begun(SERIES, 7, began, None)
    assert run is not None
    sent: list[int] = []
    for look in sorted(looks):
        now = began + look
        if run.due_at is None or run.due_at > now:
            continue
        step = latest_due(SERIES, run, now)
        assert due(SERIES, began, step) <= now
        assert step + 1 == len(SERIES.steps) or due(SERIES, began, step + 1) > now
        sent.append(step)
        run = advanced(SERIES, run, step, now)
        assert run.sent + run.skipped == run.next_step
    assert sent == sorted(set(sent))
    assert (run.state == "done") is (run.due_at is None)


def test_a_series_begins_once_unless_it_may_again() -> None:
    """Not while it runs, and after its end only with again."""
    run = begun(SERIES, 7, 0, None)
    assert run is not None
    again = StepSeries("s", "a", "c", "follow", SERIES.steps, again=True)
    ended_run = over(run, "blocked", DAY)
    assert begun(SERIES, 7, DAY, run) is None
    assert begun(SERIES, 7, DAY, ended_run) is None
    assert begun(again, 7, DAY, run) is None
    anew = begun(again, 7, DAY, ended_run)
    assert anew is not None
    assert (anew.round, anew.next_step, anew.state) == (2, 0, "running")


# --- pushes ---


def push(**given: Any) -> Push:
    """A push that is being sent."""
    audience, said = encode_audience(Everyone()), encode_messages([{"type": "text", "text": "x"}])
    made = Push(1, "acme", "acme-shop", audience, said, 0, "token:1", 0, "sending", 0)
    return msgspec.structs.replace(made, **given)


def test_a_push_knows_its_batches() -> None:
    """As many as it takes; those one by one are smaller."""
    assert push().batches == 0
    assert push(recipients=MULTICAST).batches == 1
    assert push(recipients=MULTICAST + 1).batches == 2
    assert push(recipients=SINGLY + 1, singly=True).batches == 2
    assert push().whom == Everyone()
    assert push().said == ({"type": "text", "text": "x"},)


def test_a_push_that_is_over_is_counted_once() -> None:
    """It is looked at again only while a batch is open."""
    one, facts = ended(push(handed=2, closed=1), "cancelled", 5)
    assert facts == [Counted("acme", "line_pushes_total", ("cancelled",))]
    assert (one.due_at, one.ended_at) == (5, 5)
    again, facts = ended(closed(one, Closing(sent=3, unknown=1)), "cancelled", 9)
    assert facts == []
    assert (again.due_at, again.ended_at, again.sent, again.unknown) == (None, 5, 3, 1)


def test_a_run_and_a_series_say_whose_they_are() -> None:
    """A run carries its advertiser and channel, for the store."""
    run = begun(SERIES, 7, 0, None)
    assert isinstance(run, StepRun)
    assert (run.advertiser, run.channel) == ("acme", "acme-shop")
    assert (SERIES.key, SERIES.owner) == ("welcome", "acme")
