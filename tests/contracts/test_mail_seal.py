"""At a contract's end nothing is left of an advertiser's mail that names anybody (rule R81)."""

from contextlib import closing
from typing import Any

import pytest

from adapters.storage.database import reading
from adapters.storage.mail.sealing import SealReader
from gateway.domain.mail.campaigns import Audience, Campaign, Condition
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.recipients import Recipient
from gateway.domain.mail.returns.bounces import Reading
from gateway.domain.values import EVERYBODY, SECOND
from gateway.errors import Refusal, Refused
from gateway.usecases.mail import campaigns, retention
from gateway.usecases.mail import signups as mail_signups
from gateway.usecases.mail.sending import Links, keep_links
from gateway.usecases.mail.trials import Trial, try_out
from tests.support.campaigns import CampaignDesk, result
from tests.support.mail_lists import FOREIGN, KEYS, NEWS
from tests.support.stores import Engine, dialect_of

SECRET = "secret"
"""A part of each address, and of all else that is personal here."""

MESSAGE = Content(subject=f"{SECRET}様へ", text="x", footer="ja")


@pytest.fixture
def desk(engine: Engine) -> CampaignDesk:
    """A list that may send."""
    desk = CampaignDesk(engine)
    desk.allow()
    return desk


def seal(desk: CampaignDesk, most: int = 500) -> int:
    """The contract is over; how many units it took."""
    for units in range(1, most):
        if not desk.run(retention.seal, retention.Seal("acme", "cli", desk.now)):
            return units
    raise AssertionError("it does not come to an end")


def enlist(desk: CampaignDesk, count: int = 5) -> list[Recipient]:
    """Recipients who stated their consent."""
    return [
        desk.add(f"{SECRET}{n}@b.jp", attributes={"name": SECRET}, tags=[SECRET]).recipient
        for n in range(count)
    ]


def sent(desk: CampaignDesk) -> Campaign:
    """A campaign that is over: of its mails one was refused, one came back, one made a stop."""
    whom = Audience(conditions=(Condition("name", "is", SECRET),))
    campaign = desk.begin(name=SECRET, content=MESSAGE, audience=whom, pause_percent=100)
    letters = desk.claim(campaign)
    text = f"5.1.1 {SECRET} unknown"
    first = result(letters[0], "failed", desk.now, bounce_class="other", text=text)
    desk.exchange(first, *(result(each, "sent", desk.now) for each in letters[1:]))
    desk.run(keep_links, Links(campaign.id, (f"https://shop.example/{SECRET}",)))
    desk.bounce(campaign, letters[1].recipient, Reading("", "filtered", text=text))
    desk.stop(recipient=letters[2].recipient, campaign=campaign.id)
    desk.now += 2 * SECOND
    desk.advance_all()
    return desk.campaign(campaign)


def single_mails(desk: CampaignDesk, campaign: Campaign) -> None:
    """A sign-up and a trial, which wait to be sent."""
    ask = mail_signups.Ask(
        NEWS.id, f"{SECRET}@c.jp", "net", "form", SECRET, desk.now, desk.seed(2), KEYS, {}
    )
    desk.run(mail_signups.ask, ask)
    trial = Trial(
        EVERYBODY, "me", campaign.id, (f"{SECRET}@d.jp",), {}, desk.now, desk.seed(5), KEYS
    )
    desk.run(try_out, trial)


def everything(desk: CampaignDesk) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of mail and of the outbox, by table."""
    names = [name for name in desk.engine.sizes() if name.startswith("mail_")]
    return {name: desk.engine.rows(f"SELECT * FROM {name}") for name in [*names, "outbox"]}


def telling(desk: CampaignDesk) -> set[str]:
    """The tables that tell something personal."""
    return {name for name, rows in everything(desk).items() if SECRET in str(rows)}


def test_r081_no_address_is_left_in_any_table(desk: CampaignDesk) -> None:
    """Nor what anybody said, nor what was said to them; proofs, stops and figures stay, and so does
    all that is another advertiser's.
    """
    people = enlist(desk)
    campaign = sent(desk)
    single_mails(desk, campaign)
    draft = desk.create(name=SECRET, content=MESSAGE)
    imported = desk.begin_import()
    with desk.transaction() as tx:
        tx.mail.entrance.imports.save(EVERYBODY, imported, [(3, "refused", SECRET)])
    assert telling(desk) >= {
        *("mail_recipients", "mail_tags", "mail_signups", "mail_import_lines", "outbox"),
        *("mail_sends", "mail_bounces", "mail_campaigns", "mail_contents", "mail_links"),
    }
    desk.add("else@b.jp", FOREIGN.id)
    figures = desk.figures(campaign)
    seal(desk)
    assert telling(desk) == set()
    left = everything(desk)
    assert {name for name, rows in left.items() if "@" in str(rows)} == {"mail_recipients"}
    assert "else@b.jp" in str(left["mail_recipients"])  # the other advertiser's
    assert len(left["mail_recipients"]) == 1
    assert len(left["mail_proofs"]) == len(people)
    assert len(left["mail_suppressions"]) == 1
    for table in ("sends", "responses", "bounces", "confirmations"):  # a row for each of them
        assert left[f"mail_{table}"] == []
    assert desk.figures(campaign) == figures
    assert desk.audited[-1] == "mail.sealed"
    for each in (campaign, draft):
        with pytest.raises(Refused) as caught:
            desk.ask(campaigns.schedule, each)
        assert caught.value.reason in (Refusal.CONTENT_GONE, Refusal.CAMPAIGN_STATE)
    reader = SealReader(dialect_of(desk.engine.name))
    with closing(desk.engine.database().reader()) as connection, reading(connection):
        assert not any(reader.counts(connection, "acme").values())
        assert reader.proofs(connection, "acme") == len(people)


def test_the_last_mail_is_in_the_proofs(desk: CampaignDesk) -> None:
    """Of those whom one reached; so what is being sent, or was not noted yet, ends first."""
    enlist(desk)
    campaign = desk.begin()
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            seal(desk)
        assert caught.value.reason is Refusal.CAMPAIGN_STATE
        assert str(campaign.id) in caught.value.detail
        desk.send(desk.claim(campaign))
    assert len(desk.engine.rows("SELECT id FROM mail_recipients")) == 5
    desk.now += 2 * SECOND
    desk.advance_all()
    assert desk.campaign(campaign).state == "closing"
    seal(desk)
    rows = desk.engine.rows("SELECT last_sent_at FROM mail_proofs")
    assert len(rows) == 5
    assert all(at > 0 for (at,) in rows)


@pytest.mark.parametrize("state", ["scheduled", "paused"])
def test_a_campaign_that_is_open_is_cancelled_first(desk: CampaignDesk, state: str) -> None:
    """Whatever it waits for; nothing is erased before."""
    enlist(desk)
    campaign = desk.begin() if state == "paused" else desk.create(at=desk.now + 3600 * SECOND)
    desk.ask(campaigns.pause if state == "paused" else campaigns.schedule, campaign)
    assert desk.campaign(campaign).state == state
    with pytest.raises(Refused):
        seal(desk)
    assert telling(desk)
    desk.ask(campaigns.cancel, campaign)
    desk.advance_all()
    desk.now += 2 * SECOND
    desk.advance_all()
    seal(desk)
    assert telling(desk) == set()
