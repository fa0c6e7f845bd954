"""Whatever the moment at which the daemon is killed, what it acknowledged is there."""

import asyncio
import random
from itertools import count
from time import monotonic

import pytest

from adapters.twilio.simulator import Played, Post, Script, random_scripts
from tests.support.carrier import TimedCarrier, acknowledged, differences, losses
from tests.support.daemon import NUMBERS, Daemon, measured

pytestmark = [pytest.mark.process, pytest.mark.slow]

KILLS = 20


def test_nothing_acknowledged_is_lost_or_doubled_over_twenty_kills(on_each_store: Daemon) -> None:
    """Over 20 × SIGKILL under load every webhook that got a 2xx is kept once, every call that
    can be known is right, and acknowledged events posted again change nothing.
    """
    daemon = on_each_store
    daemon.run()
    began = monotonic()
    carrier, played, in_mid_call = asyncio.run(_calls_over_kills(daemon, random.Random(20261121)))
    daemon.wait_until("ready")
    taken = acknowledged(played)
    calls = daemon.calls()
    assert losses(played, daemon) == []
    assert differences(played, calls) == []
    again = asyncio.run(_posted_again(daemon, [post for posts in taken.values() for post in posts]))
    assert again == []
    after = daemon.calls()
    assert after.keys() == calls.keys()
    # The sweep may have settled others meanwhile, whose last callbacks never came.
    settled = {sid for sid, call in calls.items() if call["settled"]}
    assert [sid for sid in settled if after[sid] != calls[sid]] == []
    assert differences(played, after) == []
    certain = sum("result" in call.certain for call in played)
    measured(
        f"{KILLS} kills in {monotonic() - began:.0f} s, {sum(in_mid_call)} calls cut in their"
        f" middle; {len(carrier.posts)} posts, {len(taken)} events acknowledged and kept;"
        f" {len(played)} calls, {certain} certain and equal"
    )
    assert sum(count > 0 for count in in_mid_call) > KILLS / 2
    assert certain > len(played) / 2


async def _calls_over_kills(
    daemon: Daemon, rng: random.Random
) -> tuple[TimedCarrier, list[Played], list[int]]:
    """Let calls run over the kills; returns them, with how many each kill hit in their middle."""
    end = asyncio.Event()
    running: set[str] = set()
    in_mid_call = []

    def follow(played: Played, post: Post) -> None:
        (running.discard if post.what.startswith("call.") else running.add)(played.sid)

    async with TimedCarrier(
        daemon,
        seed=7,
        speed=60,
        duplicates=0.2,
        disorder=0.1,
        retries=100,
        retry_seconds=0.8,
        on_event=follow,
    ) as carrier:
        calls = asyncio.create_task(carrier.run(random_scripts(NUMBERS, 7), rate=20, until=end))
        for number in count(1):
            await asyncio.sleep(rng.uniform(0.2, 1.0))  # the moment of the kill is what is tried
            in_mid_call.append(len(running))
            daemon.kill()
            daemon.start()
            await asyncio.to_thread(daemon.wait_until, "ready")
            if number == KILLS:
                break
        end.set()
        return carrier, await calls, in_mid_call


async def _posted_again(daemon: Daemon, posts: list[Post]) -> list[str]:
    """Post each again; returns those that were answered otherwise than the first time."""
    anyone = Played(Script("answered", NUMBERS[0], "+819012345678"), sid="")
    slots = asyncio.Semaphore(32)
    async with TimedCarrier(daemon) as carrier:

        async def repeat(post: Post) -> bool:
            async with slots:
                again = await carrier.post(anyone, Post(post.url, post.params, post.token))
            return (again.status, again.answer) == (post.status, post.answer)

        same = await asyncio.gather(*map(repeat, posts))
    return [post.what for post, equal in zip(posts, same, strict=True) if not equal]
