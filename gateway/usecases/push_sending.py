"""How pushes are sent: recipients are fixed, handed out batch by batch, and heard of.

A push goes one step at a time, each in a transaction of its own that leaves it where the next one
goes on. A batch is handed to the outbox in the transaction that marks its recipients: whatever
breaks off in between, nobody is handed out twice, and nobody is left out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.domain.audience import EVERYONE, Condition, Segment, decode_filter, encode_filter
from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import stream_of
from gateway.domain.line.sending import OWN_PUSHES
from gateway.domain.pushes import (
    AHEAD,
    LATE,
    OVER,
    PAGE,
    Closing,
    Demographic,
    Named,
    OfSegment,
    Push,
    after_quiet,
    closed,
)
from gateway.domain.values import EVERYBODY, SECOND, Draw, Seed
from gateway.ports import Fact, Transaction
from gateway.ports.pushes import Recipient, RecipientState, Sent
from gateway.usecases import narrowcasts
from gateway.usecases.links import linked, missing
from gateway.usecases.push_quota import give_back, is_of_now, over, promise, renew

IDS_A_STEP = 512
"""So many ids one step may need."""

_LOOK = SECOND // 2
"""So long after nothing came of a look the next one is taken."""

_ENDED: Mapping[str, RecipientState] = {"done": "sent", "dead": "refused", "unknown": "unknown"}

_encode = msgspec.json.encode
_replace = msgspec.structs.replace


class Advance(msgspec.Struct, frozen=True):
    """The wish to take the most urgent push a step on."""

    now: int
    seed: Seed
    """With :data:`IDS_A_STEP` ids."""


def advance(tx: Transaction, job: Advance) -> tuple[bool, Sequence[Fact]]:
    """Take one step of the push that has been due the longest; whether there was one."""
    push = tx.pushes.due(EVERYBODY, job.now)
    if push is None:
        return False, ()
    channel = tx.entities.find(EVERYBODY, Channel, push.channel)
    push, facts = _step(tx, push, channel, job)
    tx.pushes.save(EVERYBODY, push)
    return True, facts


def _step(
    tx: Transaction, push: Push, channel: Channel | None, job: Advance
) -> tuple[Push, Sequence[Fact]]:
    now = job.now
    push = _hear(tx, push)
    if push.state in OVER:
        is_open = push.closed < push.handed and not isinstance(push.whom, Demographic)
        return _replace(push, due_at=now + _LOOK if is_open else None), ()
    if channel is None:
        return over(tx, push, "failed", now, "channel")
    later = after_quiet(channel.quiet, now)
    if later > now and _has_more(push):
        is_open = push.closed < push.handed
        return _replace(push, due_at=now + _LOOK if is_open else later), ()
    if push.state == "scheduled":
        return _start(tx, push, channel, now)
    if isinstance(push.whom, Demographic):
        return narrowcasts.step(tx, push, channel, now, job.seed.draw())
    if push.state == "preparing":
        return _prepare(tx, push, channel, now)
    return _send(tx, push, channel, now, job.seed.draw())


def _has_more(push: Push) -> bool:
    """Whether anything is still to be handed out."""
    if push.state != "sending":
        return True
    return push.handed < (1 if isinstance(push.whom, Demographic) else push.batches)


# --- before anything is sent ---


def _start(tx: Transaction, push: Push, channel: Channel, now: int) -> tuple[Push, Sequence[Fact]]:
    whom = push.whom
    condition: Condition = EVERYONE
    if isinstance(whom, OfSegment):
        segment = tx.entities.find(EVERYBODY, Segment, whom.segment)
        if segment is None or segment.channel != channel.id:
            return over(tx, push, "failed", now, "segment")
        condition = segment.filter
    if missing(tx, EVERYBODY, channel.id, push.said):
        return over(tx, push, "failed", now, "link")
    text = encode_filter(condition)
    return _replace(push, state="preparing", started_at=now, filter=text, due_at=now), ()


def _prepare(
    tx: Transaction, push: Push, channel: Channel, now: int
) -> tuple[Push, Sequence[Fact]]:
    """Fix some recipients; once it is all of them, see whether the quota has room."""
    if push.prepared_to == _ALL:
        return promise(tx, push, channel, now)
    whom = push.whom
    if isinstance(whom, Named):
        friends, reached = tx.audience.named(EVERYBODY, channel.id, whom.friends), ""
    else:
        condition = decode_filter(push.filter)
        some = tx.audience.members(
            EVERYBODY, channel.id, condition, push.started_at, push.prepared_to, PAGE
        )
        friends, reached = some.friends, some.reached
    for batch, members in _batches(push, friends):
        tx.pushes.recipients.fix(EVERYBODY, push.id, batch, members)
    recipients = push.recipients + len(friends)
    return _replace(push, recipients=recipients, prepared_to=reached or _ALL, due_at=now), ()


_ALL = "*"
"""All recipients are fixed; no user is called so."""


def _batches(push: Push, friends: Sequence[int]) -> list[tuple[int, Sequence[int]]]:
    """``friends`` behind those that are fixed already, by batch."""
    size, first = push.batch_size, push.recipients
    found: dict[int, list[int]] = {}
    for ordinal, friend in enumerate(friends, first):
        found.setdefault(ordinal // size, []).append(friend)
    return list(found.items())


# --- batch by batch ---


def _send(
    tx: Transaction, push: Push, channel: Channel, now: int, draw: Draw
) -> tuple[Push, Sequence[Fact]]:
    if push.handed < push.batches and push.handed - push.closed < AHEAD:
        if not is_of_now(push, now):
            return renew(tx, push, channel, now)
        return _replace(_hand(tx, push, now, draw), due_at=now), ()
    if push.closed >= push.batches:
        return over(tx, push, "done", now)
    return _replace(push, due_at=now + _LOOK), ()


def _hand(tx: Transaction, push: Push, now: int, draw: Draw) -> Push:
    """Hand the next batch to the outbox: to those of it who still want it, and for whom there is
    quota.
    """
    batch, rows = push.handed, tx.pushes.recipients
    found = rows.of(EVERYBODY, push.id, batch, "fixed")
    stopped = [each.friend for each in found if each.has_stopped]
    blocked = [each.friend for each in found if not each.has_stopped and not each.can_receive]
    to = [each for each in found if not each.has_stopped and each.can_receive]
    to, too_many = to[: push.budget], [each.friend for each in to[push.budget :]]
    handed = [each.friend for each in to]
    marks: dict[RecipientState, list[int]] = {
        "stopped": stopped,
        "blocked": blocked,
        "over_quota": too_many,
        "handed": handed,
    }
    for state, friends in marks.items():
        rows.mark(EVERYBODY, push.id, batch, state, friends)
    if to:
        _ask(tx, push, batch, to, now, draw)
    return _replace(
        push,
        handed=batch + 1,
        budget=push.budget - len(to),
        stopped=push.stopped + len(stopped),
        blocked=push.blocked + len(blocked),
        over_quota=push.over_quota + len(too_many),
    )


def _ask(
    tx: Transaction, push: Push, batch: int, to: Sequence[Recipient], now: int, draw: Draw
) -> None:
    """One multicast, or a push for each."""
    friends = [each.friend for each in to] if push.singly else [0]
    said = linked(tx, push.said, push.origin, friends, draw, now)
    if not push.singly:
        users = [each.user for each in to]
        _add(tx, push, _key(push, batch), batch, users, said[0], now, draw)
        return
    for each in to:
        key = _key(push, batch, each.friend)
        _add(tx, push, key, batch, each.user, said[each.friend], now, draw)


def _stream(push: Push, user: str = "") -> str:
    """Multicasts go one after the other; a push to one friend waits for none to another."""
    return stream_of(push.channel, user) + OWN_PUSHES if push.singly else f"push/{push.id}"


def _key(push: Push, batch: int, friend: int = 0) -> str:
    return f"push/{push.id}/{batch}/{friend}" if push.singly else f"push/{push.id}/{batch}"


def _add(
    tx: Transaction,
    push: Push,
    key: str,
    batch: int,
    to: str | list[str],
    messages: Sequence[Any],
    now: int,
    draw: Draw,
) -> None:
    payload: dict[str, Any] = {
        "channel": push.channel,
        "to": to,
        "messages": messages,
        "reserved": push.reserved_in,
    }
    if push.silent:
        payload["notificationDisabled"] = True
    if push.unit:
        payload["customAggregationUnits"] = [push.unit]
    effect = Effect(
        id=draw.id(),
        advertiser=push.advertiser,
        kind="line.push" if push.singly else "line.multicast",
        key=key,
        payload=_encode(payload).decode(),
        due_at=now,
        stream=_stream(push, to if isinstance(to, str) else ""),
        order_at=push.id if push.singly else batch,
        give_up_at=now + LATE,
        origin=push.origin,
    )
    tx.outbox.add(EVERYBODY, effect)


# --- what came of it ---


def _hear(tx: Transaction, push: Push) -> Push:
    """Close the batches of which is known what came of them, in their order."""
    if isinstance(push.whom, Demographic):
        return push
    while push.closed < push.handed:
        handed = _handed(tx, push, push.closed)
        sent = tx.pushes.effects(EVERYBODY, list(handed))
        if any(each.state not in _ENDED for each in sent.values()):
            break
        push = _close(tx, push, handed, sent)
    return push


def _handed(tx: Transaction, push: Push, batch: int) -> dict[str, list[int]]:
    """The keys of a batch, each with the friends that it is for."""
    return _by_key(push, batch, tx.pushes.recipients.of(EVERYBODY, push.id, batch, "handed"))


def _by_key(push: Push, batch: int, found: Sequence[Recipient]) -> dict[str, list[int]]:
    by_key: dict[str, list[int]] = {}
    for each in found:
        by_key.setdefault(_key(push, batch, each.friend), []).append(each.friend)
    return by_key


def _close(
    tx: Transaction,
    push: Push,
    handed: Mapping[str, Sequence[int]],
    sent: Mapping[str, Sent],
) -> Push:
    by_state: dict[RecipientState, list[int]] = {"sent": [], "refused": [], "unknown": []}
    unused: Counter[str] = Counter()
    for key, friends in handed.items():
        # An effect that is not there any more was cleared away before it was heard of.
        state = _ENDED[sent[key].state] if key in sent else "unknown"
        by_state[state] += friends
        if state != "sent":
            unused[_month(push, sent, key)] += len(friends)
    for state, friends in by_state.items():
        tx.pushes.recipients.mark(EVERYBODY, push.id, push.closed, state, friends)
    counts = {state: len(friends) for state, friends in by_state.items()}
    give_back(tx, push, unused)
    return closed(push, Closing(counts["sent"], counts["refused"], counts["unknown"]))


def _month(push: Push, sent: Mapping[str, Sent], key: str) -> str:
    """In which month it is reserved; where its effect does not say any more, it was not moved."""
    return (sent[key].reserved if key in sent else "") or push.reserved_in


def take_back(tx: Transaction, push: Push) -> Push:
    """Withdraw what was handed out, and was not taken to the platform yet.

    Raises:
        Refused: it is a narrowcast, and the platform has it.
    """
    if isinstance(push.whom, Demographic):
        return narrowcasts.take_back(tx, push)
    push = _hear(tx, push)
    rows = tx.pushes.recipients
    found = {
        batch: rows.of(EVERYBODY, push.id, batch, "handed")
        for batch in range(push.closed, push.handed)
    }
    open_ = {batch: _by_key(push, batch, some) for batch, some in found.items()}
    keys = [key for handed in open_.values() for key in handed]
    before = tx.pushes.effects(EVERYBODY, keys)
    if push.singly:
        for user in {each.user for some in found.values() for each in some}:
            tx.outbox.cancel(EVERYBODY, _stream(push, user), "", push.id, push.id + 1)
    else:
        tx.outbox.cancel(EVERYBODY, _stream(push))
    after = tx.pushes.effects(EVERYBODY, keys)
    unused: Counter[str] = Counter()
    for batch, handed in open_.items():
        gone = {key: friends for key, friends in handed.items() if key not in after}
        friends = [friend for each in gone.values() for friend in each]
        rows.mark(EVERYBODY, push.id, batch, "taken_back", friends)
        for key, each in gone.items():
            unused[_month(push, before, key)] += len(each)
    give_back(tx, push, unused)
    return _replace(push, taken_back=push.taken_back + unused.total())


class Forget(msgspec.Struct, frozen=True):
    """A piece of clean-up: recipients of pushes of before an instant (microseconds)."""

    before: int


def forget(tx: Transaction, job: Forget) -> tuple[int, tuple[Fact, ...]]:
    """Delete recipients whose time has passed, a batch at a time; returns how many went."""
    return tx.pushes.recipients.forget(EVERYBODY, job.before, 500), ()
