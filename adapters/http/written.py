"""How an answer is written."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from pathlib import Path
from typing import cast

from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.web_protocol import RequestHandler

from gateway.ports import Answer

_PIECE_BYTES = 256 * 1024
"""So much of a file is in memory at once."""

_STALLED_SECONDS = 60.0
"""A client that has not taken a piece by then is let go."""


class Written:
    """An answer as aiohttp's server takes it: prepared, then written. A body goes out in one piece
    with its head, a file or what is made on the way piece by piece, so that little of it is in
    memory.

    What ``web.Response`` can do beside that (cookies, compression, ranges) is not
    needed, and costs a fifth of the bare request.
    """

    __slots__ = ("_answer", "_closing", "_http", "_request_id", "keep_alive")

    def __init__(self, answer: Answer, request_id: str, *, closing: bool) -> None:
        self._answer = answer
        self._request_id = request_id
        self._closing = closing
        self._http: web.BaseRequest | None = None
        self.keep_alive: bool | None = None

    def as_response(self) -> web.StreamResponse:
        """Itself, as aiohttp's types want it."""
        return cast("web.StreamResponse", self)

    async def prepare(self, http: web.BaseRequest) -> None:
        """What it answers; nothing is written yet."""
        self._http = http
        self.keep_alive = http.keep_alive and not self._closing

    async def write_eof(self) -> None:
        """Write all of it.

        Raises:
            ConnectionError: the client went away, or the file did.
        """
        http = self._http
        transport = None if http is None else http.transport
        if http is None or transport is None:
            raise ConnectionResetError("the client went away")
        if self._answer.file is not None:
            await self._write_file(http, self._answer.file)
            return
        if self._answer.pieces is not None:
            await self._write_pieces(http, self._answer.pieces)
            return
        body = self._answer.body
        transport.write(
            self._head(self._length(len(body))) + (b"" if http.method == "HEAD" else body)
        )
        if http.protocol._paused:
            # Who sends on and reads nothing must not fill our memory with answers.
            await _drained(http.protocol, transport)

    async def _write_file(self, http: web.BaseRequest, path: Path) -> None:
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except FileNotFoundError:  # it was taken away since it was looked for
            raise ConnectionResetError("the file is gone") from None
        with file:
            left = os.fstat(file.fileno()).st_size
            piece = self._head(self._length(left))
            while True:
                await self._send(http, piece)
                if not left or http.method == "HEAD":
                    return
                piece = await asyncio.to_thread(file.read, min(left, _PIECE_BYTES))
                if not piece:
                    raise ConnectionResetError("the file was cut")
                left -= len(piece)

    async def _write_pieces(
        self, http: web.BaseRequest, pieces: AsyncGenerator[bytes, None]
    ) -> None:
        """Chunked (RFC 9112, section 7.1); to a client of HTTP/1.0, until the connection ends."""
        is_chunked = http.version >= HttpVersion11
        self.keep_alive = self.keep_alive and is_chunked
        head = self._head("Transfer-Encoding: chunked\r\n" if is_chunked else "")
        async with aclosing(pieces):
            async for piece in pieces:
                framed = b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece
                await self._send(http, head + framed)
                head = b""
        await self._send(http, head + (b"0\r\n\r\n" if is_chunked else b""))

    async def _send(self, http: web.BaseRequest, data: bytes) -> None:
        transport = http.transport
        if transport is None:
            raise ConnectionResetError("the client went away")
        transport.write(data)
        await _drained(http.protocol, transport)

    def _length(self, length: int) -> str:
        # RFC 9110, section 8.6: an answer without content tells no length.
        return "" if self._answer.status == 204 else f"Content-Length: {length}\r\n"

    def _head(self, framing: str) -> bytes:
        answer = self._answer
        further = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        head = (
            f"HTTP/1.1 {answer.status} {_PHRASES[answer.status]}\r\n"
            f"Content-Type: {answer.content_type}\r\n"
            f"{framing}Date: {rfc822_formatted_time()}\r\n"
            f"X-Request-Id: {self._request_id}\r\n"
            f"{further}{'' if self.keep_alive else _CLOSE}\r\n"
        )
        return head.encode()


async def _drained(protocol: RequestHandler, transport: asyncio.Transport) -> None:
    try:
        async with asyncio.timeout(_STALLED_SECONDS):
            await protocol._drain_helper()
    except TimeoutError:
        transport.abort()  # what it has not read would keep the connection open
        raise ConnectionResetError("the client takes nothing") from None


_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_CLOSE = "Connection: close\r\n"
