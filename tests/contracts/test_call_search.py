"""Calls as the API looks for them and counts them, and judges them, on both engines."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from itertools import product
from typing import Any, TypeVar

import pytest

from adapters.storage.call_search import CallSearches
from adapters.storage.database import reading
from gateway.domain.calls import Event
from gateway.domain.values import EVERYBODY, SECOND, Scope, micros
from gateway.errors import Refusal, Refused
from gateway.ports import CallRecord
from gateway.ports.calls import CallCount, CallSearch, Grouping
from gateway.usecases.calls import Judgement, judge, record
from tests.support.calls import START, answered_call, ended, incoming, new_sid, voice
from tests.support.stores import Engine, dialect_of, on_a_loop

R = TypeVar("R")

ACME, OTHER = "+815031000001", "+815031000002"
HOUR = 3600 * SECOND
DAY = 24 * HOUR
HERS = Scope(frozenset({"acme"}))


@cache
def searches(name: str) -> CallSearches:
    """What reads calls from an engine."""
    return CallSearches(dialect_of(name))


def search(
    engine: Engine,
    scope: Scope = EVERYBODY,
    *,
    after: int | None = None,
    limit: int = 100,
    **found: Any,
) -> list[CallRecord]:
    """The calls found."""
    with closing(engine.database().reader()) as connection, reading(connection):
        return searches(engine.name).search(
            connection, scope, CallSearch(**found), after=after, limit=limit
        )


def one(engine: Engine, scope: Scope, call: int) -> CallRecord | None:
    """The call with this id."""
    with closing(engine.database().reader()) as connection, reading(connection):
        return searches(engine.name).one(connection, scope, call)


def count(
    engine: Engine,
    by: Grouping,
    scope: Scope = EVERYBODY,
    *,
    after: str | int | None = None,
    limit: int = 100,
    **found: Any,
) -> list[CallCount]:
    """The calls counted."""
    with closing(engine.database().reader()) as connection, reading(connection):
        return searches(engine.name).count(
            connection, scope, by, CallSearch(**found), after=after, limit=limit
        )


async def kept(engine: Engine, *stories: Sequence[Event]) -> list[int]:
    """Keep calls; returns their ids in the order of ``stories``."""
    async with engine.store() as store:
        for events in stories:
            for event in events:
                await store.run(record, incoming(event))
    ids = dict(engine.rows("SELECT sid, id FROM calls"))
    return [ids[events[0].call] for events in stories]


def story(number: str = ACME, at: int = START, **further: Any) -> list[Event]:
    """A call that was answered."""
    return answered_call(new_sid(), at, number=number, **further)


def ids(found: Sequence[CallRecord]) -> list[int]:
    return [each.call.id for each in found]


@on_a_loop
async def test_calls_are_found_by_each_condition_and_all_together(engine: Engine) -> None:
    """Time, number, state, result and scope; in both orders."""
    ringing = [voice(new_sid(), START + 2 * HOUR, number=ACME)]
    sid = new_sid()
    lost = [voice(sid, START + HOUR, number=OTHER), ended(sid, START + HOUR + SECOND)]
    first, second, third = await kept(engine, story(), lost, ringing)
    assert ids(search(engine)) == [first, second, third]
    assert ids(search(engine, newest_first=True)) == [third, second, first]
    assert ids(search(engine, HERS)) == [first, third]
    assert ids(search(engine, Scope(frozenset()))) == []
    assert ids(search(engine, number=OTHER)) == [second]
    assert ids(search(engine, state="ringing")) == [third]
    assert ids(search(engine, result="abandoned")) == [second]
    assert ids(search(engine, since=START + HOUR)) == [second, third]
    assert ids(search(engine, until=START + HOUR)) == [first]
    everything: dict[str, Any] = {
        "since": START,
        "until": START + 1,
        "number": ACME,
        "result": "answered",
    }
    assert ids(search(engine, HERS, state="ended", **everything)) == [first]
    assert ids(search(engine, HERS, state="ringing", **everything)) == []


@on_a_loop
async def test_pages_follow_each_other(engine: Engine) -> None:
    """Every call is on one page, in either order."""
    expected = await kept(engine, *(story(at=START + n * SECOND) for n in range(5)))
    for newest_first in (False, True):
        found: list[int] = []
        after = None
        while page := ids(search(engine, after=after, limit=2, newest_first=newest_first)):
            found += page
            after = page[-1]
        assert found == sorted(expected, reverse=newest_first)


@on_a_loop
async def test_a_found_call_is_told_in_full(engine: Engine) -> None:
    """With its events, and whether its caller had called before."""
    first, again = await kept(engine, story(), story(at=START + HOUR))
    assert search(engine) == engine.records()
    found = one(engine, HERS, again)
    assert found == engine.records()[1]
    assert found is not None
    assert found.repeat is True
    assert one(engine, Scope(frozenset({"other"})), first) is None
    assert one(engine, EVERYBODY, first + 1) is None


def test_times_beyond_all_ids_are_no_error(engine: Engine) -> None:
    """A year 1 or 9999 finds nothing, or all."""
    ends = [micros(datetime(year, 1, 1, tzinfo=UTC)) for year in (1, 9999)]
    for since, until in product(ends, ends):
        assert search(engine, since=since, until=until) == []


@on_a_loop
async def test_calls_are_counted_in_groups(engine: Engine) -> None:
    """By whom, where from, and when, with their seconds."""
    await kept(
        engine,
        story(talk=42),
        story(talk=10, at=START + SECOND),
        [voice(new_sid(), START + 2 * SECOND, number=ACME)],
        story(OTHER, START + 3 * SECOND),
    )
    answered = CallCount("acme", "answered", "accepted", 1, 6, 42)
    short = CallCount("acme", "answered", "pending", 1, 6, 10)
    open_ = CallCount("acme", None, "pending", 1, 0, 0)
    other = CallCount("other", "answered", "pending", 1, 6, 42)
    found = count(engine, "advertiser", since=START)
    assert sorted(found, key=repr) == sorted([answered, short, open_, other], key=repr)
    assert [each.group for each in found] == ["acme", "acme", "acme", "other"]
    assert count(engine, "number", Scope(frozenset({"other"}))) == [
        CallCount(OTHER, "answered", "pending", 1, 6, 42)
    ]
    assert {each.group for each in count(engine, "medium", limit=1)} >= {"flyer"}
    assert {each.group for each in count(engine, "medium", after="flyer")} == {"sign"}


@on_a_loop
async def test_days_and_hours_are_those_of_tokyo(engine: Engine) -> None:
    """A call at three in the afternoon UTC belongs to the next day."""
    midnight = micros(datetime(2026, 11, 20, 15, tzinfo=UTC))
    await kept(engine, story(at=midnight - 1), story(at=midnight), story(at=midnight + DAY))
    day = (datetime(2026, 11, 21, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert [each.group for each in count(engine, "day")] == [day - 1, day, day + 1]
    assert [(each.group, each.calls) for each in count(engine, "hour")] == [(0, 2), (23, 1)]
    assert [each.group for each in count(engine, "day", after=day)] == [day + 1]
    assert [each.group for each in count(engine, "hour", until=midnight)] == [23]


@on_a_loop
async def test_every_group_of_a_page_is_whole(engine: Engine) -> None:
    """However calls of a group ended, all its rows come with it."""
    stories: list[list[Event]] = []
    for number in (ACME, OTHER):
        for status in ("busy", "failed", "completed"):
            sid = new_sid()
            stories.append([voice(sid, number=number), ended(sid, START + SECOND, status=status)])
        stories.append([voice(new_sid(), number=number)])
    await kept(engine, *stories)
    by_number = count(engine, "number", limit=1)
    assert sum(each.calls for each in by_number if each.group == ACME) == 4


# --- judging ---


def judgement(call: int, scope: Scope = HERS, **further: Any) -> Judgement:
    given: dict[str, Any] = {"outcome": "rejected", "reason": "a supplier", **further}
    return Judgement(scope=scope, call=call, actor="token:1", at=START, **given)


@on_a_loop
async def test_a_judged_call_and_its_trace_are_kept(engine: Engine) -> None:
    """Who, when and what; not the reason, which may name a person. The same again leaves none."""
    (call,) = await kept(engine, story())
    async with engine.store() as store:
        for _ in range(2):
            judged = await store.run(judge, judgement(call))
            assert (judged.outcome, judged.outcome_reason) == ("rejected", "a supplier")
    (found,) = engine.records()
    assert found.call == judged
    columns = "at, advertiser, actor, action, subject, detail"
    assert engine.rows(f"SELECT {columns} FROM audit") == [
        (START, "acme", "token:1", "call.judged", str(call), '{"from":"accepted","to":"rejected"}')
    ]


@on_a_loop
async def test_another_s_call_cannot_be_judged(engine: Engine) -> None:
    """It is as if it did not exist, and stays as it is."""
    (call,) = await kept(engine, story(OTHER))
    async with engine.store() as store:
        for wrong in (judgement(call), judgement(call + 1, EVERYBODY)):
            with pytest.raises(Refused) as refused:
                await store.run(judge, wrong)
            assert refused.value.reason is Refusal.NOT_FOUND
    assert engine.records()[0].call.outcome == "pending"
    assert engine.sizes()["audit"] == 0


@on_a_loop
async def test_a_call_is_judged_long_after_its_key_is_gone(engine: Engine) -> None:
    """Keys go after weeks, calls after years."""
    (call,) = await kept(engine, story())
    with closing(engine.raw()) as connection:
        connection.execute("DELETE FROM provider_keys")
    async with engine.store() as store:
        await store.run(judge, judgement(call))
    assert engine.records()[0].call.outcome == "rejected"


@on_a_loop
async def test_a_word_and_late_events_do_not_undo_each_other(engine: Engine) -> None:
    """Both are kept, in whatever order they come in one transaction."""
    events = story()
    (call,) = await kept(engine, events[:5])
    async with engine.store() as store:
        await store.run(judge, judgement(call))
        for event in events[5:]:
            await store.run(record, incoming(event))
    (found,) = engine.records()
    assert (found.call.state, found.call.outcome) == ("ended", "rejected")
    assert found.call.settled_at is not None
