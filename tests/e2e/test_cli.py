"""The commands as a person or a script runs them: what they print, and how they end."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.storage.spool.file import Record, SpoolFile
from adapters.twilio.routes import spooled
from adapters.twilio.webhook import parse_form, read_event
from gateway.cli import main
from gateway.usecases.calls import Incoming
from tests.adapters.twilio.forms import CALL, CALLER, TARGET, VOICE
from tests.e2e.conftest import NewDaemon
from tests.support.daemon import NUMBERS, PROVISIONING, TOKEN, Daemon, wait_for
from tests.support.ports import free_port

pytestmark = [pytest.mark.process, pytest.mark.slow]

Ran = subprocess.CompletedProcess[str]


def done(ran: Ran) -> str:
    """The output of a command that ended well and complained of nothing."""
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    return ran.stdout


def complaints(ran: Ran, code: int) -> list[str]:
    """The lines of a command that failed with ``code``, each telling who speaks."""
    assert ran.returncode == code, ran
    assert "Traceback" not in ran.stderr
    lines = ran.stderr.splitlines()
    assert lines
    assert all(line.startswith("gateway: ") for line in lines), lines
    return [line.removeprefix("gateway: ") for line in lines]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What overrides the configuration here is no business of the tests."""
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        if not name.startswith("GATEWAY_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def daemon(new_daemon: NewDaemon) -> Daemon:
    """A daemon with schema and provisioning, not started."""
    made = new_daemon()
    made.migrate()
    made.apply()
    return made


# --- configuration, schema, provisioning ---


def test_check_tells_every_mistake_of_every_file_at_once(daemon: Daemon) -> None:
    """A right configuration is fine; a wrong one, with wrong files, gives a line for each mistake
    and exit code 2.
    """
    good = daemon.folder / "good.toml"
    good.write_text(PROVISIONING)
    assert done(daemon.cli("check", str(good))).startswith("fine: ")
    bad = daemon.folder / "bad.toml"
    bad.write_text('[[advertiser]]\nid = "A!"\nname = ""\nkind = "shop"\n')
    daemon.environment |= {"GATEWAY_HTTP_LISTEN": "nowhere", "GATEWAY_LOG_LEVEL": "loud"}
    found = complaints(daemon.cli("check", str(bad)), 2)
    assert len(found) == 5
    assert sum("GATEWAY_" in line for line in found) == 2
    assert sum(f"{bad}: [[advertiser]] A!: " in line for line in found) == 3
    daemon.environment["GATEWAY_HTTP_LISTEN"] = "127.0.0.1:8080"
    assert complaints(daemon.cli("serve"), 2) == [line for line in found if "LOG_LEVEL" in line]


def test_migrate_may_be_run_twice(on_each_store: Daemon) -> None:
    """The first run makes the schema, the second finds nothing to do."""
    first = done(on_each_store.cli("migrate")).strip()
    assert first.startswith("schema ")
    assert done(on_each_store.cli("migrate")).strip() == f"{first}: nothing to do"


def test_apply_prints_what_changed_and_does_nothing_twice(daemon: Daemon) -> None:
    """A dry run shows and writes nothing; the next run shows the same and writes it; a third has
    nothing to do; a wrong file is refused as a whole.
    """
    file = daemon.folder / "more.toml"
    file.write_text(PROVISIONING.replace('medium = "web"', 'medium = "site"'))
    shown = done(daemon.cli("apply", "--dry-run", str(file)))
    assert f"tracked_number {NUMBERS[1]}: would be changed" in shown
    assert "medium: web → site" in shown
    applied = done(daemon.cli("apply", str(file)))
    assert applied == shown.replace("would be ", "")
    assert "changed" in applied
    assert "0 added, 0 changed, 0 removed" in done(daemon.cli("apply", str(file)))
    file.write_text(PROVISIONING + '\n[[tracked_number]]\nnumber = "0312345678"\n')
    assert all(str(file) in line for line in complaints(daemon.cli("apply", str(file)), 2))


# --- serve ---


def test_serve_refuses_a_store_that_is_not_of_this_release(daemon: Daemon) -> None:
    """Without a store, with an older schema and with a newer one ``serve`` says what to do and
    exits 2, and touches nothing.
    """
    path = daemon.folder / "store" / "gateway.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'later'")
    [newer] = complaints(daemon.cli("serve"), 2)
    assert "newer than this release" in newer
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM alembic_version")
    [older] = complaints(daemon.cli("serve"), 2)
    assert "gateway migrate" in older
    path.unlink()
    [none] = complaints(daemon.cli("serve"), 2)
    assert "gateway migrate" in none
    assert not path.exists()


def test_a_second_daemon_on_one_sqlite_file_is_refused(daemon: Daemon) -> None:
    """While one daemon runs, another on the same file exits 2, and the first goes on."""
    daemon.start()
    daemon.wait_until("ready")
    daemon.environment |= {
        f"GATEWAY_{section}_LISTEN": f"127.0.0.1:{free_port()}"
        for section in ("HTTP", "ADMIN", "METRICS")
    }
    [line] = complaints(daemon.cli("serve"), 2)
    assert "used by another daemon" in line
    assert daemon.readiness() == "ready"


def test_a_port_in_use_is_named(daemon: Daemon, new_daemon: NewDaemon) -> None:
    """``serve`` on a taken port says which one and exits 1."""
    daemon.start()
    daemon.wait_until("ready")
    other = new_daemon("other", http_listen=f"127.0.0.1:{daemon.public}")
    other.migrate()
    ran = other.cli("serve")
    assert ran.returncode == 1
    assert f"gateway: cannot listen on 127.0.0.1:{daemon.public}" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_database_that_is_down_is_one_line(new_daemon: NewDaemon) -> None:
    """Commands that need the database say in one line that it cannot be reached, and exit 1; the
    line holds no password.
    """
    daemon = new_daemon("d", f"postgresql://joe:hunter2hunter2@127.0.0.1:{free_port()}/gateway")
    file = daemon.folder / "p.toml"
    file.write_text(PROVISIONING)
    for command in (["migrate"], ["apply", str(file)], ["calls", "list"]):
        [line] = complaints(daemon.cli(*command), 1)
        assert "hunter2" not in line
        assert "refused" in line


# --- calls ---


def test_a_simulated_call_is_listed_as_it_was(daemon: Daemon) -> None:
    """``simulate call`` plays a call against the running daemon, and ``calls list`` shows its ring
    and talk seconds, its number, and who called, masked for people and whole in JSON.
    """
    daemon.start()
    daemon.wait_until("ready")
    played = done(daemon.cli("simulate", "call", "--to", NUMBERS[0], "--talk", "42", "--ring", "7"))
    assert "answered  ring 7 s  talk 42 s" in played
    sid = played.split()[0]
    call = daemon.calls()[sid]
    assert call["number"] == NUMBERS[0]
    assert (call["state"], call["result"]) == ("ended", "answered")
    assert (call["ring_seconds"], call["talk_seconds"]) == (7, 42)
    assert (call["caller"], call["caller_known"]) == (CALLER, True)
    assert (call["advertiser"], call["medium"]) == ("acme", "flyer")
    assert (call["outcome"], call["outcome_reason"]) == ("accepted", "min_talk_seconds")
    assert {leg["target"] for leg in call["legs"]} == {"+81312345678", "+819012345678"}
    for name in ("received_at", "answered_at", "ended_at"):
        assert datetime.fromisoformat(call[name]).utcoffset() == timedelta(hours=9)
    shown = done(daemon.cli("calls", "list")).splitlines()
    assert len(shown) == 2
    assert "7 s" in shown[1]
    assert "42 s" in shown[1]
    assert CALLER not in shown[1]


def test_a_call_to_an_unknown_number_or_a_silent_daemon_fails(daemon: Daemon) -> None:
    """``simulate call`` exits 1 and says why where the call is not forwarded."""
    [silent] = complaints(daemon.cli("simulate", "call", "--to", NUMBERS[0]), 1)
    assert "not answered" in silent
    daemon.start()
    daemon.wait_until("ready")
    [unknown] = complaints(daemon.cli("simulate", "call", "--to", "+815031999999"), 1)
    assert "is it provisioned?" in unknown


def test_calls_are_listed_by_advertiser_time_and_number(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--advertiser``, ``--since`` and ``--limit`` choose; the oldest come first."""
    daemon.start()
    daemon.wait_until("ready")
    for place, number in enumerate((NUMBERS[0], NUMBERS[2], NUMBERS[1])):
        daemon.post("voice", VOICE | {"CallSid": f"CA{place}", "To": number})
        time.sleep(0.01)  # to be told apart by time

    def listed(*options: str) -> list[dict[str, Any]]:
        # In our own process: so many new ones would take their time.
        assert main(["calls", "list", "--json", "--config", str(daemon.config), *options]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def sids(*options: str) -> list[str]:
        return [call["provider_sid"] for call in listed(*options)]

    assert sids() == ["CA0", "CA1", "CA2"]
    assert sids("--limit", "2") == ["CA0", "CA1"]
    assert sids("--advertiser", "umi") == ["CA1"]
    assert sids("--advertiser", "acme") == ["CA0", "CA2"]
    assert sids("--advertiser", "acme", "--advertiser", "umi", "--limit", "3") == sids()
    assert sids("--advertiser", "nobody") == []
    second = listed()[1]["received_at"]
    assert sids("--since", second) == ["CA1", "CA2"]
    assert sids("--since", "2026-01-01") == sids()
    assert sids("--since", "0001-01-01") == sids()
    assert sids("--since", "2099-12-31T00:00") == []
    [line] = complaints(daemon.cli("calls", "list", "--since", "yesterday"), 2)
    assert "--since yesterday" in line


def test_a_list_that_is_cut_off_ends_quietly(daemon: Daemon) -> None:
    """A reader that goes away, as ``head`` does, is no error with a trace."""
    daemon.start()
    daemon.wait_until("ready")
    for place in range(300):
        daemon.post("voice", VOICE | {"CallSid": f"CA{place}"})
    command = f"{sys.executable} -m gateway calls list --json --config {daemon.config} | head -1"
    ran = subprocess.run(
        ["sh", "-c", command],
        env=daemon.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(ran.stdout.splitlines()) == 1
    assert ran.stderr == ""


# --- backup and restore ---


def test_a_backup_of_a_running_daemon_brings_its_calls_back(daemon: Daemon, tmp_path: Path) -> None:
    """A backup taken while the daemon runs, restored after it stopped, holds the calls of that
    moment; a daemon in the way, and a destination that exists, are refused.
    """
    backup = tmp_path / "backup.db"
    daemon.start()
    daemon.wait_until("ready")
    daemon.post("voice", VOICE)
    assert str(backup) in done(daemon.cli("backup", str(backup)))
    assert backup.stat().st_mode & 0o777 == 0o600
    [exists] = complaints(daemon.cli("backup", str(backup)), 2)
    assert "exists" in exists
    daemon.post("voice", VOICE | {"CallSid": "CAlater"})
    assert daemon.calls().keys() == {CALL, "CAlater"}
    [running] = complaints(daemon.cli("restore", str(backup)), 2)
    assert "daemon" in running
    assert daemon.terminate() == 0
    assert "the former store is" in done(daemon.cli("restore", str(backup)))
    assert daemon.calls().keys() == {CALL}
    [missing] = complaints(daemon.cli("restore", str(tmp_path / "none.db")), 2)
    assert "no such file" in missing
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("no database at all")
    complaints(daemon.cli("restore", str(nonsense)), 2)
    daemon.start()
    daemon.wait_until("ready")
    assert daemon.calls().keys() == {CALL}


# --- the spool ---


def test_dead_events_are_sent_again_by_command(daemon: Daemon) -> None:
    """``resend-spool`` hands what lies in spool.dead to the running daemon, which keeps it."""
    body = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in VOICE.items())
    event = read_event("voice", parse_form(body.encode()), 1_793_700_000_000_000)
    assert "0 events" in done(daemon.cli("resend-spool"))
    daemon.start()
    daemon.wait_until("ready")
    folder = daemon.folder / "state" / "spool"
    dead = SpoolFile.open(folder / "spool.dead", create=True)
    assert dead is not None
    dead.append([Record("twilio", spooled(Incoming(event, 1, body)), event.received_at)])
    dead.close()
    assert "1 events" in done(daemon.cli("resend-spool"))
    wait_for(lambda: daemon.metric("spool_replayed_total") == 1, "it was not adopted", 20)
    assert daemon.calls().keys() == {CALL}
    assert not (folder / "spool.dead").exists()


# --- usage and secrets ---


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["calls"],
        ["calls", "list", "--limit", "0"],
        ["calls", "list", "--limit", "many"],
        ["simulate", "call"],
        ["simulate", "call", "--to", TARGET, "--scenario", "comedy"],
        ["apply"],
        ["demo", "--seconds", "-1"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown commands and options, and values that cannot be, are told on standard error."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "usage: gateway" in printed.err


def test_a_missing_configuration_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a configuration file commands exit 2 and name the file they looked for."""
    nowhere = str(tmp_path / "none.toml")
    for command in (["serve"], ["migrate"], ["calls", "list"], ["check"], ["resend-spool"]):
        assert main([*command, "--config", nowhere]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert nowhere in line


def test_secrets_show_nowhere(daemon: Daemon, tmp_path: Path) -> None:
    """The carrier's token is in no output of any command, right or wrong, not in the daemon's
    command line, and not in its log.
    """
    daemon.start()
    daemon.wait_until("ready")
    assert TOKEN not in Path(f"/proc/{daemon.running.pid}/cmdline").read_text()
    ran = [
        daemon.cli("check"),
        daemon.cli("calls", "list", "--json"),
        daemon.cli("simulate", "call", "--to", NUMBERS[0]),
        daemon.cli("backup", str(tmp_path / "b.db")),
        daemon.cli("restore", str(tmp_path / "b.db")),
        daemon.cli("serve"),
    ]
    daemon.environment["GATEWAY_TWILIO_AUTH_TOKEN"] = TOKEN + "\n"
    ran.append(daemon.cli("check"))
    daemon.environment["GATEWAY_TWILIO_AUTH_TOKEN"] = TOKEN
    daemon.environment["GATEWAY_TWILIO_AUTH_TOKEN_FILE"] = TOKEN
    ran.append(daemon.cli("check"))
    del daemon.environment["GATEWAY_TWILIO_AUTH_TOKEN_FILE"]
    daemon.environment["GATEWAY_TWILIO_ACCOUNT_SID"] = "no account"
    ran.append(daemon.cli("check"))
    assert [one.returncode for one in ran] == [0, 0, 0, 0, 2, 2, 2, 2, 2]
    assert not [one.args for one in ran if TOKEN in one.stdout + one.stderr]
    assert TOKEN not in daemon.log.read_text()
