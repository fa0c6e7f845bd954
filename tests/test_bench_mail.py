"""The benchmark of mail runs; what it measures is not judged here."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WHERE = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("smtp-sink", path=WHERE), reason="Postfix is not installed")
def test_the_mail_rows_are_measured_against_the_real_daemon(tmp_path: Path) -> None:
    """One short round beside smtp-source and aiosmtplib ends well: each mail was sent, once."""
    written = tmp_path / "bench.json"
    command = [sys.executable, "-m", "tests.bench", "--rows", "mail,mail-slow", "--rounds", "1"]
    command += ["--seconds", "0.1", "--folder", str(tmp_path), "--json", str(written)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(written.read_text())
    assert [line["wrong"] for line in told["lines"]] == [[]] * 3  # with that of holds
    assert all(line["figure"] > 0 for line in told["lines"][:2])
