"""What a message that goes out meets on its way, and what follows from the platform's answer.

The platform remembers a retry key for a day: within it a repeated request is answered 409 and
sends nothing, after it the same key sends again. Replies have no retry key; their token does the
same, since it is good for one reply alone, within a minute.

Source: https://developers.line.biz/en/docs/messaging-api/retrying-api-request/
"""

from hashlib import sha256
from typing import Literal
from uuid import UUID, uuid5

import msgspec

from gateway.domain.line.friends import stream_of
from gateway.domain.values import SECOND

Kind = Literal["reply", "push", "multicast", "narrowcast", "broadcast"]
Result = Literal["sent", "refused", "expired", "unknown", "over_quota"]
"""How a message ended; a metric label."""

MEMORY_SECONDS = 24 * 3600 - 600
"""The platform's memory of retry keys, less what clocks may differ and a request may take."""

TOKEN_GRACE_SECONDS = 10
"""A reply is first tried while its token is under 50 s old; one whose answer was lost may be tried
again until the minute is over.
"""

UNASKED = ("push:", "step:", "coupon-reminder", "card-notice", "posting")
"""What the origins of effects begin with that friends get though they said nothing: not in quiet
hours, and not once they said stop. Replies, and what staff write, are none of these.
"""

_REMINDERS = ("coupon-reminder", "card-notice")
_NIGHT = "21:00-09:00"
"""When nobody is reminded of anything, where the channel names no quiet hours."""

ASIDE = "/aside"
"""Behind a friend's stream: what waits for the morning, and must not hold up what staff write."""

LATE = "/late"
"""The same of replies whose token had ended: pushes now, which must not hold up later answers."""

OWN_PUSHES = "/pushes"
"""The same of the pushes that differ from friend to friend."""

_NAMESPACE = UUID("5f0e5b0a-93d5-4f0f-8c55-0f6d6f6b7a1e")
_REPLY_PAUSE, _PAUSE, _LONGEST_PAUSE = 0.25, 1.0, 300.0
QUOTA_PAUSE_SECONDS = 600
"""After so long a month that was used up is looked at again: a reservation may have passed."""


# --- what the platform said ---


class Accepted(msgspec.Struct, frozen=True):
    """It was taken, now or (``repeated``) before; then it was not sent again."""

    request: str
    messages: tuple[str, ...] = ()
    """The ids of what was sent; multicasts and more have none."""
    repeated: bool = False


class Refused(msgspec.Struct, frozen=True):
    """It was not taken, and never will be."""

    status: int
    message: str
    details: tuple[tuple[str, str], ...] = ()
    """Property and message."""
    request: str = ""


class Limited(msgspec.Struct, frozen=True):
    """Too many requests at the moment; nothing was sent."""

    request: str = ""


class Exhausted(msgspec.Struct, frozen=True):
    """The month is used up, or promised to what is being sent; nothing was sent."""

    request: str = ""


class BadToken(msgspec.Struct, frozen=True):
    """The reply token is used, expired or not ours."""

    request: str = ""


class Unauthorized(msgspec.Struct, frozen=True):
    """The channel's credentials do not work; nothing was sent."""

    request: str = ""


class Unreached(msgspec.Struct, frozen=True):
    """There was no connection: nothing was sent."""


class Unclear(msgspec.Struct, frozen=True):
    """Whether it was taken, nobody knows: no answer, or one of 500 and above."""

    status: int = 0
    request: str = ""


Answer = Accepted | Refused | Limited | Exhausted | BadToken | Unauthorized | Unreached | Unclear


# --- what follows ---


class Tries(msgspec.Struct, frozen=True):
    """How often a message was tried, and until when it may be."""

    kind: Kind
    key: str
    attempts: int
    """This one included."""
    unclear: int
    """Earlier attempts of which nobody knows what came."""
    tried_at: int
    """The first one."""
    give_up_at: int
    last_error: str = ""
    """What kept it so far."""


class Next(msgspec.Struct, frozen=True):
    """What becomes of a message: it waits until ``due_at``, or ended with ``result``."""

    state: Literal["waiting", "done", "dead", "unknown"]
    result: Result | None = None
    due_at: int = 0
    unclear: bool = False
    error: str = ""


def is_unasked(origin: str) -> bool:
    """Whether an effect of ``origin`` disturbs somebody who said nothing."""
    return origin.startswith(UNASKED)


def quiet_for(origin: str, quiet: str) -> str:
    """The hours in which an effect of ``origin`` is not sent, where the channel names ``quiet``;
    empty where it may be sent at any time.
    """
    if not is_unasked(origin):
        return ""
    return quiet or (_NIGHT if origin in _REMINDERS else "")


def streams_of(channel: str, user: str, *, own_pushes: bool) -> list[str]:
    """All streams of what is said to a friend alone; those of pushes to many, of which each gets
    one of their own, are among them where ``own_pushes`` says so.
    """
    ends = ("", LATE, ASIDE, OWN_PUSHES) if own_pushes else ("", LATE, ASIDE)
    return [stream_of(channel, user) + end for end in ends]


def retry_key(key: str) -> str:
    """The retry key of an effect: the same whoever asks, whenever."""
    return str(uuid5(_NAMESPACE, key))


def before(tries: Tries, now: int) -> Next | None:
    """What becomes of a message that must not be sent any more; ``None`` where it may be."""
    if now < _end(tries):
        return None
    if tries.unclear:
        return Next("unknown", "unknown", error="unclear")
    return _too_late(tries.last_error or "expired")


def after(tries: Tries, answer: Answer, now: int) -> Next:
    """What follows of the platform's answer."""
    match answer:
        case Accepted():
            return Next("done", "sent")
        case Refused():
            return Next("dead", "refused", error="refused")
        case BadToken():
            # Used: by an attempt of ours of which we never heard, perhaps.
            if tries.unclear:
                return Next("unknown", "unknown", error="unclear")
            return Next("dead", "expired", error="token")
        case Exhausted():
            return _again(tries, now, QUOTA_PAUSE_SECONDS, "over_quota")
        case Limited():
            return _again(tries, now, _grown(tries), "limited")
        case Unauthorized():
            return _again(tries, now, _grown(tries), "unauthorized")
        case Unreached():
            return _again(tries, now, _grown(tries), "unreached")
        case Unclear():
            return _again(tries, now, _grown(tries), "unclear", unclear=True)


def _again(tries: Tries, now: int, pause: float, error: str, *, unclear: bool = False) -> Next:
    """Once more after a pause, unless it would be too late then."""
    due_at = now + round(pause * _spread(tries) * SECOND)
    known = unclear or tries.unclear > 0
    tries = msgspec.structs.replace(tries, unclear=int(known))
    if due_at < _end(tries):
        return Next("waiting", due_at=due_at, unclear=unclear, error=error)
    if tries.kind == "reply" and not known:
        # Whoever looks at it next finds it expired, and may push it instead.
        return Next("waiting", due_at=_end(tries), error=error)
    if known:
        return Next("unknown", "unknown", unclear=unclear, error=error)
    return _too_late(error)


def _too_late(error: str) -> Next:
    """The end of what was never sent; the reason is what kept it last."""
    return Next("dead", "over_quota" if error == "over_quota" else "expired", error=error)


def _end(tries: Tries) -> int:
    """When it must not be tried any more."""
    if tries.kind == "reply":
        grace = TOKEN_GRACE_SECONDS * SECOND if tries.unclear else 0
        return tries.give_up_at + grace
    return min(tries.give_up_at, tries.tried_at + MEMORY_SECONDS * SECOND)


def _grown(tries: Tries) -> float:
    """Seconds that double with each attempt; a token's minute leaves no time for long ones."""
    first = _REPLY_PAUSE if tries.kind == "reply" else _PAUSE
    return float(min(_LONGEST_PAUSE, first * 2 ** min(tries.attempts - 1, 16)))


def _spread(tries: Tries) -> float:
    """Between 0.75 and 1.25, by key and attempt: what failed together comes back apart."""
    digest = sha256(f"{tries.key}/{tries.attempts}".encode()).digest()
    return 0.75 + int.from_bytes(digest[:4]) / 2**33
