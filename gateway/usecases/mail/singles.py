"""Single mails: what is looked at once more right before one goes."""

from collections.abc import Sequence

import msgspec

from gateway.domain.values import EVERYBODY
from gateway.ports import Fact, Transaction


class Look(msgspec.Struct, frozen=True):
    """A single mail is about to go, maybe long after it was asked for."""

    advertiser: str
    list: str
    hash: bytes
    """Of the address that it goes to."""
    topic: str
    now: int
    since: int = -1
    """Stops of that instant and before are no obstacle: whoever stopped a list and asks for it
    again has to be asked to confirm."""
    signup: int = 0
    """The sign-up that it is about; 0: none."""


def is_stopped(tx: Transaction, look: Look) -> tuple[bool, Sequence[Fact]]:
    """Whether the mail must not go: somebody stopped it meanwhile, or complained."""
    stops = tx.mail.suppressions.of(EVERYBODY, look.advertiser, (look.hash,)).get(look.hash, ())
    standing = [each for each in stops if each.covers(look.list, look.topic, look.now)]
    if any(each.at > look.since for each in standing):
        return True, ()
    if not standing or not look.signup:
        return False, ()
    # Whoever stops a second time leaves the first stop as it was, but their sign-up is dropped.
    signup = tx.mail.entrance.signups.find(EVERYBODY, look.signup)
    return signup is None or signup.state == "dropped", ()
