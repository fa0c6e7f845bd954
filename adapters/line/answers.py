"""What the platform, or anybody else, answers: asked for as it is, and read within a bound.

Whoever is asked may be broken, or somebody else. A body that never ends, or a small one that
unpacks to a large one, must not become memory: nothing is unpacked, and a reading has an end.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp

MOST_BYTES = 65_536
"""Of an answer. What LINE says to a send, a token or an ID token has a few hundred."""


class TooLong(aiohttp.ClientPayloadError):
    """An answer goes on beyond its bound; to whoever reads it, one that did not come whole."""


def asking(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    data: Any = None,
    timeout: aiohttp.ClientTimeout,
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    """A request whose answer comes as it is: from nowhere else, and not packed."""
    return session.request(
        method,
        url,
        headers={"Accept-Encoding": "identity", **(headers or {})},
        data=data,
        timeout=timeout,
        allow_redirects=False,
        auto_decompress=False,  # of whoever packs it all the same
    )


async def read_answer(response: aiohttp.ClientResponse, most: int = MOST_BYTES) -> bytes:
    """The body of an answer, of at most ``most`` bytes.

    Raises:
        TooLong: there is more; the connection is closed.
        aiohttp.ClientError, OSError: it did not come whole, or not in time.
    """
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > most:
            response.close()
            raise TooLong("an answer is too long")
    return bytes(body)
