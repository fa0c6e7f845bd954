"""A check of a list's domains is good for a week, and for the settings it looked at."""

import msgspec
import pytest

from gateway.domain.mail.lists import Dkim, MailList
from gateway.domain.values import SECOND, Counted
from gateway.errors import Refusal, Refused
from gateway.usecases.mail import campaign_steps
from gateway.usecases.mail.campaigns import resume, schedule
from gateway.usecases.mail.sending import Links, keep_links, message
from tests.support.campaigns import CampaignDesk, recipients
from tests.support.mail_lists import CLUB, DAY, NEWS
from tests.support.stores import Engine

_replace = msgspec.structs.replace


@pytest.fixture
def desk(engine: Engine) -> CampaignDesk:
    """A list that may send, with three recipients."""
    desk = CampaignDesk(engine)
    desk.allow()
    desk.enlist(*recipients(3))
    return desk


@pytest.mark.parametrize(
    "changed",
    [
        _replace(NEWS, sender="ceo@bank.example"),
        _replace(NEWS, bounce_domain="other.example.jp"),
        _replace(NEWS, dkim=Dkim("other.example", "s1", "key")),
    ],
)
def test_a_check_of_other_settings_counts_for_nothing(sqlite: Engine, changed: MailList) -> None:
    """Whose mail it claims to be is what was looked at: another sender is looked at anew."""
    desk = CampaignDesk(sqlite)
    desk.allow()
    desk.engine.provision(changed, CLUB)
    with pytest.raises(Refused) as caught:
        desk.ask(schedule, desk.create())
    assert caught.value.reason is Refusal.MAIL_UNCHECKED
    desk.allow()
    assert desk.ask(schedule, desk.create()).state == "scheduled"


def test_other_settings_do_not_make_a_check_stale(sqlite: Engine) -> None:
    """What says nothing of the domains may be changed at will."""
    desk = CampaignDesk(sqlite)
    desk.allow()
    desk.engine.provision(_replace(NEWS, sender_display="Acme News"), CLUB)
    assert desk.ask(schedule, desk.create()).state == "scheduled"


def test_what_was_scheduled_is_looked_at_again_when_it_begins(desk: CampaignDesk) -> None:
    """A check that is a week old then pauses the campaign; after a new one it goes on as if it
    began then.
    """
    campaign = desk.ask(schedule, desk.create(at=desk.now + 30 * DAY, parts=2, part_seconds=60))
    desk.now += 30 * DAY
    with desk.transaction() as tx:
        _, facts = campaign_steps.advance(tx, desk.now)
    assert Counted("acme", "mail_campaigns_total", ("paused_for_check",)) in facts
    paused = desk.campaign(campaign)
    assert (paused.state, paused.reason, desk.states(campaign)) == ("paused", "check", {})
    with pytest.raises(Refused):
        desk.ask(resume, campaign)
    desk.now += DAY
    desk.allow()
    desk.ask(resume, campaign)
    desk.advance_all()
    begun = desk.campaign(campaign)
    assert (begun.state, begun.started_at) == ("sending", desk.now)
    assert len(desk.states(campaign)) == 3


def test_what_was_checked_within_the_week_begins(desk: CampaignDesk) -> None:
    """A check that is younger than a week when the campaign begins is enough."""
    campaign = desk.ask(schedule, desk.create(at=desk.now + 6 * DAY))
    desk.now += 6 * DAY
    desk.advance_all()
    assert desk.campaign(campaign).state == "sending"


def test_links_of_mails_that_went_stay(desk: CampaignDesk) -> None:
    """Whoever switches the counting of clicks off amid a campaign leaves what it sent usable."""
    campaign = desk.begin()
    desk.run(keep_links, Links(campaign.id, ("https://a.example/", "https://b.example/")))
    desk.now += SECOND
    desk.run(keep_links, Links(campaign.id, ()))
    said = desk.run(message, campaign.id)
    assert said.links == ("https://a.example/", "https://b.example/")
