"""Tags and filters of segments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.audience import (
    EVERYONE,
    TAG,
    ActiveWithin,
    AllOf,
    AnyOf,
    CameBy,
    Condition,
    FollowedBefore,
    FollowedSince,
    FollowedWithin,
    NoneOf,
    Person,
    Segment,
    Tagged,
    decode_filter,
    encode_filter,
    holds,
)
from gateway.domain.values import SECOND

DAY = 86_400 * SECOND
NOW = 20_000 * DAY
SHE = Person(NOW - 10 * DAY, NOW - 2 * DAY, "flyer", frozenset({"lunch", "vip"}))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (EVERYONE, True),
        (Tagged("vip"), True),
        (Tagged("dinner"), False),
        (FollowedSince(NOW - 10 * DAY), True),
        (FollowedSince(NOW - 10 * DAY + 1), False),
        (FollowedBefore(NOW - 10 * DAY), False),
        (FollowedBefore(NOW - 10 * DAY + 1), True),
        (FollowedWithin(10), True),
        (FollowedWithin(9), False),
        (ActiveWithin(2), True),
        (ActiveWithin(1), False),
        (CameBy("flyer"), True),
        (CameBy("poster"), False),
        (AllOf((Tagged("vip"), Tagged("lunch"))), True),
        (AllOf((Tagged("vip"), Tagged("dinner"))), False),
        (AnyOf((Tagged("dinner"), Tagged("lunch"))), True),
        (AnyOf((Tagged("dinner"), CameBy("poster"))), False),
        (NoneOf((Tagged("dinner"), CameBy("poster"))), True),
        (NoneOf((Tagged("dinner"), Tagged("vip"))), False),
        (AllOf((Tagged("vip"), NoneOf((ActiveWithin(1),)))), True),
    ],
)
def test_a_condition_holds_of_whom_it_says(condition: Condition, expected: bool) -> None:
    """Each kind of condition, at its edges and nested."""
    assert holds(condition, SHE, NOW) is expected


@given(st.booleans(), st.booleans())
def test_none_of_is_the_opposite_of_any_of(one: bool, other: bool) -> None:
    """De Morgan's law holds of filters."""
    parts = (Tagged("vip" if one else "x"), Tagged("lunch" if other else "y"))
    assert holds(NoneOf(parts), SHE, NOW) is not holds(AnyOf(parts), SHE, NOW)


def test_a_filter_is_kept_as_it_is() -> None:
    """What the store keeps is the same tree."""
    condition = AllOf((Tagged("vip"), AnyOf((FollowedWithin(3), NoneOf((CameBy("a"),))))))
    assert decode_filter(encode_filter(condition)) == condition
    segment = Segment("vips", "acme", "acme-shop", condition)
    assert (segment.key, segment.owner) == ("vips", "acme")


@pytest.mark.parametrize("tag", ["", "VIP", "a b", "é", "x" * 41, "a_b"])
def test_a_tag_is_short_and_plain(tag: str) -> None:
    """Tags stand in addresses, files and metrics of others."""
    assert TAG.fullmatch("lunch-2026")
    assert not TAG.fullmatch(tag)
