"""LINE's platform, simulated in a thread of the benchmark, and what sends to it."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from adapters.line.simulator import Accepted, Platform
from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.config import Config
from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.values import EVERYBODY, Ids
from gateway.main.store import connected
from tests.bench import servers
from tests.bench.servers import Server, on_core
from tests.bench.traffic import PUBLIC_URL, SECRET, shop

_PATIENCE = 60.0
_USERS = 500
_TEXT = "本日のおすすめは苺のタルトです。数に限りがございます。"


class Playing:
    """A platform with an account for each channel of :func:`tests.bench.servers.shops`."""

    def __init__(self, platform: Platform, loop: asyncio.AbstractEventLoop) -> None:
        self._platform = platform
        self._loop = loop
        self._ids = Ids(1023)
        self.accounts = [platform.channel(shop(ordinal)) for ordinal in range(servers.SHOPS)]
        for ordinal, account in enumerate(self.accounts):
            account.secret = SECRET
            account.webhook_url = f"{PUBLIC_URL}/line/{shop(ordinal)}"
        self._users = [self.accounts[0].friend(f"友{n}") for n in range(_USERS)]
        for friend in self._users:
            friend.following = True

    @property
    def url(self) -> str:
        return self._platform.url

    def shops(self) -> list[Channel]:
        """The channels, with the accounts' credentials."""
        return [
            msgspec.structs.replace(channel, channel_id=account.id)
            for channel, account in zip(servers.shops(), self.accounts, strict=True)
        ]

    def greet(self, server: Server) -> None:
        """Let somebody follow, until they have a reply and were asked for their name."""
        self._platform.reachable[PUBLIC_URL] = f"http://127.0.0.1:{server.port}"
        friend = self.accounts[0].friend("花子")

        async def meet() -> None:
            await friend.follow()
            await friend.say("クーポン")

        asyncio.run_coroutine_threadsafe(meet(), self._loop).result(_PATIENCE)
        asked = self._platform.asked
        _wait(lambda: friend.inbox and any("/profile/" in each.path for each in tuple(asked)))

    def answer_after(self, seconds: float) -> None:
        """Let each message be answered so late."""
        self._platform.faults.delay(seconds)

    def rate(self, send: Callable[[int], None], count: int) -> float:
        """How many messages a second arrive while ``send`` sends so many; each one once."""
        accepted = self._platform.accepted
        begin = len(accepted)
        send(count)
        _wait(lambda: len(accepted) - begin >= count)
        taken: Sequence[Accepted] = accepted[begin:]
        if len({each.retry_key for each in taken}) != count:
            raise RuntimeError(f"{count} were sent, and {len(taken)} arrived")
        return (count - 1) / (taken[-1].at - taken[0].at) * 1e6

    def by_us(self, config: Config) -> Callable[[int], None]:
        """Sends by the outbox of a running daemon: put into it in one transaction."""

        def send(count: int) -> None:
            now = time.time_ns() // 1000
            with connected(config) as (connection, sql):
                tx = StoreTransaction(connection, sql, RouteCache())
                for ordinal in range(count):
                    tx.outbox.add(EVERYBODY, self._effect(ordinal, now))
                tx.flush()
                connection.commit()

        return send

    def by_package(self) -> Callable[[int], None]:
        """Sends by the official package, called in a loop in a process of its own."""
        token = self.accounts[0].access_token()

        def send(count: int) -> None:
            users = ",".join(friend.user_id for friend in self._users)
            command = [sys.executable, "-m", "tests.bench.official"]
            given = [self.url, token, str(count), _TEXT, users]
            with on_core(servers.SERVER_CORE):
                subprocess.run([*command, *given], cwd=servers.ROOT, check=True, env=os.environ)

        return send

    def _effect(self, ordinal: int, now: int) -> Effect:
        of = ordinal % len(self.accounts)  # one account alone may send 2,000 a second
        payload: dict[str, Any] = {
            "channel": shop(of),
            "to": self._users[ordinal % _USERS].user_id,
            "messages": [{"type": "text", "text": _TEXT}],
        }
        id_ = self._ids.next(now)
        body = msgspec.json.encode(payload).decode()
        return Effect(id_, f"advertiser-{of}", "line.push", f"bench/{id_}", body, now)


@contextmanager
def playing() -> Iterator[Playing]:
    """The platform, open for the block; on the core of whoever opens it."""
    loop = asyncio.new_event_loop()
    platform = Platform(rate_limits=False)
    begun, end = threading.Event(), asyncio.Event()

    async def play() -> None:
        async with platform:
            begun.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(play(),), daemon=True)
    thread.start()
    if not begun.wait(_PATIENCE):
        raise RuntimeError("the simulated platform did not start")
    try:
        yield Playing(platform, loop)
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(_PATIENCE)
        loop.close()


def _wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("what was sent did not arrive")
        time.sleep(0.01)
