"""The outbox: hand effects out, keep what came of them, and clear them away."""

from collections.abc import Sequence

import msgspec

from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.outbox import Claimed, Outcome

AT_ONCE = 500
"""Effects that one unit of the background lane touches at most."""

LEASE_SECONDS = 15
"""A worker that has not settled an effect after so long has died: another one takes it up."""


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
    """Let an effect begin anew, under the key it had.

    Where a platform honours that key, what it took within the last day is not sent again; what
    is older may arrive twice. A person decides, nothing does so by itself.

    Raises:
        Refused: there is no such effect, it is neither dead nor unknown, or what it would send was
            cleared: taken back by whom it answers, erased, or past its retention.
    """
    resent = tx.outbox.resend(wish.scope, wish.effect, wish.now)
    if resent == "none":
        raise Refused(Refusal.NOT_FOUND, "no effect of that id is dead or unknown")
    if resent == "blank":
        raise Refused(Refusal.PAYLOAD_GONE, "what it would send is not kept any more")
    return None, ()


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
