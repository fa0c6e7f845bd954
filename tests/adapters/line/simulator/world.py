"""A platform with a clock to turn, a shop's channel, a bot that only listens, and a client."""

import asyncio
import functools
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from adapters.line.simulator import Channel, Friend, Platform, Telling
from tests.support.stores import PATIENCE

SECOND = 1_000_000
NOW = 1_796_000_000 * SECOND  # 2026-11-30T09:53:20 in Japan
KEY = "123e4567-e89b-12d3-a456-426614174000"
PUBLIC = "https://gw.example.jp"
HELLO = {"type": "text", "text": "こんにちは"}


class Clock:
    """The platform's time, which stands until it is turned."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def turn(self, *, seconds: float = 0, hours: float = 0, days: float = 0) -> None:
        self.now += int((seconds + 3600 * hours + 86_400 * days) * SECOND)


@dataclass
class Told:
    """An answer of the API."""

    status: int
    json: Any
    headers: Any
    data: bytes

    @property
    def request_id(self) -> str:
        return str(self.headers["x-line-request-id"])

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong, by property."""
        return {detail["property"]: detail["message"] for detail in self.json["details"]}


@dataclass
class Listener:
    """A bot's webhook: it keeps what it gets, and answers what the test put into ``answers``."""

    answers: list[int] = field(default_factory=list)
    heard: list[tuple[bytes, str]] = field(default_factory=list)
    url: str = ""
    delay: asyncio.Event | None = None

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.heard.append((await request.read(), request.headers["X-Line-Signature"]))
        if self.delay is not None:
            await self.delay.wait()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for body, _ in self.heard]

    @property
    def events(self) -> list[Any]:
        return [event for body in self.bodies for event in body["events"]]


@dataclass
class World:
    clock: Clock
    platform: Platform
    channel: Channel
    hana: Friend
    """A friend who follows."""
    listener: Listener
    session: aiohttp.ClientSession
    token: str

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        token: str | None = None,
        **options: Any,
    ) -> Told:
        headers = {"Authorization": f"Bearer {token or self.token}"} | options.pop("headers", {})
        if key is not None:
            headers["X-Line-Retry-Key"] = key
        if body is not None:
            options["json"] = body
        async with self.session.request(
            method, self.platform.url + path, headers=headers, **options
        ) as answer:
            data = await answer.read()
            told = json.loads(data) if answer.content_type == "application/json" else None
            return Told(answer.status, told, answer.headers, data)

    async def post(self, path: str, body: Any, **options: Any) -> Told:
        return await self.ask("POST", path, body, **options)

    async def get(self, path: str, **options: Any) -> Told:
        return await self.ask("GET", path, **options)

    async def push(self, *messages: Any, to: str | None = None, **options: Any) -> Told:
        body = {"to": to or self.hana.user_id, "messages": list(messages) or [HELLO]}
        return await self.post("/v2/bot/message/push", body, **options)

    async def reply(self, telling: Telling, *messages: Any, **options: Any) -> Told:
        body = {
            "replyToken": telling.event.get("replyToken"),
            "messages": list(messages) or [HELLO],
        }
        return await self.post("/v2/bot/message/reply", body, **options)

    async def following(self, *names: str) -> list[Friend]:
        friends = [self.channel.friend(name) for name in names]
        for friend in friends:
            await friend.follow()
            self.clock.turn(seconds=1)
        return friends

    async def crowd(self, size: int) -> list[Friend]:
        """So many more friends, whose follow events nobody waits for."""
        url, self.channel.webhook_url = self.channel.webhook_url, ""
        friends = await self.following(*(f"友だち{number}" for number in range(size)))
        self.channel.webhook_url = url
        return friends


async def until(condition: Callable[[], object]) -> None:
    """Wait for ``condition``, which comes at once where the machine is idle."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what a test waits for has no event
            await asyncio.sleep(0.005)


@asynccontextmanager
async def a_world(**options: Any) -> AsyncIterator[World]:
    clock = Clock(NOW)
    listener = Listener()
    runner = web.ServerRunner(web.Server(listener.answer), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}/line/shop"
    try:
        async with (
            Platform(clock=clock, **options) as platform,
            aiohttp.ClientSession() as session,
        ):
            channel = platform.channel("花屋", webhook_url=listener.url)
            hana = channel.friend("花子")
            await hana.follow()
            await platform.settle()
            listener.heard.clear()
            token = channel.access_token()
            yield World(clock, platform, channel, hana, listener, session, token)
    finally:
        await runner.cleanup()


def in_world(**options: Any) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """Run an asynchronous test in a world made with ``options``."""

    def wrap(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(**arguments: Any) -> None:
            async def play() -> None:
                async with a_world(**options) as world:
                    await test(world, **arguments)

            asyncio.run(play())

        signature = inspect.signature(test)
        others = [one for name, one in signature.parameters.items() if name != "world"]
        run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined] # pytest reads it
        return run

    return wrap
