"""The posting calendar in the store."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from gateway.domain.postings import Posting, State
from gateway.domain.values import Scope


class Postings(Protocol):
    """What is to be posted by hand."""

    def find(self, scope: Scope, id_: int) -> Posting | None:
        """One, locked until the end of the transaction."""

    def save(self, scope: Scope, posting: Posting) -> None:
        """Keep one, new or changed."""

    def due(self, scope: Scope, now: int, limit: int) -> Sequence[Posting]:
        """Those of which somebody is to be reminded now."""


class Wanted(msgspec.Struct, frozen=True):
    """Which postings of a channel are looked for."""

    channel: str
    since: int = 0
    until: int = 2**63 - 1
    state: State | None = None


class PostingReading(Protocol):
    """Postings, read beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands
    in.
    """

    def postings(
        self, connection: Any, scope: Scope, wanted: Wanted, *, after: tuple[int, int], limit: int
    ) -> Sequence[Posting]:
        """Postings by time and id, behind the one of ``after``."""
