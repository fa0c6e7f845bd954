"""Events of calls as a carrier sends them, and the pure fold of them."""

from collections.abc import Sequence
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import cast

import msgspec

from gateway.domain.calls import Call, Event
from gateway.domain.routing import TrackedNumber
from gateway.domain.values import SECOND, Reply, Scope, encode_reply, first_id
from gateway.errors import Refused
from gateway.ports import Fact, History, Transaction
from gateway.usecases.calls import Incoming, record, sweep

START = 1_795_000_000 * SECOND
"""When the calls of the tests come, in November 2026."""

CALLER = "+819012345678"
NUMBER = "+815031000001"

_serial = count(1)


def new_sid() -> str:
    """The id of a call that no other test has."""
    return f"CA{next(_serial):08d}"


def incoming(event: Event, **answered: object) -> Incoming:
    """``event`` on its way into the store, with an id of its own."""
    raw = f"CallSid={event.call}&Event={event.kind}"
    new_id = first_id(event.received_at) + next(_serial)
    return msgspec.structs.replace(Incoming(event, new_id, raw), **answered)


def voice(
    call: str, at: int = START, *, number: str = NUMBER, caller: str | None = CALLER
) -> Event:
    """The call's own webhook."""
    return Event("twilio", call, "voice", at, number=number, caller=caller)


def leg(
    call: str,
    status: str,
    seq: int,
    at: int,
    *,
    name: str = "1",
    target: str = "+81312345678",
    talk: int | None = None,
) -> Event:
    """A status callback of the leg ``name``."""
    return Event(
        "twilio",
        call,
        f"leg.{status}",
        at,
        leg=f"{call}-{name}",
        seq=seq,
        status=status,
        provider_at=at // SECOND * SECOND,
        duration=talk,
        detail=target,
    )


def dialed(call: str, status: str, at: int, *, name: str = "1", talk: int | None = None) -> Event:
    """The end of Dial."""
    return Event(
        "twilio",
        call,
        "dial",
        at,
        leg=f"{call}-{name}",
        status=status,
        duration=talk,
        bridged=status == "completed",
        detail="in-progress",
    )


def ended(call: str, at: int, *, status: str = "completed", seq: int = 9) -> Event:
    """The status callback of the parent's end."""
    return Event(
        "twilio",
        call,
        f"call.{status}",
        at,
        seq=seq,
        status=status,
        provider_at=at // SECOND * SECOND,
    )


def answered_call(
    call: str,
    at: int = START,
    *,
    ring: int = 6,
    talk: int = 42,
    number: str = NUMBER,
    caller: str | None = CALLER,
) -> list[Event]:
    """Every event of a call that the first of two targets answered, in the order they happened."""
    answer, end = at + (1 + ring) * SECOND, at + (1 + ring + talk) * SECOND
    other = partial(leg, name="2", target="+819012345678")
    return [
        voice(call, at, number=number, caller=caller),
        leg(call, "initiated", 0, at + SECOND),
        other(call, "initiated", 0, at + SECOND),
        leg(call, "ringing", 1, at + 2 * SECOND),
        leg(call, "in-progress", 2, answer),
        other(call, "canceled", 2, answer + SECOND),
        leg(call, "completed", 3, end, talk=talk),
        dialed(call, "completed", end, talk=talk),
        ended(call, end + SECOND),
    ]


class PureFold:
    """The same use-cases over dictionaries: what a store must come to."""

    def __init__(self, *routes: TrackedNumber) -> None:
        self.histories: dict[tuple[str, str], History] = {}
        rooms = SimpleNamespace(
            calls=_Calls(self.histories),
            routes=_Routes({route.number: route for route in routes}),
        )
        self._tx = cast("Transaction", rooms)  # calls need no other rooms
        self.facts: list[Fact] = []

    def record(self, coming: Incoming) -> Reply | None:
        """What the event is answered; ``None`` where it is refused."""
        try:
            reply, facts = record(self._tx, coming)
        except Refused:
            return None
        self.facts += facts
        return reply

    def sweep(self, now: int) -> int:
        """How many calls were looked at."""
        looked_at, facts = sweep(self._tx, now)
        self.facts += facts
        return looked_at


class _Calls:
    def __init__(self, histories: dict[tuple[str, str], History]) -> None:
        self._histories = histories

    def find(self, scope: Scope, key: tuple[str, str], new_id: int) -> History:
        return self._histories.get(key) or History(key, new_id, events=[], replies={})

    def get(self, scope: Scope, call: int) -> History | None:
        found = (history for history in self._histories.values() if history.id == call)
        return next(found, None)

    def keep(self, scope: Scope, history: History, event: Event, reply: Reply, raw: str) -> None:
        self._histories[history.key] = history
        history.is_new = False
        history.events.append(event)
        history.replies[event.key] = encode_reply(reply)

    def save(self, scope: Scope, history: History, call: Call) -> None:
        history.call = call

    def due(self, scope: Scope, now: int, limit: int) -> Sequence[History]:
        found = [
            (history.call.due_at, history)
            for history in self._histories.values()
            if history.call and history.call.due_at is not None and history.call.due_at <= now
        ]
        return [history for _, history in sorted(found, key=lambda pair: pair[0])[:limit]]

    def forget(self, scope: Scope, what: str, before: int, limit: int) -> int:
        raise NotImplementedError


class _Routes:
    def __init__(self, numbers: dict[str, TrackedNumber]) -> None:
        self._numbers = numbers

    def find(self, scope: Scope, number: str) -> TrackedNumber | None:
        return self._numbers.get(number)
