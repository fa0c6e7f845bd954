"""Mail campaigns: listed, drafted, and looked at."""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import ID, AdvertiserId, Body, Endpoint, Listing, Order, Page, Query
from adapters.http.api.mail.base import (
    TAG,
    Halted,
    ListId,
    Mail,
    Previewed,
    RecipientId,
    Values,
    is_masked,
    list_of,
)
from adapters.http.api.mail.plans import (
    CampaignBody,
    CampaignView,
    ContentView,
    PlanBody,
    Warnings,
    campaign_view,
    content_view,
    plan_of,
    warnings_of,
)
from gateway.domain.access import MANAGERS, STAFF
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Checked, Content, checked
from gateway.domain.mail.profiles import attributes_of
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.usecases.mail import campaigns as desk
from gateway.usecases.mail import drafts
from gateway.usecases.mail.sending import Message, message

PLAN = (
    Refusal.NOT_FOUND,
    Refusal.UNKNOWN_REFERENCE,
    Refusal.TEMPLATE_INVALID,
    Refusal.CONTENT_TOO_LARGE,
    Refusal.CHARACTERS_LACKING,
    Refusal.ATTACHMENT_INVALID,
)
"""What may be wrong with what a campaign says, or with whom it is for."""

COMPOSED = (
    *PLAN,
    Refusal.VALUE_MISSING,
    Refusal.VALUE_UNWRITABLE,
    Refusal.VALUE_TOO_LONG,
    Refusal.HEADER_INVALID,
    Refusal.CONTENT_GONE,
    Refusal.EXPORT_FORBIDDEN,
    Refusal.TOO_MANY_PREVIEWS,
)
_MOST_BODY = 12_000_000
"""Bytes: attachments of 2 MB are 2.7 MB of base64, and HTML that is too large is told so."""


class CampaignQuery(Listing, frozen=True):
    """Which campaigns are listed."""

    advertiser: AdvertiserId | None = None
    list: ListId | None = None
    order: Order = "asc"


class PreviewBody(Body, frozen=True):
    """For whom a message is composed: a recipient of the list, or somebody with these values."""

    recipient: RecipientId | None = None
    values: Values | None = None


class ProblemView(msgspec.Struct, frozen=True):
    """Something that keeps a message from being sent."""

    where: Literal["subject", "text", "html", "attachments"]
    reason: str
    detail: str


class CampaignDetail(msgspec.Struct, frozen=True):
    """A campaign and what it says."""

    campaign: CampaignView
    content: Annotated[ContentView | None, Meta(description="Null once it is not kept any more.")]
    problems: Annotated[
        list[ProblemView],
        Meta(description="What is still to be mended before it can be scheduled."),
    ]
    halted: Halted


class PreviewView(Previewed, frozen=True):
    """A message as one recipient would get it, and what keeps it from being scheduled."""

    problems: Annotated[
        list[ProblemView],
        Meta(description="What `schedule` would refuse of the message as it is written."),
    ]
    warnings: Warnings


def endpoints(mail: Mail) -> list[Endpoint]:
    """The calls of the API that tell of campaigns."""

    async def listed(ask: Ask[CampaignQuery, None]) -> Page[CampaignView]:
        query, after = ask.query, ask.after(int)
        found = await ask.read(
            mail.campaigns.page,
            ask.narrowed(query.advertiser),
            list_=query.list,
            after=int(after[0]) if after else 0,
            limit=query.limit + 1,
            newest_first=query.order == "desc",
        )
        return ask.page(found, lambda each: (each.id,), lambda each: campaign_view(ask, each))

    async def shown(ask: Ask[Query, None]) -> CampaignDetail:
        campaign = await campaign_of(ask, mail)
        said = await ask.wiring.store.run(message, campaign.id)
        view = campaign_view(ask, campaign)
        halted = await ask.read(mail.halted, campaign.advertiser)
        if said is None:
            return CampaignDetail(view, None, [], halted)
        problems = await _problems(mail, said)
        return CampaignDetail(view, content_view(said.content), problems, halted)

    async def made(ask: Ask[Query, CampaignBody]) -> Answer:
        mail_list = list_of(ask, mail.held, ask.body.list)
        new = drafts.NewCampaign(
            scope=ask.scope,
            actor=ask.access.actor,
            list=mail_list.id,
            plan=await planned(ask.body.plan, mail_list),
            now=ask.now,
            seed=ask.seed(1),
        )
        return await ask.write(drafts.create, new, lambda made: campaign_view(ask, made))

    async def rewritten(ask: Ask[Query, PlanBody]) -> Answer:
        campaign = await campaign_of(ask, mail)
        plan = await planned(ask.body, mail.held(MailList).get(campaign.list))
        wish = drafts.Rewrite(ask.scope, ask.access.actor, campaign.id, plan, ask.now)
        return await ask.write(drafts.rewrite, wish, lambda made: campaign_view(ask, made))

    async def previewed(ask: Ask[Query, PreviewBody]) -> PreviewView:
        campaign = await campaign_of(ask, mail)
        mail_list = list_of(ask, mail.held, campaign.list)
        content = await content_of(ask, campaign)
        values = ask.body.values or {}
        if ask.body.recipient is not None and is_masked(ask, mail_list):
            detail = "recipient: theirs are not shown under the postpaid contract; give values"
            raise Refused(Refusal.EXPORT_FORBIDDEN, detail)
        if ask.body.recipient is not None:
            id_ = int(ask.body.recipient)
            found = await ask.read(
                mail.lists.recipients, ask.scope, mail_list.id, after=id_ - 1, limit=1
            )
            if not found or found[0].id != id_:
                raise Refused(Refusal.UNKNOWN_REFERENCE, "recipient: nobody of that id is there")
            values = attributes_of(found[0].attributes) | values
        composed = await mail.compose(content, mail_list, values)
        problems = _shown(await content_checked(content, mail_list))
        fields = {name: getattr(composed, name) for name in composed.__struct_fields__}
        warnings = warnings_of(campaign, mail_list)
        return PreviewView(**fields, problems=problems, warnings=warnings)

    return [
        Endpoint(
            method="GET",
            path="/mail-campaigns",
            summary="List mail campaigns",
            description="Oldest first, or newest first with `order=desc`.",
            tag=TAG,
            handler=listed,
            query=CampaignQuery,
            answer=Page[CampaignView],
            refusals=(Refusal.OUT_OF_SCOPE,),
        ),
        Endpoint(
            method="POST",
            path="/mail-campaigns",
            summary="Draft a mail campaign",
            tag=TAG,
            handler=made,
            roles=MANAGERS,
            body=CampaignBody,
            answer=CampaignView,
            status=201,
            max_body=_MOST_BODY,
            refusals=PLAN,
            description="Nothing goes out before it is scheduled. A draft may still lack what the "
            "law wants shown.",
        ),
        Endpoint(
            method="GET",
            path="/mail-campaigns/{id}",
            summary="Read a mail campaign with what it says",
            tag=TAG,
            handler=shown,
            answer=CampaignDetail,
            segments={"id": ID},
        ),
        Endpoint(
            method="PUT",
            path="/mail-campaigns/{id}",
            summary="Rewrite a draft",
            tag=TAG,
            handler=rewritten,
            roles=MANAGERS,
            body=PlanBody,
            answer=CampaignView,
            segments={"id": ID},
            max_body=_MOST_BODY,
            refusals=(*PLAN, Refusal.CAMPAIGN_STATE),
            description="As a whole: what is not given is as if it had never been.",
        ),
        Endpoint(
            method="POST",
            path="/mail-campaigns/{id}/preview",
            summary="Compose a campaign's message for one recipient",
            tag=TAG,
            handler=previewed,
            roles=STAFF,
            body=PreviewBody,
            answer=PreviewView,
            segments={"id": ID},
            refusals=COMPOSED,
            description="Links are shown as they were written, and the link to stop leads nowhere. "
            "It is refused where this recipient's mail could not be made, and for a recipient of a "
            "postpaid list (rule R83): give `values` there. What the law wants shown may still be "
            "missing of it: `problems` names that.",
        ),
    ]


async def campaign_of(ask: Ask[Any, Any], mail: Mail) -> Campaign:
    """The campaign in the path.

    Raises:
        Refused: there is none of that id in the scope.
    """
    id_ = ask.id()
    found = await ask.read(mail.campaigns.page, ask.scope, list_=None, after=id_ - 1, limit=1)
    if not found or found[0].id != id_:
        raise Refused(Refusal.NOT_FOUND, "there is no such campaign")
    return found[0]


async def content_of(ask: Ask[Any, Any], campaign: Campaign) -> Content:
    """What a campaign says.

    Raises:
        Refused: it is not kept any more.
    """
    said = await ask.wiring.store.run(message, campaign.id)
    if said is None:
        raise Refused(Refusal.CONTENT_GONE, "what it says is not kept any more")
    return said.content


async def planned(body: PlanBody, mail_list: object) -> drafts.Plan:
    """A plan as it was sent, its content checked beside the loop and before any transaction."""
    plan = plan_of(body)
    if not isinstance(mail_list, MailList):
        return plan
    return msgspec.structs.replace(plan, checked=await content_checked(plan.content, mail_list))


async def content_checked(content: Content, mail_list: MailList) -> Checked:
    """What is wrong with a content, found beside the loop."""
    display = desk.display_of(mail_list)
    return await asyncio.to_thread(checked, content, display, mail_list.attributes)


async def _problems(mail: Mail, said: Message) -> list[ProblemView]:
    if said.campaign.state != "draft":
        return []
    mail_list = mail.held(MailList).get(said.campaign.list)
    if not isinstance(mail_list, MailList):
        return []
    return _shown(await content_checked(said.content, mail_list))


def _shown(found: Checked) -> list[ProblemView]:
    return [ProblemView(each.where, str(each.reason), each.detail) for each in found.problems]
