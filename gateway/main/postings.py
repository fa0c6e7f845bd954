"""The posting calendar: its part of the API, and the reminders."""

import asyncio

from adapters.http.api.postings import endpoints
from adapters.storage.insight_reader import ChannelReader
from adapters.storage.postings import PostingReader
from gateway.main.parts import Chore, Deps, Part
from gateway.ports import Lane
from gateway.usecases.postings import REMIND_AT_ONCE, Reminding, remind

_LOOK_SECONDS = 30


def part(deps: Deps) -> Part:
    """All of the posting calendar."""
    dialect = deps.database.dialect
    return Part(
        endpoints=endpoints(ChannelReader(dialect), PostingReader(dialect)),
        chores={"postings-remind": _reminding(deps)},
    )


def _reminding(deps: Deps) -> Chore:
    async def chore() -> None:
        await asyncio.sleep(_LOOK_SECONDS)
        looked_at = REMIND_AT_ONCE
        while looked_at == REMIND_AT_ONCE:
            now = deps.clock()
            asked = Reminding(now, deps.seed(now, REMIND_AT_ONCE))
            looked_at = await deps.store.run(remind, asked, Lane.BACKGROUND)

    return chore
