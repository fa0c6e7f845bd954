"""The benchmarks run; what they measure is not judged here."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def measured(folder: Path, *options: str) -> list[dict[str, Any]]:
    """The lines of the table that one short round makes."""
    written = folder / "bench.json"
    command = [sys.executable, "-m", "tests.bench", "--rounds", "1", "--seconds", "0.5", *options]
    command += ["--folder", str(folder), "--json", str(written)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines: list[dict[str, Any]] = json.loads(written.read_text())["lines"]
    return lines


@pytest.mark.process
def test_the_voice_row_is_measured_against_the_real_daemon(tmp_path: Path) -> None:
    """One short round of `make bench` ends well, and every answer in it was the right one."""
    lines = measured(tmp_path, "--rows", "voice")
    assert [line["wrong"] for line in lines] == [[]] * 3
    assert all(one["requests"] > 0 for pair in lines[0]["rounds"] for one in pair)


@pytest.mark.process
def test_the_scrape_rows_are_measured_against_the_real_daemon(tmp_path: Path) -> None:
    """Pages, slices, and webhooks meanwhile: all that was asked for came, and came right."""
    text, packed, slices, webhooks, _ = measured(
        tmp_path, "--rows", "scrape", "--advertisers", "20"
    )
    lines = (text, packed, slices, webhooks)
    assert [line["wrong"] for line in lines] == [[]] * 4
    assert all(line["figure"] > 0 for line in lines)
    assert all(one["requests"] > 0 for pair in webhooks["rounds"] for one in pair)
