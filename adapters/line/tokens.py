"""Access tokens of channels: stateless ones, which live a quarter of an hour.

They are kept in memory alone, are never logged, and need no storing, counting or revoking.

Source: https://developers.line.biz/en/reference/messaging-api/#issue-stateless-channel-access-token
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec

from adapters.line.answers import asking, read_answer
from gateway.domain.line.channel import Channel
from gateway.errors import Permanent, Transient, Trouble

PATH = "/oauth2/v3/token"

RENEWED_AT = 0.8
"""The part of its life after which a token is renewed while it is still good."""

_TIMEOUT = aiohttp.ClientTimeout(total=3.0, connect=3.0)


class _Issued(msgspec.Struct):
    access_token: str
    expires_in: int


class _Token(msgspec.Struct, frozen=True):
    value: str
    made_of: tuple[str, str]
    """The credentials: other ones need another token."""
    renew_at: float
    ends_at: float


class Tokens:
    """Tokens by channel; each is asked for by one request at a time, however many wait for it."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._url = api_url.rstrip("/") + PATH
        self._clock = clock
        self._tokens: dict[str, _Token] = {}
        self._asking: dict[str, asyncio.Task[_Token]] = {}

    async def of(self, channel: Channel) -> str:
        """A token that is good now, and for a while.

        Raises:
            Permanent: the platform knows neither of the channel's secrets.
            Transient: it does not answer.
        """
        token = self._tokens.get(channel.id)
        now = self._clock()
        if token is None or now >= token.ends_at or token.made_of != _credentials(channel):
            return (await self._asked(channel)).value
        if now >= token.renew_at:
            # Ahead of its end, and nobody waits; should it fail, there is time to try again.
            self._ask(channel).add_done_callback(_heard)
        return token.value

    def drop(self, channel: Channel, value: str) -> None:
        """Forget a token that the platform did not take."""
        token = self._tokens.get(channel.id)
        if token is not None and token.value == value:
            del self._tokens[channel.id]

    async def close(self) -> None:
        """Wait for nothing any more."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _asked(self, channel: Channel) -> _Token:
        # Shielded: whoever stops waiting does not take it away from the others.
        return await asyncio.shield(self._ask(channel))

    def _ask(self, channel: Channel) -> asyncio.Task[_Token]:
        task = self._asking.get(channel.id)
        if task is None:
            task = asyncio.create_task(self._issue(channel))
            self._asking[channel.id] = task
            task.add_done_callback(lambda _: self._asking.pop(channel.id, None))
        return task

    async def _issue(self, channel: Channel) -> _Token:
        secrets = [channel.channel_secret, channel.channel_secret_previous]
        for secret in filter(None, secrets):  # two while one is rotated
            asked_at = self._clock()
            issued = await self._request(channel.channel_id, secret)
            if issued is not None:
                token = _Token(
                    issued.access_token,
                    _credentials(channel),
                    asked_at + RENEWED_AT * issued.expires_in,
                    asked_at + issued.expires_in,
                )
                self._tokens[channel.id] = token
                return token
        raise Permanent(Trouble.PLATFORM_REFUSED, "channel id or secret is wrong")

    async def _request(self, channel_id: str, secret: str) -> _Issued | None:
        """A new token; ``None`` where the secret is not the channel's."""
        form = {
            "grant_type": "client_credentials",
            "client_id": channel_id,
            "client_secret": secret,
        }
        try:
            async with asking(
                self._session, "POST", self._url, data=form, timeout=_TIMEOUT
            ) as response:
                body = await read_answer(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(Trouble.PLATFORM_DOWN, type(error).__name__) from error
        if response.status in (400, 401, 403):
            return None
        if response.status == 429:
            raise Transient(Trouble.PLATFORM_BUSY, "tokens")
        if response.status != 200:
            raise Transient(Trouble.PLATFORM_DOWN, f"tokens: {response.status}")
        try:
            return msgspec.json.decode(body, type=_Issued)
        except msgspec.MsgspecError:
            raise Transient(Trouble.PLATFORM_DOWN, "tokens: an answer that is none") from None


def _credentials(channel: Channel) -> tuple[str, str]:
    return (channel.channel_id, channel.channel_secret)


def _heard(task: "asyncio.Task[Any]") -> None:
    """Take note of a renewal that failed: whoever needs a token next asks again, and is told."""
    if not task.cancelled():
        task.exception()
