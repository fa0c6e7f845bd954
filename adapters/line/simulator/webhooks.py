"""The platform's side of the webhook: it signs, posts, posts again, twice, and out of order.

Sources: "Receive messages (webhook)", "Webhook event redelivery" and "Check webhook error causes
and statistics" of the platform's documentation.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from adapters.line.simulator.protocol import Json

if TYPE_CHECKING:
    from adapters.line.simulator.channel import Channel
    from adapters.line.simulator.platform import Platform

ANSWER_SECONDS = 2.0
"""Within which the platform asks for the answer to a webhook."""

_MOST_HELD = 4
"""How many later events can overtake one that is held back."""

_LONGEST_PAUSE = 2.0


@dataclass
class Post:
    """One request to a webhook."""

    channel: str
    url: str
    body: bytes
    signature: str
    event_ids: tuple[str, ...]
    at: int
    """The platform's time (microseconds)."""
    attempt: int = 0
    duplicate: bool = False
    status: int | None = None
    """The answer's status; ``None`` while none came."""
    error: str = ""
    """The platform's word for what failed: ``could_not_connect``, ``request_timeout``,
    ``error_status_code``."""
    seconds: float = 0.0
    """How long the answer took (real time)."""

    @property
    def acknowledged(self) -> bool:
        """Whether the far side said that it has taken it."""
        return self.status is not None and 200 <= self.status < 300


class Telling:
    """An event on its way. Awaiting it waits until the webhook was answered, or given up.

    An event that is held back past later ones (``held``) is not waited for: its friend goes on.
    """

    def __init__(self, event: Json) -> None:
        self.event = event
        self.posts: list[Post] = []
        self.held = False
        self.over = asyncio.Event()

    def __await__(self) -> Generator[Any, None, "Telling"]:
        yield from self.over.wait().__await__()
        return self

    @property
    def message_id(self) -> str:
        """The id of the message that it tells of."""
        return str(self.event["message"]["id"])

    @property
    def status(self) -> int | None:
        """The last answer's status."""
        return self.posts[-1].status if self.posts else None


@dataclass(frozen=True)
class Delivery:
    """How webhooks reach the bots; rates are from 0 to 1.

    ``duplicates``: a body is posted twice, at once or later. ``disorder``: an event is held back
    past up to four later ones of its channel. ``batch``: events that come within
    ``batch_seconds`` share a body, up to so many; 1 sends each alone. A channel whose redelivery
    is on gets a body again up to ``redeliveries`` times after an answer that is not 2xx or none,
    the pause before it doubling from ``redelivery_seconds``. All seconds are real time.
    """

    duplicates: float = 0.0
    disorder: float = 0.0
    batch: int = 1
    batch_seconds: float = 0.01
    redeliveries: int = 5
    redelivery_seconds: float = 0.1
    hold_seconds: float = 0.2
    timeout_seconds: float = ANSWER_SECONDS
    in_flight: int = 64


class Deliveries:
    """Sends the events of one channel. Those of one user go in order, apart from the faults."""

    def __init__(self, platform: "Platform", channel: "Channel") -> None:
        self._platform = platform
        self._channel = channel
        self._rng = random.Random(f"{platform.ids.seed}/webhooks/{channel.id}")
        self._slots = asyncio.Semaphore(platform.delivery.in_flight)
        self._pending: list[Telling] = []
        self._held: list[tuple[int, Telling]] = []
        self._last_of: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._flushing = False

    def tell(self, event: Json) -> Telling:
        """Begin to send ``event``."""
        telling = Telling(event)
        if not (self._channel.webhook_url and self._channel.webhook_active):
            telling.over.set()
            return telling
        delivery = self._platform.delivery
        if self._rng.random() < delivery.disorder:
            telling.held = True
            telling.over.set()
            self._held.append((self._rng.randint(1, _MOST_HELD), telling))
            asyncio.get_running_loop().call_later(delivery.hold_seconds, self._release, telling)
            return telling
        self._queue(telling)
        self._held = [(later - 1, held) for later, held in self._held]
        for later, held in tuple(self._held):
            if later == 0:
                self._release(held)
        return telling

    async def settle(self) -> None:
        """Wait until nothing is held back or in flight."""
        while self._held or self._pending or self._tasks:
            for _, held in tuple(self._held):
                self._release(held)
            self._flush()
            await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Give up whatever is in flight."""
        self._held.clear()
        for telling in self._pending:
            telling.over.set()
        self._pending.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ping(self, url: str) -> Post:
        """Post the empty body that a test of the webhook sends."""
        return await self._post(self._made(url, ()))

    def _release(self, telling: Telling) -> None:
        kept = [(later, held) for later, held in self._held if held is not telling]
        if len(kept) < len(self._held):
            self._held = kept
            self._queue(telling)

    def _queue(self, telling: Telling) -> None:
        self._pending.append(telling)
        delivery = self._platform.delivery
        if delivery.batch == 1 or len(self._pending) >= delivery.batch:
            self._flush()
        elif not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_later(delivery.batch_seconds, self._flush)

    def _flush(self) -> None:
        self._flushing = False
        while self._pending:
            size = self._platform.delivery.batch
            batch, self._pending = self._pending[:size], self._pending[size:]
            earlier, first = self._line_up(batch)
            task = asyncio.create_task(self._deliver(batch, earlier, first))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _line_up(self, batch: Iterable[Telling]) -> tuple[list[asyncio.Event], asyncio.Event]:
        """What to wait for before ``batch`` goes, and what later ones wait for."""
        first = asyncio.Event()
        users = {str(telling.event.get("source", {}).get("userId")) for telling in batch}
        earlier = [self._last_of[user] for user in users if user in self._last_of]
        self._last_of |= dict.fromkeys(users, first)
        return earlier, first

    async def _deliver(
        self, batch: list[Telling], earlier: list[asyncio.Event], first: asyncio.Event
    ) -> None:
        try:
            for one in earlier:
                await one.wait()
            attempt = 0
            while not await self._attempt(batch, attempt):
                first.set()
                delivery = self._platform.delivery
                if not self._channel.redelivery or attempt >= delivery.redeliveries:
                    break
                await asyncio.sleep(min(_LONGEST_PAUSE, delivery.redelivery_seconds * 2**attempt))
                attempt += 1
        finally:
            first.set()
            for telling in batch:
                telling.over.set()

    async def _attempt(self, batch: list[Telling], attempt: int) -> bool:
        """Post ``batch`` once; whether it was acknowledged."""
        delivery = self._platform.delivery
        async with self._slots:
            for telling in batch:
                token = telling.event.get("replyToken")
                if token is not None:
                    self._platform.reply_tokens.start(token)
                telling.event["deliveryContext"] = {"isRedelivery": attempt > 0}
            events = tuple(telling.event for telling in batch)
            post = self._made(self._channel.webhook_url, events, attempt)
            for telling in batch:
                telling.posts.append(post)
            if self._rng.random() < delivery.duplicates:
                wait = self._rng.choice((0.0, delivery.hold_seconds))
                twin = asyncio.create_task(self._again(post, wait))
                self._tasks.add(twin)
                twin.add_done_callback(self._tasks.discard)
            await self._post(post)
        return post.acknowledged

    async def _again(self, post: Post, wait: float) -> None:
        await asyncio.sleep(wait)
        twin = Post(
            post.channel,
            post.url,
            post.body,
            post.signature,
            post.event_ids,
            self._platform.clock(),
            post.attempt,
            duplicate=True,
        )
        await self._post(twin)

    def _made(self, url: str, events: tuple[Json, ...], attempt: int = 0) -> Post:
        """The request for ``events``: serialised once, and signed over exactly those bytes."""
        body = encoded({"destination": self._channel.bot_user_id, "events": events})
        ids = tuple(str(event["webhookEventId"]) for event in events)
        signed = signature(self._channel.secret, body)
        return Post(self._channel.id, url, body, signed, ids, self._platform.clock(), attempt)

    async def _post(self, post: Post) -> Post:
        self._platform.posts.append(post)
        address = self._platform.reach(post.url)
        began = time.monotonic()
        if address is None:
            post.error = "could_not_connect"  # a stranger's address: a simulator stays at home
            return post
        try:
            async with self._platform.session.post(
                URL(address, encoded=True),
                data=post.body,
                headers={
                    "Content-Type": "application/json; charset=utf-8",
                    "User-Agent": "LineBotWebhook/2.0",
                    "x-line-signature": post.signature,
                },
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._platform.delivery.timeout_seconds),
            ) as response:
                await response.read()
                post.status = response.status
                post.error = "" if post.acknowledged else "error_status_code"
        except TimeoutError:
            post.error = "request_timeout"
        except (aiohttp.ClientError, OSError):
            post.error = "could_not_connect"
        post.seconds = time.monotonic() - began
        return post


def signature(secret: str, body: bytes) -> str:
    """The value of x-line-signature for the raw bytes of ``body``."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def encoded(body: Json) -> bytes:
    """JSON in UTF-8; what UTF-8 cannot hold (half a surrogate pair) stays escaped."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":")).encode()
