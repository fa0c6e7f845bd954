"""The operating system's own record of what happened in which order: persist, then answer."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.adapters.twilio.forms import CALL, VOICE
from tests.e2e.conftest import NewDaemon
from tests.support.daemon import Daemon, measured, wait_for
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.process, pytest.mark.slow]

SPOOL = r"spool-1\.log"
CALLS = "fsync,fdatasync,write,writev,sendto,sendmsg,pwrite64,pwritev,recvfrom"


def start_traced(daemon: Daemon, state: str = "ready") -> Path:
    """Start ``daemon`` under strace and wait for ``state``; returns the file of system calls."""
    if shutil.which("strace") is None:
        assert not os.environ.get("CI"), "strace is missing: install it"
        pytest.skip("strace is not installed")
    trace = daemon.folder / f"trace-{state}"
    # -D: the daemon stays our child, so that signals reach it and not the tracer.
    daemon.start("strace", "-D", "-f", "-yy", "-s65536", "-o", str(trace), f"-etrace={CALLS}")
    daemon.wait_until(state)
    return trace


def system_calls(daemon: Daemon, trace: Path) -> list[str]:
    """Post a voice webhook; returns the system calls up to its answer.

    A call that another thread's interrupted stands where it ended, in one line.
    """
    answer = daemon.post("voice", VOICE)
    assert (answer.status, "<Dial" in answer.body) == (200, True)
    sent = (
        rf"\d+ +(write|writev|sendto|sendmsg)\(\d+<TCP:\[127\.0\.0\.1:{daemon.public}->.*HTTP/1.1"
    )

    def up_to_answer() -> list[str]:
        begun: dict[str, str] = {}
        lines = []
        for line in trace.read_text(errors="replace").splitlines():
            thread = line.split(" ", 1)[0]
            if line.endswith("<unfinished ...>"):
                begun[thread] = line.removesuffix("<unfinished ...>").rstrip()
                # An answer is out when its sending begins, and a fact is kept when its sync ends.
                if not re.match(sent, line):
                    continue
            elif "resumed>" in line:
                line = begun.pop(thread) + line.partition("resumed>")[2]  # noqa: PLW2901 - made whole
            lines.append(line)
            if re.match(sent, line):
                return lines
        return []

    return wait_for(up_to_answer, "the trace shows no answer", 20)


def place_of(lines: list[str], pattern: str, after: int = -1) -> int:
    """Where the first line behind ``after`` is that matches ``pattern``."""
    for place, line in enumerate(lines):
        if place > after and re.search(pattern, line):
            return place
    raise AssertionError(f"no {pattern} among:\n" + "\n".join(line[:200] for line in lines[-40:]))


def is_spooled(lines: list[str]) -> bool:
    """Whether the store took so long, on a busy machine, that the call went to the spool."""
    return any(re.search(rf"pwrite64\(\d+<.*{SPOOL}>, .*{CALL}", line) for line in lines)


def was_synced(lines: list[str], holder: str) -> int:
    """The place where the file ``holder`` was synced with the call in it, before the answer."""
    written = place_of(lines, rf"pwrite64\(\d+<.*{holder}>, .*{CALL}")
    synced = place_of(lines, rf"f(data)?sync\(\d+<.*{holder}>\) += 0", after=written)
    assert written < synced < len(lines) - 1
    return synced


def test_sqlite_is_synced_before_the_answer_is_sent(new_daemon: NewDaemon) -> None:
    """The journal that holds the call is synced, with success, before the answer is written to
    the client's socket; where the disk is slow, the spool that holds it is.
    """
    daemon = new_daemon()
    daemon.migrate()
    daemon.apply()
    lines = system_calls(daemon, start_traced(daemon))
    synced = was_synced(lines, SPOOL if is_spooled(lines) else r"gateway\.db-wal")
    measured("\n".join(line[:90] for line in (lines[synced], lines[-1])))
    assert daemon.terminate() == 0


@pytest.mark.postgres
def test_postgres_has_committed_before_the_answer_is_sent(
    own_postgres: PostgresServer, new_daemon: NewDaemon
) -> None:
    """PostgreSQL confirms the COMMIT of the call before the answer is sent; with PostgreSQL gone
    the spool that holds the call is synced before it.
    """
    daemon = new_daemon("daemon", own_postgres.url())
    daemon.migrate()
    daemon.apply()
    lines = system_calls(daemon, start_traced(daemon))
    if is_spooled(lines):
        was_synced(lines, SPOOL)
    else:
        written = place_of(lines, rf"sendto\(\d+<TCP:.*{CALL}")
        asked = place_of(lines, r"sendto\(\d+<TCP:.*COMMIT", after=written)
        confirmed = place_of(lines, r"recvfrom\(\d+<TCP:.*COMMIT\\0.*\) += \d+", after=asked)
        assert written < asked < confirmed < len(lines) - 1
    assert daemon.terminate() == 0

    own_postgres.stop()
    was_synced(system_calls(daemon, start_traced(daemon, "degraded")), SPOOL)
