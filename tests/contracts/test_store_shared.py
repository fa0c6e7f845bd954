"""Several processes on one PostgreSQL, and what a server can do to them."""

import asyncio
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any

import msgspec
import psycopg
import pytest

from adapters.storage.database import Prepared, Rerun
from adapters.storage.migrate import engine_for, migrate
from adapters.storage.postgres import Postgres
from adapters.storage.provisioning import RouteCache
from adapters.storage.store import SqlStore
from adapters.storage.transaction import Statements, StoreTransaction
from gateway.domain.calls import Call, Noted
from gateway.domain.routing import dial
from gateway.domain.values import EVERYBODY, SECOND
from gateway.errors import Transient, Trouble
from gateway.ports import CallRecord, Lane
from gateway.usecases.calls import Forget, forget, record, sweep
from tests.support.calls import PureFold, answered_call, incoming, new_sid, voice
from tests.support.postgres import PostgresServer
from tests.support.stores import (
    ACME,
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
)

DAY = 86_400 * SECOND


@asynccontextmanager
async def two_stores(engine: Engine, *recorders: Recorder, **options: Any) -> Any:
    """Two processes' stores on one database."""
    one, other = recorders or (Recorder(), Recorder())
    async with engine.store(one, **options) as first, engine.store(other, **options) as second:
        yield first, second


def waiting_for_locks(engine: Engine) -> int:
    """How many of the database's sessions wait for another's lock."""
    return int(
        engine.rows(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )[0][0]
    )


def essence(kept: CallRecord) -> dict[str, Any]:
    """What must not depend on who heard of what first."""
    fields = msgspec.structs.asdict(kept.call)
    return {name: fields[name] for name in fields if name not in ("id", "settled_at")}


# --- two processes ---


@on_a_loop
async def test_two_processes_come_to_what_one_comes_to(postgresql: Engine) -> None:
    """Events of the same calls, on either process and some on both, in any order and at once:
    the calls end as in one process, and each is settled once.
    """
    chance = random.Random(11)
    model, recorders = PureFold(FLYER), (Recorder(), Recorder())
    coming = []
    for _ in range(12):
        for event in answered_call(new_sid()):
            once = incoming(event)
            model.record(once)
            coming += [once] * chance.choice([1, 1, 2])
    chance.shuffle(coming)
    async with two_stores(postgresql, *recorders, limits=PATIENT) as stores:
        await asyncio.gather(*(chance.choice(stores).run(record, each) for each in coming))
    wanted = {key: history.call for key, history in model.histories.items()}
    found = {(kept.call.provider, kept.call.sid): kept for kept in postgresql.records()}
    assert found.keys() == wanted.keys()
    for key, call in wanted.items():
        assert isinstance(call, Call)
        assert essence(found[key]) == essence(CallRecord(call, [], None))
        assert len(found[key].events) == 9
    settled = recorders[0].settled + recorders[1].settled
    assert len(settled) == len(wanted)
    assert postgresql.sizes()["unknown_calls"] == 0


@on_a_loop
async def test_one_webhook_on_both_processes_at_once_opens_one_call(postgresql: Engine) -> None:
    """Both have seen that there is no such call when they write: one of them reads again."""
    both = threading.Barrier(2)
    recorders = (Recorder(), Recorder())
    event = voice(new_sid(), caller=None)

    stores = []
    for recorder in recorders:
        database, first_time = Faulty(postgresql.database()), iter([None])

        def meet(first_time: Iterator[None] = first_time) -> None:
            for _ in first_time:
                both.wait(PATIENCE)

        database.before["write"] = meet
        stores.append(postgresql.store(recorder, database, limits=PATIENT))
    async with stores[0] as first, stores[1] as second:
        replies = await asyncio.gather(
            *(store.run(record, incoming(event)) for store in (first, second))
        )
    assert replies == [dial(FLYER)] * 2
    assert postgresql.sizes()["calls"] == 1
    assert recorders[0].facts + recorders[1].facts == [Noted("withheld_caller")]


@on_a_loop
async def test_both_sweep_and_each_call_is_settled_once(postgresql: Engine) -> None:
    """Whoever comes second finds nothing left to do."""
    recorders = (Recorder(), Recorder())
    events = [voice(new_sid()) for _ in range(15)]
    async with two_stores(postgresql, *recorders, limits=PATIENT) as (first, second):
        await asyncio.gather(*(first.run(record, incoming(event)) for event in events))
        overdue = events[0].received_at + DAY
        await asyncio.gather(
            *(store.run(sweep, overdue, Lane.BACKGROUND) for store in (first, second) * 2)
        )
    assert len(recorders[0].settled + recorders[1].settled) == len(events)
    assert {kept.call.closed_by for kept in postgresql.records()} == {"no_final_event"}


@on_a_loop
async def test_a_call_that_another_process_adopts_is_not_forgotten(postgresql: Engine) -> None:
    """Clean-up waits for whoever works on the call, and then looks again."""
    opening, *others = answered_call(new_sid())
    database, gate = Faulty(postgresql.database()), Gate()
    stores = postgresql.store(database=database, limits=PATIENT), postgresql.store(limits=PATIENT)
    async with stores[0] as adopting, stores[1] as cleaning:
        for event in others:
            await adopting.run(record, incoming(event))
        database.before["commit"] = gate
        adopted = asyncio.create_task(adopting.run(record, incoming(opening)))
        await gate.entered()
        job = Forget("unknown", opening.received_at + DAY)
        forgotten = asyncio.create_task(cleaning.run(forget, job, Lane.BACKGROUND))
        await eventually(lambda: waiting_for_locks(postgresql))
        gate.let_go()
        assert (await adopted, await forgotten) == (dial(FLYER), 0)
    (kept,) = postgresql.records()
    assert (kept.call.talk_seconds, len(kept.events)) == (42, len(others) + 1)


def test_of_two_who_apply_at_once_one_is_refused(postgresql: Engine) -> None:
    """The version is raised once for each; the second reruns, and finds itself late."""
    database = postgresql.database()
    statements = Statements(database.dialect)
    with closing(database.writer()) as first, closing(database.writer()) as second:
        transactions = [StoreTransaction(c, statements, RouteCache()) for c in (first, second)]
        transactions[0].provisioning.write(EVERYBODY, [], [SIGN])
        with ThreadPoolExecutor(1) as thread:
            late = thread.submit(transactions[1].provisioning.write, EVERYBODY, [ACME], [])
            asyncio.run(eventually(lambda: waiting_for_locks(postgresql)))
            first.commit()
            with pytest.raises(Rerun):
                late.result(PATIENCE)
        second.rollback()


# --- locks ---


@contextmanager
def locking(engine: Engine, *sids: str) -> Iterator[psycopg.Connection[Any]]:
    """Another session that holds the keys of some calls."""
    connection = engine.raw()
    assert isinstance(connection, psycopg.Connection)
    with closing(connection):
        connection.execute("BEGIN")
        for sid in sids:
            lock(connection, sid)
        yield connection


def lock(connection: psycopg.Connection[Any], sid: str) -> None:
    """Lock the key of a call, as a batch does."""
    connection.execute("SELECT FROM provider_keys WHERE key = %s FOR UPDATE", [sid])


@on_a_loop
async def test_a_deadlock_costs_a_rerun(postgresql: Engine) -> None:
    """A transaction that PostgreSQL ends to resolve a deadlock runs again, unseen by anybody."""
    if postgresql.rows("SHOW is_superuser") != [("on",)]:
        pytest.skip("only a superuser may choose who is the victim")
    database = postgresql.database()
    name = database.url.rpartition("/")[2]
    with closing(postgresql.raw()) as superuser:
        superuser.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '250ms'")
    observer = Recorder()
    one, two = sorted([new_sid(), new_sid()])
    try:
        async with postgresql.store(observer, limits=PATIENT) as store:
            for sid in (one, two):
                await store.run(record, incoming(voice(sid)))
            observer.batches.clear()
            with locking(postgresql, two) as other:
                other.execute("SET LOCAL deadlock_timeout = '1min'")  # it will not be the victim
                gate = Gate()
                held_up = asyncio.create_task(store.run(gate, None))
                await gate.entered()
                coming = asyncio.gather(
                    *(store.run(record, incoming(answered_call(sid)[1])) for sid in (one, two))
                )
                await eventually(lambda: store.waiting == 3)
                gate.let_go()
                await eventually(lambda: waiting_for_locks(postgresql) == 1)
                await asyncio.to_thread(lock, other, one)
                other.execute("COMMIT")
            await held_up
            await coming
        assert observer.batches == [1, 2]
    finally:
        with closing(postgresql.raw()) as superuser:
            superuser.execute(f"ALTER DATABASE {name} RESET deadlock_timeout")
    assert all(len(kept.events) == 2 for kept in postgresql.records())


@on_a_loop
async def test_a_call_locked_for_long_fails_alone(postgresql: Engine) -> None:
    """After the lock timeout the others are committed, and the locked one may come again."""
    free, locked = new_sid(), new_sid()
    async with postgresql.store(limits=PATIENT) as store:
        for sid in (free, locked):
            await store.run(record, incoming(voice(sid)))
        with locking(postgresql, locked):
            gate = Gate()
            held_up = asyncio.create_task(store.run(gate, None))
            await gate.entered()
            events = [incoming(answered_call(sid)[1]) for sid in (free, locked)]
            coming = asyncio.gather(
                *(store.run(record, each) for each in events), return_exceptions=True
            )
            await eventually(lambda: store.waiting == 3)
            gate.let_go()
            await held_up
            _, failed = await coming
        assert isinstance(failed, Transient)
        assert failed.reason is Trouble.STORE_CONFLICT
        assert store.down is None
        await store.run(record, events[1])
    assert all(len(kept.events) == 2 for kept in postgresql.records())


@on_a_loop
async def test_other_isolation_levels_of_the_server_do_not_matter(postgresql: Engine) -> None:
    """A database whose default is SERIALIZABLE is worked on in READ COMMITTED all the same."""
    name = postgresql.database().url.rpartition("/")[2]
    with closing(postgresql.raw()) as superuser:
        superuser.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = serializable")
    try:
        with closing(postgresql.database().writer()) as connection:
            level = connection.rows(Prepared("SHOW transaction_isolation", (), {}))
        assert level == [("read committed",)]
    finally:
        with closing(postgresql.raw()) as superuser:
            superuser.execute(f"ALTER DATABASE {name} RESET default_transaction_isolation")


# --- the server goes away ---


def end_sessions(engine: Engine) -> None:
    """End all other sessions in the database, as an administrator does."""
    engine.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@on_a_loop
async def test_a_session_ended_at_commit_doubles_nothing(postgresql: Engine) -> None:
    """PostgreSQL ends the connection right before each COMMIT: the unit runs again."""
    database, observer = Faulty(postgresql.database()), Recorder()
    events = answered_call(new_sid())
    async with postgresql.store(observer, database) as store:
        for event in events:
            left = iter([None])

            def end_once(left: Iterator[None] = left) -> None:
                for _ in left:
                    end_sessions(postgresql)

            database.before["commit"] = end_once
            await store.run(record, incoming(event))
    (kept,) = postgresql.records()
    assert len(kept.events) == len(events)
    assert len(observer.settled) == 1


@on_a_loop
async def test_a_session_ended_while_idle_costs_no_call(postgresql: Engine) -> None:
    """The first webhook after it is taken as if nothing had been."""
    async with postgresql.store(limits=PATIENT) as store:
        for _ in range(3):
            end_sessions(postgresql)
            assert await store.run(record, incoming(voice(new_sid()))) == dial(FLYER)


@on_a_loop
async def test_a_server_that_hangs_is_given_up_at_the_deadline(
    own_postgres: PostgresServer,
) -> None:
    """It accepts connections and answers nothing: whoever waits is sent on in time, and when it
    goes on, what was abandoned is kept once.
    """
    url = own_postgres.url()
    engine = Engine("postgres", lambda: Postgres(url, durability="full"))
    migrate(engine_for(engine.database().url))
    engine.provision(ACME, FLYER)
    coming = incoming(voice(new_sid(), caller=None))
    observer = Recorder()
    given = limits(look=PATIENCE)
    async with engine.store(observer, limits=given) as store:
        given.deadline = 0.2
        own_postgres.pause()
        for _ in range(2):
            with pytest.raises(Transient) as late:
                await store.run(record, coming)
            assert late.value.reason is Trouble.STORE_DEADLINE
        given.deadline = PATIENCE
        own_postgres.resume()
        await eventually(lambda: observer.facts)
        assert await store.run(record, coming) == dial(FLYER)
    assert observer.facts == [Noted("withheld_caller")]
    assert engine.sizes()["call_events"] == 1


async def insist(store: SqlStore, event: Any) -> None:
    """Tell an event until it is taken, as the spool does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await store.run(record, event)
            except Transient:
                await asyncio.sleep(0.01)
            else:
                return


@pytest.mark.parametrize("how", ["fast", "kill"])
@on_a_loop
async def test_a_server_that_stops_and_starts_loses_and_doubles_nothing(
    own_postgres: PostgresServer, how: Any
) -> None:
    """Calls go on meanwhile: what was acknowledged is there, and the rest comes in afterwards."""
    url = own_postgres.url()
    engine = Engine("postgres", lambda: Postgres(url, durability="full"))
    migrate(engine_for(engine.database().url))
    engine.provision(ACME, FLYER)
    calls = [answered_call(new_sid()) for _ in range(6)]
    observer = Recorder()
    async with engine.store(observer) as store:
        for events in calls:
            for event in events[:3]:
                await store.run(record, incoming(event))
        coming = [
            asyncio.create_task(insist(store, incoming(event)))
            for events in calls
            for event in events[3:]
        ]
        await asyncio.sleep(0)
        await asyncio.to_thread(own_postgres.stop, how)
        await eventually(lambda: store.down is not None)
        assert store.route(FLYER.number) == FLYER
        with pytest.raises(Transient):
            await store.run(record, incoming(voice(new_sid())))
        await asyncio.to_thread(own_postgres.start)
        await asyncio.gather(*coming)
    kept = engine.records()
    assert len(kept) == len(calls)
    assert {(found.call.talk_seconds, len(found.events)) for found in kept} == {(42, 9)}
