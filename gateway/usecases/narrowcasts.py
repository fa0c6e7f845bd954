"""Pushes whose recipients the platform chooses: handed over in one piece, and asked after."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.pushes import LATE, OVER, PROGRESS, Demographic, Push, Reason
from gateway.domain.values import EVERYBODY, SECOND, Draw
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.pushes import Sent
from gateway.usecases.links import linked
from gateway.usecases.push_quota import give_back, is_of_now, over, promise, renew

_LOOK = SECOND // 2

_encode = msgspec.json.encode
_replace = msgspec.structs.replace


def step(
    tx: Transaction, push: Push, channel: Channel, now: int, draw: Draw
) -> tuple[Push, Sequence[Fact]]:
    """Take a narrowcast that has begun one step on."""
    if push.handed:
        return _hear(tx, push, now)
    if tx.pushes.stops.any_of(EVERYBODY, channel.id):
        return over(tx, push, "failed", now, "stops")
    if push.state == "preparing":
        return promise(tx, push, channel, now)
    if not is_of_now(push, now):
        return renew(tx, push, channel, now)
    return _hand(tx, push, now, draw), ()


def _hand(tx: Transaction, push: Push, now: int, draw: Draw) -> Push:
    whom = push.whom
    assert isinstance(whom, Demographic)  # noqa: S101 - others do not come here
    payload: dict[str, Any] = {
        "channel": push.channel,
        "messages": linked(tx, push.said, push.origin, (0,), draw, now)[0],
        "filter": {"demographic": whom.filter},
        "limit": {"max": push.budget},
        "recipients": push.budget,
        "reserved": push.reserved_in,
    }
    if push.silent:
        payload["notificationDisabled"] = True
    effect = Effect(
        id=draw.id(),
        advertiser=push.advertiser,
        kind="line.narrowcast",
        key=_key(push),
        payload=_encode(payload).decode(),
        due_at=now,
        stream=_key(push),
        give_up_at=now + LATE,
        origin=push.origin,
    )
    tx.outbox.add(EVERYBODY, effect)
    # Of a partial one no more are asked for than there was room for: so many it is for from now on.
    return _replace(push, handed=1, recipients=push.budget, budget=0, due_at=now + _LOOK)


def _hear(tx: Transaction, push: Push, now: int) -> tuple[Push, Sequence[Fact]]:
    """See whether the platform took it; how it went is asked by its request's id."""
    if push.request:  # two weeks have passed, and the platform never said
        return over(tx, _replace(push, closed=1, unknown=push.recipients), "done", now)
    found = tx.pushes.effects(EVERYBODY, (_key(push),)).get(_key(push))
    if found is not None and found.state in ("waiting", "leased"):
        return _replace(push, due_at=now + _LOOK), ()
    if found is not None and found.state == "done" and found.request:
        return _replace(push, request=found.request, due_at=now + PROGRESS), ()
    if found is not None and found.state == "done":
        return over(tx, _replace(push, closed=1, unknown=push.recipients), "done", now)
    _give_back(tx, push, found)
    if found is not None and found.state == "dead":
        push = _replace(push, closed=1, refused=push.recipients)
        reason: Reason = "stops" if found.error == "stopped" else "platform"
        return over(tx, push, "failed", now, reason)
    return over(tx, _replace(push, closed=1, unknown=push.recipients), "failed", now, "unknown")


def take_back(tx: Transaction, push: Push) -> Push:
    """Withdraw it, where it was not taken to the platform yet.

    Raises:
        Refused: it was; the platform cannot be stopped.
    """
    if not push.handed:
        return push
    found = tx.pushes.effects(EVERYBODY, (_key(push),)).get(_key(push))
    # Where there is nothing to be taken back, nothing was written either.
    if not tx.outbox.cancel(EVERYBODY, _key(push)):
        raise Refused(Refusal.PUSH_OVER, "the platform has it already")
    _give_back(tx, push, found)
    return _replace(push, closed=1, taken_back=push.recipients)


def _give_back(tx: Transaction, push: Push, found: Sent | None) -> None:
    month = (found.reserved if found is not None else "") or push.reserved_in
    give_back(tx, push, {month: push.recipients})


class Progress(msgspec.Struct, frozen=True):
    """What the platform says of a narrowcast."""

    push: int
    phase: str
    """``waiting``, ``sending``, ``succeeded`` or ``failed``; others are taken for waiting."""
    success: int
    failure: int
    now: int


def keep(tx: Transaction, progress: Progress) -> tuple[None, Sequence[Fact]]:
    """Remember how a narrowcast went, once it is over."""
    push = tx.pushes.find(EVERYBODY, progress.push)
    if push is None or push.closed or push.state in OVER or not push.request:
        return None, ()
    sent, refused = progress.success, progress.failure
    if progress.phase == "succeeded":
        push = _replace(push, closed=1, recipients=sent + refused, sent=sent, refused=refused)
        push, facts = over(tx, push, "done", progress.now)
    elif progress.phase == "failed":
        push = _replace(push, closed=1, refused=push.recipients)
        push, facts = over(tx, push, "failed", progress.now, "platform")
    else:
        return None, ()
    tx.pushes.save(EVERYBODY, push)
    return None, facts


def _key(push: Push) -> str:
    return f"push/{push.id}"
