"""``gateway mail import`` and its neighbours, beside a daemon and without one."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from adapters.http.server import SILENT
from adapters.storage.store import SqlStore
from gateway import config
from gateway.cli import main
from gateway.domain.values import Ids
from gateway.main.mail.importing import carrying, files_of, import_file
from gateway.main.mail.keys import MailKeys
from gateway.main.parts import Deps
from gateway.usecases.mail.imports import AT_ONCE
from tests.support.mail_lists import NEWS, NOON, STATED
from tests.support.stores import Engine, limits, sqlite_engine, sqlite_template

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
    code, [line], _ = run("import", NEWS.id, str(path), *CONSENT)
    told = json.loads(line)
    assert (code, told["state"], told["added"]) == (0, "done", AT_ONCE + 5)
    rows = engine.rows("SELECT count(*), min(evidence), min(notice) FROM mail_consents")
    assert rows == [(AT_ONCE + 5, "店頭の申込書: No. 12", "3")]
    code, [again], _ = run("import", NEWS.id, str(path), *CONSENT)
    assert (code, json.loads(again)["unchanged"]) == (0, AT_ONCE + 5)
    code, lines, _ = run("imports", NEWS.id)
    assert [json.loads(line)["name"] for line in lines] == ["people.csv"] * 2
    assert list((tmp_path / "var/imports").iterdir()) == []


def test_a_command_refuses_what_cannot_be_taken_in(run: Run, tmp_path: Path) -> None:
    """Each by what is to be mended; nothing is left behind."""
    path = str(listed(tmp_path, 3))
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("address,shoe\na@docomo.ne.jp,40\n")
    for arguments, code, said in (
        ((NEWS.id, path), 1, "consent_missing"),
        ((NEWS.id, path, *CONSENT[:2]), 1, "consent_how"),
        (("nobody", path, *CONSENT), 2, "no such mail list"),
        ((NEWS.id, str(wrong), *CONSENT), 1, "unknown columns"),
        ((NEWS.id, str(tmp_path / "none.csv"), *CONSENT), 1, "none.csv"),
    ):
        found, _, complaint = run("import", *arguments)
        assert (found, said in complaint) == (code, True), complaint
    assert list((tmp_path / "var").rglob("*.csv")) == []


def test_lists_are_listed(run: Run) -> None:
    """Without their keys."""
    code, [line], _ = run("lists")
    assert code == 0
    assert json.loads(line) == {
        "id": NEWS.id,
        "advertiser": "acme",
        "sender": NEWS.sender,
        "contract": "postpaid",
    }


def test_a_daemon_goes_on_where_a_command_was_killed(engine: Engine, tmp_path: Path) -> None:
    """With what was stated then; no line counts twice."""
    settings = config.load(tmp_path / "config.toml", {})
    count = 2 * AT_ONCE + 5

    def killed(imported: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(settings, NEWS.id, listed(tmp_path, count), STATED, killed)
    files = files_of(settings)
    assert len(files.waiting()) == 1

    async def go_on() -> None:
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
            chore = carrying(deps, files, MailKeys(store))
            async with asyncio.timeout(60):
                while files.waiting():
                    await chore()

    asyncio.run(go_on())
    assert engine.rows("SELECT state, added, line FROM mail_imports") == [
        ("done", count, count + 1)
    ]
    assert engine.rows("SELECT count(*) FROM mail_recipients") == [(count,)]


def test_a_file_is_taken_in_by_one_at_a_time(engine: Engine, tmp_path: Path) -> None:
    """Whoever comes second leaves it alone, until the first one is gone."""
    files = files_of(config.load(tmp_path / "config.toml", {}))
    files.copy(5, listed(tmp_path, 1))
    with files.locked(5) as first, files.locked(5) as second:
        assert (first, second) == (True, False)
    with files.locked(5) as third:
        assert third
    with files.locked(6) as none:
        assert not none
