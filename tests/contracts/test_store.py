"""What a store keeps, whichever engine it stands on."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from adapters.storage.database import reading
from adapters.storage.store import SqlStore
from gateway.domain.calls import Event, Noted
from gateway.domain.routing import TrackedNumber, dial
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import (
    ACKNOWLEDGE,
    EVERYBODY,
    HANGUP,
    SECOND,
    Dial,
    Reply,
    Scope,
    encode_reply,
    micros,
)
from gateway.errors import Refusal, Refused, Transient, Trouble
from gateway.ports import CallRecord, Lane, Transaction
from gateway.usecases import provisioning
from gateway.usecases.calls import FORGET_AT_ONCE, Forget, Incoming, forget, record, sweep
from gateway.usecases.provisioning import Change, Changes
from tests.domain.call_model import stories
from tests.support.calls import (
    CALLER,
    NUMBER,
    START,
    PureFold,
    answered_call,
    dialed,
    ended,
    incoming,
    leg,
    new_sid,
    voice,
)
from tests.support.stores import (
    ACME,
    FLYER,
    OTHER,
    PATIENT,
    SIGN,
    Engine,
    Faulty,
    Gate,
    Recorder,
    eventually,
    on_a_loop,
    reader_of,
    statements_of,
)

DAY = 86_400 * SECOND


async def tell(store: SqlStore, events: Sequence[Event]) -> list[Reply]:
    """Record ``events`` one after the other."""
    return [await store.run(record, incoming(event)) for event in events]


async def tell_at_once(store: SqlStore, coming: Sequence[Incoming]) -> list[Any]:
    """Record all of them in as few transactions as the store likes; refusals come as ``None``."""
    results = await asyncio.gather(
        *(store.run(record, each) for each in coming), return_exceptions=True
    )
    for result in results:
        assert not isinstance(result, BaseException) or isinstance(result, Refused)
    return [None if isinstance(result, Refused) else result for result in results]


def held(record: CallRecord) -> tuple[Any, set[Event]]:
    """A call and its events as the store gives them back: without what only opens a call."""
    return record.call, set(record.events)


def folded(model: PureFold) -> dict[tuple[str, str], tuple[Any, set[Event]]]:
    """The calls of the pure fold, in the same form, by their keys."""
    return {
        key: (history.call, {told(event) for event in history.events})
        for key, history in model.histories.items()
        if history.call is not None
    }


def told(event: Event) -> Event:
    """``event`` without the number and the caller, which are kept with the call."""
    return Event(
        event.provider,
        event.call,
        event.kind,
        event.received_at,
        event.leg,
        event.seq,
        event.status,
        event.provider_at,
        event.duration,
        event.bridged,
        event.detail,
    )


# --- events ---


@on_a_loop
async def test_a_call_is_kept_with_all_that_its_events_add_up_to(engine: Engine) -> None:
    """A whole call through the store is what the pure fold makes of its events."""
    observer, model = Recorder(), PureFold(FLYER)
    coming = [incoming(event) for event in answered_call(new_sid())]
    async with engine.store(observer) as store:
        replies = [await store.run(record, each) for each in coming]
    assert replies == [model.record(each) for each in coming]
    assert replies[0] == dial(FLYER)
    assert replies[-2:] == [HANGUP, ACKNOWLEDGE]
    (kept,) = engine.records()
    assert held(kept) == folded(model)[coming[0].key]
    assert (kept.call.result, kept.call.ring_seconds, kept.call.talk_seconds) == ("answered", 6, 42)
    assert (kept.call.outcome, kept.call.outcome_reason) == ("accepted", "min_talk_seconds")
    assert observer.facts == model.facts
    assert len(observer.settled) == 1


@on_a_loop
async def test_a_carrier_s_absurd_clock_costs_no_event(engine: Engine) -> None:
    """Thousands of years between two of its times are kept as what a column holds at the most."""
    sid = new_sid()
    times = (("ringing", 1, 1900), ("in-progress", 2, 9000))
    legs = [
        msgspec.structs.replace(
            leg(sid, status, seq, START), provider_at=micros(datetime(year, 1, 1, tzinfo=UTC))
        )
        for status, seq, year in times
    ]
    async with engine.store() as store:
        await tell(store, [voice(sid), *legs])
    (kept,) = engine.records()
    assert (kept.call.state, kept.call.ring_seconds) == ("talking", 2**31 - 1)


@on_a_loop
async def test_a_repeated_event_gets_the_first_reply_and_no_facts(engine: Engine) -> None:
    """Each event told twice leaves the store as it was, and is answered as it was."""
    observer = Recorder()
    events = answered_call(new_sid())
    async with engine.store(observer) as store:
        first = await tell(store, events)
        facts, sizes = list(observer.facts), engine.sizes()
        engine.provision(TrackedNumber(NUMBER, "acme", "flyer", ("+81399999999",)))
        assert await tell(store, events) == first
    assert observer.facts == facts
    assert engine.sizes() == sizes


@on_a_loop
async def test_an_event_repeated_in_one_transaction_is_kept_once(engine: Engine) -> None:
    """A duplicate that waits beside the original gets its reply, too."""
    observer = Recorder()
    event = voice(new_sid())
    async with engine.store(observer, limits=PATIENT) as store:
        gate = Gate()
        held_up = asyncio.create_task(store.run(gate, None))
        await gate.entered()
        both = asyncio.gather(*(store.run(record, incoming(event)) for _ in range(2)))
        await eventually(lambda: store.waiting == 3)
        gate.let_go()
        await held_up
        assert await both == [dial(FLYER)] * 2
    assert observer.batches == [1, 2]
    assert engine.sizes()["call_events"] == 1


@on_a_loop
async def test_a_call_that_comes_in_one_transaction_with_its_events_was_never_unknown(
    engine: Engine,
) -> None:
    """Events that wait beside their call's own webhook leave nothing among the unknown."""
    opening, *others = answered_call(new_sid())
    async with engine.store(limits=PATIENT) as store:
        gate = Gate()
        held_up = asyncio.create_task(store.run(gate, None))
        await gate.entered()
        coming = asyncio.create_task(
            tell_at_once(store, [incoming(event) for event in [*others, opening]])
        )
        await eventually(lambda: store.waiting == 10)
        gate.let_go()
        await asyncio.gather(held_up, coming)
    (kept,) = engine.records()
    assert (kept.call.talk_seconds, len(kept.events)) == (42, 9)
    assert engine.sizes()["unknown_calls"] == 0


@on_a_loop
async def test_events_of_an_unknown_call_are_folded_in_when_it_comes(engine: Engine) -> None:
    """What comes before the call's own webhook is kept raw, listed nowhere, and adopted."""
    observer = Recorder()
    sid = new_sid()
    opening, *others = answered_call(sid)
    async with engine.store(observer) as store:
        assert await tell(store, others) == [ACKNOWLEDGE] * 6 + [HANGUP, ACKNOWLEDGE]
        assert engine.records() == []
        assert engine.rows("SELECT sid FROM unknown_calls") == [(sid,)]
        assert set(observer.facts) == {Noted("unknown_call")}
        assert await store.run(record, incoming(opening)) == dial(FLYER)
    (kept,) = engine.records()
    assert (kept.call.state, kept.call.talk_seconds) == ("ended", 42)
    assert len(kept.events) == len(others) + 1
    assert Noted("events_adopted") in observer.facts
    assert len(observer.settled) == 1
    assert engine.sizes()["unknown_calls"] == 0
    assert engine.sizes()["call_payloads"] == len(others) + 1


@on_a_loop
async def test_a_call_to_an_unknown_number_is_refused_and_not_kept(engine: Engine) -> None:
    """The refusal leaves no trace in any table."""
    before = engine.sizes()
    async with engine.store() as store:
        with pytest.raises(Refused) as refused:
            await store.run(record, incoming(voice(new_sid(), number="+815039999999")))
    assert refused.value.reason is Refusal.UNKNOWN_NUMBER
    assert engine.sizes() == before


@on_a_loop
async def test_raw_parameters_are_kept_as_they_came(engine: Engine) -> None:
    """The payload of an event is what the carrier sent, whatever it is written in."""
    raw = "CallSid=CA1&SpeechResult=もしもし%20\"'&Digits="
    coming = incoming(voice(new_sid()))
    async with engine.store() as store:
        await store.run(record, Incoming(coming.event, coming.id, raw))
    assert engine.rows("SELECT body FROM call_payloads") == [(raw,)]


@on_a_loop
async def test_the_reply_given_while_the_store_was_away_stands(engine: Engine) -> None:
    """A replayed event keeps the answer and the route of its time, not today's."""
    former = TrackedNumber(NUMBER, "other", "sign", ("+81311111111",))
    event = voice(new_sid())
    async with engine.store() as store:
        spooled = incoming(event, answered=dial(former), route=former)
        assert await store.run(record, spooled, Lane.BACKGROUND) == dial(former)
        assert await store.run(record, incoming(event)) == dial(former)
    (kept,) = engine.records()
    assert (kept.call.advertiser, kept.call.medium) == ("other", "sign")


@on_a_loop
async def test_a_caller_of_before_is_known_by_the_settled_call(engine: Engine) -> None:
    """``repeat`` tells whether the caller had called this advertiser before, once settled."""
    calls = {
        "first": answered_call(new_sid(), START),
        "again": answered_call(new_sid(), START + DAY),
        "elsewhere": answered_call(new_sid(), START + 2 * DAY, number=SIGN.number),
        "another caller": answered_call(new_sid(), START + 3 * DAY, caller="+81312340000"),
        "withheld": answered_call(new_sid(), START + 4 * DAY, caller=None),
        "in progress": answered_call(new_sid(), START + 5 * DAY)[:5],
    }
    async with engine.store() as store:
        for name in random.Random(5).sample(list(calls), len(calls)):
            await tell(store, calls[name])
    repeats = {record.call.sid: record.repeat for record in engine.records()}
    assert {name: repeats[events[0].call] for name, events in calls.items()} == {
        "first": False,
        "again": True,
        "elsewhere": False,
        "another caller": False,
        "withheld": None,
        "in progress": None,
    }


# --- the pure fold ---


@st.composite
def traffic(draw: st.DrawFn) -> list[list[Incoming] | int]:
    """Events of several calls in any order, some of them twice, in groups; sweeps between."""
    coming: list[Incoming] = []
    for story in draw(st.lists(stories(), min_size=1, max_size=3)):
        sid = new_sid()
        for event in story.events:
            renamed = Event(**{**_fields(event), "call": sid})
            coming += [incoming(renamed, route=story.route)] * draw(st.sampled_from([0, 1, 1, 2]))
    coming = draw(st.permutations(coming))
    steps: list[list[Incoming] | int] = []
    while coming:
        size = draw(st.integers(1, 8))
        steps.append(coming[:size])
        coming = coming[size:]
        if draw(st.booleans()):
            latest = max(each.event.received_at for each in steps[-1])  # type: ignore[union-attr]
            steps.append(latest + draw(st.integers(0, 4 * 3600)) * SECOND)
    return steps


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def test_any_traffic_through_the_store_is_the_pure_fold_of_it(engine: Engine) -> None:
    """Whatever comes in whatever order, twice or in groups: replies, calls and facts are those
    of the use-cases over plain dictionaries.
    """

    @hypothesis.settings(max_examples=20 if engine.name == "sqlite" else 15)
    @hypothesis.given(traffic())
    def the_same(steps: list[list[Incoming] | int]) -> None:
        observer, model = Recorder(), PureFold()

        async def play() -> None:
            async with engine.store(observer) as store:
                for step in steps:
                    if isinstance(step, int):
                        assert await store.run(sweep, step, Lane.BACKGROUND) == model.sweep(step)
                    else:
                        replies = await tell_at_once(store, step)
                        assert replies == [model.record(each) for each in step]

        asyncio.run(play())
        kept = {(r.call.provider, r.call.sid): held(r) for r in engine.records()}
        wanted = folded(model)
        assert {key: kept.get(key) for key in wanted} == wanted
        assert sorted(map(repr, observer.facts)) == sorted(map(repr, model.facts))
        # The next example's sweep must not find the calls of this one.
        with closing(engine.raw()) as connection:
            connection.execute("UPDATE calls SET due_at = NULL")

    the_same()


# --- reading ---


@on_a_loop
async def test_calls_are_read_oldest_first_within_scope_and_time(engine: Engine) -> None:
    """A page is what the scope covers, since an instant, after an id, and no more than asked."""
    calls = [
        (new_sid(), START + n * SECOND, SIGN.number if n % 3 == 0 else NUMBER) for n in range(9)
    ]
    async with engine.store() as store:
        for sid, at, number in random.Random(1).sample(calls, len(calls)):
            await store.run(record, incoming(voice(sid, at, number=number)))
        reader = reader_of(engine.name)

        async def page(scope: Scope, after: int = -1, since: int = 0, limit: int = 99) -> list[str]:
            found = await store.read(reader.page, scope, after=after, since=since, limit=limit)
            return [record.call.sid for record in found]

        sids = [sid for sid, _, _ in calls]
        acme, other = Scope(frozenset({"acme"})), Scope(frozenset({"other", "nobody"}))
        assert await page(EVERYBODY) == sids
        assert await page(EVERYBODY, limit=4) == sids[:4]
        assert await page(EVERYBODY, since=START + 3 * SECOND) == sids[3:]
        assert await page(EVERYBODY, since=START + 3 * SECOND + 1) == sids[4:]
        assert await page(acme) == [sid for n, sid in enumerate(sids) if n % 3]
        assert await page(other) == [sid for n, sid in enumerate(sids) if n % 3 == 0]
        assert await page(Scope(frozenset())) == []
        fourth = engine.records()[3].call.id
        assert await page(EVERYBODY, after=fourth) == sids[4:]


@on_a_loop
async def test_every_call_is_read_however_many_there_are(engine: Engine) -> None:
    """Reading all goes page by page, and ends at the limit."""
    async with engine.store() as store:
        events = [voice(new_sid(), START + n * SECOND) for n in range(1_003)]
        await tell_at_once(store, [incoming(event) for event in events])
    sids = [event.call for event in events]
    assert [record.call.sid for record in engine.records()] == sids
    with closing(engine.database().reader()) as connection:
        every = reader_of(engine.name).every
        for limit in (1, 500, 501, 1_003, 2_000):
            found = every(connection, EVERYBODY, since=0, limit=limit)
            assert [record.call.sid for record in found] == sids[:limit]


@on_a_loop
async def test_a_call_is_found_by_its_time_though_its_first_event_came_earlier(
    engine: Engine,
) -> None:
    """An adopted call has the id of its first event, and is listed since its own webhook."""
    sid = new_sid()
    async with engine.store() as store:
        await store.run(record, incoming(leg(sid, "initiated", 0, START - 30 * SECOND)))
        await store.run(record, incoming(voice(sid, START)))
    assert [record.call.sid for record in engine.records(since=START)] == [sid]
    assert engine.records(since=START + 1) == []


@on_a_loop
async def test_calls_in_progress_are_counted(engine: Engine) -> None:
    """What is not settled is in progress."""
    async with engine.store() as store:
        reader = reader_of(engine.name)
        await tell(store, answered_call(new_sid()))
        assert await store.read(reader.in_progress) == 0
        await store.run(record, incoming(voice(new_sid())))
        assert await store.read(reader.in_progress) == 1


# --- sweeps ---


@on_a_loop
async def test_a_call_that_fell_silent_is_closed_once(engine: Engine) -> None:
    """The sweep closes, settles and names the reason; the next one finds nothing to do."""
    observer = Recorder()
    events = answered_call(new_sid())[:6]
    silent = events[-1].received_at + (FLYER.time_limit_seconds + 120) * SECOND
    async with engine.store(observer) as store:
        await tell(store, events)
        assert await store.run(sweep, silent - SECOND, Lane.BACKGROUND) == 0
        assert await store.run(sweep, silent, Lane.BACKGROUND) == 1
        assert await store.run(sweep, silent + DAY, Lane.BACKGROUND) == 0
        await tell(store, [events[-1]])
    (kept,) = engine.records()
    assert (kept.call.state, kept.call.closed_by) == ("ended", "no_end_of_talk")
    assert kept.call.settled_at == silent
    assert len(observer.settled) == 1
    assert observer.facts.count(Noted("swept")) == 1


@on_a_loop
async def test_a_call_that_outlived_its_key_is_swept_all_the_same(engine: Engine) -> None:
    """A daemon that was off for weeks forgets the keys first, and still closes the calls."""
    sid = new_sid()
    async with engine.store() as store:
        await store.run(record, incoming(voice(sid, START)))
        assert await store.run(forget, Forget("keys", START + DAY), Lane.BACKGROUND) == 1
        # A late event finds no call under the key, and waits under an id of its own.
        await store.run(record, incoming(ended(sid, START + 50 * DAY)))
        assert await store.run(sweep, START + 50 * DAY, Lane.BACKGROUND) == 1
        assert await store.run(sweep, START + 50 * DAY, Lane.BACKGROUND) == 0
    (kept,) = engine.records()
    assert (kept.call.state, kept.call.closed_by) == ("ended", "no_final_event")


@on_a_loop
async def test_a_webhook_and_a_sweep_of_one_call_share_a_transaction(engine: Engine) -> None:
    """The sweep sees what the webhook before it has just told."""
    observer = Recorder()
    sid = new_sid()
    overdue = START + DAY
    async with engine.store(observer, limits=PATIENT) as store:
        await store.run(record, incoming(voice(sid)))
        gate = Gate()
        held_up = asyncio.create_task(store.run(gate, None))
        await gate.entered()
        swept = asyncio.create_task(store.run(sweep, overdue, Lane.BACKGROUND))
        came = asyncio.create_task(store.run(record, incoming(ended(sid, overdue))))
        await eventually(lambda: store.waiting == 2)
        gate.let_go()
        await held_up
        assert (await came, await swept) == (ACKNOWLEDGE, 1)
    assert observer.batches == [1, 1, 2]
    (kept,) = engine.records()
    assert (kept.call.state, kept.call.closed_by) == ("ended", "status")
    assert kept.call.settled_at is None


# --- retention ---


async def forget_all(store: SqlStore, what: str, before: int) -> list[int]:
    """How much went in each piece, until nothing is left."""
    pieces = []
    while went := await store.run(forget, Forget(what, before), Lane.BACKGROUND):
        pieces.append(went)
    return pieces


@on_a_loop
async def test_raw_payloads_go_without_a_change_to_any_call(engine: Engine) -> None:
    """After their days, what the carrier sent is gone, and calls read as before."""
    async with engine.store() as store:
        await tell(store, answered_call(new_sid(), START))
        await tell(store, answered_call(new_sid(), START + 2 * DAY))
        before, sizes = engine.records(), engine.sizes()
        assert await forget_all(store, "payloads", START + DAY) == [9]
    assert engine.records() == before
    assert engine.sizes() == sizes | {"call_payloads": 9}


@on_a_loop
async def test_keys_go_and_are_not_looked_for_again(engine: Engine) -> None:
    """A call whose key went reads as before; the next time only newer keys are looked at."""
    old, young = answered_call(new_sid(), START), answered_call(new_sid(), START + 2 * DAY)
    async with engine.store() as store:
        await tell(store, old + young)
        before = engine.records()
        assert await forget_all(store, "keys", START + DAY) == [1]
        assert engine.rows("SELECT key FROM provider_keys") == [(young[0].call,)]
        assert await forget_all(store, "keys", START + 3 * DAY) == [1]
    assert engine.records() == before
    assert engine.rows("SELECT count(*) FROM retention") == [(1,)]


@on_a_loop
async def test_old_calls_go_with_all_that_belongs_to_them(engine: Engine) -> None:
    """Events, payloads, keys and the memory of their callers go; younger calls stay."""
    async with engine.store() as store:
        await tell(store, answered_call(new_sid(), START, caller="+81312340000"))
        await tell(store, young := answered_call(new_sid(), START + 2 * DAY))
        assert await forget_all(store, "calls", START + DAY) == [1]
    (kept,) = engine.records()
    assert kept.call.sid == young[0].call
    assert engine.rows("SELECT caller FROM callers") == [(CALLER,)]
    counted = {"calls": 1, "provider_keys": 1, "call_events": 9, "call_payloads": 9}
    assert {name: engine.sizes()[name] for name in counted} == counted


@on_a_loop
async def test_events_of_a_call_that_never_came_are_forgotten(engine: Engine) -> None:
    """After a day nothing is left of them; younger ones, and calls, stay."""
    sid = new_sid()
    async with engine.store() as store:
        await tell(store, answered_call(new_sid(), START))
        sizes = engine.sizes()
        await tell(store, answered_call(new_sid(), START)[1:])
        await tell(store, [leg(sid, "initiated", 0, START + 2 * DAY)])
        assert await forget_all(store, "unknown", START + DAY) == [1]
        assert engine.rows("SELECT sid FROM unknown_calls") == [(sid,)]
        assert await forget_all(store, "unknown", START + 3 * DAY) == [1]
    assert engine.sizes() == sizes


@on_a_loop
async def test_a_call_that_comes_at_last_is_not_forgotten_in_the_same_transaction(
    engine: Engine,
) -> None:
    """Clean-up leaves alone what a webhook of its own transaction works on."""
    sid = new_sid()
    opening, *others = answered_call(sid)
    async with engine.store(limits=PATIENT) as store:
        await tell(store, others)
        gate = Gate()
        held_up = asyncio.create_task(store.run(gate, None))
        await gate.entered()
        job = Forget("unknown", START + DAY)
        forgotten = asyncio.create_task(store.run(forget, job, Lane.BACKGROUND))
        came = asyncio.create_task(store.run(record, incoming(opening)))
        await eventually(lambda: store.waiting == 2)
        gate.let_go()
        await held_up
        assert (await came, await forgotten) == (dial(FLYER), 0)
        await tell(store, others)
    (kept,) = engine.records()
    assert (kept.call.talk_seconds, len(kept.events)) == (42, len(others) + 1)
    assert engine.sizes()["provider_keys"] == 1


@pytest.mark.parametrize("what", ["payloads", "keys", "calls", "unknown"])
@on_a_loop
async def test_clean_up_takes_a_bounded_piece_at_a_time(engine: Engine, what: str) -> None:
    """No unit deletes more than some 500 rows, and all of them together leave nothing."""
    count = 640 if what in ("payloads", "keys") else 130
    events = answered_call("?")[:1] if what != "unknown" else [leg("?", "initiated", 0, START)]
    async with engine.store() as store:
        coming = [
            incoming(Event(**{**_fields(event), "call": sid}))
            for sid in [new_sid() for _ in range(count)]
            for event in events
        ]
        await tell_at_once(store, coming)
        sizes = [sum(engine.sizes().values())]
        while await store.run(forget, Forget(what, START + DAY), Lane.BACKGROUND):
            sizes.append(sum(engine.sizes().values()))
    gone = [before - after for before, after in pairwise(sizes)]
    assert len(gone) > 1
    assert max(gone) <= FORGET_AT_ONCE
    left = {"payloads": "call_payloads", "keys": "provider_keys", "unknown": "unknown_calls"}
    assert engine.sizes()[left.get(what, "calls")] == 0


# --- provisioning and routes ---


@on_a_loop
async def test_what_is_provisioned_is_read_back(engine: Engine) -> None:
    """Entities come, change and go with a version that grows; every field survives."""
    party = Advertiser("acme", "Acme 美容室", "agency", "media-x")
    targets = ("+81311111111", "+81322222222")
    route = TrackedNumber(
        NUMBER,
        "acme",
        "広告",
        targets,
        "sequential",
        40,
        60,
        "number",
        record=True,
        min_talk_seconds=1,
    )

    def everything(tx: Transaction, scope: Scope) -> tuple[Any, tuple[()]]:
        held = tx.provisioning.everything(scope)
        version = tx.provisioning.version(scope)
        return (version, held["advertiser"], held["tracked_number"]), ()

    async with engine.store() as store:

        async def read(scope: Scope = EVERYBODY) -> Any:
            return await store.run(everything, scope, Lane.BACKGROUND)

        assert await read() == (
            1,
            {"acme": ACME, "other": OTHER},
            {FLYER.number: FLYER, SIGN.number: SIGN},
        )
        assert await read(Scope(frozenset({"other"}))) == (1, {"other": OTHER}, {SIGN.number: SIGN})
        assert engine.provision(party, route, removed=[SIGN]) == 2
        assert await read() == (2, {"acme": party, "other": OTHER}, {NUMBER: route})
        assert engine.provision(SIGN) == 3
        assert (await read())[2] == {NUMBER: route, SIGN.number: SIGN}


@on_a_loop
async def test_apply_writes_a_difference_once(engine: Engine) -> None:
    """A difference computed before another applied is refused, and nothing of it is written."""
    slower = TrackedNumber(NUMBER, "acme", "flyer", ("+81312345678",), ring_seconds=40)
    changes = Changes(1, (Change(FLYER, slower),))
    async with engine.store() as store:
        assert await store.run(provisioning.apply, changes, Lane.BACKGROUND) == 2
        assert await store.run(record, incoming(voice(new_sid()))) == dial(slower)
        with pytest.raises(Transient) as refused:
            await store.run(provisioning.apply, changes, Lane.BACKGROUND)
    assert refused.value.reason is Trouble.STORE_CONFLICT
    assert engine.rows("SELECT version FROM provisioning_version") == [(2,)]


@on_a_loop
async def test_an_idle_store_takes_up_new_routes_by_itself(engine: Engine) -> None:
    """What another process applied is in the cache after one look around, and whoever follows it
    is told.
    """
    changed: list[int] = []
    async with engine.store(on_routes=lambda cache: changed.append(cache.version)) as store:
        assert changed == [1]
        new = TrackedNumber("+815031000009", "acme", "sign", ("+81312345678",))
        engine.provision(new, removed=[SIGN])
        await eventually(lambda: changed == [1, 2])
        assert (store.route(new.number), store.route(SIGN.number)) == (new, None)
        assert store.cache.advertisers["acme"] == ACME


@on_a_loop
async def test_a_busy_store_takes_up_new_routes_in_the_next_transaction(engine: Engine) -> None:
    """The first webhook after an apply is answered by what was applied."""
    async with engine.store() as store:
        for targets in (("+81311111111",), ("+81322222222",)):
            moved = TrackedNumber(NUMBER, "acme", "flyer", targets)
            engine.provision(moved)
            assert await store.run(record, incoming(voice(new_sid()))) == dial(moved)
        engine.provision(removed=[FLYER])
        with pytest.raises(Refused):
            await store.run(record, incoming(voice(new_sid())))


@on_a_loop
async def test_a_restored_store_makes_the_cache_anew(engine: Engine) -> None:
    """A version lower than the cache's voids all that was read since."""
    late = TrackedNumber("+815031000009", "acme", "sign", ("+81312345678",))
    async with engine.store() as store:
        engine.provision(late)
        await eventually(lambda: store.route(late.number) == late)
        with closing(engine.raw()) as connection:
            connection.execute("DELETE FROM tracked_numbers WHERE version = 2")
            connection.execute("UPDATE provisioning_version SET version = 1")
        await eventually(lambda: store.route(late.number) is None)
        assert store.route(NUMBER) == FLYER


@on_a_loop
async def test_whoever_follows_the_routes_and_fails_does_no_harm(engine: Engine) -> None:
    """A snapshot that cannot be written neither stops the store nor loses a call."""

    def fail(_: object) -> None:
        raise OSError("no space left on device")

    observer = Recorder()
    async with engine.store(observer, on_routes=fail) as store:
        engine.provision(SIGN)
        await tell(store, answered_call(new_sid()))
    assert len(observer.settled) == 1


@on_a_loop
async def test_each_start_gets_a_number_of_its_own(engine: Engine) -> None:
    """Daemons on one store tell their ids apart by it."""
    numbers = []
    for _ in range(3):
        async with engine.store() as store:
            numbers.append(store.start_number)
    assert numbers == [1, 2, 3]


# --- readers ---


@on_a_loop
async def test_reads_do_not_wait_for_the_writer(engine: Engine) -> None:
    """While a transaction is open, what was committed before it can be read."""
    async with engine.store(limits=PATIENT) as store:
        await tell(store, [voice(new_sid())])
        gate = Gate()
        held_up = asyncio.create_task(store.run(gate, None))
        await gate.entered()
        reader = reader_of(engine.name)
        found = await store.read(reader.page, EVERYBODY, after=-1, since=0, limit=9)
        assert len(found) == 1
        gate.let_go()
        await held_up


def test_a_reader_cannot_write(engine: Engine) -> None:
    """The connections of console and reports are read-only."""
    touch = statements_of(engine.name).provisioning.touch
    with (
        closing(engine.database().reader()) as connection,
        reading(connection),
        pytest.raises(Exception, match=r"read-?only"),
    ):
        connection.run(touch)


@on_a_loop
async def test_a_failed_read_costs_its_connection_alone(engine: Engine) -> None:
    """The query's own error comes through, and the next read has a new connection."""
    opened: list[None] = []
    database = Faulty(engine.database())
    database.before["reader"] = lambda: opened.append(None)
    reader = reader_of(engine.name)

    def fail(_: object) -> None:
        raise LookupError("a mistake in the query")

    async with engine.store(database=database) as store:
        for _ in range(3):
            await store.read(reader.in_progress)
        assert len(opened) == 1
        with pytest.raises(LookupError):
            await store.read(fail)
        assert await store.read(reader.in_progress) == 0
        assert len(opened) == 2
    with pytest.raises(Transient) as closed:
        await store.read(reader.in_progress)
    assert closed.value.reason is Trouble.STORE_CLOSED


def test_replies_are_kept_as_values(engine: Engine) -> None:
    """What the table holds of a reply is the value, not a platform's document."""

    async def play() -> None:
        async with engine.store() as store:
            sid = new_sid()
            await tell(store, [voice(sid), dialed(sid, "busy", START + 9 * SECOND)])

    asyncio.run(play())
    kept = engine.rows("SELECT kind, reply FROM call_events ORDER BY kind")
    wanted: list[tuple[str, Reply]] = [("dial", HANGUP), ("voice", dial(FLYER))]
    assert kept == [(kind, encode_reply(reply)) for kind, reply in wanted]
    assert isinstance(dial(FLYER), Dial)
