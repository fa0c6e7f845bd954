"""Segments: which recipients conditions let through."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.mail.campaigns import Condition
from gateway.domain.mail.profiles import TAG_RULE, checked_tags
from gateway.domain.mail.segments import matches, normalised, problem_of

OPS: tuple[Any, ...] = get_args(Condition.__annotations__["op"])
WHO = {"name": "田中", "pref": "東京都", "points": "120", "joined": "2026-04-01"}
TAGS = frozenset({"vip", "tokyo"})


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition("tag", "has", "vip"), True),
        (Condition("tag", "is", "vip"), True),
        (Condition("tag", "has", "staff"), False),
        (Condition("tag", "has_not", "vip"), False),
        (Condition("tag", "is_not", "staff"), True),
        (Condition("pref", "is", "東京都"), True),
        (Condition("pref", "is_not", "東京都"), False),
        (Condition("pref", "contains", "京"), True),
        (Condition("rank", "is_not", "gold"), True),
        (Condition("rank", "has"), False),
        (Condition("rank", "has_not"), True),
        (Condition("name", "has"), True),
        (Condition("points", "above", "99"), True),
        (Condition("points", "below", "99"), False),
        (Condition("points", "above", "119.5"), True),
        (Condition("joined", "below", "2026-10-01"), True),
        (Condition("joined", "above", "2026-10-01"), False),
        (Condition("name", "above", "1"), False),
        (Condition("name", "below", "1"), False),
        (Condition("joined", "above", "1"), False),
        (Condition("rank", "below", "5"), False),
    ],
)
def test_a_condition_holds_of_a_recipient_or_not(condition: Condition, holds: bool) -> None:
    """Texts are compared as texts, numbers as numbers, days as days; nothing else has an order."""
    assert matches((condition,), WHO, TAGS) is holds


def test_all_conditions_must_hold() -> None:
    """Without any, everybody is meant."""
    assert matches((), {}, ())
    assert matches((Condition("tag", "has", "vip"), Condition("name", "has")), WHO, TAGS)
    assert not matches((Condition("tag", "has", "vip"), Condition("rank", "has")), WHO, TAGS)


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        (Condition("tag", "has", "vip"), ""),
        (Condition("tag", "above", "vip"), "tags know only is, is_not, has and has_not"),
        (Condition("tag", "has", "新商品"), ""),
        (Condition("tag", "has", "V I P"), TAG_RULE),
        (Condition("tag", "has", ""), TAG_RULE),
        (Condition("rank", "has"), "the list has no such attribute"),
        (Condition("name", "has", "x"), "has and has_not take no value"),
        (
            Condition("points", "below", "many"),
            "below and above take a number, or a day like 2026-11-01",
        ),
        (Condition("points", "below", "100"), ""),
        (Condition("name", "is"), "it needs a value"),
    ],
)
def test_what_makes_no_sense_is_told(condition: Condition, problem: str) -> None:
    """A condition that no recipient could ever meet is a mistake."""
    assert problem_of(condition, WHO) == problem


@given(
    st.text(st.sampled_from("aZ9０Ａｶﾞカー々・-_新品ǅßŉ"), min_size=1, max_size=12)
    | st.text(min_size=1, max_size=12)
)
def test_a_condition_finds_whoever_has_its_tag_however_it_is_written(tag: str) -> None:
    """What a recipient has and what a condition asks for are folded in one way, and once."""
    condition = Condition("tag", "has", tag)
    if problem_of(condition, ()):
        return
    kept = checked_tags([tag])
    assert checked_tags(kept) == kept
    assert matches((normalised(condition),), {}, kept)


@given(
    field=st.sampled_from(["tag", "name", "points"]),
    op=st.sampled_from(OPS),
    value=st.text(max_size=10) | st.sampled_from(["1", "-2.5", "2026-01-01", "vip"]),
    given=st.text(max_size=10) | st.sampled_from(["1", "3", "2026-01-01"]),
)
def test_opposites_never_hold_together(field: str, op: Any, value: str, given: str) -> None:
    """What is, is not what is not; what is above is not below."""
    pairs = {"is": "is_not", "has": "has_not", "above": "below"}
    attributes = {"name": given, "points": given}
    for one, other in pairs.items():
        if op == one and not (field == "tag" and op == "above"):
            yes = matches((Condition(field, one, value),), attributes, {value})  # type: ignore[arg-type]
            no = matches((Condition(field, other, value),), attributes, {value})  # type: ignore[arg-type]
            assert not (yes and no)
            if op != "above":
                assert yes != no
