"""Contents of messages in both engines: what is kept, and what has to go."""

from collections import Counter
from typing import Any

from adapters.storage.contents import ContentReader
from adapters.storage.store import SqlStore
from gateway.domain.line.contents import Content
from gateway.domain.values import SECOND, Counted, Draw, Scope
from gateway.ports import Transaction
from gateway.ports.contents import Stored
from gateway.usecases import contents
from gateway.usecases.contents import AT_ONCE, Fetched, Sweep, removed, settle, sweep
from tests.support.inbox import friend, seed
from tests.support.line import NOON, SHOP, event
from tests.support.stores import Engine, Recorder, dialect_of, on_a_loop

DAY = 86_400 * SECOND


async def ask(store: SqlStore, *messages: str, **whose: Any) -> None:
    """Friends send pictures."""

    def wanted(tx: Transaction, draw: Draw) -> tuple[None, tuple[()]]:
        for message in messages:
            sent = event("message", 1, message_kind="image", message_id=message)
            contents.wanted(tx, SHOP, friend(**whose), sent, NOON, draw)
        return None, ()

    await store.run(wanted, seed(len(messages)).draw())


async def fetched(store: SqlStore, message: str, size: int = 10, now: int = NOON) -> bool:
    """One of them arrives."""
    stored = Stored("image/png", size, "0" * 64)
    return await store.run(settle, Fetched(SHOP.id, message, now, stored))


async def row(store: SqlStore, engine: Engine, message: str) -> Content:
    """What the store knows of it."""
    found = await store.read(ContentReader(dialect_of(engine.name)).content, SHOP.id, message)
    assert found is not None
    return found


async def take_back(store: SqlStore, message: str) -> None:
    """Its sender takes it back."""
    await store.run(lambda tx, _: (None, contents.unsent(tx, SHOP, message)), None)


@on_a_loop
async def test_a_content_is_asked_for_beside_all_replies(engine: Engine) -> None:
    """By an effect that belongs to no stream; in groups only where those are answered."""
    engine.provision(SHOP)
    async with engine.store() as store:
        await ask(store, "1")
        await ask(store, "2", number=2, is_group=True)
        assert (await row(store, engine, "1")).state == "waiting"
    rows = engine.rows("SELECT kind, stream, payload FROM outbox")
    assert rows == [("line.content", "", '{"channel":"acme-shop","message":"1"}')]


@on_a_loop
async def test_what_arrives_is_kept_once(engine: Engine) -> None:
    """A second arrival, and one that nobody asked for, change nothing."""
    observer = Recorder()
    async with engine.store(observer) as store:
        await ask(store, "1")
        assert await fetched(store, "1")
        assert await fetched(store, "1", size=99)
        assert not await fetched(store, "unknown")
        kept = await row(store, engine, "1")
    assert (kept.state, kept.bytes, kept.path) == ("kept", 10, "acme-shop/1")
    facts = [fact for fact in observer.facts if isinstance(fact, Counted)]
    assert Counter(fact.labels for fact in facts) == {("kept",): 1}


@on_a_loop
async def test_what_is_taken_back_is_gone_before_its_file(engine: Engine) -> None:
    """Whether it was fetched or not; what comes afterwards is not kept."""
    async with engine.store() as store:
        await ask(store, "1", "2")
        await fetched(store, "1")
        for message in ("1", "2", "3"):
            await take_back(store, message)
        states = [(await row(store, engine, m)).state for m in ("1", "2")]
        assert states == ["removing", "gone"]
        assert not await fetched(store, "2")
        (gone, size) = await store.run(sweep, Sweep(0, 1_000))
        assert ([content.message_id for content in gone], size) == (["1"], 0)
        await store.run(removed, gone)
        after = await row(store, engine, "1")
        assert (after.state, after.why, after.path, after.bytes) == ("gone", "unsent", "", 0)
        assert await store.run(sweep, Sweep(0, 1_000)) == ([], 0)


@on_a_loop
async def test_contents_expire_and_make_room(engine: Engine) -> None:
    """What is old goes; of the rest the oldest, until the others fit."""
    async with engine.store() as store:
        await ask(store, *"12345")
        for number, message in enumerate("12345"):
            await fetched(store, message, size=100, now=NOON + number * DAY)
        gone, size = await store.run(sweep, Sweep(NOON + DAY, 250))
        assert sorted(content.message_id for content in gone) == ["1", "2", "3"]
        assert size == 200
        whys = [(await row(store, engine, message)).why for message in "12345"]
    assert whys == ["expired", "no_room", "no_room", "", ""]


@on_a_loop
async def test_a_piece_at_a_time_is_taken_away(engine: Engine) -> None:
    """However much there is."""
    async with engine.store() as store:
        names = [f"m{number}" for number in range(AT_ONCE + 20)]
        await ask(store, *names)
        for name in names:
            await fetched(store, name)
        found = []
        while True:
            gone, _ = await store.run(sweep, Sweep(NOON + DAY, 10**9))
            if not gone:
                break
            assert len(gone) <= AT_ONCE
            found += [content.message_id for content in gone]
            await store.run(removed, gone)
    assert sorted(found) == sorted(names)


@on_a_loop
async def test_contents_belong_to_somebody(engine: Engine) -> None:
    """Neither another advertiser nor another friend finds them."""
    async with engine.store() as store:
        await ask(store, "1", number=1)
        await ask(store, "2", number=2)

        def look(tx: Transaction, scope: Scope) -> tuple[list[Any], tuple[()]]:
            mine = [content.message_id for content in tx.contents.of_friend(scope, 1)]
            return [mine, tx.contents.find(scope, SHOP.id, "2") is not None], ()

        assert await store.run(look, Scope(frozenset({"acme"}))) == [["1"], True]
        assert await store.run(look, Scope(frozenset({"other"}))) == [[], False]
