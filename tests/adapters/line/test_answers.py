"""What the platform answers is read within a bound, whoever it is that answers."""

import gzip
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web

from adapters.line.answers import MOST_BYTES, TooLong, asking, read_answer
from adapters.line.client import Messages
from adapters.line.contents import ContentClient
from adapters.line.login import LineLogins
from adapters.line.official import Official
from adapters.line.tokens import PATH as TOKENS
from adapters.line.tokens import Tokens
from gateway.domain.line.channel import Channel
from gateway.domain.line.sending import Accepted, Answer, Kind, Limited, Refused, Unclear
from gateway.errors import Permanent, Transient, Trouble
from tests.adapters.line.sending_world import serving
from tests.support.stores import on_a_loop

PIECE = b" " * MOST_BYTES
BUFFERS = 20_000_000
"""What fits into the buffers of the system, and of both sides."""

UNPACKED = 200_000_000
PACKED = gzip.compress(bytes(UNPACKED), 1)

SHOP = Channel("shop", "acme", "1", "s")
TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass
class Endless:
    """A platform whose answers do not end, for all that one can tell."""

    status: int = 200
    tokens: bool = True
    """Whether it gives tokens as it should."""
    written: int = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == TOKENS and self.tokens:
            return web.json_response({"access_token": "t", "expires_in": 900})
        response = web.StreamResponse(status=self.status)
        with suppress(ConnectionError):  # nobody listens any more
            await response.prepare(request)
            while self.written < 4 * BUFFERS:
                await response.write(PIECE)
                self.written += len(PIECE)
        return response


async def packed(request: web.BaseRequest) -> web.StreamResponse:
    """A small answer that unpacks to a large one, whatever was asked for."""
    if request.path == TOKENS:
        return web.json_response({"access_token": "t", "expires_in": 900})
    return web.Response(body=PACKED, headers={"Content-Encoding": "gzip"})


async def trouble(asked: Awaitable[object]) -> Trouble:
    """How it went wrong."""
    with pytest.raises((Transient, Permanent)) as failed:
        await asked
    assert isinstance(failed.value, Transient | Permanent)
    return failed.value.reason


async def sent(session: aiohttp.ClientSession, url: str, kind: Kind = "push") -> Answer:
    """What came of a message."""
    key = None if kind == "reply" else "8b6f3c0e-0000-4000-8000-000000000000"
    return await Messages(session, url, Tokens(session, url)).send(SHOP, kind, b"{}", key)


def official(session: aiohttp.ClientSession, url: str) -> Official:
    return Official(tokens=Tokens(session, url), api_url=url, data_api_url=url)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, Accepted("", ())),
        (400, Refused(400, "", (), "")),
        (409, Accepted("", (), repeated=True)),
        (429, Limited("")),
        (500, Unclear(500, "")),
    ],
)
@on_a_loop
async def test_of_a_send_that_is_answered_without_end_the_status_counts(
    status: int, said: Answer
) -> None:
    """What was taken is not sent again, and what was refused is."""
    platform = Endless(status)
    async with serving(platform.answer) as (session, url):
        assert await sent(session, url) == said
    assert platform.written < BUFFERS


@on_a_loop
async def test_a_token_without_end_is_none() -> None:
    """It may be asked for again."""
    platform = Endless(tokens=False)
    async with serving(platform.answer) as (session, url):
        assert await trouble(Tokens(session, url).of(SHOP)) is Trouble.PLATFORM_DOWN
    assert platform.written < BUFFERS


@pytest.mark.parametrize("status", [200, 400])
@on_a_loop
async def test_whose_an_id_token_is_is_not_told_without_end(status: int) -> None:
    """Nobody is let in, and nobody is refused for it."""
    platform = Endless(status)
    async with serving(platform.answer) as (session, url):
        logins = LineLogins(session, url)
        assert await trouble(logins.verify("a.b.c", "1")) is Trouble.LOGIN_DOWN
    assert platform.written < BUFFERS


@pytest.mark.parametrize("status", [200, 400, 500])
@on_a_loop
async def test_the_official_package_reads_no_answer_without_end(status: int) -> None:
    """Neither one that is right nor a refusal, which it would read as well."""
    platform = Endless(status)
    async with serving(platform.answer) as (session, url):
        line = official(session, url)
        assert await trouble(line.profile(SHOP, "U" + "0" * 32)) is Trouble.PLATFORM_DOWN
        line.close()
    assert platform.written < BUFFERS


@on_a_loop
async def test_an_answer_as_long_as_it_may_be_is_read() -> None:
    """One byte more is too much, and the next answer comes on another connection."""
    length = MOST_BYTES

    async def platform(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=bytes(length))

    async with serving(platform) as (session, url):
        for length, whole in ((MOST_BYTES, True), (MOST_BYTES + 1, False), (1, True)):
            async with asking(session, "GET", url, timeout=TIMEOUT) as response:
                if whole:
                    assert len(await read_answer(response)) == length
                else:
                    with pytest.raises(TooLong):
                        await read_answer(response)


async def _send(session: aiohttp.ClientSession, url: str) -> None:
    assert await sent(session, url) == Accepted("", ())


async def _verify(session: aiohttp.ClientSession, url: str) -> None:
    assert await trouble(LineLogins(session, url).verify("a.b.c", "1")) is Trouble.LOGIN_DOWN


async def _ask(session: aiohttp.ClientSession, url: str) -> None:
    line = official(session, url)
    await line.load()
    tracemalloc.reset_peak()  # the package itself is large
    await trouble(line.profile(SHOP, "U" + "0" * 32))
    line.close()


async def _fetch(session: aiohttp.ClientSession, url: str) -> None:
    size = 0
    client = ContentClient(session, url, Tokens(session, url))
    async with client.opened(SHOP, "1") as pieces:
        assert pieces is not None
        async for piece in pieces:
            size += len(piece)
    assert size == len(PACKED)


@pytest.mark.parametrize("ask", [_send, _verify, _ask, _fetch])
@on_a_loop
async def test_nothing_is_unpacked(
    ask: Callable[[aiohttp.ClientSession, str], Awaitable[None]],
) -> None:
    """A small answer never becomes a large one, and says nothing."""
    async with serving(packed) as (session, url):
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            await ask(session, url)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most - before < UNPACKED / 4
