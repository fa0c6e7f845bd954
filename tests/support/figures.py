"""What figures are counted from: events, sends, tickets, points and clicks, put into the store."""

from contextlib import closing
from itertools import count
from typing import Any

import msgspec

from gateway.domain.cards import Card, Entry
from gateway.domain.coupons.tickets import Ticket, token_of
from gateway.domain.effects import Effect
from gateway.domain.line.friends import Friend
from gateway.domain.pushes import Everyone, Push, encode_audience, encode_messages
from gateway.domain.values import EVERYBODY, first_id
from gateway.ports import Transaction
from gateway.ports.line import Kept
from gateway.ports.links import Click
from tests.support.stores import Engine

_ordinals = count(1)


def _id(at: int) -> int:
    """An id of the time ``at``, whatever was made before."""
    return first_id(at) + next(_ordinals)


def keep_friend(tx: Transaction, channel: str, **given: Any) -> Friend:
    """A friend of a channel of acme; the fields are those of :class:`Friend`."""
    ordinal = next(_ordinals)
    wanted = {
        "channel": channel,
        "user": f"U{ordinal:032}",
        "id": ordinal,
        "advertiser": "acme",
        "first_at": given.get("followed_at", 0),
    }
    friend = msgspec.convert(wanted | given, Friend)
    tx.line.save(EVERYBODY, friend)
    return friend


def keep_event(
    tx: Transaction, channel: str, kind: str, at: int, received_at: int | None = None
) -> None:
    """Something that happened at ``at``; it was told then, unless later."""
    told = at if received_at is None else received_at
    id_ = _id(told)
    tx.line.keep(EVERYBODY, Kept(id_, channel, f"event-{id_}", "acme", 0, at, told, kind, "", "{}"))


def keep_send(
    tx: Transaction, channel: str, kind: str, at: int, ended_at: int | None = None, *, to: int = 1
) -> None:
    """A message to so many that was asked for at ``at``, and goes out then or later, once
    :func:`all_sent` is called.
    """
    id_ = _id(at)
    users: Any = [f"U{n}" for n in range(to)] if kind == "line.multicast" else "U1"
    payload = msgspec.json.encode({"channel": channel, "to": users, "messages": []}).decode()
    due_at = at if ended_at is None else ended_at
    tx.outbox.add(EVERYBODY, Effect(id_, "acme", kind, f"{kind}/{id_}", payload, due_at))


def all_sent(engine: Engine) -> None:
    """All effects went out when they were due."""
    with closing(engine.raw()) as connection:
        connection.execute("UPDATE outbox SET state = 'done', ended_at = due_at")


def keep_ticket(
    tx: Transaction, channel: str, at: int, *, used_at: int = 0, state: str = "issued"
) -> None:
    """A ticket of a coupon, handed out at ``at``."""
    id_ = _id(at)
    wanted = {
        "id": id_,
        "coupon": "autumn",
        "advertiser": "acme",
        "campaign": "",
        "channel": channel,
        "friend": 1,
        "token": token_of(id_),
        "state": "used" if used_at else state,
        "issued_at": at,
        "expires_at": at + 10**15,
        "uses": int(bool(used_at)),
        "used_at": used_at,
    }
    tx.coupons.save(EVERYBODY, msgspec.convert(wanted, Ticket))


def keep_points(tx: Transaction, channel: str, at: int, *points: tuple[str, int]) -> None:
    """A card with entries: how, and how many points."""
    id_ = _id(at)
    card = Card(
        id=id_,
        root="card",
        card="card",
        advertiser="acme",
        channel=channel,
        friend=id_,
        number=1,
        state="active",
        points=sum(count for _, count in points),
        started_at=at,
        last_at=at,
        visited_at=at,
        full_at=0,
        expires_at=at + 10**15,
        noticed_at=0,
    )
    tx.cards.save(EVERYBODY, card)
    for how, number in points:
        entry = {"id": _id(at), "advertiser": "acme", "card_id": id_, "points": number}
        tx.cards.append(
            EVERYBODY, msgspec.convert(entry | {"at": at, "how": how, "ref": ""}, Entry)
        )


def keep_push(tx: Transaction, channel: str, at: int, **given: Any) -> int:
    """A push that began at ``at``; returns its id."""
    push = Push(
        id=_id(at),
        advertiser="acme",
        channel=channel,
        audience=encode_audience(Everyone()),
        messages=encode_messages(()),
        created_at=at,
        created_by="token:1",
        at=at,
        started_at=at,
        **given,
    )
    tx.pushes.add(EVERYBODY, push)
    return push.id


def keep_click(
    tx: Transaction, at: int, *, link: str = "sale", friend: int = 0, origin: str = ""
) -> None:
    """A person's visit to a short link."""
    click = Click(_id(at), "code", link, "acme", at, friend, origin)
    tx.links.count(EVERYBODY, click, "person")


def stood(followed_at: int, unfollowed_at: int, first_at: int, by: int, heard_at: int = 0) -> str:
    """What somebody was to a channel before the instant ``by``: ``friend``, ``blocked`` or empty.

    Only the latest follow and unfollow are known, 0 where there was none. Where both came later,
    the order of the two tells what was before, of whoever was known then. Whose follow nobody told
    came when we first heard of them; whose return nobody told, when we last did.
    """
    if not followed_at:
        followed_at = first_at if 0 < first_at < heard_at else heard_at
    if followed_at <= unfollowed_at < heard_at:
        followed_at = heard_at
    if followed_at < by and unfollowed_at < by:
        if unfollowed_at and unfollowed_at >= followed_at:
            return "blocked"
        return "friend" if followed_at else ""
    if followed_at < by:
        return "friend" if followed_at else ""
    if unfollowed_at < by:
        return "blocked" if unfollowed_at else ""
    if first_at >= by:
        return ""
    return "friend" if unfollowed_at < followed_at else "blocked"
