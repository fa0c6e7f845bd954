"""A push over the end of a month: what is sent is reserved and spent in the month it is sent in."""

from typing import Any

import pytest

from gateway.domain import pushes as domain
from gateway.domain.hours import month_of
from gateway.domain.line.quota import began
from gateway.domain.pushes import Demographic, Push
from gateway.domain.values import EVERYBODY, SECOND
from gateway.errors import Refusal, Refused
from gateway.ports.outbox import Outcome
from gateway.usecases import narrowcasts, pushes
from gateway.usecases.sending import Prepare, Prepared, Rooms, preparing
from tests.support.audience import DAY, HOUR, MANAGER, NOON, SHOP, Desk, accepted, friend
from tests.support.stores import Engine

DECEMBER = NOON + 27 * DAY + 12 * HOUR  # 2026-12-01T00:00:00+09:00
EVE = DECEMBER - 60 * SECOND
WOMEN = Demographic({"type": "gender", "oneOf": ["female"]})


@pytest.fixture
def desk(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A shop with fourteen friends, who make seven batches; November has room for all."""
    monkeypatch.setattr(domain, "MULTICAST", 2)
    engine.provision(SHOP)
    desk = Desk(engine)
    desk.allow(100, now=EVE)
    desk.befriend(*(friend(ordinal) for ordinal in range(1, 15)))
    return desk


def months(desk: Desk) -> dict[str, tuple[int, int]]:
    """What is reserved and spent, by month."""
    rows = desk.engine.rows("SELECT month, reserved, spent FROM line_quotas")
    return {month: (reserved, spent) for month, reserved, spent in rows}


def prepare(desk: Desk, now: int) -> Prepared:
    """What was claimed, made ready to be sent at ``now``."""
    claimed = tuple(desk.claim(now))
    done: Prepared = desk.run(preparing(Rooms()), Prepare(claimed, now, desk.seed(now)))[0]
    return done


def handed(desk: Desk, **given: Any) -> Push:
    """A push of which half is in the outbox on the eve of December."""
    push = desk.create(now=EVE, **given)
    while desk.push(push).handed < 4:
        assert desk.advance(EVE)
    return push


def test_a_month_begins_at_midnight_in_tokyo() -> None:
    """That is when the platform begins to count anew."""
    assert began(DECEMBER) == DECEMBER
    assert month_of(DECEMBER - 1) == "2026-11"
    assert began(DECEMBER - 1) == began(NOON) == DECEMBER - 30 * DAY


def test_what_goes_out_after_midnight_is_of_the_new_month(desk: Desk) -> None:
    """In the outbox or not: the old month gets its promise back, and the new one gives it."""
    push = handed(desk)
    assert months(desk) == {"2026-11": (14, 0)}
    desk.allow(50, now=DECEMBER)
    ready = prepare(desk, DECEMBER + 1).ready
    assert months(desk) == {"2026-11": (12, 0), "2026-12": (2, 0)}  # of a stream one at a time
    desk.settle(DECEMBER + 1, *((each, Outcome("dead", error="refused")) for each in ready))
    while done := [*prepare(desk, DECEMBER + 2).ready]:
        desk.settle(DECEMBER + 2, *((each, accepted(each, DECEMBER + 2)) for each in done))
        desk.advance(DECEMBER + 2)
        desk.advance(DECEMBER + 3)
    desk.work(DECEMBER + 2 * SECOND)
    over = desk.push(push)
    assert (over.state, over.sent, over.refused) == ("done", 12, 2)
    assert months(desk) == {"2026-11": (0, 0), "2026-12": (0, 12)}


def test_what_the_new_month_has_no_room_for_is_held(desk: Desk) -> None:
    """Neither is it sent, nor does it lose what was promised; what is not handed out is halted."""
    push = handed(desk)
    desk.allow(10, used=10, now=DECEMBER)
    done = prepare(desk, DECEMBER)
    assert (len(done.held), done.ready, done.dead) == (1, [], [])
    assert months(desk) == {"2026-11": (14, 0), "2026-12": (0, 0)}
    put_back = Outcome("waiting", DECEMBER + 1, tried=False, error="over_quota")
    desk.settle(DECEMBER, (done.held[0][0], put_back))
    taken = desk.cancel(push, DECEMBER)
    assert (taken.state, taken.taken_back) == ("cancelled", 8)
    assert months(desk) == {"2026-11": (0, 0), "2026-12": (0, 0)}


def test_the_rest_of_a_push_is_halted_where_the_new_month_has_no_room(desk: Desk) -> None:
    """Once the platform has told; until then it waits."""
    push = handed(desk)
    desk.carry_out(EVE)
    desk.advance(DECEMBER)
    assert desk.push(push).due_at == DECEMBER + 10 * SECOND
    desk.allow(10, used=5, now=DECEMBER)
    desk.advance(DECEMBER + 10 * SECOND)
    halted = desk.push(push)
    assert (halted.state, halted.reason, halted.sent) == ("halted", "quota", 2)
    assert months(desk) == {"2026-11": (6, 2), "2026-12": (0, 0)}  # three batches are in the outbox


def test_of_a_partial_push_as_many_as_the_new_month_has_room_for(desk: Desk) -> None:
    """The others are told of as those whom the quota left out."""
    push = handed(desk, partial=True)
    while desk.carry_out(EVE):
        pass
    desk.allow(4, now=DECEMBER)
    desk.work(DECEMBER)
    over = desk.push(push)
    assert (over.state, over.sent, over.over_quota) == ("done", 12, 2)
    assert months(desk) == {"2026-11": (0, 8), "2026-12": (0, 4)}


def test_a_narrowcast_that_the_platform_has_is_refused_before_anything_is_written(
    desk: Desk,
) -> None:
    """Its cancelling leaves no write behind; one that waits is taken back, with its promise."""
    push = desk.create(WOMEN, expected=30, now=EVE)
    for _ in range(3):
        desk.advance(EVE)
    (claimed,) = desk.claim(EVE)
    with desk.transaction() as tx:
        found = tx.pushes.find(EVERYBODY, push.id)
        assert found is not None
        before = tx.writes
        with pytest.raises(Refused) as refused:
            narrowcasts.take_back(tx, found)
        with pytest.raises(Refused):
            pushes.cancel(tx, pushes.Cancel(EVERYBODY, MANAGER, push.id, EVE))
        assert tx.writes == before
    assert refused.value.reason is Refusal.PUSH_OVER
    desk.settle(EVE, (claimed, Outcome("waiting", EVE, tried=False)))
    assert desk.cancel(push, EVE).taken_back == 30
    assert months(desk) == {"2026-11": (0, 0)}
