"""The calls of a stretch of time as they are held against the carrier's list, on both engines."""

from contextlib import closing
from functools import cache
from typing import Any

from adapters.storage.database import reading
from adapters.storage.reconciliation import HeldCalls
from gateway.domain.calls.reconciliation import Held
from gateway.domain.values import EVERYBODY, SECOND, Scope
from gateway.usecases.calls import record
from tests.support.calls import START, answered_call, incoming, leg, new_sid, voice
from tests.support.stores import Engine, dialect_of, on_a_loop

HOUR = 3600 * SECOND
NUMBER, SIGN = "+815031000001", "+815031000002"


@cache
def calls_of(name: str) -> HeldCalls:
    return HeldCalls(dialect_of(name))


def page(engine: Engine, scope: Scope = EVERYBODY, **asked: Any) -> list[Held]:
    asked = {"begin": START, "end": START + HOUR, "after": -1, "limit": 100, **asked}
    with closing(engine.database().reader()) as connection, reading(connection):
        return calls_of(engine.name).page(
            connection, scope, asked.pop("provider", "twilio"), **asked
        )


@on_a_loop
async def test_a_call_is_read_with_what_is_compared(engine: Engine) -> None:
    """Its number, its times, its result and its talk; of one that goes on, what is known."""
    ended, going = new_sid(), new_sid()
    async with engine.store() as store:
        for event in [*answered_call(ended, ring=6, talk=42), voice(going, START + SECOND)]:
            await store.run(record, incoming(event))
    first, second = page(engine)
    assert first == Held(
        first.id, ended, NUMBER, START, START + 50 * SECOND, "answered", talk_seconds=42
    )
    assert second == Held(second.id, going, NUMBER, START + SECOND, None, None, None)
    assert second.id > first.id


@on_a_loop
async def test_calls_are_read_page_by_page_within_their_stretch(engine: Engine) -> None:
    """Each page begins behind the one before; what came earlier or later is on none."""
    sids = [new_sid() for _ in range(5)]
    times = [START - SECOND, START, START + SECOND, START + HOUR - SECOND, START + HOUR]
    async with engine.store() as store:
        for sid, at in zip(sids, times, strict=True):
            await store.run(record, incoming(voice(sid, at)))
    first = page(engine, limit=2)
    rest = page(engine, limit=2, after=first[-1].id)
    assert [call.sid for call in first + rest] == sids[1:4]
    assert page(engine, after=rest[-1].id) == []


@on_a_loop
async def test_an_event_without_its_call_is_none(engine: Engine) -> None:
    """A leg's callback whose call never came is no call that could be compared."""
    async with engine.store() as store:
        await store.run(record, incoming(leg(new_sid(), "initiated", 0, START)))
    assert page(engine) == []


@on_a_loop
async def test_only_the_scope_and_the_provider_asked_for_are_read(engine: Engine) -> None:
    """Other advertisers' calls and other carriers' are left out."""
    hers, other = new_sid(), new_sid()
    async with engine.store() as store:
        await store.run(record, incoming(voice(hers, START, number=NUMBER)))
        await store.run(record, incoming(voice(other, START, number=SIGN)))
    assert [call.sid for call in page(engine, Scope(frozenset({"acme"})))] == [hers]
    assert {call.sid for call in page(engine)} == {hers, other}
    assert page(engine, provider="somebody") == []
