"""Pushes: set up, looked at beforehand, followed and cancelled."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.audience import CHANNEL, Held, SizeView, channel_of, size_of
from adapters.http.api.demographics import DemographicFilter, plain
from adapters.http.api.endpoint import (
    ID,
    AdvertiserId,
    Body,
    Endpoint,
    Listing,
    Moment,
    Page,
    Query,
)
from adapters.http.api.menus import ChannelId
from gateway.domain.access import MANAGERS
from gateway.domain.audience import Segment
from gateway.domain.pushes import (
    Audience,
    Demographic,
    Everyone,
    Named,
    OfSegment,
    Push,
    Reason,
    State,
)
from gateway.domain.values import micros
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.ports.audience import AudienceReading
from gateway.ports.links import LinkReading
from gateway.ports.pushes import PushReading
from gateway.ports.quota import QuotaReading
from gateway.usecases.pushes import Cancel, NewPush, cancel, create
from gateway.usecases.views import Instant, written

_TAG = "pushes"
_MOST_DEEP = 50
"""Levels of a message; the deepest flex messages have some twenty."""

_FriendId = Annotated[str, Meta(pattern="^[0-9]{1,18}$", description="A friend's id.")]
_SegmentId = Annotated[str, Meta(pattern="^[a-z0-9-]{1,40}$", description="A segment's id.")]


class PushBody(Body, frozen=True):
    """A push. Exactly one of `segment`, `friends`, `everyone` and `demographic` says whom for."""

    channel: ChannelId
    messages: Annotated[
        list[dict[str, Any]],
        Meta(
            min_length=1,
            max_length=5,
            description="Message objects of LINE's, `{type: coupon, coupon: …}` and alike; texts "
            "may hold `{name}`, `{shop}`, `{points}` and `{link:…}`.",
        ),
    ]
    segment: _SegmentId | None = None
    friends: Annotated[list[_FriendId], Meta(min_length=1, max_length=500)] | None = None
    everyone: Annotated[bool, Meta(description="All friends of the channel.")] = False
    demographic: DemographicFilter | None = None
    at: Moment | None = None
    silent: Annotated[bool, Meta(description="Telephones stay silent.")] = False
    unit: Annotated[
        str,
        Meta(
            pattern="^[A-Za-z0-9_]{0,30}$",
            description="Under which name LINE counts openings and clicks (an aggregation unit).",
        ),
    ] = ""
    partial: Annotated[
        bool, Meta(description="Where the quota is short, as many as it has room for get it.")
    ] = False


class PushQuery(Listing, frozen=True):
    """Which pushes are listed."""

    advertiser: AdvertiserId | None = None
    channel: ChannelId | None = None


class PreviewQuery(Query, frozen=True):
    """Whom a push would be for; without a segment all friends of the channel."""

    segment: _SegmentId | None = None


class PushView(msgspec.Struct, frozen=True, kw_only=True):
    """A push, and how far it is. The counts of recipients add up, `waiting` included."""

    id: str
    advertiser: str
    channel: str
    whom: Literal["segment", "friends", "everyone", "demographic"]
    segment: str | None
    state: State
    reason: Annotated[Reason, Meta(description="Why it was halted, or failed; empty otherwise.")]
    at: Annotated[Instant, Meta(description="When it begins, out of the channel's quiet hours.")]
    created_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    silent: bool
    unit: str
    partial: bool
    recipients: Annotated[
        int | None, Meta(description="Fixed when it begins; null until then, or if it never did.")
    ]
    waiting: int
    sent: int
    refused: int
    unknown: Annotated[int, Meta(description="Nobody can tell whether they got it.")]
    taken_back: int
    stopped: int
    blocked: Annotated[
        int,
        Meta(description="Not reachable: they blocked the account, or are not known as friends."),
    ]
    over_quota: int


class PushDetail(msgspec.Struct, frozen=True):
    """A push in full."""

    push: PushView
    messages: list[dict[str, Any]]
    clicks: Annotated[int, Meta(description="How often people followed its short links.")]
    clicked_by: Annotated[
        int, Meta(description="How many friends did, of those with links of their own.")
    ]


def endpoints(
    reader: PushReading,
    audience: AudienceReading,
    quotas: QuotaReading,
    links: LinkReading,
    held: Held,
) -> list[Endpoint]:
    """The calls of the API that tell of pushes."""

    async def preview(ask: Ask[PreviewQuery, None]) -> SizeView:
        channel = channel_of(ask.scope, held, ask.parameters["id"])
        segment = None
        if ask.query.segment is not None:
            segment = _segment(channel.id, ask.query.segment)
        return await size_of(ask, audience, quotas, channel.id, segment)

    def _segment(channel: str, name: str) -> Segment:
        segment = held(Segment).get(name)
        if not isinstance(segment, Segment) or segment.channel != channel:
            raise Refused(Refusal.UNKNOWN_REFERENCE, "the channel has no such segment")
        return segment

    async def made(ask: Ask[Query, PushBody]) -> Answer:
        body = ask.body
        whom = _whom(body)
        _check_depth(body.messages)
        channel = channel_of(ask.scope, held, body.channel)
        new = NewPush(
            scope=ask.scope,
            access=ask.access,
            channel=channel.id,
            audience=whom,
            messages=tuple(body.messages),
            now=ask.now,
            seed=ask.seed(1),
            at=None if body.at is None else micros(body.at),
            silent=body.silent,
            unit=body.unit,
            partial=body.partial,
            expected=await _expected(ask, channel.id, whom),
        )
        return await ask.write(create, new, lambda push: _shown(ask, push))

    async def _expected(ask: Ask[Any, Any], channel: str, whom: Audience) -> int:
        if isinstance(whom, Named):
            return len(whom.friends)
        segment = _segment(channel, whom.segment) if isinstance(whom, OfSegment) else None
        return (await size_of(ask, audience, quotas, channel, segment)).recipients

    async def listed(ask: Ask[PushQuery, None]) -> Page[PushView]:
        query, after = ask.query, ask.after(int)
        found = await ask.read(
            reader.page,
            ask.narrowed(query.advertiser),
            channel=query.channel,
            after=int(after[0]) if after else 0,
            limit=query.limit + 1,
        )
        return ask.page(found, lambda push: (push.id,), lambda push: _shown(ask, push))

    async def shown(ask: Ask[Query, None]) -> PushDetail:
        push = await ask.read(reader.one, ask.scope, ask.id())
        if push is None:
            raise Refused(Refusal.NOT_FOUND)
        clicked = await ask.read(links.clicked, ask.scope, push.origin)
        return PushDetail(_shown(ask, push), list(push.said), clicked.clicks, clicked.friends)

    async def cancelled(ask: Ask[Query, None]) -> Answer:
        wish = Cancel(ask.scope, ask.access, ask.id(), ask.now)
        return await ask.write(cancel, wish, lambda push: _shown(ask, push))

    return [
        Endpoint(
            method="GET",
            path="/pushes",
            summary="List pushes, oldest first",
            tag=_TAG,
            handler=listed,
            query=PushQuery,
            answer=Page[PushView],
            refusals=(Refusal.OUT_OF_SCOPE,),
        ),
        Endpoint(
            method="GET",
            path="/channels/{id}/push-preview",
            summary="Count whom a push would reach, and what it takes of the quota",
            tag=_TAG,
            handler=preview,
            query=PreviewQuery,
            answer=SizeView,
            segments={"id": CHANNEL},
            refusals=(Refusal.UNKNOWN_REFERENCE,),
        ),
        Endpoint(
            method="POST",
            path="/pushes",
            summary="Set up a push, for now or for a time",
            tag=_TAG,
            handler=made,
            roles=MANAGERS,
            body=PushBody,
            answer=PushView,
            status=201,
            max_body=300_000,  # five messages of 50 KB, or ten thousand friends
            refusals=(
                Refusal.NOT_FOUND,
                Refusal.UNKNOWN_REFERENCE,
                Refusal.MESSAGE_INVALID,
                Refusal.NOT_IN_ONE,
                Refusal.QUOTA_TOO_SMALL,
                Refusal.TOO_MANY_UNITS,
                Refusal.STOPS_PRESENT,
            ),
            description="Send an `Idempotency-Key`: a push that is set up twice is sent twice. "
            "What falls into the channel's quiet hours is moved to their end. A push to a "
            "demographic is LINE's narrowcast: it takes a channel none of whose friends stopped "
            "pushes, since LINE does not know of that.",
        ),
        Endpoint(
            method="GET",
            path="/pushes/{id}",
            summary="Read a push with its figures",
            tag=_TAG,
            handler=shown,
            answer=PushDetail,
            segments={"id": ID},
        ),
        Endpoint(
            method="POST",
            path="/pushes/{id}/cancel",
            summary="Cancel a push",
            tag=_TAG,
            handler=cancelled,
            roles=MANAGERS,
            answer=PushView,
            segments={"id": ID},
            refusals=(Refusal.PUSH_OVER,),
            description="Works up to the last batch: what is out stays out, the rest is not sent.",
        ),
    ]


def _whom(body: PushBody) -> Audience:
    given: list[Audience] = []
    if body.segment is not None:
        given.append(OfSegment(body.segment))
    if body.friends is not None:
        given.append(Named(tuple(dict.fromkeys(int(friend) for friend in body.friends))))
    if body.everyone:
        given.append(Everyone())
    if body.demographic is not None:
        given.append(Demographic(plain(body.demographic)))
    if len(given) != 1:
        detail = "give one of segment, friends, everyone and demographic"
        raise Refused(Refusal.NOT_IN_ONE, detail)
    return given[0]


def _check_depth(messages: list[Any]) -> None:
    """What is nested too deep would end in an error of ours.

    Raises:
        Refused: it is.
    """
    level: list[Any] = list(messages)
    for _ in range(_MOST_DEEP):
        inner = [list(v.values()) if isinstance(v, dict) else v for v in level]
        level = [each for values in inner if isinstance(values, list) for each in values]
        if not level:
            return
    raise Refused(Refusal.MESSAGE_INVALID, "messages: are nested too deep")


def _shown(ask: Ask[Any, Any], push: Push) -> PushView:
    def at(instant: int) -> str | None:
        return written(instant, ask.wiring.zone) if instant else None

    whom = push.whom
    kinds: dict[type[Audience], Literal["segment", "friends", "everyone", "demographic"]] = {
        OfSegment: "segment",
        Named: "friends",
        Everyone: "everyone",
        Demographic: "demographic",
    }
    is_fixed = bool(push.started_at) and push.state != "preparing"
    known = push.sent + push.refused + push.unknown + push.taken_back
    known += push.stopped + push.blocked + push.over_quota
    return PushView(
        id=str(push.id),
        advertiser=push.advertiser,
        channel=push.channel,
        whom=kinds[type(whom)],
        segment=whom.segment if isinstance(whom, OfSegment) else None,
        state=push.state,
        reason=push.reason,
        at=written(push.at, ask.wiring.zone),
        created_at=written(push.created_at, ask.wiring.zone),
        started_at=at(push.started_at),
        ended_at=at(push.ended_at),
        silent=push.silent,
        unit=push.unit,
        partial=push.partial,
        recipients=push.recipients if is_fixed else None,
        waiting=max(0, push.recipients - known),
        sent=push.sent,
        refused=push.refused,
        unknown=push.unknown,
        taken_back=push.taken_back,
        stopped=push.stopped,
        blocked=push.blocked,
        over_quota=push.over_quota,
    )
