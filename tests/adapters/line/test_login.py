"""Whose an ID token is: the platform alone says."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from adapters.line.login import UNDER_WAY, LineLogins
from adapters.line.simulator.platform import Platform
from gateway.errors import Refusal, Refused, Transient, Trouble
from tests.support.stores import on_a_loop


@asynccontextmanager
async def asked(url: str) -> AsyncIterator[LineLogins]:
    async with aiohttp.ClientSession() as session:
        yield LineLogins(session, url)


async def why(logins: LineLogins, token: str, channel: str) -> Refusal | Trouble:
    """Why ``token`` names nobody."""
    try:
        await logins.verify(token, channel)
    except (Refused, Transient) as error:
        return error.reason
    raise AssertionError("it names somebody")


@on_a_loop
async def test_a_token_names_whom_the_platform_gave_it_to() -> None:
    """By the userId that the provider's Messaging API channel sees, too."""
    async with Platform() as platform, asked(platform.url) as logins:
        login, shop = platform.login_channel(), platform.channel()
        friend = shop.friend("hanako")
        token = platform.liff_id_token(friend, login.id)
        assert await logins.verify(token, login.id) == friend.user_id


@on_a_loop
async def test_what_the_platform_does_not_vouch_for_is_refused() -> None:
    """Expired, forged and foreign tokens, each by its name."""
    async with Platform() as platform, asked(platform.url) as logins:
        login, other = platform.login_channel(), platform.login_channel()
        somebody = platform.person("hanako")

        def mint(**forged: object) -> str:
            return platform.liff_id_token(somebody, login.id, **forged)

        refusals = {
            "expired": await why(logins, mint(expires_in=-1), login.id),
            "secret": await why(logins, mint(secret="another"), login.id),
            "issuer": await why(logins, mint(issuer="https://evil.example"), login.id),
            "channel": await why(logins, mint(), other.id),
        }
        assert refusals == {
            "expired": Refusal.ID_TOKEN_INVALID,
            "secret": Refusal.ID_TOKEN_INVALID,
            "issuer": Refusal.ID_TOKEN_INVALID,
            "channel": Refusal.ID_TOKEN_OTHER_CHANNEL,
        }


@pytest.mark.parametrize(
    ("token", "channel"),
    [("", "1"), ("a.b", "1"), ("a.b.c d", "1"), ("a" * 5001 + ".b.c", "1"), ("a.b.c", "")],
)
@on_a_loop
async def test_what_cannot_be_a_token_is_not_asked_about(token: str, channel: str) -> None:
    """Nothing listens where it would be asked."""
    async with asked("http://127.0.0.1:9") as logins:
        assert await why(logins, token, channel) is Refusal.ID_TOKEN_INVALID


@asynccontextmanager
async def answering(status: int, body: bytes) -> AsyncIterator[str]:
    """A platform that always answers the same."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, body=body)

    async with serving(answer) as url:
        yield url


@asynccontextmanager
async def serving(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """A platform that answers so."""
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, b"", Trouble.LOGIN_DOWN),
        (429, b"{}", Trouble.LOGIN_DOWN),
        (302, b"", Trouble.LOGIN_DOWN),
        (200, b"<html>", Trouble.LOGIN_DOWN),
        (200, b'{"sub":"U1","aud":"1"}', Refusal.ID_TOKEN_INVALID),
        (200, b'{"sub":"U' + b"0" * 32 + b'","aud":"2"}', Refusal.ID_TOKEN_INVALID),
        (400, b"not json", Refusal.ID_TOKEN_INVALID),
        (400, b'{"error_description":7}', Refusal.ID_TOKEN_INVALID),
    ],
)
@on_a_loop
async def test_whatever_the_platform_answers_nobody_is_guessed(
    status: int, body: bytes, reason: Refusal | Trouble
) -> None:
    """An answer that says nothing certain names nobody; one that may pass is told as such."""
    async with answering(status, body) as url, asked(url) as logins:
        assert await why(logins, "a.b.c", "1") is reason


@on_a_loop
async def test_a_platform_that_is_away_is_no_refusal() -> None:
    """Whoever asks may try again."""
    async with asked("http://127.0.0.1:9") as logins:
        with pytest.raises(Transient) as away:
            await logins.verify("a.b.c", "1")
    assert away.value.reason is Trouble.LOGIN_DOWN


@on_a_loop
async def test_a_flood_of_tokens_does_not_take_all_connections() -> None:
    """What comes beyond the bound is told to come again, and costs the platform no connection."""
    most, asked_for, goes_on = 0, 0, asyncio.Event()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal most, asked_for
        asked_for += 1
        most = max(most, asked_for)
        await goes_on.wait()
        asked_for -= 1
        return web.json_response({}, status=400)

    async def flood(logins: LineLogins, count: int) -> Counter[Refusal | Trouble]:
        async def one() -> Refusal | Trouble:
            try:
                return await why(logins, "a.b.c", "1")
            finally:
                if logins.is_full:  # all that may be are under way
                    goes_on.set()

        return Counter(await asyncio.gather(*(one() for _ in range(count))))

    async with serving(answer) as url, asked(url) as logins:
        told = await flood(logins, UNDER_WAY + 40)
        assert told == {Refusal.ID_TOKEN_INVALID: UNDER_WAY, Trouble.LOGIN_DOWN: 40}
        assert most <= UNDER_WAY
        assert await flood(logins, 1) == {Refusal.ID_TOKEN_INVALID: 1}


@on_a_loop
async def test_many_may_ask_at_once() -> None:
    """Each gets their own answer."""
    async with Platform() as platform, asked(platform.url) as logins:
        login = platform.login_channel()
        people = [platform.person(f"p{number}") for number in range(20)]
        tokens = [platform.liff_id_token(person, login.id) for person in people]
        users = await asyncio.gather(*(logins.verify(token, login.id) for token in tokens))
        assert users == [person.user_id(login.provider) for person in people]
