"""A friend of a channel, or a group or room that it is in."""

from typing import Literal

import msgspec

from gateway.domain.line.talks import read_talk, written_talk
from gateway.domain.values import SECOND

_MINUTE = 60 * SECOND

State = Literal["friend", "blocked", "unknown", "group", "left"]


class Friend(msgspec.Struct, frozen=True):
    """What is known of a user of a channel; the fields are the columns of the store, in order."""

    channel: str
    user: str
    """The userId, or the groupId or roomId of a group."""
    id: int
    advertiser: str
    first_at: int
    """When we first heard of them."""
    is_group: bool = False
    followed_at: int = 0
    """The platform's time of the latest follow (join); 0 where we never heard of one."""
    unfollowed_at: int = 0
    """The same of the latest unfollow (leave)."""
    heard_at: int = 0
    """The latest sign of a friend, apart from a follow: that they wrote or pressed something, which
    nobody can who has blocked the channel, or that the platform listed them."""
    last_at: int = 0
    """The latest message of either side."""
    staffed_at: int = 0
    """When the conversation was last handed to staff; 0 where it never was."""
    rested_at: int = 0
    """When it was last given back by a word or by staff; a silence gives it back without one."""
    unread: int = 0
    """Messages that no member of staff has seen."""
    assigned: str = ""
    """The member of staff who has taken it."""
    name: str = ""
    picture_url: str = ""
    language: str = ""
    entry: str = ""
    """The link by which they came to be a friend."""
    talk: str = ""
    """When people have the conversation, as :class:`~gateway.domain.line.talks.Talk` has it."""

    @property
    def state(self) -> State:
        """What they are to the channel: the latest of the platform's word counts, so that a late
        follow does not undo an unfollow. Friends from before we listened are friends once they
        are heard of.
        """
        if self.is_group:
            return "left" if self.unfollowed_at > self.followed_at else "group"
        came_at = max(self.followed_at, self.heard_at)
        if self.unfollowed_at and self.unfollowed_at >= came_at:
            return "blocked"
        return "friend" if came_at else "unknown"

    @property
    def can_receive(self) -> bool:
        """Whether what is pushed arrives."""
        return self.state in ("friend", "group")

    # --- the conversation ---

    def is_staffed(self, at: int, silence_minutes: int) -> bool:
        """Whether people answer at an instant: from the hand-over to its end, or to a silence."""
        return self.staffed_until(at, silence_minutes) > 0

    def staffed_until(self, at: int, silence_minutes: int) -> int:
        """When the rules answer again, if people do at an instant; 0 where they do not."""
        if not self.staffed_at:  # most were never handed over
            return 0
        return read_talk(self.talk).staffed_until(at, silence_minutes * _MINUTE)

    def said(self, at: int, silence_minutes: int) -> "Friend":
        """The same once somebody, of either side, said something at ``at``."""
        talk = read_talk(self.talk).said(at, silence_minutes * _MINUTE)
        return _replace(self, last_at=max(self.last_at, at), talk=written_talk(talk))

    def called(self, at: int) -> "Friend":
        """The same once the conversation was handed to people."""
        talk = written_talk(read_talk(self.talk).called(at))
        return _replace(self, staffed_at=max(self.staffed_at, at), talk=talk)

    def ended(self, at: int) -> "Friend":
        """The same once people gave it back."""
        talk = written_talk(read_talk(self.talk).ended(at))
        return _replace(self, rested_at=max(self.rested_at, at), assigned="", talk=talk)


_replace = msgspec.structs.replace


def stream_of(channel: str, user: str) -> str:
    """The stream of the effects that a friend gets: one thing after the other."""
    return f"line/{channel}/{user}"
