"""What people and programs are shown: the public JSON forms."""

from datetime import tzinfo
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.domain import calls
from gateway.domain.calls import Outcome, Result, State
from gateway.domain.values import masked, moment
from gateway.ports import CallRecord

Instant = Annotated[
    str,
    Meta(
        description="A time with its offset from UTC (RFC 3339).",
        examples=["2026-11-21T09:00:00+09:00"],
        extra_json_schema={"format": "date-time"},
    ),
]
"""An instant as :func:`written` writes it."""


def written(instant: int, zone: tzinfo) -> str:
    """``instant`` (microseconds) as RFC 3339 with the offset of ``zone``."""
    return moment(instant).astimezone(zone).isoformat()


class LegView(msgspec.Struct, frozen=True):
    """One called target."""

    sid: str
    target: str
    state: str
    ring_seconds: int | None
    talk_seconds: int | None


class CallView(msgspec.Struct, frozen=True):
    """A call."""

    id: str
    provider_sid: Annotated[str, Meta(description="The carrier's id of it.")]
    number: Annotated[str, Meta(description="The tracked number that was called, E.164.")]
    caller: Annotated[
        str | None, Meta(description="E.164; null where withheld; masked for the role `viewer`.")
    ]
    caller_known: bool
    medium: str
    advertiser: str
    state: State
    result: Annotated[Result | None, Meta(description="null until it has ended.")]
    closed_by: str | None
    received_at: Instant
    answered_at: Instant | None
    ended_at: Instant | None
    ring_seconds: int | None
    talk_seconds: int | None
    settled: Annotated[bool, Meta(description="Whether it is counted: that happens once.")]
    outcome: Outcome
    outcome_reason: str | None
    repeat: Annotated[
        bool | None, Meta(description="Whether the caller had called this advertiser before.")
    ]
    legs: list[LegView]


def describe(record: CallRecord, zone: tzinfo, *, sees_caller: bool = True) -> CallView:
    """A call in its public form; the caller's number is masked for who may not see it."""
    call = record.call

    def at(instant: int | None) -> str | None:
        return None if instant is None else written(instant, zone)

    return CallView(
        id=str(call.id),
        provider_sid=call.sid,
        number=call.number,
        caller=call.caller if sees_caller or call.caller is None else masked(call.caller),
        caller_known=call.caller is not None,
        medium=call.medium,
        advertiser=call.advertiser,
        state=call.state,
        result=call.result,
        closed_by=call.closed_by,
        received_at=written(call.received_at, zone),
        answered_at=at(call.answered_at),
        ended_at=at(call.ended_at),
        ring_seconds=call.ring_seconds,
        talk_seconds=call.talk_seconds,
        settled=call.settled_at is not None,
        outcome=call.outcome,
        outcome_reason=call.outcome_reason,
        repeat=record.repeat,
        legs=[
            LegView(leg.sid, leg.target, leg.state, leg.ring_seconds, leg.talk)
            for leg in calls.legs_of(record.events)
        ],
    )
