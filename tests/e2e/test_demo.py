"""The demonstration compares what the platforms did with what the store holds, and means it."""

import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.daemon import PATIENCE, plain_environment, wait_for, while_we_live

pytestmark = [pytest.mark.process, pytest.mark.slow]


class Demo:
    """``gateway demo`` in a folder of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.store = folder / "var" / "demo" / "gateway.db"
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*while_we_live(), sys.executable, "-m", "gateway", "demo", *arguments],
                cwd=folder,
                env=plain_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self._output.read_text()

    def shows(self, *what: str) -> bool:
        """Whether each of ``what`` was shown of calls or friends."""
        assert self.process.poll() is None, self.said
        return all(re.search(rf"  {each}\b", self.said) for each in what)

    def shows_life(self) -> bool:
        """Whether calls have gone through all their states, and friends got something."""
        return self.shows("connecting", "ended", "follows", "stamped", "points", "survey")

    def figure(self, name: str) -> tuple[int, int]:
        """A line of its summary: what a platform did, and what the store holds."""
        found = re.search(rf"^{name} +(\d+) +(\d+)$", self.said, re.MULTILINE)
        assert found is not None, self.said
        return int(found[1]), int(found[2])

    def ended(self) -> int:
        """Its exit code."""
        return self.process.wait(PATIENCE)


@contextmanager
def demonstrated(folder: Path, *arguments: str) -> Iterator[Demo]:
    """A running demonstration."""
    made = Demo(folder, *arguments)
    yield made
    if made.process.poll() is None:
        made.process.terminate()  # which ends its daemon, too
        made.process.wait(PATIENCE)


@pytest.fixture
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Demo]:
    """A running demonstration, with the arguments of the test's parameter."""
    with demonstrated(tmp_path, *request.param) as made:
        yield made


EQUAL = ("calls", "friends", "blocks", "messages", "coupons", "stamped", "points", "surveys")


@pytest.mark.parametrize("demo", [["--seconds", "6"]], indirect=True)
def test_a_demo_ends_by_itself_with_all_sides_equal(demo: Demo) -> None:
    """It shows the addresses, calls and friends as they go, ends 0, and finds the platforms and
    the store equal.
    """
    assert demo.ended() == 0, demo.said
    assert "/twilio/voice" in demo.said
    assert "/metrics" in demo.said
    for name in EQUAL:
        did, has = demo.figure(name)
        assert did == has > 0, name
    assert re.search(r"talking", demo.said)
    assert "equal, call by call, friend by friend and mail by mail" in demo.said
    assert "WRONG" not in demo.said
    assert "NOT" not in demo.said


@pytest.mark.parametrize("demo", [["--seconds", "6"]], indirect=True)
def test_a_demo_shows_no_secret_and_nobody_whole(demo: Demo) -> None:
    """What is printed masks numbers and users, the files of secrets are for their owner alone,
    and the printed token opens the API while the demo runs.
    """
    wait_for(lambda: demo.shows("follows"), "no friends were shown")
    folder = demo.store.parent
    secrets = [folder / "auth_token", *folder.glob("*.secret"), *folder.glob("*.pin")]
    assert len(secrets) == 7
    assert {secret.stat().st_mode & 0o777 for secret in secrets} == {0o600}
    api = re.search(r"^admin +http://(\S+?)(/\S+)/openapi.json ", demo.said, re.MULTILINE)
    bearer = re.search(r"^log-in +Authorization: (Bearer \S+)$", demo.said, re.MULTILINE)
    assert api is not None
    assert bearer is not None
    with closing(http.client.HTTPConnection(api[1], timeout=10)) as connection:
        connection.request("GET", f"{api[2]}/cards", headers={"Authorization": bearer[1]})
        answer = json.load(connection.getresponse())
    assert [card["id"] for card in answer.get("items", ())] == ["sakura-card"], answer
    assert demo.ended() == 0, demo.said
    assert not re.search(r"U[0-9a-f]{32}", demo.said)
    assert not re.search(r"\+8190\d{8}", demo.said)
    assert not [secret for secret in secrets[:4] if secret.read_text() in demo.said]


@pytest.mark.parametrize("demo", [[]], indirect=True)
def test_ctrl_c_ends_a_demo_with_its_summary(demo: Demo) -> None:
    """SIGINT lets what runs come to its end, compares, and exits 0."""
    wait_for(demo.shows_life, "nothing was shown")
    demo.process.send_signal(signal.SIGINT)
    assert demo.ended() == 0, demo.said
    assert "equal, call by call, friend by friend and mail by mail" in demo.said
    assert "Traceback" not in demo.said


@pytest.mark.parametrize("demo", [[]], indirect=True)
def test_a_daemon_that_dies_fails_a_demo(demo: Demo) -> None:
    """It is told in a line, the demo exits 1, and nothing of it stays."""
    wait_for(demo.shows_life, "nothing was shown")
    pid = demo.process.pid
    [daemon] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(daemon), signal.SIGKILL)
    assert demo.ended() == 1, demo.said
    assert "gateway: the daemon does not answer as it should" in demo.said
    assert "Traceback" not in demo.said


@pytest.mark.parametrize("demo", [["--seconds", "6"]], indirect=True)
def test_a_difference_fails_a_demo(demo: Demo) -> None:
    """What in the store is not as the platforms did it is told, and the demo exits 1: a call's
    figures, a message that never went out, a coupon whose stamp is gone.
    """
    wait_for(demo.shows_life, "nothing was shown")
    with closing(sqlite3.connect(demo.store, isolation_level=None, timeout=10)) as connection:

        def changed(statement: str) -> bool:
            return connection.execute(statement).rowcount == 1

        settled = "SELECT id FROM calls WHERE settled_at IS NOT NULL LIMIT 1"
        call = f"UPDATE calls SET ring_seconds = 4711 WHERE id IN ({settled})"
        wait_for(lambda: changed(call), "no call was settled")
        sent = "SELECT id FROM outbox WHERE kind = 'line.reply' AND state = 'done' LIMIT 1"
        said = """UPDATE outbox SET payload = json_set(payload, '$.messages[0].text', 'Moin')"""
        wait_for(lambda: changed(f"{said} WHERE id IN ({sent})"), "no reply was sent")
        used = "SELECT id FROM coupon_tickets WHERE state = 'used' LIMIT 1"
        ticket = f"UPDATE coupon_tickets SET state = 'issued' WHERE id IN ({used})"
        wait_for(lambda: changed(ticket), "no coupon was stamped")
    assert demo.ended() == 1
    assert re.search(r"WRONG: CA\w+: ring seconds: the carrier says \d+, the store 4711", demo.said)
    assert re.search(r"WRONG: reply \d+ .*: the platform got other messages", demo.said)
    assert re.search(r"WRONG: \S+ ← U\w+\*\*\*\w+: \d+ messages received", demo.said)
    assert re.search(r"WRONG: coupon \S+…: stamped on one side alone", demo.said)
    assert "NOT equal" in demo.said
