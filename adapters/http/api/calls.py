"""Calls and their reports."""

from itertools import groupby
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import (
    ID,
    AdvertiserId,
    Body,
    Endpoint,
    Listing,
    Moment,
    Number,
    Page,
    Query,
)
from gateway.domain.access import MANAGERS
from gateway.domain.calls import Call, Judged, Outcome, Result, State
from gateway.domain.values import SECOND, micros, moment
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, CallRecord
from gateway.ports.calls import CallCount, CallReading, CallSearch, Grouping
from gateway.usecases.calls import Judgement, judge
from gateway.usecases.views import CallView, describe

_DAY = 86_400 * SECOND
_USUAL_DAYS = 31
_MOST_DAYS = 400


class CallQuery(Listing, frozen=True):
    """Which calls are listed."""

    advertiser: AdvertiserId | None = None
    since: Moment | None = None
    until: Moment | None = None
    number: Number | None = None
    result: Result | None = None
    state: State | None = None
    order: Literal["asc", "desc"] = "asc"


class Outcomes(Body, frozen=True):
    """What a person says of a call's outcome (成果)."""

    outcome: Judged
    reason: Annotated[str, Meta(max_length=200)] = ""


class OutcomeView(msgspec.Struct, frozen=True):
    """The outcome of a call (成果)."""

    id: str
    outcome: Outcome
    outcome_reason: str | None


class ReportQuery(Listing, frozen=True, kw_only=True):
    """What is counted, and by what."""

    by: Grouping
    since: Moment | None = None
    until: Moment | None = None
    advertiser: AdvertiserId | None = None


class CallGroup(msgspec.Struct, frozen=True):
    """The calls of one group of a report."""

    key: Annotated[
        str,
        Meta(description="Advertiser, medium or number; the hour 00 to 23; the day 2026-11-21."),
    ]
    calls: int
    in_progress: Annotated[int, Meta(description="Those that have no result yet.")]
    results: Annotated[dict[str, int], Meta(description="How many ended with which result.")]
    outcomes: Annotated[dict[str, int], Meta(description="How many have which outcome (成果).")]
    ring_seconds: int
    talk_seconds: int


def endpoints(reader: CallReading) -> list[Endpoint]:
    """The calls of the API that tell of calls."""

    async def listed(ask: Ask[CallQuery, None]) -> Page[CallView]:
        query = ask.query
        scope = ask.narrowed(query.advertiser)
        after = ask.after(int)
        search = CallSearch(
            since=micros(query.since) if query.since else None,
            until=micros(query.until) if query.until else None,
            number=query.number,
            state=query.state,
            result=query.result,
            newest_first=query.order == "desc",
        )
        found = await ask.read(
            reader.search, scope, search, after=after and after[0], limit=query.limit + 1
        )
        return ask.page(found, lambda record: (record.call.id,), lambda record: _shown(ask, record))

    async def shown(ask: Ask[Query, None]) -> CallView:
        record = await ask.read(reader.one, ask.scope, ask.id())
        if record is None:
            raise Refused(Refusal.NOT_FOUND)
        return _shown(ask, record)

    async def judged(ask: Ask[Query, Outcomes]) -> Answer:
        judgement = Judgement(
            scope=ask.scope,
            call=ask.id(),
            outcome=ask.body.outcome,
            reason=ask.body.reason,
            actor=ask.access.actor,
            at=ask.now,
        )
        return await ask.write(judge, judgement, _outcome)

    async def reported(ask: Ask[ReportQuery, None]) -> Page[CallGroup]:
        query = ask.query
        scope = ask.narrowed(query.advertiser)
        after = ask.after(str if query.by in ("advertiser", "medium", "number") else int)
        search = _span(query, ask.now)
        counts = await ask.read(
            reader.count,
            scope,
            query.by,
            search,
            after=after and after[0],
            limit=query.limit + 1,
        )
        groups = [(key, list(found)) for key, found in groupby(counts, lambda c: c.group)]
        return ask.page(groups, lambda group: (group[0],), lambda group: _group(query.by, *group))

    return [
        Endpoint(
            method="GET",
            path="/calls",
            summary="List calls",
            tag="calls",
            handler=listed,
            query=CallQuery,
            answer=Page[CallView],
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="Oldest first, or newest first with `order=desc`. `advertiser` is one of "
            "the token's, with all that stand below it.",
        ),
        Endpoint(
            method="GET",
            path="/calls/{id}",
            summary="Read a call",
            tag="calls",
            handler=shown,
            answer=CallView,
            segments={"id": ID},
        ),
        Endpoint(
            method="PUT",
            path="/calls/{id}/outcome",
            summary="Judge a call's outcome",
            tag="calls",
            handler=judged,
            roles=MANAGERS,
            body=Outcomes,
            answer=OutcomeView,
            segments={"id": ID},
            description="A person's word stands against what the talk's length says, whenever it "
            "comes. It changes the call and the reports. The counter `call_outcomes_total` moves "
            "once, when the call is settled: it tells what was known then.",
        ),
        Endpoint(
            method="GET",
            path="/reports/calls",
            summary="Count calls",
            tag="reports",
            handler=reported,
            query=ReportQuery,
            answer=Page[CallGroup],
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="Counts calls received from `since` on and before `until`; without them, "
            f"those of the last {_USUAL_DAYS} days; of {_MOST_DAYS} days at most. Days, and hours "
            "(of the day), are those of Asia/Tokyo; groups without calls are left out.",
        ),
    ]


def _shown(ask: Ask[Any, Any], record: CallRecord) -> CallView:
    return describe(record, ask.wiring.zone, sees_caller=ask.access.sees_callers)


def _outcome(call: Call) -> OutcomeView:
    return OutcomeView(str(call.id), call.outcome, call.outcome_reason)


def _span(query: ReportQuery, now: int) -> CallSearch:
    """The time that a report is about.

    Raises:
        Refused: it is too long.
    """
    until = micros(query.until) if query.until else now
    since = micros(query.since) if query.since else until - _USUAL_DAYS * _DAY
    if until - since > _MOST_DAYS * _DAY:
        detail = f"from since to until may be {_MOST_DAYS} days at most"
        raise Refused(Refusal.INVALID_PARAMETER, detail)
    return CallSearch(since=since, until=until)


def _group(by: Grouping, group: str | int, counts: list[CallCount]) -> CallGroup:
    results = dict.fromkeys(get_args(Result), 0)
    outcomes = dict.fromkeys(get_args(Outcome), 0)
    in_progress = 0
    for count in counts:
        outcomes[count.outcome] += count.calls
        if count.result is None:
            in_progress += count.calls
        else:
            results[count.result] += count.calls
    return CallGroup(
        key=_key(by, group),
        calls=sum(count.calls for count in counts),
        in_progress=in_progress,
        results=results,
        outcomes=outcomes,
        ring_seconds=sum(count.ring_seconds for count in counts),
        talk_seconds=sum(count.talk_seconds for count in counts),
    )


def _key(by: Grouping, group: str | int) -> str:
    if isinstance(group, str):
        return group
    return f"{group:02}" if by == "hour" else moment(group * _DAY).date().isoformat()
