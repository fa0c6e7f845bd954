"""What a store keeps of tokens, repeated writes and the audit, whichever engine it stands on."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from adapters.storage.access import TokenReader
from adapters.storage.database import reading
from gateway.domain.access import Access
from gateway.domain.values import EVERYBODY
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.access import Repeat
from gateway.usecases.access import (
    FORGET_AT_ONCE,
    KEPT_FOR,
    Asked,
    NewToken,
    Once,
    Revocation,
    create,
    forget,
    revoke,
)
from tests.support.stores import PATIENT, Engine, Gate, dialect_of, on_a_loop

NOW = 1_795_000_000_000_000

TILL = Access(id=7, role="staff", name="レジ", advertisers=("acme", "other"), created_at=NOW)
ALL = Access(id=8, role="operator", name="", advertisers=(), created_at=NOW, expires_at=NOW + 5)


def tokens(engine: Engine) -> list[Access]:
    """All tokens as a reader finds them."""
    with closing(engine.database().reader()) as connection, reading(connection):
        return TokenReader(dialect_of(engine.name)).all(connection, EVERYBODY)


def token(engine: Engine, hashed: str) -> Access | None:
    """The token with this hash."""
    with closing(engine.database().reader()) as connection, reading(connection):
        return TokenReader(dialect_of(engine.name)).find(connection, EVERYBODY, hashed)


def count(tx: Transaction, argument: str) -> tuple[str, Sequence[Fact]]:
    """A write whose doing can be counted: a row of the audit."""
    if not argument:
        raise Refused(Refusal.NOT_FOUND)
    tx.access.audit(EVERYBODY, NOW, "test", "acme", "did", argument, {"店": [1, None]})
    return argument, ()


def once(key: str, request: str = "r", *, at: int = NOW, holder: int = 1) -> Once[str]:
    """The use-case above, under an Idempotency-Key."""
    return Once(count, Asked(holder, key, request, at), str.encode)


@on_a_loop
async def test_a_token_is_found_by_its_hash_until_long_after_its_end(engine: Engine) -> None:
    """All that was kept comes back; a revoked one says when, and cannot be revoked again."""
    async with engine.store() as store:
        await store.run(create, NewToken(ALL, "b" * 64))
        await store.run(create, NewToken(TILL, "a" * 64))
        assert token(engine, "a" * 64) == TILL
        assert token(engine, "b" * 64) == ALL
        assert token(engine, "c" * 64) is None
        assert tokens(engine) == [TILL, ALL]
        assert await store.run(revoke, Revocation(7, NOW + 9))
        assert not await store.run(revoke, Revocation(7, NOW + 10))
        assert not await store.run(revoke, Revocation(99, NOW))
    found = token(engine, "a" * 64)
    assert found is not None
    assert found.revoked_at == NOW + 9


@on_a_loop
async def test_a_write_and_its_answer_are_kept_together(engine: Engine) -> None:
    """A repeat gets the answer and does nothing; both survive a restart."""
    async with engine.store() as store:
        assert await store.run(once("k"), "one") == b"one"
    async with engine.store() as store:
        assert await store.run(once("k"), "two") == b"one"
        with pytest.raises(Refused) as refused:
            await store.run(once("k", "other"), "three")
        assert refused.value.reason is Refusal.KEY_REUSED
        assert await store.run(once("k", "other", at=NOW + KEPT_FOR), "four") == b"four"
        assert await store.run(once("k", holder=2), "five") == b"five"
    assert [row[0] for row in engine.rows("SELECT subject FROM audit ORDER BY id")] == [
        "one",
        "four",
        "five",
    ]


@on_a_loop
async def test_of_many_repeats_at_once_one_is_done(engine: Engine) -> None:
    """In one transaction as in several, of one process as of two, all get one answer."""
    async with engine.store(limits=PATIENT) as store:
        names = [str(n) for n in range(20)]
        found = await asyncio.gather(*(store.run(once("k"), name) for name in names))
        assert len(set(found)) == 1
        if engine.name == "postgres":
            async with engine.store(limits=PATIENT) as other:
                both = [each.run(once("both"), n) for n in names for each in (store, other)]
                assert len(set(await asyncio.gather(*both))) == 1
    sizes = engine.sizes()
    assert sizes["audit"] == sizes["idempotency_keys"]


@on_a_loop
async def test_a_repeat_that_another_process_did_meanwhile_is_not_done(postgresql: Engine) -> None:
    """Whoever looks before the other's commit, and writes after it, gives the other's answer."""
    gate = Gate()

    def slow(tx: Transaction, argument: str) -> tuple[str, Sequence[Fact]]:
        gate(tx)
        return count(tx, argument)

    async with postgresql.store() as one, postgresql.store() as other:
        asked = Asked(1, "k", "r", NOW)
        late = asyncio.create_task(one.run(Once(slow, asked, str.encode), "late"))
        await gate.entered()
        assert await other.run(once("k"), "first") == b"first"
        gate.let_go()
        assert await late == b"first"
    assert postgresql.sizes()["audit"] == 1


@on_a_loop
async def test_a_refusal_keeps_neither_write_nor_answer(engine: Engine) -> None:
    """The key is free for the corrected write; neighbours in the transaction are kept."""
    async with engine.store(limits=PATIENT) as store:
        bad, good = await asyncio.gather(
            store.run(once("k"), ""), store.run(once("l"), "good"), return_exceptions=True
        )
        assert isinstance(bad, Refused)
        assert good == b"good"
        assert await store.run(once("k"), "right") == b"right"
    assert engine.sizes()["idempotency_keys"] == 2


@on_a_loop
async def test_old_answers_go_a_piece_at_a_time(engine: Engine) -> None:
    """The oldest first, and none that is still given."""

    def fill(tx: Transaction, amount: int) -> tuple[None, tuple[()]]:
        for n in range(amount):
            tx.access.keep(EVERYBODY, Repeat(1, f"k{n}", "r", b"", NOW + n))
        return None, ()

    async with engine.store(limits=PATIENT) as store:
        await store.run(fill, FORGET_AT_ONCE + 20)
        later = NOW + KEPT_FOR + FORGET_AT_ONCE + 10
        assert await store.run(forget, later) == FORGET_AT_ONCE
        assert await store.run(forget, later) == 10
        assert await store.run(forget, later) == 0
    assert engine.rows("SELECT min(at) FROM idempotency_keys") == [(later - KEPT_FOR,)]


@on_a_loop
async def test_the_audit_is_kept_as_it_was_said(engine: Engine) -> None:
    """Rows are numbered in their order, and the detail is JSON."""
    async with engine.store() as store:
        for subject in ("one", "two"):
            await store.run(count, subject)
    rows: list[tuple[Any, ...]] = engine.rows(
        "SELECT at, advertiser, actor, action, subject, detail FROM audit ORDER BY id"
    )
    detail = '{"店":[1,null]}'
    assert rows == [(NOW, "acme", "test", "did", subject, detail) for subject in ("one", "two")]
