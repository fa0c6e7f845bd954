"""People have a conversation until it is given back, or until a silence, in any order."""

from collections.abc import Sequence
from random import Random
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.line.talks import Talk, read_talk, written_talk
from gateway.domain.values import SECOND

SILENCE = 30 * 60 * SECOND
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND

Mark = tuple[Literal["word", "call", "end"], int]


def told(marks: Sequence[Mark]) -> Talk:
    """What is known once all ``marks`` were told, in their order."""
    talk = Talk()
    for kind, at in marks:
        if kind == "end":
            talk = talk.ended(at)
            continue
        talk = talk.said(at, SILENCE)
        if kind == "call":
            talk = talk.called(at)
    return talk


def truth(marks: Sequence[Mark], at: int) -> bool:
    """Whether people answer at an instant, by going through all there was."""
    staffed, latest = False, 0
    for kind, when in sorted(marks, key=lambda mark: (mark[1], mark[0] != "end")):
        if when > at:
            break
        if kind == "end":
            staffed = False
            continue
        staffed = (staffed and when - latest < SILENCE) or kind == "call"
        latest = when
    return staffed and at - latest < SILENCE


_marks = st.lists(
    st.tuples(
        st.sampled_from(["word", "word", "call", "end"]),
        st.integers(1, 36).map(lambda count: count * 10 * MINUTE),
    ),
    max_size=12,
)


@given(_marks, st.integers(0, 400), st.randoms())
def test_people_answer_when_they_would_in_order(
    marks: list[Mark], minute: int, dice: Random
) -> None:
    """Whatever is told late, or twice."""
    shuffled = [*marks, *marks[:3]]
    dice.shuffle(shuffled)
    talk = told(shuffled)
    at = minute * MINUTE
    assert bool(talk.staffed_until(at, SILENCE)) == truth(marks, at)
    assert read_talk(written_talk(talk)) == talk


@given(_marks, st.integers(0, 400))
def test_until_then_people_answer_and_then_no_more(marks: list[Mark], minute: int) -> None:
    """The instant at which the rules answer again is the first one at which they do."""
    talk = told(marks)
    until = talk.staffed_until(minute * MINUTE, SILENCE)
    if until:
        assert truth(marks, until - 1)
        assert not truth(marks, until) or any(mark == ("call", until) for mark in marks)


def test_what_is_old_is_forgotten() -> None:
    """A friend who writes for years fills no row; and whoever writes all day, few lines of it."""
    years = told([("word", day * DAY) for day in range(1, 1_000)])
    assert len(years.stretches) <= 2
    talkative = told([("call", count * 31 * MINUTE) for count in range(1, 40)])
    assert (len(talkative.stretches), len(talkative.calls)) == (16, 16)
    assert talkative.staffed_until(39 * 31 * MINUTE, SILENCE)
