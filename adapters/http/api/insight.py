"""Figures by day, the monthly report, findings, and support calls."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.channels import CHANNEL, found_channel, instant_of
from adapters.http.api.endpoint import Body, Endpoint, Listing, Moment, Page, Query
from adapters.http.pages.base import language_of
from adapters.http.pages.reports import Sheet, report_page
from gateway.domain.access import MANAGERS, STAFF
from gateway.domain.insight import (
    Day,
    Figures,
    PlatformState,
    Sent,
    begin_of,
    change,
    date_of,
    day_of,
    day_on,
    month_before,
    month_days,
    total,
)
from gateway.domain.line.channel import Channel
from gateway.domain.values import SECOND
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.ports.insight import ChannelReading, InsightReading, Note, SupportCall
from gateway.usecases.insight import LATE_SECONDS
from gateway.usecases.reports import Findings, NewCall, log, write
from gateway.usecases.views import Instant, written

_TAG = "insight"
_USUAL_DAYS = 31
_MOST_DAYS = 400

MONTH: Mapping[str, Any] = {"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])$"}
"""The schema of a path parameter that is a month."""

DayName = Annotated[
    str,
    Meta(
        pattern="^20[0-9]{2}-[0-9]{2}-[0-9]{2}$",
        description="A day in Asia/Tokyo.",
        examples=["2026-11-22"],
    ),
]


class InsightQuery(Listing, frozen=True):
    """Which days are listed."""

    since: DayName | None = None
    until: DayName | None = None


Count = int | None


class FiguresView(msgspec.Struct, frozen=True, kw_only=True):
    """Figures: `own_…` are counted here, `platform_…` by LINE, and the two are never mixed.

    null is what is not known; LINE withholds what is under 20.
    """

    own_friends: Annotated[Count, Meta(description="At the end.")]
    own_blocked: Annotated[Count, Meta(description="At the end: former friends who block.")]
    own_follows: Count
    own_blocks: Count
    own_messages: Annotated[Count, Meta(description="What friends sent.")]
    own_replies: Count
    own_pushes: Annotated[
        Count, Meta(description="Recipients; whom a narrowcast reached only LINE knows.")
    ]
    own_clicks: Annotated[Count, Meta(description="Visits of people to our short links.")]
    own_coupons_issued: Count
    own_coupons_used: Annotated[
        Count, Meta(description="Stamps, without those taken back; a ticket may have several.")
    ]
    own_points: Annotated[Count, Meta(description="Given less taken back.")]
    own_visits: Annotated[Count, Meta(description="Codes of shop cards that were scanned.")]
    platform_followers: Annotated[
        Count, Meta(description="At the end: how many ever became friends.")
    ]
    platform_targeted_reaches: Count
    platform_blocks: Annotated[Count, Meta(description="At the end.")]
    platform_deliveries: Annotated[
        dict[str, int] | None, Meta(description="Messages that went out, by kind.")
    ]
    platform_messages: Annotated[
        int, Meta(description="Messages and units that LINE counts apart, by when they were sent.")
    ]
    platform_impressions: Annotated[Count, Meta(description="People who saw these.")]
    platform_clicks: Annotated[Count, Meta(description="People who followed a link in these.")]
    platform_withheld: Annotated[
        int, Meta(description="How many of these have clicks that LINE withholds.")
    ]


class InsightDayView(FiguresView, frozen=True, kw_only=True):
    """A day of a channel."""

    day: str
    own_at: Annotated[Instant | None, Meta(description="When ours were counted.")]
    platform_state: Annotated[
        PlatformState, Meta(description="Of friends: LINE tells of a day during the next one.")
    ]
    platform_delivery_state: PlatformState


class FindingsView(msgspec.Struct, frozen=True):
    """What the adviser found in a month."""

    text: str
    at: Instant
    by: str


class FindingsBody(Body, frozen=True):
    """The findings of a month; they take the place of earlier ones."""

    text: Annotated[str, Meta(max_length=10_000)]


class SupportCallView(msgspec.Struct, frozen=True):
    """A support call."""

    id: str
    channel: str
    at: Instant
    who: str
    minutes: int
    subject: str
    outcome: str


class SupportCallBody(Body, frozen=True):
    """A support call to be logged."""

    who: Annotated[str, Meta(min_length=1, max_length=100, description="Who of ours spoke.")]
    minutes: Annotated[int, Meta(ge=0, le=1_440)]
    subject: Annotated[str, Meta(min_length=1, max_length=200)]
    outcome: Annotated[str, Meta(max_length=2_000)] = ""
    at: Annotated[Moment | None, Meta(description="When it began; absent: now.")] = None


class MonthReportView(msgspec.Struct, frozen=True, kw_only=True):
    """A month of a channel."""

    channel: str
    advertiser: str
    name: str
    month: str
    is_complete: Annotated[bool, Meta(description="Whether ours are not counted any more.")]
    own_days: Annotated[int, Meta(description="Days that ours were counted of.")]
    platform_days: Annotated[int, Meta(description="Days whose friends LINE told of.")]
    figures: FiguresView
    previous: Annotated[FiguresView, Meta(description="Of the month before.")]
    change: Annotated[
        dict[str, int | None], Meta(description="How much more than the month before.")
    ]
    notes: FindingsView | None
    support_minutes: int
    support_calls: list[SupportCallView]
    days: list[InsightDayView]


def endpoints(channels: ChannelReading, reader: InsightReading) -> list[Endpoint]:
    """The calls of the API that tell of figures."""

    async def days(ask: Ask[InsightQuery, None]) -> Page[InsightDayView]:
        channel = await found_channel(ask, channels)
        since, until = _span(ask.query, ask.now)
        after = ask.after(int)
        found = await ask.read(
            reader.days,
            ask.scope,
            channel.id,
            since=max(since, int(after[0]) + 1) if after else since,
            until=until,
            limit=ask.query.limit + 1,
        )
        if not found:
            return Page([], None)
        span = {"since": found[0].day, "until": found[-1].day + 1}
        sent = await ask.read(reader.sent, ask.scope, channel.id, **span)
        return ask.page(found, lambda day: (day.day,), _DayShower(ask, sent))

    async def report(ask: Ask[Query, None]) -> Any:
        month = _month(ask)
        channel = await found_channel(ask, channels)
        sheet = await _sheet(ask, reader, channel, month)
        if "text/html" in (ask.request.headers.get("Accept") or ""):
            return report_page(language_of(ask.request), sheet[0])
        return _report(ask, channel, *sheet)

    async def noted(ask: Ask[Query, FindingsBody]) -> Answer:
        found = Findings(
            scope=ask.scope,
            channel=ask.parameters["id"],
            month=_month(ask),
            text=ask.body.text,
            actor=ask.access.actor,
            at=ask.now,
        )
        return await ask.write(write, found, lambda note: _note(ask, note))

    async def calls(ask: Ask[Listing, None]) -> Page[SupportCallView]:
        channel = await found_channel(ask, channels)
        after = ask.after(int)
        found = await ask.read(
            reader.calls,
            ask.scope,
            channel.id,
            after=int(after[0]) if after else 0,
            limit=ask.query.limit + 1,
        )
        return ask.page(found, lambda call: (call.id,), lambda call: _call(ask, call))

    async def logged(ask: Ask[Query, SupportCallBody]) -> Answer:
        body = ask.body
        new = NewCall(
            scope=ask.scope,
            channel=ask.parameters["id"],
            began_at=instant_of(body.at) if body.at else ask.now,
            who=body.who,
            minutes=body.minutes,
            subject=body.subject,
            outcome=body.outcome,
            actor=ask.access.actor,
            seed=ask.seed(ids=1),
        )
        return await ask.write(log, new, lambda call: _call(ask, call))

    path = "/channels/{id}"
    of_month = {"id": CHANNEL, "month": MONTH}
    return [
        Endpoint(
            method="GET",
            path=f"{path}/insight",
            summary="List a channel's figures by day",
            tag=_TAG,
            handler=days,
            query=InsightQuery,
            answer=Page[InsightDayView],
            segments={"id": CHANNEL},
            description=f"Days from `since` on and before `until`; without them the last "
            f"{_USUAL_DAYS}, of {_MOST_DAYS} at most. Ours are counted every quarter of an hour, "
            "and for the last time a day after the day has ended.",
        ),
        Endpoint(
            method="GET",
            path=f"{path}/reports/{{month}}",
            summary="Read a channel's report of a month",
            tag=_TAG,
            handler=report,
            answer=MonthReportView,
            further_types=("text/html",),
            segments=of_month,
            description="With `Accept: text/html` a page to be printed.",
        ),
        Endpoint(
            method="PUT",
            path=f"{path}/reports/{{month}}/notes",
            summary="Write the findings of a month",
            tag=_TAG,
            handler=noted,
            roles=MANAGERS,
            body=FindingsBody,
            answer=FindingsView,
            segments=of_month,
        ),
        Endpoint(
            method="GET",
            path=f"{path}/support-calls",
            summary="List a channel's support calls",
            tag=_TAG,
            handler=calls,
            query=Listing,
            answer=Page[SupportCallView],
            segments={"id": CHANNEL},
        ),
        Endpoint(
            method="POST",
            path=f"{path}/support-calls",
            summary="Log a support call",
            tag=_TAG,
            handler=logged,
            roles=STAFF,
            body=SupportCallBody,
            answer=SupportCallView,
            status=201,
            segments={"id": CHANNEL},
        ),
    ]


# --- times ---


def _span(query: InsightQuery, now: int) -> tuple[int, int]:
    until = _day(query.until) if query.until else day_of(now) + 1
    since = _day(query.since) if query.since else until - _USUAL_DAYS
    if until - since > _MOST_DAYS:
        detail = f"from since to until may be {_MOST_DAYS} days at most"
        raise Refused(Refusal.INVALID_PARAMETER, detail)
    return since, until


def _day(name: str) -> int:
    try:
        return day_on(date.fromisoformat(name))
    except ValueError:
        raise Refused(Refusal.INVALID_PARAMETER, "there is no such day") from None


def _month(ask: Ask[Any, Any]) -> str:
    month = ask.parameters["month"]
    if not month_days(month):
        raise Refused(Refusal.NOT_FOUND)
    return month


# --- what is shown ---


async def _sheet(
    ask: Ask[Any, Any], reader: InsightReading, channel: Channel, month: str
) -> tuple[Sheet, Sequence[Sent]]:
    found = await ask.read(reader.month, ask.scope, channel.id, month)
    former = await ask.read(reader.month, ask.scope, channel.id, month_before(month))
    end = begin_of(month_days(month).stop) + LATE_SECONDS * SECOND
    sheet = Sheet(
        name=channel.shop,
        month=month,
        is_complete=ask.now >= end,
        now=total(found.days, found.sent),
        before=total(former.days, former.sent),
        days=found.days,
        note=found.note,
        calls=found.calls,
    )
    return sheet, found.sent


def _report(
    ask: Ask[Any, Any], channel: Channel, sheet: Sheet, sent: Sequence[Sent]
) -> MonthReportView:
    show = _DayShower(ask, sent)
    return MonthReportView(
        channel=channel.id,
        advertiser=channel.advertiser,
        name=sheet.name,
        month=sheet.month,
        is_complete=sheet.is_complete,
        own_days=sheet.now.own_days,
        platform_days=sheet.now.platform_days,
        figures=FiguresView(**_figures(sheet.now)),
        previous=FiguresView(**_figures(sheet.before)),
        change=change(sheet.now, sheet.before),
        notes=None if sheet.note is None else _note(ask, sheet.note),
        support_minutes=sum(call.minutes for call in sheet.calls),
        support_calls=[_call(ask, call) for call in sheet.calls],
        days=[show(day) for day in sheet.days],
    )


_OWN = [name for name in FiguresView.__struct_fields__ if name.startswith("own_")]
_PLATFORM = [name for name in FiguresView.__struct_fields__ if name.startswith("platform_")]


def _figures(figures: Figures) -> dict[str, Any]:
    """The values of a :class:`FiguresView`; ours are null where no day was counted."""
    shown: dict[str, Any] = {name: getattr(figures, name) for name in _PLATFORM}
    for name in _OWN:
        value = getattr(figures.own, name.removeprefix("own_"))
        shown[name] = value if figures.own_days else None
    return shown


class _DayShower:
    """Shows days, each with what was sent on it."""

    def __init__(self, ask: Ask[Any, Any], sent: Sequence[Sent]) -> None:
        self._zone = ask.wiring.zone
        self._sent: defaultdict[int, list[Sent]] = defaultdict(list)
        for message in sent:
            self._sent[message.day].append(message)

    def __call__(self, day: Day) -> InsightDayView:
        return InsightDayView(
            day=date_of(day.day).isoformat(),
            own_at=written(day.own_at, self._zone) if day.own_at else None,
            platform_state=day.platform.state,
            platform_delivery_state=day.platform.delivery_state,
            **_figures(total([day], self._sent[day.day])),
        )


def _note(ask: Ask[Any, Any], note: Note) -> FindingsView:
    return FindingsView(note.text, written(note.at, ask.wiring.zone), note.by)


def _call(ask: Ask[Any, Any], call: SupportCall) -> SupportCallView:
    return SupportCallView(
        id=str(call.id),
        channel=call.channel,
        at=written(call.at, ask.wiring.zone),
        who=call.who,
        minutes=call.minutes,
        subject=call.subject,
        outcome=call.outcome,
    )
