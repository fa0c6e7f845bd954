"""Who leaves what was handed out already: they stop pushes, block the channel, or are forgotten."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.domain.insight import push_of
from gateway.domain.line.channel import Channel
from gateway.domain.values import EVERYBODY
from gateway.ports import Transaction
from gateway.ports.pushes import Recipient
from gateway.usecases.quota import release


def leave(
    tx: Transaction, key: str, origin: str, payload: Mapping[str, Any], gone: Sequence[Recipient]
) -> None:
    """Give back what was reserved for those who will not get an effect after all, and have its
    push count them as what they are: as people who stopped, or cannot be reached. Each counts
    once, however often it is seen that they left.
    """
    push = None if (id_ := push_of(origin)) is None else tx.pushes.find(EVERYBODY, id_)
    channel = tx.entities.find(EVERYBODY, Channel, payload["channel"])
    if channel is not None and (month := payload.get("reserved")):
        release(tx, channel, len(gone), month)
    batch = batch_of(key)
    if push is None or batch < push.closed:
        return
    stopped = [each.friend for each in gone if each.has_stopped]
    blocked = [each.friend for each in gone if not each.has_stopped]
    rows = tx.pushes.recipients
    counted = msgspec.structs.replace(
        push,
        stopped=push.stopped + rows.mark(EVERYBODY, push.id, batch, "stopped", stopped),
        blocked=push.blocked + rows.mark(EVERYBODY, push.id, batch, "blocked", blocked),
    )
    tx.pushes.save(EVERYBODY, counted)


def batch_of(key: str) -> int:
    """The batch of an effect of a push, by its key (``push/12/3``, ``push/12/3/45``)."""
    parts = key.split("/")
    return int(parts[2]) if len(parts) > 2 else 0
