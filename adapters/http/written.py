"""How an answer is written."""

import asyncio
import os
from http import HTTPStatus
from pathlib import Path
from typing import cast

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time

from gateway.ports import Answer

_PIECE_BYTES = 256 * 1024
"""So much of a file is in memory at once."""


class Written:
    """An answer as aiohttp's server takes it: prepared, then written. A body goes out in one piece
    with its head, a file piece by piece, so that little of it is in memory.

    What ``web.Response`` can do beside that (cookies, compression, ranges, chunked coding) is not
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
        body = self._answer.body
        transport.write(self._head(len(body)) + (b"" if http.method == "HEAD" else body))
        if http.protocol._paused:
            # Who sends on and reads nothing must not fill our memory with answers.
            await http.protocol._drain_helper()

    async def _write_file(self, http: web.BaseRequest, path: Path) -> None:
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except FileNotFoundError:  # it was taken away since it was looked for
            raise ConnectionResetError("the file is gone") from None
        with file:
            left = os.fstat(file.fileno()).st_size
            piece = self._head(left)
            while True:
                transport = http.transport
                if transport is None:
                    raise ConnectionResetError("the client went away")
                transport.write(piece)
                await http.protocol._drain_helper()
                if not left or http.method == "HEAD":
                    return
                piece = await asyncio.to_thread(file.read, min(left, _PIECE_BYTES))
                if not piece:
                    raise ConnectionResetError("the file was cut")
                left -= len(piece)

    def _head(self, length: int) -> bytes:
        answer = self._answer
        # RFC 9110, section 8.6: an answer without content tells no length.
        told = "" if answer.status == 204 else f"Content-Length: {length}\r\n"
        further = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        head = (
            f"HTTP/1.1 {answer.status} {_PHRASES[answer.status]}\r\n"
            f"Content-Type: {answer.content_type}\r\n"
            f"{told}Date: {rfc822_formatted_time()}\r\n"
            f"X-Request-Id: {self._request_id}\r\n"
            f"{further}{'' if self.keep_alive else _CLOSE}\r\n"
        )
        return head.encode()


_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_CLOSE = "Connection: close\r\n"
