"""``gateway mail check`` says at its end whether the list may send, until when, on whose word."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.smtp.simulator import Sink
from adapters.smtp.simulator.dns import NameServer
from gateway import config
from gateway.cli import main
from gateway.domain.mail.lists import MailList
from gateway.domain.values import EVERYBODY
from gateway.main.store import execute
from gateway.usecases.mail.standing import Confirm, confirm
from tests.adapters.smtp.test_checks import RELAY, signed, zone
from tests.support.mail_lists import NEWS
from tests.support.ports import free_port
from tests.support.stores import on_a_loop, sqlite_engine, sqlite_template

__all__ = ["sqlite_template"]


@dataclass
class Desk:
    """Where the command is run, beside a name server and a relay."""

    folder: Path
    dns: NameServer
    capsys: pytest.CaptureFixture[str]
    mail_list: MailList

    async def check(self, *options: str, port: int) -> tuple[int, list[str], str]:
        """The exit code, what it printed, and its complaints."""
        path = self.folder / "config.toml"
        host, name_port = self.dns.address
        path.write_text(
            'public_url = "https://gw.example.jp"\n[storage]\nurl = "sqlite:///gateway.db"\n'
            f'[smtp]\nrelay = "127.0.0.1:{port}"\ndns = "{host}:{name_port}"\ntls = "off"\n'
        )
        given = ("mail", "check", self.mail_list.id, "--address", RELAY, *options)
        # in a thread, since the command has a loop of its own
        code = await asyncio.to_thread(main, [*given, "--config", str(path)])
        said = self.capsys.readouterr()
        return code, said.out.splitlines(), said.err

    def confirm(self) -> None:
        """A person confirms that the law is kept."""
        settings = config.load(self.folder / "config.toml", {})
        wish = Confirm(EVERYBODY, "test", self.mail_list.id, 1)
        execute(settings, confirm, wish, settings=True)


Opened = Callable[[MailList], AbstractAsyncContextManager[Desk]]


@pytest.fixture
def opened(sqlite_template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Opened:
    """Opens a desk for a list."""

    @asynccontextmanager
    async def desk(mail_list: MailList) -> AsyncIterator[Desk]:
        sqlite_engine(sqlite_template, tmp_path).provision(mail_list)
        async with NameServer(zone()) as dns:
            yield Desk(tmp_path, dns, capsys, mail_list)

    return desk


@on_a_loop
async def test_a_list_in_good_order_may_send_for_a_week(opened: Opened) -> None:
    """Once a person confirmed that the law is kept; its relay is looked at, too."""
    async with opened(signed()) as desk, Sink() as sink:
        code, lines, complaints = await desk.check(port=sink.port)
        assert (code, complaints) == (0, "")
        assert lines[-2] == f"✓ relay: 127.0.0.1:{sink.port} takes mail without TLS"
        assert "may send until " in lines[-1]
        assert lines[-1].endswith(f"POST /api/v1/mail-lists/{desk.mail_list.id}/confirmation")
        desk.confirm()
        _, lines, _ = await desk.check(port=sink.port)
        assert lines[-1].startswith(f"{desk.mail_list.id}: may send until ")
        assert lines[-1].endswith("a week from now")


@on_a_loop
async def test_an_override_lets_a_list_send_until_the_next_check(opened: Opened) -> None:
    """The check that ends it says so; a relay that is away is told of and changes nothing."""
    async with opened(NEWS) as desk:
        port = free_port()
        code, lines, complaints = await desk.check(port=port)
        assert (code, complaints) == (1, "")
        assert lines[-2].startswith(f"✗ relay: 127.0.0.1:{port}: connect: ")
        assert "may not send: mend what has ✗" in lines[-1]
        desk.confirm()
        code, lines, _ = await desk.check("--override", "山田 花子", port=port)
        assert code == 0
        assert "may send until its next check or " in lines[-1]
        assert lines[-1].endswith("on the word of 山田 花子")
        code, lines, complaints = await desk.check(port=port)
        assert code == 1
        assert complaints == "gateway: 山田 花子 had let the list send until this check\n"


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_nobody_overrides_a_check(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is none is wrong usage, before anything is looked at."""
    with pytest.raises(SystemExit) as ended:
        main(["mail", "check", "acme-news", "--override", name])
    assert ended.value.code == 2
    assert "give the name of a person" in capsys.readouterr().err
