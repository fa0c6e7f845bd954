"""The platform: one HTTP server that bots talk to, and the friends behind it."""

import inspect
import re
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from adapters.line.simulator import endpoints
from adapters.line.simulator.channel import Accepted, Channel, Received
from adapters.line.simulator.faults import Faults
from adapters.line.simulator.friends import Friend, Person
from adapters.line.simulator.ids import SECOND, Ids
from adapters.line.simulator.liff import LoginChannel, id_token
from adapters.line.simulator.narrowcast import LEAST_AUDIENCE, LEAST_REACH
from adapters.line.simulator.protocol import Answer, Call, Route, Wrong
from adapters.line.simulator.replies import ReplyTokens
from adapters.line.simulator.sending import retry_key
from adapters.line.simulator.tokens import Tokens
from adapters.line.simulator.webhooks import Delivery, Post

RATE_LIMIT = "The API rate limit has been exceeded. Try again later."

_MOST_READ = 64 * 1024 * 1024
"""Of a body that is too large, so that its sender reads the answer instead of a broken pipe."""


@dataclass(frozen=True)
class Asked:
    """One request that a bot made, and what it was told."""

    method: str
    path: str
    channel: str | None
    request_id: str
    retry_key: str | None
    at: int
    """The platform's time (microseconds)."""
    status: int | None
    """``None`` where the connection was cut in place of an answer."""


class Platform:
    """LINE on loopback; use it with ``async with``. Bots find it at :attr:`url`.

    ``clock`` is the platform's time (microseconds): everything that expires, is counted by month
    or limited by rate follows it; only pauses between attempts are real time. The same ``seed``
    draws the same identifiers and faults. ``delivery`` says how webhooks go astray, ``faults``
    how answers do. ``least_reach`` and ``least_audience`` are what a narrowcast asks for; a small
    demo may lower them. ``reachable`` maps the public addresses that bots are configured with to
    where they really listen; loopback is reached as it is, and nothing else ever.

    What came of it: ``received`` by (channel, user, group or room), ``accepted`` and ``asked``
    for the API, ``posts`` for the webhooks. ``keep`` bounds ``asked`` and ``posts``.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
        delivery: Delivery = Delivery(),  # noqa: B008 - it is frozen
        reachable: Mapping[str, str] | None = None,
        rate_limits: bool = True,
        keep: int = 100_000,
        port: int = 0,
    ) -> None:
        self.clock = clock
        self.delivery = delivery
        self.reachable = dict(reachable or {})
        self.rate_limits = rate_limits
        self.least_reach = LEAST_REACH
        self.least_audience = LEAST_AUDIENCE
        self.faults = Faults(seed)
        self.ids = Ids(seed)
        self.reply_tokens = ReplyTokens(self.ids, clock)
        self.tokens = Tokens(self)
        self.channels: dict[str, Channel] = {}
        self.logins: dict[str, LoginChannel] = {}
        self.received: defaultdict[tuple[str, str], list[Received]] = defaultdict(list)
        self.accepted: list[Accepted] = []
        self.asked: deque[Asked] = deque(maxlen=keep)
        self.posts: deque[Post] = deque(maxlen=keep)
        self._people: dict[str, Person] = {}
        self._rates: dict[tuple[str, Route], tuple[int, int]] = {}
        self._port = port
        self._runner: web.ServerRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._runner = web.ServerRunner(web.Server(self._serve), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for channel in self.channels.values():
            await channel.deliveries.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    @property
    def url(self) -> str:
        """Where both api.line.me and api-data.line.me are played."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def session(self) -> aiohttp.ClientSession:
        """What webhooks are posted with."""
        assert self._session is not None  # noqa: S101 - the platform is used with async with
        return self._session

    # --- who is there ---

    def channel(
        self, name: str = "Shop", *, provider: str = "provider", webhook_url: str = ""
    ) -> Channel:
        """A new Messaging API channel."""
        channel = Channel(self, len(self.channels) + 1, name, provider)
        channel.webhook_url = webhook_url
        self.channels[channel.id] = channel
        return channel

    def login_channel(self, *, provider: str = "provider") -> LoginChannel:
        """A new LINE Login channel, to which LIFF apps belong."""
        login = LoginChannel.drawn(self.ids, len(self.logins) + 1, provider)
        self.logins[login.id] = login
        return login

    def person(self, name: str) -> Person:
        """Somebody who uses LINE; the same one for the same name."""
        return self._people.setdefault(name, Person(name, self.ids))

    def knows(self, provider: str, user_id: str) -> bool:
        """Whether ``user_id`` is somebody's towards ``provider``."""
        return any(person.user_id(provider) == user_id for person in self._people.values())

    def liff_id_token(self, user: Person | Friend, login_channel_id: str, **forged: Any) -> str:
        """What ``liff.getIDToken()`` gives the page that ``user`` opened in LINE.

        ``expires_in`` is its life in seconds, an hour by default; other keywords are those of
        :func:`adapters.line.simulator.liff.id_token`, mostly to forge one.
        """
        person = user.person if isinstance(user, Friend) else user
        return id_token(person, self.logins[login_channel_id], self.clock(), **forged)

    # --- webhooks ---

    def reach(self, url: str) -> str | None:
        """Where to connect for ``url``; ``None`` for a stranger's address."""
        for public, real in self.reachable.items():
            if url == public or url.startswith(public.rstrip("/") + "/"):
                return real.rstrip("/") + url[len(public.rstrip("/")) :]
        return url if re.match(r"https?://(127\.0\.0\.1|localhost|\[::1\])[:/]", url) else None

    async def settle(self) -> None:
        """Wait until no webhook is held back or in flight, retries and duplicates included."""
        for channel in tuple(self.channels.values()):
            await channel.deliveries.settle()

    # --- the API ---

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request: faults, checks that all endpoints share, the handler, faults."""
        path = request.path
        request_id = self.ids.uuid()
        try:
            body, size = await _read(request)
        except ConnectionError:
            return _cut(request)
        await self.faults.pause(path)
        fault = self.faults.strike(path)
        call = Call(self, path, (), request.query, request.headers, body, request_id, self.clock())
        answer: Answer | None = None
        if fault is None or fault.kind == "lose" or fault.handled:
            answer = await self._answer(call, request.method, size)
        if fault is not None and fault.kind == "fail":
            answer = _told(Wrong(fault.status, "Internal server error"))
        elif fault is not None:
            answer = None
        self._note(call, request.method, answer)
        if answer is None:
            return _cut(request)
        response = web.Response(body=answer.payload(), status=answer.status)
        response.content_type = answer.content_type
        response.headers.update(answer.headers)
        response.headers["x-line-request-id"] = request_id
        return response

    async def _answer(self, call: Call, method: str, size: int) -> Answer:
        try:
            route, call.args = endpoints.find(method, call.path)
            if not route.open:
                call.bot = self.tokens.authenticate(call.headers.get("Authorization"))
                self._limit(call.bot, route)
            if size > route.most_bytes:
                raise Wrong(413, "Request entity too large")
            key = call.headers.get("X-Line-Retry-Key")
            if key is not None and not route.retryable:
                raise Wrong(400, "The retry key is not supported by this endpoint")
            call.retry_key = retry_key(key)
            answer = route.handler(call)
            return await answer if inspect.isawaitable(answer) else answer
        except Wrong as wrong:
            return _told(wrong)

    def _limit(self, channel: Channel, route: Route) -> None:
        """Count a request; raise the 429 beyond the endpoint's limit for a channel."""
        if not self.rate_limits:
            return
        most, seconds = route.limit
        window = self.clock() // (seconds * SECOND)
        begun, count = self._rates.get((channel.id, route), (window, 0))
        count = count + 1 if begun == window else 1
        self._rates[channel.id, route] = (window, count)
        if count > most:
            raise Wrong(429, RATE_LIMIT)

    def _note(self, call: Call, method: str, answer: Answer | None) -> None:
        self.asked.append(
            Asked(
                method,
                call.path,
                call.bot.id if call.bot else None,
                call.request_id,
                call.headers.get("X-Line-Retry-Key"),
                call.now,
                answer.status if answer else None,
            )
        )


async def _read(request: web.BaseRequest) -> tuple[bytes, int]:
    """The body as far as an endpoint could want it, and its whole length."""
    kept = bytearray()
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size <= endpoints.MOST_BYTES:
            kept += chunk
        if size > _MOST_READ:
            break
    return bytes(kept), size


def _told(wrong: Wrong) -> Answer:
    return Answer(wrong.body, wrong.status, wrong.headers)


def _cut(request: web.BaseRequest) -> web.Response:
    """Close the connection; the answer that the server wants goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
