"""Pages of shop cards on a real listener, and the platform that knows the customers."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import msgspec

from adapters.http.pages.base import Pages
from adapters.http.pages.cards import CardPages
from adapters.http.pages.cards import Platform as Asked
from adapters.http.pages.landing import Landing
from adapters.http.pages.screen import screen_routes
from adapters.line.login import LineLogins
from adapters.line.simulator.friends import Friend
from adapters.line.simulator.liff import LoginChannel
from adapters.line.simulator.platform import Platform
from adapters.storage.card_reader import CardReader
from adapters.storage.store import SqlStore
from gateway.domain.cards import ShopCard
from gateway.domain.line.channel import Channel
from gateway.domain.values import EVERYBODY, Counted, Ids
from gateway.errors import Permanent, Transient, Trouble
from gateway.ports import Route
from gateway.ports.line_platform import Bot, Person
from gateway.usecases.card_codes import Issue, Issued, Print, issue, print_code
from tests.support.browser import Shown, Site, site
from tests.support.cards import (
    CAFE,
    COFFEE,
    NOON,
    Coming,
    befriend,
    seed,
)
from tests.support.stores import Engine, dialect_of

BAR: Channel = msgspec.structs.replace(CAFE, id="bar", channel_id="777", liff_id="")


class Directory:
    """What the platform tells of its friends and accounts, in the way its adapter does."""

    def __init__(self, simulated: Platform) -> None:
        self._shop = simulated.channel("Acme")
        self.is_away = False

    async def profile(self, channel: Channel, user: str) -> Person:
        if self.is_away:
            raise Transient(Trouble.PLATFORM_DOWN)
        friend = self._shop.friends.get(user)
        if friend is None or not friend.following:
            raise Permanent(Trouble.PLATFORM_MISSING)
        return Person(user, friend.person.name, language="ja")

    async def bot(self, channel: Channel) -> Bot:
        if self.is_away:
            raise Transient(Trouble.PLATFORM_DOWN)
        return Bot(self._shop.bot_user_id, "@acme cafe", "Acme")

    def friend(self, name: str) -> Friend:
        return self._shop.friend(name)


@dataclass
class World:
    """A shop with cards on a real listener, and the platform that knows its customers."""

    site: Site
    line: Platform
    directory: Directory
    login: LoginChannel
    """Of :data:`CAFE`."""

    async def befriended(self, name: str) -> Friend:
        """A customer who is a friend of the shop, and whom we know as one."""
        friend = self.directory.friend(name)
        await self.site.store.run(befriend, Coming(friend.user_id, NOON, seed(16)))
        return friend

    async def code(self, card_id: str = "acme-card", **changed: Any) -> str:
        """The path of a new code of the screen."""
        asked: dict[str, Any] = {
            "counter": "",
            "points": 1,
            "seconds": 60,
            "at": self.site.now,
        } | changed
        issued = await self.site.store.run(
            issue, Issue(scope=EVERYBODY, card=card_id, seed=seed(0), **asked)
        )
        return f"/p/{issued.token}"

    async def printed(self) -> str:
        """The path of the printed code."""
        asked = Print(EVERYBODY, "acme-card", seed(0))
        issued: Issued = await self.site.store.run(print_code, asked)
        return f"/p/{issued.token}"

    async def scan(self, path: str, who: Friend, **more: Any) -> "Said":
        """What the page's script is told when a customer has opened it in LINE."""
        token = self.line.liff_id_token(who, self.login.id)
        return await self.post(path, {"id_token": token, **more})

    async def post(self, path: str, body: Any, **headers: str) -> "Said":
        """What a program is told that posts ``body``."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self.site.post(
            path, sent, **({"Content_Type": "application/json", "Accept": "*/*"} | headers)
        )
        return Said(answer)

    def counted(self, metric: str) -> dict[tuple[str, ...], int]:
        """What was counted of a metric, by its labels."""
        counts: Counter[tuple[str, ...]] = Counter()
        for fact in self.site.observer.facts:
            if isinstance(fact, Counted) and fact.metric == metric:
                counts[fact.labels] += fact.amount
        return dict(counts)


@dataclass(frozen=True)
class Said:
    """An answer to the page's script."""

    shown: Shown

    @property
    def status(self) -> int:
        return self.shown.status

    @property
    def document(self) -> Mapping[str, Any]:
        document: Mapping[str, Any] = json.loads(self.shown.text)
        if self.status >= 400:
            assert self.shown.headers["Content-Type"] == "application/problem+json"
            assert document["status"] == self.status
        return document

    @property
    def reason(self) -> str | None:
        return cast("str | None", self.document.get("reason"))


@asynccontextmanager
async def opened(engine: Engine, *cards: ShopCard) -> AsyncIterator[World]:
    """A world with these cards."""
    async with Platform(clock=lambda: world.site.now) as line, aiohttp.ClientSession() as session:
        login = line.login_channel()
        cafe = msgspec.structs.replace(CAFE, login_channel_id=login.id)
        engine.provision(cafe, BAR, COFFEE, *cards)
        directory = Directory(line)

        def routes(store: SqlStore, pages: Pages) -> Sequence[Route]:
            pages_of_cards = CardPages(
                store,
                CardReader(dialect_of(engine.name)),
                pages,
                store._observer,
                Ids(9),
                LineLogins(session, line.url),
                cast("Asked", directory),
            )
            landing = Landing(pages, {"/p": pages_of_cards.channel})
            return [*pages_of_cards.routes(), *landing.routes(), *screen_routes(pages)]

        async with site(engine, routes, NOON) as shop:
            world = World(shop, line, directory, login)
            yield world


def state(engine: Engine) -> list[Any]:
    """All that is kept of cards."""
    tables = ("cards", "card_points", "card_scans", "card_tries", "card_rewards")
    return [engine.rows(f"SELECT * FROM {table}") for table in tables]
