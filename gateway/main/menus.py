"""Rich menus: their part of the API, and the chore that looks after them on the platform."""

from collections.abc import Mapping

from adapters.http.api.menus import endpoints
from adapters.line.menus import MenuSync
from adapters.storage.menus import MenuReader
from gateway.domain.menus import RichMenu
from gateway.main.parts import Chore, Deps, Part, syncing

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
        sync = MenuSync(
            store=deps.store, api=deps.platform, reader=reader, clock=deps.clock, log=deps.log
        )
        chores["menus"] = syncing(deps, sync, _LOOK_SECONDS)
    return Part(endpoints=endpoints(reader, menus), chores=chores)
