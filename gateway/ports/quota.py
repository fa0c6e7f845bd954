"""What channels may send in a month, in the store."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from gateway.domain.line.quota import Quota
from gateway.domain.values import Scope


class Spent(msgspec.Struct, frozen=True):
    """Messages that the platform counts against a channel's month."""

    channel: str
    advertiser: str
    count: int
    """Recipients: that is what the platform counts."""
    at: int
    reserved: str = ""
    """The month in which they were promised; empty where they were not."""


class Quotas(Protocol):
    """The month of each channel; months end in Asia/Tokyo."""

    def find(self, scope: Scope, channel: str, month: str) -> Quota | None:
        """What is known of a channel's month (``2026-11``), locked; ``None`` if nothing."""

    def save(self, scope: Scope, quota: Quota) -> None:
        """Keep what is known of a channel's month."""

    def spend(self, scope: Scope, spent: Sequence[Spent]) -> None:
        """Add to what was spent in the month of its instant, and take it off what was promised, in
        the month in which it was.
        """


class QuotaReading(Protocol):
    """The same beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands in."""

    def of(self, connection: Any, scope: Scope, month: str) -> Sequence[Quota]:
        """What is known of all channels' month, by channel."""
