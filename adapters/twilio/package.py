"""The process that asks the platform for its list of calls, by the official package.

``python -m adapters.twilio.package``: a :class:`Question` on standard input, lines of
:class:`Told` on output. It ends soon after the daemon, however that ended.

Source: https://www.twilio.com/docs/voice/api/call-resource#read-multiple-call-resources
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from threading import Thread
from typing import Annotated, Any, NoReturn

import msgspec
import urllib3
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
"""To connect, for the next piece of an answer, and for a request with the whole of its answer."""

_MOST_BYTES = 16 * 2**20
"""Of an answer: a call has two kilobytes."""

_PIECE = 65_536
_NICE = 10
"""How far it steps back behind the daemon, whose calls do not wait for a comparison."""

_ENVIRONMENT = {"TWILIO_REGION": ""}  # not empty: else the package looks into the process's own

_encode = msgspec.json.Encoder().encode


def main() -> int:
    """Answer the question on standard input."""
    os.nice(_NICE)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # it ends once nobody listens any more
    signal.signal(signal.SIGALRM, _break_off)
    try:
        question = msgspec.json.decode(sys.stdin.buffer.readline(), type=Question)
        Thread(target=_end_with_the_daemon, daemon=True).start()
        for line in listed(question):
            _say(line)
        _say(_encode(Told(is_all=True)))
    except (Transient, Permanent) as error:
        is_final = isinstance(error, Permanent)
        _say(_encode(Told(trouble=error.reason, detail=error.detail, is_final=is_final)))
    except Exception as error:  # noqa: BLE001 - a traceback may quote the carrier, and so the token
        why = f"the process that asks the carrier failed: {type(error).__name__}"
        _say(_encode(Told(trouble=Trouble.PLATFORM_DOWN, detail=why)))
    return 0


def _end_with_the_daemon() -> None:
    """Standard input ends when the daemon does, though it be killed: then nobody is to hold the
    token any more, whatever this process is waiting for.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGALRM,))  # it is to wake the main thread
    try:
        # Not by ``sys.stdin``: its lock must be free when the interpreter ends.
        while os.read(0, 1):
            pass
    finally:
        os._exit(1)


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Break off what takes longer. A connection's own limits begin anew with each byte, so that an
    answer which trickles passes them for ever. In the main thread only.
    """
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _break_off(_signal: int, _frame: object) -> NoReturn:
    raise Transient(Trouble.PLATFORM_DOWN, "an answer that takes too long")


def listed(question: Question) -> Iterator[bytes]:
    """The calls of a day, a page at a time, the newest first; each page is a line of ``Told``.

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
        line, more = _patiently(ask)
        yield line
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


def _patiently(ask: _Ask) -> tuple[bytes, _Ask | None]:
    for pause in _PAUSES:
        try:
            return _understood(ask)
        except Transient as error:
            wanted = error.seconds if isinstance(error, _Busy) else 0.0
        time.sleep(max(pause, min(_LONGEST_PAUSE, wanted)))
    return _understood(ask)


def _understood(ask: _Ask) -> tuple[bytes, _Ask | None]:
    """What a page lists, and what gives the next one."""
    try:
        page = ask()
        calls = list(islice(page, _PAGE_SIZE + 1))
        # Encoded here: half a character is no trouble before that.
        line = _encode(Told([_read_call(call) for call in calls if call.start_time is not None]))
        more = page.next_page if page.next_page_url else None
    except GatewayError:
        raise
    except Exception as error:  # noqa: BLE001 - see below
        # The package reads whatever came, and stumbles in its own ways over what is no list:
        # nobody can name them all.
        why = f"an answer that is no list of calls: {type(error).__name__}"
        raise Transient(Trouble.PLATFORM_DOWN, why) from None
    if len(calls) > _PAGE_SIZE:
        raise Transient(Trouble.PLATFORM_DOWN, "more calls on a page than were asked for")
    return line, more


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
            with _within(_MOST_SECONDS):
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
    """All of an answer, unless it is too long."""
    body = bytearray()
    try:
        while piece := response.read1(_PIECE, decode_content=True):
            body += piece
            if len(body) > _MOST_BYTES:
                raise Transient(Trouble.PLATFORM_DOWN, "an answer that is too long")
    except BaseException:  # whatever it is: the rest would be read as the next answer
        response.close()
        raise
    response.release_conn()
    return bytes(body)


class _Problem(msgspec.Struct):
    """What the platform says of a refusal. Its words are left out, as they may quote the token;
    so might a number of any length.
    """

    code: Annotated[int, msgspec.Meta(ge=0, le=999_999)] = 0


def _translated(status: int, body: bytes, headers: Mapping[str, str]) -> GatewayError:
    """A refusal in our words."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (ValueError, RecursionError):
        problem = _Problem()
    detail = f"{status}: {problem.code}"
    if status == 429:
        asked = headers.get("Retry-After", "")
        return _Busy(detail, float(asked) if asked.isdecimal() else 0.0)
    if status >= 500 or status == 408:
        return Transient(Trouble.PLATFORM_DOWN, detail)
    reason = {404: Trouble.PLATFORM_MISSING, 410: Trouble.PLATFORM_GONE}.get(status)
    return Permanent(reason or Trouble.PLATFORM_REFUSED, detail)


if __name__ == "__main__":
    sys.exit(main())
