"""The posting calendar: planned, posted by hand, reminded of."""

from collections.abc import Sequence

import msgspec

from gateway.domain.line.channel import Channel
from gateway.domain.postings import DUE_SECONDS, Posting, State, remind_at, reminder
from gateway.domain.values import EVERYBODY, SECOND, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.usecases.faults import FAULTS, put_aside
from gateway.usecases.notices import notice_to

REMIND_AT_ONCE = 100
"""Postings that one unit of the background lane looks at."""

_replace = msgspec.structs.replace


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A posting as a person wants it."""

    scope: Scope
    channel: str
    at: int
    title: str
    what: str
    place: str
    responsible: str
    state: State
    friend: int
    """Whom to remind; 0: nobody."""
    remind_minutes: int
    """How long before."""
    actor: str
    now: int
    seed: Seed
    """With one id, for a new one."""


def plan(tx: Transaction, wish: Wish) -> tuple[Posting, Sequence[Fact]]:
    """Put a new posting into the calendar.

    Raises:
        Refused: there is no such channel, or it has no such friend.
    """
    channel = tx.entities.find(wish.scope, Channel, wish.channel)
    if channel is None:
        raise Refused(Refusal.NOT_FOUND)
    return _saved(tx, channel.advertiser, wish.seed.draw().id(), wish, "posting.planned")


class Change(msgspec.Struct, frozen=True):
    """A posting that is to become what is wished."""

    posting: int
    wish: Wish


def change(tx: Transaction, asked: Change) -> tuple[Posting, Sequence[Fact]]:
    """Write a posting anew.

    Raises:
        Refused: the channel has no such posting, or no such friend.
    """
    wish = asked.wish
    posting = tx.postings.find(wish.scope, asked.posting)
    if posting is None or posting.channel != wish.channel:
        raise Refused(Refusal.NOT_FOUND)
    return _saved(tx, posting.advertiser, posting.id, wish, "posting.changed")


def _saved(
    tx: Transaction, advertiser: str, id_: int, wish: Wish, action: str
) -> tuple[Posting, Sequence[Fact]]:
    if wish.friend:
        friend = tx.line.friend_by_id(wish.scope, wish.friend)
        if friend is None or friend.channel != wish.channel or friend.is_group:
            raise Refused(Refusal.UNKNOWN_REFERENCE, "the channel has no such friend")
    posting = Posting(
        id=id_,
        advertiser=advertiser,
        channel=wish.channel,
        at=wish.at,
        title=wish.title,
        what=wish.what,
        place=wish.place,
        responsible=wish.responsible,
        state=wish.state,
        friend=wish.friend,
        remind_at=remind_at(wish.at, wish.remind_minutes, wish.friend, wish.state, wish.now),
        changed_at=wish.now,
        changed_by=wish.actor,
    )
    tx.postings.save(EVERYBODY, posting)
    detail = {"channel": posting.channel, "state": posting.state}
    tx.access.audit(EVERYBODY, wish.now, wish.actor, advertiser, action, str(id_), detail)
    return posting, ()


class Reminding(msgspec.Struct, frozen=True):
    """A round of reminders; the seed has :data:`REMIND_AT_ONCE` ids."""

    now: int
    seed: Seed


def remind(tx: Transaction, round_: Reminding) -> tuple[int, Sequence[Fact]]:
    """Remind whoever posts by hand, once for each posting; returns how many were looked at.

    Not somebody who stopped pushes, and nobody while the advertiser's sends are halted: the
    reminder then waits in the outbox, as long as it makes sense.
    """
    draw, facts = round_.seed.draw(), list[Fact]()
    due = tx.postings.due(EVERYBODY, round_.now, REMIND_AT_ONCE)
    for posting in due:
        tx.postings.save(EVERYBODY, _replace(posting, remind_at=0))
        try:
            _push(tx, posting, draw.id(), round_.now)
        except FAULTS:
            facts.append(put_aside(posting.advertiser, "posting"))
    return len(due), facts


def _push(tx: Transaction, posting: Posting, id_: int, now: int) -> None:
    friend = tx.line.friend_by_id(EVERYBODY, posting.friend)
    over = posting.at + DUE_SECONDS * SECOND
    if friend is None or not friend.can_receive or posting.state != "planned" or over <= now:
        return
    if tx.pushes.stops.has_stopped(EVERYBODY, friend.id):
        return
    effect = notice_to(
        friend,
        reminder(posting, friend.language),
        id_=id_,
        advertiser=posting.advertiser,
        origin="posting",
        # Of another time there is another reminder, of the same one never a second.
        mark=f"{posting.id}/{posting.remind_at}",
        now=now,
        give_up_at=over,
    )
    tx.outbox.add(EVERYBODY, effect)
