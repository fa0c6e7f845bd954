"""Pushes, their recipients, who stopped them, and steps, in the store."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from gateway.domain.pushes import Push, StepRun
from gateway.domain.values import Scope

RecipientState = Literal[
    "fixed",
    "handed",
    "sent",
    "refused",
    "unknown",
    "taken_back",
    "stopped",
    "blocked",
    "over_quota",
]
"""``fixed``: their batch was not handed out (yet)."""


class Recipient(msgspec.Struct, frozen=True):
    """Somebody whom a batch is for, as they are now."""

    friend: int
    user: str
    can_receive: bool
    has_stopped: bool


class Sent(msgspec.Struct, frozen=True):
    """What became of an effect."""

    state: str
    """See :data:`gateway.domain.effects.State`."""
    request: str
    """The platform's id of the request; empty until it is accepted."""
    reserved: str = ""
    """The month in which it is promised, as far as that is still known."""
    error: str = ""
    """What kept it from being sent."""


class StepDue(msgspec.Struct, frozen=True):
    """A run whose next step is due, with whom it is for."""

    run: StepRun
    to: Recipient


class PushRows(Protocol):
    """Pushes."""

    def add(self, scope: Scope, push: Push) -> None:
        """Keep a new push."""

    def find(self, scope: Scope, push: int) -> Push | None:
        """A push, locked."""

    def due(self, scope: Scope, now: int) -> Push | None:
        """The one that has been due the longest, locked; none that another process works on."""

    def save(self, scope: Scope, push: Push) -> None:
        """Keep a push that changed."""

    def effects(self, scope: Scope, keys: Sequence[str]) -> Mapping[str, Sent]:
        """What became of effects, by their keys; those that are not there are left out."""

    def use_unit(self, scope: Scope, push: Push, month: str, most: int) -> bool:
        """Count the push's aggregation unit among the channel's of a month (``2026-11``); whether
        it is one of at most ``most``.
        """


class Recipients(Protocol):
    """Who gets a push."""

    def fix(self, scope: Scope, push: int, batch: int, friends: Sequence[int]) -> None:
        """Add recipients to a batch."""

    def of(self, scope: Scope, push: int, batch: int, state: RecipientState) -> Sequence[Recipient]:
        """The recipients of a batch that are in a state, by id."""

    def standing(self, scope: Scope, channel: str, users: Sequence[str]) -> Sequence[Recipient]:
        """Users and groups of a channel as they are now, as far as they are known, by id."""

    def mark(
        self, scope: Scope, push: int, batch: int, state: RecipientState, friends: Sequence[int]
    ) -> int:
        """Put recipients of a batch into a state, those who were fixed or handed out: what came of
        the others is known. Returns how many they were.
        """

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """Delete recipients of pushes made before an instant, at most ``limit``; returns how many
        went.
        """


class PushStops(Protocol):
    """Friends who do not want pushes."""

    def has_stopped(self, scope: Scope, friend: int) -> bool:
        """Whether a friend stopped them."""

    def stop(
        self, scope: Scope, friend: int, advertiser: str, channel: str, at: int, source: str
    ) -> bool:
        """No more pushes for a friend; whether that is new."""

    def start(self, scope: Scope, friend: int) -> bool:
        """Pushes for a friend again; whether they had been stopped."""

    def any_of(self, scope: Scope, channel: str) -> bool:
        """Whether any friend of a channel stopped them."""


class Steps(Protocol):
    """Series on their way to friends."""

    def find(self, scope: Scope, series: str, friend: int) -> StepRun | None:
        """The run of a series for a friend, locked."""

    def running(self, scope: Scope, friend: int) -> Sequence[StepRun]:
        """The runs for a friend that are not over, locked."""

    def due(self, scope: Scope, now: int, limit: int) -> Sequence[StepDue]:
        """Runs whose step is due, the longest due first, locked; none that another process has."""

    def save(self, scope: Scope, runs: Sequence[StepRun]) -> None:
        """Keep runs, new or changed."""


class Pushes(PushRows, Protocol):
    """Pushes as a room of a transaction."""

    @property
    def recipients(self) -> Recipients:
        """Who gets them."""

    @property
    def stops(self) -> PushStops:
        """Who does not want them."""

    @property
    def steps(self) -> Steps:
        """Series of steps."""


class PushReading(Protocol):
    """The same beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands in."""

    def is_due(self, connection: Any, now: int) -> tuple[bool, bool]:
        """Whether a push is due, and whether a step is."""

    def one(self, connection: Any, scope: Scope, push: int) -> Push | None:
        """A push."""

    def page(
        self, connection: Any, scope: Scope, *, channel: str | None, after: int, limit: int
    ) -> Sequence[Push]:
        """Pushes of one channel or of all, by id, with ids beyond ``after``."""

    def runs(self, connection: Any, scope: Scope, friend: int) -> Sequence[StepRun]:
        """The runs of series for a friend, by series."""

    def stopped_at(self, connection: Any, scope: Scope, friend: int) -> int | None:
        """When a friend stopped pushes; ``None`` if they did not."""

    def narrowcasts(self, connection: Any, since: int) -> Sequence[Push]:
        """Narrowcasts that were accepted, begun at ``since`` or later, whose end is not known."""
