"""The friends of the shops: some come for one thing and do it, the others just live."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from gateway.demo.cast import Shop
from gateway.demo.phones import Phones, parts_of
from gateway.demo.screen import Screen
from gateway.main.platform import Crowd, Friend, Habits, offered

_RATE = 4.0  # things that the crowd of a shop does in a second
_SIZE = 8  # friends in the crowd of a shop
_PATIENCE = 10.0
"""So many seconds a friend who came for one thing waits for an answer."""

_LOOK = 0.3
"""Seconds after which somebody who waits for news looks again."""

_HABITS = Habits(tap=35, scan=20)

_BREATH = 0.01
"""Seconds between two things that one friend does: the platform tells times in milliseconds, and of
a block and a return within one nobody knows which was last."""


class Friends:
    """All of them."""

    def __init__(self, shops: Sequence[Shop], phones: Phones, screen: Screen, seed: int) -> None:
        self._shops = shops
        self._phones = phones
        self._screen = screen
        self._seed = seed

    async def play(self, end: asyncio.Event) -> None:
        """Live until ``end``, and come to the end of what was begun."""
        async with asyncio.TaskGroup() as tasks:
            for place, shop in enumerate(self._shops):
                crowd = _Crowd(shop, self._phones, self._screen, self._seed + place)
                tasks.create_task(crowd.run(rate=_RATE, until=end))
                for visit in (self._customer, self._asker, self._leaver, self._returner):
                    tasks.create_task(visit(shop))
                if shop.card:
                    tasks.create_task(self._walk_in(shop))
                if shop.push:
                    tasks.create_task(self._reader(shop, end))

    async def _customer(self, shop: Shop) -> None:
        """Comes for the shop's offer, and uses it."""
        friend = shop.account.friend("常連 一郎")
        await self._follow(shop, friend)
        for action in await _ask(friend, shop.offer):
            url = str(action.get("uri", ""))
            if parts_of(url)[0] == "c":
                await self._phones.show_coupon(friend, url)
            elif url:
                await self._phones.open(friend, url)

    async def _walk_in(self, shop: Shop) -> None:
        """Scans before being a friend, and becomes one in the same flow."""
        friend = shop.account.friend("通り 二郎")
        await self._phones.scan(friend, shop.account.id)
        await self._follow(shop, friend)
        await self._phones.scan(friend, shop.account.id)

    async def _reader(self, shop: Shop, end: asyncio.Event) -> None:
        """Stays, and follows the links in what is pushed."""
        friend = shop.account.friend("読者 六子")
        await self._follow(shop, friend)
        await _ask(friend, shop.offer)
        read = len(friend.inbox)
        while not end.is_set():
            fresh, read = len(friend.inbox) - read, len(friend.inbox)
            for action in offered(friend, fresh) if fresh else ():
                if parts_of(str(action.get("uri", "")))[0] == "r":
                    await self._phones.open(friend, str(action["uri"]))
            await asyncio.sleep(_LOOK)

    async def _asker(self, shop: Shop) -> None:
        """Wants to talk to people."""
        friend = shop.account.friend("質問 三郎")
        await self._follow(shop, friend)
        await _ask(friend, shop.staff)
        self._screen.friend(shop.id, friend.user_id, "to staff")
        await friend.say("来週の土曜日は空いていますか?")
        await _ask(friend, "終了")

    async def _leaver(self, shop: Shop) -> None:
        """Became a friend by mistake."""
        friend = shop.account.friend("去り 四郎")
        await self._follow(shop, friend)
        await self._block(shop, friend)

    async def _returner(self, shop: Shop) -> None:
        """Blocks, and comes back."""
        friend = shop.account.friend("戻り 五郎")
        await self._follow(shop, friend)
        await self._block(shop, friend)
        await self._follow(shop, friend)

    async def _follow(self, shop: Shop, friend: Friend) -> None:
        """Become a friend, and wait for the greeting."""
        before = len(friend.inbox)
        self._screen.friend(shop.id, friend.user_id, "follows")
        await friend.follow()
        await _answer(friend, before)

    async def _block(self, shop: Shop, friend: Friend) -> None:
        self._screen.friend(shop.id, friend.user_id, "blocks")
        await friend.unfollow()
        await asyncio.sleep(_BREATH)


async def _ask(friend: Friend, text: str) -> list[dict[str, Any]]:
    """Write something; returns what can be tapped on in the answer."""
    before = len(friend.inbox)
    await friend.say(text)
    await _answer(friend, before)
    return offered(friend, len(friend.inbox) - before) if len(friend.inbox) > before else []


async def _answer(friend: Friend, before: int) -> None:
    """Wait until there is more than ``before``; in the end friends do something else."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE
    while len(friend.inbox) == before and loop.time() < until:  # noqa: ASYNC110 - an inbox tells nobody
        await asyncio.sleep(0.02)


class _Crowd(Crowd):
    """The friends of one shop who just live, each doing one thing after the other."""

    def __init__(self, shop: Shop, phones: Phones, screen: Screen, seed: int) -> None:
        super().__init__(
            [shop.account],
            seed=seed,
            size=_SIZE,
            keywords=shop.keywords,
            habits=_HABITS,
            open_page=phones.open,
            scan=phones.scan,
        )
        self._shop = shop
        self._screen = screen
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def act(self, friend: Friend, luck: int) -> None:
        """One thing, once the friend has done the one before."""
        async with self._busy[friend.user_id]:
            followed = friend.following
            await super().act(friend, luck)
            await asyncio.sleep(_BREATH)
        if friend.following != followed:
            what = "blocks" if followed else "follows"
            self._screen.friend(self._shop.id, friend.user_id, what)
