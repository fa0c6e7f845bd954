"""The daemon as a process of its own: tests start it, kill it, starve it and question it."""

import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from gateway import config as configuration
from gateway import main as wiring
from gateway import provisioning
from gateway.usecases.provisioning import difference
from tests.adapters.twilio.forms import PUBLIC_URL, sign
from tests.support.ports import free_port

R = TypeVar("R")

ROOT = Path(__file__).parents[2]
ACCOUNT = "AC" + "0" * 32
TOKEN = "c0ffee" * 5
NUMBERS = tuple(f"+81503100000{n}" for n in (1, 2, 3, 4))
TARGETS = ("+81312345678", "+819012345678", "+819087654321")

SQLITE = "sqlite:///store/gateway.db"

PATIENCE = 60.0  # seconds that a start, a stop or a change may take on a busy machine

_CONFIG = f"""\
public_url = "{PUBLIC_URL}"
[http]
listen = "127.0.0.1:{{public}}"
[admin]
listen = "127.0.0.1:{{admin}}"
[metrics]
listen = "127.0.0.1:{{metrics}}"
[storage]
url = "{{url}}"
state_dir = "state"
spool_bytes = 1048576
[twilio]
account_sid = "{ACCOUNT}"
auth_token_file = "auth_token"
"""

PROVISIONING = f"""\
[[advertiser]]
id = "acme"
name = "Acme 美容室"
kind = "advertiser"

[[advertiser]]
id = "umi"
name = "うみ歯科"
kind = "advertiser"

[[tracked_number]]
number = "{NUMBERS[0]}"
advertiser = "acme"
medium = "flyer"
forward_to = ["{TARGETS[0]}", "{TARGETS[1]}"]
[tracked_number.outcome]
min_talk_seconds = 30

[[tracked_number]]
number = "{NUMBERS[1]}"
advertiser = "acme"
medium = "web"
forward_to = ["{TARGETS[0]}"]

[[tracked_number]]
number = "{NUMBERS[2]}"
advertiser = "umi"
medium = "board"
forward_to = ["{TARGETS[0]}", "{TARGETS[1]}"]
strategy = "sequential"
ring_seconds = 15

[[tracked_number]]
number = "{NUMBERS[3]}"
advertiser = "umi"
medium = "magazine"
forward_to = ["{TARGETS[0]}", "{TARGETS[1]}", "{TARGETS[2]}"]
"""
"""Four numbers of two advertisers, each forwarded in another way."""


@dataclass(frozen=True)
class Answered:
    """The answer to a request."""

    status: int
    body: str
    headers: Mapping[str, str]
    seconds: float


class Daemon:
    """``gateway serve`` on a configuration in ``folder``; it keeps its ports over restarts.

    ``url`` is the store's; ``settings`` are further keys, such as ``http_drain_seconds=2``.
    """

    def __init__(self, folder: Path, url: str = SQLITE, **settings: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.public, admin, self.metrics_port = (free_port() for _ in range(3))
        self.config = folder / "config.toml"
        self.config.write_text(
            _CONFIG.format(public=self.public, admin=admin, metrics=self.metrics_port, url=url)
        )
        (folder / "auth_token").touch(mode=0o600)
        (folder / "auth_token").write_text(TOKEN)
        self.environment = plain_environment()
        self.environment |= {f"GATEWAY_{k}".upper(): str(v) for k, v in settings.items()}
        self.log = folder / "gateway.log"
        self.process: subprocess.Popen[bytes] | None = None

    # --- what it works on ---

    def settings(self) -> configuration.Config:
        """Its configuration as it reads it."""
        return configuration.load(self.config, self.environment)

    def migrate(self) -> None:
        """Make the schema."""
        wiring.migrate(self.settings())

    def apply(self, files: str = PROVISIONING) -> None:
        """Write a provisioning file into the store, beside the daemon if it runs."""
        path = self.folder / "provisioning.toml"
        path.write_text(files)
        settings = self.settings()
        version, held = wiring.provisioned(settings)
        plan = provisioning.read([path], held)
        wiring.apply(settings, difference(version, held, plan))

    def rows(self, query: str) -> list[Any]:
        """What a query on the store itself says."""
        with self._engine().connect() as connection:
            return list(connection.execute(text(query)))

    def change(self, statement: str) -> None:
        """Change the store itself, beside the daemon if it runs."""
        with self._engine().begin() as connection:
            connection.execute(text(statement))

    def _engine(self) -> SqlEngine:
        url = self.settings().storage.url.replace("postgresql:", "postgresql+psycopg:")
        return create_engine(url, poolclass=NullPool)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Its SQLite store as if the disk hung: somebody else holds the write lock."""
        path = self.settings().storage.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield

    # --- its life ---

    def start(self, *within: str) -> None:
        """Start it, inside of the command ``within`` if given; it is not ready yet."""
        serve = [sys.executable, "-m", "gateway", "serve", "--config", str(self.config)]
        command = [*while_we_live(), *within, *serve]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is pytest's to handle
            )

    def wait_until(self, state: str, seconds: float = PATIENCE) -> None:
        """Wait until ``/readyz`` says ``state``: ready, degraded or draining."""

        def reached() -> bool:
            if self.readiness() == state:
                return True
            if self.process is None or self.process.poll() is not None:
                raise AssertionError(f"the daemon ended:\n{self.log.read_text()[-4000:]}")
            return False

        wait_for(reached, f"/readyz never said {state}:\n{self.log}", seconds)

    def run(self) -> None:
        """Start it with schema and provisioning, and wait until it is ready."""
        self.migrate()
        self.apply()
        self.start()
        self.wait_until("ready")

    def kill(self) -> None:
        """SIGKILL, and its end."""
        self.running.kill()
        self.running.wait()
        self.process = None

    def terminate(self, seconds: float = PATIENCE) -> int:
        """SIGTERM; returns its exit code, or raises after ``seconds``."""
        self.running.send_signal(signal.SIGTERM)
        return self.running.wait(seconds)

    def close(self) -> None:
        """End it, however it is."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    @property
    def running(self) -> "subprocess.Popen[bytes]":
        """The process."""
        assert self.process is not None, "it was not started"
        return self.process

    # --- what it says ---

    @property
    def address(self) -> str:
        """Where its public listener is."""
        return f"http://127.0.0.1:{self.public}"

    @property
    def resident_mb(self) -> float:
        """The memory that it holds at the moment."""
        status = Path(f"/proc/{self.running.pid}/status").read_text()
        (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
        return int(kilobytes) / 1024

    def readiness(self) -> str:
        """What ``/readyz`` says; nothing where nobody answers."""
        try:
            return self._get("/readyz").strip()
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode().strip()
        except OSError:
            return ""

    def metric(self, name: str, page: str = "/metrics", **labels: str) -> float:
        """The sum of all samples of ``name`` (without prefix) that have ``labels``."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self._get(page))
            for sample in family.samples
            if sample.name == f"gateway_{name}" and labels.items() <= sample.labels.items()
        )

    def page(self) -> str:
        """What the process says of itself."""
        return self._get("/metrics")

    def histogram(self, name: str) -> dict[str, float]:
        """By bound, ``+Inf`` the last: how many values of ``name`` (without prefix) are below."""
        return {
            sample.labels["le"]: sample.value
            for family in text_string_to_metric_families(self._get("/metrics"))
            for sample in family.samples
            if sample.name == f"gateway_{name}_bucket"
        }

    def post(
        self,
        kind: str,
        form: Mapping[str, str],
        *,
        signatures: list[str] | None = None,
        timeout: float = PATIENCE,
    ) -> Answered:
        """Post a webhook, rightly signed unless ``signatures`` says otherwise."""
        path = f"/twilio/{kind}"
        if signatures is None:
            signatures = [sign(PUBLIC_URL + path, form.items(), TOKEN)]
        body = urlencode(form).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.public, timeout=timeout)
        try:
            began = time.monotonic()
            connection.putrequest("POST", path)
            connection.putheader("Content-Type", "application/x-www-form-urlencoded")
            connection.putheader("Content-Length", str(len(body)))
            for signature in signatures:
                connection.putheader("X-Twilio-Signature", signature)
            connection.endheaders(body)
            answer = connection.getresponse()
            text = answer.read().decode()
            return Answered(answer.status, text, dict(answer.headers), time.monotonic() - began)
        finally:
            connection.close()

    def cli(self, *arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command on its configuration."""
        command = [sys.executable, "-m", "gateway", *arguments, "--config", str(self.config)]
        return subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            **more,
        )

    def calls(self) -> dict[str, dict[str, Any]]:
        """All calls by the carrier's id, as ``gateway calls list --json`` prints them."""
        listed = self.cli("calls", "list", "--json")
        assert listed.returncode == 0, listed.stderr
        calls = [json.loads(line) for line in listed.stdout.splitlines()]
        assert len({call["provider_sid"] for call in calls}) == len(calls), "a call is there twice"
        return {call["provider_sid"]: call for call in calls}

    def _get(self, path: str) -> str:
        url = f"http://127.0.0.1:{self.metrics_port}{path}"
        with urllib.request.urlopen(url, timeout=PATIENCE / 2) as answer:
            return str(answer.read().decode())


def wait_for(condition: Callable[[], R], otherwise: str, seconds: float = PATIENCE) -> R:
    """Ask until the answer is true, and return it; ``AssertionError`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)
    return answer


def measured(text: str) -> None:
    """Tell what a test measured; pytest shows it with ``-s``, and where the test fails."""
    print(f"\n{text}")


def plain_environment() -> dict[str, str]:
    """The environment of a gateway without what would configure it. What is compiled once is kept,
    since tests start so many.
    """
    dropped = "PYTHONDONTWRITEBYTECODE"
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("GATEWAY_") and name != dropped
    }
    return kept | {"PYTHONPATH": str(ROOT)}


def while_we_live() -> list[str]:
    """What a command is run within to end with the thread that starts it, should that be killed:
    the main one, therefore (Linux).
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []
