"""What the use-cases and the edge need from the world, worded by those who consume it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Protocol, TypeVar

import msgspec

from gateway.domain.calls import Call, Event, Fact
from gateway.domain.routing import TrackedNumber
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import Reply, Scope

R = TypeVar("R")

Clock = Callable[[], int]
"""Our own time in microseconds; taken once, on receipt."""


# --- the store ---


class History(msgspec.Struct):
    """What the store holds of one call: the call once its webhook came, and all its events."""

    key: tuple[str, str]
    id: int
    call: Call | None = None
    events: list[Event] = []
    replies: dict[tuple[str, str, int], str] = {}
    """The stored reply of each event, by the event's key."""
    is_new: bool = True
    """Whether the store held nothing of this call before the transaction."""


class CallRecord(msgspec.Struct, frozen=True):
    """A call as people and programs read it."""

    call: Call
    events: list[Event]
    repeat: bool | None
    """Whether the caller had called this advertiser before; ``None`` for withheld callers and
    calls that are not settled."""


class Calls(Protocol):
    """Calls and their events."""

    def find(self, scope: Scope, key: tuple[str, str], new_id: int) -> History:
        """What is held of the call ``key`` (provider, its id); empty under ``new_id`` if new."""

    def keep(self, scope: Scope, history: History, event: Event, reply: Reply, raw: str) -> None:
        """Keep a new event with its reply and raw parameters."""

    def save(self, scope: Scope, history: History, call: Call) -> None:
        """Keep the state of a call; at its settlement its caller is remembered for repeats."""

    def due(self, scope: Scope, now: int, limit: int) -> Sequence[History]:
        """Calls whose ``due_at`` has passed, the longest due first, locked."""

    def forget(self, scope: Scope, what: str, before: int, limit: int) -> int:
        """Delete what came before an instant, at most ``limit`` rows; returns how many went.

        ``what`` is ``unknown`` (events without a call), ``payloads``, ``keys`` or ``calls``.
        """


class Routes(Protocol):
    """The tracked numbers as of this transaction."""

    def find(self, scope: Scope, number: str) -> TrackedNumber | None:
        """The route of ``number``, or ``None`` where it is not provisioned."""


class Provisioning(Protocol):
    """Advertisers and tracked numbers, as provisioning files write them."""

    def version(self, scope: Scope) -> int:
        """The version that the last ``apply`` left."""

    def everything(self, scope: Scope) -> tuple[dict[str, Advertiser], dict[str, TrackedNumber]]:
        """All advertisers by id and all numbers."""

    def write(
        self,
        scope: Scope,
        advertisers: Sequence[Advertiser],
        numbers: Sequence[TrackedNumber],
        removed: Sequence[Advertiser | TrackedNumber],
    ) -> int:
        """Write what changed and take away what is ``removed``; returns the new version."""


class Transaction(Protocol):
    """What a use-case works on. It is committed, or nothing of it is kept."""

    @property
    def calls(self) -> Calls:
        """Calls and their events."""

    @property
    def routes(self) -> Routes:
        """The tracked numbers."""

    @property
    def provisioning(self) -> Provisioning:
        """Advertisers and tracked numbers, for ``apply``."""


class Lane(IntEnum):
    """Which queue of the writer a unit waits in."""

    WEBHOOK = 0
    BACKGROUND = 1
    """At most one a commit, after the webhooks."""


UseCase = Callable[[Transaction, Any], tuple[R, Sequence[Fact]]]


class Store(Protocol):
    """Where facts are kept before they are answered."""

    async def run(self, use_case: UseCase[R], argument: Any, lane: Lane = Lane.WEBHOOK) -> R:
        """Run ``use_case`` in the next transaction and return its reply once that is durable.

        Raises:
            Refused: as the use-case did; nothing was written.
            Transient: the store could not take it in time, or is away.
            Permanent: the unit failed alone, too.
        """

    def route(self, number: str) -> TrackedNumber | None:
        """The route of ``number`` from the cache; for the time the store is away.

        Raises:
            Transient: no routes were ever loaded.
        """


class Spool(Protocol):
    """Where events wait while the store is away."""

    async def append(self, kind: str, record: bytes) -> None:
        """Keep ``record`` durably.

        Raises:
            Permanent: the spool refuses, too (full, or its disk fails).
        """


class Observer(Protocol):
    """Whoever counts. Nothing it does can fail a call."""

    def observe(self, facts: Sequence[Fact]) -> None:
        """Facts of committed transactions."""

    def webhook(self, provider: str, route: str, status: int, seconds: float) -> None:
        """A webhook was answered."""

    def refused(self, provider: str, route: str, reason: str) -> None:
        """A request was refused, with one of the closed reasons."""

    def spooled(self, provider: str, route: str, reason: str) -> None:
        """An event went to the spool, with the trouble that sent it there."""

    def batch(self, units: int, seconds: float) -> None:
        """A transaction of ``units`` took ``seconds`` to its commit."""


# --- the HTTP edge ---


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


class Answer(msgspec.Struct, frozen=True):
    """What a handler answers."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = {}


class Route(msgspec.Struct, frozen=True):
    """One path of a listener. A handler refuses by raising :class:`gateway.errors.Refused`."""

    method: str
    path: str
    handler: Callable[[Request], Awaitable[Answer]]
    provider: str
    name: str
    """With ``provider``, the labels of its metrics."""
    max_body: int = 65_536
