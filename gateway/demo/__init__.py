"""The demonstration: the real daemon in its own process, and platforms that are played to it.

At its end it compares, call by call and friend by friend, what the platforms did with what the
store holds.
"""

import asyncio
import contextlib
import secrets
import signal
import sys
import time
import urllib.error
import urllib.request
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from gateway import main as wiring
from gateway.config import Config
from gateway.demo import calls, compare, summary
from gateway.demo.cast import Shop, cast, ids_of, secrets_of
from gateway.demo.compare import Comparison
from gateway.demo.folder import prepare
from gateway.demo.friends import Friends
from gateway.demo.phones import Phones, Truth
from gateway.demo.screen import Screen
from gateway.demo.trouble import trouble
from gateway.main.platform import Delivery, Platform
from gateway.ports import CallRecord

_FOLDER = Path("var/demo")
_PATIENCE = 15.0
"""So many seconds the daemon has to start, to settle and to stop."""


def demo(seconds: int | None) -> int:
    """Run for ``seconds``, or until Ctrl-C; returns 1 if anything was lost or went wrong."""
    return asyncio.run(_demo(seconds))


async def _demo(seconds: int | None) -> int:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    delivery = Delivery(duplicates=0.1, disorder=0.1)
    async with Platform(seed=secrets.randbelow(2**32), delivery=delivery) as platform:
        shops = cast(platform)
        config = await asyncio.to_thread(
            prepare, _FOLDER, platform.url, ids_of(shops), secrets_of(shops)
        )
        platform.reachable[config.public_url] = wiring.address_of(config)
        for shop in shops:
            shop.account.webhook_url = f"{config.public_url}/line/{shop.id}"
        async with _daemon(config) as daemon:
            await asyncio.to_thread(_welcome, config, seconds)
            if seconds is not None:
                # What runs at the end takes some seconds more to be over.
                loop.call_later(max(1.0, seconds - min(5.0, seconds / 3)), end.set)
            played, truth = await _play(config, platform, shops, end)
            records = await _settled(config, platform, len(played))
            held = await asyncio.to_thread(compare.read, config)
            daemon.send_signal(signal.SIGTERM)
            code = await _ended(daemon)
        comparison = Comparison(platform, shops, truth, held)
        faults = [*calls.compared(played, records), *comparison.faults]
        if code != 0:
            faults.append(f"the daemon did not stop cleanly (exit {code})")
        _sum_up(played, records, platform, comparison)
        summary.verdict(faults)
    return 1 if faults else 0


def _welcome(config: Config, seconds: int | None) -> None:
    token = wiring.create_token(config, "operator", (), name="demo", created_at=_now())
    ports = config.http.listen.port, config.admin.listen.port, config.metrics.listen.port
    print(
        f"webhooks  http://127.0.0.1:{ports[0]}/twilio/voice  and  /line/…\n"
        f"admin     http://127.0.0.1:{ports[1]}/api/v1/openapi.json\n"
        f"log-in    Authorization: Bearer {token}\n"
        f"metrics   http://127.0.0.1:{ports[2]}/metrics  and  /metrics/advertisers\n"
        f"log       {_FOLDER}/gateway.log\n" + ("Ctrl-C ends it.\n" if seconds is None else ""),
        flush=True,
    )


async def _play(
    config: Config, platform: Platform, shops: Sequence[Shop], end: asyncio.Event
) -> tuple[list[wiring.Played], Truth]:
    """Let the carrier call and friends live until ``end``."""
    screen = Screen()
    staff = await asyncio.to_thread(
        wiring.create_token,
        config,
        "staff",
        [shop.advertiser for shop in shops],
        name="counters",
        created_at=_now(),
    )
    phones = Phones(
        platform,
        shops,
        screen,
        public_url=config.public_url,
        api=f"http://127.0.0.1:{config.admin.listen.port}/api/v1",
        token=staff,
    )
    friends = Friends(shops, phones, screen, platform.ids.seed)
    async with asyncio.TaskGroup() as tasks:
        called = tasks.create_task(calls.play(config, screen, end))
        tasks.create_task(friends.play(end))
        tasks.create_task(trouble(platform, screen, end))
    return called.result(), phones.truth


async def _settled(config: Config, platform: Platform, expected: int) -> list[CallRecord]:
    """The store's calls, once all that came is settled and all that goes out has gone."""
    await asyncio.wait_for(platform.settle(), _PATIENCE)
    deadline = time.monotonic() + _PATIENCE
    while await asyncio.to_thread(wiring.open_sends, config) and time.monotonic() < deadline:  # noqa: ASYNC110 - it is the store that is asked
        await asyncio.sleep(0.1)
    return await asyncio.to_thread(calls.settled, config, expected, _PATIENCE)


def _sum_up(
    played: list[wiring.Played],
    records: list[CallRecord],
    platform: Platform,
    comparison: Comparison,
) -> None:
    summary.table("carrier", calls.figures(played, records))
    summary.table("platform", comparison.figures)
    print()
    called = [post.duplicate for truth in played for post in truth.posts]
    advertisers = Counter(record.call.advertiser for record in records)
    summary.webhooks("calls", len(called), sum(called), advertisers)
    told = [post.duplicate for post in platform.posts]
    summary.webhooks("messages", len(told), sum(told), comparison.messages.received)
    for maybe in comparison.messages.maybe:
        print(f"maybe: {maybe}")


@contextlib.asynccontextmanager
async def _daemon(config: Config) -> AsyncIterator[Process]:
    """The daemon in a process, and a session, of its own: Ctrl-C is for us alone."""
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(_FOLDER / "config.toml")]
    with (_FOLDER / "gateway.log").open("wb") as log:
        daemon = await asyncio.create_subprocess_exec(*command, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{config.metrics.listen.port}/readyz"
        deadline = time.monotonic() + _PATIENCE
        while not await asyncio.to_thread(_answers, url):
            if daemon.returncode is not None or time.monotonic() > deadline:
                print((_FOLDER / "gateway.log").read_text(), file=sys.stderr)
                raise OSError("the daemon did not start, see above")
            await asyncio.sleep(0.05)
        yield daemon
    finally:
        if daemon.returncode is None:
            daemon.terminate()
            if await _ended(daemon) is None:
                daemon.kill()
                await daemon.wait()


async def _ended(daemon: Process) -> int | None:
    """The daemon's exit code; ``None`` where it does not end."""
    try:
        return await asyncio.wait_for(daemon.wait(), _PATIENCE)
    except TimeoutError:
        return None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own loopback address
            return True
    except (urllib.error.URLError, OSError):
        return False


def _now() -> int:
    return time.time_ns() // 1000
