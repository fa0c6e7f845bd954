"""Tokens of the API, from the command that makes one to the daemon that takes it."""

import http.client
import re
from contextlib import closing

import pytest

from gateway.cli import main
from tests.e2e.conftest import NewDaemon
from tests.e2e.test_cli import complaints, done
from tests.support.daemon import Daemon, wait_for

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def daemon(new_daemon: NewDaemon) -> Daemon:
    """A daemon with schema and provisioning, not started."""
    made = new_daemon()
    made.migrate()
    made.apply()
    return made


def status(daemon: Daemon, token: str) -> int:
    """How the running daemon answers to a token."""
    listen = daemon.settings().admin.listen
    with closing(http.client.HTTPConnection(listen.host, listen.port, timeout=10)) as connection:
        connection.request("GET", "/api/v1/calls", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status


def test_a_token_is_printed_once(daemon: Daemon) -> None:
    """The command prints it and nothing else; the list and the store know it no more."""
    token = done(daemon.cli("token", "create", "--role", "operator")).strip()
    assert re.fullmatch(r"tsn_[A-Za-z0-9_-]{43}", token)
    till = ("--role", "staff", "--advertiser", "acme", "umi", "--advertiser", "acme")
    done(daemon.cli("token", "create", *till, "--name", "レジ", "--days", "30"))
    _, first, second = done(daemon.cli("token", "list")).splitlines()
    assert re.fullmatch(r"\d+ +20\S+ \S+  operator  valid    –, everybody", first)
    assert re.fullmatch(r"\d+ +20\S+ \S+  staff     valid    レジ, acme umi", second)
    assert all(token not in str(row) for row in daemon.rows("SELECT * FROM tokens"))


def test_wrong_use_tells_what_to_write(daemon: Daemon) -> None:
    """Before anything is kept."""
    found = complaints(daemon.cli("token", "create", "--role", "viewer"), 2)
    assert found == ["--role viewer: name its advertisers with --advertiser"]
    named = ("--role", "viewer", "--advertiser", "acme", "acne", "nobody")
    assert complaints(daemon.cli("token", "create", *named), 2) == [
        "--advertiser acne: it is not provisioned",
        "--advertiser nobody: it is not provisioned",
    ]
    assert complaints(daemon.cli("token", "revoke", "1"), 2) == [
        "1: no such token, or revoked before"
    ]
    for wrong in (["create", "--role", "king"], ["create"], ["revoke", "x"], []):
        with pytest.raises(SystemExit) as end:
            main(["token", *wrong])
        assert end.value.code == 2
    assert daemon.rows("SELECT * FROM tokens") == []


def test_a_running_daemon_takes_tokens_up_and_off(daemon: Daemon) -> None:
    """Neither waits for a restart, and its log never shows one."""
    daemon.run()
    token = done(daemon.cli("token", "create", "--role", "operator")).strip()
    assert status(daemon, token) == 200
    id_ = done(daemon.cli("token", "list")).splitlines()[1].split()[0]
    assert done(daemon.cli("token", "revoke", id_)) == f"{id_}: revoked\n"
    wait_for(lambda: status(daemon, token) == 401, "the token still opens")
    assert complaints(daemon.cli("token", "revoke", id_), 2)
    assert "revoked" in done(daemon.cli("token", "list"))
    assert token not in daemon.log.read_text()
