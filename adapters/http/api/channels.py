"""Channels: how they are doing, and the check of their set-up."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import AdvertiserId, Endpoint, Listing, Page, Query
from gateway.domain.access import MANAGERS
from gateway.domain.hours import month_of
from gateway.domain.line.channel import Channel, Forward
from gateway.domain.line.onboarding import Check, State
from gateway.domain.line.quota import Quota
from gateway.domain.values import micros
from gateway.errors import Refusal, Refused
from gateway.ports.insight import ChannelReading, ChannelState
from gateway.usecases.views import Instant, written

_TAG = "channels"

_ID = re.compile("[a-z0-9-]{1,40}")

CHANNEL: Mapping[str, Any] = {"type": "string", "pattern": f"^{_ID.pattern}$"}
"""The schema of a path parameter that is a channel's id."""

Checking = Callable[[Channel], Awaitable[Sequence[Check]]]
"""Walks the set-up of a channel, asking LINE."""


class ChannelQuery(Listing, frozen=True):
    """Which channels are listed."""

    advertiser: AdvertiserId | None = None


class ChannelQuotaView(msgspec.Struct, frozen=True):
    """What a channel may push this month, as far as it is known."""

    kind: Literal["none", "limited"]
    limit: Annotated[int | None, Meta(description="null: the plan has none.")]
    used: Annotated[int, Meta(description="What LINE counted, and what was sent since it told.")]
    left: Annotated[int | None, Meta(description="Less what campaigns have reserved.")]
    read_at: Annotated[Instant, Meta(description="When LINE was last asked.")]


class ChannelForwardView(msgspec.Struct, frozen=True):
    """A second tool that gets every webhook."""

    url: str
    answers: Annotated[bool, Meta(description="Whether it is the one that answers friends.")]
    approved_by: str
    approved_at: Instant


class ChannelView(msgspec.Struct, frozen=True):
    """A LINE official account."""

    id: str
    advertiser: str
    name: str
    friends: Annotated[int | None, Meta(description="As of `counted_at`.")]
    blocked: int | None
    counted_at: Instant | None
    last_webhook_at: Annotated[
        Instant | None, Meta(description="When LINE told of anything last, as of `counted_at`.")
    ]
    quota: ChannelQuotaView | None
    forward: ChannelForwardView | None


class SetUpCheckView(msgspec.Struct, frozen=True):
    """One thing of an account's set-up."""

    id: str
    title: str
    state: Annotated[
        State,
        Meta(
            description="`manual`: a person has to look, as the API cannot; `unknown`: something "
            "else has to be put right first."
        ),
    ]
    found: str
    remedy: Annotated[str, Meta(description="What to do; empty where all is right.")]


class SetUpView(msgspec.Struct, frozen=True):
    """The set-up of an account, walked through."""

    channel: str
    failed: int
    checks: list[SetUpCheckView]


def endpoints(reader: ChannelReading, check: Checking | None) -> list[Endpoint]:
    """The calls of the API that tell of channels; ``check`` is there where LINE is configured."""

    async def listed(ask: Ask[ChannelQuery, None]) -> Page[ChannelView]:
        query = ask.query
        after = ask.after(str)
        found = await ask.read(
            reader.channels,
            ask.narrowed(query.advertiser),
            month=month_of(ask.now),
            after=str(after[0]) if after else "",
            limit=query.limit + 1,
        )
        return ask.page(found, lambda state: (state.channel.id,), lambda s: _shown(ask, s))

    async def checked(ask: Ask[Query, None]) -> SetUpView:
        channel = await found_channel(ask, reader)
        assert check is not None  # noqa: S101 - the call is there only with it
        found = await check(channel)
        views = [SetUpCheckView(c.id, c.title, c.state, c.found, c.remedy) for c in found]
        return SetUpView(channel.id, sum(c.state == "failed" for c in found), views)

    calls = [
        Endpoint(
            method="GET",
            path="/channels",
            summary="List LINE channels with their state",
            tag=_TAG,
            handler=listed,
            query=ChannelQuery,
            answer=Page[ChannelView],
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="Friends are counted every quarter of an hour.",
        )
    ]
    if check is not None:
        calls.append(
            Endpoint(
                method="GET",
                path="/channels/{id}/check",
                summary="Check a channel's set-up",
                tag=_TAG,
                handler=checked,
                roles=MANAGERS,
                answer=SetUpView,
                segments={"id": CHANNEL},
                description="Asks LINE, and lets it post an empty webhook: a few seconds. LINE "
                "allows sixty of these tests an hour.",
            )
        )
    return calls


def instant_of(given: datetime) -> int:
    """The instant of a time that a person writes down.

    Raises:
        Refused: it lies beyond the century.
    """
    if not 2000 <= given.year < 2100:
        raise Refused(Refusal.INVALID_FIELD, "at lies beyond the century")
    return micros(given)


async def found_channel(ask: Ask[Any, Any], reader: ChannelReading) -> Channel:
    """The channel of the path.

    Raises:
        Refused: there is none of that id in the scope.
    """
    id_ = ask.parameters["id"]
    channel = await ask.read(reader.channel, ask.scope, id_) if _ID.fullmatch(id_) else None
    if channel is None:
        raise Refused(Refusal.NOT_FOUND)
    return channel


def _shown(ask: Ask[Any, Any], state: ChannelState) -> ChannelView:
    zone = ask.wiring.zone

    def at(instant: int) -> str | None:
        return written(instant, zone) if instant else None

    channel, own, is_counted = state.channel, state.own, bool(state.own_at)
    return ChannelView(
        id=channel.id,
        advertiser=channel.advertiser,
        name=channel.shop,
        friends=own.friends if is_counted else None,
        blocked=own.blocked if is_counted else None,
        counted_at=at(state.own_at),
        last_webhook_at=at(own.last_at),
        quota=_quota(ask, state.quota),
        forward=_forward(ask, channel.forward),
    )


def _quota(ask: Ask[Any, Any], quota: Quota | None) -> ChannelQuotaView | None:
    if quota is None or not quota.kind:
        return None
    limit = quota.monthly_limit if quota.kind == "limited" else None
    read_at = written(quota.read_at, ask.wiring.zone)
    return ChannelQuotaView(quota.kind, limit, quota.used + quota.spent, quota.left, read_at)


def _forward(ask: Ask[Any, Any], forward: Forward | None) -> ChannelForwardView | None:
    if forward is None:
        return None
    approved_at = written(forward.approved_at, ask.wiring.zone)
    return ChannelForwardView(forward.url, forward.answers, forward.approved_by, approved_at)
