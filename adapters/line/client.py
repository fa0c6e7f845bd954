"""Our own client for what sends messages: the stored bytes go out as they are, and whatever the
platform answers, or does not, becomes one value.

Source: https://developers.line.biz/en/reference/messaging-api/#messages
"""

import aiohttp
import msgspec

from adapters.line.answers import asking, read_answer
from adapters.line.problem import LONGEST_TEXT, read_problem
from adapters.line.tokens import Tokens
from gateway.domain.line.channel import Channel
from gateway.domain.line.sending import (
    Accepted,
    Answer,
    BadToken,
    Exhausted,
    Kind,
    Limited,
    Refused,
    Unauthorized,
    Unclear,
    Unreached,
)
from gateway.errors import Permanent, Transient

RETRY_KEY = "X-Line-Retry-Key"
REQUEST_ID = "x-line-request-id"
ACCEPTED_ID = "x-line-accepted-request-id"

PATHS: dict[Kind, str] = {
    "reply": "/v2/bot/message/reply",
    "push": "/v2/bot/message/push",
    "multicast": "/v2/bot/message/multicast",
    "narrowcast": "/v2/bot/message/narrowcast",
    "broadcast": "/v2/bot/message/broadcast",
}

_TIMEOUT = aiohttp.ClientTimeout(total=10.0, connect=3.0)
_BAD_TOKEN = "Invalid reply token"  # noqa: S105 - what the platform calls it


class _Sent(msgspec.Struct):
    id: str = ""


class _Taken(msgspec.Struct):
    sentMessages: list[_Sent] = []  # noqa: N815 - the platform's name


class Messages:
    """Sends messages of all channels over one session."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str, tokens: Tokens) -> None:
        self._session = session
        self._urls = {kind: api_url.rstrip("/") + path for kind, path in PATHS.items()}
        self._tokens = tokens

    async def send(
        self, channel: Channel, kind: Kind, body: bytes, retry_key: str | None = None
    ) -> Answer:
        """Send ``body`` once; never raises for what the platform or the network does.

        ``retry_key`` is a UUID for everything but replies, which the platform allows none.
        """
        for renewed in (False, True):
            try:
                token = await self._tokens.of(channel)
            except Transient:
                return Unreached()
            except Permanent:
                return Unauthorized()
            answer = await self._post(self._urls[kind], token, body, retry_key)
            if not isinstance(answer, Unauthorized) or renewed:
                return answer
            self._tokens.drop(channel, token)  # it may have been revoked: a new one tells
        raise AssertionError("both attempts return")

    async def _post(self, url: str, token: str, body: bytes, retry_key: str | None) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if retry_key is not None:
            headers[RETRY_KEY] = retry_key
        try:
            async with asking(
                self._session, "POST", url, data=body, headers=headers, timeout=_TIMEOUT
            ) as response:
                try:
                    said = await read_answer(response)
                except (aiohttp.ClientError, TimeoutError, OSError):
                    said = b""  # the status tells; what it says beside is lost
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Unreached()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return Unclear()
        return _read(response, said, keyed=retry_key is not None)


def _read(response: aiohttp.ClientResponse, said: bytes, *, keyed: bool) -> Answer:
    """What the platform's answer means."""
    status = response.status
    request = response.headers.get(REQUEST_ID, "")
    if status in (200, 202) or (status == 409 and keyed):
        ids = tuple(sent.id for sent in _taken(said).sentMessages)
        if status == 409:
            return Accepted(response.headers.get(ACCEPTED_ID, request), ids, repeated=True)
        return Accepted(request, ids)
    if status >= 500 or status == 408:
        return Unclear(status, request)
    if status == 401:
        return Unauthorized(request)
    problem = read_problem(said)
    if status == 429:
        return Exhausted(request) if problem.is_monthly else Limited(request)
    if status == 400 and problem.message == _BAD_TOKEN:
        return BadToken(request)
    return Refused(
        status,
        problem.message[:LONGEST_TEXT],
        tuple((d.property[:LONGEST_TEXT], d.message[:LONGEST_TEXT]) for d in problem.details),
        request,
    )


def _taken(said: bytes) -> _Taken:
    try:
        return msgspec.json.decode(said, type=_Taken)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _Taken()
