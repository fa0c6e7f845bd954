"""LINE's own coupons: what the platform is to make and to close, to hold what is provisioned.

Whoever works on a coupon writes so before it asks the platform. Where the answer is lost, or the
process dies, somebody else finds that after a while, and looks at the platform before asking again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from gateway.domain.coupons.coupon import Coupon
from gateway.domain.coupons.platform import Held, text_of
from gateway.domain.line.channel import Channel
from gateway.domain.values import EVERYBODY, SECOND
from gateway.ports import Fact, Transaction

LEASE_SECONDS = 60
"""How long one process works on a coupon before another one may."""

_AT_ONCE = 20

_replace = msgspec.structs.replace


class Work(msgspec.Struct, frozen=True):
    """One thing to be asked of the platform."""

    what: Literal["create", "close"]
    channel: Channel
    held: Held
    known: frozenset[str] = frozenset()
    """The platform's ids of our other coupons on the channel."""
    again: bool = False
    """Whether it may have been asked before, with an answer that nobody heard."""

    @property
    def request(self) -> Mapping[str, Any]:
        """What the platform is asked for."""
        request: dict[str, Any] = msgspec.json.decode(self.held.request)
        return request


def claim(tx: Transaction, now: int) -> tuple[list[Work], Sequence[Fact]]:
    """What is to be done now, at most a few; it is ours for :data:`LEASE_SECONDS`."""
    held = {(each.coupon, each.channel): each for each in tx.coupon_platform.all(EVERYBODY)}
    channels = {channel.id: channel for channel in tx.entities.all(EVERYBODY, Channel)}
    coupons = {each.id: each for each in tx.entities.all(EVERYBODY, Coupon) if each.kind == "line"}
    works: list[Work] = []
    for coupon_id, channel_id in sorted(held.keys() | set(_wanted(coupons, channels, now))):
        channel = channels.get(channel_id)
        known = held.get((coupon_id, channel_id))
        if channel is None:
            if known is not None and known.state != "closed":
                # Without the channel's credentials nothing can be asked of the platform any more.
                closed = _replace(known, state="closed", error="the channel was removed")
                tx.coupon_platform.save(EVERYBODY, closed)
            continue
        coupon = coupons.get(coupon_id)
        if coupon is not None and coupon.advertiser != channel.advertiser:
            coupon = None
        work = _work(coupon, channel, known, now)
        if work is not None:
            others = {each.platform_id for each in held.values() if each.channel == channel_id}
            work = _replace(work, known=frozenset(others - {"", work.held.platform_id}))
            tx.coupon_platform.save(EVERYBODY, work.held)
            works.append(work)
            if len(works) == _AT_ONCE:
                break
    return works, ()


def _wanted(
    coupons: Mapping[str, Coupon], channels: Mapping[str, Channel], now: int
) -> Iterator[tuple[str, str]]:
    for coupon in coupons.values():
        if coupon.ends > now:
            for channel in channels.values():
                if channel.advertiser == coupon.advertiser:
                    yield coupon.id, channel.id


def _work(coupon: Coupon | None, channel: Channel, held: Held | None, now: int) -> Work | None:
    """What is to be done about one coupon of one channel, with what the store is to hold then."""
    until = now + LEASE_SECONDS * SECOND
    request = None if coupon is None else text_of(coupon)
    if held is None or held.state in ("closed", "failed"):
        if coupon is None or coupon.ends <= now:
            return None
        if held is not None and held.request == request and now < held.busy_until:
            return None  # it was refused, and nothing has changed since
        begun = Held(
            coupon.id, channel.id, coupon.advertiser, "creating", request or "", busy_until=until
        )
        return Work("create", channel, begun)
    if held.state == "running":
        if request == held.request:
            return None
        return Work("close", channel, _replace(held, state="closing", busy_until=until))
    if now < held.busy_until:
        return None  # somebody is at it
    held = _replace(held, busy_until=until)
    if held.state == "creating" and request == held.request:
        return Work("create", channel, held, again=True)
    # What was asked for, maybe made, and is not wanted any more is looked for and closed.
    return Work("close", channel, _replace(held, state="closing"), again=True)


def settle(tx: Transaction, held: Held) -> tuple[None, Sequence[Fact]]:
    """Keep what came of a work."""
    if tx.coupon_platform.find(EVERYBODY, held.coupon, held.channel) is not None:
        tx.coupon_platform.save(EVERYBODY, held)
    return None, ()
