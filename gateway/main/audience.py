"""Tags, segments, pushes, steps and short links: their pages, their part of the API, and what is
done about them by the clock.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from adapters.http.api import audience, links, pushes
from adapters.http.pages.base import Pages
from adapters.http.pages.links import LinkPages
from adapters.storage.audience import AudienceReader
from adapters.storage.links import LinkReader
from adapters.storage.pushes import PushReader
from adapters.storage.quota import QuotaReader
from gateway.domain.line.channel import Channel
from gateway.domain.links import ENTRY_HOURS, Link
from gateway.domain.pushes import PROGRESS
from gateway.domain.values import SECOND
from gateway.errors import Permanent, Transient
from gateway.main.chores import Pace, clean_up
from gateway.main.parts import Chore, Deps, Part
from gateway.ports import Lane, UseCase
from gateway.ports.line_platform import AudienceApi
from gateway.usecases import narrowcasts, push_sending, steps
from gateway.usecases.links import CODED_AT_ONCE, Coding, forget, give_codes
from gateway.usecases.links import Forget as ForgetVisits

_LOOK_SECONDS = 0.5
_CODES_SECONDS = 1
_NARROWCAST_SECONDS = 60
_FORGET_SECONDS = 600
_DAY = 86_400 * SECOND


def part(deps: Deps) -> Part:
    """All of them. Without LINE nothing goes out, and who comes by an entry link stays unknown."""
    dialect = deps.database.dialect
    reader, codes = PushReader(dialect), LinkReader(dialect)
    friends, quotas = AudienceReader(dialect), QuotaReader(dialect)

    def held(kind: type[Any]) -> Mapping[str, Any]:
        return deps.store.cache.held[kind.table]

    chores: dict[str, Chore] = {
        "pushes": _pushing(deps, reader),
        "link-codes": _coding(deps, codes),
        "audience-retention": _forgetting(deps),
    }
    if deps.platform is not None:
        chores["narrowcasts"] = _narrowcasting(deps, deps.platform, reader)
    return Part(
        public=link_pages(deps).routes(),
        endpoints=[
            *audience.endpoints(friends, reader, quotas, held),
            *pushes.endpoints(reader, friends, quotas, codes, held),
            *links.endpoints(codes, held, deps.config.public_url),
        ],
        chores=chores,
    )


def link_pages(deps: Deps) -> LinkPages:
    """The pages of short links; their ``channel`` tells where LIFF comes in to an entry link."""
    reader = LinkReader(deps.database.dialect)
    return LinkPages(deps.store, reader, Pages(deps.observer, deps.log), deps.ids, deps.logins)


def _pushing(deps: Deps, reader: PushReader) -> Chore:
    """Take pushes and steps on that are due: a unit at a time, each behind the webhooks."""

    async def chore() -> None:
        push, step = await deps.store.read(reader.is_due, deps.clock())
        if not push and not step:
            await asyncio.sleep(_LOOK_SECONDS)
            return
        try:
            if push:
                now = deps.clock()
                job = push_sending.Advance(now, deps.seed(now, push_sending.IDS_A_STEP))
                await deps.store.run(push_sending.advance, job, Lane.BACKGROUND)
        finally:  # whatever becomes of pushes, steps go on
            if step:
                now = deps.clock()
                due = steps.Sending(now, deps.seed(now, steps.AT_ONCE))
                await deps.store.run(steps.send, due, Lane.BACKGROUND)

    return chore


def _coding(deps: Deps, reader: LinkReader) -> Chore:
    """Give each link that is provisioned a code to print."""
    seen = -1

    async def chore() -> None:
        nonlocal seen
        await asyncio.sleep(_CODES_SECONDS)
        version = deps.store.cache.version
        if version == seen:
            return
        names = sorted(deps.store.cache.held[Link.table])
        missing = await deps.store.read(reader.uncoded, names)
        for begin in range(0, len(missing), CODED_AT_ONCE):
            now = deps.clock()
            some = tuple(missing[begin : begin + CODED_AT_ONCE])
            await deps.store.run(give_codes, Coding(some, now, deps.seed(now, 0)), Lane.BACKGROUND)
        seen = version

    return chore


def _narrowcasting(deps: Deps, platform: AudienceApi, reader: PushReader) -> Chore:
    """Ask LINE how narrowcasts went, for the two weeks in which it says so."""

    async def chore() -> None:
        await asyncio.sleep(_NARROWCAST_SECONDS)
        for push in await deps.store.read(reader.narrowcasts, deps.clock() - PROGRESS):
            channel = deps.store.entity(Channel, push.channel)
            if channel is None:
                continue
            try:
                said = await platform.narrowcast(channel, push.request)
                progress = narrowcasts.Progress(
                    push=push.id,
                    phase=str(said.get("phase", "")),
                    success=int(said.get("successCount") or 0),
                    failure=int(said.get("failureCount") or 0),
                    now=deps.clock(),
                )
                await deps.store.run(narrowcasts.keep, progress, Lane.BACKGROUND)
            except (Transient, Permanent):
                continue  # the next look asks again
            except Exception as error:  # one channel's fault is not the others' end
                deps.log.error("a narrowcast failed", channel=channel.id, exc_info=error)

    return chore


def _forgetting(deps: Deps) -> Chore:
    pace = Pace(deps.clock)
    kept = deps.config.retention.line_event_days * _DAY

    async def chore() -> None:
        await asyncio.sleep(_FORGET_SECONDS)
        if not pace.is_even:
            return
        now = deps.clock()
        entered = now - ENTRY_HOURS * 3600 * SECOND - _DAY
        jobs: list[tuple[UseCase[int], Any]] = [
            (push_sending.forget, push_sending.Forget(now - kept)),
            (forget, ForgetVisits("link-clicks", now - kept)),
            (forget, ForgetVisits("link-entries", entered)),
        ]
        await clean_up(deps.store, jobs)

    return chore
