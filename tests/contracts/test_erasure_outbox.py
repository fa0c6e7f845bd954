"""Forgetting a person who is among many: what was sent to all, and what waits for them."""

import json
from typing import Any

import pytest

from gateway.domain import pushes as domain
from gateway.domain.effects import Effect
from gateway.domain.line import forwarding
from gateway.domain.pushes import Push, Step, StepSeries
from gateway.domain.values import EVERYBODY, SECOND
from gateway.ports.outbox import Outcome
from gateway.usecases.erasure import Erasing, erase
from gateway.usecases.sending import Prepare, Rooms, preparing
from tests.contracts.test_erasure import found
from tests.support.audience import NOON, SHOP, Desk, accepted, friend, text, user_of
from tests.support.stores import Engine

WHO = user_of(2)
WELCOME = StepSeries("welcome", "acme", SHOP.id, "follow", (Step(0, (text("ようこそ"),)),))


@pytest.fixture
def desk(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A shop with six friends, who make two batches."""
    monkeypatch.setattr(domain, "MULTICAST", 3)
    engine.provision(SHOP, WELCOME)
    desk = Desk(engine)
    desk.allow(100)
    return desk


def many(desk: Desk) -> None:
    """Six friends, without what follows of that."""
    desk.befriend(*(friend(ordinal) for ordinal in range(1, 7)))


def forget(desk: Desk) -> None:
    """The second one wants to be forgotten."""
    desk.run(erase, Erasing(EVERYBODY, 2, "staff:kim", NOON))
    assert found(desk.engine, WHO) == []


def handed(desk: Desk, words: str) -> Push:
    """A push that is in the outbox."""
    push = desk.create(messages=(text(words),))
    while (stands := desk.push(push)).handed < max(1, stands.batches):
        assert desk.advance()
    return push


def quotas(desk: Desk) -> tuple[int, int]:
    """What is reserved and spent."""
    ((reserved, spent),) = desk.engine.rows("SELECT reserved, spent FROM line_quotas")
    return reserved, spent


def recipients(desk: Desk) -> list[Any]:
    """Whom effects are for, by their ids."""
    rows = desk.engine.rows("SELECT payload FROM outbox ORDER BY id")
    return [json.loads(payload)["to"] if payload else None for (payload,) in rows]


@pytest.mark.parametrize("words", ["皆さん", "{name}様"])
def test_what_waits_goes_to_the_others(desk: Desk, words: str) -> None:
    """Their promise is given back, and the push tells of them as of somebody out of reach."""
    many(desk)
    push = handed(desk, words)
    forget(desk)
    for second in range(1, 10):
        claimed = tuple(desk.claim())
        job = Prepare(claimed, NOON, desk.seed())
        ready = desk.run(preparing(Rooms()), job)[0].ready
        desk.settle(NOON, *((each, accepted(each, NOON)) for each in ready))
        desk.advance(NOON + second * SECOND)
    assert sorted(desk.received) == [user_of(each) for each in (1, 3, 4, 5, 6)]
    over = desk.push(push)
    assert (over.state, over.sent, over.blocked) == ("done", 5, 1)
    assert quotas(desk) == (0, 5)


def test_what_went_to_all_counts_as_many_as_it_went_to(desk: Desk) -> None:
    """In the place of who was forgotten stands a name that leads to nobody."""
    many(desk)
    handed(desk, "皆さん")
    desk.work()
    forget(desk)
    assert recipients(desk) == [
        [user_of(1), "erased-2", user_of(3)],
        [user_of(4), user_of(5), user_of(6)],
    ]


def test_of_what_went_to_them_alone_nothing_is_left(desk: Desk) -> None:
    """But that it was sent, and in which channel."""
    many(desk)
    handed(desk, "{name}様")
    desk.work()
    forget(desk)
    rows = desk.engine.rows("SELECT payload FROM outbox WHERE stream = 'erased-2'")
    assert [json.loads(payload) for (payload,) in rows] == [{"channel": SHOP.id}]


def test_what_failed_can_be_sent_again_to_the_others(desk: Desk) -> None:
    """Who was forgotten is not among them; what was theirs alone is gone."""
    many(desk)
    handed(desk, "皆さん")
    (one,) = desk.claim()
    desk.settle(NOON, (one, Outcome("dead", error="refused")))
    forget(desk)
    assert recipients(desk)[0] == [user_of(1), user_of(3)]


def test_steps_that_went_to_several_name_nobody_else(desk: Desk) -> None:
    """Those that were sent, and those that wait."""
    desk.follow(*(friend(ordinal) for ordinal in (1, 2)))
    desk.step(NOON)
    desk.carry_out(NOON)
    desk.follow(friend(3))
    forget(desk)
    assert recipients(desk) == [[user_of(1), "erased-2"]]


def test_a_step_that_waits_for_nobody_ends(desk: Desk) -> None:
    """It lets the series go on."""
    desk.follow(friend(2))
    desk.step(NOON)
    forget(desk)
    assert recipients(desk) == [[]]
    done = desk.run(preparing(Rooms()), Prepare(tuple(desk.claim()), NOON, desk.seed()))[0]
    assert [reason for _, reason in done.dead] == ["nobody_left"]


def test_what_they_did_is_not_sent_on_any_more(desk: Desk) -> None:
    """The bodies that wait for the second tool go with their texts."""
    many(desk)
    stream = forwarding.stream_of(SHOP.id, WHO)
    payload = forwarding.written(SHOP.id, "https://tool.example.jp", b"{}", "s")
    with desk.transaction() as tx:
        kind = forwarding.KIND
        tx.outbox.add(EVERYBODY, Effect(9, "acme", kind, "f", payload, NOON, stream))
    forget(desk)
    rows = desk.engine.rows("SELECT state, payload, last_error FROM outbox")
    assert rows == [("dead", "", "erased")]
