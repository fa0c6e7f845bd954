"""Strikes are counted in a row, and nobody is paused longer than bounces come."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from adapters.storage.transaction import StoreTransaction
from gateway.domain.mail.campaigns import SETTLE_SECONDS, Campaign
from gateway.domain.mail.returns.bounces import Reading
from gateway.domain.values import EVERYBODY, SECOND
from gateway.usecases.mail.campaigns import Decision, decide, schedule
from gateway.usecases.mail.drafts import Again, again
from gateway.usecases.mail.sending import Round, exchange
from tests.support.campaigns import OWNER, CampaignDesk, recipients, result
from tests.support.mail_lists import DAY
from tests.support.stores import Engine

HARD = Reading("r1@example.com", "user_unknown", hard=True, status="5.1.1", reply=550)
FULL = Reading("r1@example.com", "mailbox_full", status="5.2.2", reply=552)


@pytest.fixture
def desk(engine: Engine) -> CampaignDesk:
    """A list that may send, with ten recipients."""
    desk = CampaignDesk(engine)
    desk.allow()
    desk.enlist(*recipients(10))
    return desk


def sent(desk: CampaignDesk) -> Campaign:
    """A campaign that all its recipients got, and a day after it."""
    desk.allow()
    campaign = desk.begin(pause_percent=100)
    desk.send(desk.claim(campaign))
    desk.now += 2 * SECOND
    desk.advance_all()
    return campaign


def failed(desk: CampaignDesk, reading: Reading = FULL) -> Campaign:
    """A campaign that comes back from the first recipient, and a day after it."""
    campaign = sent(desk)
    desk.bounce(campaign, 1, reading)
    desk.now += DAY
    return campaign


def arrived(desk: CampaignDesk) -> None:
    """A campaign that comes back from nobody, and a day after it."""
    sent(desk)
    desk.now += DAY


def window(desk: CampaignDesk) -> None:
    """So long bounces come."""
    desk.now += (SETTLE_SECONDS + 1) * SECOND
    desk.allow()
    desk.advance_all()


def test_a_bounce_that_comes_after_the_end_does_not_pause_for_ever(desk: CampaignDesk) -> None:
    """It pauses as long as any other: then the next campaign goes to the address again."""
    campaign = sent(desk)
    window(desk)
    assert desk.campaign(campaign).state == "done"
    desk.now += DAY
    assert desk.bounce(campaign, 1, HARD).counted
    assert desk.states(sent(desk))[1] == "suppressed"
    window(desk)
    assert desk.states(sent(desk))[1] == "sent"
    assert desk.recipient(1).strikes == 1


def test_a_campaign_that_hangs_does_not_pause_for_ever(desk: CampaignDesk) -> None:
    """One mail in doubt keeps a campaign open; who bounced of it is mailed by the next one."""
    campaign = desk.begin(pause_percent=100)
    letters = desk.claim(campaign)
    desk.exchange(
        *(result(each, "held" if each.recipient == 2 else "sent", desk.now) for each in letters)
    )
    desk.bounce(campaign, 1, HARD)
    window(desk)
    assert desk.campaign(campaign).state == "sending"
    assert desk.states(sent(desk))[1] == "sent"


def test_r075_a_mail_that_arrived_between_breaks_the_row(desk: CampaignDesk) -> None:
    """Though its window was not over before the next failure: two are in a row, not three."""
    failed(desk)
    arrived(desk)
    failed(desk)
    desk.now += 8 * DAY
    failed(desk)
    assert (desk.recipient(1).state, desk.recipient(1).strikes) == ("active", 2)
    failed(desk)
    assert desk.recipient(1).state == "removed"


def test_r075_whether_a_mail_arrived_is_waited_for(desk: CampaignDesk) -> None:
    """A third failure over a mail that may still come back pauses; once that one has arrived, it
    was not the third in a row.
    """
    failed(desk)
    arrived(desk)
    failed(desk)
    failed(desk)
    assert (desk.recipient(1).state, desk.recipient(1).strikes) == ("paused", 3)
    assert desk.states(sent(desk))[1] == "suppressed"
    window(desk)
    window(desk)
    assert desk.states(sent(desk))[1] == "sent"
    assert (desk.recipient(1).state, desk.recipient(1).strikes) == ("active", 2)


def test_r075_a_mail_that_comes_back_late_completes_the_row(desk: CampaignDesk) -> None:
    """Paused over a mail that may still come back, the address is removed when it does."""
    failed(desk)
    late = sent(desk)
    desk.now += DAY
    failed(desk)
    failed(desk)
    assert desk.recipient(1).state == "paused"
    took = desk.bounce(late, 1, FULL)
    assert [each.source for each in took.suppressions] == ["strikes"]
    assert desk.recipient(1).state == "removed"


def test_r075_three_in_a_row_remove_whatever_is_on_its_way(desk: CampaignDesk) -> None:
    """A mail after the last failure does not put the removal off."""
    campaigns = [sent(desk) for _ in range(4)]
    for campaign in campaigns[:3]:
        desk.bounce(campaign, 1, FULL)
    assert desk.recipient(1).state == "removed"


def test_third_strikes_cost_no_statement_each(desk: CampaignDesk) -> None:
    """However many are struck out at once on PostgreSQL, as many statements are run as for one."""
    for _ in range(2):
        campaign = sent(desk)
        for recipient in range(1, 10):
            desk.bounce(campaign, recipient, FULL)
        desk.now += DAY
    desk.allow()
    campaign = desk.begin(pause_percent=100)
    letters = desk.claim(campaign)
    counts = []
    for some in (letters[:1], letters[1:9]):
        failures = [
            result(each, "failed", desk.now, code=552, bounce_class="mailbox_full") for each in some
        ]
        job = Round(OWNER, desk.now, desk.seed(), tuple(failures))
        with desk.transaction() as tx, counting(tx) as run:
            given, _ = exchange(tx, job)
        assert len(given.suppressions) == len(some)
        counts.append(len(run))
    more = 7 if desk.engine.name == "sqlite" else 0  # there each has one, in our own process
    assert counts == [counts[0], counts[0] + more]


@contextmanager
def counting(tx: StoreTransaction) -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    connection: Any = tx._connection
    run: list[str] = []

    def counted(name: str) -> Any:
        does = getattr(connection, name)

        def do(*given: Any, **more: Any) -> Any:
            run.append(name)
            return does(*given, **more)

        return do

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rows", "run", "write"):
            patch.setattr(connection, name, counted(name))
        yield run


def test_what_was_dropped_in_doubt_and_bounces_was_sent(desk: CampaignDesk) -> None:
    """Its bounce is counted, and those whose mail bounced get it once more."""
    campaign = desk.begin(pause_percent=100)
    letters = desk.claim(campaign)
    desk.exchange(
        *(result(each, "held" if each.recipient < 3 else "sent", desk.now) for each in letters)
    )
    assert desk.run(decide, Decision(EVERYBODY, "me", campaign.id, "drop", desk.now)) == 2
    assert desk.bounce(campaign, 1, FULL).counted
    assert {id_: desk.states(campaign)[id_] for id_ in (1, 2)} == {1: "sent", 2: "failed"}
    assert desk.recipient(1).strikes == 1
    desk.now += 2 * SECOND
    desk.advance_all()
    wish = Again(EVERYBODY, "me", campaign.id, "秋", desk.now, desk.seed(1))
    second = desk.ask(schedule, desk.run(again, wish).campaign)
    desk.advance_all()
    assert set(desk.states(second)) == {1}


def test_what_waits_once_more_and_bounces_was_sent(desk: CampaignDesk) -> None:
    """The first copy of a mail in doubt comes back: the second one does not go."""
    campaign = desk.begin(pause_percent=100, doubt="send")
    letters = desk.claim(campaign)
    desk.exchange(
        *(result(each, "held" if each.recipient == 1 else "sent", desk.now) for each in letters)
    )
    desk.now += 2 * SECOND
    desk.advance_all()
    assert desk.states(campaign)[1] == "queued"
    assert desk.bounce(campaign, 1, FULL).counted
    assert desk.states(campaign)[1] == "sent"
    assert desk.claim(campaign) == []
