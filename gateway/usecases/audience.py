"""Tags of friends, who wants no pushes, and what follows of friends' coming and going."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from gateway.domain.access import Access
from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import Friend
from gateway.domain.links import Link
from gateway.domain.values import EVERYBODY, Counted, Draw, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.audience import TagOf
from gateway.usecases import steps

STOP, START = "gw/stop", "gw/start"
"""What a friend sends, or a button's data says, to get no pushes any more, or to get them again.
"""


def tag(
    tx: Transaction, friend: Friend, tags: Iterable[str], now: int, source: str = "rule"
) -> list[Fact]:
    """Give tags to a friend; each that is new may begin and end series of steps."""
    added = 0
    if friend.is_group:
        return []
    for name in dict.fromkeys(tags):
        new = TagOf(friend.id, name, friend.advertiser, friend.channel, now, source)
        if not tx.audience.tag(EVERYBODY, new):
            continue
        added += 1
        steps.end(tx, friend.id, "tagged", now, tag=name)
        if friend.can_receive:
            steps.begin(tx, friend, f"tag:{name}", now)
    return [Counted(friend.advertiser, "line_tags_total", ("added",), added)] if added else []


def untag(tx: Transaction, friend: Friend, tags: Iterable[str]) -> list[Fact]:
    """Take tags from a friend."""
    removed = sum(tx.audience.untag(EVERYBODY, friend.id, name) for name in dict.fromkeys(tags))
    return [Counted(friend.advertiser, "line_tags_total", ("removed",), removed)] if removed else []


def befriended(
    tx: Transaction, channel: Channel, friend: Friend, at: int, draw: Draw, now: int
) -> list[Fact]:
    """What follows of a follow at ``at``: which entry link it came by, and series that begin.

    The friend may be saved anew with its entry: who goes on with it asks for it once more.
    """
    if friend.is_group:
        return []
    facts = entered(tx, friend, at, now)
    if friend.can_receive:
        steps.begin(tx, friend, "follow", at)
    return facts


def entered(tx: Transaction, friend: Friend, at: int, now: int) -> list[Fact]:
    """Remember by which entry link a friend came at ``at``, where a verified visit tells."""
    visit = tx.links.came(EVERYBODY, friend.channel, friend.user, at)
    if visit is None:
        return []
    friend = msgspec.structs.replace(friend, entry=visit.link)
    tx.line.save(EVERYBODY, friend)
    link = tx.entities.find(EVERYBODY, Link, visit.link)
    return tag(tx, friend, link.tags, now, f"entry:{visit.link}") if link else []


def left(tx: Transaction, channel: Channel, friend: Friend, now: int) -> list[Fact]:
    """What follows of an unfollow: nothing more is on its way."""
    steps.end(tx, friend.id, "blocked", now)
    return []


# --- who wants no pushes ---


def stop(tx: Transaction, friend: Friend, now: int, source: str) -> bool:
    """No more pushes for a friend, until :func:`start`; whether that is new."""
    steps.end(tx, friend.id, "stopped", now)
    return tx.pushes.stops.stop(
        EVERYBODY, friend.id, friend.advertiser, friend.channel, now, source
    )


def start(tx: Transaction, friend: Friend) -> bool:
    """Pushes for a friend again; whether they had been stopped."""
    return tx.pushes.stops.start(EVERYBODY, friend.id)


def said(tx: Transaction, friend: Friend, words: str, now: int) -> None:
    """Heed :data:`STOP` and :data:`START` in what a friend wrote, or a button said."""
    if words == STOP:
        stop(tx, friend, now, "friend")
    elif words == START:
        start(tx, friend)


# --- by the API ---


class Change(msgspec.Struct, frozen=True):
    """What a person changes of one friend."""

    scope: Scope
    access: Access
    friend: int
    what: Literal["tag", "untag", "stop", "start"]
    now: int
    tag: str = ""


def change(tx: Transaction, wish: Change) -> tuple[None, list[Fact]]:
    """Do it, and write into the audit who did; what is so already is no error.

    Raises:
        Refused: there is no such friend.
    """
    friend = tx.line.friend_by_id(wish.scope, wish.friend)
    if friend is None or friend.is_group:
        raise Refused(Refusal.NOT_FOUND)
    actor, facts = wish.access.actor, list[Fact]()
    if wish.what == "tag":
        facts = tag(tx, friend, (wish.tag,), wish.now, actor)
    elif wish.what == "untag":
        facts = untag(tx, friend, (wish.tag,))
    elif wish.what == "stop":
        stop(tx, friend, wish.now, actor)
    else:
        start(tx, friend)
    detail = {"tag": wish.tag} if wish.tag else {}
    action = {
        "tag": "friend.tagged",
        "untag": "friend.untagged",
        "stop": "friend.pushes_stopped",
        "start": "friend.pushes_started",
    }[wish.what]
    tx.access.audit(EVERYBODY, wish.now, actor, friend.advertiser, action, str(friend.id), detail)
    return None, facts
