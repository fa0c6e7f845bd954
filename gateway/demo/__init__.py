"""The demonstration: the real daemon in its own process, and platforms that are played to it.

At its end it compares, call by call, friend by friend and mail by mail, what the platforms did with
what the store holds.
"""

import asyncio
import contextlib
import secrets
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from gateway import main as wiring
from gateway.config import Config
from gateway.demo import daemon, summary
from gateway.demo.cast import cast, ids_of, secrets_of
from gateway.demo.folder import TOKYO, only_one, prepare
from gateway.demo.mail.cast import mail_cast, zone_of
from gateway.demo.mail.show import post
from gateway.demo.show import Show
from gateway.main.mail.world import NameServer, signing_key
from gateway.main.platform import Delivery, Platform
from gateway.main.proxy import proxy

_FOLDER = Path("var/demo")


class Stage(NamedTuple):
    """A demonstration that is ready to be played."""

    config: Config
    platform: Platform
    process: Process
    """The daemon."""
    show: Show


def demo(seconds: int | None) -> int:
    """Run for ``seconds``, or until Ctrl-C; returns 1 if anything was lost or went wrong."""
    return asyncio.run(_demo(seconds))


@contextlib.asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """A new demonstration in ``folder``, of which a former one is removed; its daemon is ready.

    Raises:
        OSError: the daemon does not start.
    """
    delivery = Delivery(duplicates=0.1, disorder=0.1)
    lists = mail_cast(datetime.now(TOKYO).date().isoformat())
    async with contextlib.AsyncExitStack() as stack:
        seed = secrets.randbelow(2**32)
        platform = await stack.enter_async_context(Platform(seed=seed, delivery=delivery))
        shops = cast(platform)
        keys = {each.id: await asyncio.to_thread(signing_key) for each in lists}
        records = {id_: record for id_, (_, record) in keys.items()}
        dns = await stack.enter_async_context(NameServer(zone_of(lists, records)))
        files = secrets_of(shops) | {f"{id_}.pem": pem for id_, (pem, _) in keys.items()}
        places = {
            "platform": platform.url,
            "dns": "{}:{}".format(*dns.address),
            "proxy": await stack.enter_async_context(proxy("gw.example.jp")),
        }
        is_alone = stack.enter_context(only_one())
        config = await asyncio.to_thread(
            prepare, folder, places, ids_of(shops), files, takes_usual_ports=is_alone
        )
        platform.reachable[config.public_url] = wiring.address_of(config)
        for shop in shops:
            shop.account.webhook_url = f"{config.public_url}/line/{shop.id}"
        mails = await stack.enter_async_context(post(config, lists, seed))
        listing = await stack.enter_async_context(wiring.call_listing(config))
        process = await stack.enter_async_context(daemon.running(config, folder))
        show = await asyncio.to_thread(Show, config, listing, platform, shops, mails)
        yield Stage(config, platform, process, show)


async def _demo(seconds: int | None) -> int:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    async with staged(_FOLDER) as (_, _, process, show):
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
