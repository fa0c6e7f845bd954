"""LINE's own coupons: what is asked of the platform, which makes and closes them but never
changes one.

Source: https://developers.line.biz/en/reference/messaging-api/#create-coupon
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from gateway.domain.coupons.coupon import Coupon
from gateway.domain.values import SECOND

State = Literal["creating", "running", "closing", "closed", "failed"]
"""``failed``: the platform refused it; it is asked again when the coupon changes, or later."""

_COMPARED = ("title", "description", "usageCondition", "imageUrl", "startTimestamp", "endTimestamp")


class Held(msgspec.Struct, frozen=True):
    """A coupon on a channel of the platform; the fields are the columns of the store, in order."""

    coupon: str
    channel: str
    advertiser: str
    state: State
    request: str
    """What was asked for, as JSON."""
    platform_id: str = ""
    busy_until: int = 0
    """Until then a process is at work on it, or it rests after a refusal."""
    error: str = ""
    """Why it failed, as the platform put it."""


def request_of(coupon: Coupon) -> dict[str, Any]:
    """What the platform is asked to make of ``coupon``."""
    condition: dict[str, Any] = {"type": "normal"}
    if coupon.lottery is not None and not coupon.is_drawn_by_us:
        condition = {
            "type": "lottery",
            "lotteryProbability": coupon.lottery.probability,
            "maxAcquireCount": -1 if coupon.total is None else coupon.total,
        }
    asked = {
        "title": coupon.title,
        "description": coupon.description,
        "usageCondition": coupon.usage,
        "imageUrl": coupon.image_url,
        "acquisitionCondition": condition,
        "maxUseCountPerTicket": coupon.uses_per_ticket or -1,
        "startTimestamp": coupon.starts // SECOND,
        "endTimestamp": coupon.ends // SECOND,
        "timezone": "ASIA_TOKYO",
        # What we draw for must not lie about for everybody.
        "visibility": "UNLISTED" if coupon.is_drawn_by_us else coupon.visibility,
        "reward": coupon.reward or {"type": "others"},
    }
    return {name: value for name, value in asked.items() if value != ""}


def text_of(coupon: Coupon) -> str:
    """The same as text, always the same one: what tells whether the platform's coupon is still the
    one that is provisioned.
    """
    return msgspec.json.encode(request_of(coupon), order="sorted").decode()


def is_same(request: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    """Whether a coupon that the platform shows was made by ``request``."""
    return all((request.get(name) or "") == (shown.get(name) or "") for name in _COMPARED)
