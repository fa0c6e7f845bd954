"""Call tracking: keep what a carrier told, and say what it should do."""

from typing import ClassVar

import msgspec

from gateway.domain import calls
from gateway.domain.calls import Call, Event, Judged
from gateway.domain.routing import TrackedNumber, dial
from gateway.domain.values import EVERYBODY, REJECT, Reply, Scope, decode_reply
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction


class Incoming(msgspec.Struct, frozen=True):
    """A carrier's event on its way into the store."""

    room: ClassVar[str] = "calls"
    """Which room of the transaction loads what it needs."""

    event: Event
    id: int
    """The id a new call gets; made once on receipt, so that a unit can run again."""
    raw: str
    """The parameters as they came."""
    answered: Reply | None = None
    """The reply that was given already, while the store was away: it stands."""
    route: TrackedNumber | None = None
    """The route that reply was made of: the call is kept under it, whatever was applied since."""

    @property
    def key(self) -> tuple[str, str]:
        """The call that the store loads and locks for this event."""
        return (self.event.provider, self.event.call)


def record(tx: Transaction, incoming: Incoming) -> tuple[Reply, tuple[Fact, ...]]:
    """Keep one event and answer it. A repeated event gets the reply it got first, and no facts.

    Raises:
        Refused: the call is for a number that is not provisioned (before anything is written).
    """
    event = incoming.event
    history = tx.calls.find(EVERYBODY, incoming.key, incoming.id)
    stored = history.replies.get(event.key)
    if stored is not None:
        return decode_reply(stored), ()
    route = None
    if event.kind in ("voice", "fallback"):
        route = incoming.route or tx.routes.find(EVERYBODY, event.number)
        if history.call is None and (route is None or incoming.answered == REJECT):
            raise Refused(Refusal.UNKNOWN_NUMBER)
    decision = calls.decide(history.call, history.events, event, route, new_id=history.id)
    reply = incoming.answered or decision.reply
    tx.calls.keep(EVERYBODY, history, event, reply, incoming.raw)
    if decision.call is not None:
        tx.calls.save(EVERYBODY, history, decision.call)
    return reply, decision.facts


def sweep(tx: Transaction, now: int) -> tuple[int, tuple[Fact, ...]]:
    """Close and settle calls whose callbacks did not come; returns how many were looked at."""
    facts: list[Fact] = []
    due = tx.calls.due(EVERYBODY, now, SWEEP_AT_ONCE)
    for history in due:
        if history.call is None:
            continue
        call, closing, found = calls.sweep(history.call, history.events, now)
        if closing is not None:
            tx.calls.keep(EVERYBODY, history, closing, calls.reply_unrouted(closing), "")
        if call is not history.call:
            tx.calls.save(EVERYBODY, history, call)
        facts += found
    return len(due), tuple(facts)


SWEEP_AT_ONCE = 20
"""Calls that one unit of the background lane looks at."""


def forward_from_cache(event: Event, route: TrackedNumber | None) -> Reply:
    """The reply while the store is away: the route cache alone decides."""
    if event.kind == "voice" or (event.kind == "fallback" and not calls.is_connected(event)):
        return dial(route) if route else REJECT
    return calls.reply_unrouted(event)


class Forget(msgspec.Struct, frozen=True):
    """A piece of clean-up: what of it came before an instant (microseconds)."""

    what: str
    before: int


def forget(tx: Transaction, job: Forget) -> tuple[int, tuple[Fact, ...]]:
    """Delete what has passed its retention, a bounded piece at a time; returns how much went."""
    return tx.calls.forget(EVERYBODY, job.what, job.before, FORGET_AT_ONCE), ()


FORGET_AT_ONCE = 500
"""Rows that one unit of the background lane deletes."""


class Judgement(msgspec.Struct, frozen=True):
    """What a person says of a call's outcome (成果)."""

    scope: Scope
    """Whose calls the person may judge."""
    call: int
    outcome: Judged
    reason: str
    actor: str
    """Who it is, for the audit."""
    at: int


def judge(tx: Transaction, judgement: Judgement) -> tuple[Call, tuple[Fact, ...]]:
    """Keep a person's word on a call's outcome; returns the call as it is then.

    It stands against what the talk's length says, at a settlement to come, too. A settled call is
    counted already: counters do not move again, reports and the call itself tell the new outcome.

    Raises:
        Refused: there is no such call in the scope.
    """
    history = tx.calls.get(judgement.scope, judgement.call)
    if history is None or history.call is None:
        raise Refused(Refusal.NOT_FOUND)
    call = history.call
    judged = calls.judge(call, judgement.outcome, judgement.reason)
    if judged != call:
        tx.calls.save(judgement.scope, history, judged)
        tx.access.audit(
            judgement.scope,
            judgement.at,
            judgement.actor,
            call.advertiser,
            "call.judged",
            str(call.id),
            {"from": call.outcome, "to": judged.outcome},
        )
    return judged, ()
