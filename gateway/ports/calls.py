"""Calls in the store."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

from gateway.domain.calls import Call, Event, Outcome, Result, State
from gateway.domain.values import Reply, Scope


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

    def get(self, scope: Scope, call: int) -> History | None:
        """What is held of the call with this id, locked; ``None`` where the scope has none."""

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


class CallSearch(msgspec.Struct, frozen=True):
    """Which calls are looked for; ``None`` looks for all."""

    since: int | None = None
    """Received at this instant (microseconds) or later."""
    until: int | None = None
    """Received before this instant."""
    number: str | None = None
    """The tracked number."""
    state: State | None = None
    result: Result | None = None
    newest_first: bool = False


Grouping = Literal["advertiser", "medium", "number", "hour", "day"]
"""What calls are counted by: ``hour`` is that of the day, both end in Asia/Tokyo."""


class CallCount(msgspec.Struct, frozen=True):
    """How many calls of one group ended alike, and their seconds."""

    group: str | int
    """The advertiser, medium or number; the hour (0 to 23); the day (days since 1970)."""
    result: Result | None
    """``None`` for calls that have not ended."""
    outcome: Outcome
    calls: int
    ring_seconds: int
    talk_seconds: int


class CallReading(Protocol):
    """Calls, read beside the writer; ``connection`` is what :class:`gateway.ports.reading.Reads`
    hands in.
    """

    def search(
        self, connection: Any, scope: Scope, search: CallSearch, *, after: int | None, limit: int
    ) -> list[CallRecord]:
        """At most ``limit`` calls behind the id ``after``, in the order of their ids."""

    def one(self, connection: Any, scope: Scope, call: int) -> CallRecord | None:
        """The call with this id; ``None`` where the scope has none."""

    def count(
        self,
        connection: Any,
        scope: Scope,
        by: Grouping,
        search: CallSearch,
        *,
        after: str | int | None,
        limit: int,
    ) -> list[CallCount]:
        """The calls of at least ``limit`` groups behind the group ``after``, in their order."""
