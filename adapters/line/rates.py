"""How often the platform lets a channel call an endpoint, kept on our side as well.

Source: https://developers.line.biz/en/reference/messaging-api/#rate-limits
"""

from collections import deque

from gateway.domain.line.sending import Kind
from gateway.domain.values import SECOND

RATES: dict[Kind, tuple[int, int]] = {
    "reply": (2000, 1),
    "push": (2000, 1),
    "multicast": (200, 1),
    "narrowcast": (60, 3600),
    "broadcast": (60, 3600),
}
"""Requests, and the seconds in which they may be made."""


class Rates:
    """What was sent by each channel to each endpoint within its window."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, Kind], deque[int]] = {}

    def take(self, channel: str, kind: Kind, now: int) -> int:
        """Take one request at ``now`` (microseconds): 0, or the instant at which there is one."""
        count, seconds = RATES[kind]
        sent = self._sent.setdefault((channel, kind), deque())
        begin = now - seconds * SECOND
        while sent and sent[0] <= begin:
            sent.popleft()
        if len(sent) >= count:
            return sent[0] + seconds * SECOND
        sent.append(now)
        return 0
