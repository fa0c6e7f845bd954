"""Fetches what friends sent beside words, piece by piece, from the platform onto the disk.

Source: https://developers.line.biz/en/reference/messaging-api/#get-content
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from adapters.line.answers import asking
from adapters.line.tokens import Tokens
from gateway.domain.line.channel import Channel
from gateway.domain.line.contents import Why, path_of
from gateway.domain.values import SECOND
from gateway.errors import Permanent, Transient, Trouble
from gateway.ports import Clock, Lane
from gateway.ports.contents import ContentReading, ContentSource, Folder, Stored
from gateway.ports.outbox import Claimed, Handlers, Outcome
from gateway.ports.reading import Reads
from gateway.usecases.contents import Fetched, settle

PATH = "/v2/bot/message/{message}/content"

AT_ONCE = 2
"""Contents that a process fetches at the same time: each holds a connection, a place in the worker
and its megabytes of the disk, and a video may take minutes. The others wait in the outbox.
"""

_TIMEOUT = aiohttp.ClientTimeout(total=600.0, connect=3.0, sock_read=20.0)
_PIECE_BYTES = 65_536
_LOOK_SECONDS = 10.0
"""So long an attempt is waited for; a longer one goes on, and is looked at again."""
_BUSY_SECONDS = 5
_LONGEST_PAUSE = 600


class ContentClient:
    """See :class:`gateway.ports.contents.ContentSource`."""

    def __init__(self, session: aiohttp.ClientSession, data_api_url: str, tokens: Tokens) -> None:
        self._session = session
        self._url = data_api_url.rstrip("/") + PATH
        self._tokens = tokens

    @asynccontextmanager
    async def opened(
        self, channel: Channel, message_id: str
    ) -> AsyncIterator[AsyncIterator[bytes] | None]:
        """The bytes of a content in pieces; ``None`` while the platform prepares it."""
        token = await self._tokens.of(channel)
        try:
            async with asking(
                self._session,
                "GET",
                self._url.format(message=message_id),
                headers={"Authorization": f"Bearer {token}"},
                timeout=_TIMEOUT,
            ) as response:
                if response.status == 401:
                    self._tokens.drop(channel, token)
                yield _pieces(response)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise Transient(Trouble.PLATFORM_DOWN, type(error).__name__) from error


def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes] | None:
    """What an answer holds.

    Raises:
        Permanent, Transient: nothing, for now or for good.
    """
    status = response.status
    if status == 200:
        return response.content.iter_chunked(_PIECE_BYTES)
    if status == 202:
        return None
    if status in (404, 410):
        raise Permanent(Trouble.PLATFORM_MISSING)
    if status in (401, 408, 429):
        raise Transient(Trouble.PLATFORM_BUSY)
    if status >= 500:
        raise Transient(Trouble.PLATFORM_DOWN)
    raise Permanent(Trouble.PLATFORM_REFUSED)


class _Payload(msgspec.Struct):
    channel: str
    message: str


_payload = msgspec.json.Decoder(_Payload)


class Fetcher:
    """Carries out the effects ``line.content``.

    ``has_room`` tells whether the disk may take more; where it may not, contents wait.
    """

    def __init__(
        self,
        *,
        store: Reads,
        reader: ContentReading,
        source: ContentSource,
        folder: Folder,
        clock: Clock,
        most_bytes: int,
        has_room: Callable[[], bool],
        log: Any,
    ) -> None:
        self._store = store
        self._reader = reader
        self._source = source
        self._folder = folder
        self._clock = clock
        self._most_bytes = most_bytes
        self._has_room = has_room
        self._log = log
        self._under_way: dict[str, asyncio.Task[Outcome]] = {}

    @property
    def handlers(self) -> Handlers:
        """The one for contents."""
        return {"line.content": self.carry_out}

    async def close(self) -> None:
        """Stop what is under way; it begins anew with the next process."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def carry_out(self, effect: Claimed) -> Outcome:
        """Fetch one content, or look how far that is."""
        task = self._under_way.get(effect.key)
        if task is None:
            if len(self._under_way) >= AT_ONCE or not self._has_room():
                return self._later(_BUSY_SECONDS, tried=False)
            task = asyncio.create_task(self._fetch(effect))
            self._under_way[effect.key] = task
            task.add_done_callback(lambda _: self._under_way.pop(effect.key, None))
        done, _ = await asyncio.wait({task}, timeout=_LOOK_SECONDS)
        if not done:
            return self._later(_BUSY_SECONDS, tried=False)
        return task.result()

    async def _fetch(self, effect: Claimed) -> Outcome:
        wanted = _payload.decode(effect.payload)
        path = path_of(wanted.channel, wanted.message)
        try:
            known = await self._store.read(self._reader.content, wanted.channel, wanted.message)
            if known is None or known.state != "waiting":  # fetched, or taken back meanwhile
                if known is None or known.state == "gone":
                    # Whoever began may have died with the file in place, and nobody told of it.
                    await self._folder.remove(path)
                return Outcome("done")
            came = await self._written(wanted, path)
            if came is None and self._clock() < effect.give_up_at:
                return self._later(_pause(effect), error="preparing")
            return await self._settled(wanted, path, came or "missing")
        except Transient as error:
            if self._clock() < effect.give_up_at:
                return self._later(_pause(effect), error=str(error.reason))
            return await self._settled(wanted, path, "missing")

    async def _written(self, wanted: _Payload, path: str) -> Stored | Why | None:
        """What was written, why there is nothing, or ``None`` where it is not ready yet."""
        channel = self._store.entity(Channel, wanted.channel)
        if channel is None:
            return "missing"
        try:
            async with self._source.opened(channel, wanted.message) as pieces:
                if pieces is None:
                    return None
                return await self._folder.write(path, pieces, self._most_bytes) or "too_large"
        except Permanent:
            return "missing"
        except OSError as error:
            self._log.error("a content cannot be written", error=error.strerror)
            raise Transient(Trouble.STORE_DOWN) from error

    async def _settled(self, wanted: _Payload, path: str, came: Stored | Why) -> Outcome:
        stored = came if isinstance(came, Stored) else None
        why: Why = "" if isinstance(came, Stored) else came
        fetched = Fetched(wanted.channel, wanted.message, self._clock(), stored, why)
        stays = await self._store.run(settle, fetched, Lane.BACKGROUND)
        if not stays:  # taken back meanwhile; or given up, after an attempt that died with its file
            await self._folder.remove(path)
        return Outcome("done") if stored is not None else Outcome("dead", error=why)

    def _later(self, seconds: int, *, tried: bool = True, error: str = "") -> Outcome:
        return Outcome("waiting", self._clock() + seconds * SECOND, tried=tried, error=error)


def _pause(effect: Claimed) -> int:
    """Seconds that double with each attempt."""
    return int(min(_LONGEST_PAUSE, 2 ** min(effect.attempts, 10)))
