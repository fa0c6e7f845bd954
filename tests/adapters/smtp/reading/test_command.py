"""``gateway mail bounce`` reads files, without configuration, store or tag."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import DONE, WRONG, main
from tests.adapters.smtp.reading.manners import report

TO = "neko@there.example"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a configuration."""
    monkeypatch.chdir(tmp_path)


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[list[Any], str]:
    """The objects on standard output, and standard error."""
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err


def test_each_file_gives_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of the arguments; a mail that says nothing has no recipients, and is told of."""
    Path("a.eml").write_text(report(TO, "550 5.1.1 user unknown", "RCPT TO"))
    Path("b.eml").write_text("Subject: Hello\n\nHow are you?\n")
    assert main(["mail", "bounce", "a.eml", "b.eml"]) == DONE
    objects, complaints = printed(capsys)
    assert objects == [
        {
            "file": "a.eml",
            "recipients": [
                {"address": TO, "status": "5.1.1", "class": "user_unknown", "hard": True}
            ],
        },
        {"file": "b.eml", "recipients": []},
    ]
    assert complaints == "gateway: b.eml: no report of a mail that came back was found in it\n"


def test_a_mail_comes_by_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its name is a hyphen."""
    Path("a.eml").write_text(report(TO, "550 5.1.1 user unknown", "RCPT TO"))
    monkeypatch.setattr("gateway.cli.recipients.STDIN", Path("a.eml"))
    assert main(["mail", "bounce", "-"]) == DONE
    [found], _ = printed(capsys)
    assert [each["class"] for each in found["recipients"]] == ["user_unknown"]


def test_a_file_that_cannot_be_read_does_not_keep_others_from_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, a line for each, and the others' objects."""
    Path("a.eml").write_text(report(TO, "550 5.1.1 user unknown", "RCPT TO"))
    Path("folder").mkdir()
    assert main(["mail", "bounce", "none.eml", "a.eml", "folder"]) == WRONG
    objects, complaints = printed(capsys)
    assert [each["file"] for each in objects] == ["a.eml"]
    assert [line.split(" ", 2)[1] for line in complaints.splitlines()] == ["none.eml", "folder"]
    assert all(line.startswith("gateway: ") for line in complaints.splitlines())
