"""Tags of friends, who wants no pushes, series of steps, and segments."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import ID, AdvertiserId, Endpoint, Listing, Page, Query
from gateway.domain.access import STAFF
from gateway.domain.audience import EVERYONE, TAG, Segment
from gateway.domain.hours import month_of
from gateway.domain.line.channel import Channel
from gateway.domain.pushes import RunState, StepRun
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.ports.audience import AudienceReading, TagCount, TagOf
from gateway.ports.pushes import PushReading
from gateway.ports.quota import QuotaReading
from gateway.usecases.audience import Change, change
from gateway.usecases.views import Instant, written

_TAG = "audience"

Held = Callable[[type[Any]], Mapping[str, Any]]
"""All that is provisioned of a kind, by id."""

CHANNEL: Mapping[str, Any] = {"type": "string", "pattern": "^[a-z0-9-]{1,40}$"}
"""The schema of a path parameter that is the id of something provisioned, or a tag."""


class TagCountView(msgspec.Struct, frozen=True):
    """A tag, and how many friends carry it."""

    tag: str
    friends: Annotated[int, Meta(description="Those who blocked the channel among them.")]


class FriendTagView(msgspec.Struct, frozen=True):
    """A tag of a friend."""

    tag: str
    at: Instant
    source: Annotated[
        str, Meta(description="`rule`, `link:…`, `entry:…`, `coupon:…`, or who gave it.")
    ]


class FriendPushesView(msgspec.Struct, frozen=True):
    """Whether a friend is pushed anything."""

    friend: str
    stopped_at: Annotated[
        Instant | None, Meta(description="When they stopped pushes; null: they did not.")
    ]


class StepRunView(msgspec.Struct, frozen=True):
    """A series of steps on its way to a friend."""

    series: str
    state: Annotated[
        RunState,
        Meta(
            description="`stopped`: pushes, `blocked`: the channel, by the friend; `tagged`: a tag "
            "ended it; `removed`: the series was taken away."
        ),
    ]
    began_at: Instant
    round: Annotated[int, Meta(description="How often it began for this friend.")]
    next_step: Annotated[int, Meta(description="From 0 on.")]
    due_at: Instant | None
    sent: int
    skipped: int
    ended_at: Instant | None


class SegmentQuery(Listing, frozen=True):
    """Which segments are listed."""

    advertiser: AdvertiserId | None = None


class SegmentView(msgspec.Struct, frozen=True):
    """The friends of a channel that a filter lets through."""

    id: str
    advertiser: str
    channel: str
    filter: Annotated[dict[str, Any], Meta(description="The filter as a tree of conditions.")]


class SizeView(msgspec.Struct, frozen=True):
    """How many would get a push now, and what that takes."""

    channel: str
    recipients: Annotated[
        int, Meta(description="Without those who blocked the channel or stopped pushes.")
    ]
    spends: Annotated[int, Meta(description="Of the month's quota: LINE counts recipients.")]
    quota_left: Annotated[
        int | None, Meta(description="null: no limit, or LINE was not asked yet.")
    ]
    fits: Annotated[bool | None, Meta(description="null: nobody knows yet.")]


def endpoints(
    reader: AudienceReading, pushes: PushReading, quotas: QuotaReading, held: Held
) -> list[Endpoint]:
    """The calls of the API that tell of friends' tags and of segments."""

    async def tag_counts(ask: Ask[Listing, None]) -> Page[TagCountView]:
        channel = channel_of(ask.scope, held, ask.parameters["id"])
        after = ask.after(str)
        found = await ask.read(
            reader.tag_counts,
            ask.scope,
            channel.id,
            after=str(after[0]) if after else "",
            limit=ask.query.limit + 1,
        )
        return ask.page(found, lambda count: (count.tag,), _counted)

    async def tags(ask: Ask[Query, None]) -> Page[FriendTagView]:
        friend = await _friend(ask)
        found = await ask.read(reader.tags, ask.scope, friend)
        return Page([_tagged(ask, tag) for tag in found], None)

    async def runs(ask: Ask[Query, None]) -> Page[StepRunView]:
        friend = await _friend(ask)
        found = await ask.read(pushes.runs, ask.scope, friend)
        return Page([_run(ask, run) for run in found], None)

    async def stopped(ask: Ask[Query, None]) -> FriendPushesView:
        friend = await _friend(ask)
        at = await ask.read(pushes.stopped_at, ask.scope, friend)
        return FriendPushesView(str(friend), None if at is None else _written(ask, at))

    async def segments(ask: Ask[SegmentQuery, None]) -> Page[SegmentView]:
        scope, after = ask.narrowed(ask.query.advertiser), ask.after(str)
        # The writer's thread may change them: they are copied in one step.
        found = sorted(
            (
                segment
                for segment in list(held(Segment).values())
                if scope.covers(segment.advertiser)
                and (after is None or segment.id > str(after[0]))
            ),
            key=_id,
        )
        return ask.page(found, lambda segment: (segment.id,), _segment)

    async def size(ask: Ask[Query, None]) -> SizeView:
        segment = held(Segment).get(ask.parameters["id"])
        if segment is None or not ask.scope.covers(segment.advertiser):
            raise Refused(Refusal.NOT_FOUND)
        return await size_of(ask, reader, quotas, segment.channel, segment)

    async def _friend(ask: Ask[Any, Any]) -> int:
        found = await ask.read(reader.friend, ask.scope, ask.id())
        if found is None:
            raise Refused(Refusal.NOT_FOUND)
        return found.friend

    by_friend = {"id": ID}
    return [
        Endpoint(
            method="GET",
            path="/channels/{id}/tags",
            summary="List the tags that friends of a channel carry",
            tag=_TAG,
            handler=tag_counts,
            query=Listing,
            answer=Page[TagCountView],
            segments={"id": CHANNEL},
        ),
        Endpoint(
            method="GET",
            path="/friends/{id}/tags",
            summary="List the tags of a friend",
            tag=_TAG,
            handler=tags,
            answer=Page[FriendTagView],
            segments=by_friend,
        ),
        _changing("PUT", "/friends/{id}/tags/{tag}", "Give a tag to a friend", "tag"),
        _changing("DELETE", "/friends/{id}/tags/{tag}", "Take a tag from a friend", "untag"),
        Endpoint(
            method="GET",
            path="/friends/{id}/pushes",
            summary="Read whether a friend is pushed anything",
            tag=_TAG,
            handler=stopped,
            answer=FriendPushesView,
            segments=by_friend,
        ),
        _changing("PUT", "/friends/{id}/stop", "Push nothing more to a friend", "stop"),
        _changing("DELETE", "/friends/{id}/stop", "Push to a friend again", "start"),
        Endpoint(
            method="GET",
            path="/friends/{id}/steps",
            summary="List the series of steps of a friend",
            tag=_TAG,
            handler=runs,
            answer=Page[StepRunView],
            segments=by_friend,
        ),
        Endpoint(
            method="GET",
            path="/segments",
            summary="List segments",
            tag=_TAG,
            handler=segments,
            query=SegmentQuery,
            answer=Page[SegmentView],
            refusals=(Refusal.OUT_OF_SCOPE,),
        ),
        Endpoint(
            method="GET",
            path="/segments/{id}/size",
            summary="Count the friends of a segment",
            tag=_TAG,
            handler=size,
            answer=SizeView,
            segments={"id": CHANNEL},
        ),
    ]


async def size_of(
    ask: Ask[Any, Any],
    reader: AudienceReading,
    quotas: QuotaReading,
    channel: str,
    segment: Segment | None,
) -> SizeView:
    """How many friends of a channel, or of its ``segment``, would be pushed now."""
    condition = segment.filter if segment is not None else EVERYONE
    count = await ask.read(reader.size, ask.scope, channel, condition, ask.now)
    months = await ask.read(quotas.of, ask.scope, month_of(ask.now))
    month = next((each for each in months if each.channel == channel), None)
    known = month is not None and bool(month.kind)
    return SizeView(
        channel=channel,
        recipients=count,
        spends=count,
        quota_left=month.left if month is not None else None,
        fits=month.has_room(count) if month is not None and known else None,
    )


def channel_of(scope: Any, held: Held, id_: str) -> Channel:
    """The channel of this id.

    Raises:
        Refused: there is none of that id in the scope.
    """
    channel = held(Channel).get(id_)
    if not isinstance(channel, Channel) or not scope.covers(channel.advertiser):
        raise Refused(Refusal.NOT_FOUND)
    return channel


def _changing(
    method: Literal["PUT", "DELETE"],
    path: str,
    summary: str,
    what: Literal["tag", "untag", "stop", "start"],
) -> Endpoint:
    async def changed(ask: Ask[Query, None]) -> Answer:
        tag = ask.parameters.get("tag", "")
        if "{tag}" in path and not TAG.fullmatch(tag):
            raise Refused(Refusal.NOT_FOUND, "a tag has 1 to 40 of a-z, 0-9 and -")
        wish = Change(ask.scope, ask.access, ask.id(), what, ask.now, tag)
        return await ask.write(change, wish)

    segments = {"id": ID, "tag": CHANNEL} if "{tag}" in path else {"id": ID}
    return Endpoint(
        method=method,
        path=path,
        summary=summary,
        tag=_TAG,
        handler=changed,
        roles=STAFF,
        status=204,
        segments=segments,
        description="What is so already is no error.",
    )


def _id(segment: Segment) -> str:
    return segment.id


def _written(ask: Ask[Any, Any], instant: int) -> str:
    return written(instant, ask.wiring.zone)


def _counted(count: TagCount) -> TagCountView:
    return TagCountView(count.tag, count.friends)


def _tagged(ask: Ask[Any, Any], tag: TagOf) -> FriendTagView:
    return FriendTagView(tag.tag, _written(ask, tag.at), tag.source)


def _run(ask: Ask[Any, Any], run: StepRun) -> StepRunView:
    return StepRunView(
        series=run.series,
        state=run.state,
        began_at=_written(ask, run.began_at),
        round=run.round,
        next_step=run.next_step,
        due_at=None if run.due_at is None else _written(ask, run.due_at),
        sent=run.sent,
        skipped=run.skipped,
        ended_at=_written(ask, run.ended_at) if run.ended_at else None,
    )


def _segment(segment: Segment) -> SegmentView:
    condition: dict[str, Any] = msgspec.to_builtins(segment.filter)
    return SegmentView(segment.id, segment.advertiser, segment.channel, condition)
