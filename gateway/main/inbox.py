"""The inbox of staff: its part of the API, and the contents of messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.http.api import inbox, inbox_writes, templates
from adapters.line.contents import Fetcher
from adapters.storage.audience import AudienceReader
from adapters.storage.content_folder import ContentFolder
from adapters.storage.contents import ContentReader
from adapters.storage.conversations import ConversationReader
from adapters.storage.inbox import InboxReader
from gateway.config import Config
from gateway.domain.line.contents import Content
from gateway.domain.values import SECOND
from gateway.main.chores import Pace
from gateway.main.parts import Chore, Deps, Part
from gateway.ports import Lane
from gateway.ports.contents import ContentSource
from gateway.usecases.contents import Sweep, removed, sweep

_LOOK_SECONDS = 10
_TIDY_SECONDS = 3600
_DAY = 86_400 * SECOND


def part(deps: Deps) -> Part:
    """Conversations, notes and templates."""
    dialect = deps.database.dialect
    reader = InboxReader(dialect)
    return Part(
        endpoints=[
            *inbox.endpoints(
                ConversationReader(dialect),
                reader,
                AudienceReader(dialect),
                ContentReader(dialect),
                _folder(deps.config),
            ),
            *inbox_writes.endpoints(),
            *templates.endpoints(reader),
        ]
    )


@asynccontextmanager
async def contents(deps: Deps, source: ContentSource) -> AsyncIterator[Part]:
    """What fetches the contents of messages, and takes them away in time."""
    config = deps.config
    if config.line is None:  # there are no messages
        yield Part()
        return
    folder, most = _folder(config), config.line.content_disk_bytes
    held = _Held()
    fetcher = Fetcher(
        store=deps.store,
        reader=ContentReader(deps.database.dialect),
        source=source,
        folder=folder,
        clock=deps.clock,
        most_bytes=config.line.content_max_bytes,
        has_room=lambda: held.bytes <= most,
        log=deps.log,
    )
    chores = {"contents": _sweeping(deps, folder, held, most), "content-parts": _tidying(folder)}
    try:
        yield Part(chores=chores, handlers=fetcher.handlers)
    finally:
        await fetcher.close()


class _Held:
    """How many bytes were kept when they were last counted."""

    bytes = 0


def _sweeping(deps: Deps, folder: ContentFolder, held: _Held, most: int) -> Chore:
    pace = Pace(deps.clock)
    days = deps.config.retention.line_content_days

    async def chore() -> None:
        await asyncio.sleep(_LOOK_SECONDS)
        # What was taken back goes whatever our clock says; what is old only if that can be told.
        since = deps.clock() - days * _DAY if pace.is_even else 0
        while True:
            job = Sweep(since, most)
            gone, held.bytes = await deps.store.run(sweep, job, Lane.BACKGROUND)
            done = [content for content in gone if await _is_removed(deps, folder, content)]
            if not done:
                return
            await deps.store.run(removed, done, Lane.BACKGROUND)

    return chore


async def _is_removed(deps: Deps, folder: ContentFolder, content: Content) -> bool:
    """Whether a file is gone now. One that cannot be removed is tried again with the next look, and
    keeps no other from going.
    """
    try:
        await folder.remove(content.path)
    except OSError as error:
        deps.log.error("a content cannot be removed", path=content.path, error=error.strerror)
        return False
    return True


def _tidying(folder: ContentFolder) -> Chore:
    async def chore() -> None:
        await folder.tidy()
        await asyncio.sleep(_TIDY_SECONDS)

    return chore


def _folder(config: Config) -> ContentFolder:
    return ContentFolder(config.storage.state_dir / "contents")
