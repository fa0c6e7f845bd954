"""Who stops or blocks between the handing out of a push and its sending, on both engines."""

import json
from contextlib import closing

import pytest

from gateway.domain import pushes as domain
from gateway.domain.effects import Effect
from gateway.domain.pushes import Demographic, Push
from gateway.domain.values import EVERYBODY, SECOND
from gateway.errors import Refusal, Refused
from gateway.ports.outbox import Outcome
from gateway.usecases import outbox
from gateway.usecases.sending import Prepare, Prepared, Rooms, preparing
from tests.support.audience import NOON, SHOP, Desk, accepted, friend, text, user_of
from tests.support.stores import Engine

WOMEN = Demographic({"type": "gender", "oneOf": ["female"]})


@pytest.fixture
def desk(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A shop with six friends, who make two batches."""
    monkeypatch.setattr(domain, "MULTICAST", 3)
    engine.provision(SHOP)
    desk = Desk(engine)
    desk.allow(100)
    desk.befriend(*(friend(ordinal) for ordinal in range(1, 7)))
    return desk


def quotas(desk: Desk) -> tuple[int, int]:
    """What is reserved and spent."""
    ((reserved, spent),) = desk.engine.rows("SELECT reserved, spent FROM line_quotas")
    return reserved, spent


def hand_out(desk: Desk, push: Push) -> None:
    """All of it is in the outbox."""
    while (found := desk.push(push)).handed < max(1, found.batches):
        assert desk.advance()


def send(desk: Desk) -> Prepared:
    """Make ready what is due, and let the platform take it."""
    claimed = tuple(desk.claim())
    done: Prepared = desk.run(preparing(Rooms()), Prepare(claimed, NOON, desk.seed()))[0]
    desk.settle(NOON, *((each, accepted(each, NOON)) for each in done.ready))
    dead = [(each, Outcome("dead", error=reason)) for each, reason in done.dead]
    desk.settle(NOON, *dead)
    return done


def finish(desk: Desk) -> None:
    """Until nothing is left."""
    for second in range(1, 21):
        send(desk)
        desk.advance(NOON + second * SECOND)


@pytest.mark.parametrize("words", ["皆さん", "{name}様"])
def test_who_left_meanwhile_is_told_apart_and_costs_nothing(desk: Desk, words: str) -> None:
    """Of a multicast as of pushes one by one: the figures say so, and the month has it back."""
    push = desk.create(messages=(text(words),))
    hand_out(desk, push)
    desk.stop(2)
    desk.block(3)
    finish(desk)
    over = desk.push(push)
    assert (over.state, over.sent, over.stopped, over.blocked) == ("done", 4, 1, 1)
    assert (over.refused, over.unknown) == (0, 0)
    assert desk.states(push) == {
        1: "sent",
        2: "stopped",
        3: "blocked",
        **dict.fromkeys((4, 5, 6), "sent"),
    }
    assert sorted(desk.received) == [user_of(each) for each in (1, 4, 5, 6)]
    assert quotas(desk) == (0, 4)


@pytest.mark.parametrize("returns", [False, True])
@pytest.mark.parametrize("words", ["皆さん", "{name}様"])
def test_who_left_counts_once_however_often_it_is_made_ready(
    desk: Desk, words: str, returns: bool
) -> None:
    """A worker that died before it settled what it had made ready is followed by another; what was
    given up stays so, even for who is back by then.
    """
    push = desk.create(messages=(text(words),))
    hand_out(desk, push)
    desk.stop(2)
    desk.block(1, 3)
    claimed = tuple(desk.claim())
    desk.run(preparing(Rooms()), Prepare(claimed, NOON, desk.seed()))
    assert quotas(desk) == (3, 0)
    if returns:
        desk.befriend(friend(1), friend(3))
    with closing(desk.engine.raw()) as raw:
        raw.execute(f"UPDATE outbox SET due_at = {NOON}, leased_until = {NOON}")
    finish(desk)
    over = desk.push(push)
    assert (over.state, over.sent, over.stopped, over.blocked) == ("done", 3, 1, 2)
    assert sorted(desk.received) == [user_of(each) for each in (4, 5, 6)]
    assert quotas(desk) == (0, 3)


def test_what_is_sent_again_asks_anew_who_wants_it(desk: Desk) -> None:
    """A person sends it again, for who blocked the shop and is back; it is counted as it was."""
    push = desk.create(messages=(text("{name}様"),))
    hand_out(desk, push)
    desk.block(3)
    ((left, _),) = send(desk).dead
    desk.run(outbox.resend, outbox.Resend(EVERYBODY, left.id, NOON))
    assert [reason for _, reason in send(desk).dead] == ["blocked"]
    desk.befriend(friend(3))
    desk.run(outbox.resend, outbox.Resend(EVERYBODY, left.id, NOON))
    finish(desk)
    assert sorted(desk.received) == [user_of(each) for each in range(1, 7)]
    over = desk.push(push)
    assert (over.state, over.sent, over.blocked) == ("done", 5, 1)


def test_a_narrowcast_that_waited_while_somebody_stopped_is_not_sent(desk: Desk) -> None:
    """The platform would not heed it: the push fails, with that reason."""
    push = desk.create(WOMEN, expected=30)
    for _ in range(3):
        desk.advance()
    desk.stop(1)
    assert [reason for _, reason in send(desk).dead] == ["stopped"]
    desk.advance(NOON + SECOND)
    over = desk.push(push)
    assert (over.state, over.reason) == ("failed", "stops")
    assert quotas(desk) == (0, 0)


def test_cancelling_takes_back_who_did_not_leave(desk: Desk) -> None:
    """Who left was counted already, and their promise given back."""
    push = desk.create()
    hand_out(desk, push)
    desk.stop(2)
    claimed = tuple(desk.claim())
    (ready,) = desk.run(preparing(Rooms()), Prepare(claimed, NOON, desk.seed()))[0].ready
    assert json.loads(ready.payload)["to"] == [user_of(1), user_of(3)]
    desk.settle(NOON, (ready, Outcome("waiting", NOON, tried=False)))
    taken = desk.cancel(push)
    assert (taken.stopped, taken.taken_back) == (1, 5)
    assert quotas(desk) == (0, 0)


def test_pushes_one_by_one_are_cancelled_without_those_of_other_pushes(desk: Desk) -> None:
    """A friend has one stream for all of them, in their order."""
    first, second = (desk.create(messages=(text("{name}様"),)) for _ in range(2))
    hand_out(desk, first)
    hand_out(desk, second)
    assert len(desk.claim(limit=2)) == 2
    assert desk.cancel(first).taken_back == 4
    assert desk.cancel(second).taken_back == 6
    assert quotas(desk) == (2, 0)


@pytest.mark.parametrize("is_closed", [True, False])
def test_what_is_sent_again_takes_no_promise_twice(desk: Desk, is_closed: bool) -> None:
    """Its push gave the promise back when it heard of the end; until then it stands."""
    push = desk.create()
    hand_out(desk, push)
    (one,) = desk.claim()
    desk.settle(NOON, (one, Outcome("dead", error="over_quota")))
    if is_closed:
        desk.advance(NOON + SECOND)
        assert quotas(desk) == (3, 0)
    desk.run(outbox.resend, outbox.Resend(EVERYBODY, one.id, NOON))
    ((payload, give_up_at),) = desk.engine.rows(
        f"SELECT payload, give_up_at FROM outbox WHERE id = {one.id}"
    )
    assert ("reserved" in json.loads(payload)) is not is_closed
    assert give_up_at == 2**63 - 1
    finish(desk)
    assert sorted(desk.received) == [user_of(each) for each in range(1, 7)]
    assert quotas(desk) == (0, 6)


def test_what_may_be_out_is_sent_again_to_the_same(desk: Desk) -> None:
    """Its retry key knows it by its bytes; what is known not to be out leaves out who stopped."""
    push = desk.create()
    hand_out(desk, push)
    (one,) = desk.claim()
    (ready,) = desk.run(preparing(Rooms()), Prepare((one,), NOON, desk.seed()))[0].ready
    desk.settle(NOON, (ready, Outcome("unknown", unclear=True)))
    desk.advance(NOON + SECOND)
    desk.stop(2)
    desk.run(outbox.resend, outbox.Resend(EVERYBODY, one.id, NOON))
    finish(desk)
    assert user_of(2) in desk.received


def test_a_reply_is_sent_again_while_its_token_lives(desk: Desk) -> None:
    """Or where the shop pays for a push instead; else it is refused by name."""
    said = json.dumps({"channel": SHOP.id, "user": user_of(1), "token": "t", "messages": []})
    effect = Effect(9, "acme", "line.reply", "r", said, NOON, "s", give_up_at=NOON + 5)
    with desk.transaction() as tx:
        tx.outbox.add(EVERYBODY, effect)
    with desk.transaction() as tx:
        (one,) = tx.outbox.claim(EVERYBODY, NOON, ("line.reply",), 1, 15)
    desk.settle(NOON, (one, Outcome("dead", error="token")))
    with pytest.raises(Refused) as refused:
        desk.run(outbox.resend, outbox.Resend(EVERYBODY, 9, NOON + 5))
    assert refused.value.reason is Refusal.TOKEN_GONE
    desk.run(outbox.resend, outbox.Resend(EVERYBODY, 9, NOON + 4))
    assert desk.engine.rows("SELECT state, give_up_at FROM outbox") == [("waiting", NOON + 5)]
