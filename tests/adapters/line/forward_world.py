"""A second tool, and a daemon that sends webhooks on to it, at a time that a test sets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.line.forward import Forwarder
from adapters.storage.store import SqlStore
from gateway.domain.line.channel import Channel, Forward
from gateway.domain.line.forwarding import KIND, read, written
from gateway.domain.values import EVERYBODY, SECOND, Counted, Ids, Seed
from gateway.main.outbox import Worker
from gateway.ports import Fact, Transaction
from gateway.usecases.forwarding import send_on
from tests.support.line import NOON, SHOP, USER, event
from tests.support.stores import (
    PATIENT,
    Engine,
    Recorder,
    eventually,
)
from tests.support.tls import contexts

NAME = "tool.example.jp"
BODY = '{"destination":"U0","events":[{"text":"改行\\u2028 \\ud83c"} ]}'.encode() + b"\xff\n"

OTHER_SHOP = msgspec.structs.replace(SHOP, id="other-shop", channel_id="9876543210")

_replace = msgspec.structs.replace


class Names(AbstractResolver):
    """Says what names stand for: each time the next of what the test gave, the last for ever."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        found = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        kind = socket.AF_INET6 if ":" in found else socket.AF_INET
        return [ResolveResult(hostname=host, host=found, port=port, family=kind, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Tool:
    """The second tool: it keeps what it gets, and answers as the test says, at last with 200."""

    answers: list[int] = field(default_factory=list)
    heard: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    held: asyncio.Event | None = None
    hangs_at: str = ""
    """Nothing comes back from addresses with this in them, as long as it is held."""
    refused: bytes = b""
    """A body on which it fails, however often it comes."""
    written: int = 0
    connections: int = 0
    keeps_alive: bool = True

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, _, body in self.heard]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self.heard.append((request.path_qs, headers, body))
        if self.held is not None and self.hangs_at in request.path_qs:
            await self.held.wait()
        if self.refused and body == self.refused:
            return web.Response(status=500)
        status = self.answers.pop(0) if self.answers else 200
        if status == 299:
            return await self._flood(request)
        response = web.Response(status=status, headers={"Location": "/elsewhere"})
        if not self.keeps_alive:
            response.force_close()
        return response

    async def _flood(self, request: web.BaseRequest) -> web.StreamResponse:
        """An answer without an end."""
        response = web.StreamResponse(headers={"Content-Encoding": "gzip"})
        await response.prepare(request)
        while True:
            await response.write(b"\x1f\x8b" + b"a" * 65_534)
            self.written += 65_536


@dataclass
class Office:
    """A daemon's store and worker, with a forwarder, at a time that a test sets."""

    engine: Engine
    store: SqlStore
    worker: Worker
    tool: Tool
    url: str
    names: Names
    recorder: Recorder
    now: int = NOON
    ids: Ids = field(default_factory=lambda: Ids(5))

    async def hear(
        self, body: bytes, url: str | None = None, *, user: str = USER, channel: Channel = SHOP
    ) -> None:
        """A webhook of the channel was taken in, about ``user``."""
        payload = written(channel.id, url or self.url, body, "c2lnbmF0dXJl")
        seed = Seed(self.ids.block(self.now, 1), 1, b"")
        await self.store.run(ask, (payload, self.now, seed, user))
        self.now += 1
        self.worker.wake()

    def rows(self) -> list[tuple[str, str | None]]:
        """State and last error of all that is, or was, to be sent."""
        return self.engine.rows("SELECT state, last_error FROM outbox ORDER BY order_at, id")

    async def become(self, *rows: tuple[str, str | None]) -> None:
        """Wait until this is what is known of all."""
        await eventually(lambda: self.rows() == list(rows))

    def has_tried(self, attempts: int) -> bool:
        """Whether the one webhook was tried so often, or is dead."""
        ((state, tried),) = self.engine.rows("SELECT state, attempts FROM outbox")
        return bool(state == "dead" or (state == "waiting" and tried == attempts))

    async def count(self, **wanted: int) -> None:
        """Wait until so many results were counted, and no others."""

        def counts() -> dict[str, int]:
            counted = [fact for fact in self.recorder.facts if isinstance(fact, Counted)]
            results = [fact.labels[0] for fact in counted]
            return {result: results.count(result) for result in results}

        await eventually(lambda: counts() == wanted)

    def later(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self.worker.wake()

    def approve(self, url: str, channel: Channel = SHOP) -> None:
        """The channel's webhooks go to ``url``, or with an empty one nowhere."""
        to = Forward(url, "山田 花子", NOON) if url else None
        self.engine.provision(_replace(channel, forward=to))


def ask(tx: Transaction, asked: tuple[str, int, Seed, str]) -> tuple[None, list[Fact]]:
    """Ask for a webhook to be sent on: its payload, the time, and whom it is about."""
    payload, now, seed, user = asked
    channel = tx.entities.find(EVERYBODY, Channel, read(payload).channel)
    assert channel is not None
    send_on(tx, channel, payload, [event("message", 1, user=user)], now, seed.draw())
    return None, []


class Silent:
    """A log that nobody reads."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Nothing."""

    info = error = warning


@asynccontextmanager
async def an_office(
    engine: Engine, folder: Path, names: Names, allowed: str = "127.0.0.1", *, trusts: bool = True
) -> AsyncIterator[Office]:
    tool = Tool()
    server, trust = contexts(folder, NAME)
    runner = web.ServerRunner(web.Server(tool.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server).start()
    port = runner.addresses[0][1]
    recorder = Recorder()
    url = f"https://{NAME}:{port}/hook?shop=1"
    async with engine.store(recorder, limits=PATIENT) as store:
        office = Office(engine, store, None, tool, url, names, recorder)  # type: ignore[arg-type] # it is made of it
        async with Forwarder(
            store=store,
            clock=lambda: office.now,
            log=Silent(),
            allowed=[(allowed, port)],
            resolver=names,
            trust=trust if trusts else None,
        ) as forwarder:
            office.worker = Worker(
                store=store,
                handlers={KIND: forwarder.deliver},
                clock=lambda: office.now,
                log=Silent(),
            )
            office.approve(url)
            working = asyncio.create_task(office.worker.run())
            try:
                yield office
            finally:
                if tool.held is not None:
                    tool.held.set()
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
                await runner.cleanup()


Test = Callable[[Office], Coroutine[Any, Any, None]]


def in_office(
    *addresses: str, allowed: str = "127.0.0.1", trusts: bool = True
) -> Callable[[Test], Callable[[Engine, Path], None]]:
    """Run a test where names stand for ``addresses``, loopback unless it says another thing."""

    def wrap(test: Test) -> Callable[[Engine, Path], None]:
        def run(sqlite: Engine, tmp_path: Path) -> None:
            async def play() -> None:
                names = Names(*(addresses or ("127.0.0.1",)))
                async with an_office(sqlite, tmp_path, names, allowed, trusts=trusts) as office:
                    await test(office)

            asyncio.run(play())

        run.__doc__, run.__name__ = test.__doc__, test.__name__
        return run

    return wrap
