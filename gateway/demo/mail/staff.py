"""What the people of mail lists do, by the API: they import, confirm, and send campaigns."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from gateway.demo.mail.cast import MailShop
from gateway.demo.screen import Screen

_EVERY = 8.0  # seconds between two campaigns now and then
_LOOK = 0.2
_OPEN = ("queued", "attempting", "deferred")
PATIENCE = 30.0
"""So many seconds an import or a campaign may take, and no more is waited for."""

_LAWS = (
    "specified_commercial_transactions",
    "misleading_representations",
    "election_law",
)


class MailStaff:
    """All of them, with a token of the role ``manager``; ``api`` is the address."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        shops: Sequence[MailShop],
        screen: Screen,
        *,
        api: str,
        token: str,
    ) -> None:
        self._session = session
        self._shops = shops
        self._screen = screen
        self._api = api
        self._headers = {"Authorization": f"Bearer {token}"}
        self._made: list[str] = []

    async def prepare(self) -> None:
        """Confirm that the law is kept, and take everybody in.

        Raises:
            aiohttp.ClientError: the daemon does not answer as it should.
        """
        for shop in self._shops:
            path = f"/mail-lists/{shop.id}"
            await self._post(f"{path}/confirmation", dict.fromkeys(_LAWS, True))
            imported = await self._import(shop)
            said = f"{imported['added']} taken in, {imported['refused']} refused"
            self._screen.shop(shop.id, "imports", said)

    async def send(self, shop: MailShop, ordinal: int) -> int:
        """Make a campaign of a list, and let it go; returns its id. ``ordinal`` is which of the
        list's plans it is; behind the last one that is made again.
        """
        plan = shop.plans[min(ordinal, len(shop.plans) - 1)]
        made = await self._post("/mail-campaigns", {"list": shop.id, "plan": plan})
        await self._post(f"/mail-campaigns/{made['id']}/schedule")
        self._made.append(made["id"])
        self._screen.shop(shop.id, "mails", f"「{plan['name']}」")
        return int(made["id"])

    async def is_over(self, end: asyncio.Event) -> bool:
        """Let some time pass, in which people do other things; whether ``end`` came."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EVERY):
                await end.wait()
        return end.is_set()

    async def sent(self) -> None:
        """Wait until all mails of all campaigns had an answer, but not for ever."""
        deadline = time.monotonic() + PATIENCE
        for campaign in self._made:
            while time.monotonic() < deadline:
                shown = (await self._get(f"/mail-campaigns/{campaign}"))["campaign"]
                figures = await self._get(f"/mail-campaigns/{campaign}/figures")
                if shown["state"] not in ("scheduled", "fixing") and not any(
                    figures[state] for state in _OPEN
                ):
                    break
                await asyncio.sleep(_LOOK)

    async def _import(self, shop: MailShop) -> Any:
        """A file of recipients, up to its last line."""
        path = f"/mail-lists/{shop.id}/imports"
        query = {"name": f"{shop.id}.csv", **shop.stated}
        headers = {"Content-Type": "text/csv"}
        imported = await self._post(path, shop.file, headers=headers, params=query)
        deadline = time.monotonic() + PATIENCE
        while imported["state"] == "running" and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK)
            imported = await self._get(f"{path}/{imported['id']}")
        return imported

    async def _get(self, path: str) -> Any:
        async with self._session.get(
            self._api + path, headers=self._headers, raise_for_status=True
        ) as response:
            return await response.json()

    async def _post(
        self,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> Any:
        """Each under a key of its own: repeated, it is done once."""
        key = {"Idempotency-Key": secrets.token_hex(8)}
        sent: Any = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self._session.post(
            self._api + path,
            **sent,
            params=params,
            headers=self._headers | key | (headers or {}),
            raise_for_status=True,
        ) as response:
            return await response.json()
