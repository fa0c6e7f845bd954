"""Pages on a real listener and a real store, asked from outside."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import structlog

from adapters.http.pages.base import Pages
from adapters.http.server import Listener
from adapters.storage.store import SqlStore
from gateway.ports import Route
from tests.support.stores import PATIENT, Engine, Recorder

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@dataclass
class Counting(Recorder):
    """An observer that also keeps what was refused."""

    refusals: list[tuple[str, str, str]] = field(default_factory=list)

    def refused(self, provider: str, route: str, reason: str) -> None:
        self.refusals.append((provider, route, reason))


@dataclass(frozen=True)
class Shown:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Site:
    """A listener that is up."""

    store: SqlStore
    observer: Counting
    http: aiohttp.ClientSession
    url: str
    now: int

    async def get(self, path: str, **headers: str) -> Shown:
        """The page at ``path``, as a browser asks for it; ``_`` stands for ``-`` in headers."""
        return await self._ask("GET", path, None, headers)

    async def post(self, path: str, fields: Any, **headers: str) -> Shown:
        """The page after a form was sent."""
        return await self._ask("POST", path, fields, headers)

    async def _ask(self, method: str, path: str, data: Any, headers: dict[str, str]) -> Shown:
        sent = BROWSER | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.request(method, self.url + path, data=data, headers=sent) as answer:
            return Shown(answer.status, answer.headers, await answer.text())


@asynccontextmanager
async def site(
    engine: Engine, routes: Callable[[SqlStore, Pages], Sequence[Route]], now: int
) -> AsyncIterator[Site]:
    """Pages that are served; ``now`` can be changed on what is given."""
    observer = Counting()
    log = structlog.get_logger("test")
    async with (
        engine.store(observer, limits=PATIENT, public_url="https://gw.example.jp") as store,
        aiohttp.ClientSession() as http,
    ):
        made = Site(store, observer, http, "", now)
        listener = Listener(
            ("127.0.0.1", 0),
            routes(store, Pages(observer, log)),
            observer=observer,
            clock=lambda: made.now,
            log=log,
        )
        await listener.start()
        made.url = f"http://127.0.0.1:{listener.port}"
        try:
            yield made
        finally:
            await listener.stop(1)
