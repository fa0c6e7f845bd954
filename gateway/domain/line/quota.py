"""How many messages a channel may still send in a month.

The platform counts recipients, not messages, and replies cost nothing. Months end in Asia/Tokyo.
What it says it has counted is about a while ago; what was sent since is added here.

Source: https://developers.line.biz/en/reference/messaging-api/#get-quota
"""

from typing import Literal

import msgspec

from gateway.domain.hours import TOKYO
from gateway.domain.values import micros, moment

_replace = msgspec.structs.replace


class Quota(msgspec.Struct, frozen=True):
    """A channel's month; the fields are the columns of the store, in order."""

    channel: str
    month: str
    """Such as ``2026-11``."""
    advertiser: str
    kind: Literal["", "none", "limited"] = ""
    """``none``: the plan has no limit. Empty: the platform was not asked yet."""
    monthly_limit: int = 0
    used: int = 0
    """What the platform had counted at :attr:`read_at`."""
    read_at: int = 0
    spent: int = 0
    """What the platform accepted of us since it was asked."""
    reserved: int = 0
    """What accepted campaigns are still going to send."""
    instead: int = 0
    """Pushes that took the place of a reply this month."""

    @property
    def left(self) -> int | None:
        """How many more may be promised; ``None`` where there is no limit, or none is known."""
        if self.kind != "limited":
            return None
        return max(0, self.monthly_limit - self.used - self.spent - self.reserved)

    @property
    def is_used_up(self) -> bool:
        """Whether the platform takes nothing more; what is promised may still be sent."""
        return self.kind == "limited" and self.used + self.spent >= self.monthly_limit

    def has_room(self, count: int) -> bool:
        """Whether ``count`` more may be promised. Of what nobody knows, nothing is promised."""
        if not self.kind:
            return False
        return self.left is None or self.left >= count


def began(instant: int) -> int:
    """When the month of an instant began."""
    day = moment(instant).astimezone(TOKYO)
    return micros(day.replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def read(quota: Quota, kind: Literal["none", "limited"], limit: int, used: int, now: int) -> Quota:
    """``quota`` with what the platform says of it."""
    return _replace(quota, kind=kind, monthly_limit=limit, used=used, read_at=now, spent=0)


def reserve(quota: Quota, count: int) -> Quota:
    """``quota`` with ``count`` more promised, or with so many fewer."""
    return _replace(quota, reserved=max(0, quota.reserved + count))
