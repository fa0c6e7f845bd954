"""How units wait for their transaction, and for how long."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from adapters.storage.store import Limits, SqlStore
from gateway.domain.routing import dial
from gateway.errors import Transient, Trouble
from gateway.ports import Fact, Lane, Transaction
from gateway.usecases.calls import record
from tests.support.calls import answered_call, incoming, new_sid, voice
from tests.support.stores import (
    FLYER,
    PATIENCE,
    PATIENT,
    Engine,
    Faulty,
    Gate,
    Recorder,
    eventually,
    limits,
    on_a_loop,
)


def say(word: str, said: list[str]) -> Callable[[Transaction, Any], tuple[str, Sequence[Fact]]]:
    """A use-case that notes when it ran."""

    def use_case(tx: Transaction, argument: Any) -> tuple[str, Sequence[Fact]]:
        said.append(word)
        return word, ()

    return use_case


async def trouble(awaited: "asyncio.Future[Any]") -> Trouble:
    """Why a unit was not taken."""
    with pytest.raises(Transient) as refused:
        await awaited
    return refused.value.reason


async def hold(store: SqlStore) -> tuple[Gate, "asyncio.Task[None]"]:
    """Hold the writer in a transaction, until the gate lets it go."""
    gate = Gate()
    held_up = asyncio.create_task(store.run(gate, None))
    await gate.entered()
    return gate, held_up


# --- groups and lanes ---


@on_a_loop
async def test_all_that_wait_share_one_commit(engine: Engine) -> None:
    """Two hundred calls that come while one is committed are committed together."""
    observer = Recorder()
    async with engine.store(observer, limits=PATIENT) as store:
        gate, held_up = await hold(store)
        calls = [store.run(record, incoming(voice(new_sid()))) for _ in range(200)]
        coming = asyncio.gather(*calls)
        await eventually(lambda: store.waiting == 201)
        gate.let_go()
        await held_up
        assert await coming == [dial(FLYER)] * 200
    assert observer.batches == [1, 200]
    assert engine.sizes()["calls"] == 200


@on_a_loop
async def test_a_transaction_takes_no_more_than_a_batch(engine: Engine) -> None:
    """What does not fit waits for the next transaction, in its order."""
    observer = Recorder()
    said: list[str] = []
    async with engine.store(observer, limits=limits(batch=4)) as store:
        gate, held_up = await hold(store)
        words = [str(n) for n in range(10)]
        coming = asyncio.gather(*(store.run(say(word, said), None) for word in words))
        await eventually(lambda: store.waiting == 11)
        gate.let_go()
        await held_up
        assert await coming == words
    assert said == words
    assert observer.batches == [1, 4, 4, 2]


@on_a_loop
async def test_webhooks_go_first_and_one_background_unit_a_commit(engine: Engine) -> None:
    """Whatever came first, the background goes last, and by one unit a transaction."""
    observer = Recorder()
    said: list[str] = []
    async with engine.store(observer, limits=PATIENT) as store:
        gate, held_up = await hold(store)
        background = [
            asyncio.create_task(store.run(say(f"background {n}", said), None, Lane.BACKGROUND))
            for n in range(3)
        ]
        webhooks = [asyncio.create_task(store.run(say("webhook", said), None)) for _ in range(2)]
        await eventually(lambda: store.waiting == 3)
        gate.let_go()
        await asyncio.gather(held_up, *background, *webhooks)
    assert said == ["webhook", "webhook", "background 0", "background 1", "background 2"]
    # The first background unit that waited may still go with the gate itself.
    assert observer.batches == [1, 3, 1, 1]


@on_a_loop
async def test_background_units_follow_each_other_at_once(engine: Engine) -> None:
    """Many background units of an idle store take no longer than their commits: none waits until
    the store looks around.
    """
    said: list[str] = []
    async with engine.store(limits=limits(look=PATIENCE)) as store, asyncio.timeout(PATIENCE):
        await asyncio.gather(*(store.run(say("", said), None, Lane.BACKGROUND) for _ in range(20)))


# --- limits ---


@on_a_loop
async def test_a_store_that_hangs_is_given_up_at_the_deadline(engine: Engine) -> None:
    """The running unit is abandoned and the waiting one withdrawn: the former is kept after all,
    the latter never ran, and telling both again does no harm.
    """
    database, gate, observer = Faulty(engine.database()), Gate(), Recorder()
    said: list[str] = []
    running, opening = new_sid(), voice(new_sid())
    given = limits()
    async with engine.store(observer, database, limits=given) as store:
        given.deadline = 0.1
        database.before["commit"] = gate
        abandoned = asyncio.create_task(store.run(record, incoming(voice(running))))
        await gate.entered()
        withdrawn = asyncio.create_task(store.run(say("ran", said), opening))
        assert await trouble(abandoned) is Trouble.STORE_DEADLINE
        assert await trouble(withdrawn) is Trouble.STORE_DEADLINE
        given.deadline = PATIENCE
        assert store.waiting == 0
        gate.let_go()
        database.before.clear()
        await eventually(lambda: len(observer.batches) == 1)
        assert [kept.call.sid for kept in engine.records()] == [running]
        facts = list(observer.facts)
        assert await store.run(record, incoming(voice(running))) == dial(FLYER)
        assert observer.facts == facts
    assert said == []
    assert len(engine.records()) == 1


@on_a_loop
async def test_a_full_queue_takes_no_more(engine: Engine) -> None:
    """Beyond so many that wait a webhook is refused at once, and taken again afterwards."""
    async with engine.store(limits=limits(waiting=3)) as store:
        gate, held_up = await hold(store)
        said: list[str] = []
        waiting = [asyncio.create_task(store.run(say("", said), None)) for _ in range(2)]
        await eventually(lambda: store.waiting == 3)
        refused = asyncio.ensure_future(store.run(say("", said), None))
        assert await trouble(refused) is Trouble.STORE_BUSY
        background = asyncio.create_task(store.run(say("", said), None, Lane.BACKGROUND))
        gate.let_go()
        await asyncio.gather(held_up, background, *waiting)
        assert store.waiting == 0
        await store.run(say("", said), None)
    assert len(said) == 4


def test_two_thousand_may_wait_and_the_oldest_a_second() -> None:
    """The limits are those of the architecture, unless a test says otherwise."""
    usual = Limits()
    assert (usual.deadline, usual.waiting, usual.oldest, usual.look) == (1.5, 2_000, 1.0, 0.5)


@on_a_loop
async def test_an_old_queue_takes_no_more(engine: Engine) -> None:
    """While the oldest has waited too long, whoever comes is sent away at once."""
    given = limits(oldest=0.05)
    async with engine.store(limits=given) as store:
        gate, held_up = await hold(store)
        await eventually(lambda: store.oldest_wait() > 0.05)
        refused = asyncio.ensure_future(store.run(record, incoming(voice(new_sid()))))
        assert await trouble(refused) is Trouble.STORE_BUSY
        gate.let_go()
        await held_up
        assert store.oldest_wait() == 0
        await store.run(record, incoming(voice(new_sid())))


@on_a_loop
async def test_a_client_that_goes_away_cancels_nothing(engine: Engine) -> None:
    """Its event is kept even beyond the deadline, and it counts as waiting until then."""
    sids = [new_sid(), new_sid()]
    async with engine.store(limits=limits(deadline=0.1)) as store:
        gate = Gate()
        gone: list[asyncio.Task[Any]] = [asyncio.create_task(store.run(gate, None))]
        await gate.entered()
        gone += [asyncio.create_task(store.run(record, incoming(voice(sid)))) for sid in sids]
        await eventually(lambda: store.waiting == 3)
        for client in gone:
            client.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        assert store.waiting == 3
        await eventually(lambda: store.oldest_wait() == 0)  # the deadline has passed
        gate.let_go()
        await eventually(lambda: store.waiting == 0)
        assert sorted(kept.call.sid for kept in engine.records()) == sids


# --- observers ---


@on_a_loop
async def test_facts_are_counted_before_whoever_waited_goes_on(engine: Engine) -> None:
    """Whoever has an answer may ask the counters about it."""
    observer = Recorder()
    async with engine.store(observer) as store:
        for event in answered_call(new_sid()):
            before = len(observer.batches)
            await store.run(record, incoming(event))
            assert len(observer.batches) == before + 1
        assert len(observer.settled) == 1


class Stumbling(Recorder):
    """An observer with a mistake in it."""

    def batch(self, units: int, seconds: float) -> None:
        raise ZeroDivisionError


@on_a_loop
async def test_an_observer_that_fails_keeps_no_answer_back(engine: Engine) -> None:
    """A mistake in the metrics costs counts, and not one call."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: reported.append(context["exception"])
    )
    async with engine.store(Stumbling()) as store:
        coming = [store.run(record, incoming(voice(new_sid()))) for _ in range(5)]
        assert await asyncio.gather(*coming) == [dial(FLYER)] * 5
    assert {type(error) for error in reported} == {ZeroDivisionError}


# --- the end ---


@on_a_loop
async def test_closing_commits_all_that_waits(engine: Engine) -> None:
    """Both lanes are worked off before the store is closed; then it takes nothing more."""
    said: list[str] = []
    store = engine.store(limits=PATIENT)
    await store.__aenter__()
    gate, held_up = await hold(store)
    waiting = [asyncio.create_task(store.run(say("webhook", said), None)) for _ in range(5)]
    waiting += [
        asyncio.create_task(store.run(say("background", said), None, Lane.BACKGROUND))
        for _ in range(3)
    ]
    await eventually(lambda: store.waiting == 6)
    closing = asyncio.create_task(store.__aexit__())
    await asyncio.sleep(0)
    late = asyncio.ensure_future(store.run(say("late", said), None))
    assert await trouble(late) is Trouble.STORE_CLOSED
    gate.let_go()
    await closing
    assert all(task.done() for task in waiting)
    await asyncio.gather(held_up, *waiting)
    assert sorted(said) == ["background"] * 3 + ["webhook"] * 5


@on_a_loop
async def test_whatever_comes_while_it_closes_is_answered(engine: Engine) -> None:
    """A unit that comes at the last moment is committed or refused, and never forgotten."""
    said: list[str] = []
    for _ in range(10):
        store = engine.store()
        await store.__aenter__()
        coming: list[asyncio.Task[str]] = []

        async def come(store: SqlStore = store, coming: list[Any] = coming) -> None:
            for lane in (Lane.WEBHOOK, Lane.BACKGROUND) * 5:
                coming.append(asyncio.create_task(store.run(say("", said), None, lane)))
                await asyncio.sleep(0)

        visitor = asyncio.create_task(come())
        await asyncio.sleep(0)
        await store.__aexit__()
        await visitor
        async with asyncio.timeout(PATIENCE):
            for result in await asyncio.gather(*coming, return_exceptions=True):
                assert result == "" or (
                    isinstance(result, Transient) and result.reason is Trouble.STORE_CLOSED
                )


@on_a_loop
async def test_a_store_that_hangs_does_not_hold_up_the_end(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Closing waits for the writer so long and no longer, and says so."""
    store = engine.store(limits=limits(deadline=0.05, closing=0.1))
    await store.__aenter__()
    gate, held_up = await hold(store)
    with caplog.at_level(logging.ERROR, "gateway.store"):
        await store.__aexit__()
    assert "closing without it" in caplog.text
    assert await trouble(held_up) is Trouble.STORE_DEADLINE
    gate.let_go()
    await asyncio.to_thread(store._thread.join, PATIENCE)
