"""Friends from before we listened: those whom the platform lists."""

from collections.abc import Sequence

import msgspec

from gateway.domain.line.channel import Channel
from gateway.domain.values import EVERYBODY, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.usecases.line import new_friend


class Listed(msgspec.Struct, frozen=True):
    """Some of those whom the platform lists as friends of a channel."""

    channel: str
    users: tuple[str, ...]
    """At most :data:`LISTED_AT_ONCE`."""
    at: int
    """When they were asked for: what is known of later stands."""
    seed: Seed
    """With an id for each."""


LISTED_AT_ONCE = 500
"""So many friends are taken up in one transaction, behind which webhooks wait."""


def take_up(tx: Transaction, listed: Listed) -> tuple[int, Sequence[Fact]]:
    """Take those for friends of whom nobody told us that they are; returns how many that were.

    They are no new friends: nothing is counted, no series of steps begins, nobody is greeted.

    Raises:
        Refused: there is no such channel any more.
    """
    channel = tx.entities.find(EVERYBODY, Channel, listed.channel)
    if channel is None:
        raise Refused(Refusal.NOT_FOUND)
    draw = listed.seed.draw()
    known = {each.user: each for each in tx.line.friends(EVERYBODY, channel.id, listed.users)}
    taken_up = 0
    for user in dict.fromkeys(listed.users):
        friend = known.get(user) or new_friend(channel, user, listed.at, draw)
        if not friend.can_receive and friend.unfollowed_at < listed.at:
            tx.line.save(EVERYBODY, msgspec.structs.replace(friend, heard_at=listed.at))
            taken_up += 1
    return taken_up, ()
