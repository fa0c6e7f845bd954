"""PostgreSQL goes away in the middle of calls, or is not there at all: the calls go on."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.adapters.twilio.forms import CALL, VOICE
from tests.e2e.conftest import NewDaemon
from tests.support.carrier import LONGEST_ANSWER, TimedCarrier, assert_forwarded_and_kept
from tests.support.daemon import Daemon, measured
from tests.support.postgres import PostgresServer
from tests.support.stores import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

Step = Callable[[PostgresServer], None]

OUTAGES: dict[str, tuple[float, Step, Step]] = {
    "stopped": (3.0, lambda server: server.stop("fast"), lambda server: server.start()),
    "crashed": (3.0, lambda server: server.stop("immediate"), lambda server: server.start()),
    "hanging": (10.0, lambda server: server.pause(), lambda server: server.resume()),
}
"""How long they last (seconds), how they begin and end."""


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_of_seconds_loses_no_call(
    outage: str, own_postgres: PostgresServer, new_daemon: NewDaemon
) -> None:
    """While PostgreSQL is away during a run, for 10 s where it hangs, every call is forwarded
    within 2 s, and afterwards the store holds every event and every call as it was.
    """
    daemon = new_daemon("daemon", own_postgres.url())
    daemon.run()
    seconds, begin, end = OUTAGES[outage]
    carrier = asyncio.run(
        _outage(daemon, seconds, lambda: begin(own_postgres), lambda: end(own_postgres))
    )
    events = daemon.metric("spool_events_total")
    assert events > 10 * seconds
    assert daemon.metric("spool_replayed_total") == events
    measured(
        f"{outage}: slowest voice answer {carrier.slowest('voice'):.3f} s, {events:.0f} spooled"
    )
    assert daemon.terminate() == 0


async def _outage(
    daemon: Daemon, seconds: float, begin: Callable[[], None], end: Callable[[], None]
) -> TimedCarrier:
    async with (
        TimedCarrier(daemon, seed=5, speed=150, duplicates=0.1, disorder=0.1) as carrier,
        carrier.calling(rate=6) as played,
    ):
        await eventually(lambda: len(carrier.posts) > 50)
        begin()
        try:
            await asyncio.to_thread(daemon.wait_until, "degraded")
            await asyncio.sleep(seconds)  # the length of the outage is what is tried
        finally:
            end()
        await asyncio.to_thread(daemon.wait_until, "ready")
        before = len(carrier.posts)
        await eventually(lambda: len(carrier.posts) > before + 30)
    daemon.wait_until("ready")
    assert_forwarded_and_kept(carrier, played, daemon)
    return carrier


def test_a_start_without_the_database_forwards_from_the_snapshot(
    own_postgres: PostgresServer, new_daemon: NewDaemon
) -> None:
    """A daemon that starts while the database is down forwards as it was last provisioned; killed
    with events in its spool, it leaves them to the next one, which replays them.
    """
    daemon = new_daemon("daemon", own_postgres.url())
    daemon.run()
    assert daemon.terminate() == 0
    own_postgres.stop()

    daemon.start()
    daemon.wait_until("degraded")
    began = time.monotonic()
    first = daemon.post("voice", VOICE)
    assert (first.status, "<Dial" in first.body) == (200, True)
    assert time.monotonic() - began < LONGEST_ANSWER
    unknown = daemon.post("voice", VOICE | {"CallSid": "CA" + "e" * 32, "To": "+815031999999"})
    assert (unknown.status, "<Reject" in unknown.body) == (200, True)
    assert daemon.metric("spool_events_total", reason="store_down") == 2
    daemon.kill()

    daemon.start()
    daemon.wait_until("degraded")
    assert daemon.metric("spool_bytes") > 0
    own_postgres.start()
    daemon.wait_until("ready")
    calls = daemon.calls()
    assert list(calls) == [CALL]
    assert calls[CALL]["state"] == "ringing"
    assert daemon.post("voice", VOICE).body == first.body
    assert daemon.metric("spool_bytes") == 0
    assert daemon.metric("spool_dead_records") == 0
    assert daemon.terminate() == 0
