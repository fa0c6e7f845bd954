"""The daemon delivers through a real Postfix, and reads the reports that Postfix itself writes."""

import asyncio

import dkim  # type: ignore[import-untyped]  # it carries no types
import pytest

from adapters.smtp.simulator import Habits, MailWorld, Rule
from tests.e2e.conftest import NewDaemon
from tests.support.daemon import Daemon, wait_for
from tests.support.mail_daemon import BOUNCES, SENDER_DOMAIN, MailDaemon, signer
from tests.support.ports import free_port
from tests.support.postfix import MISSING, postfix

pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=MISSING or "-"),
]

HERE = [f"r{n}@d{n % 5}.example.com" for n in range(40)]
GONE = [f"gone{n}@d{n % 5}.example.com" for n in range(6)]
FULL = [f"full{n}@d{n % 5}.example.com" for n in range(4)]

HABITS = Habits(
    rules=(
        Rule("rcpt", "550 5.1.1 <{recipient}>: User unknown", recipient="gone*"),
        Rule("end", "552 5.2.2 <{recipient}>: mailbox full", recipient="full*"),
    )
)


def test_a_campaign_passes_a_real_postfix_and_its_bounces_are_read(new_daemon: NewDaemon) -> None:
    """Everybody who is there gets their mail once, with a signature that another implementation
    finds good behind Postfix; of the others Postfix reports, each report names its mail by the
    keyed tag, and what it says is read.
    """
    asyncio.run(_play(new_daemon()))


async def _play(daemon: Daemon) -> None:
    inbound = free_port()
    async with MailWorld(HABITS) as world:
        with postfix(world.port, {BOUNCES: inbound}) as port:
            mail = MailDaemon(daemon, port, inbound)
            await asyncio.to_thread(_deliver, mail)
    for address in HERE:
        [letter] = world.mailbox.of(address)
        assert letter.sender.endswith(f"@{BOUNCES}")
        assert b"by relay.test (Postfix)" in letter.raw
        assert dkim.verify(letter.raw, dnsfunc=_looked_up), address
    assert world.mailbox.total == len(HERE)


def _deliver(mail: MailDaemon) -> None:
    """Run a campaign, and see what came back of it."""
    daemon = mail.daemon
    mail.prepare()
    mail.enlist(*HERE, *GONE, *FULL)
    campaign = mail.campaign()
    daemon.start()
    daemon.wait_until("ready")
    wait_for(lambda: mail.under_way() == 0, "mails are still under way")
    states = "SELECT DISTINCT state FROM mail_sends"
    assert daemon.rows(states) == [("sent",)]  # as far as we know before reports come
    reported = "SELECT count(*) FROM mail_bounces"
    wait_for(lambda: daemon.rows(reported)[0][0] == len(GONE + FULL), "reports did not come")
    addresses = mail.recipients()
    log = daemon.rows("SELECT recipient, campaign, source, class, status FROM mail_bounces")
    assert sorted((addresses[row[0]], *row[1:]) for row in log) == sorted(
        [(each, campaign.id, "report", "user_unknown", "5.1.1") for each in GONE]
        + [(each, campaign.id, "report", "mailbox_full", "5.2.2") for each in FULL]
    )
    paused = daemon.rows("SELECT address FROM mail_recipients WHERE state = 'paused'")
    assert {row[0] for row in paused} == set(GONE)
    bounced = daemon.rows("SELECT recipient FROM mail_sends WHERE class != ''")
    assert {addresses[row[0]] for row in bounced} == {*GONE, *FULL}


def _looked_up(name: bytes, timeout: int = 5) -> bytes:
    """The DNS: it knows one key."""
    return signer().record.encode() if name == f"gw._domainkey.{SENDER_DOMAIN}.".encode() else b""
