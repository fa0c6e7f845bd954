"""LINE: keep what a channel's friends did, and ask for what they get."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.line.decide import Decision, decide, may_answer
from gateway.domain.line.events import KINDS, Event, message_again
from gateway.domain.line.friends import Friend, stream_of
from gateway.domain.surveys import PREFIX
from gateway.domain.values import EVERYBODY, SECOND, Counted, Draw, Seed
from gateway.ports import Fact, Transaction
from gateway.ports.line import Kept
from gateway.usecases import audience, cards, contents, forwarding, surveys
from gateway.usecases.calls import FORGET_AT_ONCE, Forget

IDS_AN_EVENT = 64
"""So many ids one event may need: its own, its friend's, those of what it asks for, and where it
comes late those of what later messages get by it (:data:`gateway.ports.line.MOST_ANEW`)."""

TOKEN_SECONDS = 50
"""A reply token is good for a minute; what is later than this may come too late."""

_encode = msgspec.json.encode
_replace = msgspec.structs.replace


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
    forward: str = ""
    """What a second tool is to get, as :func:`gateway.domain.line.forwarding.written` has it."""


def record(tx: Transaction, incoming: Incoming) -> tuple[int, list[Fact]]:
    """Keep the events of a body that are new, and what is answered; returns how many were new."""
    channel = tx.entities.find(EVERYBODY, Channel, incoming.channel)
    if channel is None:  # taken away since it was asked for
        return 0, []
    draw, now = incoming.seed.draw(), incoming.received_at
    facts: list[Fact] = []
    new = 0
    for event in incoming.events:
        if not tx.line.is_known(EVERYBODY, channel.id, event.id):
            new += 1
            facts += _record(tx, channel, event, now, draw)
    if new:
        notes = incoming.notes
        facts += [Counted(channel.advertiser, "line_notes_total", (note,)) for note in notes]
    if incoming.forward and (new or not incoming.events):  # the console's ping has none
        forwarding.send_on(tx, channel, incoming.forward, incoming.events, now, draw)
    return new, facts


def _record(tx: Transaction, channel: Channel, event: Event, now: int, draw: Draw) -> list[Fact]:
    id_ = draw.id()
    friend = _friend(tx, channel, event, now, draw)
    body = "" if tx.line.is_unsent(EVERYBODY, channel.id, event) else event.raw
    kept = Kept(
        id=id_,
        channel=channel.id,
        event=event.id,
        advertiser=channel.advertiser,
        friend=friend.id if friend else 0,
        at=event.at,
        received_at=now,
        kind=event.kind,
        message_id=event.unsent or event.message_id,
        body=body,
    )
    tx.line.keep(EVERYBODY, kept)
    kind = event.kind if event.kind in KINDS else "other"
    facts: list[Fact] = [Counted(channel.advertiser, "line_events_total", (kind,))]
    if friend is not None:
        if event.unsent:
            tx.line.blank(EVERYBODY, friend.id, event.unsent)
            facts += contents.unsent(tx, channel, event.unsent)
            forwarding.unsent(tx, friend.id, event.unsent)
        decision = decide(channel, friend, event)
        tx.line.save(EVERYBODY, decision.friend)
        facts += _other_rooms(tx, channel, event, friend, decision, now, draw)
        is_pressed = event.known and event.data.startswith(PREFIX)
        if is_pressed and may_answer(channel, friend, event):
            messages, told = surveys.pressed(tx, channel, friend, event.data, draw, now)
            decision = _replace(decision, messages=tuple(messages), origin="survey")
            facts += told
        if body:
            contents.wanted(tx, channel, friend, event, now, draw)
        _ask_for_effects(tx, channel, event, decision, now, draw)
    return facts


def _friend(tx: Transaction, channel: Channel, event: Event, now: int, draw: Draw) -> Friend | None:
    """Who it is about: the group where there is one, since it is there that we answer."""
    user = event.place or event.user
    if not user:
        return None
    known = tx.line.friend(EVERYBODY, channel.id, user)
    return known or new_friend(channel, user, event.at or now, draw, is_group=bool(event.place))


def new_friend(
    channel: Channel, user: str, at: int, draw: Draw, *, is_group: bool = False
) -> Friend:
    """Somebody, or with ``is_group`` a group, of whom we hear for the first time."""
    return Friend(
        channel=channel.id,
        user=user,
        id=draw.id(),
        advertiser=channel.advertiser,
        first_at=at,
        is_group=is_group,
    )


def _other_rooms(
    tx: Transaction,
    channel: Channel,
    event: Event,
    before: Friend,
    decision: Decision,
    now: int,
    draw: Draw,
) -> list[Fact]:
    """What tags, series of steps, shop cards and the stop of pushes make of an event."""
    friend = decision.friend
    facts: list[Fact] = []
    if not event.known or friend.is_group:
        return facts
    if decision.tags:
        facts += audience.tag(tx, friend, decision.tags, now)
    if event.kind == "follow" and friend.state == "friend":
        facts += audience.befriended(tx, channel, friend, event.at, draw, now)
        facts += cards.befriended(tx, channel, friend, draw, now)
    elif event.kind == "unfollow" and friend.state == "blocked":
        facts += audience.left(tx, channel, friend, now)
    elif event.text or event.data:
        audience.said(tx, friend, event.text or event.data, now)
    if event.kind != "follow" and friend.can_receive and not before.can_receive:
        # A friend after all, though no new one: what they scanned meanwhile is theirs.
        facts += cards.befriended(tx, channel, friend, draw, now)
    return facts


def _ask_for_effects(
    tx: Transaction,
    channel: Channel,
    event: Event,
    decision: Decision,
    now: int,
    draw: Draw,
) -> None:
    """Put into the outbox what a friend is to get, and take back what they are not to get."""
    friend = decision.friend
    if decision.is_end:
        stream = stream_of(channel.id, friend.user)
        tx.outbox.cancel(EVERYBODY, stream, "line.reply", before=event.at)
    if decision.profile:
        about = {"channel": channel.id, "user": friend.user}
        tx.outbox.add(EVERYBODY, _effect("line.profile", channel, event, about, now, draw))
    if decision.messages:
        tx.outbox.add(EVERYBODY, _reply(channel, event, decision, now, draw))
    if decision.anew:
        _decide_anew(tx, channel, friend, decision.anew, now, draw)


def _reply(channel: Channel, event: Event, decision: Decision, now: int, draw: Draw) -> Effect:
    said = {
        "channel": channel.id,
        "user": decision.friend.user,
        "token": event.reply_token,
        "messages": list(decision.messages),
    }
    effect = _effect("line.reply", channel, event, said, now, draw)
    give_up_at = now + TOKEN_SECONDS * SECOND
    return _replace(effect, origin=decision.origin, give_up_at=give_up_at)


def _decide_anew(
    tx: Transaction,
    channel: Channel,
    friend: Friend,
    span: tuple[int, int],
    now: int,
    draw: Draw,
) -> None:
    """Take back, or ask for, the replies to messages of ``span``, by what is known now.

    What was sent stays sent. What a message did beside its reply, it did when it came.
    """
    place = friend.user if friend.is_group else ""
    said = {
        f"line.reply/{channel.id}/{kept.event}": kept
        for kept in tx.line.messages(EVERYBODY, friend.id, *span)
    }
    if not said:
        return
    stream = stream_of(channel.id, friend.user)
    there = set(tx.outbox.withdraw(EVERYBODY, stream, list(said)))
    for key, kept in said.items():
        event = message_again(kept.event, kept.at, kept.body, friend.user, place)
        if event is None or key in there:
            continue
        decision = decide(channel, friend, event)
        if decision.messages:
            reply = _reply(channel, event, decision, kept.received_at, draw)
            tx.outbox.add(EVERYBODY, _replace(reply, due_at=now))


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
            _replace(
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
