"""A store with contents that were asked for, and what fetches them."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import structlog

from adapters.line.contents import Fetcher
from adapters.storage.content_folder import ContentFolder
from adapters.storage.contents import ContentReader
from adapters.storage.store import SqlStore
from gateway.domain.line.channel import Channel
from gateway.domain.line.contents import Content
from gateway.domain.line.events import Event
from gateway.domain.line.friends import Friend
from gateway.domain.values import Counted, Draw, Seed
from gateway.ports import Transaction
from gateway.ports.contents import ContentSource
from gateway.ports.outbox import Claimed, Outcome
from gateway.usecases import contents
from tests.support.stores import Engine, Recorder, dialect_of

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200_000)
DAY = 86_400

_ids = count(1)


@dataclass
class Desk:
    """A store with what was asked for, and a fetcher."""

    store: SqlStore
    engine: Engine
    channel: Channel
    folder: Path
    source: ContentSource
    recorder: Recorder
    now: int
    room: bool = True
    most: int = 1_000_000
    fetchers: list[Fetcher] = field(default_factory=list)

    def fetcher(self, files: ContentFolder | None = None) -> Fetcher:
        """One process's."""
        made = Fetcher(
            store=self.store,
            reader=ContentReader(dialect_of(self.engine.name)),
            source=self.source,
            folder=files or ContentFolder(self.folder),
            clock=lambda: self.now,
            most_bytes=self.most,
            has_room=lambda: self.room,
            log=structlog.get_logger("test"),
        )
        self.fetchers.append(made)
        return made

    async def ask(self, message: str, kind: str = "image") -> None:
        """A friend sends something."""
        event = Event(
            id=message,
            kind="message",
            at=self.now,
            mode="active",
            redelivered=False,
            raw="{}",
            message_id=message,
            message_kind=kind,
        )
        friend = Friend(self.channel.id, "U1", 7, "acme", self.now)

        def wanted(tx: Transaction, draw: Draw) -> tuple[None, tuple[()]]:
            contents.wanted(tx, self.channel, friend, event, self.now, draw)
            return None, ()

        await self.store.run(wanted, Seed(next(_ids) * 100, 4, b"x" * 16).draw())

    def effect(self, message: str, **changed: Any) -> Claimed:
        """What the worker claims for it."""
        payload, key, give_up = self.engine.rows(
            "SELECT payload, idempotency_key, give_up_at FROM outbox"
            f" WHERE idempotency_key LIKE '%/{message}'"
        )[0]
        claimed = Claimed(
            1, "acme", "line.content", key, payload, "", 0, give_up, "", 1, 0, self.now
        )
        return msgspec.structs.replace(claimed, **changed)

    async def fetch(self, message: str, **changed: Any) -> Outcome:
        """One attempt."""
        return await self.fetcher().carry_out(self.effect(message, **changed))

    async def row(self, message: str) -> Content:
        """What the store knows of it."""
        reader = ContentReader(dialect_of(self.engine.name))
        found = await self.store.read(reader.content, self.channel.id, message)
        assert found is not None
        return found

    @property
    def files(self) -> list[str]:
        """What lies in the folder."""
        return sorted(p.name for p in self.folder.rglob("*") if p.is_file())

    @property
    def counted(self) -> Counter[str]:
        """What was counted."""
        facts = [fact for fact in self.recorder.facts if isinstance(fact, Counted)]
        return Counter(f.labels[0] for f in facts if f.metric == "line_contents_total")


@asynccontextmanager
async def desk(
    engine: Engine, folder: Path, channel: Channel, source: ContentSource, now: int
) -> AsyncIterator[Desk]:
    engine.provision(channel)
    recorder = Recorder()
    async with engine.store(recorder) as store:
        made = Desk(store, engine, channel, folder / "contents", source, recorder, now)
        await made.ask("begin", kind="text")  # asks for nothing, and the channel is known
        yield made
        for fetcher in made.fetchers:
            await fetcher.close()
