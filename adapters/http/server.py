"""A listener: it reads requests within limits, hands them to routes, and answers errors.

``aiohttp.web.Server`` is used without an Application: an exact path is one look-up in a dict, and
the router, middlewares and signals of an Application cost a sixth of the bare request.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from adapters.http.problem import problem
from adapters.http.router import Router
from adapters.http.streams import pieces_of
from adapters.http.written import Written
from gateway.errors import Permanent, Refusal, Refused, Transient
from gateway.ports import Answer, Clock, Fact, Observer, Request, Route

STATUS_OF: dict[Refusal, int] = {
    Refusal.SIGNATURE_MISSING: 403,
    Refusal.SIGNATURE_DOUBLED: 403,
    Refusal.SIGNATURE_WRONG: 403,
    Refusal.BODY_TOO_LARGE: 413,
    Refusal.BODY_TOO_SLOW: 408,
    Refusal.NOT_A_FORM: 400,
    Refusal.INVALID_UTF8: 400,
    Refusal.MISSING_PARAMETER: 400,
    Refusal.ABSURD_VALUE: 400,
    Refusal.UNKNOWN_NUMBER: 404,
    Refusal.NOT_FOUND: 404,
    Refusal.METHOD_NOT_ALLOWED: 405,
    # the API
    Refusal.UNAUTHENTICATED: 401,
    Refusal.UNKNOWN_BEARER: 401,
    Refusal.ROLE_NOT_ALLOWED: 403,
    Refusal.OUT_OF_SCOPE: 403,
    Refusal.UNKNOWN_PARAMETER: 400,
    Refusal.DOUBLED_PARAMETER: 400,
    Refusal.INVALID_PARAMETER: 400,
    Refusal.INVALID_CURSOR: 400,
    Refusal.NOT_JSON: 400,
    Refusal.UNKNOWN_FIELD: 400,
    Refusal.INVALID_FIELD: 400,
    Refusal.MEDIA_TYPE: 415,
    Refusal.INVALID_KEY: 400,
    Refusal.KEY_REUSED: 422,
    # LINE
    Refusal.TOO_DEEP: 400,
    Refusal.WRONG_DESTINATION: 400,
    Refusal.UNKNOWN_CHANNEL: 404,
    # coupons
    Refusal.COUPON_USED: 409,
    Refusal.COUPON_EXPIRED: 410,
    Refusal.COUPON_VOID: 410,
    Refusal.COUPON_STAMPED_OTHERWISE: 403,
    Refusal.COUPON_NOT_STAMPED: 409,
    Refusal.COUPON_PIN_WRONG: 403,
    Refusal.COUPON_PIN_LOCKED: 429,
    # shop cards, and who scans them
    Refusal.CODE_EXPIRED: 410,
    Refusal.CODE_USED: 409,
    Refusal.CODE_FORGED: 403,
    Refusal.CODE_OTHER_SHOP: 403,
    Refusal.TOO_SOON: 429,
    Refusal.PRINTED_LIMIT: 429,
    Refusal.NOT_FRIEND: 403,
    Refusal.PIN_WRONG: 403,
    Refusal.PIN_LOCKED: 429,
    Refusal.CARD_FULL: 409,
    Refusal.CARD_EXPIRED: 410,
    Refusal.ALREADY_UNDONE: 409,
    Refusal.ID_TOKEN_INVALID: 403,
    Refusal.ID_TOKEN_OTHER_CHANNEL: 403,
    Refusal.CLIENT_CLAIMED_USER: 400,
    # tags, pushes and links
    Refusal.UNKNOWN_REFERENCE: 422,
    Refusal.MESSAGE_INVALID: 422,
    Refusal.NOT_IN_ONE: 422,
    Refusal.QUOTA_TOO_SMALL: 409,
    Refusal.TOO_MANY_UNITS: 409,
    Refusal.STOPS_PRESENT: 409,
    Refusal.PUSH_OVER: 409,
    Refusal.UNKNOWN_CODE: 404,
    # surveys and the inbox
    Refusal.SURVEY_ANSWERED: 409,
    Refusal.SURVEY_CLOSED: 410,
    Refusal.SURVEY_INVALID: 400,
    Refusal.FRIEND_GONE: 409,
    Refusal.CONTENT_GONE: 410,
    # the outbox
    Refusal.PAYLOAD_GONE: 410,
    Refusal.TOKEN_GONE: 410,
    # mail
    Refusal.ADDRESS_INVALID: 400,
    Refusal.CONSENT_MISSING: 422,
    Refusal.CONSENT_INVALID: 422,
    Refusal.RECIPIENT_STOPPED: 409,
    Refusal.FILE_INVALID: 422,
    Refusal.IMPORT_OVER: 409,
    Refusal.TEMPLATE_INVALID: 422,
    Refusal.CONTENT_TOO_LARGE: 413,
    Refusal.CHARACTERS_LACKING: 422,
    Refusal.DISPLAY_ITEM_MISSING: 422,
    Refusal.ATTACHMENT_INVALID: 422,
    Refusal.HEADER_INVALID: 422,
    Refusal.VALUE_MISSING: 422,
    Refusal.VALUE_UNWRITABLE: 422,
    Refusal.VALUE_TOO_LONG: 422,
    Refusal.LAW_UNCONFIRMED: 409,
    Refusal.MAIL_UNCHECKED: 409,
    Refusal.MAIL_UNALIGNED: 409,
    Refusal.CAMPAIGN_STATE: 409,
    Refusal.EXPORT_FORBIDDEN: 403,
    Refusal.SENDS_HALTED: 409,
    Refusal.TOO_MANY_TRIALS: 429,
    Refusal.TOO_MANY_PREVIEWS: 429,
    # mail that comes in, where no HTTP is
    Refusal.MAILBOX_UNKNOWN: 404,
    Refusal.TAG_FORGED: 403,
    Refusal.TAG_EXPIRED: 410,
    Refusal.NOT_A_REPORT: 400,
    Refusal.AUTOMATIC_MAIL: 400,
    Refusal.NOT_EMPTY: 400,
    Refusal.SENDER_UNCLEAR: 400,
    Refusal.BARE_NEWLINE: 400,
    Refusal.LINE_TOO_LONG: 400,
    Refusal.TOO_MANY_CONNECTIONS: 429,
    Refusal.TOO_MANY_COMMANDS: 429,
    Refusal.TOO_MANY_RECIPIENTS: 400,
    Refusal.TOO_SILENT: 408,
}
"""What a stranger sees of each refusal."""

_NONE: Mapping[str, str] = {}

_SMALL = 65_536  # bytes of a body that are always taken

_CUT_SECONDS = 0.2
"""What a request that was not finished in time still gets to notice its end."""


class Limits:
    """What a client may take, in seconds and connections; sizes are the routes' own."""

    def __init__(
        self,
        *,
        header_seconds: float = 10,
        body_seconds: float = 10,
        idle_seconds: float = 75,
        linger_seconds: float = 1,
        connections: int = 10_000,
        large_bytes: int = 64 << 20,
    ) -> None:
        self.header_seconds = header_seconds
        self.body_seconds = body_seconds
        self.idle_seconds = idle_seconds
        self.linger_seconds = linger_seconds  # for the rest of a body that was refused
        self.connections = connections
        self.large_bytes = large_bytes
        """Bytes that bodies on their way may take together, beyond the first 64 KiB of each: who
        a body is from, nobody knows until it is here."""


class _Connection(RequestHandler):
    """A connection that ends where its first request does not come in time.

    aiohttp limits only the idle time; a client that sends a header a byte a minute would stay.
    """

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        server = self._manager
        assert isinstance(server, _Server)  # noqa: S101 - made by it
        if server.is_full:
            self.force_close()
            return
        self._loop.call_later(server.limits.header_seconds, self._still_nothing)

    @property
    def is_busy(self) -> bool:
        """Whether a request was read that is not answered yet."""
        return self._request_in_progress or bool(self._messages)

    def _still_nothing(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP. aiohttp itself would quote it, in the answer and in the log."""
        if request.writer.output_size > 0:
            raise ConnectionError("it was answered before")
        server = self._manager
        assert isinstance(server, _Server)  # noqa: S101 - made by it
        self.logger.debug("not HTTP: %s", type(exc).__name__)
        request_id = server.new_id()
        answer = problem(status, "not_http", "", request_id)
        return Written(answer, request_id, closing=True).as_response()


class _Server(web.Server):
    def __init__(
        self, handler: Any, limits: Limits, new_id: Callable[[], str], **kwargs: Any
    ) -> None:
        super().__init__(handler, **kwargs)
        self.limits = limits
        self.new_id = new_id

    @property
    def is_full(self) -> bool:
        """Whether there are more connections than may be."""
        return len(self._connections) > self.limits.connections

    @property
    def is_busy(self) -> bool:
        """Whether a request was read that is not answered yet."""
        return any(c.is_busy for c in self._connections if isinstance(c, _Connection))

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Listener:
    """One address that serves ``routes``; started and stopped by whoever wires the process."""

    def __init__(
        self,
        address: tuple[str, int],
        routes: Sequence[Route],
        *,
        observer: Observer,
        clock: Clock,
        log: Any,
        limits: Limits | None = None,
    ) -> None:
        self._address = address
        self._router = Router(routes)
        self._exact = self._router.exact
        self._observer = observer
        self._clock = clock
        self._log = log
        self._limits = limits or Limits()
        self._ids = count()
        self._id_prefix = os.urandom(4).hex()
        self._draining = False
        self._large = 0  # bytes of bodies on their way, beyond the small ones
        self._server: _Server | None = None
        self._runner: web.ServerRunner | None = None
        self._site: web.SockSite | None = None

    async def start(self) -> None:
        """Bind and accept.

        Raises:
            OSError: the address is in use, or not ours.
        """
        self._server = _Server(
            self._handle,
            self._limits,
            self._new_id,
            access_log=None,
            keepalive_timeout=self._limits.idle_seconds,
            lingering_time=self._limits.linger_seconds,
            auto_decompress=False,  # a small body must not unpack to a large one
            logger=self._log,
        )
        self._runner = web.ServerRunner(self._server)
        await self._runner.setup()
        self._site = web.SockSite(self._runner, _bound(self._address), backlog=1024)
        await self._site.start()

    @property
    def port(self) -> int:
        """The port bound to, which differs from the one asked for where that was 0."""
        assert self._runner is not None  # noqa: S101 - started
        return int(self._runner.addresses[0][1])

    @property
    def held_bytes(self) -> int:
        """What large bodies on their way take, beyond what is always taken of each."""
        return self._large

    async def stop(self, seconds: float) -> None:
        """Stop accepting, finish within ``seconds`` the requests that were begun, close."""
        runner, self._runner = self._runner, None
        if runner is None or self._site is None:
            return
        await self._site.stop()
        self._draining = True
        # aiohttp's own shutdown drops what still comes of a body, so it gets the rest alone.
        await self._finish(seconds)
        runner._shutdown_timeout = _CUT_SECONDS
        await runner.cleanup()

    async def _finish(self, seconds: float) -> None:
        assert self._server is not None  # noqa: S101 - started
        look = 0.02
        for _ in range(int(seconds / look)):
            await asyncio.sleep(look)  # connections do not tell when they are done
            if not self._server.is_busy:
                return

    def _new_id(self) -> str:
        return f"{self._id_prefix}-{next(self._ids)}"

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        started = time.perf_counter()
        received_at = self._clock()
        path, _, query = http.raw_path.partition("?")
        request_id = self._new_id()
        route = self._exact.get((http.method, path))
        parameters: Mapping[str, str] = _NONE
        try:
            if route is None:
                route, parameters = self._router.match(http.method, path)
            content = http.content
            pieces = None
            if route.streams:
                pieces = pieces_of(http, route.max_body, self._limits.body_seconds)
                body = b""
            elif content.is_eof():
                body = content.read_nowait()
                if len(body) > route.max_body:
                    raise Refused(Refusal.BODY_TOO_LARGE)
            else:
                body = await self._read_slowly(http, route.max_body)
            request = Request(
                http.method,
                path,
                query,
                http.headers,
                body,
                received_at,
                request_id,
                parameters,
                pieces,
                http.remote or "",
            )
            answer = await route.handler(request)
        except Exception as error:  # noqa: BLE001 - whatever failed, the client gets an answer
            answer = self._answer_error(error, route, request_id)
        if route is not None:
            seconds = time.perf_counter() - started
            self._observer.webhook(route.provider, route.name, answer.status, seconds)
        return Written(answer, request_id, closing=self._draining).as_response()

    async def _read_slowly(self, http: web.BaseRequest, most: int) -> bytes:
        """A body that is not here yet; ends at its limits of size and time."""
        if (http.content_length or 0) > most:
            raise Refused(Refusal.BODY_TOO_LARGE)
        parts, size, large = [], 0, 0
        try:
            if http.headers.get("Expect", "").lower() == "100-continue":
                await http.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            async with asyncio.timeout(self._limits.body_seconds):
                while chunk := await http.content.readany():
                    parts.append(chunk)
                    size += len(chunk)
                    if size > most:
                        raise Refused(Refusal.BODY_TOO_LARGE)
                    more = max(0, size - _SMALL) - large
                    large, self._large = large + more, self._large + more
                    if self._large > self._limits.large_bytes:
                        raise Refused(Refusal.BODY_TOO_LARGE, "too many are on their way: later")
        except (TimeoutError, ConnectionError):
            raise Refused(Refusal.BODY_TOO_SLOW) from None  # or it never comes: the client left
        finally:
            self._large -= large
        return b"".join(parts)

    def _answer_error(self, error: Exception, route: Route | None, request_id: str) -> Answer:
        provider, name = (route.provider, route.name) if route else ("none", "none")
        if isinstance(error, Refused):
            self._observer.refused(provider, name, error.reason)
            status = STATUS_OF[error.reason]
            return problem(status, error.reason, error.detail, request_id, _headers_of(error))
        if isinstance(error, Transient | Permanent):
            self._log.error("request failed", route=name, reason=error.reason, request=request_id)
            return problem(503, error.reason, "", request_id, {"Retry-After": "1"})
        self._log.error(
            "request failed",
            route=name,
            error=type(error).__name__,
            request=request_id,
            exc_info=error,
        )
        return problem(500, "internal_error", "", request_id)


def _headers_of(error: Refused) -> Mapping[str, str]:
    """The headers that a refusal's status asks for."""
    if error.reason is Refusal.METHOD_NOT_ALLOWED:
        return {"Allow": error.detail}
    if error.reason is Refusal.UNAUTHENTICATED:
        return {"WWW-Authenticate": "Bearer"}
    if error.reason is Refusal.UNKNOWN_BEARER:
        return {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # RFC 6750, section 3
    return _NONE


class _Silent:
    """An observer for listeners whose requests are counted nowhere."""

    def observe(self, facts: Sequence[Fact]) -> None:
        pass

    def webhook(self, provider: str, route: str, status: int, seconds: float) -> None:
        pass

    def refused(self, provider: str, route: str, reason: str) -> None:
        pass

    def spooled(self, provider: str, route: str, reason: str) -> None:
        pass

    def batch(self, units: int, seconds: float) -> None:
        pass


SILENT: Observer = _Silent()


def _bound(address: tuple[str, int]) -> socket.socket:
    """A listening socket; one that reuses the address, so that a restart need not wait."""
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise OSError(f"cannot listen on {where}: {error.strerror}") from error
    return sock
