"""Files, and what is made on the way, go out in pieces, whole or not at all."""

import os
import random
import tracemalloc
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import aiohttp
import pytest

from adapters.http import written
from gateway.ports import Answer, Request
from tests.adapters.http.test_server import CLOSE, Edge, message, parsed, run

LARGE = 30_000_000


def is_open(path: Path) -> bool:
    """Whether we hold ``path`` open."""
    open_files = Path("/proc/self/fd").iterdir()
    return any(os.path.realpath(each) == str(path) for each in open_files)


def test_a_file_arrives_whole_and_the_connection_goes_on(tmp_path: Path) -> None:
    """With its length before it; a file of nothing is an answer, too."""
    contents = [random.Random(1).randbytes(1_000_003), b"", b"x" * 262_144]
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)

    async def answer(request: Request) -> Answer:
        return Answer(content_type="image/png", file=tmp_path / request.body.decode())

    async def test(up: Edge) -> None:
        answers = await up.ask(message(b"0"), message(b"1"), message(b"2", CLOSE))
        assert [(each.status, each.body) for each in answers] == [(200, c) for c in contents]
        assert {each.headers["content-type"] for each in answers} == {"image/png"}

    run(test, answer)


def test_a_file_that_is_gone_is_no_half_answer(tmp_path: Path) -> None:
    """It was there when it was looked for: the connection ends without a word."""

    async def answer(request: Request) -> Answer:
        return Answer(file=tmp_path / "gone")

    async def test(up: Edge) -> None:
        assert await up.exchange(message()) == b""

    run(test, answer)


def test_who_reads_nothing_of_a_large_file_holds_none_of_it_in_memory(tmp_path: Path) -> None:
    """A piece and what the connection takes; once the client has gone, the file is closed."""
    path = tmp_path / "large"
    path.write_bytes(bytes(LARGE))

    async def answer(request: Request) -> Answer:
        return Answer(file=path)

    async def test(up: Edge) -> None:
        tracemalloc.start()
        try:
            async with up.connected() as (_, writer):
                writer.write(message())
                await up.until(lambda: is_open(path))
            await up.until(lambda: not is_open(path))
            assert tracemalloc.get_traced_memory()[1] < LARGE / 4
        finally:
            tracemalloc.stop()
        [whole] = parsed(await up.exchange(message(b"", CLOSE)))
        assert len(whole.body) == LARGE

    run(test, answer)


async def made(pieces: Sequence[bytes], ended: list[str]) -> AsyncGenerator[bytes, None]:
    """Pieces; where one is empty, the maker fails."""
    try:
        for piece in pieces:
            if not piece:
                raise ValueError("made up")
            yield piece
    finally:
        ended.append("closed")


def test_pieces_arrive_as_one_body_and_the_connection_goes_on() -> None:
    """Chunked, in the order they are made; another answer comes behind it."""
    pieces = [b"x" * 300_000, b"", b"y"]
    ended: list[str] = []

    async def answer(request: Request) -> Answer:
        return Answer(pieces=made([piece for piece in pieces if piece], ended))

    async def test(up: Edge) -> None:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            for _ in range(2):
                async with session.post(f"http://127.0.0.1:{up.port}/hook") as reply:
                    assert reply.headers["Transfer-Encoding"] == "chunked"
                    assert "Content-Length" not in reply.headers
                    assert await reply.read() == b"".join(pieces)
        assert ended == ["closed", "closed"]

    run(test, answer)


def test_a_client_of_http_1_0_gets_pieces_until_the_connection_ends() -> None:
    """It knows no chunks (RFC 9112, section 6.1)."""

    async def answer(request: Request) -> Answer:
        return Answer(pieces=made([b"one ", b"two"], []))

    async def test(up: Edge) -> None:
        head, _, body = (await up.exchange(b"POST /hook HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
        assert b"Connection: close" in head
        assert b"Transfer-Encoding" not in head
        assert body == b"one two"

    run(test, answer)


def test_pieces_that_fail_are_no_whole_answer() -> None:
    """Whoever reads notices: the last chunk is missing. The fault is logged."""
    ended: list[str] = []

    async def answer(request: Request) -> Answer:
        return Answer(pieces=made([b"one", b"", b"two"], ended))

    async def test(up: Edge) -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientPayloadError):
                async with session.post(f"http://127.0.0.1:{up.port}/hook") as reply:
                    await reply.read()
        assert ended == ["closed"]
        assert [level for level, _, _ in up.recorder.logged] == ["exception"]

    run(test, answer)


def test_who_reads_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection, and what waits to be sent on it, are not kept for ever."""
    monkeypatch.setattr(written, "_STALLED_SECONDS", 0.2)
    ended: list[str] = []

    async def answer(request: Request) -> Answer:
        return Answer(pieces=made([b"x" * 1_000_000] * 100, ended))

    async def test(up: Edge) -> None:
        async with up.connected() as (_, writer):
            writer.write(message())
            await up.until(lambda: bool(ended))

    run(test, answer)


def test_who_leaves_in_the_middle_ends_the_making() -> None:
    """Nothing is made any more for a client that has gone, and no more than the connection takes
    for one that does not read.
    """
    count, ended = [0], [""]

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                count[0] += 1
                yield b"x" * 100_000
        finally:
            ended[0] = "closed"

    async def answer(request: Request) -> Answer:
        return Answer(pieces=endless())

    async def test(up: Edge) -> None:
        async with up.connected() as (_, writer):
            writer.write(message())
            await up.until(lambda: count[0] > 1)
            assert count[0] < 500
        await up.until(lambda: bool(ended[0]))

    run(test, answer)
