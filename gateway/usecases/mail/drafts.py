"""Drafts of campaigns: made, rewritten, and made once more for those whom one did not reach."""

from collections.abc import Sequence

import msgspec

from gateway.domain.mail import campaigns as domain
from gateway.domain.mail.campaigns import (
    GIVE_UP_SECONDS,
    Audience,
    Campaign,
    Doubt,
    encode_audience,
)
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Checked, Content, problems_of
from gateway.domain.mail.segments import normalised
from gateway.domain.values import EVERYBODY, SECOND, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.locks import OfCampaign
from gateway.usecases.mail.campaigns import (
    audited,
    check_audience,
    decode_content,
    display_of,
    encode_content,
    found,
    refuse,
)
from gateway.usecases.mail.lists import list_of

MOST_DAYS = 366
"""So far ahead a campaign may be scheduled."""

MOST_PARTS = 100

_PAST_SECONDS = 300
_DAY_SECONDS = 86_400

_replace = msgspec.structs.replace


class Plan(msgspec.Struct, frozen=True):
    """What a campaign is to say, and to whom, when and how."""

    name: str
    content: Content
    topic: str = ""
    """One of its list's topics, which can be stopped singly."""
    audience: Audience = Audience()
    at: int = 0
    """When it is to begin (microseconds); 0: as soon as it is scheduled."""
    parts: int = 1
    part_seconds: int = 0
    give_up_seconds: int = GIVE_UP_SECONDS
    doubt: Doubt = "hold"
    pause_percent: int = 0
    """0: as its list says."""
    checked: Checked | None = None
    """What was found wrong with the content already; it is checked anew where the list changed."""


class NewCampaign(msgspec.Struct, frozen=True):
    """A campaign as a person wants it."""

    scope: Scope
    actor: str
    list: str
    plan: Plan
    now: int
    seed: Seed
    """With one id."""


def create(tx: Transaction, new: NewCampaign) -> tuple[Campaign, Sequence[Fact]]:
    """Set up a draft. The law's items may still be missing of it.

    Raises:
        Refused: its list, segment or topic is not there, or something of the plan is unfit.
    """
    mail_list = list_of(tx, new.scope, new.list)
    blank = Campaign(
        id=new.seed.draw().id(),
        advertiser=mail_list.advertiser,
        list=mail_list.id,
        name="",
        topic="",
        audience="{}",
        created_at=new.now,
        created_by=new.actor,
        at=0,
    )
    campaign = _planned(tx, new.scope, mail_list, blank, new.plan, new.now)
    tx.campaigns.add(EVERYBODY, campaign, encode_content(new.plan.content), ())
    audited(tx, new.now, new.actor, campaign, "campaign.created")
    return campaign, ()


class Rewrite(OfCampaign, frozen=True):
    """A draft as it shall be from now on."""

    scope: Scope
    actor: str
    campaign: int
    plan: Plan
    now: int


def rewrite(tx: Transaction, wish: Rewrite) -> tuple[Campaign, Sequence[Fact]]:
    """Change a draft.

    Raises:
        Refused: there is no such campaign, it is no draft any more, or as of :func:`create`.
    """
    campaign = found(tx, wish.scope, wish.campaign)
    if campaign.state != "draft":
        raise Refused(Refusal.CAMPAIGN_STATE, f"it is {campaign.state}: unschedule it first")
    mail_list = list_of(tx, wish.scope, campaign.list)
    campaign = _planned(tx, wish.scope, mail_list, campaign, wish.plan, wish.now)
    tx.campaigns.rewrite(EVERYBODY, campaign, encode_content(wish.plan.content), ())
    audited(tx, wish.now, wish.actor, campaign, "campaign.rewritten")
    return campaign, ()


class Again(OfCampaign, frozen=True):
    """A person's wish to send a campaign's message once more to those whom it did not reach."""

    scope: Scope
    actor: str
    campaign: int
    name: str
    now: int
    seed: Seed
    """With one id."""
    checked: Checked | None = None
    """Of its message; see :class:`Plan`."""


class Resent(msgspec.Struct, frozen=True):
    """The draft for those whom a campaign did not reach."""

    campaign: Campaign
    missed: int
    """How many they are; who stopped or was struck out since is among them."""


def again(tx: Transaction, wish: Again) -> tuple[Resent, Sequence[Fact]]:
    """A draft with the same message for those whose mail failed, bounced, or was cancelled with its
    campaign; see :attr:`gateway.domain.mail.campaigns.Audience.failed_of`.

    Raises:
        Refused: there is no such campaign, it is not over yet, or what it said is not kept.
    """
    before = found(tx, wish.scope, wish.campaign)
    if before.state not in ("closing", "done", "canceled"):
        raise Refused(Refusal.CAMPAIGN_STATE, f"it is {before.state}")
    kept = tx.campaigns.content(EVERYBODY, before.id)
    if kept is None:
        raise Refused(Refusal.CONTENT_GONE, "what it said is not kept any more")
    plan = Plan(
        name=wish.name,
        content=decode_content(kept[0]),
        topic=before.topic,
        audience=Audience(failed_of=before.id),
        give_up_seconds=before.give_up_seconds,
        doubt=before.doubt,
        checked=wish.checked,
    )
    new = NewCampaign(wish.scope, wish.actor, before.list, plan, wish.now, wish.seed)
    campaign, facts = create(tx, new)
    missed = domain.may_be_missed(before, tx.campaigns.figures.of(EVERYBODY, before.id))
    return Resent(campaign, missed), facts


# --- checks ---


def _planned(
    tx: Transaction, scope: Scope, mail_list: MailList, campaign: Campaign, plan: Plan, now: int
) -> Campaign:
    """A campaign with what is planned for it."""
    if not 0 < len(plan.name) <= 200 or not plan.name.isprintable():
        raise Refused(Refusal.INVALID_FIELD, "name: 1 to 200 characters that can be seen")
    if plan.topic and plan.topic not in mail_list.topics:
        raise Refused(Refusal.UNKNOWN_REFERENCE, "topic: the list has no such topic")
    earliest, latest = now - _PAST_SECONDS * SECOND, now + MOST_DAYS * _DAY_SECONDS * SECOND
    if plan.at and not earliest <= plan.at <= latest:
        detail = f"at: is past, or more than {MOST_DAYS} days ahead"
        raise Refused(Refusal.INVALID_FIELD, detail)
    for name, value, low, high in (
        ("parts", plan.parts, 1, MOST_PARTS),
        ("part_seconds", plan.part_seconds, 0 if plan.parts == 1 else 1, _DAY_SECONDS),
        ("give_up_seconds", plan.give_up_seconds, 60, 7 * _DAY_SECONDS),
        ("pause_percent", plan.pause_percent, 0, 100),
    ):
        if not low <= value <= high:
            raise Refused(Refusal.INVALID_FIELD, f"{name}: is not from {low} to {high}")
    check_audience(tx, scope, mail_list, plan.audience)
    display, attributes = display_of(mail_list), mail_list.attributes
    problems = problems_of(plan.content, display, attributes, plan.checked)
    # A draft may still lack them; what is scheduled may not.
    refuse([each for each in problems if each.reason is not Refusal.DISPLAY_ITEM_MISSING])
    return _replace(
        campaign,
        name=plan.name,
        topic=plan.topic,
        audience=encode_audience(
            _replace(plan.audience, conditions=tuple(map(normalised, plan.audience.conditions)))
        ),
        at=plan.at,
        parts=plan.parts,
        part_seconds=plan.part_seconds,
        give_up_seconds=plan.give_up_seconds,
        doubt=plan.doubt,
        pause_percent=plan.pause_percent or mail_list.pause_percent,
    )
