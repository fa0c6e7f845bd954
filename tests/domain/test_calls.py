"""The call: any order and repetition of its events ends in one state and one settlement."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.calls import (
    LEG_FINAL,
    SETTLE_AFTER,
    TRANSITIONS,
    Call,
    Event,
    Fact,
    Noted,
    Settled,
    State,
    advance,
    decide,
    legs_of,
    sweep,
)
from gateway.domain.routing import TrackedNumber, dial
from gateway.domain.values import ACKNOWLEDGE, HANGUP, SECOND, Reply
from gateway.errors import InvalidTransition
from tests.domain.call_model import CALL, CALLER, PROVIDER, TRACKED, YEAR, Story, stories

NOW = 1_800_000_000 * SECOND
SHOP, MOBILE = "+81312345678", "+819012345678"
ONE = TrackedNumber(TRACKED, "acme", "flyer", (SHOP,), min_talk_seconds=30)
TWO = TrackedNumber(TRACKED, "acme", "flyer", (SHOP, MOBILE))
IN_TURN = TrackedNumber(TRACKED, "acme", "flyer", (SHOP, MOBILE), strategy="sequential")

OURS = {"received_at": 0, "settled_at": 0}
"""The fields of a call that hold our own receipt times."""


@dataclass
class Kept:
    """A store of one call that records as the use-case does."""

    route: TrackedNumber = ONE
    call: Call | None = None
    events: list[Event] = field(default_factory=list)
    replies: dict[tuple[str, str, int], Reply] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)

    def record(self, event: Event) -> Reply:
        if event.key in self.replies:
            return self.replies[event.key]
        opens = event.kind in ("voice", "fallback")
        route = self.route if opens else None
        decision = decide(self.call, self.events, event, route, new_id=1)
        self.call = decision.call
        self.events.append(event)
        self.replies[event.key] = decision.reply
        self.facts += decision.facts
        return decision.reply

    def hear(self, events: Iterable[Event], since: int = NOW) -> "Kept":
        """Record events as they arrive, one a microsecond."""
        for place, event in enumerate(events):
            self.record(msgspec.structs.replace(event, received_at=since + place))
        return self

    def sweep(self, now: int) -> None:
        self.call, closing, facts = sweep(self.known, self.events, now)
        if closing:
            self.events.append(closing)
        self.facts += facts

    @property
    def known(self) -> Call:
        assert self.call is not None
        return self.call

    @property
    def settled(self) -> list[Settled]:
        return [fact for fact in self.facts if isinstance(fact, Settled)]

    @property
    def notes(self) -> list[str]:
        return [fact.what for fact in self.facts if isinstance(fact, Noted)]

    @property
    def state(self) -> Call:
        """The call without our own receipt times."""
        return msgspec.structs.replace(self.known, **OURS)


def voice(**of: Any) -> Event:
    event = Event(PROVIDER, CALL, "voice", NOW, number=TRACKED, caller=CALLER)
    return msgspec.structs.replace(event, **of)


def leg(status: str, second: int, sid: str = "CA-1", target: str = SHOP, **of: Any) -> Event:
    event = Event(
        PROVIDER,
        CALL,
        f"leg.{status}",
        NOW,
        leg=sid,
        seq={"initiated": 0, "ringing": 1, "in-progress": 2}.get(status, 3),
        status=status,
        provider_at=NOW + second * SECOND,
        detail=target,
    )
    return msgspec.structs.replace(event, **of)


def action(status: str, sid: str = "CA-1", **of: Any) -> Event:
    event = Event(
        PROVIDER, CALL, "dial", NOW, leg=sid, status=status, bridged=False, detail="ringing"
    )
    return msgspec.structs.replace(event, **of)


def parent(status: str, second: int, **of: Any) -> Event:
    at = NOW + second * SECOND
    event = Event(PROVIDER, CALL, f"call.{status}", NOW, status=status, provider_at=at)
    return msgspec.structs.replace(event, **of)


ANSWERED = [
    voice(),
    leg("initiated", 0),
    leg("ringing", 1),
    leg("in-progress", 6),
    leg("completed", 48, duration=42),
    action("completed", duration=42, bridged=True, detail="in-progress"),
    parent("completed", 48, duration=42),
]


# --- the fold: orders, repetitions ---


@given(stories())
def test_events_in_their_order_end_in_the_contracts_figures(story: Story) -> None:
    """A call told in order has the result, ring and talk seconds of the public contract."""
    kept = Kept(story.route).hear(story.events)
    call = kept.known
    assert call.state == "ended"
    assert (call.result, call.ring_seconds, call.talk_seconds, call.outcome) == (
        story.result,
        story.ring_seconds,
        story.talk_seconds,
        story.outcome,
    )
    assert call.settled_at is not None
    assert call.due_at is None
    assert call.result is not None
    assert kept.settled == [
        Settled("acme", call.result, story.ring_seconds, story.talk_seconds, call.outcome)
    ]


@given(stories(), st.data())
def test_any_order_and_repetition_ends_in_the_same_state(story: Story, data: st.DataObject) -> None:
    """Permuted and repeated events end in the state that the right order ends in."""
    again = data.draw(st.lists(st.sampled_from(story.events), max_size=6))
    arrivals = data.draw(st.permutations([*story.events, *again]))
    kept = Kept(story.route)
    given_first: dict[tuple[str, str, int], Reply] = {}
    for place, event in enumerate(arrivals):
        reply = kept.record(msgspec.structs.replace(event, received_at=NOW + place))
        assert reply == given_first.setdefault(event.key, reply)
    assert kept.state == Kept(story.route).hear(story.events).state
    (settled,) = kept.settled
    assert (settled.result, settled.talk_seconds, settled.outcome) == (
        story.result,
        story.talk_seconds,
        story.outcome,
    )
    # A leg that nobody had spoken of when the call settled cannot be in the settlement's ring.
    assert settled.ring_seconds <= story.ring_seconds


def test_every_order_of_an_answered_call_ends_in_the_same_state() -> None:
    """All 5,040 orders of one answered call's events give one state and one settlement."""
    expected = Kept().hear(ANSWERED).state
    assert (expected.result, expected.ring_seconds, expected.talk_seconds) == ("answered", 6, 42)
    seen = 0

    def walk(kept: Kept, rest: Sequence[Event]) -> None:
        nonlocal seen
        if not rest:
            seen += 1
            assert kept.state == expected
            (settled,) = kept.settled
            assert (settled.result, settled.talk_seconds) == ("answered", 42)
            assert settled.outcome == "accepted"
        for place, event in enumerate(rest):
            branch = Kept(kept.route, kept.call, [*kept.events], dict(kept.replies), [*kept.facts])
            branch.record(event)
            walk(branch, [*rest[:place], *rest[place + 1 :]])

    walk(Kept(), ANSWERED)
    assert seen == 5040


@given(
    st.lists(
        st.builds(
            leg,
            st.sampled_from(["initiated", "ringing", "in-progress", "strange", *sorted(LEG_FINAL)]),
            st.integers(-5, 5),
            st.sampled_from(["CA-1", "CA-2"]),
            st.sampled_from([SHOP, MOBILE]),
            seq=st.integers(0, 4),
            duration=st.none() | st.integers(0, 9),
        )
        | st.builds(
            action,
            st.sampled_from(["completed", "answered", "no-answer", "busy", "strange"]),
            st.sampled_from(["", "CA-1", "CA-3"]),
            bridged=st.none() | st.booleans(),
            duration=st.none() | st.integers(0, 9),
            detail=st.sampled_from(["", "ringing", "completed"]),
        )
        | st.builds(parent, st.sampled_from(["ringing", *sorted(LEG_FINAL)]), st.integers(-5, 5)),
        max_size=9,
        unique_by=lambda event: event.key,
    ),
    st.data(),
)
def test_nonsense_ends_in_the_same_state_in_any_order(
    nonsense: list[Event], data: st.DataObject
) -> None:
    """Even events that contradict each other end in one state whatever their order of arrival."""
    first = Kept(TWO).hear([voice(), *nonsense])
    other = Kept(TWO).hear(data.draw(st.permutations([voice(), *nonsense])))
    for kept in (first, other):
        kept.sweep(NOW + YEAR * SECOND)
        assert len(kept.settled) == 1
    # What closed it, and when, is a matter of arrival; what the events add up to is not.
    apart = {"closed_by": None, "ended_at": None, "outcome": "pending", "outcome_reason": None}
    assert msgspec.structs.replace(first.state, **apart) == msgspec.structs.replace(
        other.state, **apart
    )


@given(stories())
def test_states_are_left_along_the_table_only(story: Story) -> None:
    """At every event the state stays or goes a step that the table names."""
    kept = Kept(story.route)
    before: State = "ringing"
    for event in story.events:
        kept.record(event)
        after = kept.known.state
        assert after == before or after in TRANSITIONS[before]
        before = after


# --- the table ---

STATES: list[State] = list(TRANSITIONS)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("to", STATES)
def test_state_table(state: State, to: State) -> None:
    """A step is taken where the table has it, and refused by a typed error where it does not."""
    allowed = {
        ("ringing", "guided"),
        ("ringing", "connecting"),
        ("ringing", "talking"),
        ("ringing", "ended"),
        ("guided", "connecting"),
        ("guided", "talking"),
        ("guided", "ended"),
        ("connecting", "talking"),
        ("connecting", "ended"),
        ("talking", "ended"),
    }
    if state == to or (state, to) in allowed:
        assert advance(state, to) == to
    else:
        with pytest.raises(InvalidTransition, match=f"from {state} to {to}"):
            advance(state, to)


def test_states_of_a_call_as_it_goes() -> None:
    """A call rings, connects, talks and ends."""
    kept = Kept()
    states = []
    for event in ANSWERED:
        kept.record(event)
        states.append(kept.known.state)
    assert states == ["ringing", *["connecting"] * 2, *["talking"] * 2, *["ended"] * 2]


# --- replies ---


def test_voice_is_answered_with_the_routes_dial() -> None:
    """The call is forwarded as its route says, and everything later acknowledged or hung up."""
    kept = Kept()
    assert [kept.record(event) for event in ANSWERED] == [
        dial(ONE),
        *[ACKNOWLEDGE] * 4,
        HANGUP,
        ACKNOWLEDGE,
    ]


def test_fallback_forwards_a_caller_who_was_not_connected() -> None:
    """The fallback forwards, but never a second time once somebody was on the line."""
    fallback = Event(PROVIDER, CALL, "fallback", NOW, number=TRACKED, caller=CALLER)
    assert Kept().hear(ANSWERED[:3]).record(fallback) == dial(ONE)
    assert Kept().hear(ANSWERED[:4]).record(fallback) == HANGUP
    assert Kept().hear([voice(), action("no-answer")]).record(fallback) == HANGUP


def test_events_before_the_voice_webhook_wait_for_it() -> None:
    """Events of an unknown call make none; the voice webhook takes them up."""
    kept = Kept().hear(ANSWERED[1:])
    assert kept.call is None
    assert kept.notes == ["unknown_call"] * 6
    assert kept.replies[ANSWERED[5].key] == HANGUP
    kept.record(ANSWERED[0])
    assert kept.known.result == "answered"
    assert kept.notes[6:] == ["events_adopted"]
    assert len(kept.settled) == 1


# --- callers ---


def test_withheld_caller_is_kept_as_nobody() -> None:
    """A call without a known caller is counted as withheld and kept without one."""
    kept = Kept().hear([voice(caller=None)])
    assert kept.known.caller is None
    assert kept.notes == ["withheld_caller"]
    assert Kept().hear([voice()]).notes == []


# --- results ---


@pytest.mark.parametrize(
    ("route", "events", "result", "ring"),
    [
        pytest.param(
            ONE,
            [leg("initiated", 0), leg("busy", 2), action("busy"), parent("no-answer", 2)],
            "busy",
            2,
            id="busy",
        ),
        pytest.param(
            ONE,
            [leg("initiated", 0), leg("failed", 1), action("failed"), parent("no-answer", 1)],
            "failed",
            1,
            id="failed",
        ),
        pytest.param(
            ONE,
            [
                leg("initiated", 0),
                leg("no-answer", 25),
                action("no-answer"),
                parent("no-answer", 25),
            ],
            "no_answer",
            25,
            id="no answer",
        ),
        pytest.param(
            ONE,
            [leg("initiated", 0), leg("canceled", 9), parent("no-answer", 9)],
            "abandoned",
            9,
            id="the caller left, and no action came",
        ),
        pytest.param(
            ONE,
            [
                leg("initiated", 0),
                leg("no-answer", 9),
                action("no-answer", detail="no-answer"),
                parent("no-answer", 9),
            ],
            "abandoned",
            9,
            id="the caller left, and the action was told",
        ),
        pytest.param(
            ONE,
            [leg("initiated", 0), leg("no-answer", 9), parent("no-answer", 9)],
            "abandoned",
            9,
            id="the caller left: a leg that ended early without an action",
        ),
        pytest.param(
            ONE,
            [leg("initiated", 0), leg("no-answer", 27), parent("no-answer", 27)],
            "no_answer",
            27,
            id="the action was lost: a leg that rang its full time",
        ),
        pytest.param(
            ONE,
            [leg("initiated", 0), leg("canceled", 3), action("canceled"), parent("no-answer", 3)],
            "canceled",
            3,
            id="withdrawn",
        ),
        pytest.param(
            TWO,
            [
                leg("initiated", 0),
                leg("initiated", 0, "CA-2", MOBILE),
                leg("busy", 2),
                leg("in-progress", 7, "CA-2", MOBILE),
                leg("completed", 17, "CA-2", MOBILE, duration=10),
                action("completed", "CA-2", duration=10, bridged=True),
                parent("completed", 17),
            ],
            "answered",
            7,
            id="busy beside answered",
        ),
        pytest.param(
            IN_TURN,
            [
                leg("initiated", 0),
                leg("no-answer", 25),
                leg("initiated", 25, "CA-2", MOBILE),
                leg("canceled", 31, "CA-2", MOBILE),
                parent("no-answer", 31),
            ],
            "abandoned",
            31,
            id="the caller left the second target",
        ),
        pytest.param(
            ONE,
            [
                leg("initiated", 0),
                leg("in-progress", 5),
                leg("completed", 12, duration=7),
                action("completed", bridged=False),
                parent("completed", 12),
            ],
            "no_answer",
            12,
            id="somebody picked up and did not take the call",
        ),
    ],
)
def test_result(route: TrackedNumber, events: list[Event], result: str, ring: int) -> None:
    """What the events of a call add up to."""
    kept = Kept(route).hear([voice(), *events])
    assert (kept.known.result, kept.known.ring_seconds) == (result, ring)
    assert kept.known.settled_at is not None


def test_times_of_an_answered_call() -> None:
    """Answer and end are the carrier's own times, whenever we heard of them."""
    call = Kept().hear(ANSWERED, since=NOW + YEAR * SECOND).known
    assert call.answered_at == NOW + 6 * SECOND
    assert call.ended_at == NOW + 48 * SECOND


def test_a_dial_that_does_not_name_its_leg_leaves_the_answered_one() -> None:
    """The carrier may leave DialCallSid out; the leg that was answered still tells the times."""
    nameless = action("completed", "", bridged=True, detail="in-progress")
    events = [*ANSWERED[:5], nameless, ANSWERED[6]]
    call = Kept().hear(events, since=NOW).known
    assert (call.result, call.ring_seconds, call.talk_seconds) == ("answered", 6, 42)


def test_legs_tell_their_targets_and_seconds() -> None:
    """Legs come in the order in which they began, with state, ring and talk of each."""
    legs = legs_of(
        [
            leg("initiated", 3, "CA-1", MOBILE),
            leg("initiated", 0, "CA-2", SHOP),
            leg("busy", 3, "CA-2", SHOP),
            leg("in-progress", 8, "CA-1", MOBILE),
        ]
    )
    assert [(each.sid, each.target, each.state, each.ring_seconds) for each in legs] == [
        ("CA-2", SHOP, "busy", 3),
        ("CA-1", MOBILE, "talking", 5),
    ]


def test_two_final_words_for_one_leg_are_read_alike_in_any_order() -> None:
    """The final status that the carrier numbered last counts, whichever came first."""
    words = [leg("completed", 5, seq=2, duration=3), leg("no-answer", 6, seq=3)]
    (one,), (other,) = legs_of(words), legs_of(words[::-1])
    assert one == other
    assert one.state == "no_answer"


# --- what is unknown, late or lost ---


def test_unknown_status_is_kept_and_changes_nothing() -> None:
    """A status that no list names is counted, acknowledged and otherwise without effect."""
    kept = Kept().hear(ANSWERED[:3])
    before = kept.known.state
    assert kept.record(leg("teleported", 2)) == ACKNOWLEDGE
    assert kept.notes == ["unknown_status"]
    assert kept.known.state == before


def test_late_event_corrects_the_figures_and_settles_nothing_anew() -> None:
    """After settlement an event still counts for the figures, never for the settlement."""
    lost = ANSWERED[4]
    kept = Kept().hear([event for event in ANSWERED if event not in (lost, ANSWERED[5])])
    kept.sweep(kept.known.due_at or 0)
    assert kept.known.settled_at is not None
    settled = kept.settled
    kept.record(msgspec.structs.replace(lost, duration=40))
    assert kept.known.talk_seconds == 40
    assert kept.known.state == "ended"
    assert kept.known.due_at is None
    assert kept.settled == settled
    assert "late_event" in kept.notes


@given(stories(), st.data())
def test_any_loss_is_closed_by_the_sweep_with_a_named_reason(
    story: Story, data: st.DataObject
) -> None:
    """Whatever callbacks never come, the sweep at ``due_at`` settles the call, once."""
    opening, rest = story.events[:1], story.events[1:]
    arrived = data.draw(st.lists(st.sampled_from(rest), unique=True))
    kept = Kept(story.route).hear([*opening, *arrived])
    closed = kept.known.state == "ended"
    due = kept.known.due_at
    assert (due is None) == (kept.known.settled_at is not None)
    if due is not None:
        kept.sweep(due - 1)
        assert kept.settled == []
        kept.sweep(due)
    call = kept.known
    assert call.settled_at is not None
    assert call.due_at is None
    assert call.state == "ended"
    assert call.result is not None
    assert len(kept.settled) == 1
    assert (call.closed_by in ("status", "dial")) == closed
    assert closed or call.closed_by in ("no_final_event", "no_end_of_talk", "legs_ended")
    assert ("swept" in kept.notes) != closed
    _figures_follow_from_what_arrived(story, arrived, call)


def _figures_follow_from_what_arrived(story: Story, arrived: list[Event], call: Call) -> None:
    heard = {event.kind for event in arrived}
    talked = {"leg.in-progress", "leg.completed"} & heard
    bridged = any(event.kind == "dial" and event.bridged for event in arrived)
    assert (call.result == "answered") == bool(talked or bridged)
    if bridged or "leg.completed" in heard:
        assert call.talk_seconds == story.talk_seconds
    if story.result == "abandoned" and "leg.canceled" in heard:
        assert call.result == "abandoned"
    if story.result in ("busy", "failed", "no_answer") and "dial" in heard:
        assert call.result == story.result


def test_every_loss_of_an_answered_call_is_closed() -> None:
    """Each of the 64 subsets of one call's callbacks is closed, once."""
    for count in range(len(ANSWERED)):
        for some in combinations(ANSWERED[1:], count):
            kept = Kept().hear([ANSWERED[0], *some])
            if kept.known.due_at is not None:
                kept.sweep(kept.known.due_at)
            assert kept.known.state == "ended"
            assert len(kept.settled) == 1


@pytest.mark.parametrize(
    ("events", "reason", "result"),
    [
        ([], "no_final_event", "failed"),
        ([leg("initiated", 0)], "no_final_event", "failed"),
        ([leg("initiated", 0), leg("in-progress", 4)], "no_end_of_talk", "answered"),
        ([leg("initiated", 0), leg("busy", 4)], "legs_ended", "busy"),
        ([leg("initiated", 0), leg("no-answer", 25)], "legs_ended", "no_answer"),
        ([leg("initiated", 0), leg("canceled", 4)], "legs_ended", "abandoned"),
        ([leg("completed", 4, duration=3)], "legs_ended", "answered"),
    ],
)
def test_sweep_names_what_was_missing(events: list[Event], reason: str, result: str) -> None:
    """The reason of a sweep says which callback did not come."""
    kept = Kept().hear([voice(), *events])
    kept.sweep(kept.known.due_at or 0)
    assert (kept.known.closed_by, kept.known.result) == (reason, result)


def test_ended_call_is_settled_a_minute_later_without_its_last_callbacks() -> None:
    """An ended call waits for its legs' ends for 60 s after its end was heard."""
    kept = Kept().hear([*ANSWERED[:4], ANSWERED[6]])
    assert kept.known.state == "ended"
    assert kept.settled == []
    assert kept.known.due_at == NOW + 4 + SETTLE_AFTER
    kept.sweep(NOW + 4 + SETTLE_AFTER)
    assert kept.settled == [Settled("acme", "answered", 6, 42, "accepted")]
    assert kept.known.closed_by == "status"


def test_settled_call_is_not_swept() -> None:
    """A settled call has nothing due and comes back as it is."""
    kept = Kept().hear(ANSWERED)
    assert sweep(kept.known, kept.events, NOW + YEAR * SECOND) == (kept.known, None, [])


# --- whose clock ---


@given(stories(), st.integers(-60 * YEAR, 60 * YEAR))
def test_sweeps_go_by_our_own_receipt_times(story: Story, shift: int) -> None:
    """However wrong the carrier's clock is, a call falls due at the same instant of ours."""
    for count in range(1, len(story.events)):
        right = Kept(story.route).hear(story.events[:count]).known
        wrong = Kept(story.route).hear([_shifted(e, shift) for e in story.events[:count]]).known
        assert wrong.due_at == right.due_at
        assert (wrong.ring_seconds, wrong.talk_seconds) == (right.ring_seconds, right.talk_seconds)


def _shifted(event: Event, seconds: int) -> Event:
    if event.provider_at is None:
        return event
    return msgspec.structs.replace(event, provider_at=event.provider_at + seconds * SECOND)


@given(stories())
def test_living_call_is_never_due(story: Story) -> None:
    """No call whose callbacks come as they happen is swept between two of them."""
    kept = Kept(story.route)
    for event in story.events:
        if kept.call is not None and kept.call.due_at is not None:
            assert kept.call.due_at > event.received_at
        kept.record(event)


def test_callbacks_of_the_first_instant_have_times_too() -> None:
    """A carrier whose clock stands at 1970 is believed like any other."""
    events = [_shifted(event, -NOW // SECOND - 48) for event in ANSWERED]
    call = Kept().hear(events).known
    assert call.ended_at == 0
    unanswered = [voice(), leg("initiated", 0), leg("busy", 2), action("busy")]
    call = Kept().hear([_shifted(event, -NOW // SECOND - 2) for event in unanswered]).known
    assert (call.ring_seconds, call.ended_at) == (2, 0)
