"""Reply tokens: one use, one minute, another one with each redelivery.

Source: "Send reply message" and "Webhook event redelivery" of the platform's documentation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.line.simulator.ids import SECOND, Ids
from adapters.line.simulator.protocol import MINUTE, Wrong

if TYPE_CHECKING:
    from adapters.line.simulator.channel import Channel

VALID_SECONDS = MINUTE
LONGEST_SECONDS = 20 * MINUTE
"""After its event, beyond which no redelivery prolongs a token."""


@dataclass
class ReplyToken:
    """One token, and whom a reply with it reaches."""

    channel: str
    target: str
    event_at: int
    valid_until: int
    used: bool = False


class ReplyTokens:
    """All tokens of all channels; times are microseconds of the platform's clock."""

    def __init__(self, ids: Ids, clock: Callable[[], int]) -> None:
        self._ids = ids
        self._clock = clock
        self._tokens: dict[str, ReplyToken] = {}

    def issue(self, channel: "Channel", target: str, event_at: int) -> str:
        """A token for an event of ``event_at``, valid from now."""
        value = self._ids.hex()
        self._tokens[value] = ReplyToken(channel.id, target, event_at, 0)
        self.start(value)
        return value

    def start(self, value: str) -> None:
        """The webhook with this token goes out: its minute begins (anew)."""
        token = self._tokens[value]
        latest = token.event_at + LONGEST_SECONDS * SECOND
        token.valid_until = min(self._clock() + VALID_SECONDS * SECOND, latest)

    def check(self, value: object, channel: "Channel") -> ReplyToken:
        """The token, if it can be used now; the 400 otherwise."""
        token = self._tokens.get(value) if isinstance(value, str) else None
        if (
            token is None
            or token.used
            or token.channel != channel.id
            or self._clock() >= token.valid_until
        ):
            raise Wrong(400, "Invalid reply token")
        return token
