"""The HTTP edge: what a listener hands to a handler, and what comes back."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec


class Headers(Protocol):
    """The headers of a request; a name is found in any case."""

    def get(self, name: str, /) -> str | None:
        """The first value of ``name``."""

    def getall(self, name: str, default: Sequence[str], /) -> Sequence[str]:
        """Every value of ``name``, since a header may come more than once."""


class Request(msgspec.Struct, frozen=True):
    """A request whose body has been read within its limits."""

    method: str
    path: str
    query: str
    """As it came, without the question mark."""
    headers: Headers
    body: bytes
    received_at: int
    id: str
    parameters: Mapping[str, str] = {}
    """The values of the ``{name}`` segments of the route's path, percent-decoded."""
    pieces: AsyncIterator[bytes] | None = None
    """The body as it arrives, where the route streams: :attr:`body` is empty then. Reading it
    raises :class:`gateway.errors.Refused` where it is too large, or comes too slowly."""
    peer: str = ""
    """The address at the other end of the connection: the proxy's, where there is one."""


class Answer(msgspec.Struct, frozen=True):
    """What a handler answers."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = {}
    file: Path | None = None
    """Sent in the body's place, in pieces: it may be larger than what memory is to hold."""
    pieces: AsyncGenerator[bytes, None] | None = None
    """Sent in the body's place as they are made; none is empty."""


class Route(msgspec.Struct, frozen=True):
    """One path of a listener. A handler refuses by raising :class:`gateway.errors.Refused`."""

    method: str
    path: str
    """Exact, or with segments ``{name}`` that stand for any one segment."""
    handler: Callable[[Request], Awaitable[Answer]]
    provider: str
    name: str
    """With ``provider``, the labels of its metrics."""
    max_body: int = 65_536
    streams: bool = False
    """Whether the handler reads the body by itself, once it knows whose it is."""
