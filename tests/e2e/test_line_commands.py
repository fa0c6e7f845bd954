"""The commands about LINE as a person or a script runs them."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing

import pytest

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.cli import main
from gateway.domain.effects import Effect
from gateway.domain.values import EVERYBODY, first_id
from gateway.main.store import connected
from tests.e2e.conftest import NewDaemon
from tests.e2e.test_cli import complaints, done
from tests.support.daemon import PROVISIONING, Daemon
from tests.support.line_daemon import platform_of, provisioning
from tests.support.ports import free_port

pytestmark = [pytest.mark.process, pytest.mark.slow]

SHOP = """
[[line_channel]]
id = "acme-shop"
advertiser = "acme"
channel_id = "1234567890"
channel_secret = "8c570fa6dd201bb328f1c1eac23a96d8"
greeting = [{ type = "text", text = "ようこそ" }]
[[line_channel.reply]]
keyword = "クーポン"
messages = [{ type = "text", text = "こちらをどうぞ" }, { type = "text", text = "またどうぞ" }]
[[line_channel.reply]]
keyword = "menu"
match = "postback"
messages = [{ type = "text", text = "メニューです" }]
"""


@pytest.fixture
def daemon(new_daemon: NewDaemon) -> Daemon:
    """A daemon with a shop, not started; its platform answers nobody."""
    url = f"http://127.0.0.1:{free_port()}"
    made = new_daemon(line_api_url=url, line_data_api_url=url)
    made.migrate()
    made.apply(PROVISIONING + SHOP)
    return made


def test_a_simulated_friend_is_shown_the_answer(daemon: Daemon) -> None:
    """``simulate line`` posts what a friend does and prints what the shop answers; where nothing
    is answered, or nobody takes the webhook, it says so.
    """
    simulate = ("simulate", "line", "acme-shop")
    [silent] = complaints(daemon.cli(*simulate, "--follow"), 1)
    assert "not answered: could_not_connect" in silent
    daemon.start()
    daemon.wait_until("ready")
    head, *messages = done(daemon.cli(*simulate, "--say", "クーポン")).splitlines()
    assert head.split()[1:] == ["acme-shop", "200", "rule:1"]
    assert [json.loads(line)["text"] for line in messages] == ["こちらをどうぞ", "またどうぞ"]
    assert "greeting" in done(daemon.cli(*simulate, "--follow", "--from", "U" + "1" * 32))
    assert "メニューです" in done(daemon.cli(*simulate, "--postback", "menu"))
    assert done(daemon.cli(*simulate, "--say", "…")).endswith("200  no answer\n")
    [unknown] = complaints(daemon.cli("simulate", "line", "nobody", "--follow"), 2)
    assert "nobody: no such channel" in unknown


def test_a_daemon_without_line_is_told_of(new_daemon: NewDaemon) -> None:
    """``check`` and ``apply`` say that a channel needs the section; a webhook that a daemon from
    before it does not know has its likely cause.
    """
    daemon = new_daemon()
    daemon.migrate()
    shop = daemon.folder / "shop.toml"
    shop.write_text(PROVISIONING + SHOP)
    absent = "has no [line]"
    assert absent in done(daemon.cli("check", str(shop)))
    assert absent in done(daemon.cli("apply", str(shop)))
    assert absent not in done(daemon.cli("check"))
    daemon.start()
    daemon.wait_until("ready")
    with daemon.config.open("a") as config:
        config.write("[line]\n")
    assert absent not in done(daemon.cli("check", str(shop)))
    [unknown] = complaints(daemon.cli("simulate", "line", "acme-shop", "--follow"), 1)
    assert "answered 404: restart the daemon if [line] was added" in unknown


def test_sends_are_halted_and_go_on(daemon: Daemon) -> None:
    """``stop-sends`` halts one advertiser's sends or all, and ``--resume`` says whether they were
    halted at all, and whose stay so.
    """
    theirs = "`gateway stop-sends --advertiser acme --resume` lets them go on\n"
    halted = done(daemon.cli("stop-sends", "--advertiser", "acme"))
    assert halted == f"acme: sends are halted; {theirs}"
    assert done(daemon.cli("stop-sends")) == (
        "all: sends are halted; `gateway stop-sends --resume` lets them go on\n"
    )
    assert [row[0] for row in daemon.rows("SELECT advertiser FROM send_stops ORDER BY 1")] == [
        "*",
        "acme",
    ]
    resume = ("stop-sends", "--resume")
    assert done(daemon.cli(*resume)) == f"all: sends go on\nacme: sends stay halted; {theirs}"
    assert done(daemon.cli(*resume, "--advertiser", "acme")) == "acme: sends go on\n"
    assert done(daemon.cli(*resume)) == "all: sends were not halted\n"
    assert "nobody" in complaints(daemon.cli("stop-sends", "--advertiser", "nobody"), 2)[0]


def test_what_failed_is_listed_and_sent_again(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """``outbox list`` shows what is dead or unknown and nobody's id; ``outbox resend`` lets one of
    them wait again.
    """
    now = time.time_ns() // 1000
    user = "U" + "7" * 32
    told = {"channel": "acme-shop", "to": user, "messages": []}
    dead, sent = (
        Effect(
            id=first_id(now) + place,
            advertiser="acme",
            kind="line.push",
            key=f"push-{place}",
            payload=json.dumps(told),
            due_at=now,
            stream=f"line/acme-shop/{user}",
        )
        for place in range(2)
    )
    with connected(daemon.settings()) as (connection, sql):
        tx = StoreTransaction(connection, sql, RouteCache())
        for effect in (dead, sent):
            tx.outbox.add(EVERYBODY, effect)
        tx.flush()
        connection.commit()
    path = daemon.settings().storage.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as changing:
        for effect, state, error in ((dead, "dead", "refused"), (sent, "done", None)):
            changing.execute(
                "UPDATE outbox SET state = ?, last_error = ?, ended_at = ? WHERE id = ?",
                (state, error, now, effect.id),
            )

    def listed(*options: str) -> str:
        assert main(["outbox", "list", "--config", str(daemon.config), *options]) == 0
        shown = capsys.readouterr().out
        assert user not in shown
        return shown

    [_, row] = listed().splitlines()
    assert row.startswith(str(dead.id))
    assert row.endswith("dead     line.push        refused, acme")
    found = json.loads(listed("--json", "--advertiser", "acme"))
    assert (found["id"], found["state"], found["last_error"]) == (dead.id, "dead", "refused")
    assert listed("--json", "--advertiser", "umi") == ""
    resend = ["outbox", "resend", "--config", str(daemon.config)]
    assert main([*resend, str(dead.id)]) == 0
    assert "tried again" in capsys.readouterr().out
    assert len(listed().splitlines()) == 1
    assert main([*resend, str(sent.id)]) == 2
    assert "dead or unknown" in capsys.readouterr().err


def test_an_account_is_checked(daemon: Daemon) -> None:
    """``line check`` prints a line for each thing with its remedy, one object a line with
    ``--json``, and exits 1 while anything is wrong or could not be looked at.
    """
    shown = daemon.cli("line", "check", "acme-shop")
    assert (shown.returncode, shown.stderr) == (1, "")
    assert "✗ Access token: LINE does not answer\n    → " in shown.stdout
    assert "✓ A greeting for new friends" in shown.stdout
    assert shown.stdout.count("put right what is above") == 1
    told = daemon.cli("line", "check", "acme-shop", "--json")
    checks = [json.loads(line) for line in told.stdout.splitlines()]
    assert (told.returncode, checks[0]["state"]) == (1, "failed")
    assert {"id", "title", "state", "found", "remedy"} == set(checks[0])
    [unknown] = complaints(daemon.cli("line", "check", "nobody"), 2)
    assert "nobody: no such channel" in unknown


def test_friends_from_before_are_taken_up(new_daemon: NewDaemon) -> None:
    """``line followers`` makes friends of whom LINE lists, page by page, and once; where LINE lists
    nobody, it says why.
    """
    asyncio.run(_take_up(new_daemon()))


async def _take_up(daemon: Daemon) -> None:
    async with platform_of(daemon) as (_, shops):
        account = shops["acme-shop"]
        for ordinal in range(1_003):
            account.friend(f"friend {ordinal}").following = True
        daemon.migrate()
        daemon.apply(provisioning(shops))
        command = ("line", "followers", "acme-shop")
        shown = await asyncio.to_thread(daemon.cli, *command)
        assert done(shown) == "acme-shop: 1003 friends listed, 1003 of them taken up\n"
        users = daemon.rows("SELECT user FROM line_friends WHERE heard_at > 0 ORDER BY user")
        assert [user for (user,) in users] == sorted(account.friends)
        shown = await asyncio.to_thread(daemon.cli, *command)
        assert done(shown) == "acme-shop: 1003 friends listed, 0 of them taken up\n"
        account.verified = False
        [refused] = complaints(await asyncio.to_thread(daemon.cli, *command), 2)
        assert "acme-shop: LINE lists the friends of verified and premium accounts alone" in refused
        [unknown] = complaints(await asyncio.to_thread(daemon.cli, "line", "followers", "zz"), 2)
        assert "zz: no such channel" in unknown


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", "line", "acme-shop"],
        ["simulate", "line", "acme-shop", "--say", "a", "--follow"],
        ["simulate", "line", "acme-shop", "--follow", "--from", "somebody"],
        ["simulate", "line", "acme-shop", "--follow", "--from", "C" + "0" * 32],
        ["outbox"],
        ["outbox", "resend", "first"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing, or says two things at once, is told on standard error."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: gateway" in capsys.readouterr().err
