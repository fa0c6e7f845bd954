"""A call: its events, its state table, and what is computed from them.

A call is a fold over the SET of its events. Every rule is monotone or a minimum, a maximum or a
choice by a total order, so that duplicates and any order of arrival end in the same state.
Durations come from the provider's times alone; our own receipt times only drive the sweeps.

``events`` is what is known of a call, ``states`` the state table, ``legs`` what the events say of
each target, ``fold`` what they add up to, ``decide`` what is answered and when a call settles.
"""

from gateway.domain.calls.decide import decide, is_connected, judge, reply_unrouted, sweep
from gateway.domain.calls.events import (
    LEG_FINAL,
    LEG_PROGRESS,
    Call,
    Decision,
    Event,
    Fact,
    Judged,
    Noted,
    Outcome,
    Result,
    Settled,
    State,
)
from gateway.domain.calls.fold import SETTLE_AFTER, fold
from gateway.domain.calls.legs import Leg, legs_of
from gateway.domain.calls.states import TRANSITIONS, advance

__all__ = [
    "LEG_FINAL",
    "LEG_PROGRESS",
    "SETTLE_AFTER",
    "TRANSITIONS",
    "Call",
    "Decision",
    "Event",
    "Fact",
    "Judged",
    "Leg",
    "Noted",
    "Outcome",
    "Result",
    "Settled",
    "State",
    "advance",
    "decide",
    "fold",
    "is_connected",
    "judge",
    "legs_of",
    "reply_unrouted",
    "sweep",
]
