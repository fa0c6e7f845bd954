"""A body on its way into the store: no more of it at once than others can wait for."""

import asyncio
import json
from base64 import b64encode
from hashlib import sha256
from hmac import digest
from typing import Any

import msgspec
import pytest
from multidict import CIMultiDict

from adapters.line.routes import Webhooks
from adapters.storage.store import SqlStore
from gateway.domain.line.channel import Forward
from gateway.domain.line.forwarding import KIND
from gateway.domain.values import Ids
from gateway.errors import Transient, Trouble
from gateway.ports import Request
from tests.support.line import NOON, SHOP, USER
from tests.support.stores import PATIENT, Engine, eventually, on_a_loop

FORWARDING = msgspec.structs.replace(
    SHOP, forward=Forward("https://tool.example.jp/hook", "山田 花子", NOON)
)


class Log:
    """Where nothing is to be said."""

    def warning(self, event: str, /, **fields: object) -> None:
        raise AssertionError(event)

    info = error = warning


class Counting:
    """A store that counts its units."""

    def __init__(self, store: SqlStore) -> None:
        self.entity = store.entity
        self.units: list[int] = []
        self._store = store

    async def run(self, use_case: Any, argument: Any) -> Any:
        self.units.append(len(argument.events))
        return await self._store.run(use_case, argument)


def told(number: int, text: str) -> dict[str, Any]:
    """The JSON of a text message."""
    return {
        "type": "message",
        "mode": "active",
        "timestamp": NOON // 1000 + number,
        "webhookEventId": f"event-{number}",
        "deliveryContext": {"isRedelivery": False},
        "replyToken": f"token-{number}",
        "source": {"type": "user", "userId": USER},
        "message": {"type": "text", "id": str(number), "text": text, "quoteToken": "q"},
    }


def asked(*events: dict[str, Any], of: str = SHOP.id) -> Request:
    """A webhook as the platform sends it."""
    raw = json.dumps({"destination": "", "events": events}).encode()
    signature = b64encode(digest(SHOP.channel_secret.encode(), raw, sha256)).decode()
    headers = CIMultiDict({"x-line-signature": signature})
    return Request("POST", f"/line/{of}", "", headers, raw, NOON, "1", {"id": of})


async def units(engine: Engine, *bodies: list[dict[str, Any]]) -> list[list[int]]:
    """How many events each unit of each body had."""
    engine.provision(FORWARDING)
    found = []
    ids = Ids(1)
    async with engine.store(limits=PATIENT) as store:
        await eventually(lambda: store.cache.version > 0)
        for events in bodies:
            counting = Counting(store)
            webhooks = Webhooks(store=counting, ids=ids, log=Log())  # type: ignore[arg-type]  # what is asked of it
            assert (await webhooks.answer(asked(*events))).status == 200
            found.append(counting.units)
    return found


@on_a_loop
async def test_a_large_body_is_kept_in_pieces(engine: Engine) -> None:
    """Its events stay in order and are kept once; the second tool gets it once."""
    many = [told(number, "hello") for number in range(250)]
    found = await units(engine, many[::-1], many)
    assert found == [[100, 100, 50], [100, 100, 50]]
    kept = engine.rows("SELECT event FROM line_events ORDER BY id")
    assert [event for (event,) in kept] == [f"event-{number}" for number in range(250)]
    assert len(engine.rows(f"SELECT id FROM outbox WHERE kind = '{KIND}'")) == 1


@on_a_loop
async def test_long_texts_are_kept_in_smaller_pieces(sqlite: Engine) -> None:
    """They take longest to be compared; one alone is a piece however long it is."""
    texts = [told(number, "ab" * 2_500) for number in range(9)]
    huge = [told(20, "a" * 30_000), told(21, "short")]
    assert await units(sqlite, texts, huge) == [[4, 4, 1], [1, 1]]


@on_a_loop
async def test_a_new_event_of_a_later_piece_is_sent_on_too(sqlite: Engine) -> None:
    """What was cut off after its first piece is delivered again, and its rest is new."""
    many = [told(number, "hello") for number in range(150)]
    assert await units(sqlite, many[:100], many, []) == [[100], [100, 50], [0]]
    rows = sqlite.rows(
        f"SELECT key FROM (SELECT idempotency_key AS key, kind FROM outbox)"
        f" WHERE kind = '{KIND}' ORDER BY key"
    )
    assert len(rows) == 3
    assert "/ping/" in rows[-1][0]


class Stuck:
    """A store that takes everything, and is done with nothing until it is told so."""

    def __init__(self) -> None:
        self.taken = 0
        self.done = asyncio.Event()

    def entity(self, kind: type[Any], id_: str) -> Any:
        return msgspec.structs.replace(SHOP, id=id_)

    async def run(self, use_case: Any, argument: Any) -> int:
        self.taken += 1
        await self.done.wait()
        return 1


@on_a_loop
async def test_a_flooded_channel_is_put_off_and_no_other() -> None:
    """The platform delivers again what is answered with 503, and others need not wait for it."""
    store = Stuck()
    webhooks = Webhooks(store=store, ids=Ids(1), log=Log())  # type: ignore[arg-type]  # as above
    waiting = [asyncio.ensure_future(webhooks.answer(asked(told(n, "x")))) for n in range(64)]
    await eventually(lambda: store.taken == 64)
    with pytest.raises(Transient, match="this channel") as caught:
        await webhooks.answer(asked(told(64, "x")))
    assert caught.value.reason is Trouble.STORE_BUSY
    other = asyncio.ensure_future(webhooks.answer(asked(told(65, "x"), of="other")))
    await eventually(lambda: store.taken == 65)
    store.done.set()
    assert {(await each).status for each in (*waiting, other)} == {200}
    assert (await webhooks.answer(asked(told(64, "x")))).status == 200
