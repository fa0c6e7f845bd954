"""``gateway mail import`` and its neighbours, beside a daemon and without one."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from adapters.http.server import SILENT
from adapters.storage.store import SqlStore
from gateway import config
from gateway.cli import main
from gateway.config import Config
from gateway.domain.values import EVERYBODY, Ids
from gateway.main.mail import importing
from gateway.main.mail.files import ImportFiles
from gateway.main.mail.importing import carrying, files_of, import_file
from gateway.main.mail.keys import MailKeys
from gateway.main.parts import Chore, Deps
from gateway.main.store import execute
from gateway.usecases.mail.imports import AT_ONCE
from gateway.usecases.mail.standing import (
    Checked,
    Confirm,
    Override,
    confirm,
    keep_check,
    override,
)
from tests.support.mail_lists import NEWS, NOON, STATED
from tests.support.stores import PATIENCE, Engine, limits, sqlite_engine, sqlite_template

__all__ = ["sqlite_template"]

CONSENT = (
    "--consent-at",
    "2026-10-01",
    "--consent-how",
    "店頭の申込書",
    "--evidence",
    "No. 12",
    "--notice",
    "3",
)

Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def engine(sqlite_template: Path, tmp_path: Path) -> Engine:
    """A store with a mail list, and a configuration beside it."""
    made = sqlite_engine(sqlite_template, tmp_path)
    made.provision(NEWS)
    (tmp_path / "config.toml").write_text('[storage]\nurl = "sqlite:///gateway.db"\n')
    return made


@pytest.fixture
def run(engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: its exit code, what it printed by lines, and its complaints."""

    def run(*arguments: str) -> tuple[int, list[str], str]:
        code = main(["mail", *arguments, "--config", str(tmp_path / "config.toml")])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err

    return run


def listed(folder: Path, count: int) -> Path:
    """A file with so many recipients."""
    path = folder / "people.csv"
    path.write_text("address\n" + "".join(f"p{number}@docomo.ne.jp\n" for number in range(count)))
    return path


def test_a_file_is_taken_in_by_a_command(run: Run, engine: Engine, tmp_path: Path) -> None:
    """All its lines, with the consent that was stated; the file is not kept."""
    path = listed(tmp_path, AT_ONCE + 5)
    code, [line], _ = run("import", NEWS.id, str(path), *CONSENT, "--json")
    told = json.loads(line)
    assert (code, told["state"], told["added"]) == (0, "done", AT_ONCE + 5)
    rows = engine.rows("SELECT count(*), min(evidence), min(notice) FROM mail_consents")
    assert rows == [(AT_ONCE + 5, "店頭の申込書: No. 12", "3")]
    code, lines, complaint = run("import", NEWS.id, str(path), *CONSENT)
    assert (code, complaint) == (0, "")
    assert lines == [
        f"{NEWS.id}: 0 added, 0 updated, {AT_ONCE + 5} unchanged, 0 suppressed, 0 refused"
    ]
    code, lines, _ = run("imports", NEWS.id, "--json")
    assert [json.loads(line)["name"] for line in lines] == ["people.csv"] * 2
    code, [head, first, _], _ = run("imports", NEWS.id)
    assert head.split() == ["id", "begun", "state", *OUTCOMES, "file"]
    assert first.split()[3:] == ["done", str(AT_ONCE + 5), "0", "0", "0", "0", "people.csv"]
    assert list((tmp_path / "var/imports").iterdir()) == []


OUTCOMES = ["added", "updated", "unchanged", "suppressed", "refused"]


def test_a_file_comes_by_standard_input(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its name is a hyphen."""
    monkeypatch.setattr("gateway.cli.recipients.STDIN", listed(tmp_path, 3))
    code, [line], _ = run("import", NEWS.id, "-", *CONSENT)
    assert (code, line.split(",")[0]) == (0, f"{NEWS.id}: 3 added")


def test_r104_a_command_says_whom_it_did_not_correct(run: Run, tmp_path: Path) -> None:
    """Lines that differ are counted, told of at the end with what to do, and in the report."""
    path = tmp_path / "people.csv"
    path.write_text("address,name,tags\na@docomo.ne.jp,A,\nb@docomo.ne.jp,B,\nc@docomo.ne.jp,,\n")
    run("import", NEWS.id, str(path), *CONSENT)
    path.write_text(
        "address,name,tags\na@docomo.ne.jp,Z,\nb@docomo.ne.jp,B,vip\nc@docomo.ne.jp,,\n"
    )
    code, [line], complaint = run("import", NEWS.id, str(path), *CONSENT)
    assert (code, line) == (
        0,
        f"{NEWS.id}: 0 added, 0 updated, 3 unchanged, 0 suppressed, 0 refused",
    )
    assert complaint.startswith("gateway: 2 lines differ from what is known of their recipients")
    assert "manager's token" in complaint
    told = complaint.partition("--lines ")[2].partition("`")[0]
    code, [_, *lines], _ = run("imports", NEWS.id, "--lines", told)
    assert [line.split()[:2] for line in lines] == [[str(n), "unchanged"] for n in (2, 3, 4)]
    assert [line.endswith("(not_corrected)") for line in lines] == [True, True, False]


def test_a_command_tells_of_refused_lines(run: Run, tmp_path: Path) -> None:
    """Of the first twenty what is wrong, and where the others are; no address is shown."""
    path = tmp_path / "people.csv"
    path.write_text("address\ngood@docomo.ne.jp\nhana ko@docomo.ne.jp\n" + "nobody\n" * 24)
    code, [line], complaint = run("import", NEWS.id, str(path), *CONSENT)
    assert (code, line.split(", ")[-1]) == (0, "25 refused")
    first, *others, last = complaint.splitlines()
    assert first.startswith(f"gateway: {path}: line 3 is refused: it has a blank within")
    assert len(others) == 19
    assert all(each.endswith("(no_at)") for each in others)
    assert last.startswith("gateway: 5 more lines are refused; `gateway mail imports acme-news")
    assert "hana" not in complaint
    id_ = last.partition("--lines ")[2].partition("`")[0]
    code, lines, _ = run("imports", NEWS.id, "--lines", id_, "--json")
    assert [json.loads(each)["reason"] for each in lines] == ["blank", *["no_at"] * 24]
    code, _, complaint = run("imports", NEWS.id, "--lines", "7")
    assert (code, "7: no such import of acme-news" in complaint) == (2, True)


def test_a_command_refuses_what_cannot_be_taken_in(run: Run, tmp_path: Path) -> None:
    """Each by what is to be mended; nothing is left behind."""
    path = str(listed(tmp_path, 3))
    wrong, none = tmp_path / "wrong.csv", tmp_path / "none.csv"
    wrong.write_text("address,shoe\na@docomo.ne.jp,40\n")
    late = ("--consent-at", "2999-01-01", *CONSENT[2:])
    never = ("--consent-at", "yesterday", *CONSENT[2:])
    for arguments, said in (
        ((NEWS.id, path), "give --consent-at, --consent-how, --evidence and --notice"),
        ((NEWS.id, path, *CONSENT[:2]), "give --consent-how, --evidence and --notice as well"),
        ((NEWS.id, path, *late), "--consent-at '2999-01-01': is in the future"),
        ((NEWS.id, path, *never), "--consent-at 'yesterday': is no time; write it like 2026-11-01"),
        (("nobody", path, *CONSENT), "nobody: no such mail list; `gateway apply` makes one"),
        ((NEWS.id, str(wrong), *CONSENT), f"{wrong}: unknown columns"),
        ((NEWS.id, str(none), *CONSENT), f"{none}: cannot be read (No such file or directory)"),
        ((NEWS.id, str(tmp_path), *CONSENT), f"{tmp_path}: cannot be read (Is a directory)"),
    ):
        found, _, complaint = run("import", *arguments)
        assert (found, said in complaint, "Errno" in complaint) == (2, True, False), complaint
    found, lines, complaint = run("imports", "nobody")
    assert (found, lines, "nobody: no such mail list" in complaint) == (2, [], True)
    assert list((tmp_path / "var").rglob("*.csv")) == []


def test_whoever_interrupts_an_import_is_told_what_becomes_of_it(
    run: Run, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon goes on with what had begun; what had not leaves nothing behind."""
    path = str(listed(tmp_path, AT_ONCE + 5))

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gateway.main.mail.files.ImportFiles.examine_now", interrupted)
        code, lines, complaint = run("import", NEWS.id, path, *CONSENT)
    assert (code, lines, "nothing was taken in" in complaint) == (130, [], True)
    assert list((tmp_path / "var/imports").iterdir()) == []
    monkeypatch.setattr("gateway.cli.recipients._taken", lambda imported: AT_ONCE)
    monkeypatch.setattr("gateway.main.mail.importing.finish", interrupted)
    code, lines, complaint = run("import", NEWS.id, path, *CONSENT)
    assert (code, lines) == (130, [])
    assert f"{AT_ONCE} lines were taken in, and a running daemon goes on" in complaint
    assert engine.rows("SELECT state FROM mail_imports") == [("running",)]
    assert len(list((tmp_path / "var/imports").iterdir())) == 1


def test_lists_are_listed(run: Run, tmp_path: Path) -> None:
    """Without their keys; each with whether it may send, and why it may not."""
    code, [line], _ = run("lists", "--json")
    assert code == 0
    assert json.loads(line) == {
        "id": NEWS.id,
        "advertiser": "acme",
        "sender": NEWS.sender,
        "contract": "postpaid",
        "confirmed_at": None,
        "checked_at": None,
        "until": None,
        "aligned": False,
        "overridden_by": "",
        "may_send": False,
    }
    code, [head, row], _ = run("lists")
    assert head.split()[:3] == ["id", "advertiser", "contract"]
    assert row.endswith("no: the law is not confirmed, its domains were not checked")
    now = time.time_ns() // 1000
    settings = config.load(tmp_path / "config.toml", {})
    confirmed = Confirm(EVERYBODY, "test", NEWS.id, now)
    execute(settings, confirm, confirmed, settings=True)
    checked = Checked(EVERYBODY, NEWS.id, False, (), now)
    execute(settings, keep_check, checked, settings=True)
    overridden = Override(EVERYBODY, NEWS.id, "山田 花子", "test", now)
    execute(settings, override, overridden, settings=True)
    code, [_, row], _ = run("lists")
    assert row.endswith(", on the word of 山田 花子")
    code, [line], _ = run("lists", "--json")
    assert json.loads(line)["may_send"]


@asynccontextmanager
async def carried(engine: Engine, settings: Config, files: ImportFiles) -> AsyncIterator[Chore]:
    """The daemon's chore that carries imports on, in time."""
    database = engine.database()
    async with SqlStore(database, observer=SILENT, limits=limits()) as store:
        deps = Deps(
            config=settings,
            database=database,
            store=store,
            ids=Ids(9),
            clock=lambda: NOON,
            log=structlog.get_logger("test"),
        )
        async with asyncio.timeout(PATIENCE):
            yield carrying(deps, files, MailKeys(store))


def killed_amid(settings: Config, path: Path) -> ImportFiles:
    """A command ends after its first lines; the files that it leaves."""

    def killed(imported: Any, rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(settings, NEWS.id, path, STATED, killed)
    return files_of(settings)


def test_a_daemon_goes_on_where_a_command_was_killed(engine: Engine, tmp_path: Path) -> None:
    """With what was stated then; no line counts twice."""
    settings = config.load(tmp_path / "config.toml", {})
    count = 2 * AT_ONCE + 5

    files = killed_amid(settings, listed(tmp_path, count))
    assert len(files.waiting()) == 1

    async def go_on() -> None:
        async with carried(engine, settings, files) as chore:
            while files.waiting():
                await chore()

    asyncio.run(go_on())
    assert engine.rows("SELECT state, added, line FROM mail_imports") == [
        ("done", count, count + 1)
    ]
    assert engine.rows("SELECT count(*) FROM mail_recipients") == [(count,)]


def test_it_is_said_why_an_import_does_not_get_on(
    engine: Engine, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's command was killed, and the daemon may not read its file."""
    settings = config.load(tmp_path / "config.toml", {})

    files = killed_amid(settings, listed(tmp_path, AT_ONCE + 1))

    async def wait() -> None:
        async with carried(engine, settings, files) as chore:
            with monkeypatch.context() as patched:
                patched.setattr(ImportFiles, "is_readable", lambda *_: False)
                await chore()  # the command may be at work yet
                assert engine.rows("SELECT reason FROM mail_imports") == [("",)]
                patched.setattr(importing, "_STUCK_SECONDS", 0)
                with capture_logs() as logs:
                    await chore()
                    await chore()
            assert [each["log_level"] for each in logs] == ["warning"]
            assert "chown" in run("imports", NEWS.id)[1][-1]
            await chore()

    asyncio.run(wait())
    rows = engine.rows("SELECT state, reason, added FROM mail_imports")
    assert rows == [("done", "", AT_ONCE + 1)]


def test_a_file_of_root_is_the_daemons(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may run the command; what it makes belongs to whose folder it is in."""
    files = files_of(config.load(tmp_path / "config.toml", {}))
    given: list[tuple[Path, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, user, group: given.append((path, user)))
    files.copy(5, "acme", listed(tmp_path, 1))
    whose = tmp_path.stat().st_uid
    assert given == [(files.path(5).parent, whose), (files.path(5), whose)]


def test_a_file_is_taken_in_by_one_at_a_time(engine: Engine, tmp_path: Path) -> None:
    """Whoever comes second leaves it alone, until the first one is gone."""
    files = files_of(config.load(tmp_path / "config.toml", {}))
    files.copy(5, "acme", listed(tmp_path, 1))
    with files.locked(5) as first, files.locked(5) as second:
        assert (first, second) == (True, False)
    with files.locked(5) as third:
        assert third
    with files.locked(6) as none:
        assert not none
