"""What carriers tell of a call, and what is kept and counted of it."""

from typing import Literal

import msgspec

from gateway.domain.values import Reply

State = Literal["ringing", "guided", "connecting", "talking", "ended"]
Result = Literal[
    "answered", "busy", "no_answer", "failed", "canceled", "voicemail", "blocked", "abandoned"
]
Outcome = Literal["pending", "accepted", "rejected"]

LEG_FINAL = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
"""The CallStatus values that a leg, or a parent, does not leave."""

LEG_PROGRESS = frozenset({"queued", "initiated", "ringing", "in-progress", "answered"})
"""The CallStatus values on the way there."""


Judged = Literal["accepted", "rejected"]
"""The outcomes that a person can give a call."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One thing a carrier told us of a call.

    The same event told twice has the same ``(kind, leg, seq)`` within its call.
    """

    provider: str
    call: str
    """The provider's id of the parent call, whichever leg the event speaks of."""
    kind: str
    """``voice``, ``fallback``, ``dial``, ``leg.<status>``, ``call.<status>`` or ``sweep``."""
    received_at: int
    """When it reached us, in microseconds."""
    leg: str = ""
    """The provider's id of the leg that the event speaks of, if any."""
    seq: int = 0
    status: str = ""
    """The provider's word: CallStatus, or DialCallStatus for ``dial``."""
    provider_at: int | None = None
    """The provider's own time of the event, in microseconds."""
    duration: int | None = None
    """Whole seconds: CallDuration of a leg, DialCallDuration for ``dial``."""
    bridged: bool | None = None
    """``dial`` only: whether the parties were connected."""
    detail: str = ""
    """A leg's target; for ``dial`` the parent's CallStatus; for ``sweep`` its reason."""
    number: str = ""
    """``voice`` and ``fallback``: the tracked number that was called."""
    caller: str | None = None
    """``voice`` and ``fallback``: who calls, ``None`` where withheld."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells this event from the call's others."""
        return (self.kind, self.leg, self.seq)


class Call(msgspec.Struct, frozen=True):
    """A call as it is kept: what was fixed when it came, and what its events add up to."""

    id: int
    provider: str
    sid: str
    number: str
    caller: str | None
    advertiser: str
    medium: str
    received_at: int
    targets: int
    sequential: bool
    ring_limit: int
    time_limit: int
    min_talk: int | None
    state: State = "ringing"
    result: Result | None = None
    closed_by: str | None = None
    """What ended it: ``status``, ``dial``, or the sweep's reason."""
    answered_at: int | None = None
    ended_at: int | None = None
    ring_seconds: int | None = None
    talk_seconds: int | None = None
    outcome: Outcome = "pending"
    outcome_reason: str | None = None
    settled_at: int | None = None
    due_at: int | None = None
    """When the sweep looks at it; ``None`` once settled."""


class Settled(msgspec.Struct, frozen=True):
    """A fact for the counters: a call was settled. It happens once in a call's life."""

    advertiser: str
    result: Result
    ring_seconds: int
    talk_seconds: int
    outcome: Outcome


class Noted(msgspec.Struct, frozen=True):
    """A fact for the counters: something unusual was kept."""

    what: Literal[
        "unknown_call",
        "unknown_status",
        "events_adopted",
        "swept",
        "late_event",
        "withheld_caller",
    ]


Fact = Settled | Noted


class Decision(msgspec.Struct, frozen=True):
    """What an event leads to. ``call`` is ``None`` while the call's own webhook has not come."""

    call: Call | None
    reply: Reply
    facts: tuple[Fact, ...] = ()
