"""What a daemon starts with, and what commands beside it wait for."""

import resource
from pathlib import Path

import psycopg
import pytest

import adapters.storage.provisioning
from gateway import cli
from gateway import main as wiring
from gateway.domain.routing import TrackedNumber
from gateway.provisioning import read
from gateway.usecases.provisioning import difference
from tests.adapters.twilio.forms import VOICE
from tests.support.daemon import PROVISIONING, Daemon

pytestmark = pytest.mark.process


def test_a_start_on_a_full_disk_forwards_from_the_snapshot(tmp_path: Path) -> None:
    """SQLite cannot even be read there; the calls are forwarded and spooled, and kept later."""
    daemon = Daemon(tmp_path)
    try:
        daemon.run()
        assert daemon.terminate() == 0
        # No file may grow, as if the disk were full: SQLite's journal needs more than this.
        daemon.start("prlimit", "--fsize=16384:unlimited")
        daemon.wait_until("degraded")
        assert "<Dial" in daemon.post("voice", VOICE).body
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(daemon.running.pid, resource.RLIMIT_FSIZE, unlimited)
        daemon.wait_until("ready")
        assert daemon.calls().keys() == {VOICE["CallSid"]}
    finally:
        daemon.close()


def test_apply_makes_nobody_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The difference is computed beside a writer, and writing it does not read all routes again."""
    daemon = Daemon(tmp_path)
    daemon.migrate()
    daemon.apply()
    settings = daemon.settings()
    changed = tmp_path / "provisioning.toml"
    changed.write_text(PROVISIONING.replace("flyer", "poster"))
    with daemon.locked():
        version, held = wiring.provisioned(settings)
    changes = difference(version, held, read([changed], held))
    with monkeypatch.context() as patched:
        patched.setattr(adapters.storage.provisioning, "_number", None)
        assert wiring.apply(settings, changes) == version + 1
    _, held = wiring.provisioned(settings)
    assert {"poster", "web"} < {
        number.medium
        for number in held[TrackedNumber.table].values()
        if isinstance(number, TrackedNumber)
    }


def test_a_missing_right_is_told_in_a_line(
    tmp_path: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server's refusal is no crash of ours."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        Daemon(tmp_path / "owner", postgres_url).migrate()
        role = "guest_of_test_start"
        connection.execute(f"DROP ROLE IF EXISTS {role}")
        connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute(f"GRANT SELECT ON alembic_version TO {role}")
    guest = Daemon(tmp_path / "guest", postgres_url.replace("postgres@", f"{role}@"))
    assert cli.main(["calls", "list", "--json", "--config", str(guest.config)]) == cli.FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert "permission denied for table calls" in line
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")
