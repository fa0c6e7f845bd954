"""Who looks for why nothing goes out finds the halt: by a command, and in the log."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from adapters.http.server import SILENT
from adapters.storage.store import SqlStore
from gateway import config
from gateway.cli import main
from gateway.domain.values import Ids
from gateway.main import halts
from gateway.main.parts import Deps
from gateway.main.sending import stop_sends
from tests.support.mail_lists import NEWS, NOON
from tests.support.stores import Engine, limits, on_a_loop, sqlite_engine, sqlite_template

__all__ = ["sqlite_template"]

Run = Callable[..., tuple[int, list[str]]]

ALL = "`gateway stop-sends --resume` lets them go on"
ONE = "`gateway stop-sends --advertiser acme --resume` lets them go on"


@pytest.fixture
def engine(sqlite_template: Path, tmp_path: Path) -> Engine:
    """A store with an advertiser, and a configuration beside it."""
    made = sqlite_engine(sqlite_template, tmp_path)
    made.provision(NEWS)
    (tmp_path / "config.toml").write_text('[storage]\nurl = "sqlite:///gateway.db"\n')
    return made


@pytest.fixture
def run(engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command: its exit code, and what it printed by lines."""

    def run(*options: str) -> tuple[int, list[str]]:
        code = main(["stop-sends", *options, "--config", str(tmp_path / "config.toml")])
        said = capsys.readouterr()
        return code, (said.out + said.err).splitlines()

    return run


def test_who_is_let_go_on_while_all_are_halted_is_told_so(run: Run) -> None:
    """With how to let all go on, whether or not there was a halt of their own."""
    run("--advertiser", "acme")
    run()
    own = run("--resume", "--advertiser", "acme")
    assert own == (0, [f"acme: its own halt is over, and all sends stay halted; {ALL}"])
    none = run("--resume", "--advertiser", "acme")
    assert none == (0, [f"acme: had no halt of its own, and all sends stay halted; {ALL}"])
    assert run("--resume") == (0, ["all: sends go on"])


def test_halts_are_shown(run: Run) -> None:
    """That of all first, each with since when and how it ends; nothing is changed by a look."""
    assert run("--show") == (0, ["all: sends are not halted"])
    run("--advertiser", "acme")
    run()
    code, [everybody, one] = run("--show")
    assert code == 0
    assert everybody.startswith("all: sends are halted since 20")
    assert everybody.endswith(ALL)
    assert one.startswith("acme: sends are halted since 20")
    assert one.endswith(ONE)
    assert run("--show", "--advertiser", "acme") == run("--show")
    run("--resume")
    assert run("--show")[1] == [one]
    assert run("--show", "--advertiser", "nobody")[0] == 2
    with pytest.raises(SystemExit):
        run("--show", "--resume")


@on_a_loop
async def test_halts_are_in_the_log(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once when they begin, once when they end."""
    settings = config.load(tmp_path / "config.toml", {})
    monkeypatch.setattr(halts, "_LOOK_SECONDS", 0)
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
        look = halts.telling(deps)
        told: list[tuple[str, str, str]] = []
        for advertiser, resume in (("acme", False), (None, False), ("acme", True), (None, True)):
            await asyncio.to_thread(stop_sends, settings, advertiser, resume=resume)
            with capture_logs() as logs:
                await look()
                await look()
            told += [(each["log_level"], each["event"], each["advertiser"]) for each in logs]
    assert told == [
        ("warning", "sends are halted", "acme"),
        ("warning", "sends are halted", "all"),
        ("info", "sends go on", "acme"),
        ("info", "sends go on", "all"),
    ]
