"""How campaigns go on by themselves: recipients are written down, and the end is noted.

A campaign goes one step at a time, each in a transaction of its own that leaves it where the next
one goes on. What sends its mails is ``gateway.usecases.mail.sending``.
"""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.domain.mail.campaigns import ALL, Campaign, Condition, SendState, moved
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.recipients import Recipient
from gateway.domain.mail.segments import TAGS, MailSegment, matches
from gateway.domain.pushes import after_quiet
from gateway.domain.values import EVERYBODY, SECOND, Counted
from gateway.errors import Refused
from gateway.ports import Fact, Transaction
from gateway.usecases.mail.campaigns import canceled, told_of_canceled
from gateway.usecases.mail.standing import may_send
from gateway.usecases.mail.strikes import let_go
from gateway.usecases.mail.watching import campaign_counted

AT_ONCE = 500
"""Rows that one step touches at most."""

_LOOK = SECOND
"""So long after nothing came of a look the next one is taken."""

_attributes = msgspec.json.Decoder(dict[str, str])
_replace = msgspec.structs.replace


def advance(tx: Transaction, now: int) -> tuple[bool, Sequence[Fact]]:
    """Take one step of the campaign that has been due the longest; whether there was one."""
    campaign = tx.campaigns.due(EVERYBODY, now)
    if campaign is None:
        return False, ()
    mail_list = tx.entities.find(EVERYBODY, MailList, campaign.list)
    campaign, facts = _step(tx, campaign, mail_list, now)
    tx.campaigns.save(EVERYBODY, campaign)
    return True, facts


def _step(
    tx: Transaction, campaign: Campaign, mail_list: MailList | None, now: int
) -> tuple[Campaign, Sequence[Fact]]:
    if campaign.state in ("closing", "canceled"):
        return _close(tx, campaign, now)
    if mail_list is None:  # it was taken away: nobody says any more who sends
        if campaign.is_open:
            campaign = canceled(campaign, now, "list")
            return campaign, told_of_canceled(campaign)
        return _replace(campaign, due_at=None), ()
    if campaign.state == "scheduled":
        return _begin(tx, campaign, mail_list, now)
    if campaign.state == "fixing":
        return _fix(tx, campaign, now), ()
    if campaign.state == "sending":
        return _watch(tx, campaign, now), ()
    return _note(tx, campaign, now, None), ()  # it is paused


def _begin(
    tx: Transaction, campaign: Campaign, mail_list: MailList, now: int
) -> tuple[Campaign, Sequence[Fact]]:
    """Begin, unless the list may not send any more: then a person sees to that, and resumes."""
    later = after_quiet(mail_list.quiet, now)
    if later > now:
        return _replace(campaign, due_at=later), ()
    state = moved(campaign.state, "begin")
    try:
        may_send(tx, mail_list, now)
    except Refused:
        campaign = _replace(campaign, state=moved(state, "pause"), due_at=None, reason="check")
        return campaign, (campaign_counted(campaign.advertiser, "paused_for_check"),)
    return _replace(campaign, state=state, started_at=now, due_at=now), ()


# --- who gets it ---


def _fix(tx: Transaction, campaign: Campaign, now: int) -> Campaign:
    """Write some recipients down; once it is all of them, and those are let go who were paused
    for as long as bounces came, the mails may go.
    """
    if campaign.is_fixed:
        if let_go(tx, campaign, now, AT_ONCE):
            return _replace(campaign, due_at=now)
        state = moved(campaign.state, "fixed")
        return _replace(campaign, state=state, fixed_to=ALL, due_at=now)
    if not campaign.started_at:  # it was paused where it was to begin
        campaign = _replace(campaign, started_at=now)
    if _is_being_taken_back(tx, campaign):
        return _replace(campaign, due_at=now + _LOOK)
    looked_at, reached = _page(tx, campaign)
    conditions = _conditions(tx, campaign)
    if conditions is None:
        return canceled(campaign, now, "segment")
    chosen = _chosen(tx, looked_at, conditions)
    due = [(each.id, each.lane, campaign.due_of(each.hash)) for each in chosen]
    tx.campaigns.sends.fix(EVERYBODY, campaign, due)
    return _replace(
        campaign,
        expected=campaign.expected + len(looked_at),
        fixed=campaign.fixed + len(due),
        fixed_to=reached or ALL,
        due_at=now,
    )


def _page(tx: Transaction, campaign: Campaign) -> tuple[Sequence[Recipient], int]:
    """Some recipients by id, and how far that goes; 0 at the end."""
    failed_of = campaign.whom.failed_of
    if not failed_of:
        page = tx.mail.recipients.page(EVERYBODY, campaign.list, campaign.fixed_to, AT_ONCE)
        return page, page[-1].id if page else 0
    lookups = tx.campaigns.lookups
    ids, reached = lookups.missed(EVERYBODY, failed_of, campaign.fixed_to, AT_ONCE)
    known = tx.mail.recipients.get(EVERYBODY, ids) if ids else {}
    here = [known[id_] for id_ in ids if id_ in known and known[id_].list == campaign.list]
    return here, reached


def _is_being_taken_back(tx: Transaction, campaign: Campaign) -> bool:
    """Whether it is for those whom one that was just cancelled did not reach, of which mails are
    still taken back or on the wire: only then it is known who they are.
    """
    failed_of = campaign.whom.failed_of
    before = tx.campaigns.find(EVERYBODY, failed_of, lock=False) if failed_of else None
    if before is None or before.state != "canceled":
        return False
    return before.started_at > 0 and not before.ended_at


def _conditions(tx: Transaction, campaign: Campaign) -> Sequence[Condition] | None:
    """What must hold of a recipient; ``None``: its segment is not there any more."""
    whom = campaign.whom
    if not whom.segment:
        return whom.conditions
    segment = tx.entities.find(EVERYBODY, MailSegment, whom.segment)
    if segment is None or segment.list != campaign.list:
        return None
    return (*segment.conditions, *whom.conditions)


def _chosen(
    tx: Transaction, recipients: Sequence[Recipient], conditions: Sequence[Condition]
) -> Sequence[Recipient]:
    """Those of whom all conditions hold. Who stopped or is paused is among them: they are put
    aside when their mail is due, and counted; who was struck out is no recipient any more.
    """
    there = [each for each in recipients if each.state != "removed"]
    if not conditions:
        return there
    tags: Mapping[int, frozenset[str]] = {}
    if any(condition.field == TAGS for condition in conditions):
        tags = tx.mail.tags.of(EVERYBODY, [each.id for each in there])
    return [
        each
        for each in there
        if matches(conditions, _attributes.decode(each.attributes), tags.get(each.id, frozenset()))
    ]


# --- while it is sent ---


def _watch(tx: Transaction, campaign: Campaign, now: int) -> Campaign:
    """Settle doubts as its policy says, and see whether all was tried."""
    left = tx.campaigns.sends.open(EVERYBODY, campaign.id)
    if left.get("held") and campaign.doubt != "hold":
        after: SendState = "queued" if campaign.doubt == "send" else "failed"
        tx.campaigns.sends.release(EVERYBODY, campaign.id, after, now, AT_ONCE)
        return _replace(campaign, fixed_to=ALL, due_at=now)
    if any(count for state, count in left.items() if state != "held"):
        return _replace(campaign, fixed_to=ALL, due_at=now + _LOOK)
    if left.get("held"):
        return _note(tx, campaign, now, now + _LOOK)
    state = moved(campaign.state, "empty")
    return _replace(campaign, state=state, ended_at=now, fixed_to=0, due_at=now)


def _note(tx: Transaction, campaign: Campaign, now: int, rest: int | None) -> Campaign:
    """Note with the consents what went of a campaign that waits for a person, who may never come;
    then it is due at ``rest``. When it ends, all is noted once more.
    """
    if not campaign.is_fixed or campaign.fixed_to == -ALL:
        return _replace(campaign, due_at=rest)
    after = 0 if campaign.fixed_to == ALL else -campaign.fixed_to
    reached = tx.mail.consents.sent(EVERYBODY, campaign.id, after, AT_ONCE)
    return _replace(campaign, fixed_to=-(reached or ALL), due_at=now)


# --- after that ---


def _close(tx: Transaction, campaign: Campaign, now: int) -> tuple[Campaign, Sequence[Fact]]:
    """What waits of a cancelled one is taken back; what went is noted with the consents; and when
    no bounce is to come any more, strikes of those whose mail arrived are taken back.
    """
    if not campaign.ended_at:
        return _take_back(tx, campaign, now), ()
    if campaign.fixed_to != ALL:
        reached = tx.mail.consents.sent(EVERYBODY, campaign.id, campaign.fixed_to, AT_ONCE)
        if reached:
            return _replace(campaign, fixed_to=reached, due_at=now), ()
        return _replace(campaign, fixed_to=ALL, due_at=max(now, campaign.settles_at)), ()
    if now < campaign.settles_at:
        return _replace(campaign, due_at=campaign.settles_at), ()
    if let_go(tx, campaign, now, AT_ONCE):
        return _replace(campaign, due_at=now), ()
    if tx.campaigns.bounces.reset(EVERYBODY, campaign, AT_ONCE):
        return _replace(campaign, due_at=now), ()
    return _settled(tx, campaign, now)


def _take_back(tx: Transaction, campaign: Campaign, now: int) -> Campaign:
    if tx.campaigns.lookups.cancel(EVERYBODY, campaign.id, now, AT_ONCE):
        return _replace(campaign, due_at=now)
    left = tx.campaigns.sends.open(EVERYBODY, campaign.id)
    if left.get("attempting") or left.get("queued") or left.get("deferred"):
        return _replace(campaign, due_at=now + _LOOK)  # what is on the wire gets its answer
    return _replace(campaign, ended_at=now, due_at=now)


def _settled(tx: Transaction, campaign: Campaign, now: int) -> tuple[Campaign, Sequence[Fact]]:
    state = moved(campaign.state, "settle") if campaign.state == "closing" else campaign.state
    campaign = _replace(campaign, state=state, settled_at=now, due_at=None)
    facts: list[Fact] = [
        campaign_counted(campaign.advertiser, "done" if state == "done" else "canceled")
    ]
    figures = tx.campaigns.figures.of(EVERYBODY, campaign.id)
    for name in ("suppressed", "canceled"):
        if count := figures.get(name, 0):
            whose = campaign.advertiser
            facts.append(Counted(whose, "mail_messages_total", (name,), count))
    return campaign, facts
