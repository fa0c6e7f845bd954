"""Provisioning beside a running daemon: soon in effect, and no call dropped."""

import asyncio
import time

import pytest

from adapters.twilio.simulator import Played, Script
from gateway.errors import Misconfigured
from tests.adapters.twilio.forms import CALLER, VOICE
from tests.e2e.conftest import NewDaemon
from tests.support.carrier import TimedCarrier, assert_forwarded_and_kept
from tests.support.daemon import TARGETS, Daemon, measured

pytestmark = [pytest.mark.process, pytest.mark.slow]

EFFECT_SECONDS = 1.0
AS_SLOW = 10  # times the slowest answer: on a busy machine a change is late, as calls are
NEW = "+815031000099"


def numbered(*numbers: str, removed: bool = False) -> str:
    """A provisioning file of numbers of the advertiser that is there already, or that go."""
    what = f'advertiser = "acme"\nmedium = "bulk"\nforward_to = ["{TARGETS[1]}"]\n'
    if removed:
        what = "removed = true\n"
    return "".join(f'[[tracked_number]]\nnumber = "{number}"\n{what}' for number in numbers)


async def effect(
    carrier: TimedCarrier, number: str, probes: list[Played], *, forwarded: bool
) -> float:
    """Seconds until calls to ``number`` are forwarded, or are not; the calls go to ``probes``."""
    began = time.monotonic()
    while True:
        probe = await carrier.play(Script("busy", number, CALLER))
        probes.append(probe)
        if probe.forwarded is forwarded:
            return time.monotonic() - began
        assert time.monotonic() < began + 30, f"{number}: the change has no effect"


def test_apply_takes_effect_within_a_second_and_drops_no_call(on_each_store: Daemon) -> None:
    """While calls run, a number that is added is forwarded, one that is removed is rejected, and
    5,000 at once are taken up, each within a second, and no other call notices.
    """
    daemon = on_each_store
    daemon.run()
    took, carrier = asyncio.run(_applied_under_load(daemon))
    slowest = carrier.slowest("voice")
    measured(f"{', '.join(f'{what} {s:.2f} s' for what, s in took.items())}; voice {slowest:.2f} s")
    assert max(took.values()) < EFFECT_SECONDS + AS_SLOW * slowest
    assert daemon.terminate() == 0


async def _applied_under_load(daemon: Daemon) -> tuple[dict[str, float], TimedCarrier]:
    took: dict[str, float] = {}
    probes: list[Played] = []
    many = [f"+8150320{n:05d}" for n in range(5_000)]
    async with TimedCarrier(daemon, seed=9, speed=150) as carrier:
        async with carrier.calling(rate=20) as played:
            await effect(carrier, NEW, probes, forwarded=False)
            for what, file, number, forwarded in (
                ("added", numbered(NEW), NEW, True),
                ("removed", numbered(NEW, removed=True), NEW, False),
                ("5,000 added", numbered(*many), many[-1], True),
            ):
                await asyncio.to_thread(daemon.apply, file)
                took[what] = await effect(carrier, number, probes, forwarded=forwarded)
        assert_forwarded_and_kept(carrier, played + probes, daemon)
    return took, carrier


def test_a_refused_file_changes_nothing_beside_a_running_daemon(new_daemon: NewDaemon) -> None:
    """A provisioning file with a mistake is refused as a whole while the daemon goes on."""
    daemon = new_daemon()
    daemon.run()
    with pytest.raises(Misconfigured):
        daemon.apply(numbered(NEW) + numbered("+8150310000xx"))
    answer = daemon.post("voice", VOICE | {"To": NEW})
    assert "<Reject" in answer.body
    assert "<Dial" in daemon.post("voice", VOICE).body
    assert daemon.terminate() == 0
