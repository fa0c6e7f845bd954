"""Asks LINE Login whose an ID token is. Nothing that a client says of itself is believed.

Source: https://developers.line.biz/en/reference/line-login/#verify-id-token
"""

import re

import aiohttp
import msgspec

from adapters.line.answers import asking, read_answer
from gateway.errors import Refusal, Refused, Transient, Trouble

PATH = "/oauth2/v2.1/verify"

UNDER_WAY = 256
"""So many tokens are asked about at once. Strangers can send what looks like one, and each would
cost a connection to the platform, which the messages of all shops need.
"""

_TIMEOUT = aiohttp.ClientTimeout(total=5.0, connect=3.0)
_JWT = re.compile(r"[A-Za-z0-9_-]{1,1000}\.[A-Za-z0-9_-]{1,5000}\.[A-Za-z0-9_-]{1,1000}")
_USER = re.compile(r"U[0-9a-f]{32}")
_OTHER_CHANNEL = "Audience"
"""In what the platform says of a token that it gave for another channel."""


class _Claims(msgspec.Struct):
    sub: str
    aud: str


class _Problem(msgspec.Struct):
    error_description: str = ""


class LineLogins:
    """See :class:`gateway.ports.login.Logins`; asks anew each time, and keeps no token."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str) -> None:
        self._session = session
        self._url = api_url.rstrip("/") + PATH
        self._under_way = 0

    @property
    def is_full(self) -> bool:
        """Whether as many tokens are asked about as may be at once."""
        return self._under_way >= UNDER_WAY

    async def verify(self, id_token: str, login_channel_id: str) -> str:
        """The userId of whom the platform gave ``id_token`` for a LINE Login channel.

        Raises:
            Refused: the platform did not give it, gave it for another channel, or it has expired.
            Transient: the platform cannot be asked, or is asked too much already.
        """
        if not login_channel_id or not _JWT.fullmatch(id_token):
            raise Refused(Refusal.ID_TOKEN_INVALID)
        if self.is_full:
            raise Transient(Trouble.LOGIN_DOWN, "too many at once")
        self._under_way += 1
        try:
            status, said = await self._asked(id_token, login_channel_id)
        finally:
            self._under_way -= 1
        if status == 200:
            return _user(said, login_channel_id)
        if status != 400:
            raise Transient(Trouble.LOGIN_DOWN, f"LINE Login answered {status}")
        if _OTHER_CHANNEL in _described(said):
            raise Refused(Refusal.ID_TOKEN_OTHER_CHANNEL)
        raise Refused(Refusal.ID_TOKEN_INVALID)

    async def _asked(self, id_token: str, login_channel_id: str) -> tuple[int, bytes]:
        """The platform's answer: its status and body."""
        form = {"id_token": id_token, "client_id": login_channel_id}
        try:
            async with asking(
                self._session, "POST", self._url, data=form, timeout=_TIMEOUT
            ) as response:
                return response.status, await read_answer(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(Trouble.LOGIN_DOWN, type(error).__name__) from None


def _user(said: bytes, login_channel_id: str) -> str:
    try:
        claims = msgspec.json.decode(said, type=_Claims)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Transient(Trouble.LOGIN_DOWN, "the answer has no claims") from None
    if claims.aud != login_channel_id or not _USER.fullmatch(claims.sub):
        raise Refused(Refusal.ID_TOKEN_INVALID)
    return claims.sub


def _described(said: bytes) -> str:
    try:
        return msgspec.json.decode(said, type=_Problem).error_description
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
