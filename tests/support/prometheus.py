"""Debian's Prometheus and Alertmanager on loopback, on the samples of ``metrics/``."""

import json
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.daemon import PATIENCE, ROOT, wait_for, while_we_live
from tests.support.ports import free_port

SAMPLES = ROOT / "metrics"
PAGES = ("gateway", "gateway-advertisers")
"""The jobs of the sample that scrape the gateway."""

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("prometheus-alertmanager") is None,
    reason="prometheus and prometheus-alertmanager are not installed",
)


class Process:
    """A server of somebody else's, in a folder of its own."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.port = free_port()
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *while_we_live(),
                    *command,
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--log.level=warn",
                ],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is pytest's to handle
            )

    def wait_until_ready(self) -> None:
        wait_for(self._is_ready, f"it did not start, see {self.log}")

    def ask(self, path: str, **query: str) -> Any:
        """What its API answers."""
        url = f"http://127.0.0.1:{self.port}/api/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{query}: {error.read().decode()}") from error

    def stop(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        url = f"http://127.0.0.1:{self.port}/-/ready"
        with suppress(OSError), urllib.request.urlopen(url, timeout=PATIENCE):
            return True
        return False


class Prometheus(Process):
    """Scrapes and evaluates; its rules are copies of the sample's."""

    def query(self, expr: str) -> list[Any]:
        """The rows of an instant query."""
        return list(self.ask("v1/query", query=expr)["data"]["result"])

    def number(self, expr: str) -> float:
        """The only figure of a query; 0 where there is no row."""
        rows = self.query(expr)
        assert len(rows) <= 1, rows
        return float(rows[0]["value"][1]) if rows else 0.0

    def exact(self, selector: str) -> dict[str, int]:
        """By label ``result``, or nothing: what counters came to in all, out of every sample that
        is held, a fall being a start from 0. What stayed at 0 is left out.
        """
        found: dict[str, int] = {}
        for row in self.query(f"{selector}[1h]"):
            values = [float(value) for _, value in row["values"]]
            falls = sum(a for a, b in pairwise(values) if b < a)
            label = row["metric"].get("result", "")
            found[label] = found.get(label, 0) + round(values[-1] + falls)
        return {label: amount for label, amount in found.items() if amount}

    def targets(self) -> list[Any]:
        return list(self.ask("v1/targets", state="active")["data"]["activeTargets"])

    def rules(self) -> list[Any]:
        groups = self.ask("v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def scraped_at(self, port: int) -> float:
        """When all pages of a process were last scraped with success (seconds since 1970); 0 where
        they never were.
        """
        rows = self.query(f'up{{instance="127.0.0.1:{port}"}}[1h]')
        well = [[float(at) for at, up in row["values"] if up == "1"] for row in rows]
        return min((max(times, default=0.0) for times in well), default=0.0)


class Alertmanager(Process):
    """Groups and sends on."""


@contextmanager
def prometheus(
    folder: Path, ports: Sequence[int], *, every_ms: int = 1_000, alertmanager: int | None = None
) -> Iterator[Prometheus]:
    """One on the sample's configuration, for the metrics listeners at ``ports``; it scrapes and
    evaluates ``every_ms`` milliseconds.
    """
    folder.mkdir()
    interval = f"{every_ms}ms"
    sample = yaml.safe_load((SAMPLES / "prometheus.yml").read_text())
    sample["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
    sample["scrape_configs"] = [j for j in sample["scrape_configs"] if j["job_name"] in PAGES]
    for job in sample["scrape_configs"]:
        job |= {"scrape_interval": interval, "scrape_timeout": interval}
        for some in job["static_configs"]:
            some["targets"] = [f"127.0.0.1:{port}" for port in ports]
    managers = [] if alertmanager is None else [f"127.0.0.1:{alertmanager}"]
    sample["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": managers}]
    (folder / "rules").mkdir()
    for path in (SAMPLES / "rules").glob("*.yml"):
        (folder / "rules" / path.name).write_text(_hurried(path.read_text(), every_ms))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(sample))
    server = Prometheus(
        folder,
        "prometheus",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--query.lookback-delta=1m",
    )
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


@contextmanager
def alertmanager(folder: Path, receiver: int) -> Iterator[Alertmanager]:
    """One on the sample's configuration; it posts to ``receiver``, a port of loopback."""
    folder.mkdir()
    sample = yaml.safe_load((SAMPLES / "alertmanager.yml").read_text())
    for route in (sample["route"], *sample["route"].get("routes", ())):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    for each in sample["receivers"]:
        for hook in each["webhook_configs"]:
            hook["url"] = f"http://127.0.0.1:{receiver}/"
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(sample))
    server = Alertmanager(
        folder,
        "prometheus-alertmanager",
        "--config.file=alertmanager.yml",
        "--storage.path=data",
        "--cluster.listen-address=",
    )
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


def _hurried(rules: str, every_ms: int) -> str:
    """The same rules, which do not wait: samples of five minutes come, and look back, by
    ``every_ms`` milliseconds.
    """
    rules = rules.replace(
        "[10m:5m] offset 1m)) * 300",
        f"[{2 * every_ms}ms:{every_ms}ms] offset {every_ms}ms)) * {every_ms / 1_000}",
    )
    assert "[10m:5m]" not in rules
    read = yaml.safe_load(rules)
    for group in read["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = "1s"
    return str(yaml.safe_dump(read))


@contextmanager
def receiver() -> Iterator[tuple[int, list[Any]]]:
    """Whom Alertmanager tells: a port of loopback, and the alerts that came there."""
    came: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            came.extend(json.loads(self.rfile.read(length))["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not to the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], came
        finally:
            server.shutdown()
            thread.join()
