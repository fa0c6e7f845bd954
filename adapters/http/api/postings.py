"""The posting calendar: entries, and a feed for calendar programs."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.channels import CHANNEL, found_channel, instant_of
from adapters.http.api.endpoint import ID, Body, Endpoint, Listing, Moment, Page, Query
from gateway.domain.access import STAFF
from gateway.domain.postings import DUE_SECONDS, Posting, State, Timing, calendar
from gateway.domain.values import SECOND, micros
from gateway.errors import Refusal
from gateway.ports import Answer
from gateway.ports.insight import ChannelReading
from gateway.ports.postings import PostingReading, Wanted
from gateway.usecases.postings import Change, Wish, change, plan
from gateway.usecases.views import Instant, written

_TAG = "postings"
_CALENDAR = "text/calendar; charset=utf-8"
_DAY = 86_400 * SECOND
_FEED_BACK, _FEED_MOST = 90 * _DAY, 1_000
_LAST = 2**63 - 1


class PostingQuery(Listing, frozen=True):
    """Which postings are listed."""

    since: Moment | None = None
    until: Moment | None = None
    state: State | None = None
    timing: Annotated[
        Literal["due", "overdue"] | None,
        Meta(description="Planned ones within an hour of their time, or later; in place of all."),
    ] = None


class PostingBody(Body, frozen=True, kw_only=True):
    """Something to be posted by hand."""

    at: Moment
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    what: Annotated[str, Meta(max_length=5_000, description="For whoever posts it.")] = ""
    place: Annotated[
        str, Meta(max_length=100, description="Where it is posted.", examples=["LINE VOOM"])
    ] = "LINE VOOM"
    responsible: Annotated[str, Meta(max_length=100)] = ""
    state: State = "planned"
    friend: (
        Annotated[
            str,
            Meta(
                pattern="^[0-9]{1,19}$",
                description="The friend of the channel, one of the staff, whom a push reminds, "
                "unless they stopped pushes; it counts as a message. Without one a posting is "
                "only shown as due.",
            ),
        ]
        | None
    ) = None
    remind_minutes: Annotated[int, Meta(ge=0, le=10_080, description="So long before.")] = 60


class PostingView(msgspec.Struct, frozen=True):
    """Something to be posted by hand."""

    id: str
    channel: str
    at: Instant
    title: str
    what: str
    place: str
    responsible: str
    state: State
    timing: Annotated[
        Timing, Meta(description="`due` from an hour before until an hour after its time.")
    ]
    friend: str | None
    remind_at: Annotated[Instant | None, Meta(description="When the friend is reminded yet.")]


def endpoints(channels: ChannelReading, reader: PostingReading) -> list[Endpoint]:
    """The calls of the API that tell of postings."""

    async def listed(ask: Ask[PostingQuery, None]) -> Page[PostingView]:
        channel = await found_channel(ask, channels)
        after = ask.after(int, int)
        found = await ask.read(
            reader.postings,
            ask.scope,
            _wanted(channel.id, ask.query, ask.now),
            after=(int(after[0]), int(after[1])) if after else (-1, 0),
            limit=ask.query.limit + 1,
        )
        return ask.page(found, lambda p: (p.at, p.id), lambda p: _shown(ask, p))

    async def feed(ask: Ask[Query, None]) -> bytes:
        channel = await found_channel(ask, channels)
        found = await ask.read(
            reader.postings,
            ask.scope,
            Wanted(channel.id, since=ask.now - _FEED_BACK),
            after=(-1, 0),
            limit=_FEED_MOST,
        )
        return calendar(channel.shop, f"{channel.id}.tsunagi", found).encode(errors="replace")

    async def planned(ask: Ask[Query, PostingBody]) -> Answer:
        return await ask.write(plan, _wish(ask), lambda posting: _shown(ask, posting))

    async def changed(ask: Ask[Query, PostingBody]) -> Answer:
        asked = Change(ask.id("posting"), _wish(ask))
        return await ask.write(change, asked, lambda posting: _shown(ask, posting))

    path = "/channels/{id}/postings"
    return [
        Endpoint(
            method="GET",
            path=path,
            summary="List a channel's postings",
            tag=_TAG,
            handler=listed,
            query=PostingQuery,
            answer=Page[PostingView],
            segments={"id": CHANNEL},
            description="By time. What LINE has no API for, such as LINE VOOM, is posted by hand.",
        ),
        Endpoint(
            method="GET",
            path="/channels/{id}/calendar.ics",
            summary="Read a channel's postings as a calendar",
            tag=_TAG,
            handler=feed,
            answer=bytes,
            media_type=_CALENDAR,
            segments={"id": CHANNEL},
            description="iCalendar (RFC 5545): postings of the last 90 days, and all ahead.",
        ),
        Endpoint(
            method="POST",
            path=path,
            summary="Plan a posting",
            tag=_TAG,
            handler=planned,
            roles=STAFF,
            body=PostingBody,
            answer=PostingView,
            status=201,
            refusals=(Refusal.UNKNOWN_REFERENCE,),
            segments={"id": CHANNEL},
        ),
        Endpoint(
            method="PUT",
            path=f"{path}/{{posting}}",
            summary="Write a posting anew",
            tag=_TAG,
            handler=changed,
            roles=STAFF,
            body=PostingBody,
            answer=PostingView,
            refusals=(Refusal.UNKNOWN_REFERENCE,),
            segments={"id": CHANNEL, "posting": ID},
            description="Also to say that it was posted (`done`), or is not going to be "
            "(`skipped`).",
        ),
    ]


def _wanted(channel: str, query: PostingQuery, now: int) -> Wanted:
    since = micros(query.since) if query.since else 0
    until = micros(query.until) if query.until else _LAST
    if query.timing is None:
        return Wanted(channel, since, until, query.state)
    edge = now - DUE_SECONDS * SECOND
    if query.timing == "overdue":
        return Wanted(channel, since, min(until, edge + 1), "planned")
    return Wanted(
        channel, max(since, edge + 1), min(until, now + DUE_SECONDS * SECOND + 1), "planned"
    )


def _wish(ask: Ask[Any, PostingBody]) -> Wish:
    body = ask.body
    return Wish(
        scope=ask.scope,
        channel=ask.parameters["id"],
        at=instant_of(body.at),
        title=body.title,
        what=body.what,
        place=body.place,
        responsible=body.responsible,
        state=body.state,
        friend=min(int(body.friend or 0), _LAST),
        remind_minutes=body.remind_minutes,
        actor=ask.access.actor,
        now=ask.now,
        seed=ask.seed(ids=1),
    )


def _shown(ask: Ask[Any, Any], posting: Posting) -> PostingView:
    zone = ask.wiring.zone
    return PostingView(
        id=str(posting.id),
        channel=posting.channel,
        at=written(posting.at, zone),
        title=posting.title,
        what=posting.what,
        place=posting.place,
        responsible=posting.responsible,
        state=posting.state,
        timing=posting.timing(ask.now),
        friend=str(posting.friend) if posting.friend else None,
        remind_at=written(posting.remind_at, zone) if posting.remind_at else None,
    )
