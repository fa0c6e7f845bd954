"""What the store keeps of tags, and whom it says a segment holds."""

from contextlib import closing
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.storage.audience import AudienceReader
from adapters.storage.database import reading
from gateway.domain.audience import (
    EVERYONE,
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
    Tagged,
    holds,
)
from gateway.domain.values import EVERYBODY, Scope
from gateway.ports.audience import TagCount, TagOf, Whose
from tests.support.audience import DAY, NOON, SHOP, Desk, friend
from tests.support.stores import Engine, dialect_of

NOBODY = Scope(frozenset({"other"}))
TAGS = ("lunch", "dinner", "vip")


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """A shop on each engine."""
    engine.provision(SHOP)
    return Desk(engine)


def instants() -> st.SearchStrategy[int]:
    """Instants around those that conditions ask for, and the edges themselves."""
    return st.integers(0, 4).flatmap(
        lambda days: st.sampled_from([-1, 0, 1]).map(lambda off: NOON - days * DAY + off)
    )


def conditions() -> st.SearchStrategy[Condition]:
    """Filters of every kind, nested."""
    leaves: st.SearchStrategy[Condition] = st.one_of(
        st.sampled_from(TAGS).map(Tagged),
        instants().map(FollowedSince),
        instants().map(FollowedBefore),
        st.integers(1, 4).map(FollowedWithin),
        st.integers(1, 4).map(ActiveWithin),
        st.sampled_from(["flyer", "poster"]).map(CameBy),
        st.just(EVERYONE),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda of: AllOf(tuple(of))),
            st.lists(inner, min_size=1, max_size=3).map(lambda of: AnyOf(tuple(of))),
            st.lists(inner, min_size=1, max_size=3).map(lambda of: NoneOf(tuple(of))),
        ),
        max_leaves=8,
    )


people = st.builds(
    Person,
    followed_at=instants(),
    last_at=instants(),
    entry=st.sampled_from(["", "flyer"]),
    tags=st.frozensets(st.sampled_from(TAGS)),
)


def test_a_segment_holds_the_same_friends_in_sql_as_in_python(desk: Desk) -> None:
    """Of any friends any filter lets through those that the pure evaluation does."""

    @settings(max_examples=settings().max_examples // 2)
    @given(st.lists(people, min_size=1, max_size=12), st.lists(conditions(), max_size=6))
    def check(population: list[Person], filters: list[Condition]) -> None:
        with closing(desk.engine.raw()) as raw:
            raw.execute("DELETE FROM line_friends")
            raw.execute("DELETE FROM friend_tags")
        for ordinal, each in enumerate(population, 1):
            desk.befriend(
                friend(
                    ordinal,
                    followed_at=each.followed_at,
                    last_at=each.last_at,
                    entry=each.entry,
                )
            )
            desk.tag([ordinal], *each.tags)
        with desk.transaction() as tx:
            for condition in filters:
                found = tx.audience.members(EVERYBODY, SHOP.id, condition, NOON, "", 100)
                assert list(found.friends) == [
                    ordinal
                    for ordinal, each in enumerate(population, 1)
                    if holds(condition, each, NOON)
                ]

    check()


def test_members_come_page_by_page_without_those_who_cannot_receive(desk: Desk) -> None:
    """Each page looks at so many friends, and blocked ones, strangers and groups are left out."""
    desk.befriend(
        friend(1),
        friend(2, unfollowed_at=NOON),
        friend(3, followed_at=0),
        friend(4, is_group=True),
        friend(5),
        friend(6, channel="other-shop"),
        friend(7, unfollowed_at=NOON - 40 * DAY),
    )
    found, after = [], ""
    with desk.transaction() as tx:
        while True:
            page = tx.audience.members(EVERYBODY, SHOP.id, EVERYONE, NOON, after, 2)
            found.append(page.friends)
            after = page.reached
            if not after:
                break
    assert found == [(1,), (), (5, 7), ()]


def test_who_can_receive_is_the_same_in_sql_as_in_python(desk: Desk) -> None:
    """Whatever the order of follow, unfollow and what they wrote."""
    people = [
        friend(ordinal, followed_at=came, unfollowed_at=went, heard_at=heard)
        for ordinal, (came, went, heard) in enumerate(product(range(4), repeat=3), 1)
    ]
    desk.befriend(*people)
    with desk.transaction() as tx:
        found = tx.audience.members(EVERYBODY, SHOP.id, EVERYONE, NOON, "", 100).friends
    assert list(found) == [each.id for each in people if each.can_receive]


def test_a_tag_is_given_and_taken_once(desk: Desk) -> None:
    """The second time nothing changes, and the first source stays."""
    desk.befriend(friend(1))
    with desk.transaction() as tx:
        assert tx.audience.tag(EVERYBODY, TagOf(1, "vip", "acme", SHOP.id, NOON, "rule"))
        assert not tx.audience.tag(EVERYBODY, TagOf(1, "vip", "acme", SHOP.id, NOON + 1, "link:a"))
        assert tx.audience.tags(EVERYBODY, 1) == {"vip"}
    reader = AudienceReader(dialect_of(desk.engine.name))
    with closing(desk.engine.database().reader()) as connection, reading(connection):
        assert reader.tags(connection, EVERYBODY, 1) == [
            TagOf(1, "vip", "acme", SHOP.id, NOON, "rule")
        ]
        assert reader.tags(connection, NOBODY, 1) == []
    with desk.transaction() as tx:
        assert tx.audience.untag(EVERYBODY, 1, "vip")
        assert not tx.audience.untag(EVERYBODY, 1, "vip")


def test_readers_count_within_the_scope(desk: Desk) -> None:
    """Sizes leave out who stopped pushes, and others' data is not there."""
    desk.befriend(*(friend(ordinal) for ordinal in range(1, 6)), friend(6, unfollowed_at=NOON))
    desk.tag([1, 2, 3, 6], "vip")
    desk.tag([1], "lunch")
    desk.stop(2)
    reader = AudienceReader(dialect_of(desk.engine.name))
    with closing(desk.engine.database().reader()) as connection, reading(connection):
        assert reader.size(connection, EVERYBODY, SHOP.id, Tagged("vip"), NOON) == 2
        assert reader.size(connection, NOBODY, SHOP.id, Tagged("vip"), NOON) == 0
        assert reader.tag_counts(connection, EVERYBODY, SHOP.id, after="", limit=10) == [
            TagCount("lunch", 1),
            TagCount("vip", 4),
        ]
        assert reader.tag_counts(connection, EVERYBODY, SHOP.id, after="lunch", limit=10) == [
            TagCount("vip", 4)
        ]
        assert reader.tag_counts(connection, NOBODY, SHOP.id, after="", limit=10) == []
        assert reader.friend(connection, EVERYBODY, 1) == Whose(1, "acme", SHOP.id)
        assert reader.friend(connection, NOBODY, 1) is None
        assert reader.friend(connection, EVERYBODY, 99) is None
