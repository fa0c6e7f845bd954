"""Where the calls of a tracked number go."""

from typing import ClassVar, Literal

import msgspec

from gateway.domain.values import Dial

Strategy = Literal["parallel", "sequential"]


class TrackedNumber(msgspec.Struct, frozen=True):
    """A number issued for one medium and forwarded to the advertiser (専用電話番号)."""

    table: ClassVar[str] = "tracked_number"

    number: str
    advertiser: str
    medium: str
    forward_to: tuple[str, ...]
    strategy: Strategy = "parallel"
    ring_seconds: int = 25
    time_limit_seconds: int = 14_400
    caller_id: str = "caller"
    """``caller`` passes the caller's number on, ``number`` shows the tracked number;
    an E.164 number shows that one (it must belong to the carrier's account)."""
    record: bool = False
    min_talk_seconds: int | None = None
    """A call with at least so much talk is accepted as an outcome by itself."""

    @property
    def key(self) -> str:
        """Its number."""
        return self.number

    @property
    def owner(self) -> str:
        """The advertiser that it is forwarded to."""
        return self.advertiser


def dial(route: TrackedNumber) -> Dial:
    """The answer that forwards a caller of ``route``."""
    shown = {"caller": None, "number": route.number}.get(route.caller_id, route.caller_id)
    return Dial(
        targets=route.forward_to,
        sequential=route.strategy == "sequential",
        ring_seconds=route.ring_seconds,
        caller_id=shown,
        time_limit=route.time_limit_seconds,
    )
