"""What goes out to LINE is made ready once, before its first attempt, and is never changed again.

Variables, short links and our own objects (coupons, cards, surveys) become what the platform
understands, and that is stored before anything is sent: each further attempt sends the same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.domain.effects import NEVER
from gateway.domain.hours import month_of
from gateway.domain.line.channel import Channel, Message
from gateway.domain.line.friends import Friend, stream_of
from gateway.domain.line.messages import render
from gateway.domain.line.sending import ASIDE, LATE, is_unasked, quiet_for
from gateway.domain.pushes import after_quiet
from gateway.domain.values import EVERYBODY, Draw, Seed
from gateway.ports import Fact, Transaction, UseCase
from gateway.ports.outbox import Claimed, Rewritten
from gateway.usecases.leaving import leave
from gateway.usecases.links import answered
from gateway.usecases.quota import move, take_instead

AT_ONCE = 200
"""Effects that one unit makes ready at most."""

IDS_AN_EFFECT = 16
"""So many ids the offers of one effect may need."""

OVER_QUOTA = "over_quota"
"""The month has no room for it."""

QUIET = "quiet"
"""The channel's quiet hours have begun."""

HELD = frozenset({OVER_QUOTA, QUIET})
"""What an effect waits for; whatever else keeps it from being sent is its end."""

OURS = frozenset({"coupon", "card", "survey"})
"""Types of message objects that the platform does not know, or that we fill in."""

_replace = msgspec.structs.replace
_encode = msgspec.json.encode
_decode = msgspec.json.decode


Offer = Callable[
    [Transaction, Channel, Friend, str, Draw, int], tuple[Sequence[Message], Sequence[Fact]]
]
"""Gives the messages that take the place of an object of ours, by its id, for one friend; none
leaves it out."""

Points = Callable[[Transaction, Channel, Friend], str]
"""What ``{points}`` says to a friend."""


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """What other rooms know how to fill in."""

    offers: Mapping[str, Offer] = field(default_factory=dict)
    """By type of object: ``coupon``, ``card``, ``survey``."""
    points: Points = lambda tx, channel, friend: ""


class Prepare(msgspec.Struct, frozen=True):
    """Claimed effects that are not fit to be sent as they are; at most :data:`AT_ONCE`."""

    claimed: tuple[Claimed, ...]
    now: int
    seed: Seed
    """With :data:`IDS_AN_EFFECT` ids for each."""


class Prepared(msgspec.Struct):
    """The same, ready; those that will never be, with the reason; and those that must wait, with
    what for.
    """

    ready: list[Claimed]
    dead: list[tuple[Claimed, str]]
    held: list[tuple[Claimed, str]] = []


def is_ready(messages: Sequence[Any]) -> bool:
    """Whether messages can be sent as they are."""
    return not any(map(_needs_more, messages))


def is_ours(message: Mapping[str, Any]) -> bool:
    """Whether it is an object that the platform does not know in this form."""
    kind = message.get("type")
    return kind in OURS and kind in message  # the platform's own coupon has a couponId


def _needs_more(value: Any) -> bool:
    if isinstance(value, str):
        return "{" in value or "}" in value
    if isinstance(value, dict):
        return is_ours(value) or any(map(_needs_more, value.values()))
    return isinstance(value, list) and any(map(_needs_more, value))


def preparing(rooms: Rooms) -> UseCase[Prepared]:
    """The use-case that makes effects ready, with the help of ``rooms``."""

    def prepare(tx: Transaction, job: Prepare) -> tuple[Prepared, list[Fact]]:
        unit = _Unit(tx, rooms, job.now, job.seed.draw())
        done = Prepared([], [])
        for claimed in job.claimed:
            trouble, ready = unit.prepare(claimed)
            if trouble in HELD:
                done.held.append((ready, trouble))
            elif trouble:
                done.dead.append((ready, trouble))
            else:
                done.ready.append(ready)
        tx.outbox.rewrite(
            EVERYBODY,
            [
                Rewritten(c.id, c.kind, c.payload, c.stream, c.give_up_at)
                for c in (*done.ready, *(each for each, _ in (*done.dead, *done.held)))
            ],
        )
        return done, unit.facts

    return prepare


class _Unit:
    """One run of the use-case."""

    def __init__(self, tx: Transaction, rooms: Rooms, now: int, draw: Draw) -> None:
        self._tx = tx
        self._rooms = rooms
        self._now = now
        self._draw = draw
        self.facts: list[Fact] = []

    def prepare(self, claimed: Claimed) -> tuple[str, Claimed]:
        """What keeps it from being sent, if anything; and the effect as it is to be sent."""
        payload: dict[str, Any] = _decode(claimed.payload)
        channel = self._tx.entities.find(EVERYBODY, Channel, payload["channel"])
        if channel is None:
            return "no_channel", claimed
        quiet = quiet_for(claimed.origin, channel.quiet)
        if after_quiet(quiet, self._now) > self._now:
            return QUIET, _aside(claimed, payload)
        if is_unasked(claimed.origin) and (trouble := self._unwanted(claimed, payload)):
            return trouble, _replace(claimed, payload=_encode(payload).decode())
        if not self._is_reserved(channel, payload):
            return OVER_QUOTA, _replace(claimed, payload=_encode(payload).decode())
        if not payload.get("rendered"):
            payload["messages"] = self._messages(channel, payload)
            payload["rendered"] = True
        if not payload["messages"]:
            return "nothing_left", _replace(claimed, payload=_encode(payload).decode())
        if claimed.kind == "line.reply" and self._now >= claimed.give_up_at:
            if not take_instead(self._tx, channel, self._now):
                return "expired", claimed
            payload["to"] = payload.pop("user")
            del payload["token"]
            # It comes late anyway: it must not hold up what its friend is answered from now on.
            late = claimed.stream + LATE
            claimed = _replace(claimed, kind="line.push", stream=late, give_up_at=NEVER)
        return "", _replace(claimed, payload=_encode(payload).decode())

    def _unwanted(self, claimed: Claimed, payload: dict[str, Any]) -> str:
        """Why nobody wants it any more; empty where somebody does. Of a multicast those who do not
        leave it, before its first attempt alone: the platform knows a retry key by one body.
        """
        if "left" in payload:  # it was given up, and who was to settle that died first
            return str(payload["left"])
        tx, to = self._tx, payload.get("to")
        if to is None:  # the platform chooses who gets it, and cannot be told who stopped
            if not _may_change(claimed, payload):
                return ""
            return "stopped" if tx.pushes.stops.any_of(EVERYBODY, payload["channel"]) else ""
        if not to:
            return "nobody_left"
        if isinstance(to, list) and not _may_change(claimed, payload):
            return ""
        if claimed.unclear and payload.get("rendered"):
            return ""  # it may have arrived: the retry key tells, and sends nothing twice
        users = to if isinstance(to, list) else [to]
        known = tx.pushes.recipients.standing(EVERYBODY, payload["channel"], users)
        wanted = {each.user for each in known if each.can_receive and not each.has_stopped}
        if len(wanted) == len(users):
            return ""
        gone = [each for each in known if each.user not in wanted]
        if gone:
            leave(tx, claimed.key, claimed.origin, payload, gone)
        if wanted:
            payload["to"] = [user for user in users if user in wanted]
            return ""
        payload.pop("reserved", None)  # it was given back
        payload["left"] = "stopped" if any(each.has_stopped for each in gone) else "blocked"
        return str(payload["left"])

    def _is_reserved(self, channel: Channel, payload: dict[str, Any]) -> bool:
        """See that what was reserved is so in the month in which it is sent."""
        month, reserved = month_of(self._now), payload.get("reserved", "")
        if not reserved or reserved == month:
            return True
        to = payload.get("to")
        count = payload.get("recipients") or (len(to) if isinstance(to, list) else 1)
        if not move(self._tx, channel, count, reserved, month):
            return False
        payload["reserved"] = month
        return True

    def _messages(self, channel: Channel, payload: Mapping[str, Any]) -> list[Message]:
        to = payload.get("user") or payload.get("to")
        friend = None
        if isinstance(to, str):
            friend = self._tx.line.friend(EVERYBODY, channel.id, to)
        values = {"shop": channel.shop}
        if friend is not None:
            values |= {
                "name": friend.name,
                "points": self._rooms.points(self._tx, channel, friend),
            }
        made: list[Message] = []
        # Codes of links first: what a friend calls themselves must not become one.
        said = answered(self._tx, channel, payload["messages"], friend, self._draw, self._now)
        for message in said:
            if is_ours(message):
                made += self._offered(channel, friend, message)
            else:
                made.append(render(message, values))
        return made

    def _offered(
        self, channel: Channel, friend: Friend | None, message: Message
    ) -> Sequence[Message]:
        kind = message["type"]
        offer = self._rooms.offers.get(kind)
        if offer is None or friend is None:  # what counts per friend is not for the many
            return ()
        messages, facts = offer(self._tx, channel, friend, message[kind], self._draw, self._now)
        self.facts += facts
        return messages


def _aside(claimed: Claimed, payload: Mapping[str, Any]) -> Claimed:
    """Out of its friend's stream, where it would hold up what staff write until the morning."""
    to = payload.get("to")
    if not isinstance(to, str) or claimed.stream != stream_of(payload["channel"], to):
        return claimed
    return _replace(claimed, stream=claimed.stream + ASIDE)


def _may_change(claimed: Claimed, payload: Mapping[str, Any]) -> bool:
    """Whether it is not fixed yet who gets what: by an attempt, or by an earlier life of which
    nobody knows how it ended. What is not rendered was never sent.
    """
    if payload.get("fixed"):
        return False
    return not payload.get("rendered") or (claimed.attempts <= 1 and not claimed.unclear)
