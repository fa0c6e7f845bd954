"""Whatever the moment at which the daemon is killed, nobody is skipped, mailed twice, or mailed
after a stop.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from itertools import count
from time import monotonic

import aiohttp
import pytest

from adapters.smtp.simulator import Habits, MailWorld, Rule, Shares
from gateway.domain.mail.tokens import Keys, Named, sealed
from tests.e2e.test_cli import done
from tests.support.daemon import PATIENCE, Daemon, measured, wait_for
from tests.support.mail_daemon import MailDaemon
from tests.support.mail_tap import Instant, Tap
from tests.support.mail_truth import Api, MailTruth, Which
from tests.support.ports import free_port

pytestmark = [pytest.mark.process, pytest.mark.slow]

KILLS = 20
RECIPIENTS = 1_500
CAMPAIGNS = 2
CONNECTIONS = 6
DOMAINS = 40
STOPS = 0.2  # of all recipients

_MOST = 100
"""Letters between two kills, at most."""

HABITS = Habits(
    delay=0.02,
    rules=(
        Rule("rcpt", "450 4.7.1 <{recipient}>: Greylisted", share=0.03, first=1),
        Rule("rcpt", "550 5.1.1 <{recipient}>: User unknown", share=0.03),
        Rule("end", "550 5.7.1 not wanted here", recipient="*7@*", share=0.2),
        Rule("end", cut="after", share=0.005, first=1),
        Rule("end", cut="before", share=0.005, first=1),
        Rule("data", cut="before", share=0.005, first=1),
    ),
)
"""A server that takes its time, puts some off, refuses some, and now and then breaks off."""

SHARES = Shares(bounces=0.04, complains=0.02)


def test_nobody_is_skipped_doubled_or_mailed_after_a_stop(on_each_store: Daemon) -> None:
    """Over SIGKILLs while campaigns go out, people stop and bounces come in: everybody's mail is
    sent, failed, held or suppressed, and the server took it as often as that says; none was begun
    after its recipient's stop was answered; each report that was taken is logged once; and what is
    in doubt is counted and shown.
    """
    asyncio.run(_play(on_each_store, KILLS, RECIPIENTS))


async def _play(daemon: Daemon, kills: int, recipients: int) -> None:
    began = monotonic()
    inbound = free_port()
    world = MailWorld(HABITS, SHARES, seed=5, keep="digest", inbound=("127.0.0.1", inbound))
    async with world, Tap(world.port) as tap:
        settings = {"smtp_connections": CONNECTIONS, "smtp_messages_per_connection": 50}
        mail = MailDaemon(daemon, tap.port, inbound, **settings)
        keys = await asyncio.to_thread(mail.prepare)
        addresses = [f"r{n}@d{n % DOMAINS}.example.com" for n in range(recipients)]
        await asyncio.to_thread(mail.enlist, *addresses)
        campaigns = [await asyncio.to_thread(mail.campaign) for _ in range(CAMPAIGNS)]
        token = done(daemon.cli("token", "create", "--role", "operator")).strip()
        ids = list(await asyncio.to_thread(mail.recipients))
        stops = Stops(daemon, tap, keys, [each.id for each in campaigns], ids)
        stopping = asyncio.create_task(stops.run())
        try:
            await _kill(mail, world, kills)
            await _until(stopping.done, "stops were not answered")
        finally:
            stopping.cancel()
        await stopping
        await _settle(mail)
        await world.crowd.settled()
        truth = MailTruth(daemon, world, tap, keys, stops.answered, recipients)
        api = Api(daemon, token)
        wrong = [
            *truth.wrong_sends(),
            *truth.wrong_stops(),
            *truth.wrong_reports(),
            *truth.wrong_figures(),
            *await asyncio.to_thread(lambda: list(truth.wrong_list(api))),
        ]
        assert wrong == []
        await asyncio.to_thread(_decide, mail, api, [each.id for each in campaigns])
        held_there = sum(
            truth.taken[which] for which, (state, _) in truth.sends.items() if state == "held"
        )
        reports = [deed for deed in world.crowd.deeds if deed.status == 250]
        measured(
            f"{kills} kills in {monotonic() - began:.0f} s; {CAMPAIGNS} campaigns to {recipients}:"
            f" {dict(truth.states)}; of those held {held_there} had arrived; {len(stops.answered)}"
            f" stops, {len(reports)} reports taken of {len(world.crowd.deeds)}"
        )
        for state in ("sent", "failed", "held", "suppressed"):
            assert truth.states[state], f"none was {state}: the test tried nothing"
        assert truth.states["sent"] > 0.4 * truth.states.total()
        assert any(truth.begun[which] > 1 for which in truth.taken), "none was tried again"
        assert reports, "no report was taken"


async def _kill(mail: MailDaemon, world: MailWorld, kills: int) -> None:
    """Kill it so often, each time amid the sending, and start it again."""
    rng, daemon = random.Random(20261122), mail.daemon
    daemon.start()
    await asyncio.to_thread(daemon.wait_until, "ready")
    for _ in range(kills):
        more = world.mailbox.total + rng.randrange(1, _MOST)
        await _until(lambda: world.mailbox.total >= more, "no more mails come")  # noqa: B023 - asked here
        await asyncio.sleep(rng.uniform(0, 0.05))  # the moment of the kill is what is tried
        daemon.kill()
        await asyncio.to_thread(mail.hurry)
        daemon.start()
        await asyncio.to_thread(daemon.wait_until, "ready")


async def _settle(mail: MailDaemon) -> None:
    """Until nothing is under way. What a killed process had is held a moment after it."""
    until = monotonic() + 2 * PATIENCE
    while left := await asyncio.to_thread(mail.under_way):
        assert monotonic() < until, f"{left} mails are still under way"
        await asyncio.to_thread(mail.hurry)
        await asyncio.sleep(0.2)


def _decide(mail: MailDaemon, api: Api, campaigns: Sequence[int]) -> None:
    """Somebody gives the mails in doubt up: only then their campaigns come to an end."""
    state = "SELECT DISTINCT state FROM mail_campaigns"
    assert mail.daemon.rows(state) == [("sending",)]
    for campaign in campaigns:
        for turn in count():
            path = f"/mail-campaigns/{campaign}/doubts"
            if not api.post(path, {"to": "drop"}, f"{campaign}-{turn}")["settled"]:
                break
    wait_for(lambda: mail.daemon.rows(state) == [("closing",)], "the campaigns do not end")


async def _until(condition: Callable[[], bool], otherwise: str) -> None:
    until = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < until, otherwise
        await asyncio.sleep(0.005)


class Stops:
    """People press stop links, one after the other, each until it is answered: half of them of
    mails that they may not even have got yet, and half of those that are about to go out.
    """

    def __init__(
        self,
        daemon: Daemon,
        tap: Tap,
        keys: Keys,
        campaigns: Sequence[int],
        recipients: Sequence[int],
    ) -> None:
        self._daemon = daemon
        self._tap = tap
        self._keys = keys
        self._rng = random.Random(7)
        some = self._rng.sample(list(recipients), int(len(recipients) * STOPS))
        self._whose: list[Which] = [(self._rng.choice(campaigns), recipient) for recipient in some]
        self.answered: dict[Which, Instant] = {}
        """When, by what clients had written to the mail server."""

    async def run(self) -> None:
        """Press all of them."""
        async with aiohttp.ClientSession() as session:
            for number, drawn in enumerate(self._whose):
                hot = await asyncio.to_thread(self._in_hand) if number % 2 else None
                which = hot or drawn
                path = f"/u/{sealed(Named(*which), self._keys.stop)}"
                while not await self._is_answered(session, path):  # noqa: ASYNC110 - it is the daemon that is asked
                    await asyncio.sleep(0.05)  # it was killed, and starts
                self.answered.setdefault(which, self._tap.now())
                await asyncio.sleep(0.02)  # as many go out meanwhile

    def _in_hand(self) -> Which | None:
        """A mail that the daemon has in its hands, if there is one."""
        sql = "SELECT campaign, recipient FROM mail_sends WHERE state = 'attempting'"
        rows = self._daemon.rows(sql)
        return (rows[-1][0], rows[-1][1]) if rows else None

    async def _is_answered(self, session: aiohttp.ClientSession, path: str) -> bool:
        url, body = self._daemon.address + path, {"List-Unsubscribe": "One-Click"}
        try:
            async with session.post(url, data=body, allow_redirects=False) as answer:
                assert answer.status in (200, 503), await answer.text()
                return answer.status == 200
        except aiohttp.ClientError:
            return False
