"""What a push takes of its channel's monthly quota, and gives back where it does not need it."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.domain.hours import month_of
from gateway.domain.line.channel import Channel
from gateway.domain.line.quota import began
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
    push, facts = _reserve(tx, push, channel, push.recipients, now)
    return (_replace(push, state="sending") if push.budget else push), facts


def renew(tx: Transaction, push: Push, channel: Channel, now: int) -> tuple[Push, Sequence[Fact]]:
    """Reserve in the month that has begun what is not handed out yet, and was reserved in the last
    one.
    """
    return _reserve(tx, push, channel, push.budget, now)


def is_of_now(push: Push, now: int) -> bool:
    """Whether what a push may still hand out is reserved in the month of ``now``."""
    return not push.budget or push.reserved_in == month_of(now)


def _reserve(
    tx: Transaction, push: Push, channel: Channel, budget: int, now: int
) -> tuple[Push, Sequence[Fact]]:
    month = month_of(now)
    quota = tx.outbox.quotas.find(EVERYBODY, channel.id, month)
    if quota is None or not quota.kind:
        if now < max(push.started_at, began(now)) + QUOTA_PATIENCE:
            return _replace(push, due_at=now + _ASK_AGAIN), ()
        return over(tx, push, "halted", now, "quota")
    give_back(tx, push, {push.reserved_in: push.budget})
    push = _replace(push, budget=0)
    if push.partial and quota.left is not None:
        budget = min(budget, quota.left)
    if not budget or not reserve(tx, channel, budget, month):
        return over(tx, push, "halted", now, "quota")
    return _replace(push, budget=budget, reserved_in=month, due_at=now), ()


def over(
    tx: Transaction, push: Push, state: State, now: int, reason: Reason = ""
) -> tuple[Push, Sequence[Fact]]:
    """``push``, over; what it reserved and did not hand out is given back."""
    push, facts = ended(push, state, now, reason)
    give_back(tx, push, {push.reserved_in: push.budget})
    return _replace(push, budget=0), facts


def give_back(tx: Transaction, push: Push, counts: Mapping[str, int]) -> None:
    """Give back what was reserved for recipients who will not get it: so many, by month."""
    channel = tx.entities.find(EVERYBODY, Channel, push.channel)
    for month, count in counts.items():
        if count and channel is not None:
            release(tx, channel, count, month)
