"""What a call's events add up to: state, result, times and durations, and when to look again."""

from collections.abc import Sequence

import msgspec

from gateway.domain.calls.events import LEG_FINAL, Call, Event, Result, State
from gateway.domain.calls.legs import Heard, Leg, hear, seconds
from gateway.domain.calls.states import furthest
from gateway.domain.values import SECOND

SETTLE_AFTER = 60 * SECOND
"""An ended call whose last callbacks do not come is settled this long after its end was heard."""

_SILENCE = 120 * SECOND
"""How long beyond the last possible moment a call waits for a callback before the sweep."""

_MOST_RING_SECONDS = 600
"""The longest Dial timeout a carrier allows; it adds about 5 s."""

_TIMEOUT_SLACK = 2
"""A leg that rang within so many seconds of its limit timed out: the times are whole seconds."""


def fold(call: Call, events: Sequence[Event]) -> Call:
    """``call`` with state, result and durations computed anew from all its ``events``."""
    return add_up(call, hear(events))


def add_up(call: Call, heard: Heard) -> Call:
    """See :func:`fold`."""
    state = furthest(call.state, _state(heard))
    winner = heard.winner
    changes: dict[str, object] = {"state": state}
    if heard.legs:
        changes["answered_at"] = winner.answer_time if winner else None
        changes["ring_seconds"] = _ring_seconds(heard, winner)
    if state == "ended":
        changes["result"] = "answered" if winner else _unanswered(call, heard)
        changes["closed_by"] = _closed_by(heard)
        changes["ended_at"] = _end_time(heard, winner)
        changes["talk_seconds"] = _talk_seconds(heard, winner) if winner else 0
    if call.settled_at is None:
        changes["due_at"] = _silent_after(call, state, heard)
    return replace(call, **changes)


def rung_out(call: Call, heard_at: int) -> int:
    """When the last target has stopped ringing for sure, if the call was last heard of then."""
    rings = min(call.ring_limit + 5, _MOST_RING_SECONDS) * (call.targets if call.sequential else 1)
    return heard_at + rings * SECOND + _SILENCE


def sweep_reason(heard: Heard) -> str:
    """What a call that the sweep closes was waiting for."""
    if any(leg.answered and not leg.final for leg in heard.legs):
        return "no_end_of_talk"
    if heard.legs and heard.legs_ended:
        return "legs_ended"
    return "no_final_event"


def _state(heard: Heard) -> State:
    if heard.first_end is not None:
        return "ended"
    if any(leg.answered for leg in heard.legs):
        return "talking"
    return "connecting" if heard.legs else "ringing"


def _closed_by(heard: Heard) -> str | None:
    if heard.parent:
        return "status"
    if heard.dial:
        return "dial"
    return heard.swept.detail if heard.swept else None


def _ring_seconds(heard: Heard, winner: Leg | None) -> int | None:
    began = min((leg.began_at for leg in heard.legs if leg.began_at is not None), default=None)
    if winner:
        return seconds(began, winner.answer_time)
    return seconds(began, _last_end(heard)) if heard.legs_ended else None


def _talk_seconds(heard: Heard, winner: Leg) -> int | None:
    """The winning leg's own duration, else Dial's, else from its answer to the parent's end."""
    if winner.talk is not None:
        return winner.talk
    if heard.dial and heard.dial.duration is not None:
        return heard.dial.duration
    return seconds(winner.answer_time, heard.parent.provider_at if heard.parent else None)


def _unanswered(call: Call, heard: Heard) -> Result:
    """How a call without a conversation ended."""
    dial, parent = heard.dial, heard.parent
    if dial:
        # The parent's own status in the action tells whether the caller was still there.
        if dial.detail in LEG_FINAL and dial.status in ("no-answer", "canceled", "completed"):
            return "abandoned"
        return _BY_DIAL.get(dial.status, "no_answer")
    if parent and parent.status in ("busy", "failed"):
        return _BY_DIAL[parent.status]
    ended = [leg for leg in heard.legs if leg.final]
    cut_off = parent is not None and (not heard.legs or not heard.legs_ended)
    if cut_off or any(leg.final == "canceled" for leg in ended):
        # Nobody answered, so it was the caller who ended what still rang.
        return "abandoned"
    # Without an action the leg that ended last speaks for Dial.
    last = max(ended, key=lambda leg: (leg.ended_at or 0, _WEIGHT.index(leg.final)), default=None)
    if last is None:
        return "failed"
    rang = last.ring_seconds
    if last.final == "no-answer" and parent and rang is not None:
        # Either the caller left, or the action was lost: a leg that rang its full time says that.
        return "abandoned" if rang < call.ring_limit - _TIMEOUT_SLACK else "no_answer"
    return _BY_DIAL[last.final]


_WEIGHT = ("failed", "busy", "no-answer")
"""Which of several legs that ended in the same second speaks for them: the rightmost."""

_BY_DIAL: dict[str, Result] = {
    "busy": "busy",
    "no-answer": "no_answer",
    "failed": "failed",
    "canceled": "canceled",
}


def _silent_after(call: Call, state: State, heard: Heard) -> int:
    """When the sweep should look, by our own receipt times: after the last possible callback."""
    if heard.first_end is not None:
        return heard.first_end + SETTLE_AFTER
    if state == "talking":
        if any(leg.answered and leg.final for leg in heard.legs):
            return heard.last_receipt + SETTLE_AFTER
        return heard.last_receipt + call.time_limit * SECOND + _SILENCE
    if len(heard.legs) >= call.targets and heard.legs_ended:
        return heard.last_receipt + SETTLE_AFTER
    return rung_out(call, heard.last_receipt)


def _end_time(heard: Heard, winner: Leg | None) -> int | None:
    """The parent's own end, else the winner's, else the last leg's, else when we heard of it."""
    if heard.parent and heard.parent.provider_at is not None:
        return heard.parent.provider_at
    if winner and winner.ended_at is not None:
        return winner.ended_at
    last = _last_end(heard)
    return heard.first_end if last is None else last


def _last_end(heard: Heard) -> int | None:
    return max((leg.ended_at for leg in heard.legs if leg.ended_at is not None), default=None)


replace = msgspec.structs.replace
