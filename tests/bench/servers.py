"""The servers that are measured: each a process of its own, held to one core."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway import config as configuration
from gateway import main as wiring
from gateway.config import Config
from gateway.domain.line.channel import Channel, Rule
from gateway.domain.line.friends import Friend
from gateway.domain.provisioning import Plan
from gateway.domain.routing import TrackedNumber
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import EVERYBODY, Ids
from gateway.main.store import connected
from gateway.usecases.provisioning import difference
from tests.bench.traffic import ACCOUNT, FRIENDS, PUBLIC_URL, SECRET, TOKEN, shop, user
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, GENERATOR_CORE = CORES[0], CORES[-1]

_PATIENCE = 60.0
_QUIET = 10  # commits a second: those of chores that only look
NUMBERS_EACH = 10  # an advertiser's
SHOPS = 100  # LINE channels, where there are any

_CONFIG = f"""\
public_url = "{PUBLIC_URL}"
[http]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[metrics]
listen = "127.0.0.1:0"
[storage]
url = "sqlite:///gateway.db"
state_dir = "state"
[twilio]
account_sid = "{ACCOUNT}"
auth_token = "{TOKEN}"
[retention]
keys_days = 3650
"""
_LINE = """\
[line]
api_url = "{url}"
data_api_url = "{url}"
"""
# Keys are kept, so that a store with a past is not tidied up while it is measured.


class Server(msgspec.Struct, frozen=True):
    """A running server."""

    pid: int
    port: int
    ready_seconds: float
    """From its start to its word that it is ready."""
    metrics_port: int | None = None

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found[1]) / 1024

    def cpu_seconds(self) -> float:
        """Of all its threads, since its start."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metrics(self) -> dict[str, float]:
        """All series of the process-wide page, as they are written there."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        series = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in series}

    def wait_until_quiet(self) -> None:
        """Wait for the end of what follows a start: LINE is asked about channels that are new."""
        committed = "gateway_store_commit_seconds_count"
        for _ in range(int(_PATIENCE)):
            before = self.metrics()[committed]
            time.sleep(1)
            if self.metrics()[committed] - before <= _QUIET:
                return
        raise RuntimeError("the gateway does not come to rest")


# --- the gateway ---


def numbers(count: int) -> list[str]:
    return [f"+8150{number:08}" for number in range(count)]


def advertiser_of(ordinal: int) -> str:
    """The advertiser of the number that is the ``ordinal``-th."""
    return f"advertiser-{ordinal // NUMBERS_EACH}"


def prepare(folder: Path, count: int, shops: Sequence[Channel] = (), url: str = "") -> Config:
    """A configured store with ``count`` tracked numbers and some LINE channels, whose platform is
    at ``url``; new or as it was left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(_CONFIG + (_LINE.format(url=url) if shops else ""))
    config = config_of(folder)
    wiring.migrate(config)
    routes = tuple(
        TrackedNumber(
            number=number,
            advertiser=advertiser_of(ordinal),
            medium=f"flyer-{ordinal % NUMBERS_EACH}",
            forward_to=(f"+813{ordinal:08}",),
            min_talk_seconds=30,
        )
        for ordinal, number in enumerate(numbers(count))
    )
    owners: list[TrackedNumber | Channel] = [*routes, *shops]
    names = dict.fromkeys(each.advertiser for each in owners)
    parties = tuple(Advertiser(id=name, name=f"{name} 株式会社") for name in names)
    plan = Plan((*parties, *routes, *shops))
    wiring.apply(config, difference(*wiring.provisioned(config), plan))
    return config


def config_of(folder: Path) -> Config:
    """What the daemon of ``folder`` is configured with."""
    return configuration.load(folder / "config.toml", {})


def shops() -> list[Channel]:
    """LINE channels that answer one word, each of another advertiser."""
    answer = ({"type": "text", "text": "こちらをどうぞ"},)
    return [
        Channel(
            id=shop(ordinal),
            advertiser=f"advertiser-{ordinal}",
            channel_id=str(1_650_000_000 + ordinal),
            channel_secret=SECRET,
            name="Acme 美容室",
            reply=(Rule("クーポン", messages=answer),),
        )
        for ordinal in range(SHOPS)
    ]


def befriend(config: Config) -> None:
    """Let each shop know its friends: of whom it hears first, it asks the platform for the name."""
    ids, now = Ids(1023), time.time_ns() // 1000
    with connected(config) as (connection, sql):
        for of in range(SHOPS):
            tx = StoreTransaction(connection, sql, RouteCache())
            for friend in range(FRIENDS):
                known = Friend(
                    channel=shop(of),
                    user=f"U{user(of, friend)}",
                    id=ids.next(now),
                    advertiser=f"advertiser-{of}",
                    first_at=now,
                    followed_at=now,
                    name="花子",
                )
                tx.line.save(EVERYBODY, known)
            tx.flush()
            connection.commit()


@contextmanager
def gateway(
    folder: Path, command: Sequence[str] = (sys.executable, "-m", "gateway")
) -> Iterator[Server]:
    """``gateway serve`` on a prepared folder."""
    command = [*command, "serve", "--config", str(folder / "config.toml")]
    log = folder / "gateway.log"

    def ready(began: float, pid: int) -> Server | None:
        for line in log.read_text().splitlines():
            if '"event":"ready"' in line:
                said = json.loads(line)
                took = time.perf_counter() - began
                return Server(pid, said["public"], took, said["metrics"])
        return None

    with _running(command, log, ready) as server:
        yield server


# --- the peers ---


@contextmanager
def bare(folder: Path) -> Iterator[Server]:
    """The bare handler of :mod:`tests.bench.bare`."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.bare", str(port)]
    with _running(command, folder / "bare.log", _listening(port)) as server:
        yield server


@contextmanager
def express(folder: Path) -> Iterator[Server]:
    """Express with the Twilio package and better-sqlite3, installed into ``folder`` once."""
    sources = ROOT / "tests/bench/node"
    home = folder / "node"
    home.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "server.js"):
        (home / name).write_text((sources / name).read_text())
    if not (home / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=home, check=True)
    database = home / "peer.db"
    for file in home.glob("peer.db*"):
        file.unlink()
    port = free_port()
    command = ["node", str(home / "server.js"), str(port), str(database), PUBLIC_URL, TOKEN]
    with _running(command, home / "node.log", _listening(port)) as server:
        yield server


# --- processes ---


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Hold this thread, and the processes that it starts, to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _running(
    command: Sequence[str], log: Path, ready: Callable[[float, int], Server | None]
) -> Iterator[Server]:
    # The daemon's own settings come from its file alone.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    with on_core(SERVER_CORE), log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=plain, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        while (server := ready(began, process.pid)) is None:
            if process.poll() is not None or time.perf_counter() - began > _PATIENCE:
                raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()}")
            time.sleep(0.002)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listening(port: int) -> Callable[[float, int], Server | None]:
    def ready(began: float, pid: int) -> Server | None:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) != 0:
                return None
        return Server(pid, port, time.perf_counter() - began)

    return ready
