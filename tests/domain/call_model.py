"""Whole calls as a carrier tells them, with the figures that they must end in.

The figures are put together while the call is, by the definitions of the public contract, and
share nothing with ``gateway.domain.calls`` but the ``Event``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from gateway.domain.calls import Event
from gateway.domain.routing import TrackedNumber
from gateway.domain.values import SECOND

PROVIDER, CALL = "twilio", "CA-parent"
TRACKED, CALLER = "+815031000001", "+819012345678"
BUFFER = 5
"""Seconds that the carrier rings beyond the limit it was told."""

YEAR = 31_557_600


@dataclass(frozen=True)
class Story:
    """A complete call: every event once, in the order in which it happened."""

    route: TrackedNumber
    events: tuple[Event, ...]
    result: str
    ring_seconds: int
    talk_seconds: int

    @property
    def outcome(self) -> str:
        """``accepted`` where the conversation was long enough to count by itself."""
        least = self.route.min_talk_seconds
        counts = self.result == "answered" and least is not None and self.talk_seconds >= least
        return "accepted" if counts else "pending"


@dataclass(frozen=True)
class _Leg:
    sid: str
    target: str
    began: int
    ended: int
    """When it was answered, or rang no more."""
    ending: str
    """``answer``, or its final CallStatus."""
    rings: bool


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Calls of one to four targets: answered, left ringing, refused, or given up by the caller."""
    targets = tuple(f"+8150310000{10 + place}" for place in range(draw(st.integers(1, 4))))
    sequential = draw(st.booleans())
    limit = draw(st.integers(5, 60))
    route = TrackedNumber(
        TRACKED,
        "acme",
        "flyer",
        targets,
        strategy="sequential" if sequential else "parallel",
        ring_seconds=limit,
        min_talk_seconds=draw(st.none() | st.integers(0, 60)),
    )
    ending = draw(st.sampled_from(["answer", "canceled", "nobody"]))
    rung = _in_turn if sequential else _at_once
    legs = rung(draw, targets, limit, ending)
    return _told(draw, route, legs, ending)


def _at_once(draw: st.DrawFn, targets: Sequence[str], limit: int, ending: str) -> list[_Leg]:
    """All targets ring together until one answers, the caller leaves, or the time is over."""
    stop = draw(st.integers(0, limit + BUFFER))
    if ending == "nobody":
        stop = limit + draw(st.integers(0, BUFFER))
    decisive = draw(st.integers(0, len(targets) - 1))
    legs = []
    for place, target in enumerate(targets):
        began = draw(st.integers(0, min(1, stop)))
        ended = stop
        if place == decisive and ending != "nobody":
            word = ending
        elif draw(st.booleans()):
            word, ended = draw(st.sampled_from(["busy", "failed"])), draw(st.integers(began, stop))
        else:
            word = "no-answer" if ending == "nobody" else "canceled"
        legs.append(_leg(draw, place, target, began, ended, word))
    return legs


def _in_turn(draw: st.DrawFn, targets: Sequence[str], limit: int, ending: str) -> list[_Leg]:
    """One target after the other, until one answers, the caller leaves, or none is left."""
    count = len(targets) if ending == "nobody" else draw(st.integers(1, len(targets)))
    legs: list[_Leg] = []
    now = 0
    for place, target in enumerate(targets[:count]):
        if place == count - 1 and ending != "nobody":
            word = ending
        else:
            word = draw(st.sampled_from(["busy", "failed", "no-answer"]))
        begun = now + draw(st.integers(0, 1))
        now = begun + (
            limit + draw(st.integers(0, BUFFER))
            if word == "no-answer"
            else draw(st.integers(0, limit + BUFFER))
        )
        legs.append(_leg(draw, place, target, begun, now, word))
    return legs


def _leg(draw: st.DrawFn, place: int, target: str, began: int, ended: int, word: str) -> _Leg:
    # The ids do not come in the order of ringing: nothing may lean on that.
    rings = word in ("answer", "no-answer") or draw(st.booleans())
    return _Leg(f"CA-{(place * 7 + 3) % 10}", target, began, ended, word, rings)


def _told(draw: st.DrawFn, route: TrackedNumber, legs: list[_Leg], ending: str) -> Story:
    """What the carrier tells of it, on a clock that may be years away from ours."""
    epoch = draw(st.integers(-30 * YEAR, 30 * YEAR)) + 1_800_000_000
    heard_from = 1_800_000_000 * SECOND
    winner = next((leg for leg in legs if leg.ending == "answer"), None)
    talk = draw(st.integers(0, 300)) if winner else 0
    told: list[tuple[int, Event]] = []

    def tell(second: int, kind: str, *, timed: bool = True, **of: Any) -> None:
        event = Event(
            PROVIDER,
            CALL,
            kind,
            received_at=heard_from + second * SECOND,
            provider_at=(epoch + second) * SECOND if timed else None,
            **of,
        )
        told.append((second, event))

    caller = draw(st.sampled_from([CALLER, None]))
    openings = draw(st.sampled_from([["voice"], ["voice", "fallback"], ["fallback"]]))
    for opening in openings:
        tell(0, opening, timed=False, status="ringing", number=TRACKED, caller=caller)

    for leg in legs:
        steps = [(leg.began, "initiated"), *([(leg.began, "ringing")] if leg.rings else [])]
        if leg is winner:
            steps += [(leg.ended, "in-progress"), (leg.ended + talk, "completed")]
        else:
            steps.append((leg.ended, leg.ending))
        for seq, (second, status) in enumerate(steps):
            duration = talk if status == "completed" else None
            tell(
                second,
                f"leg.{status}",
                leg=leg.sid,
                seq=seq,
                status=status,
                detail=leg.target,
                duration=duration,
            )

    end = max(leg.ended for leg in legs) + talk
    last = winner or max(legs, key=lambda leg: (leg.ended, _WEIGHT[leg.ending]))
    # A caller who left while it rang may be told to the action, or not.
    if ending != "canceled" or draw(st.booleans()):
        gone, there = draw(
            st.sampled_from([("completed", "in-progress"), ("no-answer", "ringing")])
        )
        left = ending == "canceled" or (winner is not None and draw(st.booleans()))
        tell(
            end,
            "dial",
            timed=False,
            leg=last.sid,
            status="completed" if winner else last.ending,
            duration=talk if winner else None,
            bridged=winner is not None,
            detail=gone if left else there,
        )
    parent = "completed" if winner else draw(st.sampled_from(["no-answer", "completed"]))
    tell(end, f"call.{parent}", status=parent, duration=talk)

    return Story(
        route,
        tuple(event for _, event in sorted(told, key=lambda each: each[0])),
        result=_result(winner, last),
        ring_seconds=(winner.ended if winner else last.ended) - min(leg.began for leg in legs),
        talk_seconds=talk,
    )


_WEIGHT = {"failed": 0, "busy": 1, "no-answer": 2, "canceled": 3, "answer": 4}
"""Which of two legs that ended in one second speaks for Dial."""


def _result(winner: _Leg | None, last: _Leg) -> str:
    if winner:
        return "answered"
    return {"canceled": "abandoned", "no-answer": "no_answer"}.get(last.ending, last.ending)
