"""The public edge against clients that are slow, huge, broken or many."""

import asyncio
import contextlib
import gzip
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from adapters.http.server import STATUS_OF, Limits, Listener
from gateway.errors import GatewayError, Permanent, Refusal, Refused, Transient, Trouble
from gateway.ports import Answer, Fact, Request, Route

NOW = 1_793_700_000_000_000
PATIENCE = 60.0
MOST = 65_536
CLOSE = "Connection: close"

Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[Request], Awaitable[Answer]]


@dataclass
class Recorder:
    """Writes down what was observed, and what was logged."""

    webhooks: list[tuple[str, str, int]] = field(default_factory=list)
    refusals: list[tuple[str, str, str]] = field(default_factory=list)
    logged: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def observe(self, facts: Sequence[Fact]) -> None:
        raise AssertionError("the store's business")

    def webhook(self, provider: str, route: str, status: int, seconds: float) -> None:
        assert 0 <= seconds < PATIENCE
        self.webhooks.append((provider, route, status))

    def refused(self, provider: str, route: str, reason: str) -> None:
        self.refusals.append((provider, route, reason))

    def spooled(self, provider: str, route: str, reason: str) -> None:
        raise AssertionError("the adapter's business")

    def batch(self, units: int, seconds: float) -> None:
        raise AssertionError("the store's business")

    def error(self, event: str, *arguments: object, **fields: Any) -> None:
        self.logged.append(("error", event, fields))

    def exception(self, event: str, *arguments: object, **fields: Any) -> None:
        self.logged.append(("exception", event, fields))

    def debug(self, event: str, *arguments: object, **fields: Any) -> None:
        pass


@dataclass
class Edge:
    """A listener that is up, and what it saw."""

    listener: Listener
    port: int
    seen: list[Request]
    recorder: Recorder

    async def ask(self, *parts: bytes) -> list["Response"]:
        """Send ``parts``, and return the answers that came until the other side closed."""
        return parsed(await self.exchange(*parts))

    async def exchange(self, *parts: bytes) -> bytes:
        """Send ``parts``, and return all that came until the other side closed."""
        async with self.connected() as (reader, writer), asyncio.timeout(PATIENCE):
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await reader.read()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Pipe]:
        """A connection to the listener."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what happens on the other side."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if condition():
                    return
                await asyncio.sleep(0.005)


@dataclass
class Response:
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document in it, which names the same status and id as the head."""
        assert self.headers["content-type"] == "application/problem+json"
        document: dict[str, Any] = json.loads(self.body)
        assert document["type"] == "about:blank"
        assert document["title"]
        assert document["status"] == self.status
        assert document["request_id"] == self.headers["x-request-id"]
        return document


def parsed(received: bytes) -> list[Response]:
    """All answers in ``received``."""
    responses = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        assert first.startswith("HTTP/1.1 ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        assert len(headers) == len(lines)
        size = int(headers.get("content-length", "0"))
        responses.append(Response(int(first.split(" ")[1]), headers, received[:size]))
        received = received[size:]
    return responses


def message(
    body: bytes = b"", *headers: str, path: str = "/hook", method: str = "POST", length: bool = True
) -> bytes:
    """A request with a right Content-Length, unless there is to be none."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gw.example.jp", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "\r\n"]).encode() + body


def chunked(body: bytes, size: int) -> bytes:
    """``body`` in chunks."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


async def measure(request: Request) -> Answer:
    """Answers how long the body was."""
    return Answer(f"{len(request.body)}".encode())


@asynccontextmanager
async def edge(handler: Handler = measure, **limits: float) -> AsyncIterator[Edge]:
    """A listener on a free port whose ``/hook`` and ``/hook/…`` are handled by ``handler``."""
    seen: list[Request] = []
    recorder = Recorder()

    async def handle(request: Request) -> Answer:
        seen.append(request)
        return await handler(request)

    listener = Listener(
        ("127.0.0.1", 0),
        [
            Route("POST", "/hook", handle, "carrier", "hook"),
            Route("POST", "/hook/{id}", handle, "carrier", "channel"),
        ],
        observer=recorder,
        clock=lambda: NOW,
        log=recorder,
        limits=Limits(**{"linger_seconds": 0.1, **limits}),  # type: ignore[arg-type]
    )
    await listener.start()
    try:
        yield Edge(listener, listener.port, seen, recorder)
    finally:
        await listener.stop(0)


def run(
    test: Callable[[Edge], Awaitable[None]], handler: Handler = measure, **limits: float
) -> None:
    """Run ``test`` with a listener."""

    async def whole() -> None:
        async with edge(handler, **limits) as up:
            await test(up)

    asyncio.run(whole())


# --- what a request is ---


def test_a_request_reaches_its_handler_as_it_came() -> None:
    """Path, query, headers and body are handed over untouched, with our own time and id."""

    async def test(up: Edge) -> None:
        [answer] = await up.ask(
            message(b"a=%41&b=", CLOSE, "X-Two: 1", "X-Two: 2", path="/hook?c=%20&d")
        )
        [request] = up.seen
        assert (request.method, request.path, request.query) == ("POST", "/hook", "c=%20&d")
        assert request.body == b"a=%41&b="
        assert list(request.headers.getall("x-two", ())) == ["1", "2"]
        assert request.received_at == NOW
        assert (answer.status, answer.body) == (200, b"8")
        assert answer.headers["x-request-id"] == request.id
        assert up.recorder.webhooks == [("carrier", "hook", 200)]

    run(test)


def test_a_request_brings_what_stands_in_its_path() -> None:
    """By name and decoded; where the path has no parameter, nothing."""

    async def test(up: Edge) -> None:
        await up.ask(message() + message(b"", CLOSE, path="/hook/a%20b?c"))
        plain, named = up.seen
        assert (plain.parameters, named.parameters) == ({}, {"id": "a b"})
        assert (named.path, named.query) == ("/hook/a%20b", "c")
        assert up.recorder.webhooks[1] == ("carrier", "channel", 200)

    run(test)


def test_every_request_has_an_id_of_our_own() -> None:
    """Ids differ, also where a client claims one."""

    async def test(up: Edge) -> None:
        claimed = "X-Request-Id: mine"
        answers = await up.ask(message(b"", claimed) * 2 + message(b"", claimed, CLOSE))
        ids = {answer.headers["x-request-id"] for answer in answers}
        assert len(ids) == 3
        assert "mine" not in ids

    run(test)


def test_pipelined_requests_are_answered_in_their_order() -> None:
    """Five hundred requests in one go get five hundred answers, each its own."""
    bodies = [b"x" * size for size in range(500)]

    async def test(up: Edge) -> None:
        stream = b"".join(message(body) for body in bodies[:-1]) + message(bodies[-1], CLOSE)
        answers = await up.ask(stream)
        assert [int(answer.body) for answer in answers] == [len(body) for body in bodies]

    run(test)


@pytest.mark.slow
def test_a_client_that_reads_nothing_is_not_read_from_for_ever() -> None:
    """Whoever sends on without reading the answers is stopped before they fill our memory."""

    async def large(request: Request) -> Answer:
        return Answer(bytes(MOST))

    async def test(up: Edge) -> None:
        requests = 2_000  # 128 MB of answers
        async with up.connected() as (_, writer), asyncio.timeout(PATIENCE):
            writer.write(message() * requests)
            count = -1
            while len(up.seen) > count:
                count = len(up.seen)
                await asyncio.sleep(0.2)  # long enough for hundreds of answers
        assert 0 < count < requests / 10

    run(test, large)


# --- what is refused ---


@pytest.mark.parametrize("reason", Refusal)
def test_a_refusal_is_a_problem_document(reason: Refusal) -> None:
    """Each reason has its status, is named in the document, in UTF-8, and is counted."""

    async def refuse(request: Request) -> Answer:
        raise Refused(reason, "look there: 広告主")

    async def test(up: Edge) -> None:
        [answer] = await up.ask(message(b"", CLOSE))
        assert answer.status == STATUS_OF[reason]
        assert answer.problem["reason"] == reason
        assert answer.problem["detail"] == "look there: 広告主"
        assert "広告主".encode() in answer.body
        assert up.recorder.refusals == [("carrier", "hook", reason)]
        assert up.recorder.webhooks == [("carrier", "hook", STATUS_OF[reason])]
        assert up.recorder.logged == []

    run(test, refuse)


def test_an_unknown_path_is_404_and_a_wrong_method_405() -> None:
    """Both are problem documents; 405 says what is allowed, and HEAD gets no body."""

    async def test(up: Edge) -> None:
        for path in ("/", "/hook/", "/Hook", "//hook", "/hook;a", "/%68ook"):
            [answer] = await up.ask(message(b"", CLOSE, path=path))
            assert (answer.status, answer.problem["reason"]) == (404, "not_found"), path
        [answer] = await up.ask(message(b"", CLOSE, method="GET"))
        assert (answer.status, answer.problem["reason"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"
        head = await up.exchange(message(b"", CLOSE, method="HEAD"))
        assert head.startswith(b"HTTP/1.1 405 ")
        assert head.endswith(b"\r\n\r\n")
        assert up.seen == []

    run(test)


SHAPES: dict[str, Callable[[bytes], list[bytes]]] = {
    "at once": lambda body: [message(body, CLOSE)],
    "head first": lambda body: [message(body, CLOSE)[: -len(body)], body],
    "chunked": lambda body: [
        message(b"", CLOSE, "Transfer-Encoding: chunked", length=False) + chunked(body, 10_000)
    ],
    "many chunks": lambda body: [
        message(b"", CLOSE, "Transfer-Encoding: chunked", length=False),
        chunked(body, 7),
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_body_has_a_most(shape: str) -> None:
    """64 KiB pass and one byte more is 413, however the body is sent."""

    async def test(up: Edge) -> None:
        [fits] = await up.ask(*SHAPES[shape](bytes(MOST)))
        assert (fits.status, fits.body) == (200, b"65536")
        [huge] = await up.ask(*SHAPES[shape](bytes(MOST + 1)))
        assert (huge.status, huge.problem["reason"]) == (413, "body_too_large")
        assert len(up.seen) == 1

    run(test)


def test_large_bodies_on_their_way_share_their_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers who hold back the ends of large bodies fill no memory, and small ones pass."""
    monkeypatch.setattr("adapters.http.server._SMALL", 1_000)

    async def test(up: Edge) -> None:
        slow = message(b"", CLOSE, "Content-Length: 50000", length=False)
        async with up.connected() as (reader, writer):
            writer.write(slow + bytes(49_999))
            await up.until(lambda: up.listener.held_bytes == 48_999)
            [large] = await up.ask(slow, bytes(20_000))
            assert (large.status, large.problem["reason"]) == (413, "body_too_large")
            few = message(b"", CLOSE, "Content-Length: 900", length=False)
            [small] = await up.ask(few, bytes(900))
            assert (small.status, small.body) == (200, b"900")
            writer.write(b"\0")
            [first] = parsed(await reader.read())
            assert (first.status, first.body) == (200, b"50000")
        assert up.listener.held_bytes == 0

    run(test, large_bytes=60_000)


def test_a_body_that_is_announced_too_large_is_not_waited_for() -> None:
    """413 comes before the first byte of the body."""

    async def test(up: Edge) -> None:
        head = message(b"", CLOSE, f"Content-Length: {10**9}", length=False)
        [answer] = await up.ask(head)
        assert answer.status == 413

    run(test)


def test_a_compressed_body_is_not_unpacked() -> None:
    """A few kilobytes that would unpack to 10 MB reach the handler as they are."""
    small = gzip.compress(bytes(10_000_000))

    async def test(up: Edge) -> None:
        for encoding in ("gzip", "deflate", "br", "zstd"):
            [answer] = await up.ask(message(small, CLOSE, f"Content-Encoding: {encoding}"))
            assert (answer.status, answer.body) == (200, str(len(small)).encode())

    run(test)


@pytest.mark.slow
def test_a_slow_body_is_408() -> None:
    """A body that does not come in its time is given up, as a whole and not byte by byte."""

    async def test(up: Edge) -> None:
        async with up.connected() as (reader, writer), asyncio.timeout(PATIENCE):
            writer.write(message(bytes(100), CLOSE)[:-100])
            answering = asyncio.create_task(reader.readuntil(b"}"))
            while not answering.done():
                writer.write(b"x")
                await asyncio.sleep(0.05)
            [answer] = parsed(await answering)
        assert (answer.status, answer.problem["reason"]) == (408, "body_too_slow")
        assert up.seen == []

    run(test, body_seconds=0.3)


@pytest.mark.slow
def test_slow_headers_are_closed_without_an_answer() -> None:
    """A connection whose first request does not come in its time is closed, dribbling or mute."""

    async def test(up: Edge) -> None:
        assert await up.ask(b"POST /hook HTTP/1.1\r\nX-A: ") == []
        assert await up.ask() == []
        assert up.seen == []

    run(test, header_seconds=0.2)


@pytest.mark.slow
def test_a_connection_that_was_used_may_stay_idle_for_longer() -> None:
    """The limit of the first request is not that of an idle connection, which has its own."""

    async def test(up: Edge) -> None:
        async with up.connected() as (reader, writer), asyncio.timeout(PATIENCE):
            writer.write(message())
            await up.until(lambda: len(up.seen) == 1)
            await asyncio.sleep(0.2)
            writer.write(message())
            assert len(parsed(await reader.read())) == 2  # the read ends as the idle time does

    run(test, header_seconds=0.1, idle_seconds=0.5)


def test_connections_have_a_most() -> None:
    """One more than allowed is closed at once; when another ends there is room again."""

    async def test(up: Edge) -> None:
        async with up.connected() as (_, first):
            first.write(message())
            async with up.connected() as (_, second):
                second.write(message())
                await up.until(lambda: len(up.seen) == 2)
                async with up.connected() as (reader, _), asyncio.timeout(PATIENCE):
                    assert await reader.read() == b""
            async with asyncio.timeout(PATIENCE):
                while True:
                    if await answers(up):
                        return

    async def answers(up: Edge) -> bool:
        try:
            return bool(await up.ask(message(b"", CLOSE)))
        except ConnectionError:
            return False

    run(test, connections=2)


@pytest.mark.parametrize(
    "broken",
    [
        b"GARBAGE +819012345678\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /hook\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
        message(b"12345", "Transfer-Encoding: chunked"),
        message(b"12345", "Content-Length: 6"),
        message(b"", "X-A: " + "a" * 20_000),
        message(b"", "Transfer-Encoding: chunked", length=False) + b"zz\r\n",
    ],
)
def test_what_is_no_http_is_a_problem_that_quotes_nothing(broken: bytes) -> None:
    """Broken requests get 400 and reach no handler, and nothing of them is sent back or logged."""

    async def test(up: Edge) -> None:
        [answer] = await up.ask(broken)
        assert answer.status == 400
        assert answer.problem.keys() == {"type", "title", "status", "reason", "request_id"}
        assert answer.problem["reason"] == "not_http"
        assert up.seen == []
        assert up.recorder.logged == []

    run(test)


@pytest.mark.slow
def test_a_body_that_breaks_off_is_no_fault_of_ours() -> None:
    """A client that leaves, or breaks the rules, in the middle of its body is refused, counted as
    the caller's fault, and reaches no handler.
    """

    async def test(up: Edge) -> None:
        async with up.connected() as (_, writer):
            writer.write(message(bytes(100))[:-50])
            await asyncio.sleep(0.05)
        await up.until(lambda: len(up.recorder.webhooks) == 1)
        assert up.recorder.refusals == [("carrier", "hook", "body_too_slow")]

        head = message(b"", CLOSE, "Transfer-Encoding: chunked", length=False)
        async with up.connected() as (reader, writer), asyncio.timeout(PATIENCE):
            writer.write(head + b"5\r\nabcde\r\n")
            await asyncio.sleep(0.05)
            writer.write(b"zz\r\n")
            answers = parsed(await reader.read())
        assert answers[0].status in (400, 408)
        assert up.seen == []
        assert up.recorder.logged == []

    run(test, body_seconds=0.3)


def test_a_client_that_waits_for_continue_is_told_to_go_on() -> None:
    """Where the body is welcome ``Expect: 100-continue`` is answered, as RFC 9110 (10.1.1) asks."""

    async def test(up: Edge) -> None:
        whole = message(b"12345", CLOSE, "Expect: 100-continue")
        async with up.connected() as (reader, writer), asyncio.timeout(PATIENCE):
            writer.write(whole[:-5])
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(whole[-5:])
            [answer] = parsed(await reader.read())
        assert (answer.status, answer.body) == (200, b"5")

    run(test)


# --- what fails ---


@pytest.mark.parametrize(
    "error", [Transient(Trouble.STORE_BUSY, "a@b"), Permanent(Trouble.SPOOL_FULL, "a@b")]
)
def test_trouble_is_503_and_asks_to_come_again(error: GatewayError) -> None:
    """What cannot be taken now is 503 with Retry-After and its reason, and no detail."""

    async def fail(request: Request) -> Answer:
        raise error

    async def test(up: Edge) -> None:
        [answer] = await up.ask(message(b"", CLOSE))
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.problem["reason"] == str(error).partition(":")[0]
        assert b"a@b" not in answer.body
        assert [line[1] for line in up.recorder.logged] == ["request failed"]

    run(test, fail)


def test_an_unexpected_error_is_500_without_a_trace() -> None:
    """The client learns the id alone; the log has the error under the same id."""

    async def fail(request: Request) -> Answer:
        raise KeyError("+819012345678")

    async def test(up: Edge) -> None:
        [answer] = await up.ask(message(b"", CLOSE))
        assert (answer.status, answer.problem["reason"]) == (500, "internal_error")
        assert answer.problem.keys() == {"type", "title", "status", "reason", "request_id"}
        [(level, _, fields)] = up.recorder.logged
        assert (level, fields["error"]) == ("error", "KeyError")
        assert fields["request"] == answer.problem["request_id"]
        assert up.recorder.webhooks == [("carrier", "hook", 500)]
        [after] = await up.ask(message(b"", CLOSE))
        assert after.status == 500

    run(test, fail)


def test_a_port_in_use_is_named() -> None:
    """The error of a listener whose port is taken says which one."""

    async def test(up: Edge) -> None:
        port = up.port
        second = Listener(
            ("127.0.0.1", port), [], observer=up.recorder, clock=lambda: NOW, log=logging.root
        )
        with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*in use"):
            await second.start()

    run(test)


# --- the end ---


async def refuses(up: Edge) -> bool:
    """Whether a new connection is refused."""
    try:
        async with up.connected():
            return False
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it was still waiting to be accepted
        return False


def test_stopping_finishes_what_was_begun() -> None:
    """A request that runs, and one whose body still comes, are answered, and told to close; new
    connections are refused, and idle ones closed.
    """
    going_on = asyncio.Event()

    async def hold(request: Request) -> Answer:
        await going_on.wait()
        return Answer(b"done")

    async def test(up: Edge) -> None:
        async with (
            asyncio.timeout(PATIENCE),
            up.connected() as (idle, _),
            up.connected() as (runs, running),
            up.connected() as (comes, coming),
        ):
            running.write(message())
            coming.write(message(b"12345")[:-5])
            await up.until(lambda: len(up.seen) == 1)
            stopping = asyncio.create_task(up.listener.stop(PATIENCE))
            while True:
                if await refuses(up):
                    break
            coming.write(b"12345")
            await up.until(lambda: len(up.seen) == 2)
            going_on.set()
            for reader in (runs, comes):
                [answer] = parsed(await reader.read())
                assert (answer.status, answer.body) == (200, b"done")
                assert answer.headers["connection"] == "close"
            assert await idle.read() == b""
            await stopping

    run(test, hold)


@pytest.mark.slow
def test_stopping_does_not_wait_for_ever() -> None:
    """A request that does not end is cut when its time is over."""

    async def hang(request: Request) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async def test(up: Edge) -> None:
        async with up.connected() as (reader, writer), asyncio.timeout(2):
            writer.write(message())
            await up.until(lambda: len(up.seen) == 1)
            await up.listener.stop(0.2)
            assert await reader.read() == b""

    run(test, hang)


def test_an_answer_without_content_tells_no_length() -> None:
    """RFC 9110, section 8.6: a 204 must not; the next answer on the connection is still found."""

    async def handle(request: Request) -> Answer:
        return Answer(status=204) if request.parameters else Answer(b"{}")

    async def test(up: Edge) -> None:
        empty, full = await up.ask(message(path="/hook/1") + message(b"", CLOSE))
        assert (empty.status, "content-length" in empty.headers) == (204, False)
        assert (full.status, full.body) == (200, b"{}")

    run(test, handle)


def test_no_problem_is_kept_by_a_cache() -> None:
    """What failed once may work the next time."""

    async def test(up: Edge) -> None:
        [answer] = await up.ask(message(b"", CLOSE, path="/nowhere"))
        assert answer.problem["status"] == 404
        assert answer.headers["cache-control"] == "no-store"

    run(test)


def test_an_answer_may_carry_headers_of_its_own() -> None:
    """What a handler adds is sent along."""

    async def handle(request: Request) -> Answer:
        return msgspec.structs.replace(Answer(b"{}"), headers={"Cache-Control": "no-store"})

    async def test(up: Edge) -> None:
        [answer] = await up.ask(message(b"", CLOSE))
        assert answer.headers["cache-control"] == "no-store"

    run(test, handle)
