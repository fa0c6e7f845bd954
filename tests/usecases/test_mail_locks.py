"""On PostgreSQL: units of mail in two processes wait for each other, and neither for ever."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pytest

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.returns.bounces import Reading
from gateway.domain.mail.tokens import Named, hash_of
from gateway.domain.values import EVERYBODY
from gateway.usecases.mail.bounces import Came, came
from gateway.usecases.mail.campaigns import Wish, pause
from gateway.usecases.mail.sending import Round, exchange
from gateway.usecases.mail.stops import Stop, stop
from tests.support.campaigns import OWNER, CampaignDesk, recipients, result
from tests.support.mail_lists import FOREIGN, KEYS, NEWS, PUBLIC
from tests.support.stores import PATIENCE, Engine, statements_of, wait_for_a_lock

Unit = tuple[Any, Any]
"""A use-case, and what it is about."""


@contextmanager
def another(engine: Engine) -> Iterator[StoreTransaction]:
    """The transaction of another process, taken back at its end."""
    with closing(engine.database().writer()) as connection:
        yield StoreTransaction(connection, statements_of(engine.name), RouteCache(), PUBLIC)
        connection.rollback()


def both(desk: CampaignDesk, ours: Sequence[Unit], theirs: Sequence[Unit]) -> None:
    """Run units of ours as the store does; after the first of them those of another process begin,
    and wait.
    """
    done: list[Any] = []

    def run() -> None:
        with another(desk.engine) as tx:
            tx.load([argument for _, argument in theirs])
            done.extend(use_case(tx, argument) for use_case, argument in theirs)
            tx.flush()

    thread = threading.Thread(target=run)
    with desk.transaction() as tx:
        tx.load([argument for _, argument in ours])
        for number, (use_case, argument) in enumerate(ours):
            use_case(tx, argument)
            if not number:
                thread.start()
                wait_for_a_lock(desk.engine, thread)
    thread.join(PATIENCE)
    assert len(done) == len(theirs)


class World:
    """Two campaigns that went to twenty recipients, and a list of another advertiser."""

    def __init__(self, engine: Engine) -> None:
        self.desk = desk = CampaignDesk(engine)
        desk.allow()
        desk.enlist(*recipients(20))
        desk.add("r@example.com", list_=FOREIGN.id)
        self.one, self.other = desk.begin(pause_percent=100), desk.begin(pause_percent=100)
        for campaign in (self.one, self.other):
            desk.send(desk.claim(campaign, limit=15))

    def report(self, campaign: Campaign, recipient: int) -> Unit:
        """Its mail came back."""
        reading = Reading(f"r{recipient}@example.com", "mailbox_full", status="5.2.2", reply=552)
        named = Named(campaign.id, recipient)
        return came, Came(named, reading, self.desk.now, "report", self.desk.seed(), KEYS)

    def stop(self, **whom: Any) -> Unit:
        """Somebody wants no more."""
        return stop, Stop("one_click", self.desk.now, self.desk.seed(1), KEYS, **whom)

    def failures(self, *campaigns: Campaign) -> Unit:
        """What came of letters: all were refused."""
        letters = [self.desk.claim(campaign, limit=1)[0] for campaign in campaigns]
        results = [
            result(each, "failed", self.desk.now, code=552, bounce_class="mailbox_full")
            for each in letters
        ]
        return exchange, Round(OWNER, self.desk.now, self.desk.seed(), tuple(results))

    def pause(self, campaign: Campaign) -> Unit:
        """A person pauses it."""
        return pause, Wish(EVERYBODY, "me", campaign.id, self.desk.now)


@pytest.fixture
def world(postgresql: Engine) -> World:
    """See :class:`World`."""
    return World(postgresql)


def test_a_campaign_is_locked_before_its_mails(postgresql: Engine) -> None:
    """A report locks the campaign and then the mail; results of that mail come at the same time:
    the one waits for the other, and never both.
    """
    desk = CampaignDesk(postgresql)
    desk.allow()
    desk.enlist(*recipients(3))
    campaign = desk.begin(pause_percent=100)
    letter, *_ = desk.claim(campaign)
    job = Round(OWNER, desk.now, desk.seed(), (result(letter, "sent", desk.now),))
    settled = []

    def settle() -> None:
        with another(postgresql) as tx:
            settled.append(exchange(tx, job))

    thread = threading.Thread(target=settle)
    with desk.transaction() as tx:
        assert tx.campaigns.find(EVERYBODY, campaign.id)
        thread.start()
        wait_for_a_lock(postgresql, thread)
        # Had it locked the mail first, this would not return.
        assert tx.campaigns.lookups.one(EVERYBODY, campaign.id, letter.recipient)
    thread.join(PATIENCE)
    assert len(settled) == 1


def test_reports_come_to_two_processes_in_any_order(world: World) -> None:
    """What one transaction takes in about two campaigns, another one does the other way round."""
    one, other = world.one, world.other
    both(
        world.desk,
        [world.report(one, 1), world.report(other, 2)],
        [world.report(other, 3), world.report(one, 4)],
    )


def test_a_stop_before_a_report_waits_for_no_report_after(world: World) -> None:
    """A stop locks the advertiser, a report the campaign first: beside each other all the same."""
    both(
        world.desk,
        [world.stop(recipient=1), world.report(world.one, 2)],
        [world.report(world.one, 3)],
    )


def test_stops_at_two_advertisers_come_in_any_order(world: World) -> None:
    """By a token, and by an address on a list."""
    theirs = {"address": "r@example.com", "list": FOREIGN.id}
    both(
        world.desk,
        [world.stop(recipient=1), world.stop(**theirs)],
        [world.stop(**theirs), world.stop(address="r2@example.com", list=NEWS.id)],
    )


def test_failures_come_beside_stops_and_reports(world: World) -> None:
    """A sender that settles what two campaigns were refused waits, and makes nobody wait for it."""
    both(
        world.desk,
        [world.stop(recipient=1), world.report(world.other, 2), world.report(world.one, 3)],
        [world.failures(world.one, world.other)],
    )


def test_a_person_decides_beside_stops_and_reports(world: World) -> None:
    """A campaign is paused in a transaction that stopped somebody before."""
    both(
        world.desk,
        [world.stop(recipient=1), world.pause(world.one)],
        [world.report(world.one, 2)],
    )


def test_who_is_deleted_since_is_locked_by_what_they_consented_to(world: World) -> None:
    """A stop of theirs waits for its advertiser before any other, too."""
    desk = world.desk
    recipient = desk.add("gone@example.com").recipient.id
    with desk.transaction() as tx:
        tx.mail.recipients.delete(EVERYBODY, (recipient,), desk.now)
    theirs = {"address": "r@example.com", "list": FOREIGN.id}
    both(
        desk,
        [world.stop(**theirs), world.stop(recipient=recipient)],
        [world.stop(recipient=1), world.stop(**theirs)],
    )
    with desk.transaction() as tx:
        whom = hash_of("gone@example.com", KEYS)
        assert tx.mail.suppressions.of(EVERYBODY, NEWS.advertiser, (whom,))


def test_looking_at_figures_locks_none(world: World) -> None:
    """Whoever counts in the midst of a transaction leaves others free to count."""
    with world.desk.transaction() as tx, another(world.desk.engine) as beside:
        for each in (tx, beside):
            each.campaigns.figures.add(EVERYBODY, world.one.id, {"click": 1})
            assert each.campaigns.figures.of(EVERYBODY, world.one.id)["click"] == 1
            each.campaigns.figures.add(EVERYBODY, world.one.id, {"click": 1})
        beside.flush()
