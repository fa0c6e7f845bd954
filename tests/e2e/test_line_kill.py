"""Whatever the moment at which the daemon is killed, a friend gets what is theirs, once."""

import asyncio
import random
from collections.abc import Mapping
from time import monotonic

import aiohttp
import pytest

from adapters.line.simulator import Channel, Crowd, Delivery, Friend, Habits
from gateway.domain.values import SECOND
from gateway.usecases.outbox import LEASE_SECONDS
from tests.e2e.test_cli import done
from tests.support.daemon import Daemon, measured, wait_for
from tests.support.line_daemon import WatchedPlatform, platform_of, provisioning
from tests.support.line_truth import Kill, Truth

pytestmark = [pytest.mark.process, pytest.mark.slow]

SHOPS = ("acme-shop", "acme-annex", "acme-salon")
KILLS = {"sqlite": 20, "postgresql": 4}
LOAD = 60  # things that friends do a second
READERS = 12  # friends of each shop who follow all along, and say nothing

ASTRAY = Delivery(duplicates=0.2, disorder=0.1, batch=3, redeliveries=100, redelivery_seconds=0.2)
HABITS = Habits(keyword=40, chatter=25, tap=20, scan=0, sticker=6, picture=0, unsend=0, block=2)

Readers = Mapping[str, list[Friend]]


def test_no_message_is_lost_or_doubled_over_kills_under_load(on_each_store: Daemon) -> None:
    """Over SIGKILLs while friends chat, pushes go out, answers get lost and webhooks come twice,
    late and out of order: every event that got a 2xx is kept and answered once, every push
    arrives once, and only what nobody can know is listed as unknown.
    """
    daemon = on_each_store
    kills = KILLS["sqlite" if "sqlite" in daemon.settings().storage.url else "postgresql"]
    asyncio.run(_play(daemon, kills))


async def _play(daemon: Daemon, kills: int) -> None:
    began = monotonic()
    async with platform_of(daemon, SHOPS, seed=11, delivery=ASTRAY) as (platform, shops):
        daemon.migrate()
        daemon.apply(provisioning(shops))
        token = done(daemon.cli("token", "create", "--role", "operator")).strip()
        daemon.start()
        await asyncio.to_thread(daemon.wait_until, "ready")
        readers = {shop: await _readers(account) for shop, account in shops.items()}
        faults = platform.faults
        faults.lose_answers(probability=0.04)
        faults.cut_before(probability=0.04)
        faults.fail(status=500, probability=0.03, handled=True)
        faults.fail(status=503, probability=0.03)
        faults.fail(status=429, probability=0.03)
        killed, asked = await _kill(daemon, platform, shops, _Pushes(daemon, token, readers), kills)
        faults.clear()
        await platform.settle()
        await asyncio.to_thread(_end_leases, daemon, killed[-1].at)
        await asyncio.to_thread(_wait_until_sent, daemon)
        truth = Truth(daemon, platform, shops, killed)
        wrong = [
            *truth.wrong_events(),
            *truth.wrong_replies(),
            *truth.wrong_pushes(asked),
            *truth.wrong_list(),
        ]
        assert wrong == []
        replies = truth.states("line.reply")
        requests = truth.states("line.push") + truth.states("line.multicast")
        measured(
            f"{kills} kills in {monotonic() - began:.0f} s; {len(platform.posts)} posts,"
            f" {len(truth.acknowledged)} events acknowledged and kept, {len(truth.to_answer)} to"
            f" be answered; replies {dict(replies)}; {len(asked)} pushes in {requests.total()}"
            " requests, each taken once"
        )
        assert replies["done"] > 0.6 * replies.total()
        assert len(asked) > kills
        repeated = [a for a in platform.asked if a.status == 409]
        assert repeated, "no push was repeated: the kills and faults tried nothing"
        assert replies["unknown"], "no reply's answer was lost: likewise"


async def _readers(account: Channel) -> list[Friend]:
    friends = [account.friend(f"読者{number}") for number in range(READERS)]
    await asyncio.gather(*(friend.follow() for friend in friends))
    return friends


async def _kill(
    daemon: Daemon,
    platform: WatchedPlatform,
    shops: Mapping[str, Channel],
    pushes: "_Pushes",
    kills: int,
) -> tuple[list[Kill], Mapping[str, list[Friend]]]:
    """Let friends live and pushes go out over the kills; returns when those were, and who has to
    have got the pushes that were asked for.
    """
    rng = random.Random(20261122)
    end = asyncio.Event()
    crowd = Crowd(
        list(shops.values()), seed=3, size=60, keywords=("クーポン", "menu"), habits=HABITS
    )
    living = asyncio.create_task(crowd.run(rate=LOAD, until=end))
    pushing = asyncio.create_task(pushes.run(end))
    killed: list[Kill] = []
    while len(killed) < kills:
        await asyncio.sleep(rng.uniform(0.1, 0.9))  # the moment of the kill is what is tried
        daemon.kill()
        at = platform.clock()
        daemon.start()
        await asyncio.to_thread(daemon.wait_until, "ready")
        killed.append(Kill(at, platform.clock()))
    end.set()
    await asyncio.gather(living, pushing)
    return killed, pushes.asked


_PAUSE = 0.3  # seconds between two pushes: as many as go out meanwhile


class _Pushes:
    """Asks for a push to everyone of a shop, one after the other, over all kills.

    Those that begin with a friend's name go out one by one, the others as multicasts.
    """

    def __init__(self, daemon: Daemon, token: str, readers: Readers) -> None:
        listen = daemon.settings().admin.listen
        self._url = f"http://{listen.host}:{listen.port}/api/v1/pushes"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._readers = readers
        self.asked: dict[str, list[Friend]] = {}

    async def run(self, until: asyncio.Event) -> None:
        async with aiohttp.ClientSession(headers=self._headers) as session:
            while not until.is_set():
                for shop, readers in self._readers.items():
                    text = f"お知らせ{len(self.asked)}。"
                    self.asked[text] = readers
                    singly = "{name}さん、" if len(self.asked) % 2 else ""
                    await self._ask(session, shop, singly + text)
                    await asyncio.sleep(_PAUSE)

    async def _ask(self, session: aiohttp.ClientSession, shop: str, text: str) -> None:
        """Until it is there: with the same key it is there once, however often it is asked for."""
        body = {
            "channel": shop,
            "everyone": True,
            "messages": [{"type": "text", "text": text}],
        }
        key = {"Idempotency-Key": f"key-{len(self.asked)}"}
        while True:
            try:
                async with session.post(self._url, json=body, headers=key) as answer:
                    assert answer.status in (201, 503), await answer.text()
                    if answer.status == 201:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)  # it was killed, and starts


def _end_leases(daemon: Daemon, before: int) -> None:
    """What the last process that was killed had leased is due now; the kills before it have tried
    that leases run out by themselves.
    """
    daemon.change(
        f"UPDATE outbox SET due_at = {before}, leased_until = {before} WHERE state = 'leased'"
        f" AND leased_until < {before + LEASE_SECONDS * SECOND}"
    )


def _wait_until_sent(daemon: Daemon) -> None:
    """Until nothing is under way."""
    waiting = (
        "SELECT (SELECT count(*) FROM outbox WHERE state IN ('waiting', 'leased'))"
        " + (SELECT count(*) FROM pushes WHERE due_at IS NOT NULL)"
    )
    wait_for(lambda: daemon.rows(waiting)[0][0] == 0, "messages still wait")
