"""Who follows short links, and by which one a friend came."""

import msgspec

from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import Friend
from gateway.domain.links import ENTRY_SECONDS_LATE, Link, Visitor
from gateway.domain.values import EVERYBODY, SECOND, Counted
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.links import Click, EntryVisit
from gateway.usecases.audience import entered, tag


class Visit(msgspec.Struct, frozen=True):
    """Somebody, or something, asks for a short link."""

    id: int
    code: str
    at: int
    visitor: Visitor


def follow(tx: Transaction, visit: Visit) -> tuple[Link, list[Fact]]:
    """Count a visit, and say where the link leads. A code knows to whom it was sent, not who
    follows it: it may have been passed on.

    Raises:
        Refused: there is no such code, or its link was taken away.
    """
    code = tx.links.find(EVERYBODY, visit.code)
    link = tx.entities.find(EVERYBODY, Link, code.link) if code else None
    if code is None or link is None:
        raise Refused(Refusal.UNKNOWN_CODE)
    friend, origin, owner = code.friend, code.origin, link.advertiser
    click = Click(visit.id, code.code, link.id, owner, visit.at, friend, origin)
    tx.links.count(EVERYBODY, click, visit.visitor)
    facts: list[Fact] = [Counted(owner, "link_clicks_total", (visit.visitor,))]
    if friend and link.tags and visit.visitor == "person":
        known = tx.line.friend_by_id(EVERYBODY, friend)
        if known is not None:
            facts += tag(tx, known, link.tags, visit.at, f"link:{link.id}")
    return link, facts


class Entry(msgspec.Struct, frozen=True):
    """A verified user comes by an entry link."""

    link: str
    user: str
    """As the platform said it, never as a client did."""
    at: int


def enter(tx: Transaction, entry: Entry) -> tuple[bool, list[Fact]]:
    """Remember by which link a user comes; whether they are a friend already.

    Who becomes a friend within a day came by it. Who became one within the last minute did, too:
    LIFF may offer friendship before it opens our page.

    Raises:
        Refused: the link was taken away.
    """
    link = tx.entities.find(EVERYBODY, Link, entry.link)
    channel = tx.entities.find(EVERYBODY, Channel, link.channel) if link else None
    if link is None or channel is None:
        raise Refused(Refusal.UNKNOWN_CODE)
    friend = tx.line.friend(EVERYBODY, channel.id, entry.user)
    is_friend = friend is not None and friend.can_receive
    if friend is not None and is_friend and (friend.entry or _long_ago(friend, entry.at)):
        return True, []
    visit = EntryVisit(channel.id, entry.user, link.advertiser, link.id, entry.at)
    tx.links.visit(EVERYBODY, visit)
    if friend is None or not is_friend:
        return False, []
    return True, entered(tx, friend, friend.followed_at, entry.at)


def _long_ago(friend: Friend, at: int) -> bool:
    return at - friend.followed_at > ENTRY_SECONDS_LATE * SECOND
