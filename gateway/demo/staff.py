"""What the shops' own people do, by the API: they push, and answer who wants to talk."""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from gateway.demo.cast import Shop
from gateway.demo.screen import Screen
from gateway.main.platform import Platform

_FIRST_PUSH, _PUSH_EVERY = 2.5, 6.0  # seconds
_LOOK = 1.0
_OVER = ("done", "cancelled", "halted", "failed")
_ANSWERS = (
    "お待たせしました。来週の土曜日は14時が空いております。",
    "お問い合わせありがとうございます。担当の者が確認いたします。",
    "かしこまりました。当日お待ちしております。",
)


@dataclass(frozen=True)
class Pushed:
    """What the store says of pushes."""

    origins: frozenset[str]
    """What the messages of those say that they come of which these people made. Whoever watches may
    make others, also for a time at which the demonstration is over.
    """
    unfinished: int
    sent: int
    """Friends whom they were sent to."""
    clicks: int
    """Those on links of all pushes: friends do not ask who made one."""


class Staff:
    """The people of all shops, with a token of the role ``manager``; ``api`` is the address."""

    def __init__(
        self, platform: Platform, shops: Sequence[Shop], screen: Screen, *, api: str, token: str
    ) -> None:
        self._platform = platform
        self._shops = [shop for shop in shops if shop.push]
        self._screen = screen
        self._api = api
        self._headers = {"Authorization": f"Bearer {token}"}
        self._pushes: set[str] = set()

    async def play(self, end: asyncio.Event) -> None:
        """Work until ``end``."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._push(end))
            tasks.create_task(self._answer(end))

    async def pushed(self) -> Pushed:
        """How the pushes stand."""
        pushes, after = [], None
        while True:
            page = await self._get("/pushes", limit=100, **({"cursor": after} if after else {}))
            pushes += page["items"]
            after = page["next"]
            if after is None:
                break
        clicks = 0
        for push in pushes:
            clicks += (await self._get(f"/pushes/{push['id']}"))["clicks"]
        made = [push for push in pushes if push["id"] in self._pushes]
        unfinished = sum(push["state"] not in _OVER or push["waiting"] > 0 for push in made)
        origins = frozenset(f"push:{push['id']}" for push in made)
        return Pushed(origins, unfinished, sum(push["sent"] for push in made), clicks)

    async def _push(self, end: asyncio.Event) -> None:
        for ordinal in count():
            if await _passed(end, _PUSH_EVERY if ordinal else _FIRST_PUSH):
                return
            shop = self._shops[ordinal % len(self._shops)]
            made = await self._post("/pushes", {"channel": shop.id, **shop.push})
            if made is not None:
                self._pushes.add(made["id"])
                whom = shop.push.get("segment", "all friends")
                self._screen.shop(shop.id, "pushes", f"to {whom}")

    async def _answer(self, end: asyncio.Event) -> None:
        """Answer who wrote while people have the conversation."""
        while not await _passed(end, _LOOK):
            page = await self._get("/conversations", state="staffed", limit=20)
            for conversation in page["items"]:
                if conversation["unread"]:
                    said = {"text": secrets.choice(_ANSWERS)}
                    path = f"/conversations/{conversation['id']}"
                    if await self._post(f"{path}/messages", said) is not None:
                        self._screen.shop(conversation["channel"], "answers", "a friend")
                    await self._post(f"{path}/read")

    async def _get(self, path: str, **query: Any) -> Any:
        async with self._platform.session.get(
            self._api + path, params=query, headers=self._headers, raise_for_status=True
        ) as response:
            return await response.json()

    async def _post(self, path: str, body: Any = None) -> Any:
        """What a write was answered; ``None`` where it was refused. It goes under a key of its own:
        repeated, it is done once.
        """
        headers = {**self._headers, "Idempotency-Key": secrets.token_hex(8)}
        async with self._platform.session.post(
            self._api + path, json=body, headers=headers
        ) as response:
            answer = await response.json(content_type=None)
            return answer if response.ok else None


async def _passed(end: asyncio.Event, seconds: float) -> bool:
    """Whether ``end`` came within ``seconds``."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(end.wait(), seconds)
    return end.is_set()
