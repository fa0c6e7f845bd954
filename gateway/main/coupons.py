"""Coupons: their pages, their part of the API, and what is done about them by the clock."""

import asyncio
import secrets

from adapters.http.api.coupons import endpoints
from adapters.http.pages.base import Pages
from adapters.http.pages.coupons import CouponPages
from adapters.line.coupons import CouponSync
from adapters.storage.coupon_reader import CouponReader
from gateway.domain.coupons.tickets import may_remind
from gateway.domain.values import Seed
from gateway.main.parts import Chore, Deps, Part
from gateway.ports import Lane
from gateway.ports.line_platform import CouponApi
from gateway.usecases.coupon_chores import (
    EXPIRE_AT_ONCE,
    REMIND_AT_ONCE,
    Reminding,
    expire,
    remind,
)

_LOOK_SECONDS = 30
_SYNC_EVERY = 60
"""Seconds after which the platform is brought in line even if nothing new was provisioned: a lost
answer is looked for, and a coupon that failed for want of a connection tried again."""


def part(deps: Deps) -> Part:
    """All of coupons."""
    reader = CouponReader(deps.database.dialect)
    pages = CouponPages(deps.store, reader, Pages(deps.observer, deps.log), deps.config.public_url)
    chores: dict[str, Chore] = {"coupons-expire": _expiring(deps), "coupons-remind": _remind(deps)}
    if deps.platform is not None:
        chores["coupons-sync"] = _syncing(deps, deps.platform)
    return Part(public=pages.routes(), endpoints=endpoints(reader), chores=chores)


def _expiring(deps: Deps) -> Chore:
    async def chore() -> None:
        await asyncio.sleep(_LOOK_SECONDS)
        while await deps.store.run(expire, deps.clock(), Lane.BACKGROUND) == EXPIRE_AT_ONCE:
            pass  # a unit at a time, each behind the webhooks that wait

    return chore


def _remind(deps: Deps) -> Chore:
    async def chore() -> None:
        await asyncio.sleep(_LOOK_SECONDS)
        now = deps.clock()
        while may_remind("", now):
            first = deps.ids.block(now, REMIND_AT_ONCE)
            seed = Seed(first, REMIND_AT_ONCE, secrets.token_bytes(16))
            asked = Reminding(now, seed)
            if await deps.store.run(remind, asked, Lane.BACKGROUND) < REMIND_AT_ONCE:
                return

    return chore


def _syncing(deps: Deps, api: CouponApi) -> Chore:
    sync = CouponSync(store=deps.store, api=api, clock=deps.clock, log=deps.log)
    seen, looked_at = -1, 0.0

    async def chore() -> None:
        nonlocal seen, looked_at
        await asyncio.sleep(1)
        now, version = asyncio.get_running_loop().time(), deps.store.cache.version
        if version == seen and now - looked_at < _SYNC_EVERY:
            return
        while await sync.once():
            pass
        seen, looked_at = version, now

    return chore
