"""Conversations of friends with staff: who has one, and who answers."""

from typing import Literal

import msgspec

from gateway.domain.line.friends import Friend

State = Literal["unread", "assigned", "open"]
"""``unread``: something waits for people; ``assigned``: a member of staff has taken it."""

Wanted = Literal["unread", "assigned", "mine", "staffed", "all"]
"""Which conversations are listed; ``staffed``: those in which people answer, not the rules."""

LONGEST_SILENCE_MINUTES = 10_080
"""No channel lets people have a conversation for longer without a word."""

_replace = msgspec.structs.replace


def state_of(friend: Friend) -> State:
    """How a conversation stands."""
    if friend.unread:
        return "unread"
    return "assigned" if friend.assigned else "open"


def seen(friend: Friend) -> Friend:
    """Nothing waits any more."""
    return _replace(friend, unread=0)


def handed_over(friend: Friend, now: int) -> Friend:
    """People answer from ``now`` on (microseconds), until they give it back or are silent."""
    return friend.called(max(now, friend.rested_at))


def given_back(friend: Friend, now: int) -> Friend:
    """The rules answer again."""
    return friend.ended(max(now, friend.staffed_at + 1))


def answered(friend: Friend, actor: str, silence_minutes: int, now: int) -> Friend:
    """A member of staff writes: they have seen what waited, and the rules keep silent. Who has the
    conversation keeps it.
    """
    friend = _replace(seen(friend), assigned=friend.assigned or actor)
    if not friend.is_staffed(now, silence_minutes):
        friend = handed_over(friend, now)
    return friend.said(now, silence_minutes)
