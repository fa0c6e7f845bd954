"""What the simulator is asked to play, and its record of what it then did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Scenario = Literal[
    "answered", "busy", "no_answer", "first_busy_then_answered", "caller_gives_up", "failed"
]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)

Result = Literal["answered", "busy", "no_answer", "failed", "abandoned", "rejected"]
"""The result words of a call; ``rejected`` is a call that was never taken, and is kept nowhere."""


@dataclass(frozen=True)
class Script:
    """One call to play."""

    scenario: Scenario
    to: str
    """The tracked number that is called."""
    caller: str
    """Who calls, or the word a carrier puts for a withheld number."""
    ring: int = 6
    """Seconds until a target picks up; for ``caller_gives_up``, until the caller does."""
    talk: int = 42
    """Seconds of conversation, where one comes about and Dial's timeLimit allows it."""


@dataclass
class Post:
    """One request as it was sent, or would have been sent had it not been lost."""

    url: str
    """The signed URL, below ``public_url``."""
    params: Mapping[str, str]
    token: str
    """I-Twilio-Idempotency-Token: what all attempts and duplicates of one request share."""
    attempt: int = 0
    duplicate: bool = False
    status: int | None = None
    """The answer's status; ``None`` while none came."""
    content_type: str = ""
    answer: bytes = b""
    error: str = ""
    """Why no answer came: ``connection``, ``timeout``, or ``lost``: it was never sent."""

    @property
    def acknowledged(self) -> bool:
        """Whether the far side said that it has taken it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def what(self) -> str:
        """``voice``, ``fallback``, ``dial``, ``leg.<status>`` or ``call.<status>``."""
        if "ErrorUrl" in self.params:
            return "fallback"
        if "DialCallStatus" in self.params:
            return "dial"
        if "ParentCallSid" in self.params:
            return f"leg.{self.params['CallStatus']}"
        return f"call.{self.params['CallStatus']}" if "Timestamp" in self.params else "voice"


@dataclass
class Leg:
    """One target that was rung."""

    sid: str
    target: str
    state: str
    """How it ended, with underscores: completed, busy, no_answer, failed, canceled."""
    ring_seconds: int
    """From its initiated to its answer, else to its end."""
    talk_seconds: int | None
    """Of an answered leg."""
    began_at: int = 0
    """The carrier's time of its initiated, in microseconds."""


@dataclass
class Played:
    """The truth of one call: what the simulator did, whatever the other side made of it."""

    script: Script
    sid: str
    started_at: int = 0
    """The carrier's time of the call's begin, in microseconds, at a whole second."""
    ended_at: int = 0
    """Likewise of its end; 0 while it goes on."""
    status: str = ""
    """The CallStatus that it ended with."""
    seconds: int = 0
    """Its CallDuration: since its own side was answered."""
    result: Result = "failed"
    ring_seconds: int | None = None
    """From the first leg's initiated to the winning leg's in-progress, else to the last leg's
    end; ``None`` where nobody was rung."""
    talk_seconds: int = 0
    """The winning leg's CallDuration."""
    forwarded: bool = False
    """Whether a Dial was received, acted on or not."""
    legs: list[Leg] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    """Every request that was sent, in the order of sending."""
    lost: list[Post] = field(default_factory=list)
    """What was never sent, on purpose."""

    @property
    def number(self) -> str:
        """The tracked number."""
        return self.script.to

    @property
    def caller(self) -> str:
        """What was sent as From."""
        return self.script.caller

    @property
    def unacknowledged(self) -> list[Post]:
        """The requests of which no attempt and no duplicate was answered with 2xx."""
        taken = {post.token for post in self.posts if post.acknowledged}
        return [p for p in self.posts if p.token not in taken and not p.attempt and not p.duplicate]

    @property
    def certain(self) -> frozenset[str]:
        """Which of ``result``, ``ring_seconds`` and ``talk_seconds`` follow from what arrived.

        The others rest on a callback that was lost or never taken: no receiver can know them.
        """
        missing = {_role(post) for post in (*self.lost, *self.unacknowledged)}
        answer, end, action = ({word} <= missing for word in ("answer", "leg_end", "dial"))
        if self.result == "answered":
            sure = {
                # Without the answer's callback it is told by the end and the duration.
                "ring_seconds": not (answer and end),
                "talk_seconds": not (end and action),
                "result": not (answer and end and action),
            }
        else:
            # Legs that ended canceled tell that the caller left, even without the parent's end.
            told = not (end or action or ("call_end" in missing and not self.legs))
            sure = {"ring_seconds": told, "talk_seconds": told, "result": told}
        sure["ring_seconds"] &= "begin" not in missing
        return frozenset() if "voice" in missing else frozenset(k for k, ok in sure.items() if ok)


def _role(post: Post) -> str:
    kind, _, status = post.what.partition(".")
    if kind == "leg":
        roles = {"initiated": "begin", "ringing": "ringing", "in-progress": "answer"}
        return roles.get(status, "leg_end")
    return "call_end" if kind == "call" else kind
