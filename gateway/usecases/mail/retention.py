"""The end of what is kept: consents past their time, contracts that are over."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.domain.values import EVERYBODY
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.locks import OfAdvertiser

AT_ONCE = 500
"""Rows that one unit of the background lane deletes."""

Kept = Literal["sends", "bounces", "consents", "suppressions", "signups", "imports"]
"""What is deleted after its time: mails of campaigns that are over and what came back of them,
consents whose recipient is gone, stops that have ended, sign-ups and reports of imports."""


class Forget(msgspec.Struct, frozen=True):
    """A piece of clean-up: what is of before an instant; of suppressions, what ended before it."""

    what: Kept
    before: int


def forget(tx: Transaction, job: Forget) -> tuple[int, Sequence[Fact]]:
    """Delete what has passed its retention, a bounded piece at a time; returns how much went."""
    mail = tx.mail
    does = {
        "sends": tx.campaigns.lookups.forget,
        "bounces": tx.campaigns.bounces.forget,
        "consents": mail.consents.forget,
        "suppressions": mail.suppressions.forget,
        "signups": mail.entrance.signups.forget,
        "imports": mail.entrance.imports.forget,
    }
    return does[job.what](EVERYBODY, job.before, AT_ONCE), ()


class Seal(OfAdvertiser, frozen=True):
    """The end of an advertiser's contract (rule R81)."""

    advertiser: str
    """One that is not provisioned any more may have left something, too."""
    actor: str
    now: int


def seal(tx: Transaction, job: Seal) -> tuple[int, Sequence[Fact]]:
    """Turn consents into sealed proofs and erase all else that tells who was mailed what, a bounded
    piece at a time; returns how many rows it did, 0 at the end, which is audited.

    Figures, proofs and suppressions stay, which name nobody.

    Raises:
        Refused: a campaign has mails to send, or to note with the consents: the proofs say when the
            last one went.
    """
    campaign = tx.campaigns.lookups.unfinished(EVERYBODY, job.advertiser)
    if campaign is not None:
        detail = f"campaign {campaign.id} is {campaign.state}: cancel it, and wait for its end"
        raise Refused(Refusal.CAMPAIGN_STATE, detail)
    done = tx.mail.consents.seal(EVERYBODY, job.advertiser, job.now, AT_ONCE)
    if not done:
        whose = job.advertiser
        tx.access.audit(EVERYBODY, job.now, job.actor, whose, "mail.sealed", whose, {})
    return done, ()
