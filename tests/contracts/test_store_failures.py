"""What a store does when a unit, a transaction or the engine fails."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import msgspec
import pytest

from adapters.storage.database import Away, Rerun
from adapters.storage.provisioning import RouteCache
from adapters.storage.store import SqlStore
from gateway.domain.calls import Noted
from gateway.domain.routing import dial
from gateway.errors import Permanent, Refusal, Refused, Transient, Trouble
from gateway.ports import Fact, Transaction
from gateway.usecases.calls import Incoming, record
from tests.support.calls import NUMBER, answered_call, incoming, new_sid, voice
from tests.support.stores import (
    FLYER,
    PATIENCE,
    PATIENT,
    SIGN,
    Engine,
    Faulty,
    Gate,
    Recorder,
    eventually,
    limits,
    on_a_loop,
    times,
)

Unit = tuple[Callable[[Transaction, Any], tuple[Any, Sequence[Fact]]], Any]


async def in_one_batch(store: SqlStore, units: Sequence[Unit]) -> list[Any]:
    """Run ``units`` so that they meet in one transaction; errors come as results."""
    gate = Gate()
    held_up = asyncio.create_task(store.run(gate, None))
    await gate.entered()
    coming = asyncio.gather(*(store.run(*unit) for unit in units), return_exceptions=True)
    await eventually(lambda: store.waiting == len(units) + 1)
    gate.let_go()
    await held_up
    return list(await coming)


class Once:
    """A unit that says that it runs once; it counts how often it did, and replies that."""

    once = True

    def __init__(self) -> None:
        self.ran = 0

    @staticmethod
    def run(tx: Transaction, job: "Once") -> tuple[int, tuple[()]]:
        """The use-case."""
        job.ran += 1
        return job.ran, ()


def write_then(error: Exception) -> Callable[[Transaction, Incoming], Any]:
    """A use-case that keeps its event, and fails."""

    def use_case(tx: Transaction, coming: Incoming) -> Any:
        record(tx, coming)
        raise error

    return use_case


def kept(engine: Engine) -> list[str]:
    """The provider's ids of the calls that are in the store."""
    return sorted(found.call.sid for found in engine.records())


# --- a unit fails ---


@on_a_loop
async def test_a_unit_that_refuses_before_it_writes_fails_alone(engine: Engine) -> None:
    """The others are committed in the same transaction."""
    observer = Recorder()
    sids = [new_sid(), new_sid()]
    units: list[Unit] = [(record, incoming(voice(sid))) for sid in sids]
    units.insert(1, (record, incoming(voice(new_sid(), number="+815039999999"))))
    async with engine.store(observer, limits=PATIENT) as store:
        first, refused, last = await in_one_batch(store, units)
    assert (first, last) == (dial(FLYER), dial(FLYER))
    assert isinstance(refused, Refused)
    assert observer.batches == [1, 3]
    assert kept(engine) == sids


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (ZeroDivisionError("+819012345678"), Permanent),
        (Refused(Refusal.ABSURD_VALUE), Refused),
        (Transient(Trouble.STORE_CONFLICT), Transient),
    ],
    ids=["mistake", "late refusal", "transient"],
)
@on_a_loop
async def test_a_unit_that_fails_in_a_batch_takes_none_with_it(
    engine: Engine, error: Exception, wanted: type[Exception]
) -> None:
    """The others are committed one by one, it fails alone, and nothing of it is kept."""
    observer = Recorder()
    sids = [new_sid(), new_sid()]
    units: list[Unit] = [(record, incoming(voice(sid))) for sid in sids]
    units.insert(1, (write_then(error), incoming(voice(new_sid()))))
    async with engine.store(observer, limits=PATIENT) as store:
        first, failed, last = await in_one_batch(store, units)
        assert (first, last) == (dial(FLYER), dial(FLYER))
        assert isinstance(failed, wanted)
        assert "+8190" not in str(failed)
        assert observer.batches == [1, 1, 1]
        assert kept(engine) == sids
        assert await store.run(record, incoming(voice(new_sid()))) == dial(FLYER)


@on_a_loop
async def test_what_the_engine_refuses_fails_alone(engine: Engine) -> None:
    """A value that a column does not take costs its own unit, and its text is told to nobody."""
    good, bad = incoming(voice(new_sid())), incoming(voice(new_sid()))
    none = Incoming(bad.event, bad.id, object())  # type: ignore[arg-type]
    async with engine.store(limits=PATIENT) as store:
        first, failed = await in_one_batch(store, [(record, good), (record, none)])
        assert first == dial(FLYER)
        assert isinstance(failed, Permanent)
        assert failed.reason is Trouble.STORE_FAULT
    assert kept(engine) == [good.event.call]


# --- a transaction fails ---


@on_a_loop
async def test_a_transaction_that_lost_runs_again(engine: Engine) -> None:
    """Three losses go unseen, and facts are counted once."""
    database, observer = Faulty(engine.database()), Recorder()
    events = answered_call(new_sid())
    async with engine.store(observer, database) as store:
        database.before["write"] = times(3, Rerun("deadlock detected"))
        for event in events:
            await store.run(record, incoming(event))
    (found,) = engine.records()
    assert len(found.events) == len(events)
    assert len(observer.settled) == 1


@on_a_loop
async def test_a_transaction_that_lost_four_times_is_given_back(engine: Engine) -> None:
    """Whoever waits is told to come again, and the next one is taken."""
    database, observer = Faulty(engine.database()), Recorder()
    withheld = incoming(voice(new_sid(), caller=None))
    async with engine.store(observer, database) as store:
        database.before["write"] = times(4, Rerun("deadlock detected"))
        with pytest.raises(Transient) as lost:
            await store.run(record, withheld)
        assert lost.value.reason is Trouble.STORE_CONFLICT
        assert store.down is None
        assert (observer.facts, observer.batches) == ([], [])
        await store.run(record, withheld)
    assert len(kept(engine)) == 1
    assert observer.facts == [Noted("withheld_caller")]


@on_a_loop
async def test_an_id_that_is_taken_fails_alone_and_for_good(engine: Engine) -> None:
    """Two processes that made the same id: the second call is a unit's own failure, which neither
    its neighbours share nor a spool waits for, and the first call stays as it is.
    """
    first, good = incoming(voice(new_sid())), incoming(voice(new_sid()))
    double = msgspec.structs.replace(incoming(voice(new_sid(), number=SIGN.number)), id=first.id)
    async with engine.store(limits=PATIENT) as store:
        await store.run(record, first)
        (before,) = engine.records()
        reply, failed = await in_one_batch(store, [(record, good), (record, double)])
    assert reply == dial(FLYER)
    assert isinstance(failed, Permanent)
    assert before in engine.records()
    assert failed.reason is Trouble.STORE_FAULT
    assert kept(engine) == sorted([first.event.call, good.event.call])


@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "did not arrive"])
@on_a_loop
async def test_a_connection_lost_at_commit_doubles_nothing(engine: Engine, arrived: bool) -> None:
    """Whether the COMMIT had arrived or not: every event once, every fact once."""
    database, observer = Faulty(engine.database()), Recorder()
    events = answered_call(new_sid())
    async with engine.store(observer, database) as store:
        for event in events:
            hooks = database.after if arrived else database.before
            hooks["commit"] = times(1, Away("connection reset by peer"))
            reply = await store.run(record, incoming(event))
            assert reply == await store.run(record, incoming(event))
    (found,) = engine.records()
    assert len(found.events) == len(events)
    assert len(observer.settled) == 1
    assert engine.sizes()["call_payloads"] == len(events)


@pytest.mark.parametrize(
    ("arrived", "losses"),
    [(True, 0), (False, 0), (False, 4)],
    ids=["arrived", "did not arrive", "others lose after it"],
)
@on_a_loop
async def test_what_runs_once_does_not_run_again_after_a_lost_commit(
    engine: Engine, arrived: bool, losses: int
) -> None:
    """It fails as of a store that is away, whatever comes of its neighbours, which run again."""
    database, once, sid = Faulty(engine.database()), Once(), new_sid()

    def lose() -> None:
        if once.ran:
            del hooks["commit"]
            database.before["write"] = times(losses, Rerun("deadlock detected"))
            raise Away("connection reset by peer")

    hooks = database.after if arrived else database.before
    async with engine.store(database=database, limits=PATIENT) as store:
        hooks["commit"] = lose
        units: list[Unit] = [(Once.run, once), (record, incoming(voice(sid)))]
        failed, other = await in_one_batch(store, units)
    assert once.ran == 1
    assert isinstance(failed, Transient)
    assert failed.reason is Trouble.STORE_DOWN
    if losses:
        assert isinstance(other, Transient)
        assert other.reason is Trouble.STORE_CONFLICT
    else:
        assert other == dial(FLYER)
    assert kept(engine) == ([] if losses else [sid])


@on_a_loop
async def test_what_runs_once_runs_again_where_nothing_was_committed(engine: Engine) -> None:
    """A transaction that lost against another is taken back, with all that it did."""
    database, once = Faulty(engine.database()), Once()
    async with engine.store(database=database, limits=PATIENT) as store:
        database.before["write"] = times(2, Rerun("deadlock detected"))
        units: list[Unit] = [(Once.run, once), (record, incoming(voice(new_sid())))]
        assert await in_one_batch(store, units) == [3, dial(FLYER)]


@on_a_loop
async def test_a_deadline_does_not_lose_the_facts_of_a_lost_commit(engine: Engine) -> None:
    """Nobody waits any more while the connection is made anew, and still facts are counted."""
    database, observer, gate = Faulty(engine.database()), Recorder(), Gate()
    *others, last = answered_call(new_sid())
    given = limits()
    async with engine.store(observer, database, limits=given) as store:
        for event in others:
            await store.run(record, incoming(event))
        given.deadline = 0.2
        database.after["commit"] = times(1, Away("connection reset by peer"))
        database.before["writer"] = gate
        coming = asyncio.create_task(store.run(record, incoming(last)))
        await gate.entered()
        with pytest.raises(Transient):
            await coming
        given.deadline = PATIENCE
        gate.let_go()
        await eventually(lambda: observer.settled)
        await store.run(record, incoming(last))
    assert len(observer.settled) == 1


# --- the engine is away ---


@on_a_loop
async def test_a_store_that_went_away_comes_back_by_itself(engine: Engine) -> None:
    """Meanwhile it refuses at once, and still knows the routes."""
    database = Faulty(engine.database())
    async with engine.store(database=database) as store:
        gone = times(10**6, Away("connection refused"))
        database.before |= {"rows": gone, "writer": gone}
        with pytest.raises(Transient) as refused:
            await store.run(record, incoming(voice(new_sid())))
        assert refused.value.reason is Trouble.STORE_DOWN
        assert store.down == "connection refused"
        assert store.waiting == 0
        with pytest.raises(Transient):
            await store.run(record, incoming(voice(new_sid())))
        assert store.route(NUMBER) == FLYER
        database.before.clear()
        await eventually(lambda: store.down is None)
        await store.run(record, incoming(voice(new_sid())))
    assert len(kept(engine)) == 1


@on_a_loop
async def test_all_that_waited_are_told_when_the_store_goes_away(engine: Engine) -> None:
    """A whole batch is given back at once, with one attempt to connect."""
    database, attempts = Faulty(engine.database()), list[None]()

    def refuse() -> None:
        attempts.append(None)
        raise Away("connection refused")

    async with engine.store(database=database, limits=PATIENT) as store:
        database.before["write"] = times(1, Away("server closed the connection"))
        database.before["writer"] = refuse
        units: list[Unit] = [(record, incoming(voice(new_sid()))) for _ in range(50)]
        results = await in_one_batch(store, units)
        assert {error.reason for error in results} == {Trouble.STORE_DOWN}
        assert len(attempts) <= 2  # a look around may come between
        database.before.clear()


@on_a_loop
async def test_a_store_that_goes_away_between_units_is_not_asked_for_each(engine: Engine) -> None:
    """Where units run one by one after a failure, the rest is given back at once."""
    database, attempts = Faulty(engine.database()), list[None]()

    def refuse() -> None:
        attempts.append(None)
        raise Away("connection refused")

    async with engine.store(database=database, limits=limits(look=0.5)) as store:
        database.before |= {"write": times(10**6, Away("gone")), "writer": refuse}
        units: list[Unit] = [(record, incoming(voice(new_sid()))) for _ in range(20)]
        units.insert(0, (write_then(ZeroDivisionError()), incoming(voice(new_sid()))))
        failed, *others = await in_one_batch(store, units)
        assert isinstance(failed, Permanent)
        assert {error.reason for error in others} == {Trouble.STORE_DOWN}
        assert len(attempts) <= 2  # a look around may come between
        database.before.clear()


@on_a_loop
async def test_a_store_that_reads_but_does_not_write_is_away(engine: Engine) -> None:
    """On a full disk only a write tells: it is not taken for back while writes fail."""
    database, looks = Faulty(engine.database()), list[None]()

    def full() -> None:
        looks.append(None)
        raise Away("database or disk is full")

    async with engine.store(database=database) as store:
        database.before |= {"write": full, "run": full}
        with pytest.raises(Transient):
            await store.run(record, incoming(voice(new_sid())))
        looks.clear()
        await eventually(lambda: len(looks) == 2)
        assert store.down == "database or disk is full"
        database.before.clear()
        await eventually(lambda: store.down is None)


@on_a_loop
async def test_a_start_without_the_engine_knows_the_routes_of_the_snapshot(engine: Engine) -> None:
    """A store opens even so; without a snapshot it says that it cannot tell."""
    database, cache = Faulty(engine.database()), RouteCache()
    cache.numbers[NUMBER] = FLYER
    gone = times(10**6, Away("connection refused"))
    database.before["writer"] = gone
    async with engine.store(database=database, cache=cache) as store:
        assert store.down == "connection refused"
        assert store.route(NUMBER) == FLYER
        assert store.route("+815039999999") is None
        database.before.clear()
        await eventually(lambda: store.down is None)
        assert await store.run(record, incoming(voice(new_sid()))) == dial(FLYER)
        assert store.start_number == 1
    database.before["writer"] = gone
    async with engine.store(database=database) as store:
        with pytest.raises(Transient) as unknown:
            store.route(NUMBER)
        assert unknown.value.reason is Trouble.STORE_DOWN


@on_a_loop
async def test_a_connection_that_died_unused_is_replaced_at_once(engine: Engine) -> None:
    """An idle connection that a firewall cut costs no call."""
    database, given = Faulty(engine.database()), limits()
    opened: list[None] = []
    lost = times(1, Away("connection reset by peer"))

    def lose_it() -> None:
        given.look = 2 * PATIENCE  # whoever waited for the next look would wait for long
        lost()

    async with engine.store(database=database, limits=given) as store:
        database.before["writer"] = lambda: opened.append(None)
        database.before["commit"] = lose_it
        await eventually(lambda: opened and store.down is None)
        await store.run(record, incoming(voice(new_sid())))
    assert len(opened) == 1


@on_a_loop
async def test_a_store_that_another_holds_is_busy_and_not_away(engine: Engine) -> None:
    """A probe that meets a lock says nothing of the store."""
    database, met = Faulty(engine.database()), list[None]()

    def locked() -> None:
        met.append(None)
        raise Rerun("database is locked")

    async with engine.store(database=database) as store:
        database.before["rows"] = locked
        await eventually(lambda: len(met) == 2)
        assert store.down is None
        database.before.clear()
        await store.run(record, incoming(voice(new_sid())))


@on_a_loop
async def test_a_mistake_in_a_probe_does_not_end_the_writer(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a look around raises, the writer looks again."""
    database = Faulty(engine.database())
    async with engine.store(database=database) as store:
        with caplog.at_level(logging.ERROR, "gateway.store"):
            database.before["rows"] = times(2, LookupError("nobody thought of it"))
            await eventually(lambda: store.down is not None)
        assert "nobody thought of it" in caplog.text
        await eventually(lambda: store.down is None)
        await store.run(record, incoming(voice(new_sid())))


# --- SQLite's own ---


@on_a_loop
async def test_a_locked_file_is_waited_for(sqlite: Engine) -> None:
    """While a command writes to the file, webhooks wait, and are taken when it is done."""
    database, begun = Faulty(sqlite.database()), asyncio.Event()
    loop = asyncio.get_running_loop()
    async with sqlite.store(database=database) as store:
        with closing(sqlite.raw()) as other:
            other.execute("BEGIN IMMEDIATE")
            database.before["begin"] = lambda: loop.call_soon_threadsafe(begun.set)
            coming = asyncio.create_task(store.run(record, incoming(voice(new_sid()))))
            await begun.wait()
            assert not coming.done()
            other.execute("COMMIT")
        assert await coming == dial(FLYER)


@on_a_loop
async def test_a_file_locked_for_long_is_given_up_at_the_deadline(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is not taken for away: it takes the next call when the lock is gone."""
    monkeypatch.setattr("adapters.storage.sqlite._PATIENT_SECONDS", 0.05)
    given = limits()
    async with sqlite.store(limits=given) as store:
        with closing(sqlite.raw()) as other:
            other.execute("BEGIN IMMEDIATE")
            given.deadline = 0.1
            with pytest.raises(Transient) as late:
                await store.run(record, incoming(voice(new_sid())))
            assert late.value.reason in {Trouble.STORE_DEADLINE, Trouble.STORE_CONFLICT}
            given.deadline = PATIENCE
            other.execute("COMMIT")
        assert store.down is None
        assert await store.run(record, incoming(voice(new_sid()))) == dial(FLYER)


@on_a_loop
async def test_a_full_disk_is_away_until_there_is_room(sqlite: Engine) -> None:
    """A file that cannot grow takes nothing, loses nothing, and goes on when it can."""
    database = Faulty(sqlite.database())
    async with sqlite.store(database=database) as store:
        await store.run(record, incoming(voice(new_sid())))
        connection: Any = store._connection
        driver = connection._inner._sqlite
        (pages,) = driver.execute("PRAGMA page_count").fetchone()
        driver.execute(f"PRAGMA max_page_count = {pages}")
        big = incoming(voice(new_sid()))
        database.before["writer"] = times(1, Away("still no room"))
        with pytest.raises(Transient) as full:
            await store.run(record, Incoming(big.event, big.id, "x" * 100_000))
        assert full.value.reason is Trouble.STORE_DOWN
        await eventually(lambda: store.down is None)
        assert await store.run(record, big) == dial(FLYER)
    assert len(kept(sqlite)) == 2
