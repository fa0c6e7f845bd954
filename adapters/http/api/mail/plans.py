"""What a mail campaign is to say, to whom and when, as it is sent and shown."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import Body, Moment
from adapters.http.api.mail.base import ListId, instant
from gateway.domain.mail.campaigns import (
    GIVE_UP_SECONDS,
    Audience,
    Campaign,
    Condition,
    Doubt,
    State,
)
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import (
    MOST_ATTACHED,
    MOST_ATTACHMENTS,
    Attachment,
    Charset,
    Content,
)
from gateway.domain.mail.message.display import Language
from gateway.domain.mail.segments import MOST_CONDITIONS
from gateway.domain.values import micros
from gateway.usecases.mail.drafts import MOST_PARTS, Plan, Resent
from gateway.usecases.views import Instant, written

_DAY = 86_400

CampaignId = Annotated[str, Meta(pattern="^[0-9]{1,18}$", description="A campaign's id.")]


Warnings = Annotated[
    list[str],
    Meta(description="What may be a mistake, before it begins; nothing is refused for it."),
]


class AttachmentBody(Body, frozen=True):
    """A file that goes with each mail."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    media_type: Annotated[str, Meta(min_length=1, max_length=130, examples=["application/pdf"])]
    data: Annotated[bytes, Meta(max_length=2 * MOST_ATTACHED, description="In base64.")]


class ConditionBody(Body, frozen=True):
    """One thing that must hold of a recipient."""

    field: Annotated[str, Meta(max_length=40, description="`tag`, or an attribute.")]
    op: Literal["is", "is_not", "contains", "below", "above", "has", "has_not"]
    value: Annotated[str, Meta(max_length=500)] = ""


class PlanBody(Body, frozen=True):
    """What a campaign is to say, to whom, when and how."""

    name: Annotated[str, Meta(min_length=1, max_length=200, description="For people of ours.")]
    subject: Annotated[str, Meta(max_length=4_000)]
    text: Annotated[str, Meta(max_length=2_000_000)]
    html: Annotated[str, Meta(max_length=4_000_000)] | None = None
    charset: Charset = "utf-8"
    footer: Annotated[
        Language | None,
        Meta(description="In which language the law's items are added at the end; null: not."),
    ] = None
    attachments: Annotated[list[AttachmentBody], Meta(max_length=2 * MOST_ATTACHMENTS)] = (
        msgspec.field(default_factory=list)
    )
    topic: Annotated[
        str, Meta(max_length=100, description="One of the list's, which can be stopped singly.")
    ] = ""
    segment: Annotated[str, Meta(pattern="^([a-z0-9-]{1,40})?$")] = ""
    conditions: Annotated[list[ConditionBody], Meta(max_length=2 * MOST_CONDITIONS)] = (
        msgspec.field(default_factory=list)
    )
    failed_of: Annotated[
        CampaignId | None,
        Meta(
            description="Only those whom this campaign did not reach: their mail failed, came "
            "back, or was cancelled with it. Whoever may have it already is left out."
        ),
    ] = None
    at: Annotated[
        Moment | None, Meta(description="When it begins; null: as soon as it is scheduled.")
    ] = None
    parts: Annotated[int, Meta(ge=1, le=MOST_PARTS)] = 1
    part_seconds: Annotated[
        int, Meta(ge=0, le=_DAY, description="How long after the one before a part begins.")
    ] = 0
    give_up_seconds: Annotated[int, Meta(ge=60, le=7 * _DAY)] = GIVE_UP_SECONDS
    doubt: Annotated[
        Doubt,
        Meta(
            description="What is done with mails of which nobody knows whether they went: kept for "
            "a person, sent again, or counted as failed."
        ),
    ] = "hold"
    pause_percent: Annotated[
        int,
        Meta(ge=0, le=100, description="It pauses where more comes back; 0: as its list says."),
    ] = 0


class CampaignBody(Body, frozen=True):
    """A campaign of a list."""

    list: ListId
    plan: PlanBody


class AttachmentView(msgspec.Struct, frozen=True):
    """A file that goes with each mail, without what is in it."""

    name: str
    media_type: str
    bytes: int


class ContentView(msgspec.Struct, frozen=True):
    """What a campaign says; texts are templates."""

    subject: str
    text: str
    html: str | None
    charset: Charset
    footer: Language | None
    attachments: list[AttachmentView]


class CampaignView(msgspec.Struct, frozen=True, kw_only=True):
    """A mail campaign, and how far it is."""

    id: str
    advertiser: str
    list: str
    name: str
    topic: str
    state: State
    reason: Annotated[str, Meta(description="Why it was paused or cancelled, in a word.")]
    segment: str
    conditions: tuple[Condition, ...]
    failed_of: str | None
    at: Annotated[Instant | None, Meta(description="Null: as soon as it is scheduled.")]
    parts: int
    part_seconds: int
    give_up_seconds: int
    doubt: Doubt
    pause_percent: int
    created_at: Instant
    created_by: str
    looked_at: Annotated[int, Meta(description="Recipients of the list, before any is left out.")]
    recipients: Annotated[int, Meta(description="To how many of them it goes; grows while fixed.")]
    started_at: Instant | None
    ended_at: Annotated[Instant | None, Meta(description="When all was tried.")]
    settled_at: Annotated[Instant | None, Meta(description="When bounces count as complete.")]
    warnings: Warnings


class ResentView(CampaignView, frozen=True, kw_only=True):
    """The draft for those whom a campaign did not reach."""

    missed: Annotated[
        int,
        Meta(description="How many those are; who stopped or was struck out since is among them."),
    ]


def plan_of(body: PlanBody) -> Plan:
    """A plan as it was sent."""
    attached = tuple(Attachment(each.name, each.media_type, each.data) for each in body.attachments)
    return Plan(
        name=body.name,
        content=Content(
            subject=body.subject,
            text=body.text,
            html=body.html,
            charset=body.charset,
            attachments=attached,
            footer=body.footer,
        ),
        topic=body.topic,
        audience=Audience(
            body.segment,
            tuple(Condition(each.field, each.op, each.value) for each in body.conditions),
            int(body.failed_of or 0),
        ),
        at=micros(body.at) if body.at else 0,
        parts=body.parts,
        part_seconds=body.part_seconds,
        give_up_seconds=body.give_up_seconds,
        doubt=body.doubt,
        pause_percent=body.pause_percent,
    )


def content_view(content: Content) -> ContentView:
    """What a campaign says, as it is shown."""
    return ContentView(
        content.subject,
        content.text,
        content.html,
        content.charset,
        content.footer,
        [
            AttachmentView(each.name, each.media_type, len(each.data))
            for each in content.attachments
        ],
    )


def resent_view(ask: Ask[Any, Any], resent: Resent) -> ResentView:
    """The draft for those whom a campaign did not reach, as it is shown."""
    view = campaign_view(ask, resent.campaign)
    fields = {name: getattr(view, name) for name in view.__struct_fields__}
    return ResentView(**fields, missed=resent.missed)


def campaign_view(ask: Ask[Any, Any], campaign: Campaign) -> CampaignView:
    """A campaign as it is shown."""
    whom = campaign.whom
    return CampaignView(
        id=str(campaign.id),
        advertiser=campaign.advertiser,
        list=campaign.list,
        name=campaign.name,
        topic=campaign.topic,
        state=campaign.state,
        reason=campaign.reason,
        segment=whom.segment,
        conditions=whom.conditions,
        failed_of=str(whom.failed_of) if whom.failed_of else None,
        at=instant(ask, campaign.at),
        parts=campaign.parts,
        part_seconds=campaign.part_seconds,
        give_up_seconds=campaign.give_up_seconds,
        doubt=campaign.doubt,
        pause_percent=campaign.pause_percent,
        created_at=written(campaign.created_at, ask.wiring.zone),
        created_by=campaign.created_by,
        looked_at=campaign.expected,
        recipients=campaign.fixed,
        started_at=instant(ask, campaign.started_at),
        ended_at=instant(ask, campaign.ended_at),
        settled_at=instant(ask, campaign.settled_at),
        warnings=warnings_of(campaign, ask.wiring.store.entity(MailList, campaign.list)),
    )


def warnings_of(campaign: Campaign, mail_list: MailList | None) -> list[str]:
    """What may be a mistake of a campaign that has not begun."""
    has_topics = mail_list is not None and mail_list.topics
    if campaign.state not in ("draft", "scheduled") or campaign.topic or not has_topics:
        return []
    return ["topic: the list has topics, and it names none: who stopped one of them gets it, too"]
