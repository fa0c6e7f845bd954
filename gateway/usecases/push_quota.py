"""What a push takes of its channel's monthly quota, and gives back where it does not need it."""

from collections.abc import Sequence

import msgspec

from gateway.domain.line.channel import Channel
from gateway.domain.line.quota import month_of
from gateway.domain.pushes import QUOTA_PATIENCE, Push, Reason, State, ended
from gateway.domain.values import EVERYBODY, SECOND
from gateway.ports import Fact, Transaction
from gateway.usecases.quota import release, reserve

_ASK_AGAIN = 10 * SECOND

_replace = msgspec.structs.replace


def promise(tx: Transaction, push: Push, channel: Channel, now: int) -> tuple[Push, Sequence[Fact]]:
    """Reserve what a push with its recipients fixed takes: then it is being sent. Where there is
    no room it is halted; where the platform has not said yet what there is, it waits for that.
    """
    if not push.recipients:
        return over(tx, push, "done", now)
    quota = tx.outbox.quotas.find(EVERYBODY, channel.id, month_of(push.started_at))
    if quota is None or not quota.kind:
        if now < push.started_at + QUOTA_PATIENCE:
            return _replace(push, due_at=now + _ASK_AGAIN), ()
        return over(tx, push, "halted", now, "quota")
    budget = push.recipients
    if push.partial and quota.left is not None:
        budget = min(budget, quota.left)
    if not budget or not reserve(tx, channel, budget, push.started_at):
        return over(tx, push, "halted", now, "quota")
    return _replace(push, state="sending", budget=budget, due_at=now), ()


def over(
    tx: Transaction, push: Push, state: State, now: int, reason: Reason = ""
) -> tuple[Push, Sequence[Fact]]:
    """``push``, over; what it reserved and did not hand out is given back."""
    push, facts = ended(push, state, now, reason)
    give_back(tx, push, push.budget)
    return _replace(push, budget=0), facts


def give_back(tx: Transaction, push: Push, count: int) -> None:
    """Give back what was reserved for ``count`` recipients who will not get it."""
    channel = tx.entities.find(EVERYBODY, Channel, push.channel)
    if count and channel is not None:
        release(tx, channel, count, push.started_at)
