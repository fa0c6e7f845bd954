"""What is done beside the requests: piece by piece, and what fails does not keep the others."""

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as SQLite

from gateway.domain.mail.signups import CONFIRM_SECONDS, KEPT_SECONDS
from gateway.domain.values import SECOND
from gateway.errors import Permanent, Transient, Trouble
from gateway.main.chores import clean_up
from gateway.main.mail import part
from gateway.main.mail.part import overdue
from gateway.main.parts import in_rounds
from gateway.ports import Fact, Lane, Transaction
from tests.support.metrics import fresh
from tests.support.stores import on_a_loop

_DAY = 86_400 * SECOND


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


@pytest.mark.parametrize(("found", "until", "rounds"), [([3, 3, 2, 9], 99, 3), ([3, 3, 3], 2, 2)])
@on_a_loop
async def test_rounds_go_on_until_one_is_not_full_or_its_time_is_over(
    found: list[int], until: int, rounds: int
) -> None:
    """Each with its own instant, and with seeds for as many as it may look at."""
    asked = []

    async def run(use_case: object, given: tuple[int, str], lane: object) -> int:
        assert (use_case, lane) == (one, Lane.BACKGROUND)
        asked.append(given)
        return found.pop(0)

    deps: Any = SimpleNamespace(
        store=SimpleNamespace(run=run),
        clock=lambda: len(asked),
        seed=lambda now, ids: f"{ids} ids of {now}",
    )

    def given(now: int, seed: Any) -> tuple[int, str]:
        return now, seed

    chore = in_rounds(deps, 0, one, given, 3, is_time=lambda now: now < until)
    await chore()
    assert asked == [(now, f"3 ids of {now}") for now in range(rounds)]


def test_what_people_said_goes_after_its_time() -> None:
    """Sign-ups after 30 days, when long nobody can confirm them any more."""
    now = 1_000 * _DAY
    assert {job.what: (now - job.before) // _DAY for job in overdue(now, 1127)} == {
        "consents": 1127,
        "suppressions": 0,
        "signups": 30,
        "imports": 90,
    }
    assert CONFIRM_SECONDS < KEPT_SECONDS == 30 * 86_400


@on_a_loop
async def test_an_advertiser_whose_lists_are_gone_has_no_recipients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its gauge falls to 0, instead of standing where it was until the next start."""
    monkeypatch.setattr(part, "_SIZES_SECONDS", 0)
    told = iter([{("acme", "news"): (7, 9), ("shop", "news"): (3, 3)}, {("shop", "news"): (4, 4)}])

    async def read(*_: object) -> object:
        return next(told)

    metrics = fresh()
    deps: Any = SimpleNamespace(
        database=SimpleNamespace(dialect=SQLite()),
        clock=lambda: 0,
        store=SimpleNamespace(read=read),
    )
    counting = part._counting(deps, metrics)
    for acme, shop in ((7, 3), (0, 4)):
        await counting()
        page = b"".join(metrics.advertisers.render()).decode()
        assert f'gateway_mail_recipients{{advertiser="acme"}} {acme}\n' in page
        assert f'gateway_mail_recipients{{advertiser="shop"}} {shop}\n' in page
