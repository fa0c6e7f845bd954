"""Halts of sends, told in the log: whoever looks for why nothing goes out finds them there."""

import asyncio

from adapters.storage.outbox import EVERYBODYS, OutboxReader
from gateway.main.parts import Chore, Deps

_LOOK_SECONDS = 1.0


def telling(deps: Deps) -> Chore:
    """Log whose sends are halted, and when they go on; once each, and anew after a start."""
    reader = OutboxReader(deps.database.dialect)
    told: frozenset[str] = frozenset()

    async def chore() -> None:
        nonlocal told
        halted = await deps.store.read(reader.stopped)
        for whose in sorted(halted - told):
            deps.log.warning("sends are halted", advertiser=_name(whose))
        for whose in sorted(told - halted):
            deps.log.info("sends go on", advertiser=_name(whose))
        told = halted
        await asyncio.sleep(_LOOK_SECONDS)

    return chore


def _name(whose: str) -> str:
    return "all" if whose == EVERYBODYS else whose
