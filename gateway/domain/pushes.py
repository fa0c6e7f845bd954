"""Pushes: what a shop sends its friends by itself, at a time or in steps after they came."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Literal

import msgspec

from gateway.domain.hours import TOKYO, Hours, is_open, next_change, parse_spans
from gateway.domain.values import SECOND, Counted, micros, moment

Message = dict[str, Any]
"""A message object of the platform, or one of ours."""

State = Literal["scheduled", "preparing", "sending", "done", "cancelled", "halted", "failed"]
"""``halted``: the month's quota had no room; ``failed``: what it was for is not there any more."""

OVER: frozenset[State] = frozenset({"done", "cancelled", "halted", "failed"})
"""The states in which nothing more is handed out."""

Reason = Literal["", "quota", "channel", "segment", "link", "stops", "platform", "unknown"]
"""Why a push was halted or failed: no quota; the channel, the segment or a link was taken away;
somebody stopped, which a narrowcast cannot heed; the platform refused it, or nobody knows whether
it did."""

MULTICAST = 500
"""So many users the platform takes in one multicast."""

SINGLY = 100
"""So many pushes one by one are a batch."""

AHEAD = 4
"""So many batches may be in the outbox at once; what is behind them can still be cancelled."""

LATE = 24 * 3600 * SECOND
"""So long after it was handed out a batch makes no sense any more (microseconds)."""

PROGRESS = 14 * 86_400 * SECOND
"""So long the platform tells how a narrowcast went (microseconds)."""

QUOTA_PATIENCE = 3600 * SECOND
"""So long a push waits for the platform to say what its channel may send (microseconds)."""

PAGE = 2_000
"""So many friends are looked at in one transaction while recipients are fixed."""

UNITS_A_MONTH = 1_000
"""So many names of aggregation units a channel may use in a month."""


# --- whom it is for ---


class OfSegment(msgspec.Struct, frozen=True, tag="segment"):
    """The friends of a segment, as they are when the push begins."""

    segment: str


class Everyone(msgspec.Struct, frozen=True, tag="everyone"):
    """All friends that the channel has when the push begins."""


class Named(msgspec.Struct, frozen=True, tag="friends"):
    """Friends by their ids."""

    friends: tuple[int, ...]


class Demographic(msgspec.Struct, frozen=True, tag="demographic"):
    """The platform's own choice (a narrowcast): who they are, only the platform knows."""

    filter: dict[str, Any]


Audience = OfSegment | Everyone | Named | Demographic
"""Whom a push is for."""

_encode = msgspec.json.Encoder().encode
_decode_audience: msgspec.json.Decoder[Audience] = msgspec.json.Decoder(Audience)
_decode_messages = msgspec.json.Decoder(tuple[Message, ...]).decode


# --- a push ---


class Push(msgspec.Struct, frozen=True):
    """One push; the fields are the columns of the store, in order."""

    id: int
    advertiser: str
    channel: str
    audience: str
    """JSON of an :data:`Audience`."""
    messages: str
    """JSON, as the shop wrote them."""
    created_at: int
    created_by: str
    """The actor, as the audit names it."""
    at: int
    """When it is to begin, already out of the channel's quiet hours."""
    state: State = "scheduled"
    due_at: int | None = None
    """When it is to be looked at next; ``None`` once nothing of it is open."""
    silent: bool = False
    """Whether the friends' telephones stay silent."""
    unit: str = ""
    """Under which name the platform counts it for insight."""
    partial: bool = False
    """Whether as many as the quota has room for may get it."""
    singly: bool = False
    """Whether each friend gets it in a request of its own, since it differs from friend to friend.
    """
    started_at: int = 0
    filter: str = ""
    """The segment's filter as it was when the push began."""
    prepared_to: str = ""
    """The last user that was looked at while recipients were fixed."""
    recipients: int = 0
    """How many were fixed."""
    budget: int = 0
    """How many of them the quota had room for; counted down as they are handed out."""
    handed: int = 0
    """Batches that were handed to the outbox."""
    closed: int = 0
    """Batches of which is known what came of them."""
    sent: int = 0
    refused: int = 0
    unknown: int = 0
    """Recipients of which nobody can tell whether they got it."""
    taken_back: int = 0
    """Recipients whose batch was handed out, and withdrawn in time."""
    stopped: int = 0
    """Recipients who had stopped pushes when their batch came."""
    blocked: int = 0
    """The same of those who had blocked the channel."""
    over_quota: int = 0
    request: str = ""
    """The platform's id of a narrowcast, by which its progress is asked for."""
    reason: Reason = ""
    ended_at: int = 0
    reserved_in: str = ""
    """The month of whose quota :attr:`budget` is promised."""

    @property
    def whom(self) -> Audience:
        """Whom it is for."""
        return _decode_audience.decode(self.audience)

    @property
    def said(self) -> tuple[Message, ...]:
        """What it says."""
        return _decode_messages(self.messages)

    @property
    def origin(self) -> str:
        """What its effects say that they come of."""
        return f"push:{self.id}"

    @property
    def batch_size(self) -> int:
        """How many recipients a batch has."""
        return SINGLY if self.singly else MULTICAST

    @property
    def batches(self) -> int:
        """How many batches its recipients make."""
        return -(-self.recipients // self.batch_size)


def encode_audience(audience: Audience) -> str:
    """``audience`` as the store keeps it."""
    return _encode(audience).decode()


def encode_messages(messages: Sequence[Message]) -> str:
    """``messages`` as the store keeps them."""
    return _encode(messages).decode()


class Closing(msgspec.Struct, frozen=True):
    """What came of recipients of a batch."""

    sent: int = 0
    refused: int = 0
    unknown: int = 0


def closed(push: Push, closing: Closing) -> Push:
    """``push`` with one more batch closed."""
    return msgspec.structs.replace(
        push,
        closed=push.closed + 1,
        sent=push.sent + closing.sent,
        refused=push.refused + closing.refused,
        unknown=push.unknown + closing.unknown,
    )


def ended(push: Push, state: State, now: int, reason: Reason = "") -> tuple[Push, list[Counted]]:
    """``push``, over; looked at again only while batches are in the outbox."""
    is_first = push.state not in OVER
    open_ = push.closed < push.handed
    push = msgspec.structs.replace(
        push,
        state=state,
        reason=reason,
        ended_at=now if is_first else push.ended_at,
        due_at=now if open_ else None,
    )
    facts = [Counted(push.advertiser, "line_pushes_total", (state,))] if is_first else []
    return push, facts


# --- hours in which nothing is pushed ---


@lru_cache(1_000)
def _quiet(span: str) -> Hours | None:
    try:
        spans = parse_spans(span)
    except ValueError:  # it ends where it begins
        return None
    return Hours("quiet", (spans,) * 7, holidays="open")


def after_quiet(quiet: str, at: int) -> int:
    """``at``, or where that lies in the span ``quiet`` (``21:00-09:00``, Asia/Tokyo) its end."""
    hours = _quiet(quiet) if quiet else None
    if hours is None or not is_open(hours, at):
        return at
    return next_change(hours, at) or at


# --- steps ---


class Step(msgspec.Struct, frozen=True):
    """One message of a series."""

    day: int
    """Days after the series began for a friend; 0 is the same day."""
    messages: tuple[Message, ...]
    time: int | None = None
    """Minutes since midnight, Asia/Tokyo; ``None``: at the time of day at which it began."""


class StepSeries(msgspec.Struct, frozen=True):
    """Messages that a friend gets one after the other, days apart (ステップ配信)."""

    table: ClassVar[str] = "step_series"

    id: str
    advertiser: str
    channel: str
    trigger: str
    """``follow``, or ``tag:`` and a tag: what begins it for a friend."""
    steps: tuple[Step, ...]
    stop_on: tuple[str, ...] = ()
    """Tags that end it for a friend who gets one of them."""
    again: bool = False
    """Whether it begins anew for who comes back, or is tagged anew, once it is over."""

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """Its advertiser."""
        return self.advertiser


RunState = Literal["running", "done", "stopped", "blocked", "tagged", "removed"]
"""``stopped``: the friend stopped pushes, ``blocked``: the channel; ``tagged``: a tag ended it;
``removed``: the series was taken away."""


class StepRun(msgspec.Struct, frozen=True):
    """A series on its way to one friend; the fields are the columns of the store, in order."""

    series: str
    friend: int
    advertiser: str
    channel: str
    began_at: int
    round: int = 1
    """How often it began for this friend."""
    next_step: int = 0
    due_at: int | None = None
    """When the next step is due; ``None`` once it is over."""
    state: RunState = "running"
    sent: int = 0
    skipped: int = 0
    ended_at: int = 0


def due(series: StepSeries, began_at: int, step: int) -> int:
    """When ``step`` of a series is due for a friend for whom it began at ``began_at``.

    A time of day that has passed on the first day means the next day; a step never comes before
    the one in front of it.
    """
    return max(_own_due(each, began_at) for each in series.steps[: step + 1])


def _own_due(step: Step, began_at: int) -> int:
    if step.time is None:
        return began_at + step.day * 86_400 * SECOND
    day = moment(began_at).astimezone(TOKYO).date() + timedelta(step.day)
    at = _at(day, step.time)
    return at if at >= began_at else _at(day + timedelta(1), step.time)


def _at(day: date, minutes: int) -> int:
    clock = time(*divmod(minutes, 60), tzinfo=TOKYO)
    return micros(datetime.combine(day, clock))


def begun(series: StepSeries, friend: int, at: int, before: StepRun | None) -> StepRun | None:
    """The run that a trigger at ``at`` begins; ``None`` where it does not begin (again)."""
    if before is not None and (before.state == "running" or not series.again):
        return None
    return StepRun(
        series=series.id,
        friend=friend,
        advertiser=series.advertiser,
        channel=series.channel,
        began_at=at,
        round=before.round + 1 if before else 1,
        due_at=due(series, at, 0),
    )


def latest_due(series: StepSeries, run: StepRun, now: int) -> int:
    """The step to send at ``now``, at least the next one: what an outage held up is not all sent
    at once, but only the latest that is due.
    """
    step = run.next_step
    while step + 1 < len(series.steps) and due(series, run.began_at, step + 1) <= now:
        step += 1
    return step


def advanced(series: StepSeries, run: StepRun, step: int, now: int) -> StepRun:
    """``run`` after ``step`` was sent at ``now``; those before it that were not are skipped."""
    is_last = step + 1 >= len(series.steps)
    return msgspec.structs.replace(
        run,
        next_step=step + 1,
        sent=run.sent + 1,
        skipped=run.skipped + step - run.next_step,
        due_at=None if is_last else due(series, run.began_at, step + 1),
        state="done" if is_last else "running",
        ended_at=now if is_last else 0,
    )


def over(run: StepRun, state: RunState, now: int) -> StepRun:
    """``run``, ended before its last step."""
    return msgspec.structs.replace(run, state=state, due_at=None, ended_at=now)
