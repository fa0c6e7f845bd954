"""Channels, their friends and events in both engines."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import msgspec
import pytest

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, SECOND, Scope, first_id
from gateway.ports import Lane, Transaction
from gateway.tomlfile import Secret
from gateway.usecases.calls import Forget
from gateway.usecases.followers import Listed, take_up
from gateway.usecases.line import Incoming, forget, record
from tests.support.inbox import seed as seed_of
from tests.support.line import NOON, SHOP, USER, body, event, said
from tests.support.stores import Engine, eventually, on_a_loop, statements_of


def kept(engine: Engine) -> list[tuple[Any, ...]]:
    """Events with their contents, in the order of their ids."""
    return engine.rows("SELECT event, body FROM line_events ORDER BY id")


@contextmanager
def _transaction(engine: Engine) -> Iterator[StoreTransaction]:
    """A transaction of another process, committed at the end."""
    with closing(engine.database().writer()) as connection:
        tx = StoreTransaction(connection, statements_of(engine.name), RouteCache())
        yield tx
        tx.flush()
        connection.commit()


def _keep(engine: Engine, incoming: Incoming) -> None:
    """Keep a body in a transaction of its own."""
    with _transaction(engine) as tx:
        tx.load([incoming])
        record(tx, incoming)


@on_a_loop
async def test_a_channel_survives_the_store_with_its_secret(engine: Engine) -> None:
    """Every field comes back, and the secret is the text that it was."""
    channel = msgspec.structs.replace(SHOP, channel_secret=Secret("hush"))
    engine.provision(channel)
    async with engine.store() as store:
        await eventually(lambda: store.cache.version > 0)
        assert store.entity(type(SHOP), SHOP.id) == channel
        assert store.entity(type(SHOP), "other") is None


@on_a_loop
async def test_a_friend_is_read_as_it_was_kept(engine: Engine) -> None:
    """Every field, found by user and by id, and only by those whose friend it is."""
    friend = Friend(
        *("acme-shop", USER, 7, "acme", NOON, True, 1, 2, 3, 4, 5, 6, 7),
        assigned="佐藤",
        name="花子",
        picture_url="https://p.example/",
        language="ja",
        entry="flyer",
        talk="[[[1,2]],[1],[]]",
    )

    def keep(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
        tx.line.save(EVERYBODY, friend)
        return None, ()

    def find(tx: Transaction, scope: Scope) -> tuple[Any, tuple[()]]:
        by_user = tx.line.friend(scope, "acme-shop", USER)
        return (by_user, tx.line.friend_by_id(scope, 7), tx.line.friend_by_id(scope, 8)), ()

    async with engine.store() as store:
        await store.run(keep, None)
        assert await store.run(find, EVERYBODY) == (friend, friend, None)
        assert await store.run(find, Scope(frozenset({"other"}))) == (None, None, None)


@on_a_loop
async def test_friends_are_found_together(engine: Engine) -> None:
    """Those who are known, once each, and only by those whose friends they are."""
    users = [f"U{number:032}" for number in range(4)]
    people = [Friend("acme-shop", user, number, "acme", 1) for number, user in enumerate(users)]

    def keep(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
        for each in people[:3]:
            tx.line.save(EVERYBODY, each)
        return None, ()

    def find(tx: Transaction, scope: Scope) -> tuple[Any, tuple[()]]:
        tx.line.save(EVERYBODY, people[3])  # not written yet
        changed = msgspec.structs.replace(people[0], name="花子")
        assert tx.line.friend(EVERYBODY, "acme-shop", users[0]) == people[0]
        tx.line.save(EVERYBODY, changed)
        found = tx.line.friends(scope, "acme-shop", [*users, users[1], "U" + "9" * 32])
        return [
            each == known for each, known in zip(found, [changed, *people[1:]], strict=True)
        ], ()

    async with engine.store() as store:
        await store.run(keep, None)
        assert await store.run(find, EVERYBODY) == [True] * 4
        assert engine.rows("SELECT name FROM line_friends WHERE name <> ''") == [("花子",)]


@on_a_loop
async def test_two_who_take_up_the_same_friends_make_each_once(postgresql: Engine) -> None:
    """A command and a daemon at the same moment, or two commands."""
    postgresql.provision(SHOP)
    async with postgresql.store() as one, postgresql.store() as other:
        for round_ in range(5):
            users = tuple(f"U{round_}{number:031}" for number in range(50))
            lists = [Listed(SHOP.id, users, NOON, seed_of(len(users))) for _ in range(2)]
            taken = (
                store.run(take_up, each) for store, each in zip((one, other), lists, strict=True)
            )
            assert sorted(await asyncio.gather(*taken)) == [0, 50]
    assert postgresql.rows("SELECT count(*) FROM line_friends") == [(250,)]


@on_a_loop
async def test_bodies_of_one_batch_share_what_they_know(engine: Engine) -> None:
    """An event that two bodies of one transaction bring is kept once."""
    engine.provision(SHOP)
    async with engine.store() as store:
        told = (store.run(record, body(said("クーポン", 1), said("x", 2))) for _ in range(5))
        assert sorted(await asyncio.gather(*told)) == [0, 0, 0, 0, 2]
    assert [name for name, _ in kept(engine)] == ["event-1-0", "event-2-0"]
    assert engine.rows("SELECT count(*) FROM line_friends") == [(1,)]


@on_a_loop
async def test_two_processes_keep_an_event_once(postgresql: Engine) -> None:
    """Both are told at the same moment; the key decides."""
    postgresql.provision(SHOP)
    async with postgresql.store() as one, postgresql.store() as other:
        for second in range(20):
            bodies = [body(said("クーポン", second)) for _ in range(2)]
            told = (
                store.run(record, each) for store, each in zip((one, other), bodies, strict=True)
            )
            assert sorted(await asyncio.gather(*told)) == [0, 1]
    assert len(kept(postgresql)) == 20
    assert postgresql.rows("SELECT count(*) FROM outbox WHERE kind = 'line.reply'") == [(20,)]


@on_a_loop
async def test_two_processes_keep_nothing_of_what_was_taken_back(postgresql: Engine) -> None:
    """One keeps the unsend while the other one waits for the friend with the message."""
    postgresql.provision(SHOP)
    message = said("secret", 2, raw="secret")
    with _transaction(postgresql) as tx:
        record(tx, body(said("クーポン", 1)))
    with _transaction(postgresql) as tx:
        undo = body(event("unsend", 3, unsent=message.message_id))
        tx.load([undo])
        record(tx, undo)
        late = asyncio.create_task(asyncio.to_thread(_keep, postgresql, body(message)))
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        await eventually(lambda: postgresql.rows(waiting))
    await late
    assert dict(kept(postgresql))[message.id] == ""


@on_a_loop
async def test_contents_expire_before_events(engine: Engine) -> None:
    """What was said goes after its days, that it was said stays, until that goes as well."""
    engine.provision(SHOP)
    day = 86_400
    old, new = said("old", 0, raw="old"), said("new", 2 * day, raw="new")
    seeds = [msgspec.structs.replace(body(old).seed, first_id=first_id(NOON))]
    seeds.append(msgspec.structs.replace(seeds[0], first_id=first_id(NOON + 2 * day * SECOND)))
    async with engine.store() as store:
        for each, seed in zip((old, new), seeds, strict=True):
            await store.run(record, msgspec.structs.replace(body(each), seed=seed))
        cut = NOON + day * SECOND
        assert await store.run(forget, Forget("line-texts", cut), Lane.BACKGROUND) == 1
        assert await store.run(forget, Forget("line-texts", cut), Lane.BACKGROUND) == 0
        assert kept(engine) == [(old.id, ""), (new.id, "new")]
        assert await store.run(forget, Forget("line-events", cut), Lane.BACKGROUND) == 1
        assert kept(engine) == [(new.id, "new")]


@on_a_loop
async def test_what_is_taken_back_is_blank_in_the_store(engine: Engine) -> None:
    """Of this friend, this message alone."""
    engine.provision(SHOP)
    one, other = said("one", 1, raw="one"), said("other", 2, raw="other")
    async with engine.store() as store:
        await store.run(record, body(one, other))
        await store.run(record, body(event("unsend", 3, unsent=one.message_id)))
    found = dict(kept(engine))
    assert (found[one.id], found[other.id]) == ("", "other")


def test_the_events_of_a_channel_that_went_are_not_kept(engine: Engine) -> None:
    """It was taken away while its webhook waited."""

    @on_a_loop
    async def tell() -> None:
        async with engine.store() as store:
            assert await store.run(record, body(said("クーポン", 1))) == 0

    tell()
    with closing(engine.raw()):
        assert kept(engine) == []


def test_a_late_word_decides_anew_what_came_after_it(engine: Engine) -> None:
    """A hand-over takes the reply back, the end of it brings it again; a button is answered
    whoever has the conversation.
    """
    engine.provision(SHOP)

    def replies() -> list[tuple[str, str]]:
        return engine.rows("SELECT idempotency_key, origin FROM outbox WHERE kind = 'line.reply'")

    def origins() -> list[str]:
        return sorted(origin for key, origin in replies() if key.endswith(("-5-0", "-6-0")))

    for each in (said("クーポン", 5), event("postback", 6, data="menu")):
        _keep(engine, body(each))
    assert origins() == ["rule:1", "rule:4"]
    _keep(engine, body(said("人と話す", 1)))
    assert origins() == ["rule:4"]
    _keep(engine, body(said("終了", 3)))
    assert origins() == ["rule:1", "rule:4"]
    with _transaction(engine) as tx:
        at, later = NOON + 4 * SECOND, NOON + 9 * SECOND
        friend = tx.line.friend(EVERYBODY, SHOP.id, USER)
        assert friend is not None
        found = tx.line.messages(EVERYBODY, friend.id, at, later)
        assert [each.event for each in found] == ["event-5-0"]


@pytest.mark.parametrize("together", [False, True])
def test_a_late_word_leaves_the_reply_to_what_was_taken_back(
    engine: Engine, together: bool
) -> None:
    """What it said is not known any more, be it written already or on its way into the store."""
    engine.provision(SHOP)
    message = said("クーポン", 5)
    undone, word = event("unsend", 6, unsent=message.message_id), said("人と話す", 1)
    bodies = [body(each) for each in (message, undone, word)]
    for batch in [bodies] if together else [[each] for each in bodies]:
        with _transaction(engine) as tx:
            tx.load(batch)
            for told in batch:
                record(tx, told)
    waiting = "SELECT origin FROM outbox WHERE kind = 'line.reply' ORDER BY order_at"
    assert engine.rows(waiting) == [("rule:2",), ("rule:1",)]
