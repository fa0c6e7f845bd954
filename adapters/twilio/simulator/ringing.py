"""What happens when targets ring: a pure plan on the call's own seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from adapters.twilio.simulator.played import Script
from adapters.twilio.simulator.twiml import Dial

BUFFER = 5
"""Seconds for which the platform goes on ringing beyond Dial's timeout."""

_BUSY_AFTER = 2
_FAILED_AFTER = 1
_RINGS_AFTER = 1
"""Seconds after initiated at which a target is found busy, is found dead, begins to ring."""

_LATER = 3
"""How many seconds after the first target the next one would have picked up."""

Ending = Literal["answer", "busy", "failed", "no-answer", "canceled"]


@dataclass(frozen=True)
class Ringing:
    """One target's ringing: from ``began`` to ``ended`` seconds of the call."""

    number: int
    """Its place among Dial's numbers."""
    began: int
    ended: int
    ending: Ending


@dataclass(frozen=True)
class Rung:
    """How ringing ended: with a winner, with the caller gone, or with nobody."""

    legs: list[Ringing]
    winner: Ringing | None = None
    caller_left: bool = False

    def ended(self, begun: int) -> int:
        """The second at which no target rang any more."""
        return max((leg.ended for leg in self.legs), default=begun)

    @property
    def last(self) -> Ringing | None:
        """The leg that ended last."""
        return max(self.legs, key=lambda leg: (leg.ended, leg.number), default=None)

    @property
    def status(self) -> str:
        """DialCallStatus of a Dial that ended so."""
        if self.winner:
            return "completed"
        return self.last.ending if self.last else "failed"


def ring(dial: Dial, script: Script, begun: int, lucky: int = 0) -> Rung:
    """Ring the targets of ``dial`` from second ``begun``.

    ``lucky`` is the place of the target that picks up first where all of them ring together.
    """
    plans = _plans(script, len(dial.numbers), 0 if dial.sequential else lucky)
    leaves = begun + script.ring if script.scenario == "caller_gives_up" else None
    if not dial.sequential:
        return _together(list(enumerate(plans)), begun, dial.timeout + BUFFER, leaves)
    legs: list[Ringing] = []
    rung, now = Rung([]), begun
    for place in enumerate(plans):
        rung = _together([place], now, dial.timeout + BUFFER, leaves)
        legs += rung.legs
        now = rung.ended(now)
        if rung.winner or rung.caller_left:
            break
    return Rung(legs, rung.winner, rung.caller_left)


def _plans(script: Script, count: int, lucky: int) -> list[tuple[Ending, int]]:
    """How each target would end if left alone, and after how many seconds."""
    first_busy = script.scenario == "first_busy_then_answered"
    if script.scenario == "busy":
        return [("busy", _BUSY_AFTER)] * count
    if script.scenario == "failed":
        return [("failed", _FAILED_AFTER)] * count
    if script.scenario in ("no_answer", "caller_gives_up"):
        return [("no-answer", 0)] * count
    if first_busy:
        lucky = 1
    plans: list[tuple[Ending, int]] = [
        ("answer", script.ring + _LATER * ((place - lucky) % count)) for place in range(count)
    ]
    if first_busy and plans:
        plans[0] = ("busy", _BUSY_AFTER)
    return plans


def _together(
    plans: Sequence[tuple[int, tuple[Ending, int]]], begun: int, limit: int, leaves: int | None
) -> Rung:
    """Ring targets at once; an answer, or the caller's leaving, cancels those that still ring."""
    alone = [
        Ringing(place, begun, begun + limit, "no-answer")
        if ending == "no-answer" or after > limit
        else Ringing(place, begun, begun + after, ending)
        for place, (ending, after) in plans
    ]
    winner = min(
        (leg for leg in alone if leg.ending == "answer"),
        key=lambda leg: (leg.ended, leg.number),
        default=None,
    )
    stop = winner.ended if winner else max((leg.ended for leg in alone), default=begun)
    caller_left = leaves is not None and leaves < stop
    if caller_left and leaves is not None:
        winner, stop = None, leaves
    legs = [
        leg
        if leg is winner or leg.ended < stop or (leg.ended == stop and leg.ending != "answer")
        else Ringing(leg.number, begun, stop, "canceled")
        for leg in alone
    ]
    return Rung(legs, winner, caller_left)


def callbacks(rung: Rung) -> list[tuple[int, Ringing, str]]:
    """(second, leg, CallStatus) of everything up to the answer or the end, in order of time."""
    steps: list[tuple[int, Ringing, str]] = []
    for leg in rung.legs:
        steps.append((leg.began, leg, "initiated"))
        if leg.ending not in ("busy", "failed"):
            steps.append((min(leg.began + _RINGS_AFTER, leg.ended), leg, "ringing"))
        status = "in-progress" if leg.ending == "answer" else leg.ending
        steps.append((leg.ended, leg, status))
    # The answer comes before the cancellations that it causes.
    return sorted(steps, key=lambda step: (step[0], step[2] == "canceled"))
