"""Webhooks of a channel with a second tool: asked to be sent on with the events, once."""

import msgspec

from gateway.domain.line.channel import Forward
from gateway.domain.line.forwarding import KIND, read, written
from gateway.domain.values import Seed
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
    """In the transaction that keeps them: what the platform repeats is not sent on again, a ping is
    each time, and webhooks keep their order.
    """
    shop = _replace(SHOP, forward=TOOL)
    sqlite.provision(shop)
    async with sqlite.store(limits=PATIENT) as store:
        first, second = body(said("a", 1)), body(said("b", 2), received_at=NOON + 9)
        for block in (1, 2):  # the second time is a redelivery
            await store.run(record, forwarded(first, b"one", block))
        await store.run(record, forwarded(second, b"two", 3))
        for block in (4, 5):
            await store.run(record, forwarded(body(received_at=NOON + 20), b"ping", block))
    rows = sqlite.rows(
        f"SELECT payload, stream FROM outbox WHERE kind = '{KIND}' ORDER BY order_at, id"
    )
    assert [read(payload).raw for payload, _ in rows] == [b"one", b"two", b"ping", b"ping"]
    assert {stream for _, stream in rows} == {"forward/acme-shop"}
