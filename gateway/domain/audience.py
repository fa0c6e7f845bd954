"""Tags that friends carry, and segments: which friends a push is for."""

import re
from typing import ClassVar

import msgspec

from gateway.domain.values import SECOND

TAG = re.compile(r"[a-z0-9-]{1,40}")
"""What a tag looks like."""

_DAY = 86_400 * SECOND


# --- the filter of a segment, as a tree ---


class Tagged(msgspec.Struct, frozen=True, tag="tag"):
    """Carries a tag."""

    name: str


class FollowedSince(msgspec.Struct, frozen=True, tag="followed_since"):
    """Became a friend, or came back, at an instant (microseconds) or later."""

    at: int


class FollowedBefore(msgspec.Struct, frozen=True, tag="followed_before"):
    """Became a friend, or came back, before an instant (microseconds)."""

    at: int


class FollowedWithin(msgspec.Struct, frozen=True, tag="followed_within"):
    """Became a friend, or came back, within so many times 24 hours."""

    days: int


class ActiveWithin(msgspec.Struct, frozen=True, tag="active_within"):
    """Wrote, or pressed something, within so many times 24 hours."""

    days: int


class CameBy(msgspec.Struct, frozen=True, tag="entry"):
    """Came to be a friend by an entry link."""

    link: str


class AllOf(msgspec.Struct, frozen=True, tag="all"):
    """Each of the conditions holds; everybody where there is none."""

    of: "tuple[Condition, ...]" = ()


class AnyOf(msgspec.Struct, frozen=True, tag="any"):
    """One of the conditions holds, or more."""

    of: "tuple[Condition, ...]"


class NoneOf(msgspec.Struct, frozen=True, tag="none"):
    """None of the conditions holds."""

    of: "tuple[Condition, ...]"


Leaf = Tagged | FollowedSince | FollowedBefore | FollowedWithin | ActiveWithin | CameBy
Condition = (
    Tagged
    | FollowedSince
    | FollowedBefore
    | FollowedWithin
    | ActiveWithin
    | CameBy
    | AllOf
    | AnyOf
    | NoneOf
)
"""A filter: what holds of a friend, or does not."""

EVERYONE = AllOf()
"""The filter that lets every friend through."""


class Person(msgspec.Struct, frozen=True):
    """What a filter looks at."""

    followed_at: int
    last_at: int
    entry: str
    tags: frozenset[str]


def since(days: int, now: int) -> int:
    """The instant from which on something happened within ``days`` times 24 hours."""
    return now - days * _DAY


def holds(condition: Condition, person: Person, now: int) -> bool:
    """Whether ``condition`` holds of ``person``. The store says the same in SQL."""
    if isinstance(condition, AllOf):
        return all(holds(each, person, now) for each in condition.of)
    if isinstance(condition, AnyOf):
        return any(holds(each, person, now) for each in condition.of)
    if isinstance(condition, NoneOf):
        return not any(holds(each, person, now) for each in condition.of)
    return _holds(condition, person, now)


def _holds(condition: Leaf, person: Person, now: int) -> bool:
    if isinstance(condition, Tagged):
        return condition.name in person.tags
    if isinstance(condition, FollowedSince):
        return person.followed_at >= condition.at
    if isinstance(condition, FollowedBefore):
        return person.followed_at < condition.at
    if isinstance(condition, FollowedWithin):
        return person.followed_at >= since(condition.days, now)
    if isinstance(condition, ActiveWithin):
        return person.last_at >= since(condition.days, now)
    return person.entry == condition.link


_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Condition] = msgspec.json.Decoder(Condition)


def encode_filter(condition: Condition) -> str:
    """``condition`` as the store keeps it."""
    return _encode(condition).decode()


def decode_filter(text: str) -> Condition:
    """The condition that :func:`encode_filter` made ``text`` of."""
    return _decoder.decode(text)


class Segment(msgspec.Struct, frozen=True):
    """The friends of a channel that a filter lets through."""

    table: ClassVar[str] = "segment"

    id: str
    advertiser: str
    channel: str
    filter: Condition = EVERYONE

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """Its advertiser."""
        return self.advertiser
