"""Ids: in order of time, and never the same twice."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.values import SECOND, Ids, Seed, first_id, nth_id

NOW = 1_795_000_000 * SECOND

moments = st.lists(st.integers(0, 50).map(lambda step: NOW + step * 1_000), max_size=60)


@given(moments, st.integers(0, 5_000))
def test_ids_grow_whatever_the_clock_does(times: list[int], node: int) -> None:
    """A clock that stands or steps back repeats no id, and moves none back."""
    ids = Ids(node)
    made = [ids.next(now) for now in times]
    assert made == sorted(set(made))
    assert all(0 <= each < 2**63 for each in made)


def test_an_id_tells_its_millisecond() -> None:
    """What retention and reports compare with is the smallest id of an instant."""
    assert first_id(NOW) <= Ids(1023).next(NOW) < first_id(NOW + 1_000)


def test_more_ids_than_a_millisecond_holds_stay_apart() -> None:
    """They run over into the milliseconds to come."""
    ids = Ids(7)
    assert len({ids.next(NOW) for _ in range(10_000)}) == 10_000


@given(moments, moments)
def test_two_nodes_make_different_ids(one: list[int], other: list[int]) -> None:
    """Processes that share a store do not meet."""
    first, second = Ids(1), Ids(2)
    assert not {first.next(now) for now in one} & {second.next(now) for now in other}


@given(moments, moments)
def test_a_node_that_is_known_late_repeats_nothing(before: list[int], after: list[int]) -> None:
    """A process that started without its store is given its number once the store is there."""
    ids = Ids(900)
    made = [ids.next(now) for now in before]
    ids.node = 3
    made += [ids.next(now) for now in after]
    assert len(set(made)) == len(made)


@given(st.integers(0, 1023), st.lists(st.integers(1, 9000), min_size=1, max_size=6))
def test_blocks_of_ids_follow_each_other_and_share_none(node: int, sizes: list[int]) -> None:
    """Within a block by their ordinal, between blocks by the maker, whatever the sizes."""
    ids = Ids(node)
    made: list[int] = []
    for size in sizes:
        first = ids.block(NOW, size)
        made += [nth_id(first, n) for n in range(size)]
    made.append(ids.next(NOW))
    assert made == sorted(set(made))
    assert {id_ >> 12 & 1023 for id_ in made} == {node}


def test_a_draw_is_the_same_in_every_run() -> None:
    """Ids, tokens and luck come of the seed alone, and no two of them are alike."""
    seed = Seed(nth_id(0, 7), 3, b"0123456789abcdef")
    one, other = seed.draw(), seed.draw()
    drawn = [(d.id(), d.token(), d.below(1000), d.token()) for d in (one, other)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 4
    assert len(drawn[0][1]) == 20
