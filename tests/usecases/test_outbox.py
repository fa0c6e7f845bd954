"""Effects are settled with what they cost, and quotas keep what they promise."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import Friend, stream_of
from gateway.domain.line.quota import Quota
from gateway.domain.values import EVERYBODY, SECOND, Counted, Scope
from gateway.errors import Refusal, Refused
from gateway.ports.outbox import Outcome
from gateway.ports.quota import Spent
from gateway.usecases import outbox, quota
from gateway.usecases.quota import Reading
from tests.support.stores import Engine, statements_of

NOW = 1_796_000_000 * SECOND  # 2026-11-30T09:53:20 in Japan
MONTH = "2026-11"
SHOP = Channel("shop", "acme", "1", "s", push_instead=True, push_cap=2)
PUSH = ("line.push",)
READ = Reading("shop", "acme", "limited", 100, 40, NOW)


@contextmanager
def transaction(engine: Engine) -> Iterator[StoreTransaction]:
    """A transaction that is committed at its end."""
    connection = engine.database().writer()
    try:
        tx = StoreTransaction(connection, statements_of(engine.name), RouteCache())
        yield tx
        tx.flush()
        connection.commit()
    finally:
        connection.rollback()
        connection.close()


def month(engine: Engine, name: str = "2026-11") -> Quota | None:
    with transaction(engine) as tx:
        return tx.outbox.quotas.find(EVERYBODY, "shop", name)


def test_what_was_sent_is_taken_off_the_month(engine: Engine) -> None:
    """Once, in the month of its instant, and off what was promised where it was promised."""
    with transaction(engine) as tx:
        quota.keep(tx, READ)
        assert quota.reserve(tx, SHOP, 10, MONTH)
    add(engine, "a", "b", "c")
    with transaction(engine) as tx:
        claimed = outbox.claim(tx, outbox.Claim(NOW, PUSH))[0].claimed
    spent = [
        Spent("shop", "acme", 4, NOW, reserved=MONTH),
        Spent("shop", "acme", 1, NOW),
        Spent("shop", "acme", 1, NOW + 86_400 * SECOND),
    ]
    fact = Counted("acme", "line_messages_total", ("push", "sent"), 4)
    outcomes = tuple(
        (one, Outcome("done", facts=(fact,), spent=cost))
        for one, cost in zip(claimed, spent, strict=True)
    )
    with transaction(engine) as tx:
        assert outbox.settle(tx, outbox.Settle(NOW, outcomes)) == (3, [fact] * 3)
    with transaction(engine) as tx:
        assert outbox.settle(tx, outbox.Settle(NOW, outcomes)) == (0, [])
    november, december = month(engine), month(engine, "2026-12")
    assert november is not None
    assert december is not None
    assert (november.spent, november.reserved, november.left) == (5, 6, 49)
    assert (december.spent, december.kind) == (1, "")


def add(engine: Engine, *keys: str) -> None:
    with transaction(engine) as tx:
        for number, key in enumerate(keys):
            tx.outbox.add(EVERYBODY, Effect(number + 1, "acme", "line.push", key, "{}", NOW))


def test_a_claim_hands_out_no_more_than_a_unit_may_touch(sqlite: Engine) -> None:
    """Whatever the worker wished for."""
    add(sqlite, *(f"{n}" for n in range(outbox.AT_ONCE + 5)))
    with transaction(sqlite) as tx:
        claimed = outbox.claim(tx, outbox.Claim(NOW, PUSH, limit=9_999))[0].claimed
    assert len(claimed) == outbox.AT_ONCE


def test_no_more_is_promised_than_the_month_has(engine: Engine) -> None:
    """Not even in one transaction; what is given back can be promised again."""
    with transaction(engine) as tx:
        assert not quota.reserve(tx, SHOP, 1, MONTH)  # nobody knows yet
        quota.keep(tx, READ)
        assert quota.reserve(tx, SHOP, 45, MONTH)
        assert not quota.reserve(tx, SHOP, 16, MONTH)
        assert quota.reserve(tx, SHOP, 15, MONTH)
    with transaction(engine) as tx:
        assert not quota.reserve(tx, SHOP, 1, MONTH)
        quota.release(tx, SHOP, 20, MONTH)
        assert quota.reserve(tx, SHOP, 20, MONTH)


def test_a_new_reading_replaces_what_was_added_since_the_last(engine: Engine) -> None:
    """What is promised stays, and so does the count of pushes in the place of replies."""
    with transaction(engine) as tx:
        quota.keep(tx, READ)
        quota.reserve(tx, SHOP, 5, MONTH)
        quota.take_instead(tx, SHOP, NOW)
        tx.outbox.quotas.spend(EVERYBODY, [Spent("shop", "acme", 3, NOW)])
    with transaction(engine) as tx:
        again = msgspec.structs.replace(READ, used=44, now=NOW + 1)
        kept, _ = quota.keep(tx, again)
    expected = Quota("shop", "2026-11", "acme", "limited", 100, 44, NOW + 1, 0, 5, 1)
    assert kept == month(engine) == expected


def test_pushes_in_the_place_of_replies_have_a_cap_and_need_room(engine: Engine) -> None:
    """The shop's own cap holds even while nobody knows the platform's limit."""
    with transaction(engine) as tx:
        assert [quota.take_instead(tx, SHOP, NOW) for _ in range(3)] == [True, True, False]
        assert quota.take_instead(tx, SHOP, NOW + 86_400 * SECOND)  # another month
        off = msgspec.structs.replace(SHOP, id="off", push_instead=False)
        assert not quota.take_instead(tx, off, NOW)
        full = msgspec.structs.replace(SHOP, id="full")
        quota.keep(tx, msgspec.structs.replace(READ, channel="full", used=100))
        assert not quota.take_instead(tx, full, NOW)


def test_sends_are_halted_and_resumed_by_advertiser(engine: Engine) -> None:
    """A name that nobody bears is refused: nothing would be halted by it."""
    with transaction(engine) as tx:
        assert outbox.stop(tx, outbox.Stop("acme", NOW, "command"))[0]
        assert outbox.stop(tx, outbox.Stop("*", NOW, "command"))[0]
        with pytest.raises(Refused) as refused:
            outbox.stop(tx, outbox.Stop("acne", NOW, "command"))
        assert refused.value.reason is Refusal.NOT_FOUND
        assert outbox.stop(tx, outbox.Stop("acme", NOW, "command", resume=True))[0]
        assert not outbox.stop(tx, outbox.Stop("acme", NOW, "command", resume=True))[0]
    assert engine.rows("SELECT advertiser FROM send_stops") == [("*",)]


def test_what_is_not_ones_own_cannot_be_sent_again(sqlite: Engine) -> None:
    """Another advertiser's effect is not even known to exist."""
    add(sqlite, "a")
    with transaction(sqlite) as tx:
        (one,) = outbox.claim(tx, outbox.Claim(NOW, PUSH))[0].claimed
        outbox.settle(tx, outbox.Settle(NOW, ((one, Outcome("dead")),)))
    with transaction(sqlite) as tx:
        with pytest.raises(Refused):
            outbox.resend(tx, outbox.Resend(Scope(frozenset({"other"})), one.id, NOW))
        outbox.resend(tx, outbox.Resend(EVERYBODY, one.id, NOW))
    assert sqlite.rows("SELECT state FROM outbox") == [("waiting",)]


@pytest.mark.parametrize("how", ["retention", "erasure"])
def test_what_is_not_kept_any_more_cannot_be_sent_again(engine: Engine, how: str) -> None:
    """It is refused by name, whatever took its payload, and stays as it is."""
    friend = Friend("shop", "U1", 5, "acme", 1)
    stream = stream_of("shop", "U1")
    with transaction(engine) as tx:
        tx.line.friend(EVERYBODY, "shop", "U1")
        tx.line.save(EVERYBODY, friend)
        tx.outbox.add(EVERYBODY, Effect(1, "acme", "line.push", "a", "{}", NOW, stream))
    with transaction(engine) as tx:
        (one,) = outbox.claim(tx, outbox.Claim(NOW, PUSH))[0].claimed
        outbox.settle(tx, outbox.Settle(NOW, ((one, Outcome("dead", error="refused")),)))
    with transaction(engine) as tx:
        if how == "erasure":
            tx.erasure.erase(EVERYBODY, friend, NOW)
        else:
            outbox.forget(tx, outbox.Forget("outbox-texts", NOW))
    with transaction(engine) as tx:
        before = tx.writes
        with pytest.raises(Refused) as refused:
            outbox.resend(tx, outbox.Resend(EVERYBODY, 1, NOW))
        assert refused.value.reason is Refusal.PAYLOAD_GONE
        assert tx.writes == before
    assert engine.rows("SELECT state, payload FROM outbox") == [("dead", "")]
