"""What an event leads to: the new call, the answer, the facts; and the sweep of silent calls."""

from collections.abc import Sequence

from gateway.domain.calls.events import (
    LEG_FINAL,
    LEG_PROGRESS,
    Call,
    Decision,
    Event,
    Fact,
    Judged,
    Noted,
    Settled,
)
from gateway.domain.calls.fold import add_up, replace, rung_out, sweep_reason
from gateway.domain.calls.legs import Heard, hear
from gateway.domain.routing import TrackedNumber, dial
from gateway.domain.values import ACKNOWLEDGE, HANGUP, Reply


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
    reply = _reply(event, earlier, route)
    if event.kind == "voice" and not earlier:
        # The one event that most webhooks are: there is nothing to add up yet.
        fresh = replace(call, due_at=rung_out(call, event.received_at))
        return Decision(fresh, reply, tuple(facts))
    if call.settled_at is not None:
        facts.append(Noted("late_event"))
    heard = hear((*earlier, event))
    call = _settle(add_up(call, heard), heard, event.received_at, facts)
    return Decision(call, reply, tuple(facts))


def sweep(call: Call, events: Sequence[Event], now: int) -> tuple[Call, Event | None, list[Fact]]:
    """A call that is due: closed with a named reason if it has not ended, and settled if it has.

    Returns the call, the ``sweep`` event to keep with the others (if it was closed now), and the
    facts. ``now`` is our own time in microseconds; a call that is not due comes back unchanged.
    """
    if call.due_at is None or call.due_at > now:
        return call, None, []
    heard = hear(events)
    if call.state == "ended":
        facts: list[Fact] = []
        return _settle(call, heard, now, facts, overdue=True), None, facts
    closing = Event(
        provider=call.provider,
        call=call.sid,
        kind="sweep",
        received_at=now,
        detail=sweep_reason(heard),
    )
    facts = [Noted("swept")]
    heard = hear((*events, closing))
    call = _settle(add_up(call, heard), heard, now, facts, overdue=True)
    return call, closing, facts


def judge(call: Call, outcome: Judged, reason: str) -> Call:
    """``call`` with a person's word on its outcome; an empty ``reason`` is none."""
    return replace(call, outcome=outcome, outcome_reason=reason or None)


def is_connected(event: Event) -> bool:
    """Whether ``event`` says that the caller already talks, or did: under answerOnBridge the
    parent, too, is in progress only then.
    """
    return event.status in ("in-progress", "answered")


def reply_unrouted(event: Event) -> Reply:
    """The answer to an event that opens no call: it was kept; a Dial that ended is hung up."""
    return HANGUP if event.kind in ("dial", "fallback") else ACKNOWLEDGE


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


def _settle(
    call: Call, heard: Heard, now: int, facts: list[Fact], *, overdue: bool = False
) -> Call:
    """``call`` settled, where all that can still come has come or its time is over."""
    if call.settled_at is not None or call.state != "ended":
        return call
    if not overdue and not _complete(call, heard):
        return call
    assert call.result is not None  # noqa: S101 - an ended call has one: fold sets both
    accepted = (
        call.result == "answered"
        and call.min_talk is not None
        and (call.talk_seconds or 0) >= call.min_talk
    )
    outcome, reason = call.outcome, call.outcome_reason
    if outcome == "pending" and accepted:  # what a person said already stands
        outcome, reason = "accepted", "min_talk_seconds"
    facts.append(
        Settled(
            call.advertiser, call.result, call.ring_seconds or 0, call.talk_seconds or 0, outcome
        )
    )
    return replace(
        call,
        settled_at=now,
        due_at=None,
        outcome=outcome,
        outcome_reason=reason,
    )


def _complete(call: Call, heard: Heard) -> bool:
    """Whether the parent and every announced leg have ended, and no further leg can follow."""
    legs = heard.legs
    if heard.parent is None or not legs or not heard.legs_ended:
        return False
    return (
        len(legs) >= call.targets
        or heard.dial is not None
        or (call.sequential and any(leg.answered or leg.final == "canceled" for leg in legs))
    )
