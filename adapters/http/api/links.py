"""Short links: their addresses, and how often they were followed."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.audience import CHANNEL, Held
from adapters.http.api.endpoint import AdvertiserId, Endpoint, Listing, Moment, Page, Query
from gateway.domain.line.channel import Channel
from gateway.domain.links import Link, day_of
from gateway.domain.values import micros
from gateway.errors import Refusal, Refused
from gateway.ports.links import DayCount, LinkReading
from gateway.usecases.links import address

_TAG = "links"
_USUAL_DAYS = 31
_MOST_DAYS = 400
_DAY_0 = date(1970, 1, 1)


class LinkQuery(Listing, frozen=True):
    """Which links are listed."""

    advertiser: AdvertiserId | None = None


class LinkView(msgspec.Struct, frozen=True):
    """An address that is reached by short ones of ours."""

    id: str
    advertiser: str
    channel: str | None
    kind: Literal["short", "entry"]
    url: str
    tags: list[str]
    short_url: Annotated[
        str | None,
        Meta(description="To be printed or posted; null for the first seconds of a link."),
    ]
    liff_url: Annotated[
        str | None,
        Meta(
            description="Of an entry link: opens in LINE, which then tells who comes by it. Print "
            "this one, where there is one."
        ),
    ]


class LinkDaysQuery(Query, frozen=True):
    """Which days are shown."""

    since: Moment | None = None
    until: Moment | None = None


class LinkDayView(msgspec.Struct, frozen=True):
    """How often a link was followed in a day of Asia/Tokyo."""

    day: Annotated[str, Meta(examples=["2026-11-21"])]
    people: int
    bots: Annotated[int, Meta(description="Previews of messengers, and other programs.")]
    friends: Annotated[int, Meta(description="Who became a friend by it, as LINE Login says.")]


def endpoints(reader: LinkReading, held: Held, public_url: str) -> list[Endpoint]:
    """The calls of the API that tell of links."""

    async def listed(ask: Ask[LinkQuery, None]) -> Page[LinkView]:
        scope, after = ask.narrowed(ask.query.advertiser), ask.after(str)
        # The writer's thread may change them: they are copied in one step.
        found = sorted(
            (
                link
                for link in list(held(Link).values())
                if scope.covers(link.advertiser) and (after is None or link.id > str(after[0]))
            ),
            key=_id,
        )[: ask.query.limit + 1]
        codes = await ask.read(reader.printed, scope, [link.id for link in found])
        return ask.page(found, lambda link: (link.id,), lambda link: shown(link, codes))

    def shown(link: Link, codes: dict[str, str]) -> LinkView:
        code = codes.get(link.id)
        channel = held(Channel).get(link.channel)
        liff_id = channel.liff_id if isinstance(channel, Channel) and link.kind == "entry" else ""
        return LinkView(
            id=link.id,
            advertiser=link.advertiser,
            channel=link.channel or None,
            kind=link.kind,
            url=link.url,
            tags=list(link.tags),
            short_url=address(public_url, code) if code else None,
            liff_url=f"https://liff.line.me/{liff_id}/r/{code}" if liff_id and code else None,
        )

    async def days(ask: Ask[LinkDaysQuery, None]) -> Page[LinkDayView]:
        link = held(Link).get(ask.parameters["id"])
        if not isinstance(link, Link) or not ask.scope.covers(link.advertiser):
            raise Refused(Refusal.NOT_FOUND)
        since, until = _span(ask)
        found = await ask.read(reader.days, ask.scope, link.id, since=since, until=until)
        return Page([_day(count) for count in found], None)

    return [
        Endpoint(
            method="GET",
            path="/links",
            summary="List short links and entry links",
            tag=_TAG,
            handler=listed,
            query=LinkQuery,
            answer=Page[LinkView],
            refusals=(Refusal.OUT_OF_SCOPE,),
        ),
        Endpoint(
            method="GET",
            path="/links/{id}/days",
            summary="Count by day who followed a link",
            tag=_TAG,
            handler=days,
            query=LinkDaysQuery,
            answer=Page[LinkDayView],
            segments={"id": CHANNEL},
            description=f"Of the last {_USUAL_DAYS} days, unless `since` and `until` say others, "
            f"{_MOST_DAYS} at most; days without any visit are left out.",
        ),
    ]


def _id(link: Link) -> str:
    return link.id


def _span(ask: Ask[LinkDaysQuery, Any]) -> tuple[int, int]:
    """The days asked for, the last one not among them.

    Raises:
        Refused: they are too many.
    """
    query = ask.query
    until = day_of(micros(query.until) - 1 if query.until else ask.now) + 1
    since = day_of(micros(query.since)) if query.since else until - _USUAL_DAYS
    if until - since > _MOST_DAYS:
        detail = f"from since to until may be {_MOST_DAYS} days at most"
        raise Refused(Refusal.INVALID_PARAMETER, detail)
    return since, until


def _day(count: DayCount) -> LinkDayView:
    day = (_DAY_0 + timedelta(count.day)).isoformat()
    return LinkDayView(day, count.people, count.bots, count.friends)
