"""The benchmarks run; what they measure is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.process
def test_the_voice_row_is_measured_against_the_real_daemon(tmp_path: Path) -> None:
    """One short round of `make bench` ends well, and every answer in it was the right one."""
    written = tmp_path / "bench.json"
    command = [sys.executable, "-m", "tests.bench", "--rows", "voice", "--rounds", "1"]
    command += ["--seconds", "0.5", "--folder", str(tmp_path), "--json", str(written)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(written.read_text())
    assert [line["wrong"] for line in told["lines"]] == [[]] * 3
    assert all(one["requests"] > 0 for pair in told["lines"][0]["rounds"] for one in pair)
