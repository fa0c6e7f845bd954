"""Bodies that a handler reads by itself: bounded in size and time, and not read before it asks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from adapters.http.server import SILENT, Limits, Listener
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route
from tests.support.stores import PATIENCE

MOST = 100_000


class Reader:
    """A handler that counts what it reads, unless it refuses before."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.refused: list[Refusal] = []
        self.refuses = False
        self.done = asyncio.Event()

    async def __call__(self, request: Request) -> Answer:
        """Read all of it."""
        assert request.body == b""
        assert request.pieces is not None
        if self.refuses:
            raise Refused(Refusal.UNAUTHENTICATED)
        try:
            async for piece in request.pieces:
                self.sizes.append(len(piece))
        except Refused as refused:
            self.refused.append(refused.reason)
            raise
        finally:
            self.done.set()
        return Answer(str(sum(self.sizes)).encode())


@asynccontextmanager
async def listening(**limits: Any) -> AsyncIterator[tuple[Reader, int]]:
    """A listener with a route that streams."""
    reader = Reader()
    listener = Listener(
        ("127.0.0.1", 0),
        [Route("POST", "/file", reader, "test", "file", MOST, True)],
        observer=SILENT,
        clock=lambda: 0,
        log=structlog.get_logger("test"),
        limits=Limits(**limits),
    )
    await listener.start()
    try:
        yield reader, listener.port
    finally:
        await listener.stop(1)


async def status_of(port: int, head: str, *parts: bytes) -> int:
    """The status of the answer to a request."""
    incoming, outgoing = await asyncio.open_connection("127.0.0.1", port)
    try:
        outgoing.write(f"POST /file HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        for part in parts:
            outgoing.write(part)
            await outgoing.drain()
        async with asyncio.timeout(PATIENCE):
            line = await incoming.readline()
            while line.startswith(b"HTTP/1.1 100"):
                await incoming.readline()
                line = await incoming.readline()
        return int(line.split()[1])
    finally:
        outgoing.close()


def chunk(size: int) -> bytes:
    """A piece of a body in chunks."""
    return f"{size:x}\r\n".encode() + b"a" * size + b"\r\n"


def test_a_body_is_read_piece_by_piece() -> None:
    """In pieces that are small beside it."""

    async def test() -> None:
        async with listening() as (reader, port):
            head = f"Content-Length: {MOST}\r\nConnection: close"
            assert await status_of(port, head, b"a" * MOST) == 200
            assert sum(reader.sizes) == MOST
            expecting = "Content-Length: 3\r\nExpect: 100-continue\r\nConnection: close"
            assert await status_of(port, expecting, b"abc") == 200

    asyncio.run(test())


@pytest.mark.parametrize(
    ("head", "parts"),
    [
        (f"Content-Length: {MOST + 1}", ()),
        ("Transfer-Encoding: chunked", (chunk(MOST), chunk(1))),
    ],
)
def test_a_body_that_is_too_large_is_refused(head: str, parts: tuple[bytes, ...]) -> None:
    """By what it says of itself, or as soon as it is."""

    async def test() -> None:
        async with listening() as (reader, port):
            assert await status_of(port, head, *parts) == 413
            assert reader.refused == [Refusal.BODY_TOO_LARGE]
            assert sum(reader.sizes) <= MOST

    asyncio.run(test())


def test_a_body_that_stops_coming_is_refused() -> None:
    """So that nobody holds a file open for good."""

    async def test() -> None:
        async with listening(body_seconds=0.3) as (reader, port):
            assert await status_of(port, "Content-Length: 10", b"abc") == 408
            assert reader.refused == [Refusal.BODY_TOO_SLOW]

    asyncio.run(test())


def test_a_client_that_goes_ends_the_reading() -> None:
    """The handler learns of it."""

    async def test() -> None:
        async with listening() as (reader, port):
            _, outgoing = await asyncio.open_connection("127.0.0.1", port)
            outgoing.write(b"POST /file HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
            await outgoing.drain()
            outgoing.close()
            async with asyncio.timeout(PATIENCE):
                await reader.done.wait()
            assert reader.sizes in ([], [3])

    asyncio.run(test())


def test_nothing_is_read_before_the_handler_asks() -> None:
    """A refusal comes at once, however much was announced."""

    async def test() -> None:
        async with listening() as (reader, port):
            reader.refuses = True
            assert await status_of(port, f"Content-Length: {MOST}") == 401

    asyncio.run(test())
