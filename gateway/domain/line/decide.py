"""What an event of a channel means: the friend's new state, and what is answered."""

from collections.abc import Sequence

import msgspec

from gateway.domain.hours import STAFF, Hours, is_open
from gateway.domain.line.channel import ALWAYS, Channel, Message, Rule
from gateway.domain.line.events import Event
from gateway.domain.line.friends import Friend
from gateway.domain.line.keywords import Words

_replace = msgspec.structs.replace


class Decision(msgspec.Struct, frozen=True):
    """What follows of one event."""

    friend: Friend
    messages: tuple[Message, ...] = ()
    """What is answered, to be rendered; none where it is silent."""
    origin: str = ""
    """What answers: ``greeting``, ``rule:3``, ``uniform``."""
    tags: tuple[str, ...] = ()
    is_end: bool = False
    """Whether replies to what happened earlier make no sense any more; those that were not sent yet
    are taken back."""
    anew: tuple[int, int] | None = None
    """Messages from the one instant on and before the other came sooner than this event, and were
    meant for people, or for the rules, as is seen only now: they are decided anew."""
    profile: bool = False
    """Whether the platform is to be asked for the friend's name."""


def decide(channel: Channel, friend: Friend, event: Event) -> Decision:
    """What ``event`` changes and gets; the platform's instants alone decide."""
    if not event.known:
        return Decision(friend)
    if event.kind in ("follow", "join"):
        return _came(channel, friend, event)
    if event.kind in ("unfollow", "leave"):
        gone = _replace(friend, unfollowed_at=max(friend.unfollowed_at, event.at))
        return Decision(gone, is_end=True)
    if event.kind not in ("message", "postback"):
        return Decision(friend)
    decision = (_said if event.kind == "message" else _did)(channel, friend, event)
    # Of a friend from before we listened; who has followed was asked about then.
    is_new = not (friend.is_group or friend.followed_at or friend.last_at or friend.name)
    return _replace(decision, profile=True) if is_new else decision


def may_answer(channel: Channel, friend: Friend, event: Event) -> bool:
    """Whether the platform and the shop allow an answer; nobody is there to get a late one."""
    if event.at <= friend.unfollowed_at:
        return False
    if event.mode != "active" or not event.reply_token or not channel.answers:
        return False
    return channel.groups or not friend.is_group


def _came(channel: Channel, friend: Friend, event: Event) -> Decision:
    friend = _replace(friend, followed_at=max(friend.followed_at, event.at))
    messages: tuple[Message, ...] = ()
    if may_answer(channel, friend, event):
        messages = (event.unblocked and channel.greeting_again) or channel.greeting
    return Decision(friend, messages, "greeting", profile=not friend.is_group)


def _said(channel: Channel, friend: Friend, event: Event) -> Decision:
    staffed = friend.is_staffed(event.at, channel.staff_minutes)
    rule = _matching(channel, event) if event.text else None
    if rule is not None and (not staffed or rule[1].staff == "end"):
        return _ruled(channel, friend, event, rule)
    # Whatever no rule knew what to do with, people look at.
    heard = _replace(_heard(channel, friend, event), unread=friend.unread + 1)
    if staffed:
        if rule is not None and rule[1].staff == "call":
            heard = heard.called(event.at)
        return Decision(heard, anew=_anew(channel, friend, heard, event))
    if not may_answer(channel, friend, event):
        return Decision(heard)
    return Decision(heard, _uniform(channel, event), "uniform")


def _did(channel: Channel, friend: Friend, event: Event) -> Decision:
    rule = _pressed(channel, event)
    if rule is not None:
        return _ruled(channel, friend, event, rule)
    heard = _heard(channel, friend, event)
    return Decision(heard, anew=_anew(channel, friend, heard, event))


def _heard(channel: Channel, friend: Friend, event: Event) -> Friend:
    friend = friend.said(event.at, channel.staff_minutes)
    return _replace(friend, heard_at=max(friend.heard_at, event.at))


def _anew(channel: Channel, before: Friend, friend: Friend, event: Event) -> tuple[int, int] | None:
    """What came later than ``event``, was here sooner, and is whose it seemed not to be."""
    if event.at >= before.last_at:
        return None
    # With the word, and with what it does: it calls people, keeps them, or lets them go.
    talks = (_heard(channel, before, event), friend)
    until = max(each.staffed_until(event.at, channel.staff_minutes) for each in talks)
    return (event.at + 1, until) if until else None


def _ruled(channel: Channel, friend: Friend, event: Event, found: tuple[int, Rule]) -> Decision:
    ordinal, rule = found
    heard = _heard(channel, friend, event)
    if rule.staff == "call":
        heard = _replace(heard.called(event.at), unread=heard.unread + 1)
    elif rule.staff == "end":
        heard = heard.ended(event.at)
    messages = rule.messages if may_answer(channel, friend, event) else ()
    anew = _anew(channel, friend, heard, event)
    return Decision(heard, messages, f"rule:{ordinal + 1}", rule.tags, anew=anew)


def _matching(channel: Channel, event: Event) -> tuple[int, Rule] | None:
    for ordinal in Words.of(channel.reply).matches(event.text):
        rule = channel.reply[ordinal]
        if _holds(channel, rule.hours, event.at):
            return ordinal, rule
    return None


def _pressed(channel: Channel, event: Event) -> tuple[int, Rule] | None:
    for ordinal, rule in enumerate(channel.reply):
        if (
            rule.match == "postback"
            and rule.keyword == event.data
            and _holds(channel, rule.hours, event.at)
        ):
            return ordinal, rule
    return None


def _uniform(channel: Channel, event: Event) -> tuple[Message, ...]:
    for uniform in channel.uniform:
        if _holds(channel, uniform.hours, event.at):
            return uniform.messages
    return ()


def _holds(channel: Channel, hours: str, at: int) -> bool:
    """Whether a table of hours, or with ``!`` its opposite, holds at an instant."""
    name = hours.removeprefix("!")
    wanted = name == hours
    return wanted if name == ALWAYS else is_open(_table(channel.hours, name), at) == wanted


def _table(tables: Sequence[Hours], name: str) -> Hours:
    return next((table for table in tables if table.id == name), STAFF)
