"""The carrier's list of calls held against the store's, day by day."""

import random
import tracemalloc
from collections.abc import Sequence
from itertools import count
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.calls import Result
from gateway.domain.calls.reconciliation import Differences, Held, Listed, Reconciliation
from gateway.domain.values import SECOND

NUMBER, OTHER = "+815031000001", "+815031000009"
DAY = 86_400 * SECOND
MIDNIGHT = 20_000 * DAY
SINCE, UNTIL = MIDNIGHT - DAY, MIDNIGHT + DAY // 2
NOON = MIDNIGHT + DAY // 4

_ids = count(1)


def listed(sid: str = "CA1", at: int = NOON, **changed: Any) -> Listed:
    """The caller's side of a call of a minute."""
    given = {"ended_at": at + 60 * SECOND, "seconds": 55, "status": "completed", **changed}
    return Listed(
        **{
            "sid": sid,
            "parent": "",
            "direction": "inbound",
            "number": NUMBER,
            "started_at": at,
            **given,
        }
    )


def leg(parent: str = "CA1", talk: int = 42, *, status: str = "completed") -> Listed:
    """One of its legs."""
    return listed(
        f"{parent}-{next(_ids)}",
        parent=parent,
        direction="outbound-dial",
        number="+81312345678",
        status=status,
        seconds=talk,
    )


def held(sid: str = "CA1", at: int = NOON, **changed: Any) -> Held:
    """The same call in the store."""
    given = {
        "ended_at": at + 60 * SECOND,
        "result": "answered",
        "talk_seconds": 42,
        "number": NUMBER,
        **changed,
    }
    return Held(id=next(_ids), sid=sid, received_at=at, **given)


def compared(theirs: Sequence[Listed], ours: Sequence[Held]) -> Differences:
    """What a comparison of one day tells."""
    both = Reconciliation({NUMBER}, SINCE, UNTIL)
    both.listed(theirs)
    both.held(ours)
    return both.differences()


AGREED = Differences([], [], [])


def test_calls_that_both_sides_tell_alike_are_no_difference() -> None:
    """A call that was answered for as long as its winning leg lasted agrees."""
    canceled = leg(status="canceled", talk=0)
    assert compared([listed(), leg(), canceled], [held()]) == AGREED


def test_a_call_that_the_store_lacks_is_missing_here() -> None:
    """The carrier lists a call to a tracked number that never reached us."""
    assert compared([listed(), leg()], []) == Differences(["CA1"], [], [])


def test_a_call_that_the_carrier_lacks_is_missing_there() -> None:
    """The store holds a call that the carrier does not list."""
    assert compared([], [held()]) == Differences([], ["CA1"], [])


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        pytest.param([listed(), leg(talk=43)], held(), id="a second longer"),
        pytest.param([listed(), leg()], held(talk_seconds=None), id="a talk of no known length"),
        pytest.param([listed(), leg()], held(result="no_answer", talk_seconds=0), id="unheard of"),
        pytest.param([listed(), leg()], held(result=None, ended_at=None), id="not ended here"),
        pytest.param([listed(status="no-answer")], held(), id="nobody talked there"),
    ],
)
def test_a_call_of_another_length_or_kind_is_different(theirs: list[Listed], ours: Held) -> None:
    """Talk is compared to the second, and so is whether there was any."""
    assert compared(theirs, [ours]) == Differences([], [], ["CA1"])


@pytest.mark.parametrize("result", ["busy", "no_answer", "failed", "canceled", "abandoned"])
def test_a_leg_that_the_caller_was_not_connected_with_is_no_talk(result: Result) -> None:
    """Somebody picked up, and the caller was gone: the carrier's caller side was never answered."""
    theirs = [listed(status="no-answer", seconds=0), leg(talk=3)]
    assert compared(theirs, [held(result=result, talk_seconds=0)]) == AGREED


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(listed(number=OTHER), id="to a number that is not tracked"),
        pytest.param(listed(direction="outbound-api"), id="that was not a caller's"),
        pytest.param(listed(at=SINCE - 1), id="of the day before"),
        pytest.param(listed(ended_at=UNTIL + 1), id="that ended just now"),
        pytest.param(listed(ended_at=None, status="in-progress"), id="that goes on"),
        pytest.param(leg("CA7"), id="of another call's leg"),
    ],
)
def test_calls_that_are_none_of_ours_or_too_late_are_not_missing(call: Listed) -> None:
    """A call is not missed here which nobody expects here, or not yet."""
    assert compared([call], []) == AGREED


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(held(number=OTHER), id="to a number that is tracked no more"),
        pytest.param(held(at=SINCE - 1), id="of the day before"),
        pytest.param(held(ended_at=UNTIL + 1), id="that ended just now"),
        pytest.param(held(ended_at=None, result=None), id="that goes on"),
    ],
)
def test_calls_that_the_carrier_need_not_list_yet_are_not_missing(call: Held) -> None:
    """The same from the other side."""
    assert compared([], [call]) == AGREED


def test_a_call_that_goes_on_there_is_not_compared_yet() -> None:
    """Only what has ended for the carrier, and not just now, is held against the store."""
    going = listed(ended_at=None, status="in-progress", seconds=0)
    assert compared([going], [held(talk_seconds=7)]) == AGREED
    assert compared([listed(ended_at=UNTIL + 1)], [held(talk_seconds=7)]) == AGREED


def test_a_call_over_midnight_finds_its_legs_and_its_partner() -> None:
    """A call begins before midnight; its leg rings, and its webhook comes, on the next day."""
    both = Reconciliation({NUMBER}, SINCE, UNTIL)
    both.listed([leg()])
    both.held([held(at=MIDNIGHT + SECOND)])
    both.day_over()
    both.listed([listed(at=MIDNIGHT - SECOND)])
    both.held([])
    both.day_over()
    assert both.differences() == AGREED


def kept(legs: int, *, parents: bool) -> int:
    """How many bytes two days leave behind of so many legs of others' calls."""
    both = Reconciliation({NUMBER}, SINCE, UNTIL)
    tracemalloc.start()
    try:
        for place in range(legs):
            both.listed([leg(f"CB{place}")])
            if parents:
                both.listed([listed(f"CB{place}", direction="outbound-api")])
        if not parents:
            for _ in range(2):
                both.held([])
                both.day_over()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("parents", [True, False])
def test_legs_of_others_calls_are_not_kept(parents: bool) -> None:
    """They go with their calls, on the same page; and where those are never listed, in a day."""
    # Without that it would be 130 bytes of each; Python itself keeps up to 2,000 tuples.
    assert kept(20_000, parents=parents) < 200_000


Fate = Literal["same", "missing_here", "missing_there", "different"]


class Told(msgspec.Struct, frozen=True):
    """One call as both sides tell it, and how they differ in it."""

    fate: Fate
    began: int
    late: int
    rang: int
    talk: int
    answered: bool

    def listed(self, sid: str) -> list[Listed]:
        status = "completed" if self.answered else "no-answer"
        other = msgspec.structs.replace(leg(sid, 0, status="canceled"), started_at=self.began)
        legs = [other]
        if self.answered:
            ring = self.began + self.rang * SECOND
            legs.append(msgspec.structs.replace(leg(sid, self.talk), started_at=ring))
        return [listed(sid, self.began, status=status), *legs]

    def held(self, sid: str) -> list[Held]:
        talk = self.talk if self.answered else 0
        result = "answered" if self.answered else "no_answer"
        if self.fate == "different":
            result, talk = ("answered", talk + 1)
        return [held(sid, self.began + self.late, result=result, talk_seconds=talk)]


fates = st.sampled_from(["same", "same", "missing_here", "missing_there", "different"])
told = st.builds(
    Told,
    fate=fates,
    # By far most fall on a midnight, where it is hard.
    began=st.one_of(
        st.integers(-90, 90).map(lambda second: MIDNIGHT + second * SECOND),
        st.integers(SINCE + 60 * SECOND, UNTIL - 120 * SECOND),
    ),
    late=st.integers(-2 * SECOND, 30 * SECOND),
    rang=st.integers(0, 30),
    talk=st.integers(1, 600),
    answered=st.booleans(),
)


@given(st.lists(told, max_size=12), st.randoms(use_true_random=False))
def test_each_difference_is_found_whatever_falls_on_which_day(
    calls: list[Told], dice: random.Random
) -> None:
    """Told in days, in any order within a day, the differences are those that were made."""
    theirs: list[Listed] = []
    ours: list[Held] = []
    expected: dict[str, set[str]] = {
        fate: set() for fate in ("missing_here", "missing_there", "different")
    }
    for place, call in enumerate(calls):
        sid = f"CA{place}"
        if call.fate != "same":
            expected[call.fate].add(sid)
        if call.fate != "missing_there":
            theirs += call.listed(sid)
        if call.fate != "missing_here":
            ours += call.held(sid)
    dice.shuffle(theirs)
    dice.shuffle(ours)
    both = Reconciliation({NUMBER}, SINCE, UNTIL)
    for day in (MIDNIGHT + DAY, MIDNIGHT, MIDNIGHT - DAY, MIDNIGHT - 2 * DAY):
        both.listed([call for call in theirs if day <= call.started_at < day + DAY])
        both.held([call for call in ours if day <= call.received_at < day + DAY])
        both.day_over()
    found = both.differences()
    assert {
        "missing_here": set(found.missing_here),
        "missing_there": set(found.missing_there),
        "different": set(found.different),
    } == expected
    assert len(found.missing_here) + len(found.missing_there) + len(found.different) == sum(
        map(len, expected.values())
    )
