"""What friends do with their telephones: open pages, have coupons stamped, scan, answer."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from gateway.demo.cast import Shop
from gateway.demo.screen import Screen
from gateway.main.platform import Friend, Platform

_STAMPED = 0.6
"""Of the coupon pages that are opened by chance, so many are shown at the counter."""

_AGENT = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Line/15.0.0"}

_WORDS = (
    "受付の方がとても親切でした。",
    "待ち時間が短くて助かりました。",
    "駐車場が少し狭いです。",
)

Whose = tuple[str, str]
"""A shop, and a user of LINE."""


@dataclass
class Truth:
    """What friends know of what they have."""

    stamped: set[str] = field(default_factory=set)
    """Tokens of the coupons that were stamped."""
    won: set[str] = field(default_factory=set)
    """Those of coupons that came by another way than a message."""
    cards: dict[Whose, tuple[int, int]] = field(default_factory=dict)
    """Number and points of the card that they hold."""
    answered: Counter[str] = field(default_factory=Counter)
    """Surveys that were filled in, by shop."""
    clicks: int = 0
    """Short links that were followed."""


class Phones:
    """The telephones of all friends.

    ``api`` is the address of the admin API, and ``token`` that of the staff, whose device makes
    the codes on a counter's screen.
    """

    def __init__(
        self,
        platform: Platform,
        shops: Sequence[Shop],
        screen: Screen,
        *,
        public_url: str,
        api: str,
        token: str,
    ) -> None:
        self.truth = Truth()
        self._platform = platform
        self._shops = {shop.account.id: shop for shop in shops}
        self._screen = screen
        self._public_url = public_url
        self._api = api
        self._headers = {"Authorization": f"Bearer {token}"}
        self._luck = random.Random(platform.ids.seed)  # noqa: S311 - a friend's whims

    async def open(self, friend: Friend, url: str) -> None:
        """Tap an address: a coupon may be shown at the counter then, a survey is answered."""
        what, _ = parts_of(url)
        if what == "q":
            await self.answer(friend, url)
        elif what == "r":
            await self._get(url)
            self.truth.clicks += 1
            shop = self._shops[friend.channel.id]
            self._screen.friend(shop.id, friend.user_id, "clicks")
        elif what in ("c", "p"):
            await self._get(url)
            if what == "c" and self._luck.random() < _STAMPED:
                await self.show_coupon(friend, url)

    async def show_coupon(self, friend: Friend, url: str) -> None:
        """Have a coupon stamped: the staff type the shop's PIN."""
        shop = self._shops[friend.channel.id]
        status, _ = await self._post(url, data={"pin": shop.pin})
        if status != 200:  # it was stamped before
            return
        self.truth.stamped.add(parts_of(url)[1])
        self._screen.friend(shop.id, friend.user_id, "coupon", "stamped")

    async def scan(self, friend: Friend, channel: str) -> None:
        """Scan the code on the counter's screen."""
        shop = self._shops[channel]
        if not shop.card:
            return
        url = f"{self._api}/cards/{shop.card}/codes"
        async with self._platform.session.post(
            url, json={}, headers=self._headers, raise_for_status=True
        ) as response:
            code = await response.json()
        page = f"{self._public_url}/p/{code['token']}"
        await self._get(page)
        id_token = self._platform.liff_id_token(friend, shop.login.id)
        status, told = await self._post(page, json={"id_token": id_token})
        if status == 202:
            self._screen.friend(shop.id, friend.user_id, "scans", "is no friend yet")
        elif status == 200:
            card = told["card"]
            self.truth.cards[shop.id, friend.user_id] = (card["number"], card["points"])
            prizes = [prize["url"] for prize in told["prizes"] if prize["url"]]
            self.truth.won.update(parts_of(url)[1] for url in prizes)
            stand = f"+{told['points']}: {card['points']} of {card['size']}"
            self._screen.friend(shop.id, friend.user_id, "points", stand)

    async def answer(self, friend: Friend, url: str) -> None:
        """Fill in the page of a survey."""
        form = _Form(self._luck)
        form.feed(await self._get(url))
        if not form.filled:  # the page of one that was answered has none
            return
        status, _ = await self._post(url, data=form.filled)
        if status != 200:
            return
        shop = self._shops[friend.channel.id]
        self.truth.answered[shop.id] += 1
        self._screen.friend(shop.id, friend.user_id, "survey", "answered")

    async def _get(self, url: str) -> str:
        async with self._platform.session.get(
            self._real(url), headers=_AGENT, allow_redirects=False
        ) as response:
            return await response.text()

    async def _post(self, url: str, **body: Any) -> tuple[int, Any]:
        url = self._real(url)
        async with self._platform.session.post(url, headers=_AGENT, **body) as response:
            is_json = response.content_type == "application/json"
            return response.status, await (response.json() if is_json else response.text())

    def _real(self, url: str) -> str:
        """Where to connect for an address of ours; a telephone of the demo goes nowhere else."""
        real = self._platform.reach(url)
        assert real is not None, url  # noqa: S101 - parts_of knows none but ours
        return real


def parts_of(url: str) -> tuple[str, str]:
    """What one of our pages is for, and its token: ``/c/x`` is ``("c", "x")``."""
    what, _, token = urlsplit(url).path.lstrip("/").partition("/")
    return (what, token) if what in ("c", "p", "q", "r") else ("", "")


class _Form(HTMLParser):
    """Fills in the form of a page as somebody in a good mood would."""

    def __init__(self, luck: random.Random) -> None:
        super().__init__()
        self.filled: dict[str, str] = {}
        self._luck = luck
        self._offered: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An input: of several under one name each is as likely."""
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "textarea":
            self.filled[name] = self._luck.choice(_WORDS)
        elif given.get("type") == "radio":
            self._offered[name] += 1
            if self._luck.random() < 1 / self._offered[name]:
                self.filled[name] = given["value"]
        elif given.get("type") == "checkbox" and self._luck.random() < 0.5:
            self.filled[name] = given["value"]
