"""What is cleaned up beside the requests: one kind that fails does not keep the others."""

from typing import Any

import pytest

from gateway.errors import Permanent, Transient, Trouble
from gateway.main.chores import clean_up
from gateway.ports import Fact, Transaction
from tests.support.stores import on_a_loop


def one(tx: Transaction, argument: object) -> tuple[int, tuple[Fact, ...]]:
    """A job."""
    return 0, ()


class Pieces:
    """A store that says of each job how often it finds something, or fails."""

    def __init__(self, **found: int | Exception) -> None:
        self.found = found
        self.done: list[str] = []

    async def run(self, use_case: object, argument: str, lane: object) -> int:
        left = self.found[argument]
        if isinstance(left, Exception):
            raise left
        self.done.append(argument)
        self.found[argument] = left - 1
        return left


def jobs(*names: str) -> Any:
    """Jobs of these names."""
    return [(one, name) for name in names]


@on_a_loop
async def test_a_clean_up_that_fails_keeps_no_other_from_being_done() -> None:
    """Each is done until it finds nothing any more."""
    store: Any = Pieces(first=2, second=Permanent(Trouble.STORE_FAULT, "x"), third=1)
    await clean_up(store, jobs("first", "second", "third"))
    assert store.done == ["first"] * 3 + ["third"] * 2


@on_a_loop
async def test_while_the_store_is_away_nothing_is_cleaned_up() -> None:
    """Whoever asked tries again later."""
    store: Any = Pieces(first=Transient(Trouble.STORE_DOWN), second=1)
    with pytest.raises(Transient):
        await clean_up(store, jobs("first", "second"))
    assert store.done == []
