"""Webhooks reach a second tool byte for byte and in order, and nothing inside is ever reached."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.line.answers import MOST_BYTES
from adapters.line.forward import UNDER_WAY, Forwarder
from adapters.storage.store import SqlStore
from gateway.domain.line.channel import Channel, Forward
from gateway.domain.line.forwarding import GIVE_UP_SECONDS, KIND, written
from gateway.domain.values import EVERYBODY, SECOND, Counted, Ids, Seed
from gateway.main.outbox import Worker
from gateway.ports import Fact, Transaction
from gateway.usecases.forwarding import send_on
from tests.support.line import NOON, SHOP
from tests.support.stores import (
    PATIENT,
    Engine,
    Recorder,
    eventually,
    sqlite,
    sqlite_template,
)
from tests.support.tls import contexts

__all__ = ["sqlite", "sqlite_template"]

NAME = "tool.example.jp"
BODY = '{"destination":"U0","events":[{"text":"改行\\u2028 \\ud83c"} ]}'.encode() + b"\xff\n"

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
    written: int = 0
    connections: int = 0
    keeps_alive: bool = True

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, _, body in self.heard]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.heard.append((request.path_qs, headers, await request.read()))
        if self.held is not None:
            await self.held.wait()
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

    async def hear(self, body: bytes, url: str | None = None) -> None:
        """A webhook of the channel was taken in."""
        payload = written(SHOP.id, url or self.url, body, "c2lnbmF0dXJl")
        await self.store.run(_ask, (payload, self.now, Seed(self.ids.block(self.now, 1), 1, b"")))
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

    def approve(self, url: str) -> None:
        """The channel's webhooks go to ``url``, or with an empty one nowhere."""
        to = Forward(url, "山田 花子", NOON) if url else None
        self.engine.provision(_replace(SHOP, forward=to))


def _ask(tx: Transaction, asked: tuple[str, int, Seed]) -> tuple[None, list[Fact]]:
    payload, now, seed = asked
    channel = tx.entities.find(EVERYBODY, Channel, SHOP.id)
    assert channel is not None
    send_on(tx, channel, payload, now, seed.draw())
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


@in_office()
async def test_a_webhook_arrives_as_it_came(office: Office) -> None:
    """The bytes that were signed, and the signature; afterwards nothing of it is kept."""
    await office.hear(BODY)
    await office.become(("done", None))
    ((path, headers, body),) = office.tool.heard
    assert (path, body) == ("/hook?shop=1", BODY)
    assert headers["x-line-signature"] == "c2lnbmF0dXJl"
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["user-agent"].startswith("Tsunagi/")
    assert "cookie" not in headers
    assert office.engine.rows("SELECT payload FROM outbox") == [("",)]
    await office.count(sent=1)


@in_office()
async def test_webhooks_arrive_in_order_whatever_fails(office: Office) -> None:
    """While one is tried again, those after it wait; each comes once in the end."""
    office.tool.answers = [503, 429]
    for number in range(4):
        await office.hear(b"%d" % number)
    waiting = ("waiting", None)
    await office.become(("waiting", "http_503"), waiting, waiting, waiting)
    office.later(2)
    await office.become(("waiting", "http_429"), waiting, waiting, waiting)
    office.later(4)
    await office.become(*[("done", None)] * 4)
    assert office.tool.bodies == [b"0", b"0", b"0", b"1", b"2", b"3"]
    await office.count(retried=2, sent=4)


@in_office()
async def test_what_the_tool_refuses_is_final(office: Office) -> None:
    """A 4xx ends one webhook and not the next; a redirect leads nowhere."""
    office.tool.answers = [404, 302, 200]
    for number in range(3):
        await office.hear(b"%d" % number)
    await office.become(("dead", "http_404"), ("dead", "http_302"), ("done", None))
    assert {path for path, _, _ in office.tool.heard} == {"/hook?shop=1"}
    assert len(office.tool.heard) == 3
    await office.count(refused=2, sent=1)


@in_office()
async def test_an_answer_without_end_is_not_read(office: Office) -> None:
    """The status is what counts; the connection is closed soon after it."""
    office.tool.answers = [299]
    await office.hear(BODY)
    await office.become(("done", None))
    assert office.tool.written < MOST_BYTES + 20_000_000  # what fits into the system's buffers
    await office.hear(BODY)
    await office.become(("done", None), ("done", None))


@in_office()
async def test_a_day_later_it_is_given_up(office: Office) -> None:
    """What could not be delivered for 24 hours is dead, and says why."""
    office.tool.answers = [500] * 1000
    await office.hear(BODY)
    await office.become(("waiting", "http_500"))
    for attempts in range(2, 200):
        office.later(900)
        await eventually(partial(office.has_tried, attempts))
        if office.rows()[0][0] == "dead":
            break
    assert office.rows() == [("dead", "http_500")]
    assert office.now > NOON + (GIVE_UP_SECONDS - 1800) * SECOND
    await office.count(retried=attempts - 1, expired=1)


@in_office()
async def test_after_a_day_away_old_ones_are_not_sent(office: Office) -> None:
    """A daemon that was stopped for long does not flood the tool with what is over."""
    office.approve(office.url)
    payload = written(SHOP.id, office.url, BODY, "s")
    old = office.now - (GIVE_UP_SECONDS + 1) * SECOND
    await office.store.run(_ask, (payload, old, Seed(office.ids.block(old, 1), 1, b"")))
    office.worker.wake()
    await office.become(("dead", "given_up"))
    assert office.tool.heard == []


@in_office()
async def test_a_withdrawn_approval_stops_what_waits(office: Office) -> None:
    """Nothing goes to an address that the channel does not name any more."""
    office.tool.answers = [500]
    await office.hear(BODY)
    await office.become(("waiting", "http_500"))
    office.approve("")
    office.later(2)
    await office.become(("dead", "not_approved_any_more"))
    office.approve("https://another.example.jp/")
    await office.hear(BODY)
    await office.become(*[("dead", "not_approved_any_more")] * 2)
    assert len(office.tool.heard) == 1
    await office.count(retried=1, withdrawn=2)


@in_office("127.0.0.1", "10.0.0.1", allowed="127.0.0.2")
async def test_a_name_that_leads_inside_is_not_connected_to(office: Office) -> None:
    """What a name stands for is looked at, and not the name: here it leads to our own machine."""
    await office.hear(BODY)
    await office.become(("waiting", "private_address"))
    office.later(2)
    await eventually(lambda: office.names.asked == 2)
    await office.become(("waiting", "private_address"))
    assert office.tool.heard == []


@in_office("::ffff:127.0.0.1", allowed="127.0.0.2")
async def test_an_address_in_disguise_is_not_connected_to(office: Office) -> None:
    """IPv6 that wraps an address inside is that address."""
    await office.hear(BODY)
    await office.become(("waiting", "private_address"))
    assert office.tool.heard == []


@in_office("127.0.0.1", "127.0.0.3")
async def test_a_name_that_turns_round_gains_nothing(office: Office) -> None:
    """DNS rebinding: each connection is looked at, not the name once."""
    office.tool.keeps_alive = False
    await office.hear(BODY)
    await office.become(("done", None))
    await office.hear(BODY)
    await office.become(("done", None), ("waiting", "private_address"))
    assert len(office.tool.heard) == 1


@in_office()
async def test_an_address_that_was_never_checked_is_refused(office: Office) -> None:
    """Whatever came into the store: without https, or with an address inside, nothing is sent."""
    port = office.url.split(":")[2].split("/")[0]
    for url in (f"http://{NAME}:{port}/", f"https://127.0.0.1:{port}/", f"https://x@{NAME}/"):
        office.approve(url)
        await office.hear(BODY, url)
        await eventually(lambda: office.rows()[-1] == ("dead", "address"))
    assert office.tool.heard == []
    await office.count(refused=3)


@in_office()
async def test_a_certificate_of_another_name_is_not_trusted(office: Office) -> None:
    """The webhooks of a shop's friends go to whom the contractor approved, and to nobody else."""
    url = office.url.replace(NAME, "other.example.jp")
    office.approve(url)
    await office.hear(BODY, url)
    await office.become(("waiting", "certificate"))
    assert office.tool.heard == []


@in_office()
async def test_a_tool_that_does_not_answer_is_tried_again(office: Office) -> None:
    """It has ten seconds; here a moment."""
    office.tool.held = asyncio.Event()
    session: Any = office.worker._handlers[KIND].__self__._session  # type: ignore[attr-defined]
    session._timeout = aiohttp.ClientTimeout(0.05)
    await office.hear(BODY)
    await office.become(("waiting", "timeout"))
    session._timeout = aiohttp.ClientTimeout(5)
    office.tool.held.set()
    office.later(2)
    await office.become(("done", None))


def test_a_tool_that_is_away_is_tried_again(sqlite: Engine, tmp_path: Path) -> None:
    """A connection that is refused is no refusal of the webhook."""

    async def play() -> None:
        async with an_office(sqlite, tmp_path, Names("127.0.0.1")) as office:
            closed = socket.socket()
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
            forwarder: Any = office.worker._handlers[KIND].__self__  # type: ignore[attr-defined]
            forwarder._allowed = frozenset({("127.0.0.1", port)})
            url = f"https://{NAME}:{port}/"
            office.approve(url)
            await office.hear(BODY, url)
            await office.become(("waiting", "unreachable"))
            closed.close()

    asyncio.run(play())


@in_office()
async def test_silent_tools_do_not_take_every_place(office: Office) -> None:
    """Beyond so many under way, webhooks wait without an attempt, and replies have room."""
    forwarder: Any = office.worker._handlers[KIND].__self__  # type: ignore[attr-defined]
    forwarder._under_way = UNDER_WAY
    await office.hear(BODY)
    await eventually(lambda: office.engine.rows("SELECT due_at FROM outbox")[0][0] > office.now)
    await office.become(("waiting", None))
    assert office.engine.rows("SELECT attempts, tried_at FROM outbox") == [(0, None)]
    forwarder._under_way = 0
    office.later(2)
    await office.become(("done", None))


@in_office(trusts=False)
async def test_certificates_are_checked_by_default(office: Office) -> None:
    """Without a test's own trust it is the system's, which knows nothing of this tool."""
    await office.hear(BODY)
    await office.become(("waiting", "certificate"))
    assert office.tool.heard == []
