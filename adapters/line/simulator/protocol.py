"""What a request and an answer of the platform's API are, and how it says no.

Sources: "Common specifications" and "Error responses" of the Messaging API reference.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multidict import MultiMapping

    from adapters.line.simulator.channel import Channel
    from adapters.line.simulator.platform import Platform

Json = dict[str, Any]

MOST_BYTES = 2 * 1024 * 1024
"""The largest body that the API takes."""

HOUR = 3600
MINUTE = 60


@dataclass(frozen=True)
class Fault:
    """One ``details`` entry of an error: what is wrong with which property."""

    message: str
    property: str


class Wrong(Exception):
    """The platform refuses: ``status``, the error's JSON, and headers beside it."""

    def __init__(
        self,
        status: int,
        message: str,
        details: Sequence[Fault] = (),
        *,
        headers: Mapping[str, str] | None = None,
        more: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body: Json = {"message": message}
        if details:
            self.body["details"] = [
                {"message": fault.message, "property": fault.property} for fault in details
            ]
        self.body |= more or {}


def refuse_faults(faults: Sequence[Fault]) -> None:
    """Raise the 400 that lists ``faults``, if there are any."""
    if faults:
        raise Wrong(400, f"The request body has {len(faults)} error(s)", faults)


@dataclass(frozen=True)
class Answer:
    """What a handler answers: JSON, or bytes of a content type."""

    body: Json | bytes = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def payload(self) -> bytes:
        """The body's bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, ensure_ascii=False).encode("utf-8", "backslashreplace")


DONE = Answer()
"""200 and an empty object."""


@dataclass
class Call:
    """One request of a bot, as its handler sees it."""

    platform: "Platform"
    path: str
    args: tuple[str, ...]
    """The variable parts of the path, in their order."""
    query: "MultiMapping[str]"
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    now: int
    """The platform's time of the request (microseconds)."""
    retry_key: str | None = None
    bot: "Channel | None" = None

    @property
    def channel(self) -> "Channel":
        """Whose access token the request bears; only routes that ask for one may look."""
        assert self.bot is not None  # noqa: S101 - the platform lets nobody else in
        return self.bot

    def json(self) -> Json:
        """The body as an object; raises :class:`Wrong` as the platform would."""
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Wrong(415, f"The content type, {kind or 'null'}, is not supported")
        try:
            value = json.loads(self.body)
        except json.JSONDecodeError as error:
            raise Wrong(
                400,
                "The request body could not be parsed as JSON "
                f"(line: {error.lineno}, column: {error.colno})",
            ) from None
        except (ValueError, RecursionError):  # no UTF-8, an absurd number, or far too deep
            raise Wrong(
                400, "The request body could not be parsed as JSON (line: 1, column: 1)"
            ) from None
        if not isinstance(value, dict):
            raise Wrong(400, "The request body could not be parsed as JSON (line: 1, column: 1)")
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number of the query within its bounds."""
        text = self.query.get(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise invalid(name, f"must be between {least} and {most}")
        return int(text)


def invalid(name: str, why: str) -> Wrong:
    """The 400 for one parameter ``name``."""
    return Wrong(400, "The request body has 1 error(s)", [Fault(why, name)])


def inner(body: Json, name: str) -> Json:
    """The object ``body[name]``, an empty one where there is none; raises the 400."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(name, "must be an object")
    return value


Handler = Callable[[Call], Answer | Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """One endpoint: ``{}`` stands for a variable part of ``path``."""

    method: str
    path: str
    handler: Handler
    limit: tuple[int, int] = (2000, 1)
    """Requests a channel may make, and the seconds within which."""
    retryable: bool = False
    """Whether X-Line-Retry-Key is taken here; elsewhere it is refused."""
    open: bool = False
    """Whether the endpoint asks for no access token."""
    most_bytes: int = MOST_BYTES


def page(items: Sequence[str], start: str | None, size: int) -> tuple[list[str], str | None]:
    """``size`` of ``items`` from the continuation token ``start`` on, and the next token."""
    if start is not None and not (start.startswith("next") and start[4:].isdigit()):
        raise invalid("start", "invalid continuation token")
    first = int(start[4:]) if start else 0
    later = first + size
    return list(items[first:later]), f"next{later}" if later < len(items) else None
