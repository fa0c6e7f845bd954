"""A body that is too large to be held: read as it comes, by whoever asked for it."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from gateway.errors import Refusal, Refused

MOST_SECONDS = 900.0
"""For a whole body, however steadily it comes."""


async def pieces_of(http: web.BaseRequest, most: int, seconds: float) -> AsyncIterator[bytes]:
    """The pieces of a body of at most ``most`` bytes, none of which is longer in coming than
    ``seconds``. Nothing is read before the first one is asked for.

    Raises:
        Refused: it is too large, or it stops coming.
    """
    if (http.content_length or 0) > most:
        raise Refused(Refusal.BODY_TOO_LARGE)
    if http.headers.get("Expect", "").lower() == "100-continue":
        await http.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    loop = asyncio.get_running_loop()
    ends_at, size = loop.time() + MOST_SECONDS, 0
    while True:
        try:
            async with asyncio.timeout_at(min(ends_at, loop.time() + seconds)):
                piece = await http.content.readany()
        except (TimeoutError, ConnectionError):
            raise Refused(Refusal.BODY_TOO_SLOW) from None  # or it never comes: the client left
        if not piece:
            return
        size += len(piece)
        if size > most:
            raise Refused(Refusal.BODY_TOO_LARGE)
        yield piece
