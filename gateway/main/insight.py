"""Figures of channels: counted here, asked of LINE, and shown by the API."""

import asyncio
from collections.abc import Sequence

from adapters.http.api.insight import endpoints
from adapters.line.insight import InsightSync
from adapters.storage.insight_reader import ChannelReader, InsightReader
from adapters.storage.tallies import TallyReader
from gateway.domain.insight import Clicks, Tally, attributed, begin_of, day_of, push_of
from gateway.main.parts import Chore, Deps, Part
from gateway.ports import Clock, Lane
from gateway.ports.insight import TallyReading
from gateway.ports.line_platform import InsightApi
from gateway.ports.reading import Reads
from gateway.usecases.insight import AT_ONCE, Rolled, Rolling, counted, keep_own, rolling

_ROLL_SECONDS = 900
_ASK_SECONDS = 60
_FIRST_SECONDS = 5
"""After a start there is more to do than counting."""


def part(deps: Deps) -> Part:
    """All of figures."""
    dialect = deps.database.dialect
    chores: dict[str, Chore] = {"insight-roll": _rolling(deps)}
    if deps.platform is not None:
        chores["insight-ask"] = _asking(deps, deps.platform)
    return Part(endpoints=endpoints(ChannelReader(dialect), InsightReader(dialect)), chores=chores)


def _rolling(deps: Deps) -> Chore:
    reader = TallyReader(deps.database.dialect)
    pause = _FIRST_SECONDS

    async def chore() -> None:
        nonlocal pause
        await asyncio.sleep(pause)
        await roll(deps.store, reader, deps.clock)
        pause = _ROLL_SECONDS

    return chore


async def roll(store: Reads, reader: TallyReading, clock: Clock) -> None:
    """Count the days that are not counted for good, from what the store holds of them.

    Each is read anew, so that it does not matter how often that is done, or by how many.

    Raises:
        Transient: the store is away; the next time it is all counted.
    """
    now = clock()
    job = await store.run(rolling, now, Lane.BACKGROUND)
    if not job.channels:
        return
    since = begin_of(job.first)
    tallies: list[Tally] = []
    clicks: list[Clicks] = []
    for begin, end in job.stretches(now):
        tallies += await store.read(reader.tallies, begin, end, since)
        clicks += await store.read(reader.clicks, begin, end)
    tallies += await _attributed(store, reader, job, clicks)
    standing = {
        (channel, day): await store.read(reader.standing, channel, begin_of(day + 1))
        for channel, _ in job.channels
        for day in job.days
    }
    days = counted(job, tallies, standing)
    for begin in range(0, len(days), AT_ONCE):
        some = tuple(days[begin : begin + AT_ONCE])
        is_last = begin + AT_ONCE >= len(days)
        await store.run(keep_own, Rolled(some, now, is_last), Lane.BACKGROUND)


async def _attributed(
    store: Reads, reader: TallyReading, job: Rolling, clicks: Sequence[Clicks]
) -> list[Tally]:
    pushes = {push for click in clicks if (push := push_of(click.origin)) is not None}
    channels = await store.read(reader.pushes, sorted(pushes)) if pushes else {}
    return attributed(clicks, channels, job.links, job.channels_of())


def _asking(deps: Deps, platform: InsightApi) -> Chore:
    sync = InsightSync(store=deps.store, api=platform, clock=deps.clock, log=deps.log)
    pause, seen = _FIRST_SECONDS, (-1, -1)

    async def chore() -> None:
        nonlocal pause, seen
        await asyncio.sleep(pause)
        pause = _ASK_SECONDS
        now = (deps.store.cache.version, day_of(deps.clock()))
        if now != seen:  # there are more channels, or there is another day to be asked about
            await sync.expect()
            seen = now
        await sync.once()

    return chore
