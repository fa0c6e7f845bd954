"""The state table of a call."""

from gateway.domain.calls.events import State
from gateway.errors import InvalidTransition

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


def advance(state: State, to: State) -> State:
    """``to``, where the state table allows it from ``state`` (staying is allowed).

    Raises:
        InvalidTransition: the table has no such step.
    """
    if to == state or to in TRANSITIONS[state]:
        return to
    raise InvalidTransition(f"a call does not go from {state} to {to}")


def furthest(state: State, told: State) -> State:
    """Where a call in ``state`` stands once its events tell ``told``: it never goes back."""
    return advance(state, told) if _RANK[told] > _RANK[state] else state
