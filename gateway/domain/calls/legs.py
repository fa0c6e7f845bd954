"""What a call's events say, put together: each leg, and how Dial, the parent or the sweep ended."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from gateway.domain.calls.events import LEG_FINAL, Event
from gateway.domain.values import SECOND


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
        return seconds(self.began_at, self.answer_time if self.answered else self.ended_at)

    @property
    def answer_time(self) -> int | None:
        """When it was answered; where that callback was lost, its end less its duration."""
        if self.answered_at is None and self.ended_at is not None and self.talk is not None:
            return self.ended_at - self.talk * SECOND
        return self.answered_at


class Heard(msgspec.Struct, gc=False):
    """All events of a call, put together."""

    legs: list[Leg]
    """In the order in which they began, then by id."""
    dial: Event | None = None
    """Dial's end: of several the one that says most, one that connected first."""
    parent: Event | None = None
    """The parent's end: the one that the carrier numbered last."""
    swept: Event | None = None
    last_receipt: int = 0
    first_end: int | None = None
    """When the first of the ends reached us."""

    @property
    def legs_ended(self) -> bool:
        """Whether every announced leg has ended."""
        return all(leg.final for leg in self.legs)

    @property
    def winner(self) -> Leg | None:
        """The leg that talked with the caller: Dial's own word first, else the first answered."""
        dial = self.dial
        refused = otherwise = None
        if dial is not None and dial.bridged is False:
            refused = dial.leg
        elif dial is not None and dial.status in ("completed", "answered"):
            named = next((leg for leg in self.legs if leg.sid == dial.leg), None)
            if named is not None:
                return named
            otherwise = Leg(dial.leg, answered=True)
        answered = [leg for leg in self.legs if leg.answered and leg.sid != refused]
        return min(answered, key=_answer_order, default=otherwise)


def hear(events: Iterable[Event]) -> Heard:
    """What ``events`` say together, in whatever order they stand."""
    legs: dict[str, Leg] = {}
    heard = Heard([])
    for event in events:
        kind = event.kind
        heard.last_receipt = max(heard.last_receipt, event.received_at)
        if kind.startswith("leg."):
            leg = legs.get(event.leg)
            if leg is None:
                leg = legs[event.leg] = Leg(event.leg)
            _tell(leg, event)
            continue
        if kind == "dial":
            if event.leg and event.leg not in legs:
                legs[event.leg] = Leg(event.leg)
            heard.dial = _more(heard.dial, event, _dial_order)
        elif kind == "sweep":
            heard.swept = _more(heard.swept, event, _dial_order)
        elif kind.startswith("call.") and event.status in LEG_FINAL:
            heard.parent = _more(heard.parent, event, _parent_order)
        else:
            continue
        heard.first_end = _earlier(heard.first_end, event.received_at)
    for leg in legs.values():
        # Only now: the final word is known when all have been heard.
        leg.answered |= leg.final == "completed"
    heard.legs = sorted(legs.values(), key=_begin_order)
    return heard


def legs_of(events: Iterable[Event]) -> list[Leg]:
    """The called targets in the order in which they began (then by id)."""
    return hear(events).legs


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


def _more(known: Event | None, other: Event, order: Callable[[Event], tuple[Any, ...]]) -> Event:
    return other if known is None else max(known, other, key=order)


def _dial_order(event: Event) -> tuple[Any, ...]:
    connected = event.status in ("completed", "answered")
    return (connected, event.duration or 0, event.leg, event.seq)


def _parent_order(event: Event) -> tuple[Any, ...]:
    return (event.seq, event.status)


def _begin_order(leg: Leg) -> tuple[Any, ...]:
    return (leg.began_at is None, leg.began_at or 0, leg.sid)


def _answer_order(leg: Leg) -> tuple[Any, ...]:
    at = leg.answer_time
    return (at is None, at or 0, leg.sid)


def _earlier(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


def seconds(begin: int | None, end: int | None) -> int | None:
    """Whole seconds between two instants; an end before its begin (skewed clocks) counts 0, and
    what a carrier's absurd clock makes of a call is bounded by what a store keeps.
    """
    if begin is None or end is None:
        return None
    return min(max(0, end - begin) // SECOND, _MOST_SECONDS)


_MOST_SECONDS = 2**31 - 1
