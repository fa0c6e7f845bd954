"""Short links in the store."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from gateway.domain.links import Code, Visitor
from gateway.domain.values import Scope


class Click(msgspec.Struct, frozen=True):
    """A visit; the fields are the columns of the store, in order."""

    id: int
    code: str
    link: str
    advertiser: str
    at: int
    friend: int
    origin: str


class EntryVisit(msgspec.Struct, frozen=True):
    """A user's verified visit to an entry link; the fields are the columns, in order."""

    channel: str
    user: str
    advertiser: str
    link: str
    at: int


class Links(Protocol):
    """Codes of links, and who follows them."""

    def find(self, scope: Scope, code: str) -> Code | None:
        """A code."""

    def codes(
        self, scope: Scope, link: str, origin: str, friends: Sequence[int]
    ) -> dict[int, Code]:
        """The codes that a link has for what ``origin`` says, by friend (0: for all)."""

    def add(self, scope: Scope, codes: Sequence[Code]) -> None:
        """Keep new codes."""

    def count(self, scope: Scope, click: Click, visitor: Visitor) -> None:
        """Count a visit; a person's is kept, too."""

    def visit(self, scope: Scope, visit: EntryVisit) -> None:
        """Remember a verified visit to an entry link, in the place of an earlier one."""

    def came(self, scope: Scope, channel: str, user: str, at: int) -> EntryVisit | None:
        """Take out the verified visit that brought a user who became a friend at an instant, and
        count it; ``None`` where there was none in the 24 hours before, or the minute after.
        """


class LinkRetention(Protocol):
    """What is forgotten of visits."""

    def forget(self, scope: Scope, what: str, before: int, limit: int) -> int:
        """Delete what came before an instant, at most ``limit`` rows; returns how many went.

        ``what`` is ``link-clicks`` or ``link-entries`` (verified visits).
        """


class LinkRoom(Links, LinkRetention, Protocol):
    """Links as a room of a transaction."""


class DayCount(msgspec.Struct, frozen=True):
    """The visits of a link in one day of Asia/Tokyo."""

    day: int
    """Since 1970-01-01."""
    people: int
    bots: int
    friends: int
    """Who came to be friends by it, verified."""


class Clicked(msgspec.Struct, frozen=True):
    """How often the links of something were followed."""

    clicks: int
    friends: int
    """How many different friends, of those whose code was their own."""


class LinkReading(Protocol):
    """The same beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands in."""

    def code(self, connection: Any, code: str) -> Code | None:
        """A code, whoever asks: whoever has it may follow it."""

    def printed(self, connection: Any, scope: Scope, links: Sequence[str]) -> dict[str, str]:
        """The codes of links that are there to be printed or posted, by link."""

    def uncoded(self, connection: Any, links: Sequence[str]) -> Sequence[str]:
        """Which of ``links`` have no such code yet."""

    def days(
        self, connection: Any, scope: Scope, link: str, *, since: int, until: int
    ) -> Sequence[DayCount]:
        """The visits of a link by day, from the day ``since`` to the one before ``until``; days
        without any are left out.
        """

    def clicked(self, connection: Any, scope: Scope, origin: str) -> Clicked:
        """How often the links of a push, or of a step, were followed by people."""
