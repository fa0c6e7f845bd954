"""A person's word on the outcome of a call."""

from collections.abc import Sequence

from gateway.domain import calls
from gateway.domain.calls import Call, Event, Settled, decide, judge
from gateway.domain.routing import TrackedNumber
from tests.support.calls import NUMBER, answered_call

ROUTE = TrackedNumber(
    NUMBER, "acme", "flyer", ("+81312345678", "+819012345678"), min_talk_seconds=30
)
EVENTS = answered_call("CA1")


def told(
    events: Sequence[Event], call: Call | None, earlier: Sequence[Event]
) -> tuple[Call, list[Settled]]:
    """The call after ``events``, and its settlements."""
    heard, settled = list(earlier), []
    for event in events:
        decision = decide(call, heard, event, ROUTE, new_id=1)
        call = decision.call
        settled += [fact for fact in decision.facts if isinstance(fact, Settled)]
        heard.append(event)
    assert call is not None
    return call, settled


def test_a_word_before_the_settlement_stands_at_it() -> None:
    """What the talk's length says does not overrule a person, and is not what is counted."""
    call, _ = told(EVENTS[:5], None, [])
    judged = judge(call, "rejected", "a supplier")
    after, (settled,) = told(EVENTS[5:], judged, EVENTS[:5])
    assert (after.outcome, after.outcome_reason) == ("rejected", "a supplier")
    assert settled.outcome == "rejected"


def test_a_word_after_the_settlement_changes_the_call_alone() -> None:
    """A late event does not take it back, and nothing is counted anew."""
    call, (settled,) = told(EVENTS, None, [])
    assert (call.outcome, call.outcome_reason) == ("accepted", "min_talk_seconds")
    assert settled.outcome == "accepted"
    judged = judge(call, "rejected", "")
    assert (judged.outcome, judged.outcome_reason) == ("rejected", None)
    late = calls.Event("twilio", "CA1", "leg.ringing", EVENTS[-1].received_at, leg="CA1-9", seq=1)
    after, again = told([late], judged, EVENTS)
    assert (after.outcome, after.outcome_reason, again) == ("rejected", None, [])
