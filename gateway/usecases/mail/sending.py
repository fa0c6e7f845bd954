"""Mails are handed out to be sent, and what came of them is kept: both in one transaction.

A letter is ``attempting`` in the store before a byte of it is on the wire, and whoever dies leaves
it so: then it is held, since nobody can tell whether it went.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec

from gateway.domain.mail.campaigns import Campaign, Letter, Result
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.recipients import Suppression
from gateway.domain.values import EVERYBODY, SECOND, Counted, Seed
from gateway.ports import Fact, Transaction
from gateway.ports.mail.locks import Locking, MailLocks, OfCampaign
from gateway.usecases.mail.bounces import refused
from gateway.usecases.mail.campaigns import decode_content
from gateway.usecases.mail.watching import paused, watch_share

AT_ONCE = 500
"""Rows that one unit touches at most."""

MOST_CLAIMS = 20
"""Lanes of campaigns that one unit takes letters of: calls wait behind it."""

IDS_A_RESULT = 2
"""So many ids a result may need: one for the log of bounces, one for a suppression."""

SILENT_SECONDS = 15
"""A process of which another has heard nothing new for so long, by its own clock, sends no more:
letters are put on the wire within ten seconds of being handed out, or not at all."""


class Wish(msgspec.Struct, frozen=True):
    """Letters of a campaign's lane, at most so many."""

    campaign: int
    lane: str
    limit: int
    of_campaign: int = AT_ONCE
    """Letters of the campaign, of all its wishes together."""
    size: int = 0
    """Bytes of one of its letters; 0: that does not count."""


class Round(Locking, frozen=True):
    """What came of letters, and the wishes for more; each at most :data:`AT_ONCE`."""

    owner: int
    """The start of the process that sends."""
    now: int
    seed: Seed
    """With :data:`IDS_A_RESULT` ids a result."""
    results: tuple[Result, ...] = ()
    wishes: tuple[Wish, ...] = ()
    limit: int = AT_ONCE
    """Letters of all wishes together, the first ones first."""
    bytes: int = 0
    """The same in bytes."""

    @property
    def locks(self) -> MailLocks:
        """Campaigns are locked before their mails; who fails may be struck out."""
        failed = {result.campaign for result in self.results if result.state == "failed"}
        others = {result.campaign for result in self.results} - failed
        return MailLocks(campaigns=tuple(others), struck=tuple(failed))

    @property
    def once(self) -> bool:
        """Whether it must not run again where its COMMIT may have arrived: it would hand out other
        letters, and nobody would ever hear of the first ones.
        """
        return bool(self.wishes)


class Given(msgspec.Struct, frozen=True):
    """What a sender gets."""

    letters: tuple[Letter, ...] = ()
    dry: tuple[tuple[int, str], ...] = ()
    """Campaigns and lanes of which nothing more is due now."""
    suppressions: tuple[Suppression, ...] = ()
    """Who was struck out."""
    paused: tuple[Campaign, ...] = ()
    """Campaigns that were paused, since too much of them came back, or could not be made."""


def exchange(tx: Transaction, job: Round) -> tuple[Given, Sequence[Fact]]:
    """Keep what came of letters, then hand out more."""
    suppressions, paused, facts = _settle(tx, job)
    stopped = {campaign.id for campaign in paused}
    wishes = [wish for wish in job.wishes if wish.campaign not in stopped]
    lanes = [(wish.campaign, wish.lane) for wish in wishes]
    due = tx.campaigns.waiting.due(EVERYBODY, lanes, job.now)
    letters: list[Letter] = []
    of_campaign, size, claims = Counter[int](), 0, 0
    dry = [lane for lane in lanes if lane not in due]
    for wish in wishes:
        if (wish.campaign, wish.lane) not in due or claims == MOST_CLAIMS:
            continue
        most = min(
            wish.limit,
            job.limit - len(letters),
            wish.of_campaign - of_campaign[wish.campaign],
        )
        if wish.size:
            most = min(most, (job.bytes - size) // wish.size)
        if most <= 0:
            continue
        claims += 1
        some = tx.campaigns.sends.claim(
            EVERYBODY, wish.campaign, wish.lane, job.now, most, job.owner
        )
        letters += some
        of_campaign[wish.campaign] += len(some)
        size += len(some) * wish.size
        if len(some) < most:
            dry.append((wish.campaign, wish.lane))
    return Given(tuple(letters), tuple(dry), suppressions, paused), facts


def _settle(
    tx: Transaction, job: Round
) -> tuple[tuple[Suppression, ...], tuple[Campaign, ...], list[Fact]]:
    facts: list[Fact] = []
    suppressions: list[Suppression] = []
    paused: list[Campaign] = []
    if not job.results:
        return (), (), facts
    draw = job.seed.draw()
    # Campaigns are locked before their mails, as by whoever takes a report in.
    campaigns = {
        id_: tx.campaigns.find(EVERYBODY, id_)
        for id_ in sorted({result.campaign for result in job.results})
    }
    given = {(result.campaign, result.recipient): result for result in job.results}
    # What the store did not take is told by another process, or was told before.
    by_campaign: dict[int, list[Result]] = {}
    for key in sorted(tx.campaigns.sends.settle(EVERYBODY, job.results, job.owner)):
        by_campaign.setdefault(key[0], []).append(given[key])
    for id_, results in sorted(by_campaign.items()):
        tried = sum(result.tried for result in results)
        if tried:
            tx.campaigns.figures.add(EVERYBODY, id_, {"tries": tried})
        failed = [result for result in results if result.state == "failed"]
        campaign = campaigns[id_]
        if campaign is None:
            continue
        facts += _counted(campaign.advertiser, results)
        if failed:
            more, told = refused(tx, campaign, failed, draw)
            suppressions += more
            facts += told
            campaign, alarm = watch_share(tx, campaign)
            if alarm:
                paused.append(campaign)
                facts += alarm
    return tuple(suppressions), tuple(paused), facts


def _counted(advertiser: str, results: Sequence[Result]) -> list[Fact]:
    """Put-back letters are no event; what is suppressed or cancelled is counted at the end."""
    counts = Counter(
        result.state for result in results if result.state in ("sent", "deferred", "failed", "held")
    )
    return [
        Counted(advertiser, "mail_messages_total", (state,), count)
        for state, count in sorted(counts.items())
    ]


# --- processes that are no more ---


class Beat(msgspec.Struct, frozen=True):
    """A process says that it lives, and looks whether others do."""

    owner: int
    now: int
    alone: bool = False
    """Whether no other process can be there: then all that others attempted is in doubt at once."""


def beat(tx: Transaction, job: Beat) -> tuple[int, Sequence[Fact]]:
    """Hold what silent processes attempted, at most :data:`AT_ONCE`; how many were held."""
    tx.campaigns.beats.beat(EVERYBODY, job.owner, job.now)
    patience = 0 if job.alone else SILENT_SECONDS * SECOND
    silent = tx.campaigns.beats.silent(EVERYBODY, job.owner, job.now, patience)
    return _hold(tx, silent, job.now)


class Lost(msgspec.Struct, frozen=True):
    """A process that has nothing in its hands, whatever the store has it attempt."""

    owner: int
    now: int


def lost(tx: Transaction, job: Lost) -> tuple[int, Sequence[Fact]]:
    """Hold what a process attempts without knowing of it, at most :data:`AT_ONCE`; how many."""
    return _hold(tx, (job.owner,), job.now)


def _hold(tx: Transaction, owners: Sequence[int], now: int) -> tuple[int, Sequence[Fact]]:
    """Hold what processes attempted, at most :data:`AT_ONCE`; how many, and whose they are."""
    held = tx.campaigns.sends.doubt(EVERYBODY, owners, now, AT_ONCE)
    facts = [
        Counted(advertiser, "mail_messages_total", ("held",), count)
        for advertiser, count in sorted(held.items())
    ]
    return sum(held.values()), facts


# --- what is sent ---


class Message(msgspec.Struct, frozen=True):
    """What a campaign says."""

    campaign: Campaign
    content: Content
    links: tuple[str, ...]
    """Where its counted links lead to, as they were kept."""


def message(tx: Transaction, campaign: int) -> tuple[Message | None, Sequence[Fact]]:
    """What a campaign says; ``None`` where that is not kept."""
    found = tx.campaigns.find(EVERYBODY, campaign, lock=False)
    kept = tx.campaigns.content(EVERYBODY, campaign)
    if found is None or kept is None:
        return None, ()
    return Message(found, decode_content(kept[0]), tuple(kept[1])), ()


class Links(OfCampaign, frozen=True):
    """Where the counted links of a campaign lead to, in their order."""

    campaign: int
    urls: tuple[str, ...]


def keep_links(tx: Transaction, links: Links) -> tuple[None, Sequence[Fact]]:
    """Keep where links lead to, before the first mail with them goes. Those of mails that went
    stay, though the list may count clicks no more.
    """
    campaign = tx.campaigns.find(EVERYBODY, links.campaign)
    kept = tx.campaigns.content(EVERYBODY, links.campaign)
    if campaign is None or kept is None or len(links.urls) < len(kept[1]):
        return None, ()
    if tuple(kept[1]) != links.urls:
        tx.campaigns.rewrite(EVERYBODY, campaign, kept[0], links.urls)
    return None, ()


class Fault(OfCampaign, frozen=True):
    """A campaign whose mails cannot be made."""

    campaign: int


def pause_for_fault(tx: Transaction, fault: Fault) -> tuple[Campaign | None, Sequence[Fact]]:
    """Pause a campaign whose mails cannot be made; it as it is then."""
    campaign = tx.campaigns.find(EVERYBODY, fault.campaign)
    if campaign is None or not campaign.can_pause:
        return campaign, ()
    return paused(tx, campaign, "content")
