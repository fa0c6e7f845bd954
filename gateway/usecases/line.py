"""LINE: keep what a channel's friends did, and ask for what they get."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.line.decide import Decision, decide
from gateway.domain.line.events import KINDS, Event
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, SECOND, Counted, Draw, Seed
from gateway.ports import Fact, Transaction
from gateway.ports.line import Kept
from gateway.usecases.calls import FORGET_AT_ONCE, Forget

IDS_AN_EVENT = 16
"""So many ids one event may need: its own, its friend's, those of what it asks for."""

TOKEN_SECONDS = 50
"""A reply token is good for a minute; what is later than this may come too late."""

_encode = msgspec.json.encode


class Incoming(msgspec.Struct, frozen=True):
    """A webhook's body on its way into the store."""

    room: ClassVar[str] = "line"

    channel: str
    events: tuple[Event, ...]
    """In the order of their instants."""
    received_at: int
    seed: Seed
    notes: tuple[str, ...] = ()
    """What was unusual in it, as often as it was."""


def record(tx: Transaction, incoming: Incoming) -> tuple[int, list[Fact]]:
    """Keep the events of a body that are new, and what is answered; returns how many were new."""
    channel = tx.entities.find(EVERYBODY, Channel, incoming.channel)
    if channel is None:  # taken away since it was asked for
        return 0, []
    draw = incoming.seed.draw()
    facts: list[Fact] = []
    for event in incoming.events:
        if not tx.line.is_known(EVERYBODY, channel.id, event.id):
            facts += _record(tx, channel, event, incoming.received_at, draw)
    new = len(facts)
    if new:
        facts += [
            Counted(channel.advertiser, "line_notes_total", (note,)) for note in incoming.notes
        ]
    return new, facts


def _record(
    tx: Transaction, channel: Channel, event: Event, received_at: int, draw: Draw
) -> list[Fact]:
    id_ = draw.id()
    friend = _friend(tx, channel, event, received_at, draw)
    body = "" if tx.line.is_unsent(EVERYBODY, channel.id, event) else event.raw
    kept = Kept(
        id=id_,
        channel=channel.id,
        event=event.id,
        advertiser=channel.advertiser,
        friend=friend.id if friend else 0,
        at=event.at,
        received_at=received_at,
        kind=event.kind,
        message_id=event.unsent or event.message_id,
        body=body,
    )
    tx.line.keep(EVERYBODY, kept)
    if friend is not None:
        if event.unsent:
            tx.line.blank(EVERYBODY, friend.id, event.unsent)
        decision = decide(channel, friend, event)
        _follow_up(tx, channel, event, decision, received_at, draw)
    kind = event.kind if event.kind in KINDS else "other"
    return [Counted(channel.advertiser, "line_events_total", (kind,))]


def _friend(
    tx: Transaction, channel: Channel, event: Event, received_at: int, draw: Draw
) -> Friend | None:
    """Who it is about: the group where there is one, since it is there that we answer."""
    user = event.place or event.user
    if not user:
        return None
    return tx.line.friend(EVERYBODY, channel.id, user) or Friend(
        channel=channel.id,
        user=user,
        id=draw.id(),
        advertiser=channel.advertiser,
        first_at=event.at or received_at,
        is_group=bool(event.place),
    )


def _follow_up(
    tx: Transaction,
    channel: Channel,
    event: Event,
    decision: Decision,
    received_at: int,
    draw: Draw,
) -> None:
    friend = decision.friend
    tx.line.save(EVERYBODY, friend)
    stream = stream_of(channel.id, friend.user)
    if decision.void:
        tx.outbox.cancel(EVERYBODY, stream, "line.reply", *decision.void)
    if decision.profile:
        about = {"channel": channel.id, "user": friend.user}
        tx.outbox.add(EVERYBODY, _effect("line.profile", channel, event, about, received_at, draw))
    if decision.messages:
        said = {
            "channel": channel.id,
            "user": friend.user,
            "token": event.reply_token,
            "messages": list(decision.messages),
        }
        effect = _effect("line.reply", channel, event, said, received_at, draw)
        tx.outbox.add(
            EVERYBODY,
            msgspec.structs.replace(
                effect,
                origin=decision.origin,
                give_up_at=received_at + TOKEN_SECONDS * SECOND,
            ),
        )


def _effect(
    kind: str,
    channel: Channel,
    event: Event,
    payload: dict[str, Any],
    now: int,
    draw: Draw,
) -> Effect:
    return Effect(
        id=draw.id(),
        advertiser=channel.advertiser,
        kind=kind,
        key=f"{kind}/{channel.id}/{event.id}",
        payload=_encode(payload).decode(),
        due_at=now,
        stream=stream_of(channel.id, event.place or event.user),
        order_at=event.at,
    )


def stream_of(channel: str, user: str) -> str:
    """The stream of what a friend gets: one thing after the other."""
    return f"line/{channel}/{user}"


class Profile(msgspec.Struct, frozen=True):
    """What the platform tells of a user."""

    channel: str
    user: str
    name: str
    picture_url: str = ""
    language: str = ""


def keep_profile(tx: Transaction, profile: Profile) -> tuple[None, Sequence[Fact]]:
    """Remember what a friend is called."""
    friend = tx.line.friend(EVERYBODY, profile.channel, profile.user)
    if friend is not None:
        tx.line.save(
            EVERYBODY,
            msgspec.structs.replace(
                friend,
                name=profile.name,
                picture_url=profile.picture_url,
                language=profile.language,
            ),
        )
    return None, ()


def forget(tx: Transaction, job: Forget) -> tuple[int, Sequence[Fact]]:
    """Clear what has passed its retention, a bounded piece at a time; returns how much it was."""
    return tx.line.forget(EVERYBODY, job.what, job.before, FORGET_AT_ONCE), ()
