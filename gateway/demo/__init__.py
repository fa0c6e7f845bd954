"""The demonstration: the real daemon in its own process, and platforms that are played to it.

At its end it compares, call by call and friend by friend, what the platforms did with what the
store holds.
"""

import asyncio
import secrets
import signal
from pathlib import Path

from gateway import main as wiring
from gateway.demo import daemon, summary
from gateway.demo.cast import cast, ids_of, secrets_of
from gateway.demo.folder import prepare
from gateway.demo.show import Show
from gateway.main.platform import Delivery, Platform

_FOLDER = Path("var/demo")


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
        async with daemon.running(config, _FOLDER) as process:
            show = await asyncio.to_thread(Show, config, platform, shops)
            await asyncio.to_thread(show.welcome, _FOLDER, endless=seconds is None)
            if seconds is not None:
                # What runs at the end takes some seconds more to be over.
                loop.call_later(max(1.0, seconds - min(5.0, seconds / 3)), end.set)
            await show.play(end)
            faults = await show.compared()
            code = await daemon.stopped(process)
    if code != 0:
        faults.append(f"the daemon did not stop cleanly (exit {code})")
    summary.verdict(show.maybe, faults)
    return 1 if faults else 0
