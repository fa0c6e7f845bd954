"""What a whole run with errors leaves in the log."""

import asyncio
import json
import re

import pytest

from tests.adapters.twilio.forms import CALLER, VOICE
from tests.e2e.conftest import NewDaemon
from tests.support.carrier import TimedCarrier
from tests.support.daemon import NUMBERS, TARGETS, TOKEN, Daemon, wait_for

pytestmark = [pytest.mark.process, pytest.mark.slow]

NUMBER = re.compile(r"(\+|%2B)?81[0-9]{8,}|0[5789]0[0-9]{8}")


def test_no_number_and_no_token_is_logged_whatever_goes_wrong(new_daemon: NewDaemon) -> None:
    """Over a run with refusals, a store that hangs, a kill and a replay every line is JSON, and
    none holds a telephone number or the token; a call that goes well leaves no line.
    """
    daemon = new_daemon(log_level="debug")
    daemon.run()
    quiet = len(daemon.log.read_text().splitlines())
    asyncio.run(calls(daemon, 20))
    assert len(daemon.log.read_text().splitlines()) == quiet

    daemon.post("voice", VOICE, signatures=[])
    daemon.post("voice", VOICE, signatures=["x" + TOKEN])
    daemon.post("voice", VOICE | {"To": "+815031999999"})
    daemon.post("voice", VOICE | {"To": f"{NUMBERS[0]} {CALLER}"})
    daemon.post("dial", VOICE)
    with daemon.locked():
        asyncio.run(calls(daemon, 10))
        daemon.kill()
    daemon.start()
    daemon.wait_until("ready")
    assert daemon.terminate() == 0

    text = daemon.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [
        line for line in lines if not {"timestamp", "level", "logger", "event"} <= set(line)
    ] == []
    reasons = {line.get("reason") for line in lines}
    assert reasons >= {
        *("signature_missing", "signature_wrong", "unknown_number", "absurd_value"),
        *("missing_parameter", "store_deadline"),
    }
    assert TOKEN not in text
    for number in (CALLER, *NUMBERS, *TARGETS):
        assert number.removeprefix("+") not in text
    assert NUMBER.search(text) is None


async def calls(daemon: Daemon, count: int) -> None:
    """So many calls, whatever becomes of them."""
    async with TimedCarrier(daemon, seed=1, speed=200) as carrier, carrier.calling(rate=10):
        await asyncio.to_thread(wait_for, lambda: len(carrier.posts) > count, "no calls")
