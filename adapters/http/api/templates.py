"""Templates: messages that staff send again and again."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import ID, AdvertiserId, Body, Endpoint, Listing, Page, Query
from adapters.http.api.inbox import TAG, ChannelId
from gateway.domain.access import STAFF
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.ports.inbox import InboxReading, Template
from gateway.usecases.inbox import IDS, Draft, OldTemplate, drop_template, save_template
from gateway.usecases.views import Instant, written

_SEGMENTS = {"id": ID}

Name = Annotated[str, Meta(min_length=1, max_length=60)]
Messages = Annotated[
    list[dict[str, Any]],
    Meta(
        min_length=1,
        max_length=5,
        description="LINE's message objects; texts may hold {name}, {shop} and {points}.",
    ),
]


class TemplateQuery(Listing, frozen=True):
    """Which templates are listed."""

    advertiser: AdvertiserId | None = None
    channel: Annotated[
        ChannelId | None, Meta(description="With those for all channels of its advertiser.")
    ] = None


class TemplateChange(Body, frozen=True):
    """What a template says from now on."""

    name: Name
    messages: Messages


class NewTemplate(TemplateChange, frozen=True):
    """A template."""

    advertiser: AdvertiserId
    channel: Annotated[
        ChannelId | None, Meta(description="null: for all channels of the advertiser.")
    ] = None


class TemplateView(msgspec.Struct, frozen=True):
    """A template."""

    id: str
    advertiser: str
    channel: Annotated[str | None, Meta(description="null: for all channels of the advertiser.")]
    name: str
    messages: list[dict[str, Any]]
    at: Instant
    by: Annotated[str, Meta(description="Who changed it last.")]


def endpoints(reader: InboxReading) -> list[Endpoint]:
    """The calls of the API that tell of templates, and change them."""

    async def listed(ask: Ask[TemplateQuery, None]) -> Page[TemplateView]:
        scope = ask.narrowed(ask.query.advertiser)
        after = ask.after(int)
        found = await ask.read(
            reader.templates,
            scope,
            ask.query.channel,
            after=after[0] if after else -1,
            limit=ask.query.limit + 1,
        )
        return ask.page(found, lambda t: (t.id,), lambda t: _shown(ask, t))

    async def shown(ask: Ask[Query, None]) -> TemplateView:
        template = await ask.read(reader.template, ask.scope, ask.id())
        if template is None:
            raise Refused(Refusal.NOT_FOUND)
        return _shown(ask, template)

    async def made(ask: Ask[Query, NewTemplate]) -> Answer:
        ask.require(ask.body.advertiser)
        draft = Draft(**_draft(ask), advertiser=ask.body.advertiser, channel=ask.body.channel or "")
        return await ask.write(save_template, draft, lambda template: _shown(ask, template))

    async def changed(ask: Ask[Query, TemplateChange]) -> Answer:
        draft = Draft(**_draft(ask), id=ask.id())
        return await ask.write(save_template, draft, lambda template: _shown(ask, template))

    async def dropped(ask: Ask[Query, None]) -> Answer:
        wish = OldTemplate(ask.scope, ask.id(), ask.access.actor, ask.now)
        return await ask.write(drop_template, wish)

    return [
        Endpoint(
            method="GET",
            path="/templates",
            summary="List templates",
            tag=TAG,
            handler=listed,
            roles=STAFF,
            query=TemplateQuery,
            answer=Page[TemplateView],
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="The oldest first.",
        ),
        Endpoint(
            method="POST",
            path="/templates",
            summary="Make a template",
            tag=TAG,
            handler=made,
            roles=STAFF,
            body=NewTemplate,
            answer=TemplateView,
            status=201,
            refusals=(
                Refusal.OUT_OF_SCOPE,
                Refusal.MESSAGE_INVALID,
                Refusal.UNKNOWN_REFERENCE,
            ),
        ),
        Endpoint(
            method="GET",
            path="/templates/{id}",
            summary="Read a template",
            tag=TAG,
            handler=shown,
            roles=STAFF,
            answer=TemplateView,
            segments=_SEGMENTS,
        ),
        Endpoint(
            method="PUT",
            path="/templates/{id}",
            summary="Change a template",
            tag=TAG,
            handler=changed,
            roles=STAFF,
            body=TemplateChange,
            answer=TemplateView,
            refusals=(Refusal.MESSAGE_INVALID, Refusal.UNKNOWN_REFERENCE),
            segments=_SEGMENTS,
        ),
        Endpoint(
            method="DELETE",
            path="/templates/{id}",
            summary="Remove a template",
            tag=TAG,
            handler=dropped,
            roles=STAFF,
            status=204,
            segments=_SEGMENTS,
        ),
    ]


def _draft(ask: Ask[Any, Any]) -> dict[str, Any]:
    return {
        "scope": ask.scope,
        "actor": ask.access.actor,
        "at": ask.now,
        "name": ask.body.name,
        "messages": ask.body.messages,
        "seed": ask.seed(IDS),
    }


def _shown(ask: Ask[Any, Any], template: Template) -> TemplateView:
    return TemplateView(
        id=str(template.id),
        advertiser=template.advertiser,
        channel=template.channel or None,
        name=template.name,
        messages=msgspec.json.decode(template.messages),
        at=written(template.at, ask.wiring.zone),
        by=template.actor,
    )
