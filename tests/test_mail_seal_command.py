"""``gateway mail seal``: what it says before, what it does, and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import config
from gateway.cli import main
from gateway.main.mail.importing import files_of
from gateway.usecases.mail import campaigns
from tests.support.campaigns import CampaignDesk
from tests.support.mail_lists import NEWS
from tests.support.stores import sqlite_engine, sqlite_template

__all__ = ["sqlite_template"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def desk(sqlite_template: Path, tmp_path: Path) -> CampaignDesk:
    """A list with three recipients, and a configuration beside the store."""
    desk = CampaignDesk(sqlite_engine(sqlite_template, tmp_path))
    desk.allow()
    for n in range(3):
        desk.add(f"p{n}@b.example")
    (tmp_path / "config.toml").write_text('[storage]\nurl = "sqlite:///gateway.db"\n')
    return desk


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command: its exit code, what it printed, and its complaints."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["mail", "seal", *arguments, "--config", str(tmp_path / "config.toml")])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def people(desk: CampaignDesk) -> int:
    """How many recipients there are."""
    ((count,),) = desk.engine.rows("SELECT count(*) FROM mail_recipients")
    return int(count)


def test_without_yes_it_only_says_what_would_be_erased(desk: CampaignDesk, run: Run) -> None:
    """Exit code 2, and all stays."""
    code, out, err = run("acme")
    assert code == 2
    assert "3 recipients" in out
    assert "3 consents" in out
    assert "nothing was erased" in err
    assert people(desk) == 3


def test_with_yes_it_erases_all_and_says_what_is_left(desk: CampaignDesk, run: Run) -> None:
    """The lists that are still there are named; it may be run again."""
    code, out, err = run("acme", "--yes")
    assert (code, err) == (0, "")
    assert "3 sealed proofs are left" in out
    assert NEWS.id in out
    assert people(desk) == 0
    assert desk.audited[-1] == "mail.sealed"
    assert "0 rows" in run("acme", "--yes")[1]


def test_files_that_wait_go_too(desk: CampaignDesk, run: Run, tmp_path: Path) -> None:
    """Those of the advertiser; one that is being taken in is waited for."""
    files = files_of(config.load(tmp_path / "config.toml", {}))
    source = tmp_path / "people.csv"
    source.write_text("address\nq@b.example\n")
    begun = desk.begin_import()
    for id_ in (begun.id, 77):  # the second one's import is nobody's yet
        files.copy(id_, "acme", source)
    with files.locked(begun.id):
        code, _, err = run("acme", "--yes")
        assert (code, str(begun.id) in err) == (1, True)
        assert people(desk) == 3
    assert run("acme", "--yes")[0] == 0
    assert files.waiting() == [77]


def test_an_open_campaign_is_named(desk: CampaignDesk, run: Run) -> None:
    """Nothing is erased before it is cancelled."""
    campaign = desk.ask(campaigns.schedule, desk.create())
    code, _, err = run("acme", "--yes")
    assert (code, str(campaign.id) in err) == (1, True)
    assert people(desk) == 3


@pytest.mark.usefixtures("desk")
def test_a_name_that_is_nobodys_is_refused(run: Run) -> None:
    """A slip of the pen says so."""
    for arguments in (("acne",), ("acne", "--yes")):
        code, _, err = run(*arguments)
        assert (code, "no such advertiser" in err) == (2, True)
