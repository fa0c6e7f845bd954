"""The demonstration: the real daemon in its own process, and a carrier that calls it.

At its end it compares, call by call, what the carrier did with what the store holds.
"""

import asyncio
import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway import config as configuration
from gateway import main as wiring
from gateway import provisioning
from gateway.config import Config
from gateway.domain.calls import legs_of
from gateway.domain.values import EVERYBODY, known_caller, masked
from gateway.ports import CallRecord
from gateway.usecases.provisioning import difference

_FOLDER = Path("var/demo")
_RATE = 4.0  # calls a second
_SPEED = 60.0  # a minute of talk passes in a second
_PATIENCE = 15.0  # seconds for the daemon to start, to settle and to stop
_TOKYO = ZoneInfo("Asia/Tokyo")

_CONFIG = """\
public_url = "https://gw.example.jp"
[http]
listen = "127.0.0.1:{public}"
[admin]
listen = "127.0.0.1:{admin}"
[metrics]
listen = "127.0.0.1:{metrics}"
[storage]
url = "sqlite:///gateway.db"
state_dir = "."
[twilio]
account_sid = "AC00000000000000000000000000000000"
auth_token_file = "auth_token"
"""

_PROVISIONING = """\
[[advertiser]]
id = "sakura-beauty"
name = "さくら美容室"
kind = "advertiser"

[[advertiser]]
id = "minato-dental"
name = "みなと歯科"
kind = "advertiser"

[[advertiser]]
id = "yamato-moving"
name = "やまと引越センター"
kind = "advertiser"

[[tracked_number]]
number = "+815031000001"
advertiser = "sakura-beauty"
medium = "flyer-autumn"
forward_to = ["+81312345601", "+819012345601"]
[tracked_number.outcome]
min_talk_seconds = 30

[[tracked_number]]
number = "+815031000002"
advertiser = "sakura-beauty"
medium = "web-site"
forward_to = ["+81312345601"]

[[tracked_number]]
number = "+815031000003"
advertiser = "minato-dental"
medium = "station-board"
forward_to = ["+81312345603", "+81312345604"]
strategy = "sequential"
ring_seconds = 15

[[tracked_number]]
number = "+815031000004"
advertiser = "yamato-moving"
medium = "town-magazine"
forward_to = ["+81312345605", "+819012345605", "+819012345606"]
[tracked_number.outcome]
min_talk_seconds = 60
"""


def demo(seconds: int | None) -> int:
    """Run for ``seconds``, or until Ctrl-C; returns 1 if anything was lost or went wrong."""
    config = _prepare(_FOLDER)
    with _daemon(config) as daemon:
        ports = config.http.listen.port, config.admin.listen.port, config.metrics.listen.port
        print(
            f"webhooks  http://127.0.0.1:{ports[0]}/twilio/voice\n"
            f"admin     http://127.0.0.1:{ports[1]}/  (the console comes in a later release)\n"
            f"metrics   http://127.0.0.1:{ports[2]}/metrics  and  /metrics/advertisers\n"
            f"log       {_FOLDER}/gateway.log\n" + ("Ctrl-C ends it.\n" if seconds is None else ""),
            flush=True,
        )
        played = asyncio.run(_calls(config, seconds))
        records = _settled(config, len(played))
        faults = [*_compared(played, records)]
        daemon.send_signal(signal.SIGTERM)
        try:
            code = daemon.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            code = None
        if code != 0:
            faults.append(f"the daemon did not stop cleanly (exit {code})")
    _summary(played, records, faults)
    return 1 if faults else 0


def _prepare(folder: Path) -> Config:
    """A new store with the sample advertisers; what a former demo left is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    ports = _free_ports(public=8080, admin=8081, metrics=9464)
    (folder / "config.toml").write_text(_CONFIG.format(**ports))
    (folder / "auth_token").touch(mode=0o600)
    (folder / "auth_token").write_text(secrets.token_hex(16))
    (folder / "provisioning.toml").write_text(_PROVISIONING)
    config = configuration.load(folder / "config.toml", {})
    wiring.migrate(config)
    version, advertisers, numbers = wiring.provisioned(config)
    plan = provisioning.read([folder / "provisioning.toml"], advertisers, numbers)
    wiring.apply(config, difference(version, advertisers, numbers, plan))
    return config


def _free_ports(**wanted: int) -> dict[str, int]:
    """The usual ports, and others where those are taken."""
    found: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        for name, port in wanted.items():
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                sock.bind(("127.0.0.1", 0))
            found[name] = sock.getsockname()[1]
    return found


@contextlib.contextmanager
def _daemon(config: Config) -> Iterator["subprocess.Popen[bytes]"]:
    """The daemon in a process, and a session, of its own: Ctrl-C is for us alone."""
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(_FOLDER / "config.toml")]
    with (_FOLDER / "gateway.log").open("wb") as log:
        daemon = subprocess.Popen(command, stderr=log, start_new_session=True)  # noqa: S603 - ours
    try:
        url = f"http://127.0.0.1:{config.metrics.listen.port}/readyz"
        deadline = time.monotonic() + _PATIENCE
        while not _answers(url):
            if daemon.poll() is not None or time.monotonic() > deadline:
                print((_FOLDER / "gateway.log").read_text(), file=sys.stderr)
                raise OSError("the daemon did not start, see above")
            time.sleep(0.05)
        yield daemon
    finally:
        if daemon.poll() is None:
            daemon.terminate()
            try:
                daemon.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own loopback address
            return True
    except (urllib.error.URLError, OSError):
        return False


async def _calls(config: Config, seconds: int | None) -> list[wiring.Played]:
    """Let the carrier call, and show what it does."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    if seconds is not None:
        # The calls that run at the end take some seconds more to be over.
        loop.call_later(max(1.0, seconds - min(5.0, seconds / 3)), end.set)
    numbers = [f"+81503100000{n}" for n in (1, 2, 3, 4)]
    scripts = wiring.random_scripts(numbers, secrets.randbelow(1_000_000))
    async with wiring.carrier(
        config, speed=_SPEED, duplicates=0.1, disorder=0.1, on_event=_Screen().show
    ) as carrier:
        return await carrier.run(scripts, rate=_RATE, until=end)


_ORDER = {"voice": "ringing", "leg.ringing": "connecting", "leg.in-progress": "talking"}
"""What shows that a call came further, in order."""


class _Screen:
    """Shows calls as they go: a line for each state, however late or often it was told."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def show(self, played: wiring.Played, post: wiring.Post) -> None:
        """A request of ``played`` was answered."""
        order = [*_ORDER.values(), "ended"]
        state = "ended" if post.what.startswith("call.") else _ORDER.get(post.what)
        before = self._shown.get(played.sid)
        if state is None or (before and order.index(state) <= order.index(before)):
            return
        self._shown[played.sid] = state
        figures = ""
        if state == "ended":
            ring, talk = played.ring_seconds or 0, played.talk_seconds
            figures = f"{played.result:10} ring {ring:3} s  talk {talk:4} s"
        now = datetime.now(_TOKYO).strftime("%H:%M:%S")
        caller = masked(known_caller(played.caller))
        print(f"{now}  {played.number} ← {caller:12}  {state:10}  {figures}".rstrip(), flush=True)


def _settled(config: Config, expected: int) -> list[CallRecord]:
    """The store's calls, once all that came are settled."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        records = list(wiring.list_calls(config, EVERYBODY, since=0, limit=None))
        done = sum(record.call.settled_at is not None for record in records)
        if done >= expected or time.monotonic() > deadline:
            return records
        time.sleep(0.2)


def _compared(played: list[wiring.Played], records: list[CallRecord]) -> Iterator[str]:
    """Every difference between the carrier's truth and the store's."""
    held = {record.call.sid: record for record in records}
    for truth in played:
        record = held.pop(truth.sid, None)
        if problem := wiring.trouble_of(truth):
            yield problem
        if record is None:
            yield f"{truth.sid}: the store does not have it"
            continue
        legs = {leg.sid: (leg.state, leg.talk) for leg in legs_of(record.events)}
        call = record.call
        for what, did, has in (
            ("result", truth.result, call.result),
            ("ring seconds", truth.ring_seconds, call.ring_seconds),
            ("talk seconds", truth.talk_seconds, call.talk_seconds),
            ("caller", known_caller(truth.caller), call.caller),
            ("legs", {leg.sid: (leg.state, leg.talk_seconds) for leg in truth.legs}, legs),
            ("settled", True, call.settled_at is not None),
        ):
            if did != has:
                yield f"{truth.sid}: {what}: the carrier says {did}, the store {has}"
    for sid in held:
        yield f"{sid}: the store has it, the carrier never made it"


def _summary(played: list[wiring.Played], records: list[CallRecord], faults: list[str]) -> None:
    print("\n" + " " * 12 + "carrier  store")
    rows: list[tuple[str, int, int]] = [("calls", len(played), len(records))]
    did = Counter(str(truth.result) for truth in played)
    has = Counter(str(record.call.result) for record in records)
    rows += [(name, did[name], has[name]) for name in sorted(did | has)]
    rows += [
        (
            "ring s",
            sum(truth.ring_seconds or 0 for truth in played),
            sum(record.call.ring_seconds or 0 for record in records),
        ),
        (
            "talk s",
            sum(truth.talk_seconds for truth in played),
            sum(record.call.talk_seconds or 0 for record in records),
        ),
    ]
    for name, carrier, store in rows:
        print(f"{name:12}{carrier:7}  {store:5}{'' if carrier == store else '  ≠'}")
    posts = [post for truth in played for post in truth.posts]
    again = sum(post.duplicate for post in posts)
    print(f"\n{len(posts)} webhooks, {again} of them twice", end="")
    for advertiser, count in Counter(r.call.advertiser for r in records).most_common():
        print(f", {advertiser} {count} calls", end="")
    print()
    for fault in faults[:20]:
        print(f"WRONG: {fault}")
    if len(faults) > 20:
        print(f"WRONG: and {len(faults) - 20} more")
    print("equal, call by call" if not faults else "NOT equal")
