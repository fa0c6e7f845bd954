"""Roles, tokens, and how far down the tree they reach."""

from typing import get_args

import pytest

from gateway.domain.access import MANAGERS, OPERATORS, READERS, STAFF, Access, Role, reach
from gateway.domain.tenancy import Advertiser

TREE = [
    Advertiser("agency", "Agency", kind="agency"),
    Advertiser("media", "Media", kind="media", parent="agency"),
    Advertiser("shop", "Shop", parent="media"),
    Advertiser("cafe", "Café", parent="agency"),
    Advertiser("acme", "Acme"),
]


def access(role: Role = "viewer", **further: int | None) -> Access:
    return Access(id=1, role=role, name="", advertisers=(), created_at=0, **further)


@pytest.mark.parametrize(
    ("named", "reached"),
    [
        (["agency"], {"agency", "media", "shop", "cafe"}),
        (["media"], {"media", "shop"}),
        (["shop"], {"shop"}),
        (["cafe", "acme"], {"cafe", "acme"}),
        (["gone"], {"gone"}),
        ([], set()),
    ],
)
def test_a_token_reaches_whom_it_names_and_all_below(named: list[str], reached: set[str]) -> None:
    """Never above, nor beside; who was removed from the tree is still reached by name."""
    assert reach(named, TREE) == reached


def test_a_ring_in_the_tree_is_gone_round_once() -> None:
    """Parties that stand below each other, by mistake, end no search."""
    ring = [Advertiser("a", "A", parent="b"), Advertiser("b", "B", parent="a")]
    assert reach(["a"], ring) == {"a", "b"}


def test_each_role_may_what_the_one_below_may() -> None:
    """The sets of roles grow, and the last one is all of them."""
    assert OPERATORS < MANAGERS < STAFF < READERS == set(get_args(Role))


def test_only_viewers_see_callers_masked() -> None:
    """Who answers people needs their numbers."""
    assert [role for role in get_args(Role) if not access(role).sees_callers] == ["viewer"]


def test_a_token_ends_when_it_is_revoked_or_its_time_is_over() -> None:
    """Without either it is valid for good."""
    assert access().is_valid(10**18)
    assert access(expires_at=10).is_valid(9)
    assert not access(expires_at=10).is_valid(10)
    assert not access(revoked_at=5).is_valid(4)
