"""The HTTP peer: it signs, posts, posts again, and plays many calls at once.

Sources: docs/usage/security (signature), docs/usage/webhooks (retries, fallback, headers) of the
platform's documentation.
"""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
from yarl import URL

from adapters.twilio.simulator.call import Faults, SimulatedCall
from adapters.twilio.simulator.played import Played, Post, Script

_CONNECT_SECONDS = 5.0
_LONGEST_PAUSE = 2.0


class Carrier:
    """A telephone carrier that sends its calls to one daemon; use it with ``async with``.

    ``target`` is where to connect (``http://127.0.0.1:8080``); ``public_url`` is what the
    platform was configured with: it is signed, and TwiML speaks of it.

    Faults, each a rate from 0 to 1 drawn from ``seed`` for every call by its place in the order
    of play: ``disorder`` (a callback is held back past later ones), ``duplicates`` (a request is
    posted twice, at once or later), ``loss`` (a callback is never sent; a voice webhook always
    is). With ``wild``, a caller who gives up may do so before the voice webhook is answered, so
    that the number's status callback comes before it.

    ``retries``: 0 is the platform's default: a document is fetched again once where the
    connection failed, a status callback never. More than 0 posts a status callback again up to
    so many times after a failed connection or an answer that is not 2xx, and a document once
    after either; the pause before it doubles from ``retry_seconds`` (real time).

    ``speed``: 1.0 plays in real time, 10 ten times as fast, 0 as fast as the daemon answers. The
    figures and Timestamps of a call are the same at any speed; it is placed in time such that it
    ends about when its last callback is sent.

    ``on_event`` is called with the call and each request once that was answered, failed or lost;
    every call is added to ``calls``, where that is given, as soon as it begins;
    ``clock`` is the time in microseconds.
    """

    def __init__(  # noqa: PLR0913 - every fault is a switch of its own
        self,
        target: str,
        public_url: str,
        account_sid: str,
        auth_token: str,
        *,
        seed: int = 0,
        disorder: float = 0.0,
        duplicates: float = 0.0,
        loss: float = 0.0,
        wild: bool = False,
        retries: int = 0,
        retry_seconds: float = 0.1,
        timeout_seconds: float = 15.0,
        speed: float = 0.0,
        on_event: Callable[[Played, Post], None] | None = None,
        calls: list[Played] | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.account_sid = account_sid
        self.public_url = public_url.rstrip("/")
        self.speed = speed
        self.clock = clock
        self.faults = Faults(seed, disorder, duplicates, loss, wild)
        self._target = target.rstrip("/")
        self._token = auth_token.encode()
        self._retries = retries
        self._retry_seconds = retry_seconds
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=_CONNECT_SECONDS)
        self._on_event = on_event
        self._calls = calls
        self._session: aiohttp.ClientSession | None = None
        self._played = 0

    async def __aenter__(self) -> Self:
        # The calls in flight bound the connections; a limit here would only make them time out.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None  # noqa: S101 - set on entry
        await self._session.close()

    async def play(self, script: Script, *, starts_at: int | None = None) -> Played:
        """Play one call to its end and return the record of what was done.

        ``starts_at`` (microseconds) sets the carrier's time of its begin. A daemon that fails or
        answers nonsense raises nothing: the record tells.
        """
        self._played += 1
        call = SimulatedCall(self, script, self._played, starts_at)
        if self._calls is not None:
            self._calls.append(call.played)
        return await call.play()

    async def run(
        self,
        scripts: Iterable[Script],
        *,
        rate: float,
        until: asyncio.Event | None = None,
        in_flight: int = 256,
    ) -> list[Played]:
        """Play ``scripts``, ``rate`` new calls a second, until they or the time are over.

        A ``rate`` of ``math.inf`` begins as many as ``in_flight`` allows.
        Once ``until`` is set no further call begins, and those in flight are played to their
        end. At most ``in_flight`` calls run at once: a daemon that falls behind slows the rate.
        """
        slots = asyncio.Semaphore(in_flight)
        stop = until or asyncio.Event()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        tasks: list[asyncio.Task[Played]] = []
        async with asyncio.TaskGroup() as calls:
            for place, script in enumerate(scripts):
                await _pause(stop, begun + place / rate - loop.time())
                await slots.acquire()
                if stop.is_set():
                    break
                task = calls.create_task(self.play(script))
                task.add_done_callback(lambda _: slots.release())
                tasks.append(task)
        return [task.result() for task in tasks]

    async def post(self, played: Played, first: Post) -> Post:
        """Send a request, again where the platform would, and return the last attempt."""
        post, attempt = first, 0
        while True:
            played.posts.append(post)
            await self._send(post)
            self.tell(played, post)
            if post.acknowledged or attempt >= self._allowed(post):
                return post
            await asyncio.sleep(min(_LONGEST_PAUSE, self._retry_seconds * 2**attempt))
            attempt += 1
            post = Post(post.url, post.params, post.token, attempt, post.duplicate)

    def tell(self, played: Played, post: Post) -> None:
        """Tell whoever watches."""
        if self._on_event:
            self._on_event(played, post)

    def _allowed(self, post: Post) -> int:
        """How many further attempts a request gets that failed so."""
        if post.what not in ("voice", "fallback", "dial"):
            return self._retries
        return 1 if self._retries or post.error == "connection" else 0

    async def _send(self, post: Post) -> None:
        assert self._session is not None  # noqa: S101 - it is used with async with
        if not post.url.startswith(self.public_url + "/"):
            post.error = "connection"  # a stranger's address: a simulator does not go there
            return
        try:
            async with self._session.post(
                URL(self._target + post.url[len(self.public_url) :], encoded=True),
                data=urlencode(post.params).encode(),
                headers={
                    "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                    "Host": urlsplit(post.url).netloc,
                    "I-Twilio-Idempotency-Token": post.token,
                    "User-Agent": "TwilioProxy/1.1",
                    "X-Home-Region": "us1",
                    "X-Twilio-Signature": signature(self._token, post.url, post.params),
                },
                allow_redirects=False,
                timeout=self._timeout,
            ) as response:
                post.answer = await response.read()
                post.content_type = response.content_type
                post.status = response.status
        except TimeoutError:
            post.error = "timeout"
        except (aiohttp.ClientError, OSError):
            post.error = "connection"


def signature(token: bytes, url: str, params: Mapping[str, str]) -> str:
    """X-Twilio-Signature of a form request: keys in byte order, each followed by its value.

    The platform drops userinfo, and with HTTPS the port, from the address of a voice webhook.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme == "https" and parts.port is not None:
        host = host.rpartition(":")[0]
    signed = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    signed += "".join(key + params[key] for key in sorted(params))
    return base64.b64encode(hmac.digest(token, signed.encode(), hashlib.sha1)).decode()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not beyond ``stop``."""
    if seconds > 0:
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            return
