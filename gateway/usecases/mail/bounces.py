"""What comes back: bounces are logged, counted and held against addresses; complaints stop."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.domain.mail.addresses import without_addresses
from gateway.domain.mail.campaigns import IN_DOUBT, Campaign, Result, SendState
from gateway.domain.mail.outcomes import status_in
from gateway.domain.mail.recipients import Suppression
from gateway.domain.mail.returns.bounces import COUNTS, HARD, BounceClass, Reading
from gateway.domain.mail.tokens import Keys, Named
from gateway.domain.values import EVERYBODY, Counted, Draw, Seed, nth_id
from gateway.ports import Fact, Transaction
from gateway.ports.mail.campaigns import Bounce, Send
from gateway.ports.mail.locks import Locking, MailLocks
from gateway.usecases.mail.stops import Stop, Stopped, stop
from gateway.usecases.mail.strikes import strike
from gateway.usecases.mail.watching import watch_share

IDS_A_REPORT = 4
"""So many ids a report may need."""

_MAY_HAVE_GONE = frozenset[SendState](("attempting", "held", "queued", "deferred"))
"""States of a mail of which a copy may be out: what was held may be let go once more."""


class Came(Locking, frozen=True):
    """A report about one mail of ours, whose tag was found true."""

    named: Named
    reading: Reading
    at: int
    source: Literal["report", "text", "complaint"]
    seed: Seed
    """With :data:`IDS_A_REPORT` ids."""
    keys: Keys

    @property
    def locks(self) -> MailLocks:
        """Of a sign-up's mail no campaign is known; of one whose campaign is gone nothing."""
        if not self.named.campaign:
            return MailLocks(ids=(self.named.recipient,))
        return MailLocks(struck=(self.named.campaign,))


class Took(msgspec.Struct, frozen=True):
    """What came of a report."""

    counted: bool
    """Whether it is the first of its kind about this mail."""
    suppressions: tuple[Suppression, ...] = ()
    """Who is not mailed any more; senders must hear of it at once."""
    paused: int = 0
    """The campaign that was paused for its bounces."""


NOTHING = Took(counted=False)


def came(tx: Transaction, report: Came) -> tuple[Took, Sequence[Fact]]:
    """Take a report in. A second one of its kind about the same mail changes nothing.

    The tag says whose mail it was, whatever address the report names: it may have been forwarded.
    """
    reading = report.reading
    if reading.bounce_class == "not_a_bounce" or reading.action in ("delivered", "relayed"):
        return NOTHING, ()
    if not report.named.campaign:
        return _of_signup(tx, report)
    campaign = tx.campaigns.find(EVERYBODY, report.named.campaign)
    send = tx.campaigns.lookups.one(EVERYBODY, report.named.campaign, report.named.recipient)
    is_complaint = reading.bounce_class == "complaint"
    if campaign is None or send is None:  # its retention is over
        return _complained_late(tx, campaign, report) if is_complaint else (NOTHING, ())
    if is_complaint:
        return _complained(tx, campaign, report)
    if reading.action != "failed":
        return _delayed(tx, campaign, report)
    return _bounced(tx, campaign, send, report)


def _bounced(
    tx: Transaction, campaign: Campaign, send: Send, report: Came
) -> tuple[Took, Sequence[Fact]]:
    reading, named, draw = report.reading, report.named, report.seed.draw()
    facts: list[Fact] = []
    if send.state in _MAY_HAVE_GONE or send.bounce_class == IN_DOUBT:
        # It was in doubt whether it went, or its sender has not said yet, whose word then comes
        # too late to count. What bounces did go, and it does not go once more.
        is_under_way = send.state == "attempting"
        arrived = Result(named.campaign, named.recipient, "sent", report.at, tried=is_under_way)
        if tx.campaigns.sends.settle(EVERYBODY, (arrived,)):
            facts.append(Counted(campaign.advertiser, "mail_messages_total", ("sent",)))
            if is_under_way:
                tx.campaigns.figures.add(EVERYBODY, campaign.id, {"tries": 1})
    if not tx.campaigns.bounces.mark(
        EVERYBODY, named.campaign, named.recipient, reading.bounce_class
    ):
        return NOTHING, facts
    _log(tx, campaign, report, draw)
    tx.campaigns.figures.add(EVERYBODY, campaign.id, {f"bounced:{reading.bounce_class}": 1})
    facts.append(counted(campaign.advertiser, reading.bounce_class))
    suppressions: Sequence[Suppression] = ()
    if reading.strikes:
        hard = frozenset((named.recipient,) if reading.hard else ())
        suppressions = strike(tx, campaign, (named.recipient,), hard, report.at, draw)
    campaign, paused = watch_share(tx, campaign)
    facts += paused
    return Took(True, tuple(suppressions), campaign.id if paused else 0), facts


def _complained(tx: Transaction, campaign: Campaign, report: Came) -> tuple[Took, Sequence[Fact]]:
    named = report.named
    is_first = tx.campaigns.figures.responded(
        EVERYBODY, named.campaign, named.recipient, "complaint", report.at
    )
    facts: list[Fact] = []
    if is_first:
        _log(tx, campaign, report, report.seed.draw())
        tx.campaigns.figures.add(EVERYBODY, campaign.id, {"complaint": 1})
        facts.append(counted(campaign.advertiser, "complaint"))
    stopped = _stop(tx, report)
    return Took(is_first, stopped.suppressions), facts


def _complained_late(
    tx: Transaction, campaign: Campaign | None, report: Came
) -> tuple[Took, Sequence[Fact]]:
    """Nothing is known of the mail any more, but of whom it was: they are not mailed again."""
    stopped = _stop(tx, report)
    if not stopped.is_new:
        return Took(False, stopped.suppressions), ()
    if campaign is not None:
        _log(tx, campaign, report, report.seed.draw())
    facts = [counted(one.advertiser, "complaint") for one in stopped.suppressions]
    return Took(True, stopped.suppressions), facts


def _delayed(tx: Transaction, campaign: Campaign, report: Came) -> tuple[Took, Sequence[Fact]]:
    """A relay of ours goes on trying: it is logged once, and held against nobody."""
    named = report.named
    if not tx.campaigns.figures.responded(
        EVERYBODY, named.campaign, named.recipient, "delayed", report.at
    ):
        return NOTHING, ()
    _log(tx, campaign, report, report.seed.draw())
    return Took(counted=True), ()


def _of_signup(tx: Transaction, report: Came) -> tuple[Took, Sequence[Fact]]:
    """The mail that asks for a sign-up's confirmation came back: nobody is there to confirm it. Or
    somebody complained of it, who is not mailed any more.
    """
    signup = tx.mail.entrance.signups.find(EVERYBODY, report.named.recipient)
    reading = report.reading
    if signup is not None and reading.bounce_class == "complaint":
        whose = tx.mail.suppressions.of(EVERYBODY, signup.advertiser, (signup.hash,))
        is_first = not any(
            each.source == "complaint" and each.covers(signup.list, "", report.at)
            for each in whose.get(signup.hash, ())
        )
        stopped = _stop(tx, report)
        facts = [counted(signup.advertiser, "complaint")] if is_first else []
        return Took(is_first, stopped.suppressions), facts
    if signup is None or signup.state != "waiting" or reading.action != "failed":
        return NOTHING, ()
    tx.mail.entrance.signups.settle(EVERYBODY, signup.id, "dropped")
    return Took(counted=True), [counted(signup.advertiser, reading.bounce_class)]


# --- what the sender's own failures share with those that come back ---


def refused(
    tx: Transaction, campaign: Campaign, results: Sequence[Result], draw: Draw
) -> tuple[Sequence[Suppression], Sequence[Fact]]:
    """Log, count and strike for mails that a server refused for good while we spoke to it; takes
    two ids a result.
    """
    amounts: dict[str, int] = {}
    hard: list[int] = []
    soft: list[int] = []
    facts: list[Fact] = []
    rows: list[Bounce] = []
    for result in results:
        class_ = result.bounce_class or "other"
        amounts[f"failed:{class_}"] = amounts.get(f"failed:{class_}", 0) + 1
        rows.append(_row_of(campaign, result, draw))
        if class_ in COUNTS:
            (hard if class_ in HARD else soft).append(result.recipient)
        facts.append(counted(campaign.advertiser, class_))
    tx.campaigns.bounces.add(EVERYBODY, rows)
    tx.campaigns.figures.add(EVERYBODY, campaign.id, amounts)
    at = max((result.at for result in results), default=0)
    return strike(tx, campaign, (*hard, *soft), frozenset(hard), at, draw), facts


def counted(advertiser: str, class_: BounceClass | str) -> Counted:
    """A fact of the metric ``mail_bounces_total``."""
    return Counted(advertiser, "mail_bounces_total", (class_,))


# --- rows ---


def _log(tx: Transaction, campaign: Campaign, report: Came, draw: Draw) -> None:
    reading, whose = report.reading, report.named.recipient
    known = tx.mail.recipients.get(EVERYBODY, (whose,)).get(whose)
    row = Bounce(
        id=draw.id(),
        advertiser=campaign.advertiser,
        list=campaign.list,
        campaign=campaign.id,
        recipient=whose,
        at=report.at,
        source=report.source,
        bounce_class=reading.bounce_class,
        action=reading.action,
        code=reading.reply,
        status=reading.status,
        text=without_addresses(reading.text, reading.address, known.address if known else ""),
    )
    tx.campaigns.bounces.add(EVERYBODY, (row,))


def _row_of(campaign: Campaign, result: Result, draw: Draw) -> Bounce:
    return Bounce(
        id=draw.id(),
        advertiser=campaign.advertiser,
        list=campaign.list,
        campaign=campaign.id,
        recipient=result.recipient,
        at=result.at,
        source="smtp",
        bounce_class=result.bounce_class or "other",
        action="failed",
        code=result.code,
        status=status_in(result.text),
        text=result.text,
    )


def _stop(tx: Transaction, report: Came) -> Stopped:
    """Whoever complains is not mailed any more, whether they complained before or not."""
    seed = Seed(nth_id(report.seed.first_id, 1), 1, report.seed.secret)  # the first is the log's
    named = report.named
    wish = Stop(
        "complaint",
        report.at,
        seed,
        report.keys,
        recipient=named.recipient,
        campaign=named.campaign,
    )
    stopped, _ = stop(tx, wish)
    return stopped
