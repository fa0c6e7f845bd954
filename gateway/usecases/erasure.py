"""Taking a person out of the store, at their wish."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.domain.line.friends import stream_of
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.pushes import Recipient
from gateway.usecases import steps
from gateway.usecases.contents import withdraw
from gateway.usecases.leaving import leave


class Erasing(msgspec.Struct, frozen=True):
    """A friend who wants to be forgotten."""

    scope: Scope
    friend: int
    actor: str
    now: int


def erase(tx: Transaction, wish: Erasing) -> tuple[Mapping[str, int], Sequence[Fact]]:
    """Clear whatever tells who a friend is and what they said; figures stay. Returns how many rows
    of what were cleared.

    What is on its way to them at this moment may still arrive. Whoever writes again later is a new
    friend, of whom nothing is known.

    Raises:
        Refused: there is no such friend.
    """
    friend = tx.line.friend_by_id(wish.scope, wish.friend)
    if friend is None:
        raise Refused(Refusal.NOT_FOUND)
    facts: list[Fact] = []
    contents = tx.contents.of_friend(EVERYBODY, friend.id)
    for content in contents:
        facts += withdraw(tx, content, "erased")
    steps.end(tx, friend.id, "blocked", wish.now)
    nobody = Recipient(friend.id, friend.user, can_receive=False, has_stopped=False)
    for open_ in tx.erasure.expecting(EVERYBODY, friend):
        leave(tx, open_.key, open_.origin, msgspec.json.decode(open_.payload), (nobody,))
    tx.outbox.cancel(EVERYBODY, stream_of(friend.channel, friend.user))
    cleared = {**tx.erasure.erase(EVERYBODY, friend, wish.now), "contents": len(contents)}
    tx.access.audit(
        EVERYBODY,
        wish.now,
        wish.actor,
        friend.advertiser,
        "friend.erased",
        str(friend.id),
        cleared,
    )
    return cleared, facts
