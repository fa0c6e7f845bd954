"""The staff's inbox: answer friends, share conversations, keep notes and templates."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.domain.effects import Effect
from gateway.domain.hours import month_of
from gateway.domain.line import conversations
from gateway.domain.line.channel import Channel, Message
from gateway.domain.line.friends import Friend, stream_of
from gateway.domain.values import EVERYBODY, Draw, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.inbox import Note, Template
from gateway.usecases.messages import check_messages
from gateway.usecases.sending import is_ours

IDS = 1
"""So many ids one wish may need."""

ORIGIN = "staff:"
"""What the origin of an effect begins with that a member of staff asked for; who follows."""

_encode = msgspec.json.encode
_decode = msgspec.json.decode

NOTHING: tuple[Fact, ...] = ()


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a member of staff wants of one conversation."""

    scope: Scope
    friend: int
    actor: str
    at: int


def _found(tx: Transaction, wish: Wish) -> Friend:
    friend = tx.line.friend_by_id(wish.scope, wish.friend)
    if friend is None or not wish.scope.covers(friend.advertiser):
        raise Refused(Refusal.NOT_FOUND)
    return friend


def _audit(
    tx: Transaction, wish: Wish, friend: Friend, action: str, **detail: str | int | bool
) -> None:
    tx.access.audit(
        EVERYBODY, wish.at, wish.actor, friend.advertiser, action, str(friend.id), detail
    )


# --- answering ---


class Sending(Wish, frozen=True, kw_only=True):
    """Messages of a member of staff: one of the three."""

    seed: Seed
    text: str = ""
    """As it is: braces stand for themselves."""
    messages: Sequence[Message] = ()
    template: int | None = None


class Sent(msgspec.Struct, frozen=True):
    """What was asked to be sent."""

    effect: int
    costs: int | None
    """Messages of the month; ``None`` in a group, where each member is one."""
    left: int | None
    """What the month has left after it; ``None`` where there is no limit, or nobody knows."""


def send(tx: Transaction, wish: Sending) -> tuple[Sent, tuple[Fact, ...]]:
    """Push messages to a friend. It counts against the month, and from then on people answer.

    Raises:
        Refused: there is no such friend, or nothing reaches them; what is to be sent is none of
            the platform's messages, or names what the channel has not; or the month is used up.
    """
    friend = _found(tx, wish)
    channel = tx.entities.find(EVERYBODY, Channel, friend.channel)
    if channel is None:
        raise Refused(Refusal.NOT_FOUND)
    if friend.state in ("blocked", "left"):
        raise Refused(Refusal.FRIEND_GONE, "they have blocked the channel, or left")
    messages = _messages(tx, wish, friend)
    check_messages(tx, channel.advertiser, channel.id, messages)
    if friend.is_group and any(map(is_ours, messages)):
        detail = "messages: coupons, cards and surveys are for one friend, not for a group"
        raise Refused(Refusal.MESSAGE_INVALID, detail)
    month = tx.outbox.quotas.find(EVERYBODY, channel.id, month_of(wish.at))
    left = month.left if month else None
    if left == 0:
        raise Refused(Refusal.QUOTA_TOO_SMALL, "the channel's month is used up")
    effect = _push(channel, friend, messages, wish, wish.seed.draw())
    tx.outbox.add(EVERYBODY, effect)
    answered = conversations.answered(friend, wish.actor, channel.staff_minutes, wish.at)
    tx.line.save(EVERYBODY, answered)
    _audit(tx, wish, friend, "conversation.answered", effect=str(effect.id), messages=len(messages))
    costs = None if friend.is_group else 1
    return Sent(effect.id, costs, None if left is None else left - 1), NOTHING


def _messages(tx: Transaction, wish: Sending, friend: Friend) -> Sequence[Message]:
    messages = wish.messages
    if wish.text:
        messages = [{"type": "text", "text": _literal(wish.text)}]
    elif wish.template is not None:
        template = tx.inbox.template(wish.scope, wish.template)
        if (
            template is None
            or template.advertiser != friend.advertiser
            or template.channel not in ("", friend.channel)
        ):
            raise Refused(Refusal.UNKNOWN_REFERENCE, "no such template for this channel")
        messages = _decode(template.messages)
    return messages


def _literal(text: str) -> str:
    """A text whose braces mean no variables."""
    return text.replace("{", "{{").replace("}", "}}")


def _push(
    channel: Channel, friend: Friend, messages: Sequence[Message], wish: Wish, draw: Draw
) -> Effect:
    id_ = draw.id()
    payload: dict[str, Any] = {
        "channel": channel.id,
        "to": friend.user,
        "messages": list(messages),
    }
    return Effect(
        id=id_,
        advertiser=channel.advertiser,
        kind="line.push",
        key=f"inbox/{id_}",
        payload=_encode(payload).decode(),
        due_at=wish.at,
        stream=stream_of(channel.id, friend.user),
        order_at=wish.at,
        origin=ORIGIN + wish.actor,
    )


# --- sharing ---


def read(tx: Transaction, wish: Wish) -> tuple[None, tuple[Fact, ...]]:
    """Nothing of a conversation waits any more."""
    friend = _found(tx, wish)
    tx.line.save(EVERYBODY, conversations.seen(friend))
    _audit(tx, wish, friend, "conversation.read", unread=friend.unread)
    return None, NOTHING


class Assignment(Wish, frozen=True, kw_only=True):
    """Who has a conversation from now on; nobody where it is empty."""

    assignee: str


def assign(tx: Transaction, wish: Assignment) -> tuple[None, tuple[Fact, ...]]:
    """Give a conversation to a member of staff, or to nobody."""
    friend = _found(tx, wish)
    tx.line.save(EVERYBODY, msgspec.structs.replace(friend, assigned=wish.assignee))
    _audit(tx, wish, friend, "conversation.assigned", to=wish.assignee)
    return None, NOTHING


class Handover(Wish, frozen=True, kw_only=True):
    """Who answers from now on: people, or the rules."""

    staff: bool


def hand_over(tx: Transaction, wish: Handover) -> tuple[None, tuple[Fact, ...]]:
    """Let people answer a friend, or the rules again."""
    friend = _found(tx, wish)
    move = conversations.handed_over if wish.staff else conversations.given_back
    tx.line.save(EVERYBODY, move(friend, wish.at))
    _audit(tx, wish, friend, "conversation.handed_over", staff=wish.staff)
    return None, NOTHING


# --- notes ---


FORGET_AT_ONCE = 500
"""Notes that one unit takes away."""


class NewNote(Wish, frozen=True, kw_only=True):
    """What is to be remembered of a friend."""

    text: str
    seed: Seed


def add_note(tx: Transaction, wish: NewNote) -> tuple[Note, tuple[Fact, ...]]:
    """Keep a note."""
    friend = _found(tx, wish)
    note = Note(
        id=wish.seed.draw().id(),
        advertiser=friend.advertiser,
        channel=friend.channel,
        friend=friend.id,
        at=wish.at,
        actor=wish.actor,
        text=wish.text,
    )
    tx.inbox.note(EVERYBODY, note)
    _audit(tx, wish, friend, "note.added", note=str(note.id))
    return note, NOTHING


class OldNote(Wish, frozen=True, kw_only=True):
    """A note that is to go."""

    note: int


def drop_note(tx: Transaction, wish: OldNote) -> tuple[None, tuple[Fact, ...]]:
    """Take a note away.

    Raises:
        Refused: there is no such note on this friend.
    """
    friend = _found(tx, wish)
    if not tx.inbox.drop_note(EVERYBODY, friend.id, wish.note):
        raise Refused(Refusal.NOT_FOUND)
    _audit(tx, wish, friend, "note.removed", note=str(wish.note))
    return None, NOTHING


def forget_notes(tx: Transaction, before: int) -> tuple[int, tuple[Fact, ...]]:
    """Take away what staff noted before an instant, a bounded piece at a time; returns how many."""
    return tx.inbox.forget_notes(EVERYBODY, before, FORGET_AT_ONCE), NOTHING


# --- templates ---


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A template as it shall be: a new one, or the one with ``id``."""

    scope: Scope
    actor: str
    at: int
    name: str
    messages: Sequence[Message]
    seed: Seed
    id: int | None = None
    advertiser: str = ""
    """Of a new one; that of an old one stays, and so does its channel."""
    channel: str = ""


def save_template(tx: Transaction, draft: Draft) -> tuple[Template, tuple[Fact, ...]]:
    """Keep a template.

    Raises:
        Refused: there is none to be changed; the channel is not the advertiser's; or the messages
            are none, or name what the channel, or the advertiser, has not.
    """
    if draft.id is None:
        channel = tx.entities.find(EVERYBODY, Channel, draft.channel) if draft.channel else None
        if draft.channel and (channel is None or channel.advertiser != draft.advertiser):
            raise Refused(Refusal.UNKNOWN_REFERENCE, "no such channel of this advertiser")
        id_, advertiser, of_channel = draft.seed.draw().id(), draft.advertiser, draft.channel
    else:
        known = _template(tx, draft.scope, draft.id)
        id_, advertiser, of_channel = known.id, known.advertiser, known.channel
    check_messages(tx, advertiser, of_channel, draft.messages)
    written = _encode(draft.messages).decode()
    template = Template(id_, advertiser, of_channel, draft.name, written, draft.at, draft.actor)
    tx.inbox.save_template(EVERYBODY, template)
    _audit_template(tx, template, draft.at, draft.actor, "template.saved")
    return template, NOTHING


class OldTemplate(msgspec.Struct, frozen=True):
    """A template that is to go."""

    scope: Scope
    id: int
    actor: str
    at: int


def drop_template(tx: Transaction, wish: OldTemplate) -> tuple[None, tuple[Fact, ...]]:
    """Take a template away.

    Raises:
        Refused: there is no such template.
    """
    template = _template(tx, wish.scope, wish.id)
    tx.inbox.drop_template(EVERYBODY, template.id)
    _audit_template(tx, template, wish.at, wish.actor, "template.removed")
    return None, NOTHING


def _template(tx: Transaction, scope: Scope, id_: int) -> Template:
    template = tx.inbox.template(scope, id_)
    if template is None:
        raise Refused(Refusal.NOT_FOUND)
    return template


def _audit_template(tx: Transaction, template: Template, at: int, actor: str, action: str) -> None:
    detail: Mapping[str, str] = {"channel": template.channel}
    tx.access.audit(EVERYBODY, at, actor, template.advertiser, action, str(template.id), detail)
