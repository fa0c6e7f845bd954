"""Two daemons on one PostgreSQL share the calls of one carrier."""

import asyncio
import math
from itertools import islice
from typing import Any

import pytest

from adapters.twilio.simulator import Played, Post, Script, random_scripts
from gateway.domain.values import SECOND
from tests.adapters.twilio.forms import CALLER
from tests.e2e.conftest import NewDaemon
from tests.support.carrier import TimedCarrier, differences, losses
from tests.support.daemon import NUMBERS, Daemon, measured
from tests.support.postgres import fresh_database

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.postgres]

CALLS = 300
NOW = 1_793_700_000 * SECOND


async def play(*daemons: Daemon) -> list[Played]:
    """The same calls with the same faults each time, whoever takes them."""
    faults = {"duplicates": 0.3, "disorder": 0.3, "wild": True, "clock": lambda: NOW}
    scripts = islice(random_scripts(NUMBERS, 11), CALLS)
    async with TimedCarrier(*daemons, seed=11, **faults) as carrier:
        return await carrier.run(scripts, rate=math.inf, in_flight=32)


async def post_at_once(played: list[Played], *daemons: Daemon) -> None:
    """All posts of each call in the same moment, so that the daemons are at the same call."""
    anyone = Played(Script("answered", NUMBERS[0], CALLER), sid="")
    async with TimedCarrier(*daemons) as carrier:
        for call in played:
            posts = [Post(post.url, post.params, post.token) for post in call.posts]
            answers = await asyncio.gather(*(carrier.post(anyone, post) for post in posts))
            assert [answer.status for answer in answers if not answer.acknowledged] == []


def end_state(played: list[Played], daemon: Daemon) -> list[dict[str, Any]]:
    """What is kept of each call in the order of play, without the ids, which differ from run to
    run, our own times, and ``repeat``, which goes by the order of arrival.
    """
    calls = daemon.calls()
    assert losses(played, daemon) == []
    assert differences(played, calls) == []
    kept = [calls[truth.sid] for truth in played]
    own = {"id", "provider_sid", "received_at", "repeat"}
    for call in kept:
        for leg in call["legs"]:
            del leg["sid"]
        call["legs"].sort(key=str)
    return [{name: value for name, value in call.items() if name not in own} for call in kept]


def test_two_processes_end_in_the_same_state_as_one(postgres: str, new_daemon: NewDaemon) -> None:
    """One run's webhooks, split over two daemons with duplicates and disorder, leave every call
    as one daemon does, and settle each call once; so do all events of a call at the same moment.
    """
    with (
        fresh_database(postgres) as first,
        fresh_database(postgres) as second,
        fresh_database(postgres) as third,
    ):
        alone = new_daemon("alone", first)
        alone.run()
        played = asyncio.run(play(alone))
        expected = end_state(played, alone)

        pair = started_pair(new_daemon, second)
        split = asyncio.run(play(*pair))
        assert end_state(split, pair[0]) == expected
        assert_settled_once(expected, pair)

        pair = started_pair(new_daemon, third)
        asyncio.run(post_at_once(played, *pair))
        assert end_state(played, pair[0]) == expected
        assert_settled_once(expected, pair)


def started_pair(new_daemon: NewDaemon, url: str) -> tuple[Daemon, Daemon]:
    """Two daemons on one database."""
    name = url.rpartition("/")[2]
    one, other = new_daemon(f"{name}-one", url), new_daemon(f"{name}-other", url)
    one.run()
    other.start()
    other.wait_until("ready")
    return one, other


def assert_settled_once(calls: list[dict[str, Any]], pair: tuple[Daemon, Daemon]) -> None:
    """Both took their part, and together counted each settled call once."""
    settled = [daemon.metric("calls_total", "/metrics/advertisers") for daemon in pair]
    answered = [daemon.metric("webhooks_total", status="200") for daemon in pair]
    measured(f"{len(calls)} calls equal; webhooks {answered}, settled {settled}")
    assert sum(settled) == sum(call["settled"] for call in calls)
    assert min(answered) > 0.4 * sum(answered)
    for daemon in pair:
        assert daemon.terminate() == 0
