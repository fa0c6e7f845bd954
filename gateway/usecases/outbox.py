"""The outbox: hand effects out, keep what came of them, and clear them away."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.domain.effects import NEVER
from gateway.domain.insight import push_of
from gateway.domain.line.channel import Channel
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.outbox import Claimed, Ended, Outcome
from gateway.usecases.leaving import batch_of

AT_ONCE = 500
"""Effects that one unit of the background lane touches at most."""

LEASE_SECONDS = 15
"""A worker that has not settled an effect after so long has died: another one takes it up."""


_encode = msgspec.json.encode
_decode = msgspec.json.decode


class Claim(msgspec.Struct, frozen=True):
    """A worker's wish for something to do."""

    now: int
    kinds: tuple[str, ...]
    limit: int = AT_ONCE
    lease_seconds: int = LEASE_SECONDS


class Handout(msgspec.Struct, frozen=True):
    """What a worker gets."""

    claimed: Sequence[Claimed]
    is_behind: bool = False
    """Whether it should come again at once, though it got less than it wished for."""


def claim(tx: Transaction, wish: Claim) -> tuple[Handout, tuple[Fact, ...]]:
    """Hand out effects that are due."""
    limit = min(wish.limit, AT_ONCE)
    claimed = tx.outbox.claim(EVERYBODY, wish.now, wish.kinds, limit, wish.lease_seconds)
    return Handout(claimed, tx.outbox.is_behind), ()


class Settle(msgspec.Struct, frozen=True):
    """What came of effects, at most :data:`AT_ONCE`."""

    now: int
    outcomes: tuple[tuple[Claimed, Outcome], ...]


def settle(tx: Transaction, settled: Settle) -> tuple[int, list[Fact]]:
    """Keep what came of effects, and what it took of quotas; returns how many outcomes stand."""
    standing = tx.outbox.settle(EVERYBODY, settled.now, settled.outcomes)
    spent = [outcome.spent for outcome in standing if outcome.spent is not None]
    if spent:
        tx.outbox.quotas.spend(EVERYBODY, spent)
    return len(standing), [fact for outcome in standing for fact in outcome.facts]


class Resend(msgspec.Struct, frozen=True):
    """A person's wish to try again what is dead or unknown."""

    scope: Scope
    effect: int
    now: int


def resend(tx: Transaction, wish: Resend) -> tuple[None, tuple[Fact, ...]]:
    """Let an effect begin anew, under the key it had, with as much time as it takes.

    Where a platform honours that key, what it took within the last day is not sent again; what
    is older may arrive twice. A person decides, nothing does so by itself. What was promised to it
    of a month went back when it ended: it takes what the month has then, as a reply's push does.

    Raises:
        Refused: there is no such effect, it is neither dead nor unknown, what it would send was
            cleared (taken back by whom it answers, erased, or past its retention), or it is a reply
            whose token has ended.
    """
    ended = tx.outbox.failed(wish.scope, wish.effect)
    if ended is None:
        raise Refused(Refusal.NOT_FOUND, "no effect of that id is dead or unknown")
    if not ended.payload:
        raise Refused(Refusal.PAYLOAD_GONE, "what it would send is not kept any more")
    payload: dict[str, Any] = _decode(ended.payload)
    give_up_at = NEVER
    if ended.kind == "line.reply":
        channel = tx.entities.find(EVERYBODY, Channel, payload["channel"])
        if wish.now >= ended.give_up_at and not (channel and channel.push_instead):
            raise Refused(Refusal.TOKEN_GONE, "its reply token has ended; write to the friend")
        give_up_at = ended.give_up_at
    payload.pop("left", None)  # whether somebody wants it is asked anew
    if _is_given_back(tx, ended):
        payload.pop("reserved", None)
    if ended.state == "unknown":
        payload["fixed"] = True  # the platform may have it, under the same retry key
    tx.outbox.resend(EVERYBODY, ended.id, _encode(payload).decode(), wish.now, give_up_at)
    return None, ()


def _is_given_back(tx: Transaction, ended: Ended) -> bool:
    """Whether what was reserved for it is not any more: its push has heard how it ended."""
    push = None if (id_ := push_of(ended.origin)) is None else tx.pushes.find(EVERYBODY, id_)
    return push is None or batch_of(ended.key) < push.closed


class Forget(msgspec.Struct, frozen=True):
    """A piece of clean-up: ``outbox-texts`` or ``outbox`` of before an instant (microseconds)."""

    what: str
    before: int


def forget(tx: Transaction, job: Forget) -> tuple[int, tuple[Fact, ...]]:
    """Clear what has passed its retention, a bounded piece at a time; returns how much went."""
    return tx.outbox.forget(EVERYBODY, job.what, job.before, AT_ONCE), ()


class Stop(msgspec.Struct, frozen=True):
    """Halt the sends of an advertiser, or with ``*`` everybody's; or let them go on."""

    advertiser: str
    now: int
    by: str
    resume: bool = False


def stop(tx: Transaction, wish: Stop) -> tuple[bool, tuple[Fact, ...]]:
    """Halt or resume; whether anything changed. Replies to what friends say go on.

    Raises:
        Refused: there is no such advertiser.
    """
    if wish.advertiser != "*" and not tx.outbox.stops.knows(EVERYBODY, wish.advertiser):
        raise Refused(Refusal.NOT_FOUND, "there is no such advertiser")
    if wish.resume:
        return tx.outbox.stops.resume(EVERYBODY, wish.advertiser), ()
    tx.outbox.stops.stop(EVERYBODY, wish.advertiser, wish.now, wish.by)
    return True, ()
