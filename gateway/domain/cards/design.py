"""A shop card as it is provisioned: how many points it takes, and what they are worth."""

from typing import ClassVar, Literal

import msgspec

from gateway.domain.values import SECOND

SAME = "same"
"""After a full card another one of its kind."""

_DAY = 86_400 * SECOND
_TOKYO = 9 * 3_600 * SECOND
"""Asia/Tokyo is so far ahead of UTC, all year: Japan keeps no summer time."""


def day_of(at: int) -> int:
    """The day in Asia/Tokyo of an instant (microseconds), counted from 1970-01-01."""
    return (at + _TOKYO) // _DAY


def end_of_day(day: int) -> int:
    """The first instant (microseconds) after a day of :func:`day_of`."""
    return (day + 1) * _DAY - _TOKYO


class Reward(msgspec.Struct, frozen=True):
    """What a card is worth at a point: a coupon of ours, or words."""

    at: int
    """The point at which it is earned, once a card."""
    coupon: str = ""
    text: str = ""


class ShopCard(msgspec.Struct, frozen=True):
    """One kind of card of a channel."""

    table: ClassVar[str] = "shop_card"

    id: str
    advertiser: str
    channel: str
    title: str
    points: int = 10
    """How many fill it: 1 to 50."""
    bonus: int = 0
    """Points that a friend's first card of this kind begins with."""
    rewards: tuple[Reward, ...] = ()
    limit: Literal["day", "hours", "none"] = "day"
    """How often a friend gets points by a code: once a day in Asia/Tokyo, once in
    ``limit_hours``, or at every visit."""
    limit_hours: int = 0
    expires: Literal["never", "first", "last"] = "never"
    """From which use ``expires_days`` are counted."""
    expires_days: int = 0
    """Days after that of the use at whose end it expires."""
    notice_days: int = 0
    """So many days before it expires its holder is told, by a push; 0: not at all."""
    next: str = SAME
    """What is handed on after a full one: ``same``, or another card's id."""
    printed: bool = False
    """Whether a printed code gives points, too: a weaker one, which everybody can photograph."""
    printed_a_day: int = 0
    """How many points the printed code gives a day to all together."""
    pin_secret: str = ""
    """What staff type on the customer's phone where the code is printed."""

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """Its advertiser."""
        return self.advertiser

    def is_too_soon(self, visited_at: int, at: int, *, printed: bool) -> bool:
        """Whether a friend whose latest visit was at ``visited_at`` (0: none) has to wait.

        By a printed code nobody gets points twice a day, whatever else the card allows.
        """
        if not visited_at:
            return False
        if (printed or self.limit == "day") and day_of(at) <= day_of(visited_at):
            return True
        return self.limit == "hours" and at - visited_at < self.limit_hours * 3_600 * SECOND
