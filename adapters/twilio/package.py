"""The process that asks the platform for its list of calls, by the official package.

``python -m adapters.twilio.package``: a :class:`Question` on standard input, lines of
:class:`Told` on output. It ends with its output, however the daemon ended.

Source: https://www.twilio.com/docs/voice/api/call-resource#read-multiple-call-resources
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec
import urllib3
from twilio.base.exceptions import TwilioException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from adapters.twilio.client import Question, Told
from gateway.domain.calls.reconciliation import Listed
from gateway.domain.values import micros
from gateway.errors import GatewayError, Permanent, Transient, Trouble

_PAGE_SIZE = 1000
"""The most that the platform gives at once."""

_MOST_PAGES = 2_000
"""Of a day: two million calls and legs."""

_PAUSES = (1.0, 5.0, 25.0)
"""Seconds before a page is asked for again where that did not work."""

_LONGEST_PAUSE = 60.0

_CONNECT_SECONDS, _READ_SECONDS, _MOST_SECONDS = 3.0, 10.0, 30.0
"""To connect, for the next piece of an answer, and for the whole of it."""

_MOST_BYTES = 16 * 2**20
"""Of an answer: a call has two kilobytes."""

_PIECE = 65_536
_LONGEST_TEXT = 300
_NICE = 10
"""How far it steps back behind the daemon, whose calls do not wait for a comparison."""

_ENVIRONMENT = {"TWILIO_REGION": ""}  # not empty: else the package looks into the process's own


def main() -> int:
    """Answer the question on standard input."""
    os.nice(_NICE)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # it ends once nobody listens any more
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    try:
        for calls in listed(question):
            _say(Told(calls))
        _say(Told(is_all=True))
    except (Transient, Permanent) as error:
        is_final = isinstance(error, Permanent)
        _say(Told(trouble=error.reason, detail=error.detail, is_final=is_final))
    return 0


def _say(told: Told) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def listed(question: Question) -> Iterator[list[Listed]]:
    """The calls of a day, a page at a time, the newest first.

    Raises:
        Transient: the platform cannot be reached, is busy, or says nothing that is to be
            understood, again and again.
        Permanent: it refuses.
    """
    http = _Http(question.api_url)
    client = Client(
        question.account_sid, question.auth_token, http_client=http, environment=_ENVIRONMENT
    )
    client.api.base_url = question.api_url

    ask: _Ask = partial(client.calls.page, start_time=question.day, page_size=_PAGE_SIZE)
    for _ in range(_MOST_PAGES):
        calls, more = _patiently(ask)
        yield calls
        if more is None:
            return
        ask = more
    raise Transient(Trouble.PLATFORM_DOWN, "a list without an end")


class _Busy(Transient):
    """429: nothing was done. ``seconds`` is how long the platform asks to wait."""

    def __init__(self, detail: str, seconds: float) -> None:
        super().__init__(Trouble.PLATFORM_BUSY, detail)
        self.seconds = seconds


_Ask = Callable[[], Any]
"""What gives a page of the package's."""


def _patiently(ask: _Ask) -> tuple[list[Listed], _Ask | None]:
    for pause in _PAUSES:
        try:
            return _understood(ask)
        except Transient as error:
            wanted = error.seconds if isinstance(error, _Busy) else 0.0
        time.sleep(max(pause, min(_LONGEST_PAUSE, wanted)))
    return _understood(ask)


def _understood(ask: _Ask) -> tuple[list[Listed], _Ask | None]:
    """What a page lists, and what gives the next one."""
    try:
        page = ask()
        calls = [_read_call(call) for call in page if call.start_time is not None]
        return calls, page.next_page if page.next_page_url else None
    except (
        TwilioException,
        msgspec.MsgspecError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
    ) as error:
        # The package reads whatever came, and stumbles in its own ways over what is no list.
        why = f"an answer that is no list of calls: {type(error).__name__}"
        raise Transient(Trouble.PLATFORM_DOWN, why) from None


def _read_call(call: Any) -> Listed:
    # One that came to nothing may have no end of its own: it is not changed any more.
    ended = call.end_time or call.date_updated
    is_over = call.status not in ("queued", "ringing", "in-progress")
    return msgspec.convert(
        {
            "sid": call.sid,
            "parent": call.parent_call_sid or "",
            "direction": call.direction or "",
            "number": call.to or "",
            "status": call.status,
            "started_at": micros(call.start_time),
            "ended_at": micros(ended) if ended and is_over else None,
            "seconds": int(call.duration or 0),
        },
        Listed,
    )


class _Http(HttpClient):  # type: ignore[misc]  # the package carries no types
    """How the package asks: of one host only, for so long only, for so much only.

    Its own client follows the environment's proxies, waits without end for each piece, and reads
    to the end whatever it is sent.
    """

    def __init__(self, api_url: str) -> None:
        super().__init__(logger=None, is_async=False)
        self._api = api_url.rstrip("/") + "/"
        waits = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
        self._connections = urllib3.PoolManager(retries=False, timeout=waits)

    def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """See ``HttpClient.request``; what is no 200 is raised in our words."""
        if not uri.startswith(self._api):
            # An address in an answer must not take the token elsewhere.
            raise Transient(Trouble.PLATFORM_DOWN, "the list goes on at another host")
        user = ":".join(auth or ())
        secret = urllib3.make_headers(basic_auth=user, accept_encoding="gzip")
        try:
            response = self._connections.request(
                method,
                uri,
                fields={name: str(value) for name, value in (params or {}).items()},
                headers={**(headers or {}), **secret},
                redirect=False,
                preload_content=False,
            )
            body = _read(response)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Transient(Trouble.PLATFORM_DOWN, type(error).__name__) from None
        if response.status != 200:
            raise _translated(response.status, body, response.headers)
        return Response(200, body.decode(errors="replace"), response.headers)


def _read(response: urllib3.BaseHTTPResponse) -> bytes:
    """All of an answer, within its bounds."""
    body, deadline = bytearray(), time.monotonic() + _MOST_SECONDS
    try:
        while piece := response.read1(_PIECE, decode_content=True):
            body += piece
            if len(body) > _MOST_BYTES:
                raise Transient(Trouble.PLATFORM_DOWN, "an answer that is too long")
            if time.monotonic() > deadline:
                raise Transient(Trouble.PLATFORM_DOWN, "an answer that takes too long")
    except BaseException:  # whatever it is: the rest would be read as the next answer
        response.close()
        raise
    response.release_conn()
    return bytes(body)


class _Problem(msgspec.Struct):
    code: int = 0
    message: str = ""


def _translated(status: int, body: bytes, headers: Mapping[str, str]) -> GatewayError:
    """A refusal in our words."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.MsgspecError, UnicodeError):
        problem = _Problem()
    detail = f"{status}: {problem.code} {problem.message}"[:_LONGEST_TEXT]
    if status == 429:
        asked = headers.get("Retry-After", "")
        return _Busy(detail, float(asked) if asked.isdecimal() else 0.0)
    if status >= 500 or status == 408:
        return Transient(Trouble.PLATFORM_DOWN, detail)
    reason = {404: Trouble.PLATFORM_MISSING, 410: Trouble.PLATFORM_GONE}.get(status)
    return Permanent(reason or Trouble.PLATFORM_REFUSED, detail)


if __name__ == "__main__":
    sys.exit(main())
