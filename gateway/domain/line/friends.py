"""A friend of a channel, or a group or room that it is in."""

from typing import Literal

import msgspec

from gateway.domain.values import SECOND

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
    last_at: int = 0
    """The latest message of either side."""
    staffed_at: int = 0
    """When the conversation was last handed to staff; 0 where it never was."""
    rested_at: int = 0
    """When it was last given back by a word; a silence gives it back without one."""
    unread: int = 0
    """Messages that no member of staff has seen."""
    assigned: str = ""
    """The member of staff who has taken it."""
    name: str = ""
    picture_url: str = ""
    language: str = ""
    entry: str = ""
    """The link by which they came to be a friend."""

    @property
    def state(self) -> State:
        """What they are to the channel: the latest of the platform's word counts, so that a late
        follow does not undo an unfollow.
        """
        if self.is_group:
            return "left" if self.unfollowed_at > self.followed_at else "group"
        if self.unfollowed_at and self.unfollowed_at >= self.followed_at:
            return "blocked"
        return "friend" if self.followed_at else "unknown"

    @property
    def can_receive(self) -> bool:
        """Whether what is pushed arrives."""
        return self.state in ("friend", "group")

    def is_staffed(self, at: int, silence_minutes: int) -> bool:
        """Whether people answer at an instant: from the hand-over to its end, or to a silence."""
        if not self.staffed_at or at < self.staffed_at:
            return False
        if self.rested_at > self.staffed_at:
            return at < self.rested_at
        return at - max(self.staffed_at, self.last_at) < silence_minutes * 60 * SECOND


def stream_of(channel: str, user: str) -> str:
    """The stream of the effects that a friend gets: one thing after the other."""
    return f"line/{channel}/{user}"
