"""Webhooks of a channel with a second tool: asked to be sent on with the events, once, and not any
more once who sent a message took it back.
"""

import asyncio
from typing import Any

import msgspec
import pytest

from gateway.domain.line.channel import Forward
from gateway.domain.line.forwarding import KIND, read, written
from gateway.domain.values import EVERYBODY, SECOND, Ids, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Transaction
from gateway.ports.outbox import Outcome
from gateway.usecases.line import IDS_AN_EVENT, Incoming, record
from gateway.usecases.outbox import Resend, resend
from tests.support.line import NOON, SHOP, body, event, said
from tests.support.stores import PATIENT, Engine, on_a_loop

_replace = msgspec.structs.replace

TOOL = Forward("https://tool.example.jp/hook", "山田 花子", NOON)
OTHER = "U" + "1" * 32


def forwarded(incoming: Incoming, raw: bytes, ids: Ids) -> Incoming:
    """The same of a channel whose webhooks go to the tool, too."""
    count = IDS_AN_EVENT * len(incoming.events) + 1
    seed = Seed(ids.block(incoming.received_at, count), count, b"0123456789abcdef")
    messages = tuple(each.message_id for each in incoming.events if each.message_id)
    payload = written(incoming.channel, TOOL.url, raw, "sig", messages)
    return _replace(incoming, forward=payload, seed=seed)


def waiting(engine: Engine) -> list[bytes]:
    """The bodies that are still to be sent on, in order."""
    rows = engine.rows(f"SELECT payload FROM outbox WHERE kind = '{KIND}' ORDER BY order_at, id")
    return [read(payload).raw for (payload,) in rows if payload]


@on_a_loop
async def test_a_webhook_is_sent_on_with_its_events_once(sqlite: Engine) -> None:
    """In the transaction that keeps them: what the platform repeats is not sent on again, and the
    webhooks of a friend keep their order.
    """
    shop, ids = _replace(SHOP, forward=TOOL), Ids(1)
    sqlite.provision(shop)
    async with sqlite.store(limits=PATIENT) as store:
        first, second = body(said("a", 1)), body(said("b", 2), received_at=NOON + 9)
        for _ in range(2):  # the second time is a redelivery
            await store.run(record, forwarded(first, b"one", ids))
        await store.run(record, forwarded(second, b"two", ids))
        await store.run(record, forwarded(body(received_at=NOON + 20), b"ping", ids))
    assert waiting(sqlite) == [b"one", b"two", b"ping"]
    rows = sqlite.rows(f"SELECT stream FROM outbox WHERE kind = '{KIND}' ORDER BY order_at, id")
    user = first.events[0].user
    assert [stream for (stream,) in rows] == [*[f"forward/acme-shop/{user}"] * 2, ""]


@on_a_loop
async def test_the_webhooks_of_each_friend_are_a_stream(sqlite: Engine) -> None:
    """Of a group likewise; a body of several goes with the first one, and nobody's stands alone."""
    sqlite.provision(_replace(SHOP, forward=TOOL))
    ids = Ids(1)
    bodies = [
        body(event("accountLink", 1, user=""), said("a", 2, user="U2"), said("b", 3, user="U1")),
        body(said("c", 4, user="U1", place="C1", source="group")),
        body(event("accountLink", 5, user="")),
    ]
    async with sqlite.store(limits=PATIENT) as store:
        for incoming in bodies:
            await store.run(record, forwarded(incoming, b"x", ids))
    rows = sqlite.rows(f"SELECT stream FROM outbox WHERE kind = '{KIND}' ORDER BY id")
    assert [stream for (stream,) in rows] == ["forward/acme-shop/U2", "forward/acme-shop/C1", ""]


@on_a_loop
async def test_a_repeated_ping_is_sent_on_once_a_minute(engine: Engine) -> None:
    """Its signed bytes are always the same, so whoever has seen one can repeat it: a tool that is
    this gateway would be sent its own pings for ever.
    """
    engine.provision(_replace(SHOP, forward=TOOL))
    ids = Ids(1)
    async with engine.store(limits=PATIENT) as store:
        for seconds in (0, 0, 1, 59, 60, 61):
            ping = body(received_at=NOON + seconds * SECOND)
            await store.run(record, forwarded(ping, b"ping", ids))
    rows = engine.rows(f"SELECT order_at FROM outbox WHERE kind = '{KIND}' ORDER BY order_at")
    assert [(at - NOON) // SECOND for (at,) in rows] == [0, 60]


@on_a_loop
async def test_a_message_that_is_taken_back_is_not_sent_on(engine: Engine) -> None:
    """Whoever's body holds it, in a transaction of its own or in the same: nothing of it stays, and
    all others are sent on, with the word that it was taken back.
    """
    engine.provision(_replace(SHOP, forward=TOOL))
    ids = Ids(1)
    mixed = body(said("x", 1, user=OTHER), said("secret", 2), received_at=NOON + 2 * SECOND)
    others = body(said("y", 3), received_at=NOON + 3 * SECOND)
    back = body(event("unsend", 4, unsent="message-2-0"), received_at=NOON + 4 * SECOND)
    again = body(said("late", 5), received_at=NOON + 5 * SECOND)
    back_again = body(event("unsend", 6, unsent="message-5-0"), received_at=NOON + 6 * SECOND)
    async with engine.store(limits=PATIENT) as store:
        await store.run(record, forwarded(mixed, b"secret", ids))
        await store.run(record, forwarded(others, b"y", ids))
        assert waiting(engine) == [b"secret", b"y"]
        await store.run(record, forwarded(back, b"back", ids))
        assert waiting(engine) == [b"y", b"back"]
        together = [forwarded(again, b"late", ids), forwarded(back_again, b"back again", ids)]
        await asyncio.gather(*(store.run(record, each) for each in together))
    assert waiting(engine) == [b"y", b"back", b"back again"]


@on_a_loop
async def test_a_message_that_was_taken_back_before_it_came_is_not_sent_on(engine: Engine) -> None:
    """Nor one that is taken back by the very body that brings it."""
    engine.provision(_replace(SHOP, forward=TOOL))
    ids = Ids(1)
    bodies = [
        (body(event("unsend", 2, unsent="message-1-0")), b"back"),
        (body(said("secret", 1)), b"secret"),
        (body(said("secret", 3), event("unsend", 4, unsent="message-3-0")), b"both"),
    ]
    async with engine.store(limits=PATIENT) as store:
        for incoming, raw in bodies:
            await store.run(record, forwarded(incoming, raw, ids))
    assert waiting(engine) == [b"back"]


@pytest.mark.parametrize("state", ["done", "dead", "unknown"])
def test_what_has_ended_holds_no_body_and_is_not_sent_again(engine: Engine, state: Any) -> None:
    """Whatever its end was: nobody could take back what lies there."""
    engine.provision(_replace(SHOP, forward=TOOL))

    @on_a_loop
    async def play() -> None:
        def end(tx: Transaction, now: int) -> tuple[int, tuple[()]]:
            (claimed,) = tx.outbox.claim(EVERYBODY, now, (KIND,), 9, 15)
            tx.outbox.settle(EVERYBODY, now, [(claimed, Outcome(state, error="fault"))])
            return claimed.id, ()

        async with engine.store(limits=PATIENT) as store:
            await store.run(record, forwarded(body(said("secret", 1)), b"secret", Ids(1)))
            id_ = await store.run(end, NOON + SECOND)
            with pytest.raises(Refused) as refused:
                await store.run(resend, Resend(EVERYBODY, id_, NOON + SECOND))
        gone = Refusal.NOT_FOUND if state == "done" else Refusal.PAYLOAD_GONE
        assert refused.value.reason is gone
        assert engine.rows(f"SELECT state, payload FROM outbox WHERE kind = '{KIND}'") == [
            (state, "")
        ]

    play()
