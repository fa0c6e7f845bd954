"""A campaign of which too much comes back, or cannot be made, is paused; and how campaigns end."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from gateway.domain.mail.campaigns import Campaign, CampaignResult, moved
from gateway.domain.values import EVERYBODY, Counted
from gateway.ports import Fact, Transaction

UNWRITABLE: Literal["unwritable"] = "unwritable"
"""The class of a mail that could not be made: a value of its recipient is missing or unfit. It is a
failure, and no bounce."""

Reason = Literal["bounces", "unwritable", "content"]
"""Why a campaign is paused while it is sent: ``content``: none of its mails can be made."""

_COUNTED_AS: Mapping[Reason, CampaignResult] = {
    "bounces": "paused_for_bounces",
    "unwritable": "paused_for_unwritable",
    "content": "paused_for_fault",
}

LEAST_TRIED = 50
"""Of fewer mails a share says nothing: no campaign is paused by itself before."""

_FAILED_UNWRITABLE = f"failed:{UNWRITABLE}"
_ACCEPTED = "unwritable:accepted"
"""The figure of those that a person knew of when they resumed a campaign."""

_replace = msgspec.structs.replace


def share_of(figures: Mapping[str, int]) -> tuple[int, int]:
    """Of how many mails it is known whether they were taken, and how many of them failed or came
    back; what could not be made is neither.
    """
    unwritable = figures.get(_FAILED_UNWRITABLE, 0)
    tried = figures.get("sent", 0) + figures.get("failed", 0) - unwritable
    bad = sum(
        amount for name, amount in figures.items() if name.startswith(("bounced:", "failed:"))
    )
    return tried, bad - unwritable


def unwritable_of(figures: Mapping[str, int]) -> tuple[int, int]:
    """Of how many mails it is known whether they could be made and were taken, and how many could
    not be made, apart from those that a person accepted.
    """
    known = figures.get("sent", 0) + figures.get("failed", 0)
    return known, figures.get(_FAILED_UNWRITABLE, 0) - figures.get(_ACCEPTED, 0)


def accept_unwritable(tx: Transaction, campaign: Campaign) -> None:
    """A person knows how many mails of a campaign could not be made, and lets it go on: they
    do not count towards the share that pauses it.
    """
    figures = tx.campaigns.figures
    _, bad = unwritable_of(figures.of(EVERYBODY, campaign.id))
    figures.add(EVERYBODY, campaign.id, {_ACCEPTED: bad})


def watch_share(tx: Transaction, campaign: Campaign) -> tuple[Campaign, Sequence[Fact]]:
    """Pause a campaign of which too much comes back, or cannot be made; what it is then, and the
    alarm if so.
    """
    if not campaign.can_pause:
        return campaign, ()
    figures = tx.campaigns.figures.of(EVERYBODY, campaign.id)
    if _is_too_much(share_of(figures), campaign):
        return paused(tx, campaign, "bounces")
    if _is_too_much(unwritable_of(figures), campaign):
        return paused(tx, campaign, UNWRITABLE)
    return campaign, ()


def _is_too_much(share: tuple[int, int], campaign: Campaign) -> bool:
    tried, bad = share
    return tried >= LEAST_TRIED and bad * 100 > tried * campaign.pause_percent


def paused(tx: Transaction, campaign: Campaign, reason: Reason) -> tuple[Campaign, Sequence[Fact]]:
    """Pause a campaign for a reason of its own; it as it is then, and the alarm."""
    # Still due: what went is noted.
    campaign = _replace(campaign, state=moved(campaign.state, "pause"), reason=reason)
    tx.campaigns.save(EVERYBODY, campaign)
    return campaign, (campaign_counted(campaign.advertiser, _COUNTED_AS[reason]),)


def campaign_counted(advertiser: str, result: CampaignResult) -> Counted:
    """A fact of the metric ``mail_campaigns_total``."""
    return Counted(advertiser, "mail_campaigns_total", (result,))
