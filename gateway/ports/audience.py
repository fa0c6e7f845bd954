"""Tags of friends, and who is in a segment, in the store."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from gateway.domain.audience import Condition
from gateway.domain.values import Scope


class TagOf(msgspec.Struct, frozen=True):
    """A tag that a friend carries; the fields are the columns of the store, in order."""

    friend: int
    tag: str
    advertiser: str
    channel: str
    at: int
    """Since when (microseconds)."""
    source: str
    """What gave it: ``rule``, ``link:…``, ``coupon:…``, ``entry:…``, or an actor of the API."""


class Members(msgspec.Struct, frozen=True):
    """Some friends of a channel that a filter lets through."""

    friends: tuple[int, ...]
    """Their ids."""
    reached: str
    """The last user that was looked at; empty where there were none left."""


class Audiences(Protocol):
    """Tags and segments."""

    def tags(self, scope: Scope, friend: int) -> frozenset[str]:
        """The tags of a friend."""

    def tag(self, scope: Scope, tag: TagOf) -> bool:
        """Keep a tag; whether the friend did not carry it yet."""

    def untag(self, scope: Scope, friend: int, tag: str) -> bool:
        """Take a tag away; whether the friend carried it."""

    def members(
        self, scope: Scope, channel: str, condition: Condition, now: int, after: str, limit: int
    ) -> Members:
        """Of the ``limit`` friends whose user comes after ``after``, those that ``condition`` lets
        through; friends who blocked the channel, and groups, are never among them.
        """

    def named(self, scope: Scope, channel: str, friends: Sequence[int]) -> tuple[int, ...]:
        """Those of ``friends`` who are users of a channel, by id; blocked ones among them."""


class TagCount(msgspec.Struct, frozen=True):
    """How many friends of a channel carry a tag."""

    tag: str
    friends: int


class Whose(msgspec.Struct, frozen=True):
    """Whose friend somebody is."""

    friend: int
    advertiser: str
    channel: str


class AudienceReading(Protocol):
    """The same beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands in."""

    def friend(self, connection: Any, scope: Scope, friend: int) -> Whose | None:
        """A friend by id."""

    def tags(self, connection: Any, scope: Scope, friend: int) -> Sequence[TagOf]:
        """The tags of a friend, by name."""

    def tag_counts(
        self, connection: Any, scope: Scope, channel: str, *, after: str, limit: int
    ) -> Sequence[TagCount]:
        """The tags that friends of a channel carry, by name."""

    def size(
        self, connection: Any, scope: Scope, channel: str, condition: Condition, now: int
    ) -> int:
        """How many friends would be pushed: stopped and blocked ones are not counted."""
