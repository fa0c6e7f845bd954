"""When a consent was used last is known, though its campaign does not come to an end."""

import pytest

from gateway.domain.mail.recipients import Consent
from gateway.domain.values import EVERYBODY, SECOND
from gateway.usecases.mail import campaign_steps
from gateway.usecases.mail.campaigns import Decision, decide, pause, resume, schedule
from tests.support.campaigns import CampaignDesk, recipients, result
from tests.support.mail_lists import DAY, NEWS
from tests.support.stores import Engine


@pytest.fixture
def desk(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> CampaignDesk:
    """A list that may send, with five recipients and their consents, taken two at a time."""
    monkeypatch.setattr(campaign_steps, "AT_ONCE", 2)
    desk = CampaignDesk(engine)
    desk.allow()
    some = recipients(5)
    desk.enlist(*some)
    with desk.transaction() as tx:
        tx.mail.consents.add(
            EVERYBODY,
            [
                Consent(
                    each.id, "acme", NEWS.id, each.id, each.hash, desk.now - DAY, "api", "", "3", 0
                )
                for each in some
            ],
        )
    return desk


def noted(desk: CampaignDesk) -> dict[int, int]:
    """When each recipient was mailed last."""
    return dict(desk.engine.rows("SELECT recipient, last_sent_at FROM mail_consents"))


def test_a_campaign_that_waits_for_a_decision_notes_what_went(desk: CampaignDesk) -> None:
    """One mail in doubt keeps it open; the others are noted, and later that one."""
    campaign = desk.begin()
    letters, at = desk.claim(campaign), desk.now
    desk.exchange(
        *(result(each, "held" if each.recipient == 2 else "sent", at) for each in letters)
    )
    desk.now += 2 * SECOND
    desk.advance_all()
    assert desk.campaign(campaign).state == "sending"
    assert noted(desk) == {1: at, 2: 0, 3: at, 4: at, 5: at}
    assert not desk.advance()
    desk.run(decide, Decision(EVERYBODY, "me", campaign.id, "send", desk.now))
    desk.send(desk.claim(campaign))
    later = desk.now
    desk.now += 2 * SECOND
    desk.advance_all()
    assert desk.campaign(campaign).state == "closing"
    assert noted(desk)[2] == later


def test_a_paused_campaign_notes_what_went(desk: CampaignDesk) -> None:
    """Once for each pause; whoever resumes goes on where it was."""
    campaign = desk.begin()
    for count in (2, 5):
        at = desk.now
        desk.send(desk.claim(campaign, limit=count))
        desk.ask(pause, campaign)
        desk.now += 2 * SECOND
        desk.advance_all()
        assert sum(last > 0 for last in noted(desk).values()) == count
        assert max(noted(desk).values()) == at
        assert desk.campaign(campaign).due_at is None
        desk.ask(resume, campaign)
        desk.advance_all()
    done = desk.campaign(campaign)
    assert (done.state, done.expected, done.fixed) == ("closing", 5, 5)


def test_a_campaign_paused_while_it_is_fixed_goes_on_there(desk: CampaignDesk) -> None:
    """Nothing went of it: nothing is noted, and nobody is written down twice."""
    campaign = desk.ask(schedule, desk.create())
    assert desk.advance()
    assert desk.advance()
    desk.ask(pause, campaign)
    desk.advance_all()
    assert len(desk.states(campaign)) == 2
    desk.ask(resume, campaign)
    desk.advance_all()
    begun = desk.campaign(campaign)
    assert (begun.state, begun.expected, begun.fixed) == ("sending", 5, 5)
