"""Campaigns as people want them: set up, scheduled, paused, cancelled. How they go on by
themselves: ``campaign_steps``.
"""

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from gateway.domain.mail import campaigns as domain
from gateway.domain.mail.campaigns import (
    GIVE_UP_SECONDS,
    Audience,
    Campaign,
    Doubt,
    Event,
    encode_audience,
    moved,
)
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Checked, Content, Problem, problems_of
from gateway.domain.mail.message.display import Display
from gateway.domain.mail.segments import MOST_CONDITIONS, MailSegment, normalised, problem_of
from gateway.domain.values import EVERYBODY, SECOND, Scope, Seed
from gateway.errors import InvalidTransition, Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.locks import OfCampaign
from gateway.usecases.mail.lists import list_of
from gateway.usecases.mail.standing import may_send
from gateway.usecases.mail.watching import UNWRITABLE, accept_unwritable, share_of

AT_ONCE = 500
"""Rows that one unit touches at most."""

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
    _audit(tx, new.now, new.actor, campaign, "campaign.created")
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
    _audit(tx, wish.now, wish.actor, campaign, "campaign.rewritten")
    return campaign, ()


class Wish(OfCampaign, frozen=True):
    """A person's wish about a campaign."""

    scope: Scope
    actor: str
    campaign: int
    now: int
    checked: Checked | None = None
    """Of its message, where it is to be scheduled; see :class:`Plan`."""


def schedule(tx: Transaction, wish: Wish) -> tuple[Campaign, Sequence[Fact]]:
    """Let a draft begin at its time, or now.

    Raises:
        Refused: there is no such campaign, it is no draft, its message lacks what the law wants
            shown, or its list may not send; see :func:`gateway.usecases.mail.standing.may_send`.
    """
    campaign = found(tx, wish.scope, wish.campaign)
    after = _after(campaign, "schedule")
    mail_list = list_of(tx, wish.scope, campaign.list)
    kept = tx.campaigns.content(EVERYBODY, campaign.id)
    if kept is None:
        raise Refused(Refusal.CONTENT_GONE, "what it says is not kept any more")
    content, display = decode_content(kept[0]), display_of(mail_list)
    _refuse(problems_of(content, display, mail_list.attributes, wish.checked))
    _check_audience(tx, wish.scope, mail_list, campaign.whom)
    may_send(tx, mail_list, wish.now)
    campaign = _replace(campaign, state=after, due_at=max(campaign.at, wish.now), reason="")
    return _changed(tx, wish, campaign, "campaign.scheduled")


def unschedule(tx: Transaction, wish: Wish) -> tuple[Campaign, Sequence[Fact]]:
    """Make a draft of a campaign that has not begun.

    Raises:
        Refused: there is no such campaign, or it has begun.
    """
    campaign = found(tx, wish.scope, wish.campaign)
    campaign = _replace(campaign, state=_after(campaign, "unschedule"), due_at=None)
    return _changed(tx, wish, campaign, "campaign.unscheduled")


def cancel(tx: Transaction, wish: Wish) -> tuple[Campaign, Sequence[Fact]]:
    """End a campaign: what was not on the wire yet is not sent. Cancelling twice is as once.

    Whoever runs this tells the senders of its process at once; those of others see it within a
    tenth of a second.

    Raises:
        Refused: there is no such campaign, or all of it was sent.
    """
    campaign = found(tx, wish.scope, wish.campaign)
    if campaign.state == "canceled":
        return campaign, ()
    campaign = canceled(campaign, wish.now, "person")
    return _changed(tx, wish, campaign, "campaign.canceled")


def canceled(campaign: Campaign, now: int, reason: str) -> Campaign:
    """A campaign that ends here; what waits of it is taken back a piece at a time.

    Raises:
        Refused: it is over.
    """
    began = campaign.started_at > 0
    state = _after(campaign, "cancel")
    due_at = now if began else None
    return _replace(campaign, state=state, due_at=due_at, fixed_to=0, reason=reason)


def pause(tx: Transaction, wish: Wish) -> tuple[Campaign, Sequence[Fact]]:
    """Stop a campaign for now.

    Raises:
        Refused: there is no such campaign, or it is not being sent.
    """
    campaign = found(tx, wish.scope, wish.campaign)
    # Still due: what went is noted.
    campaign = _replace(campaign, state=_after(campaign, "pause"), reason="person")
    return _changed(tx, wish, campaign, "campaign.paused")


def resume(tx: Transaction, wish: Wish) -> tuple[Campaign, Sequence[Fact]]:
    """Let a paused campaign go on. One that too many bounces had paused is paused again only where
    their share grows by as much as its list allows, once more; one that was paused since too many
    of its mails could not be made, only where too many more cannot.

    Raises:
        Refused: there is no such campaign, it is not paused, or its list may not send.
    """
    campaign = found(tx, wish.scope, wish.campaign)
    after = _after(campaign, "resume")
    mail_list = list_of(tx, wish.scope, campaign.list)
    may_send(tx, mail_list, wish.now)
    percent = campaign.pause_percent
    if campaign.reason == "bounces":
        tried, bounced = share_of(tx.campaigns.figures.of(EVERYBODY, campaign.id))
        percent = min(100, -(-100 * bounced // max(tried, 1)) + mail_list.pause_percent)
    elif campaign.reason == UNWRITABLE:
        accept_unwritable(tx, campaign)
    campaign = _replace(
        campaign, state=after, due_at=wish.now, reason="", pause_percent=max(1, percent)
    )
    return _changed(tx, wish, campaign, "campaign.resumed")


class Decision(OfCampaign, frozen=True):
    """What a person decides about mails of which nobody knows whether they went."""

    scope: Scope
    actor: str
    campaign: int
    to: Literal["send", "drop"]
    """``send``: once more, so that some may get it twice; ``drop``: they count as failed."""
    now: int


def decide(tx: Transaction, wish: Decision) -> tuple[int, Sequence[Fact]]:
    """Settle some of the mails in doubt, at most :data:`AT_ONCE`; returns how many. To be called
    until that is 0.

    Raises:
        Refused: there is no such campaign, or it is over and nothing of it can be sent again.
    """
    campaign = found(tx, wish.scope, wish.campaign)
    if wish.to == "send" and campaign.state not in ("fixing", "sending", "paused"):
        raise Refused(Refusal.CAMPAIGN_STATE, f"it is {campaign.state}: drop them")
    after: domain.SendState = "queued" if wish.to == "send" else "failed"
    count = tx.campaigns.sends.release(EVERYBODY, campaign.id, after, wish.now, AT_ONCE)
    if count:
        if campaign.fixed_to < 0:  # more may go: that is to be noted, too
            tx.campaigns.save(EVERYBODY, _replace(campaign, fixed_to=domain.ALL))
        _audit(tx, wish.now, wish.actor, campaign, f"campaign.doubts_{wish.to}")
    return count, ()


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


# --- what the others of this room share ---


def found(tx: Transaction, scope: Scope, campaign: int) -> Campaign:
    """A campaign in scope, locked.

    Raises:
        Refused: there is none.
    """
    held = tx.campaigns.find(scope, campaign)
    if held is None:
        raise Refused(Refusal.NOT_FOUND, "there is no such campaign")
    return held


def encode_content(content: Content) -> bytes:
    """A content as the store keeps it."""
    return msgspec.json.encode(content)


def decode_content(kept: bytes) -> Content:
    """The content that :func:`encode_content` made ``kept`` of."""
    return _content.decode(kept)


_content = msgspec.json.Decoder(Content)


def display_of(mail_list: MailList) -> Display:
    """What a list shows of its sender."""
    return Display(mail_list.sender_name, mail_list.sender_address, mail_list.contact)


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
    _check_audience(tx, scope, mail_list, plan.audience)
    display, attributes = display_of(mail_list), mail_list.attributes
    problems = problems_of(plan.content, display, attributes, plan.checked)
    # A draft may still lack them; what is scheduled may not.
    _refuse([each for each in problems if each.reason is not Refusal.DISPLAY_ITEM_MISSING])
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


def _check_audience(tx: Transaction, scope: Scope, mail_list: MailList, audience: Audience) -> None:
    if audience.segment:
        segment = tx.entities.find(scope, MailSegment, audience.segment)
        if segment is None or segment.list != mail_list.id:
            raise Refused(Refusal.UNKNOWN_REFERENCE, "segment: the list has no such segment")
    if len(audience.conditions) > MOST_CONDITIONS:
        raise Refused(Refusal.INVALID_FIELD, f"conditions: more than {MOST_CONDITIONS}")
    for number, condition in enumerate(audience.conditions, 1):
        if why := problem_of(condition, mail_list.attributes):
            raise Refused(Refusal.INVALID_FIELD, f"conditions, number {number}: {why}")
    if audience.failed_of:
        before = tx.campaigns.find(scope, audience.failed_of, lock=False)
        if before is None or before.list != mail_list.id:
            raise Refused(Refusal.UNKNOWN_REFERENCE, "failed_of: the list has no such campaign")


def _refuse(found: Collection[Problem]) -> None:
    problems = list(found)
    if problems:
        told = "; ".join(f"{each.where}: {each.detail}" for each in problems[:10])
        raise Refused(problems[0].reason, told)


def _after(campaign: Campaign, event: Event) -> domain.State:
    try:
        return moved(campaign.state, event)
    except InvalidTransition as error:
        raise Refused(Refusal.CAMPAIGN_STATE, str(error)) from None


def _changed(
    tx: Transaction, wish: Wish, campaign: Campaign, action: str
) -> tuple[Campaign, Sequence[Fact]]:
    tx.campaigns.save(EVERYBODY, campaign)
    _audit(tx, wish.now, wish.actor, campaign, action)
    return campaign, ()


def _audit(tx: Transaction, now: int, actor: str, campaign: Campaign, action: str) -> None:
    detail = {"list": campaign.list}
    advertiser, subject = campaign.advertiser, str(campaign.id)
    tx.access.audit(EVERYBODY, now, actor, advertiser, action, subject, detail)
