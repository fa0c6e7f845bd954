"""On PostgreSQL: who settles mails and who takes a report in do not wait for each other."""

import threading
from contextlib import closing

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.values import EVERYBODY
from gateway.usecases.mail.sending import Round, exchange
from tests.support.campaigns import OWNER, CampaignDesk, recipients, result
from tests.support.stores import PATIENCE, Engine, statements_of

WAITS = """SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'"""


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
        with closing(desk.engine.database().writer()) as connection:
            statements = statements_of(desk.engine.name)
            tx = StoreTransaction(connection, statements, RouteCache())
            settled.append(exchange(tx, job))
            connection.rollback()

    thread = threading.Thread(target=settle)
    with desk.transaction() as tx:
        assert tx.campaigns.find(EVERYBODY, campaign.id)
        thread.start()
        for _ in range(int(PATIENCE * 20)):
            if desk.engine.rows(WAITS):
                break
            thread.join(0.05)
        # Had it locked the mail first, this would not return.
        assert tx.campaigns.lookups.one(EVERYBODY, campaign.id, letter.recipient)
    thread.join(PATIENCE)
    assert len(settled) == 1
