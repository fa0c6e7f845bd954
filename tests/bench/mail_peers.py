"""What our sender is measured beside. None of them keeps anything of what it sent.

Each is a process on the core that our daemon has in its turn.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import aiosmtplib
import uvloop

from tests.bench.mail_sinks import NotInstalledError, postfixes
from tests.bench.mail_world import CONNECTIONS, CONTENT, FROM
from tests.bench.servers import ROOT, SERVER_CORE, on_core

_HEADERS = 250
"""Bytes of the headers that smtp-source makes by itself."""


def smtp_source(port: int, count: int, size: int, *, keep: bool = False) -> float:
    """Mails a second of Postfix's generator, in its default way: a connection for each message.

    With ``keep`` it keeps its connections, which its manual calls ``-d``. It makes one message of
    ``size`` bytes once, and sends that to one address.
    """
    given = ["-s", str(CONNECTIONS), "-m", str(count), "-l", str(size - _HEADERS)]
    given += ["-M", "gw.example.jp", "-f", FROM, "-t", "r1@example.com"]
    command = [postfixes("smtp-source"), *(["-d"] if keep else []), *given, f"127.0.0.1:{port}"]
    began = time.perf_counter()
    _run(command)
    return count / (time.perf_counter() - began)


def nodemailer(folder: Path, port: int, count: int, pem: str) -> float:
    """Mails a second of nodemailer's pool, signed with ``pem``; installed into ``folder`` once."""
    if shutil.which("npm") is None:
        raise NotInstalledError("npm is not installed")
    sources, home = ROOT / "tests/bench/node_mail", folder / "node-mail"
    home.mkdir(parents=True, exist_ok=True)
    for name in (".npmrc", "package.json", "package-lock.json", "send.js"):
        (home / name).write_text((sources / name).read_text())
    if not (home / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=home, check=True)
    job = {
        "port": port,
        "count": count,
        "connections": CONNECTIONS,
        "pem": pem,
        "domain": FROM.partition("@")[2],
        "from": f"Acme <{FROM}>",
        "subject": CONTENT.subject,
        "text": CONTENT.text,
        "html": CONTENT.html,
    }
    said = _run(["node", str(home / "send.js")], json.dumps(job).encode())
    return count / float(json.loads(said)["seconds"])


def aiosmtplib_loop(port: int, count: int, sample: bytes) -> float:
    """Mails a second of aiosmtplib, ``sample`` with the address replaced, on as many connections
    as we have.
    """
    given = [str(port), str(count), str(CONNECTIONS)]
    said = _run([sys.executable, "-m", "tests.bench.mail_peers", *given], sample)
    return count / float(said)


def _run(command: Sequence[str], given: bytes = b"") -> bytes:
    with on_core(SERVER_CORE):
        done = subprocess.run(command, cwd=ROOT, input=given, stdout=subprocess.PIPE, check=True)
    return done.stdout


# --- aiosmtplib's process ---


async def _send(port: int, count: int, connections: int, sample: bytes) -> float:
    numbers = iter(range(count))

    async def work() -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False)
        async with client:
            for number in numbers:
                to = f"r{number}@example.com"
                await client.sendmail(FROM, [to], sample.replace(b"r1@example.com", to.encode()))

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return time.perf_counter() - began


def _main() -> None:
    port, count, connections = map(int, sys.argv[1:])
    print(uvloop.run(_send(port, count, connections, sys.stdin.buffer.read())))


if __name__ == "__main__":
    _main()
