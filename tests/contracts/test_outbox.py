"""What the outbox promises, whichever engine it stands on."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from adapters.storage.database import reading
from adapters.storage.outbox import OutboxReader
from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.effects import NEVER, Effect, Kind
from gateway.domain.values import EVERYBODY, SECOND, Ids, Scope, first_id
from gateway.errors import Refusal, Refused
from gateway.ports import Lane
from gateway.ports.outbox import FORGOTTEN, Claimed, Outcome, Rewritten
from gateway.usecases import outbox
from tests.support.stores import Engine, on_a_loop, statements_of

NOW = 1_800_000_000 * SECOND
KINDS = ("line.reply", "line.push", "line.multicast")
IDS = Ids(7)


def effect(key: str, **given: object) -> Effect:
    """A push that is due."""
    wanted = {
        "id": IDS.next(NOW),
        "advertiser": "acme",
        "kind": "line.push",
        "key": key,
        "payload": "{}",
        "due_at": NOW,
    }
    return msgspec.convert(wanted | given, Effect)


@contextmanager
def transaction(engine: Engine) -> Iterator[StoreTransaction]:
    """A transaction of a worker of its own, committed at the end."""
    connection = engine.database().writer()
    try:
        tx = StoreTransaction(connection, statements_of(engine.name), RouteCache())
        yield tx
        tx.flush()
        connection.commit()
    finally:
        connection.rollback()
        connection.close()


def add(engine: Engine, *effects: Effect) -> None:
    """Ask for effects."""
    with transaction(engine) as tx:
        for one in effects:
            tx.outbox.add(EVERYBODY, one)


def claim(
    engine: Engine,
    now: int = NOW,
    *,
    limit: int = 100,
    lease: int = 15,
    kinds: tuple[str, ...] = KINDS,
) -> list[Claimed]:
    """What a worker gets."""
    with transaction(engine) as tx:
        return list(tx.outbox.claim(EVERYBODY, now, KINDS, limit, lease))


def settle(engine: Engine, *outcomes: tuple[Claimed, Outcome], now: int = NOW) -> list[Outcome]:
    """Keep what came of effects."""
    with transaction(engine) as tx:
        return list(tx.outbox.settle(EVERYBODY, now, outcomes))


def keys(claimed: list[Claimed]) -> list[str]:
    return [one.key for one in claimed]


def states(engine: Engine) -> dict[str, str]:
    return dict(engine.rows("SELECT idempotency_key, state FROM outbox"))


def test_an_effect_comes_out_as_it_went_in(engine: Engine) -> None:
    """A claimed effect has the fields it was asked for with, and counts its first attempt."""
    asked = effect("a", payload='{"x":"日本"}', stream="s", order_at=5, origin="rule:1")
    add(engine, asked)
    (claimed,) = claim(engine)
    assert claimed == Claimed(
        asked.id, "acme", "line.push", "a", '{"x":"日本"}', "s", 5, NEVER, "rule:1", 1, 0, NOW
    )


def test_a_repeated_key_is_silently_none(engine: Engine) -> None:
    """The same key in one transaction or in a later one adds nothing and disturbs nobody."""
    add(engine, effect("a", payload="1"), effect("a", payload="2"))
    add(engine, effect("b"), effect("a", payload="3"))
    assert [one.payload for one in claim(engine) if one.key == "a"] == ["1"]
    assert states(engine) == {"a": "leased", "b": "leased"}


def test_the_very_same_effect_can_be_asked_for_again(engine: Engine) -> None:
    """A unit whose commit was lost runs again with the same ids and keys."""
    asked = effect("a")
    add(engine, asked)
    add(engine, asked)
    assert states(engine) == {"a": "waiting"}


def test_only_what_is_due_is_handed_out(engine: Engine) -> None:
    """Later ones and other kinds wait; the limit holds; the longest due come first."""
    add(
        engine,
        effect("later", due_at=NOW + 1),
        effect("other", kind="line.profile"),
        effect("second", due_at=NOW - 1),
        effect("first", due_at=NOW - 2),
    )
    assert keys(claim(engine, limit=1)) == ["first"]
    assert keys(claim(engine)) == ["second"]
    assert keys(claim(engine, NOW + 1)) == ["later"]


def test_answers_do_not_wait_for_pushes_that_wait(engine: Engine) -> None:
    """A push waits for the morning or for quota; its friend's token does not. One that is on its
    way is waited for, and pushes wait for each other and for answers.
    """
    add(
        engine,
        effect("night", stream="s", order_at=1, due_at=NOW + 1),
        effect("answer", kind="line.reply", stream="s", order_at=2),
        effect("push", stream="s", order_at=3),
        effect("next answer", kind="line.reply", stream="s", order_at=4),
    )
    (answer,) = claim(engine)
    assert answer.key == "answer"
    settle(engine, (answer, Outcome("done")))
    (following,) = claim(engine)
    assert following.key == "next answer"
    settle(engine, (following, Outcome("done")))
    (night,) = claim(engine, NOW + 1)
    assert night.key == "night"
    add(engine, effect("late answer", kind="line.reply", stream="s", order_at=5))
    assert keys(claim(engine, NOW + 1)) == []
    settle(engine, (night, Outcome("done")), now=NOW + 1)
    assert sorted(keys(claim(engine, NOW + 1))) == ["late answer", "push"]


def test_a_stream_is_served_in_its_order_one_at_a_time(engine: Engine) -> None:
    """Order is by instant, then id, whatever came first; the next waits for the one before."""
    add(engine, effect("c", stream="s", order_at=3), effect("b", stream="s", order_at=2))
    add(engine, effect("a", stream="s", order_at=1), effect("b2", stream="s", order_at=2))
    add(engine, effect("t", stream="t", order_at=9), effect("alone"), effect("alone too"))
    served = []
    for _ in range(4):
        claimed = claim(engine)
        served.append([one.key for one in claimed if one.stream == "s"])
        assert claim(engine) == []
        settle(engine, *((one, Outcome("done")) for one in claimed))
    assert served == [["a"], ["b"], ["b2"], ["c"]]


def test_one_that_waits_for_its_next_attempt_holds_its_stream(engine: Engine) -> None:
    """What failed and is tried again later is not overtaken."""
    add(engine, effect("a", stream="s", order_at=1), effect("b", stream="s", order_at=2))
    (first,) = claim(engine)
    settle(engine, (first, Outcome("waiting", NOW + 9, error="limited")))
    assert claim(engine) == []
    (again,) = claim(engine, NOW + 9)
    assert (again.key, again.attempts, again.unclear, again.tried_at) == ("a", 2, 0, NOW)


@pytest.mark.parametrize("end", ["dead", "unknown"])
def test_one_that_failed_for_good_lets_its_stream_go_on(engine: Engine, end: str) -> None:
    """Dead and unknown effects are out of the way."""
    add(engine, effect("a", stream="s", order_at=1), effect("b", stream="s", order_at=2))
    (first,) = claim(engine)
    settle(engine, (first, Outcome(end, error="refused")))  # type: ignore[arg-type]  # pytest gives plain text
    assert keys(claim(engine)) == ["b"]


def test_an_expired_lease_is_handed_out_as_unclear(engine: Engine) -> None:
    """Its worker may have died after sending: the next one is told so."""
    add(engine, effect("a"))
    claim(engine, lease=0)
    (again,) = claim(engine, lease=60)
    assert (again.attempts, again.unclear, again.tried_at) == (2, 1, NOW)
    assert claim(engine) == []


def test_a_lease_that_runs_keeps_others_away(engine: Engine) -> None:
    """Nobody else gets it, however due it is."""
    add(engine, effect("a"))
    assert keys(claim(engine, lease=60)) == ["a"]
    assert claim(engine, NOW + 1) == []


def test_what_came_of_it_is_kept(engine: Engine) -> None:
    """State, word and the platform's answer stay with the effect."""
    add(engine, effect("a"))
    (one,) = claim(engine)
    settle(engine, (one, Outcome("dead", error="refused", result='{"status":400}')), now=NOW + 5)
    assert engine.rows(
        "SELECT state, last_error, result, ended_at, leased_until, attempts FROM outbox"
    ) == [("dead", "refused", '{"status":400}', NOW + 5, None, 1)]


def test_an_effect_that_was_only_put_back_was_not_tried(engine: Engine) -> None:
    """Neither its attempts nor its first instant count."""
    add(engine, effect("a"))
    (one,) = claim(engine)
    settle(engine, (one, Outcome("waiting", NOW + 1, tried=False)))
    assert engine.rows("SELECT attempts, tried_at FROM outbox") == [(0, None)]
    (again,) = claim(engine, NOW + 2)
    assert (again.attempts, again.tried_at) == (1, NOW + 2)


def test_unclear_attempts_add_up(engine: Engine) -> None:
    """Whether it may be out is never forgotten."""
    add(engine, effect("a"))
    (one,) = claim(engine)
    settle(engine, (one, Outcome("waiting", NOW, unclear=True)))
    (two,) = claim(engine)
    settle(engine, (two, Outcome("waiting", NOW)))
    (three,) = claim(engine)
    assert (three.attempts, three.unclear) == (3, 1)


def test_who_lost_the_lease_settles_only_what_is_done(engine: Engine) -> None:
    """A late worker's failure does not stand; its success does, once."""
    add(engine, effect("a"))
    (slow,) = claim(engine, lease=0)
    (quick,) = claim(engine)
    assert settle(engine, (slow, Outcome("dead", error="refused"))) == []
    assert states(engine) == {"a": "leased"}
    done = Outcome("done", result="{}")
    assert settle(engine, (slow, done)) == [done]
    assert settle(engine, (quick, Outcome("unknown"))) == []
    assert settle(engine, (quick, done)) == []
    assert states(engine) == {"a": "done"}


def test_what_was_never_handed_out_can_be_taken_back(engine: Engine) -> None:
    """Of one stream, of one kind, of a range of instants, queued or stored."""
    orders = (("early", 1), ("a", 2), ("b", 4))
    stored = [effect(k, stream="s", order_at=o, kind="line.reply") for k, o in orders]
    add(
        engine, *stored, effect("push", stream="s", order_at=1), effect("t", stream="t", order_at=1)
    )
    with transaction(engine) as tx:
        tx.outbox.add(EVERYBODY, effect("c", stream="s", order_at=3, kind="line.reply"))
        tx.outbox.add(EVERYBODY, effect("d", stream="s", order_at=4, kind="line.reply"))
        assert tx.outbox.cancel(EVERYBODY, "s", "line.reply", 2, 4) == 2
    assert sorted(states(engine)) == ["b", "d", "early", "push", "t"]
    with transaction(engine) as tx:
        assert tx.outbox.cancel(EVERYBODY, "s") == 4
    assert sorted(states(engine)) == ["t"]


def test_a_whole_stream_can_be_cleared(engine: Engine) -> None:
    """What waits is taken back, and of the rest the payload goes; other streams stay."""
    add(engine, effect("a", stream="s", order_at=1), effect("d", stream="t", order_at=1))
    one, other = claim(engine)
    settle(engine, (one, Outcome("done")), (other, Outcome("waiting", NOW)))
    add(engine, effect("b", stream="s", order_at=2))
    with transaction(engine) as tx:
        tx.outbox.add(EVERYBODY, effect("c", stream="s", order_at=3))
        assert tx.outbox.clear(EVERYBODY, "s") == 3
        assert tx.outbox.clear(EVERYBODY, "s") == 0
    rows = engine.rows("SELECT idempotency_key, payload = '' FROM outbox ORDER BY id")
    assert [(key, bool(empty)) for key, empty in rows] == [("a", True), ("d", False)]


@pytest.mark.parametrize("kind", FORGOTTEN)
def test_what_names_people_is_cleared_with_its_end(engine: Engine, kind: Kind) -> None:
    """Done, dead or unknown; while it waits for another attempt it is there."""
    add(engine, *(effect(key, stream=key, kind=kind) for key in "abcd"))
    with transaction(engine) as tx:
        claimed = tx.outbox.claim(EVERYBODY, NOW, (kind,), 10, 15)
    ends = [Outcome("waiting", NOW), Outcome("done"), Outcome("dead"), Outcome("unknown")]
    settle(engine, *zip(claimed, ends, strict=True))
    rows = engine.rows("SELECT state, payload = '' FROM outbox ORDER BY id")
    assert [(state, bool(empty)) for state, empty in rows] == [
        (end.state, end.state != "waiting") for end in ends
    ]


def test_what_was_handed_out_once_cannot_be_taken_back(engine: Engine) -> None:
    """It may be out already; one that was only put back is not."""
    add(engine, effect("a", stream="s", order_at=1), effect("b", stream="t", order_at=1))
    one, two = claim(engine)
    settle(engine, (one, Outcome("waiting", NOW + 9)), (two, Outcome("waiting", NOW, tried=False)))
    with transaction(engine) as tx:
        assert tx.outbox.cancel(EVERYBODY, one.stream) == 0
        assert tx.outbox.cancel(EVERYBODY, two.stream) == 1


def test_effects_can_be_taken_back_by_their_keys(engine: Engine) -> None:
    """Of one stream, queued or stored; those that were handed out are told, and what waits behind
    one that went is looked at again.
    """
    first, second = (effect(k, stream="s", order_at=o) for k, o in (("a", 1), ("b", 2)))
    add(engine, first, second, effect("tried", stream="u"), effect("other", stream="t"))
    for claimed in claim(engine):
        again = Outcome("waiting", NOW, tried=claimed.key == "tried")
        settle(engine, (claimed, again))
    with transaction(engine) as tx:
        tx.outbox.add(EVERYBODY, effect("queued", stream="s", order_at=3))
        asked = ["a", "queued", "never", "other"]
        assert tx.outbox.withdraw(EVERYBODY, "s", asked) == ["other"]
        assert tx.outbox.withdraw(EVERYBODY, "u", ["tried"]) == ["tried"]
        tx.outbox.add(EVERYBODY, effect("a", stream="s", order_at=4))
    assert sorted(states(engine)) == ["a", "b", "other", "tried"]
    assert sorted(keys(claim(engine))) == ["b", "other", "tried"]


def test_an_effect_can_become_another_before_its_first_attempt(engine: Engine) -> None:
    """What is rewritten is what every attempt gets."""
    add(engine, effect("a", kind="line.reply", stream="s"))
    (one,) = claim(engine)
    with transaction(engine) as tx:
        tx.outbox.rewrite(EVERYBODY, [Rewritten(one.id, "line.push", "{2}", "s/late", NEVER)])
    settle(engine, (one, Outcome("waiting", NOW)))
    (again,) = claim(engine)
    assert (again.kind, again.payload, again.stream) == ("line.push", "{2}", "s/late")


def test_a_person_can_send_again(engine: Engine) -> None:
    """Dead and unknown effects begin anew; others, and those of others, do not."""
    add(engine, effect("a"), effect("b"), effect("c"))
    claimed = {one.key: one for one in claim(engine)}
    settle(
        engine,
        (claimed["a"], Outcome("unknown", unclear=True)),
        (claimed["b"], Outcome("done")),
        (claimed["c"], Outcome("dead")),
    )
    with transaction(engine) as tx:
        found = {
            key: tx.outbox.failed(Scope(frozenset({whose})), claimed[key].id)
            for key, whose in (("a", "acme"), ("b", "acme"), ("c", "other"))
        }
        assert found["a"] is not None
        assert (found["a"].key, found["a"].state, found["a"].payload) == ("a", "unknown", "{}")
        assert (found["b"], found["c"]) == (None, None)
        for key in "abc":
            tx.outbox.resend(EVERYBODY, claimed[key].id, "{1}", NOW + 1, NOW + 9)
    again = claim(engine, NOW + 1)
    assert {(one.key, one.attempts, one.unclear, one.tried_at) for one in again} == {
        ("a", 1, 0, NOW + 1),
        ("c", 1, 0, NOW + 1),
    }
    assert {(one.payload, one.give_up_at) for one in again} == {("{1}", NOW + 9)}


def test_what_was_taken_from_its_worker_is_not_rewritten(engine: Engine) -> None:
    """What a person had cleared while it was made ready stays cleared."""
    add(engine, effect("a"))
    (one,) = claim(engine)
    settle(engine, (one, Outcome("dead")))
    with transaction(engine) as tx:
        tx.outbox.rewrite(EVERYBODY, [Rewritten(one.id, one.kind, "{2}", "s", NEVER)])
    assert engine.rows("SELECT payload, stream FROM outbox") == [("{}", "")]


def test_stopped_sends_stay_where_they_are(engine: Engine) -> None:
    """Pushes of a stopped advertiser wait, however many; its replies and others' pushes go."""
    many = [effect(f"acme {n}", due_at=NOW - 100) for n in range(7)]
    add(engine, *many, effect("reply", kind="line.reply"), effect("other", advertiser="other"))
    with transaction(engine) as tx:
        tx.outbox.stops.stop(EVERYBODY, "acme", NOW, "cli")
    assert sorted(keys(claim(engine, limit=3))) == ["other", "reply"]
    with transaction(engine) as tx:
        assert tx.outbox.stops.resume(EVERYBODY, "acme")
        assert not tx.outbox.stops.resume(EVERYBODY, "acme")
    assert len(claim(engine, NOW + 10 * SECOND)) == 7


def test_everybodys_sends_can_be_stopped(engine: Engine) -> None:
    """A star stands for all, and replies go on."""
    add(engine, effect("a"), effect("b", advertiser="other"), effect("r", kind="line.reply"))
    with transaction(engine) as tx:
        tx.outbox.stops.stop(EVERYBODY, "*", NOW, "cli")
        tx.outbox.stops.stop(EVERYBODY, "*", NOW + 1, "cli")
    assert keys(claim(engine)) == ["r"]
    connection = engine.database().reader()
    with reading(connection):
        assert OutboxReader(engine.database().dialect).halts(connection) == {"*": NOW + 1}
    connection.close()


def test_old_effects_lose_their_payload_and_then_go(engine: Engine) -> None:
    """Only those that have ended; a bounded piece at a time."""
    old = [effect(k) for k in "abc"]
    add(engine, *old, effect("open", stream="s"))
    claimed = [one for one in claim(engine) if one.key != "open"]
    settle(engine, *((one, Outcome("done", result="{}")) for one in claimed))
    later = NOW + 10 * SECOND
    with transaction(engine) as tx:
        assert tx.outbox.forget(EVERYBODY, "outbox-texts", later, 3) == 3
        assert tx.outbox.forget(EVERYBODY, "outbox-texts", later, 3) == 1
        assert tx.outbox.forget(EVERYBODY, "outbox-texts", later, 3) == 0
    assert dict(engine.rows("SELECT idempotency_key, payload FROM outbox")) == {
        "a": "",
        "b": "",
        "c": "",
        "open": "{}",
    }
    with transaction(engine) as tx:
        assert tx.outbox.forget(EVERYBODY, "outbox", NOW - SECOND, 2) == 0
        assert tx.outbox.forget(EVERYBODY, "outbox", later, 2) == 2
        assert tx.outbox.forget(EVERYBODY, "outbox", later, 2) == 1
    assert states(engine) == {"open": "leased"}


def test_figures_and_failures_are_read_beside_the_writer(engine: Engine) -> None:
    """How much waits, and since when; what failed, oldest first, each to its own."""
    reader = OutboxReader(engine.database().dialect)
    add(engine, effect("a"), effect("b", advertiser="other"))
    one, two = claim(engine)
    settle(engine, (one, Outcome("dead", error="refused")), (two, Outcome("unknown")))
    add(engine, effect("c", due_at=NOW + 3), effect("d", due_at=NOW + 2))
    connection = engine.database().reader()
    with reading(connection):
        assert reader.waiting(connection) == {"line.push": (2, NOW + 2)}
        failed = reader.failed(connection, EVERYBODY, after=0, limit=5)
        assert [(f.id, f.state, f.last_error) for f in failed] == [
            (one.id, "dead", "refused"),
            (two.id, "unknown", None),
        ]
        only = Scope(frozenset({"other"}))
        assert [f.id for f in reader.failed(connection, only, after=0, limit=5)] == [two.id]
        assert reader.failed(connection, EVERYBODY, after=two.id, limit=5) == []
        assert reader.stopped(connection) == frozenset()
    connection.close()


@on_a_loop
async def _claim_in_two_places(engine: Engine) -> None:
    async with engine.store() as one, engine.store() as two:
        wish = outbox.Claim(NOW, KINDS, 3)
        served: list[str] = []
        for _ in range(20):
            handouts = await asyncio.gather(
                *(store.run(outbox.claim, wish, Lane.BACKGROUND) for store in (one, two))
            )
            batches = [handout.claimed for handout in handouts]
            served += [c.key for batch in batches for c in batch]
            assert all(len({c.stream for c in batch}) == len(batch) for batch in batches)
    assert sorted(served) == sorted(set(served))
    assert len(served) == 40


@pytest.mark.postgres
def test_two_processes_never_get_the_same_effect(postgresql: Engine) -> None:
    """Locked rows are skipped: what one worker holds, the other does not see."""
    add(postgresql, *(effect(f"{n}", stream=f"{n}") for n in range(40)))
    _claim_in_two_places(postgresql)


@on_a_loop
async def _refuse(engine: Engine) -> None:
    async with engine.store() as store:
        with pytest.raises(Refused) as refused:
            await store.run(outbox.resend, outbox.Resend(EVERYBODY, first_id(NOW), NOW))
    assert refused.value.reason is Refusal.NOT_FOUND


def test_sending_again_what_is_not_there_is_refused(engine: Engine) -> None:
    """A wrong id is told, and nothing changes."""
    _refuse(engine)
