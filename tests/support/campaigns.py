"""Campaigns for tests: a list with recipients, and what is done with its campaigns."""

from collections.abc import Iterable
from typing import Any

from gateway.domain.mail.campaigns import Campaign, Letter, Result
from gateway.domain.mail.lanes import lane_of
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.recipients import Recipient
from gateway.domain.mail.returns.bounces import Reading
from gateway.domain.mail.tokens import Named, hash_of
from gateway.domain.values import EVERYBODY
from gateway.usecases.mail import bounces as mail_bounces
from gateway.usecases.mail import campaign_steps, campaigns, drafts
from gateway.usecases.mail import sending as mail_sending
from gateway.usecases.mail import standing as mail_standing
from gateway.usecases.mail.bounces import Came, Took
from gateway.usecases.mail.campaigns import Wish
from gateway.usecases.mail.drafts import NewCampaign, Plan
from gateway.usecases.mail.sending import Given, Round
from tests.support.mail_lists import KEYS, NEWS, MailDesk

TEXT = Content(
    subject="{{ name | default('お客') }}様へ", text="セールのお知らせです。", footer="ja"
)
OWNER = 7


def recipients(count: int, domain: str = "example.com", first: int = 1) -> list[Recipient]:
    """Recipients of the list, with ids from ``first`` on."""
    return [
        Recipient(
            id=number,
            advertiser="acme",
            list=NEWS.id,
            address=f"r{number}@{domain}",
            hash=hash_of(f"r{number}@{domain}", KEYS),
            lane=lane_of(domain),
            attributes="{}",
        )
        for number in range(first, first + count)
    ]


class CampaignDesk(MailDesk):
    """A list that may send, and its campaigns; each action is a transaction of its own."""

    def enlist(self, *some: Recipient) -> None:
        """Put recipients on the list."""
        with self.transaction() as tx:
            tx.mail.recipients.save(EVERYBODY, some, self.now)

    def allow(self, *, aligned: bool = True) -> None:
        """Confirm the law, and check the list's domains."""
        self.run(mail_standing.confirm, mail_standing.Confirm(EVERYBODY, "me", NEWS.id, self.now))
        found = mail_standing.Checked(EVERYBODY, NEWS.id, aligned, (), self.now)
        self.run(mail_standing.keep_check, found)

    def create(self, **plan: Any) -> Campaign:
        """A draft."""
        given: dict[str, Any] = {"name": "秋", "content": TEXT} | plan
        new = NewCampaign(EVERYBODY, "me", NEWS.id, Plan(**given), self.now, self.seed(1))
        created: Campaign = self.run(drafts.create, new)
        return created

    def ask(self, use_case: Any, campaign: Campaign) -> Campaign:
        """A person's wish about a campaign."""
        after: Campaign = self.run(use_case, Wish(EVERYBODY, "me", campaign.id, self.now))
        return after

    def begin(self, **plan: Any) -> Campaign:
        """A campaign whose recipients are fixed."""
        campaign = self.ask(campaigns.schedule, self.create(**plan))
        while self.campaign(campaign).state in ("scheduled", "fixing"):
            assert self.advance()
        return self.campaign(campaign)

    def advance(self) -> bool:
        """One step of the campaign that is due."""
        return bool(self.run(campaign_steps.advance, self.now))

    def advance_all(self) -> None:
        """All steps that are due."""
        while self.advance():
            pass

    def campaign(self, campaign: Campaign) -> Campaign:
        """A campaign as it stands."""
        with self.transaction() as tx:
            found = tx.campaigns.find(EVERYBODY, campaign.id)
        assert found is not None
        return found

    def exchange(self, *results: Result, owner: int = OWNER, **wish: Any) -> Given:
        """Settle, and claim where a campaign is named."""
        wishes: tuple[mail_sending.Wish, ...] = ()
        if wish:
            each = mail_sending.Wish(wish["campaign"].id, wish.get("lane", "other"), 500)
            wishes = (each,)
        job = Round(
            owner, self.now, self.seed(), results, wishes, wish.get("limit", mail_sending.AT_ONCE)
        )
        given: Given = self.run(mail_sending.exchange, job)
        return given

    def claim(self, campaign: Campaign, limit: int = 500, owner: int = OWNER) -> list[Letter]:
        """Letters that are due."""
        return list(self.exchange(owner=owner, campaign=campaign, limit=limit).letters)

    def send(self, letters: Iterable[Letter]) -> None:
        """All of them are taken."""
        self.exchange(*(result(each, "sent", self.now) for each in letters))

    def bounce(self, campaign: Campaign, recipient: int, reading: Reading, **more: Any) -> Took:
        """A report comes about a mail."""
        named = Named(campaign.id, recipient)
        came = Came(named, reading, self.now, more.get("source", "report"), self.seed(), KEYS)
        took: Took = self.run(mail_bounces.came, came)
        return took

    def states(self, campaign: Campaign) -> dict[int, str]:
        """The state of each mail."""
        sql = f"SELECT recipient, state FROM mail_sends WHERE campaign = {campaign.id}"
        return dict(self.engine.rows(sql))

    def figures(self, campaign: Campaign) -> dict[str, int]:
        """The counts that are not nought."""
        with self.transaction() as tx:
            found = tx.campaigns.figures.of(EVERYBODY, campaign.id)
        return {name: amount for name, amount in found.items() if amount}

    def recipient(self, id_: int) -> Recipient:
        """A recipient as they are known."""
        with self.transaction() as tx:
            return tx.mail.recipients.get(EVERYBODY, (id_,))[id_]


def result(letter: Letter, state: Any, at: int, **more: Any) -> Result:
    """What came of a letter."""
    return Result(letter.campaign, letter.recipient, state, at, **more)
