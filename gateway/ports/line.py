"""LINE's friends and events in the store."""

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from gateway.domain.line.events import Event
from gateway.domain.line.friends import Friend
from gateway.domain.values import Scope

MOST_ANEW = 32
"""Messages of a friend that are decided anew at most, where an earlier one comes late."""


class Kept(msgspec.Struct, frozen=True):
    """An event as the store holds it; the fields are the columns, in their order."""

    id: int
    channel: str
    event: str
    advertiser: str
    friend: int
    at: int
    received_at: int
    kind: str
    message_id: str
    body: str


class Happenings(Protocol):
    """What friends did."""

    def is_known(self, scope: Scope, channel: str, event: str) -> bool:
        """Whether an event (by its webhookEventId) of a loaded body was kept before."""

    def is_unsent(self, scope: Scope, channel: str, event: Event) -> bool:
        """Whether the message of ``event``, of a loaded body, was taken back before it came."""

    def keep(self, scope: Scope, kept: Kept) -> None:
        """Keep a new event."""

    def blank(self, scope: Scope, friend: int, message_id: str) -> None:
        """Take the content of a message away; its id and time stay."""

    def messages(self, scope: Scope, friend: int, begin: int, before: int) -> Sequence[Kept]:
        """What a friend said from an instant on and before another, as far as it is still there;
        the latest :data:`MOST_ANEW`, in order.
        """

    def forget(self, scope: Scope, what: str, before: int, limit: int) -> int:
        """Clear what came before an instant, at most ``limit`` rows; returns how many.

        ``what`` is ``line-texts`` (the contents of events) or ``line-events``.
        """


class Friends(Protocol):
    """Who follows channels."""

    def friend(self, scope: Scope, channel: str, user: str) -> Friend | None:
        """A friend, or a group; locked until the end of the transaction."""

    def friends(self, scope: Scope, channel: str, users: Collection[str]) -> Sequence[Friend]:
        """Those of some users who are known, by one look-up; locked likewise."""

    def friend_by_id(self, scope: Scope, id_: int) -> Friend | None:
        """The same by its own id."""

    def save(self, scope: Scope, friend: Friend) -> None:
        """Keep a friend, new or changed."""


class Line(Happenings, Friends, Protocol):
    """Friends of channels, and what they did, as a room of a transaction."""
