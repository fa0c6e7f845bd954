"""The posting calendar in both engines."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec

from adapters.storage.database import reading
from adapters.storage.postings import PostingReader
from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.line.friends import Friend
from gateway.domain.postings import DUE_SECONDS, Posting
from gateway.domain.values import EVERYBODY, SECOND, Ids, Scope, Seed
from gateway.ports.postings import Wanted
from gateway.usecases.faults import put_aside
from gateway.usecases.postings import REMIND_AT_ONCE, Reminding, remind
from tests.support.figures import keep_friend
from tests.support.line import NOON
from tests.support.stores import Engine, on_a_loop, statements_of

HERS = Scope(frozenset({"acme"}))
OTHERS = Scope(frozenset({"other"}))
IDS = Ids(3)


def posting(number: int, **given: Any) -> Posting:
    """One of the shop's."""
    wanted = {
        "id": number,
        "advertiser": "acme",
        "channel": "acme-shop",
        "at": NOON,
        "title": "冬のメニュー",
        "what": "写真",
        "place": "LINE VOOM",
        "responsible": "佐藤",
        "state": "planned",
        "friend": 0,
        "remind_at": 0,
        "changed_at": NOON,
        "changed_by": "token:1",
    }
    return msgspec.convert(wanted | given, Posting)


def done(engine: Engine, work: Callable[[StoreTransaction], Any]) -> Any:
    """``work`` in a transaction of its own."""
    with closing(engine.database().writer()) as connection:
        tx = StoreTransaction(connection, statements_of(engine.name), RouteCache())
        result = work(tx)
        tx.flush()
        connection.commit()
    return result


def kept(engine: Engine, *postings: Posting) -> None:
    """Keep them, each new or changed."""

    def keep(tx: StoreTransaction) -> None:
        for each in postings:
            tx.postings.save(EVERYBODY, each)

    done(engine, keep)


def listed(engine: Engine, scope: Scope = HERS, **given: Any) -> list[int]:
    """The ids of a page."""
    after, limit = given.pop("after", (-1, 0)), given.pop("limit", 9)
    reader = PostingReader(engine.database().dialect)
    with closing(engine.database().reader()) as connection, reading(connection):
        wanted = Wanted("acme-shop", **given)
        found = reader.postings(connection, scope, wanted, after=after, limit=limit)
    return [each.id for each in found]


def test_a_posting_is_read_as_it_was_kept(engine: Engine) -> None:
    """Every field, changed ones too, by those whose it is."""
    first = posting(1)
    changed = msgspec.structs.replace(first, state="done", title="x", friend=5, remind_at=9)
    kept(engine, first, changed)
    assert done(engine, lambda tx: tx.postings.find(HERS, 1)) == changed
    assert done(engine, lambda tx: tx.postings.find(OTHERS, 1)) is None
    assert done(engine, lambda tx: tx.postings.find(HERS, 2)) is None


def test_postings_are_listed_by_time(engine: Engine) -> None:
    """From one on, before another, in one state, behind one; of the channel alone."""
    kept(
        engine,
        posting(4, at=NOON + 2),
        posting(1, at=NOON + 2),
        posting(3, at=NOON + 1, state="skipped"),
        posting(2, at=NOON + 3),
        posting(5, channel="acme-two"),
    )
    assert listed(engine) == [3, 1, 4, 2]
    assert listed(engine, limit=2) == [3, 1]
    assert listed(engine, after=(NOON + 2, 1)) == [4, 2]
    assert listed(engine, since=NOON + 2, until=NOON + 3) == [1, 4]
    assert listed(engine, state="skipped") == [3]
    assert listed(engine, OTHERS) == []


def round_() -> Reminding:
    """A round of reminders."""
    first = IDS.block(NOON, REMIND_AT_ONCE)
    return Reminding(NOON, Seed(first, REMIND_AT_ONCE, b"0123456789abcdef"))


@on_a_loop
async def test_two_who_remind_at_once_remind_once(engine: Engine) -> None:
    """Whoever takes a posting first sends its reminder."""

    def prepare(tx: StoreTransaction) -> None:
        friend = keep_friend(tx, "acme-shop", followed_at=1)
        for number in range(1, 6):
            tx.postings.save(EVERYBODY, posting(number, friend=friend.id, remind_at=NOON - 60))

    done(engine, prepare)

    async with engine.store() as one, engine.store() as other:
        stores = (one, other) if engine.name == "postgres" else (one, one)
        looked = await asyncio.gather(*(store.run(remind, round_()) for store in stores))
    assert sum(looked) == 5
    keys = engine.rows("SELECT idempotency_key FROM outbox ORDER BY 1")
    assert keys == [(f"line.push/posting/{number}/{NOON - 60}",) for number in range(1, 6)]
    due = engine.rows("SELECT count(*) FROM posting_entries WHERE remind_at > 0")
    assert due == [(0,)]


def test_a_reminder_that_cannot_be_made_holds_up_no_other(engine: Engine) -> None:
    """It is put aside and counted; its time, here, is in no calendar."""

    def prepare(tx: StoreTransaction) -> None:
        friend = keep_friend(tx, "acme-shop", followed_at=1)
        never = posting(1, friend=friend.id, at=2**62, remind_at=NOON - 90)
        for each in (never, posting(2, friend=friend.id, remind_at=NOON - 60)):
            tx.postings.save(EVERYBODY, each)

    done(engine, prepare)
    assert done(engine, lambda tx: remind(tx, round_())) == (2, [put_aside("acme", "posting")])
    assert engine.rows("SELECT origin FROM outbox") == [("posting",)]
    assert done(engine, lambda tx: remind(tx, round_())) == (0, [])


def reminding(engine: Engine, **given: Any) -> Friend:
    """One of the staff, who was to be reminded just now."""

    def prepare(tx: StoreTransaction) -> Friend:
        friend = keep_friend(tx, "acme-shop", followed_at=1)
        tx.postings.save(EVERYBODY, posting(1, friend=friend.id, remind_at=NOON - 60, **given))
        return friend

    friend: Friend = done(engine, prepare)
    return friend


def looked_at(engine: Engine) -> int:
    """How many postings a round looked at."""
    found: int = done(engine, lambda tx: remind(tx, round_())[0])
    return found


def handed_out(engine: Engine, now: int) -> list[str]:
    """What asked for the effects that a worker gets."""
    claimed = done(engine, lambda tx: tx.outbox.claim(EVERYBODY, now, ("line.push",), 9, 15))
    return [each.origin for each in claimed]


def test_who_stopped_pushes_is_not_reminded(engine: Engine) -> None:
    """A reminder is a push like others; whoever wants them again gets the next one."""
    friend = reminding(engine)
    wish = (EVERYBODY, friend.id, "acme", "acme-shop", NOON, "test")
    done(engine, lambda tx: tx.pushes.stops.stop(*wish))
    assert looked_at(engine) == 1
    assert looked_at(engine) == 0
    assert engine.rows("SELECT count(*) FROM outbox") == [(0,)]
    done(engine, lambda tx: tx.pushes.stops.start(EVERYBODY, friend.id))
    kept(engine, posting(2, friend=friend.id, remind_at=NOON - 60))
    assert looked_at(engine) == 1
    assert handed_out(engine, NOON) == ["posting"]


def test_while_sends_are_halted_a_reminder_waits(engine: Engine) -> None:
    """It goes out once they go on, unless the posting's time is over by then."""
    reminding(engine)
    done(engine, lambda tx: tx.outbox.stops.stop(EVERYBODY, "acme", NOON, "cli"))
    assert looked_at(engine) == 1
    assert handed_out(engine, NOON) == []
    done(engine, lambda tx: tx.outbox.stops.resume(EVERYBODY, "acme"))
    over = NOON + DUE_SECONDS * SECOND
    assert engine.rows("SELECT give_up_at FROM outbox") == [(over,)]
    assert handed_out(engine, NOON + 10 * SECOND) == ["posting"]


def test_reminders_come_in_the_order_in_which_they_are_due(engine: Engine) -> None:
    """A few at a time; what is not due is left."""
    times = {1: NOON + 1, 2: NOON - 5, 3: NOON, 4: 0}
    kept(engine, *(posting(number, remind_at=at) for number, at in times.items()))
    due = done(engine, lambda tx: tx.postings.due(EVERYBODY, NOON, 9))
    assert [each.id for each in due] == [2, 3]
    assert [each.id for each in done(engine, lambda tx: tx.postings.due(EVERYBODY, NOON, 1))] == [2]
    later = NOON + SECOND
    assert done(engine, lambda tx: tx.postings.due(OTHERS, later, 9)) == []
