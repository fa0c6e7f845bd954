"""Rich menus: their part of the API, and the chore that looks after them on the platform."""

import asyncio
from collections.abc import Mapping

from adapters.http.api.menus import endpoints
from adapters.line.menus import MenuPlatform, MenuSync
from adapters.storage.menus import MenuReader
from gateway.domain.menus import RichMenu
from gateway.main.parts import Chore, Deps, Part

_LOOK_SECONDS = 10
"""So often it is looked what is due, even if nothing new was provisioned."""


def part(deps: Deps) -> Part:
    """All of rich menus."""
    reader = MenuReader(deps.database.dialect)
    cache = deps.store.cache

    def menus() -> Mapping[str, RichMenu]:
        return cache.held[RichMenu.table]  # type: ignore[return-value]  # kept by kind

    chores: dict[str, Chore] = {}
    if deps.platform is not None:
        chores["menus"] = _looking(deps, deps.platform, reader)
    return Part(endpoints=endpoints(reader, menus), chores=chores)


def _looking(deps: Deps, platform: MenuPlatform, reader: MenuReader) -> Chore:
    sync = MenuSync(store=deps.store, api=platform, reader=reader, clock=deps.clock, log=deps.log)
    seen, looked_at = -1, 0.0

    async def chore() -> None:
        nonlocal seen, looked_at
        await asyncio.sleep(1)
        now, version = asyncio.get_running_loop().time(), deps.store.cache.version
        if version == seen and now - looked_at < _LOOK_SECONDS:
            return
        while await sync.once():
            pass
        seen, looked_at = version, now

    return chore
