"""Calls held against the carrier's list, by the daemon itself."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.twilio.simulator import CallListing, Played, Script
from gateway.domain.values import SECOND
from tests.e2e.conftest import NewDaemon
from tests.support.carrier import TimedCarrier
from tests.support.daemon import ACCOUNT, NUMBERS, PATIENCE, TOKEN, Daemon
from tests.support.ports import free_port

pytestmark = pytest.mark.process

TEN_MINUTES = 600 * SECOND
UNTRACKED = "+815031999999"
AGREED = {"missing_here": 0.0, "missing_there": 0.0, "different": 0.0}
DIFFER = "calls differ from the carrier's list"
NOT_COMPARED = "calls were not compared with the carrier's list"


@asynccontextmanager
async def compared(daemon: Daemon, listing: CallListing) -> AsyncIterator[list[Played]]:
    """A daemon that has taken calls of ten minutes ago, each of which both sides know."""
    try:
        await asyncio.to_thread(daemon.run)
        began = time.time_ns() // 1000 - TEN_MINUTES
        async with TimedCarrier(daemon, calls=listing.calls) as carrier:
            yield [
                await carrier.play(Script(scenario, number, "+819012345678"), starts_at=began)
                for scenario in ("answered", "busy", "first_busy_then_answered")
                for number in (*NUMBERS, UNTRACKED)
            ]
    finally:
        daemon.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - it is a process that is asked
            await asyncio.sleep(0.1)


async def anew(daemon: Daemon) -> None:
    """Until a comparison is over that began after now."""
    for _ in range(2):
        last = compared_at(daemon)
        await until(lambda last=last: compared_at(daemon) != last)  # type: ignore[misc]


def compared_at(daemon: Daemon) -> float:
    return daemon.metric("reconciliation_timestamp_seconds")


def shown(daemon: Daemon) -> dict[str, float]:
    return {what: daemon.metric("reconciliation_difference", what=what) for what in AGREED}


def told(daemon: Daemon, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def test_calls_that_the_carrier_tells_otherwise_are_shown(new_daemon: NewDaemon) -> None:
    """All calls agree; then one is unknown here, one unknown there, and one longer there."""

    async def play() -> None:
        async with CallListing(ACCOUNT, TOKEN) as listing:
            daemon = new_daemon(twilio_api_url=listing.url, twilio_reconcile_seconds=1)
            async with compared(daemon, listing) as calls:
                await anew(daemon)
                assert shown(daemon) == AGREED
                assert told(daemon, DIFFER) == []
                assert compared_at(daemon) == pytest.approx(time.time(), abs=PATIENCE)

                answered = [call for call in calls if call.result == "answered"]
                unknown_there, longer, model = answered[:3]
                listing.calls.remove(unknown_there)
                spoken = next(leg for leg in longer.legs if leg.talk_seconds is not None)
                spoken.talk_seconds = 1 + (spoken.talk_seconds or 0)
                unknown_here = Played(
                    model.script,
                    "CA" + "9" * 32,
                    started_at=model.started_at,
                    ended_at=model.ended_at,
                    status="no-answer",
                )
                listing.calls.append(unknown_here)
                await until(lambda: shown(daemon) == dict.fromkeys(AGREED, 1.0))
                assert told(daemon, DIFFER)[-1]["sids"] == [
                    f"missing_here {unknown_here.sid}",
                    f"missing_there {unknown_there.sid}",
                    f"different {longer.sid}",
                ]

    asyncio.run(play())


def test_a_carrier_that_refuses_leaves_what_was_found(new_daemon: NewDaemon) -> None:
    """The last figures and their time stay, and the log says why there are no newer ones."""

    async def play() -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        daemon = new_daemon(twilio_api_url=url, twilio_reconcile_seconds=1)
        listing = CallListing(ACCOUNT, TOKEN, port=port)
        async with compared(daemon, listing):
            async with listing:
                listing.calls.clear()
                await until(lambda: shown(daemon)["missing_there"] > 0)
            async with CallListing(ACCOUNT, "another-token", port=port):
                await until(lambda: told(daemon, NOT_COMPARED))
                found, last = shown(daemon), compared_at(daemon)
                await until(lambda: len(told(daemon, NOT_COMPARED)) > 1)
            assert (shown(daemon), compared_at(daemon)) == (found, last)
            assert told(daemon, NOT_COMPARED)[-1]["reason"] == "platform_refused"
            assert TOKEN not in daemon.log.read_text()

    asyncio.run(play())


def test_a_daemon_that_is_to_compare_nothing_asks_nobody(new_daemon: NewDaemon) -> None:
    """With 0 seconds there is neither a figure nor a time."""
    daemon = new_daemon(twilio_api_url="http://127.0.0.1:9", twilio_reconcile_seconds=0)
    daemon.run()
    assert (shown(daemon), compared_at(daemon)) == (AGREED, 0.0)
    assert told(daemon, NOT_COMPARED) == []
