"""A call: its events, its state table, and what is computed from them.

A call is a fold over the SET of its events. Every rule below is monotone or a minimum, a maximum
or a choice by a total order, so that duplicates and any order of arrival end in the same state.
Durations come from the provider's times alone; our own receipt times only drive the sweeps.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from gateway.domain.routing import TrackedNumber, dial
from gateway.domain.values import ACKNOWLEDGE, HANGUP, SECOND, Reply
from gateway.errors import InvalidTransition

State = Literal["ringing", "guided", "connecting", "talking", "ended"]
Result = Literal[
    "answered", "busy", "no_answer", "failed", "canceled", "voicemail", "blocked", "abandoned"
]
Outcome = Literal["pending", "accepted", "rejected"]

TRANSITIONS: dict[State, dict[State, str]] = {
    "ringing": {
        "guided": "guidance plays",
        "connecting": "a leg is initiated or rings",
        "talking": "a leg is answered",
        "ended": "the parent ended, Dial ended, or the sweep",
    },
    "guided": {
        "connecting": "a leg is initiated or rings",
        "talking": "a leg is answered",
        "ended": "the parent ended, or the sweep",
    },
    "connecting": {
        "talking": "a leg is answered",
        "ended": "the parent ended, Dial ended, or the sweep",
    },
    "talking": {"ended": "the parent ended, Dial ended, or the sweep"},
    "ended": {},
}
"""The state table: from → to → what brings it about. The diagram of docs/flow.md is drawn from
it. A state is only ever left along it, and ``ended`` never."""

_RANK = {state: rank for rank, state in enumerate(TRANSITIONS)}

LEG_FINAL = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
"""The CallStatus values that a leg, or a parent, does not leave."""

LEG_PROGRESS = frozenset({"queued", "initiated", "ringing", "in-progress", "answered"})
"""The CallStatus values on the way there."""

SETTLE_AFTER = 60 * SECOND
"""An ended call whose last callbacks do not come is settled this long after its end was heard."""

_SILENCE = 120 * SECOND
"""How long beyond the last possible moment a call waits for a callback before the sweep."""

_MOST_RING_SECONDS = 600
"""The longest Dial timeout a carrier allows; it adds about 5 s."""

_TIMEOUT_SLACK = 2
"""A leg that rang within so many seconds of its limit timed out: the times are whole seconds."""


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


class Leg(msgspec.Struct, gc=False):
    """One called target, as its events tell it."""

    sid: str
    target: str = ""
    began_at: int | None = None
    answered_at: int | None = None
    ended_at: int | None = None
    answered: bool = False
    final: str = ""
    final_seq: int = -1
    talk: int | None = None

    @property
    def state(self) -> str:
        """``ringing``, ``talking``, or the final status with underscores."""
        if self.final:
            return self.final.replace("-", "_")
        return "talking" if self.answered else "ringing"

    @property
    def ring_seconds(self) -> int | None:
        """Whole seconds from its first ring to its answer, else to its end."""
        return _seconds(self.began_at, _answer_time(self) if self.answered else self.ended_at)


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


def advance(state: State, to: State) -> State:
    """``to``, where the state table allows it from ``state`` (staying is allowed).

    Raises:
        InvalidTransition: the table has no such step.
    """
    if to == state or to in TRANSITIONS[state]:
        return to
    raise InvalidTransition(f"a call does not go from {state} to {to}")


def decide(
    call: Call | None,
    earlier: Sequence[Event],
    event: Event,
    route: TrackedNumber | None,
    *,
    new_id: int,
) -> Decision:
    """What ``event`` makes of ``call``, whose other events are ``earlier`` (in any order).

    ``route`` is needed where the call does not exist yet and the event opens one; the id of the
    new call is ``new_id``. An event that repeats an earlier one must not come here: its stored
    reply is given again.
    """
    facts: list[Fact] = []
    opens = event.kind in ("voice", "fallback")
    if call is None and opens and route is not None:
        call = _open(event, route, new_id)
        if call.caller is None:
            facts.append(Noted("withheld_caller"))
        if earlier:
            facts.append(Noted("events_adopted"))
    if _is_unknown(event):
        facts.append(Noted("unknown_status"))
    if call is None:
        facts.append(Noted("unknown_call"))
        return Decision(None, reply_unrouted(event), tuple(facts))
    if call.settled_at is not None:
        facts.append(Noted("late_event"))
    events = (*earlier, event)
    call = _settle(fold(call, events), events, event.received_at, facts)
    return Decision(call, _reply(event, earlier, route), tuple(facts))


def sweep(call: Call, events: Sequence[Event], now: int) -> tuple[Call, Event | None, list[Fact]]:
    """A call that is due: closed with a named reason if it has not ended, and settled if it has.

    Returns the call, the ``sweep`` event to keep with the others (if it was closed now), and the
    facts. ``now`` is our own time in microseconds; a call that is not due comes back unchanged.
    """
    if call.due_at is None or call.due_at > now:
        return call, None, []
    if call.state == "ended":
        facts: list[Fact] = []
        return _settle(call, events, now, facts, overdue=True), None, facts
    closing = Event(
        provider=call.provider,
        call=call.sid,
        kind="sweep",
        received_at=now,
        detail=_sweep_reason(legs_of(events)),
    )
    facts = [Noted("swept")]
    events = (*events, closing)
    call = _settle(fold(call, events), events, now, facts, overdue=True)
    return call, closing, facts


def is_connected(event: Event) -> bool:
    """Whether ``event`` says that the caller already talks, or did: under answerOnBridge the
    parent, too, is in progress only then.
    """
    return event.status in ("in-progress", "answered")


def reply_unrouted(event: Event) -> Reply:
    """The answer to an event that opens no call: it was kept; a Dial that ended is hung up."""
    return HANGUP if event.kind in ("dial", "fallback") else ACKNOWLEDGE


def fold(call: Call, events: Sequence[Event]) -> Call:
    """``call`` with state, result and durations computed anew from all its ``events``."""
    if len(events) == 1 and events[0].kind == "voice":
        return _replace(call, due_at=_silent_after(call, "ringing", events))
    legs = legs_of(events)
    dial_end = _latest(events, "dial")
    parent_end = _parent_end(events)
    swept = _latest(events, "sweep")
    state = _state(legs, ended=bool(dial_end or parent_end or swept))
    state = advance(call.state, state if _RANK[state] > _RANK[call.state] else call.state)
    winner = _winner(legs, dial_end)
    changes: dict[str, object] = {
        "state": state,
        "answered_at": _answer_time(winner) if winner else None,
        "ring_seconds": _ring_seconds(legs, winner),
    }
    if state == "ended":
        result = "answered" if winner else _unanswered(call, legs, dial_end, parent_end)
        changes |= {
            "result": result,
            "closed_by": "status" if parent_end else "dial" if dial_end else _swept_by(swept),
            "ended_at": _end_time(parent_end, winner, legs, dial_end or swept),
            "talk_seconds": _talk_seconds(winner, dial_end, parent_end) if winner else 0,
        }
    if call.settled_at is None:
        changes["due_at"] = _silent_after(call, state, events)
    return _replace(call, **changes)


def legs_of(events: Iterable[Event]) -> list[Leg]:
    """The called targets in the order in which they began (then by id)."""
    legs: dict[str, Leg] = {}
    for event in events:
        if event.kind == "dial":
            if event.leg:
                legs.setdefault(event.leg, Leg(event.leg))
            continue
        if not event.kind.startswith("leg."):
            continue
        leg = legs.get(event.leg)
        if leg is None:
            leg = legs[event.leg] = Leg(event.leg)
        _tell(leg, event)
    for leg in legs.values():
        # Only now: the final word is known when all have been heard.
        leg.answered |= leg.final == "completed"
    return sorted(legs.values(), key=lambda leg: (leg.began_at is None, leg.began_at or 0, leg.sid))


def _tell(leg: Leg, event: Event) -> None:
    at, status = event.provider_at, event.status
    if event.detail and (not leg.target or event.detail < leg.target):
        leg.target = event.detail
    if status in ("queued", "initiated", "ringing"):
        leg.began_at = _earlier(leg.began_at, at)
    elif status in ("in-progress", "answered"):
        leg.answered = True
        leg.answered_at = _earlier(leg.answered_at, at)
    elif status in LEG_FINAL and (event.seq, status) > (leg.final_seq, leg.final):
        # Two final words for one leg are the carrier's mistake; the one it numbered last counts.
        leg.final, leg.final_seq, leg.ended_at = status, event.seq, at
        leg.talk = event.duration if status == "completed" else None


def _open(event: Event, route: TrackedNumber, new_id: int) -> Call:
    return Call(
        id=new_id,
        provider=event.provider,
        sid=event.call,
        number=route.number,
        caller=event.caller,
        advertiser=route.advertiser,
        medium=route.medium,
        received_at=event.received_at,
        targets=len(route.forward_to),
        sequential=route.strategy == "sequential",
        ring_limit=route.ring_seconds,
        time_limit=route.time_limit_seconds,
        min_talk=route.min_talk_seconds,
    )


def _reply(event: Event, earlier: Sequence[Event], route: TrackedNumber | None) -> Reply:
    if event.kind == "voice":
        return dial(route) if route else HANGUP
    if event.kind == "fallback":
        # The carrier asks the fallback for any document it could not use, the one after Dial
        # too: a caller who was already connected is not forwarded a second time.
        connected = any(e.kind == "dial" or is_connected(e) for e in (*earlier, event))
        return dial(route) if route and not connected else HANGUP
    return HANGUP if event.kind == "dial" else ACKNOWLEDGE


def _is_unknown(event: Event) -> bool:
    kind, _, _ = event.kind.partition(".")
    known = kind not in ("leg", "call") or event.status in LEG_FINAL or event.status in LEG_PROGRESS
    return not known


def _state(legs: list[Leg], *, ended: bool) -> State:
    if ended:
        return "ended"
    if any(leg.answered for leg in legs):
        return "talking"
    return "connecting" if legs else "ringing"


def _settle(
    call: Call, events: Sequence[Event], now: int, facts: list[Fact], *, overdue: bool = False
) -> Call:
    """``call`` settled, where all that can still come has come or its time is over."""
    if call.settled_at is not None or call.state != "ended":
        return call
    if not overdue and not _complete(call, events):
        return call
    assert call.result is not None  # noqa: S101 - an ended call has one: fold sets both
    accepted = (
        call.result == "answered"
        and call.min_talk is not None
        and (call.talk_seconds or 0) >= call.min_talk
    )
    outcome: Outcome = "accepted" if accepted else "pending"
    facts.append(
        Settled(
            call.advertiser, call.result, call.ring_seconds or 0, call.talk_seconds or 0, outcome
        )
    )
    return _replace(
        call,
        settled_at=now,
        due_at=None,
        outcome=outcome,
        outcome_reason="min_talk_seconds" if accepted else None,
    )


def _complete(call: Call, events: Sequence[Event]) -> bool:
    """Whether the parent and every announced leg have ended, and no further leg can follow."""
    if _parent_end(events) is None:
        return False
    legs = legs_of(events)
    if not legs or not all(leg.final for leg in legs):
        return False
    return (
        len(legs) >= call.targets
        or any(e.kind == "dial" for e in events)
        or (call.sequential and any(leg.answered or leg.final == "canceled" for leg in legs))
    )


def _winner(legs: list[Leg], dial_end: Event | None) -> Leg | None:
    """The leg that talked with the caller: Dial's own word first, else the first answered."""
    if dial_end and dial_end.status in ("completed", "answered") and dial_end.bridged is not False:
        named = next((leg for leg in legs if leg.sid == dial_end.leg), None)
        return named or Leg(dial_end.leg, answered=True)
    refused = dial_end.leg if dial_end and dial_end.bridged is False else None
    answered = [leg for leg in legs if leg.answered and leg.sid != refused]
    return min(answered, key=lambda leg: (_answer_time(leg) or _FAR, leg.sid), default=None)


_FAR = 1 << 62


def _answer_time(leg: Leg) -> int | None:
    """When the leg was answered; where that callback was lost, its end less its duration."""
    if leg.answered_at is None and leg.ended_at is not None and leg.talk is not None:
        return leg.ended_at - leg.talk * SECOND
    return leg.answered_at


def _ring_seconds(legs: list[Leg], winner: Leg | None) -> int | None:
    began = min((leg.began_at for leg in legs if leg.began_at is not None), default=None)
    if winner:
        return _seconds(began, _answer_time(winner))
    if not all(leg.final for leg in legs):
        return None
    return _seconds(
        began, max((leg.ended_at for leg in legs if leg.ended_at is not None), default=None)
    )


def _talk_seconds(winner: Leg, dial_end: Event | None, parent_end: Event | None) -> int | None:
    """The winning leg's own duration, else Dial's, else from its answer to the parent's end."""
    if winner.talk is not None:
        return winner.talk
    if dial_end and dial_end.duration is not None:
        return dial_end.duration
    return _seconds(_answer_time(winner), parent_end.provider_at if parent_end else None)


def _unanswered(
    call: Call, legs: list[Leg], dial_end: Event | None, parent_end: Event | None
) -> Result:
    """How a call without a conversation ended."""
    if dial_end:
        # The parent's own status in the action tells whether the caller was still there.
        if dial_end.detail in LEG_FINAL and dial_end.status in (
            "no-answer",
            "canceled",
            "completed",
        ):
            return "abandoned"
        return _BY_DIAL.get(dial_end.status, "no_answer")
    if parent_end and parent_end.status in ("busy", "failed"):
        return "busy" if parent_end.status == "busy" else "failed"
    ended = [leg for leg in legs if leg.final]
    cut_off = parent_end is not None and (not legs or len(ended) < len(legs))
    if cut_off or any(leg.final == "canceled" for leg in ended):
        # Nobody answered, so it was the caller who ended what still rang.
        return "abandoned"
    # Without an action the leg that ended last speaks for Dial.
    last = max(ended, key=lambda leg: (leg.ended_at or 0, _WEIGHT.index(leg.final)), default=None)
    if last is None:
        return "failed"
    rang = last.ring_seconds
    if last.final == "no-answer" and parent_end and rang is not None:
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


def _sweep_reason(legs: list[Leg]) -> str:
    if any(leg.answered and not leg.final for leg in legs):
        return "no_end_of_talk"
    if legs and all(leg.final for leg in legs):
        return "legs_ended"
    return "no_final_event"


def _swept_by(swept: Event | None) -> str | None:
    return swept.detail if swept else None


def _silent_after(call: Call, state: State, events: Sequence[Event]) -> int:
    """When the sweep should look, by our own receipt times: after the last possible callback."""
    heard = max(event.received_at for event in events)
    if state == "ended":
        first = min(
            event.received_at
            for event in events
            if event.kind in ("dial", "sweep")
            or (event.kind.startswith("call.") and event.status in LEG_FINAL)
        )
        return first + SETTLE_AFTER
    if state == "talking":
        if any(leg.answered and leg.final for leg in legs_of(events)):
            return heard + SETTLE_AFTER
        return heard + call.time_limit * SECOND + _SILENCE
    legs = legs_of(events)
    if len(legs) >= call.targets and all(leg.final for leg in legs):
        return heard + SETTLE_AFTER
    rings = min(call.ring_limit + 5, _MOST_RING_SECONDS) * (call.targets if call.sequential else 1)
    return heard + rings * SECOND + _SILENCE


def _end_time(
    parent_end: Event | None, winner: Leg | None, legs: list[Leg], otherwise: Event | None
) -> int | None:
    if parent_end and parent_end.provider_at is not None:
        return parent_end.provider_at
    if winner and winner.ended_at is not None:
        return winner.ended_at
    last = max((leg.ended_at for leg in legs if leg.ended_at is not None), default=None)
    if last is not None:
        return last
    heard = parent_end or otherwise
    return heard.received_at if heard else None


def _parent_end(events: Iterable[Event]) -> Event | None:
    ends = [e for e in events if e.kind.startswith("call.") and e.status in LEG_FINAL]
    return max(ends, key=lambda e: (e.seq, e.status), default=None)


def _latest(events: Iterable[Event], kind: str) -> Event | None:
    """The event of ``kind`` that says most: a Dial that connected before one that did not."""
    found = [event for event in events if event.kind == kind]
    return max(
        found,
        key=lambda e: (e.status in ("completed", "answered"), e.duration or 0, e.leg, e.seq),
        default=None,
    )


def _earlier(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


def _seconds(begin: int | None, end: int | None) -> int | None:
    """Whole seconds between two instants; an end before its begin (skewed clocks) counts 0."""
    if begin is None or end is None:
        return None
    return max(0, end - begin) // SECOND


_replace = msgspec.structs.replace
