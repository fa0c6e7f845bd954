"""The simulated platform, and our side of a channel of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from adapters.line.client import Messages
from adapters.line.sender import Sender
from adapters.line.tokens import Tokens
from adapters.storage.store import SqlStore
from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.values import EVERYBODY, SECOND, Counted, Ids
from gateway.main.outbox import Worker
from gateway.ports import Transaction
from gateway.usecases.sending import Rooms, preparing
from tests.adapters.line.simulator.world import World, until
from tests.support.stores import Engine, Recorder


class Hand:
    """A clock of seconds that is turned by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def ours(world: World, **given: Any) -> Channel:
    """The world's channel as it is provisioned with us."""
    wanted = {
        "id": "shop",
        "advertiser": "acme",
        "channel_id": world.channel.id,
        "channel_secret": world.channel.secret,
        "name": "花屋",
    }
    return msgspec.convert(wanted | given, Channel)


def tokens_of(world: World, clock: Hand | None = None) -> Tokens:
    return Tokens(world.session, world.platform.url, clock or Hand())


def messages_of(world: World) -> Messages:
    return Messages(world.session, world.platform.url, tokens_of(world))


@asynccontextmanager
async def serving(
    handler: Callable[[web.BaseRequest], Any],
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A server of a test's own in the platform's place, and a session to it."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as session:
            yield session, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def asked(world: World, path: str) -> int:
    """How often the platform was asked for a path."""
    return sum(request.path == path for request in world.platform.asked)


class Lines:
    """Where a worker's log lines go."""

    def __init__(self) -> None:
        self.errors: list[dict[str, object]] = []

    def error(self, event: str, /, **fields: object) -> None:
        self.errors.append({"event": event} | fields)

    info = warning = error


@dataclass
class Office:
    """A store, a sender and a worker for the world's channel, all by the platform's clock."""

    world: World
    engine: Engine
    store: SqlStore
    sender: Sender
    worker: Worker
    recorder: Recorder
    log: Lines
    halted: set[str]
    exhausted: list[Channel]
    raw: Any
    """A connection that stays open: what waits is asked for again and again."""
    ids: Ids = field(default_factory=lambda: Ids(9))

    @property
    def stream(self) -> str:
        return f"line/shop/{self.world.hana.user_id}"

    def effect(self, kind: str, key: str, **given: Any) -> Effect:
        """An effect for hana's friend, due now."""
        now = self.world.clock()
        payload = {"channel": "shop"} | given.pop("payload")
        wanted = {
            "id": self.ids.next(now),
            "advertiser": "acme",
            "kind": f"line.{kind}",
            "key": key,
            "payload": msgspec.json.encode(payload).decode(),
            "due_at": now,
        }
        return msgspec.convert(wanted | given, Effect)

    def reply(self, key: str, token: str, *texts: str, **given: Any) -> Effect:
        now = self.world.clock()
        wanted = {
            "payload": {
                "user": self.world.hana.user_id,
                "token": token,
                "messages": texts_of(*(texts or (key,))),
            },
            "stream": self.stream,
            "order_at": now,
            "give_up_at": now + 50 * SECOND,
        }
        return self.effect("reply", key, **(wanted | given))

    def push(self, key: str, *texts: str, **given: Any) -> Effect:
        to, messages = self.world.hana.user_id, texts_of(*(texts or (key,)))
        return self.effect("push", key, **({"payload": {"to": to, "messages": messages}} | given))

    async def token(self, text: str = "やあ") -> str:
        """A new reply token of hana's."""
        return str((await self.world.hana.say(text)).event["replyToken"])

    async def ask(self, *effects: Effect) -> None:
        """Ask for effects, and wake the worker."""
        await self.store.run(_add, effects)
        self.worker.wake()

    def states(self) -> dict[str, str]:
        return dict(self.engine.rows("SELECT idempotency_key, state FROM outbox"))

    def row(self, key: str, *columns: str) -> tuple[Any, ...]:
        chosen = ", ".join(columns)
        return self.engine.rows(f"SELECT {chosen} FROM outbox WHERE idempotency_key = '{key}'")[0]

    def is_over(self) -> bool:
        """Whether nothing is under way, or due."""
        now = self.world.clock()
        return not self._rows(
            "SELECT 1 FROM outbox WHERE state = 'leased'"
            f" OR (state = 'waiting' AND due_at <= {now} AND NOT EXISTS (SELECT 1 FROM outbox e"
            " WHERE e.stream = outbox.stream AND e.stream <> '' AND e.state = 'waiting'"
            f" AND e.due_at > {now} AND (e.order_at, e.id) < (outbox.order_at, outbox.id)))"
        )

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self.raw.execute(sql).fetchall())

    async def rest(self) -> None:
        """Wait until all that can be done now is done."""
        self.worker.wake()
        await until(lambda: not self.worker.busy and self.is_over())

    async def turn(self, seconds: float) -> None:
        """Turn the clock, and wait likewise."""
        self.world.clock.turn(seconds=seconds)
        await self.rest()

    async def finish(self, rounds: int = 200) -> None:
        """Turn the clock from one due instant to the next, until nothing waits."""
        await self.rest()
        for _ in range(rounds):
            now = self.world.clock()
            waiting = "SELECT min(due_at) FROM outbox WHERE state = 'waiting'"
            due = self._rows(f"{waiting} AND due_at > {now}")[0][0]
            if due is None:
                return
            self.world.clock.now = due
            await self.rest()
        raise AssertionError("it never ends")

    @property
    def counted(self) -> dict[tuple[str, ...], int]:
        """Messages by kind and result, as they were counted."""
        found: Counter[tuple[str, ...]] = Counter()
        for fact in self.recorder.facts:
            if isinstance(fact, Counted) and fact.metric == "line_messages_total":
                found[fact.labels] += fact.amount
        return dict(found)

    @property
    def received(self) -> list[str]:
        """The texts that hana received, in order."""
        return [received.message["text"] for received in self.world.hana.inbox]


def texts_of(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


def _add(tx: Transaction, effects: Sequence[Effect]) -> tuple[None, tuple[()]]:
    for effect in effects:
        tx.outbox.add(EVERYBODY, effect)
    return None, ()


def sender_of(world: World, store: SqlStore, ids: Ids, **more: Any) -> Sender:
    return Sender(
        store=store,
        messages=messages_of(world),
        ids=ids,
        clock=world.clock,
        prepare=preparing(more.pop("rooms", Rooms())),
        **more,
    )


@asynccontextmanager
async def office(
    world: World, engine: Engine, *, rooms: Rooms | None = None, **channel: Any
) -> AsyncIterator[Office]:
    """Everything open, the world's channel provisioned with what ``channel`` says."""
    engine.provision(ours(world, **channel))
    recorder, log, ids = Recorder(), Lines(), Ids(8)
    halted: set[str] = set()
    exhausted: list[Channel] = []
    async with engine.store(recorder) as store:
        raw = engine.raw()
        sender = sender_of(
            world,
            store,
            ids,
            rooms=rooms or Rooms(),
            is_halted=lambda advertiser: advertiser in halted,
            exhausted=exhausted.append,
        )
        worker = Worker(store=store, handlers=sender.handlers, clock=world.clock, log=log)
        working = asyncio.create_task(worker.run())
        made = Office(world, engine, store, sender, worker, recorder, log, halted, exhausted, raw)
        try:
            yield made
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            raw.close()
        assert log.errors == []
