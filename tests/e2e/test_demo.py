"""The demonstration compares what the carrier did with what the store holds, and means it."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.daemon import PATIENCE, ROOT, wait_for, while_we_live

pytestmark = [pytest.mark.process, pytest.mark.slow]


class Demo:
    """``gateway demo`` in a folder of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.store = folder / "var" / "demo" / "gateway.db"
        self._output = folder / "output"
        plain = {name: text for name, text in os.environ.items() if not name.startswith("GATEWAY_")}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*while_we_live(), sys.executable, "-m", "gateway", "demo", *arguments],
                cwd=folder,
                env=plain | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self._output.read_text()

    def shows_calls(self) -> bool:
        """Whether calls have gone through all their states."""
        assert self.process.poll() is None, self.said
        return all(re.search(rf"  {state}\b", self.said) for state in ("connecting", "ended"))

    def ended(self) -> int:
        """Its exit code."""
        return self.process.wait(PATIENCE)


@pytest.fixture
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Demo]:
    """A running demonstration, with the arguments of the test's parameter."""
    made = Demo(tmp_path, *request.param)
    yield made
    if made.process.poll() is None:
        made.process.terminate()  # which ends its daemon, too
        made.process.wait(PATIENCE)


@pytest.mark.parametrize("demo", [["--seconds", "6"]], indirect=True)
def test_a_demo_ends_by_itself_with_both_sides_equal(demo: Demo) -> None:
    """It shows the addresses and calls as they go, ends 0, and finds carrier and store equal."""
    assert demo.ended() == 0, demo.said
    assert "/twilio/voice" in demo.said
    assert "/metrics" in demo.said
    calls = re.search(r"^calls +(\d+) +(\d+)$", demo.said, re.MULTILINE)
    assert calls is not None
    assert calls[1] == calls[2] != "0"
    assert re.search(r"talking", demo.said)
    assert "equal, call by call" in demo.said
    assert "WRONG" not in demo.said
    assert "NOT" not in demo.said


@pytest.mark.parametrize("demo", [[]], indirect=True)
def test_ctrl_c_ends_a_demo_with_its_summary(demo: Demo) -> None:
    """SIGINT lets the calls that run come to their end, compares, and exits 0."""
    wait_for(demo.shows_calls, "no calls were shown")
    demo.process.send_signal(signal.SIGINT)
    assert demo.ended() == 0, demo.said
    assert "equal, call by call" in demo.said
    assert "Traceback" not in demo.said


@pytest.mark.parametrize("demo", [["--seconds", "5"]], indirect=True)
def test_a_difference_fails_a_demo(demo: Demo) -> None:
    """A call whose figures in the store are not the carrier's is told, and the demo exits 1."""
    wait_for(demo.shows_calls, "no calls were shown")
    with closing(sqlite3.connect(demo.store, isolation_level=None, timeout=10)) as connection:

        def changed() -> bool:
            settled = "SELECT id FROM calls WHERE settled_at IS NOT NULL LIMIT 1"
            statement = f"UPDATE calls SET ring_seconds = 4711 WHERE id IN ({settled})"
            return connection.execute(statement).rowcount == 1

        wait_for(changed, "no call was settled")
    assert demo.ended() == 1
    assert re.search(r"WRONG: CA\w+: ring seconds: the carrier says \d+, the store 4711", demo.said)
    assert "NOT equal" in demo.said
