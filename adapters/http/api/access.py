"""Who the token is for, and which advertisers it opens."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import Endpoint, Listing, Page, Query
from adapters.http.api.guard import Directory
from gateway.domain.access import Role
from gateway.domain.tenancy import Advertiser, Kind
from gateway.usecases.views import Instant, written


class MeView(msgspec.Struct, frozen=True):
    """The token that asks."""

    id: str
    name: str
    role: Role
    advertisers: Annotated[
        list[str], Meta(description="Those it was given for; none where it is for everybody.")
    ]
    expires_at: Instant | None


class AdvertiserView(msgspec.Struct, frozen=True):
    """An agency, a media or an advertiser."""

    id: str
    name: str
    kind: Kind
    parent: Annotated[str, Meta(description="Under whom it stands: an id, or `operator`.")]


class AdvertiserQuery(Listing, frozen=True):
    """Which parties are listed."""

    kind: Kind | None = None


def endpoints(directory: Callable[[], Directory]) -> list[Endpoint]:
    """The calls of the API that tell who one is."""

    async def me(ask: Ask[Query, None]) -> MeView:
        access = ask.access
        expires_at = access.expires_at
        return MeView(
            str(access.id),
            access.name,
            access.role,
            list(access.advertisers),
            None if expires_at is None else written(expires_at, ask.wiring.zone),
        )

    async def listed(ask: Ask[AdvertiserQuery, None]) -> Page[AdvertiserView]:
        after = ask.after(str)
        kind = ask.query.kind
        # The writer's thread may change the directory: it is copied in one step.
        parties = sorted(
            (
                party
                for party in list(directory().parties.values())
                if ask.scope.covers(party.id)
                and kind in (None, party.kind)
                and (after is None or party.id > str(after[0]))
            ),
            key=_id,
        )
        return ask.page(parties, lambda party: (party.id,), _shown)

    return [
        Endpoint(
            method="GET",
            path="/me",
            summary="Read who the token is for",
            tag="access",
            handler=me,
            answer=MeView,
        ),
        Endpoint(
            method="GET",
            path="/advertisers",
            summary="List the token's advertisers and all below them",
            tag="access",
            handler=listed,
            query=AdvertiserQuery,
            answer=Page[AdvertiserView],
        ),
    ]


def _id(party: Advertiser) -> str:
    return party.id


def _shown(party: Advertiser) -> AdvertiserView:
    return AdvertiserView(party.id, party.name, party.kind, party.parent)
