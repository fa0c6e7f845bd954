"""Campaigns as people want them: scheduled, paused, cancelled, decided about. How they are set up:
``drafts``; how they go on by themselves: ``campaign_steps``.
"""

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from gateway.domain.mail import campaigns as domain
from gateway.domain.mail.campaigns import (
    Audience,
    Campaign,
    Event,
    moved,
)
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Checked, Content, Problem, problems_of
from gateway.domain.mail.message.display import Display
from gateway.domain.mail.segments import MOST_CONDITIONS, MailSegment, problem_of
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import InvalidTransition, Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.locks import OfCampaign
from gateway.usecases.mail.lists import list_of
from gateway.usecases.mail.standing import may_send
from gateway.usecases.mail.watching import (
    UNWRITABLE,
    accept_unwritable,
    campaign_counted,
    share_of,
)

AT_ONCE = 500
"""Rows that one unit touches at most."""

_replace = msgspec.structs.replace


class Wish(OfCampaign, frozen=True):
    """A person's wish about a campaign."""

    scope: Scope
    actor: str
    campaign: int
    now: int
    checked: Checked | None = None
    """Of its message, where it is to be scheduled; see
    :class:`gateway.usecases.mail.drafts.Plan`.
    """


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
    refuse(problems_of(content, display, mail_list.attributes, wish.checked))
    check_audience(tx, wish.scope, mail_list, campaign.whom)
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
    _changed(tx, wish, campaign, "campaign.canceled")
    return campaign, told_of_canceled(campaign)


def canceled(campaign: Campaign, now: int, reason: str) -> Campaign:
    """A campaign that ends here; what waits of it is taken back a piece at a time.

    Raises:
        Refused: it is over.
    """
    began = campaign.started_at > 0
    state = _after(campaign, "cancel")
    due_at = now if began else None
    return _replace(campaign, state=state, due_at=due_at, fixed_to=0, reason=reason)


def told_of_canceled(campaign: Campaign) -> Sequence[Fact]:
    """A fact where the cancelled ``campaign`` had not begun: others are counted when they settle,
    and there is nothing of it to settle.
    """
    return () if campaign.started_at else (campaign_counted(campaign.advertiser, "canceled"),)


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
        audited(tx, wish.now, wish.actor, campaign, f"campaign.doubts_{wish.to}")
    return count, ()


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


def check_audience(tx: Transaction, scope: Scope, mail_list: MailList, audience: Audience) -> None:
    """See that whom a campaign is for can be found.

    Raises:
        Refused: it names a segment or a campaign that its list has not, or a senseless condition.
    """
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


def refuse(found: Collection[Problem]) -> None:
    """See that nothing is wrong with a message.

    Raises:
        Refused: for the first problem; the detail names ten at most.
    """
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
    audited(tx, wish.now, wish.actor, campaign, action)
    return campaign, ()


def audited(tx: Transaction, now: int, actor: str, campaign: Campaign, action: str) -> None:
    """Note in the audit who did what."""
    detail = {"list": campaign.list}
    advertiser, subject = campaign.advertiser, str(campaign.id)
    tx.access.audit(EVERYBODY, now, actor, advertiser, action, subject, detail)
