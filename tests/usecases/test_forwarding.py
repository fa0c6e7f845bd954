"""Webhooks of a channel with a second tool: asked to be sent on with the events, once."""

import msgspec

from gateway.domain.line.channel import Forward
from gateway.domain.line.forwarding import KIND, read, written
from gateway.domain.values import SECOND, Seed
from gateway.usecases.line import IDS_AN_EVENT, Incoming, record
from tests.support.line import NOON, SHOP, body, said
from tests.support.stores import PATIENT, Engine, on_a_loop

_replace = msgspec.structs.replace

TOOL = Forward("https://tool.example.jp/hook", "山田 花子", NOON)


def forwarded(incoming: Incoming, raw: bytes, block: int) -> Incoming:
    """The same of a channel whose webhooks go to the tool, too."""
    ids = IDS_AN_EVENT * len(incoming.events) + 1
    seed = Seed(block * 100_000, ids, b"0123456789abcdef")
    payload = written(incoming.channel, TOOL.url, raw, "sig")
    return _replace(incoming, forward=payload, seed=seed)


@on_a_loop
async def test_a_webhook_is_sent_on_with_its_events_once(sqlite: Engine) -> None:
    """In the transaction that keeps them: what the platform repeats is not sent on again, and
    webhooks keep their order.
    """
    shop = _replace(SHOP, forward=TOOL)
    sqlite.provision(shop)
    async with sqlite.store(limits=PATIENT) as store:
        first, second = body(said("a", 1)), body(said("b", 2), received_at=NOON + 9)
        for block in (1, 2):  # the second time is a redelivery
            await store.run(record, forwarded(first, b"one", block))
        await store.run(record, forwarded(second, b"two", 3))
        await store.run(record, forwarded(body(received_at=NOON + 20), b"ping", 4))
    rows = sqlite.rows(
        f"SELECT payload, stream FROM outbox WHERE kind = '{KIND}' ORDER BY order_at, id"
    )
    assert [read(payload).raw for payload, _ in rows] == [b"one", b"two", b"ping"]
    assert {stream for _, stream in rows} == {"forward/acme-shop"}


@on_a_loop
async def test_a_repeated_ping_is_sent_on_once_a_minute(engine: Engine) -> None:
    """Its signed bytes are always the same, so whoever has seen one can repeat it: a tool that is
    this gateway would be sent its own pings for ever.
    """
    engine.provision(_replace(SHOP, forward=TOOL))
    async with engine.store(limits=PATIENT) as store:
        for block, seconds in enumerate((0, 0, 1, 59, 60, 61), 1):
            ping = body(received_at=NOON + seconds * SECOND)
            await store.run(record, forwarded(ping, b"ping", block))
    rows = engine.rows(f"SELECT order_at FROM outbox WHERE kind = '{KIND}' ORDER BY order_at")
    assert [(at - NOON) // SECOND for (at,) in rows] == [0, 60]
