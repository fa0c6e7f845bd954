"""The contents of messages: rows in the store, files on the disk, and where they come from."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from gateway.domain.line.channel import Channel
from gateway.domain.line.contents import Content
from gateway.domain.values import Scope


class Contents(Protocol):
    """Rows of contents. What is found is locked until the end of the transaction."""

    def find(self, scope: Scope, channel: str, message_id: str) -> Content | None:
        """The content of a message."""

    def save(self, scope: Scope, content: Content) -> None:
        """Keep a row, new or changed."""

    def of_friend(self, scope: Scope, friend: int) -> Sequence[Content]:
        """All that a friend sent."""

    def oldest(self, scope: Scope, limit: int) -> Sequence[Content]:
        """Those that are kept, from the one on that was fetched first."""

    def removing(self, scope: Scope, limit: int) -> Sequence[Content]:
        """Those whose files are to go."""

    def size(self, scope: Scope) -> int:
        """The bytes of all that are kept."""


class ContentReading(Protocol):
    """The same beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands in."""

    def content(self, connection: Any, channel: str, message_id: str) -> Content | None:
        """The content of a message."""


class Stored(msgspec.Struct, frozen=True):
    """A file that was written."""

    media_type: str
    bytes: int
    sha256: str


class Folder(Protocol):
    """The files. Paths are those of :func:`gateway.domain.line.contents.path_of`."""

    async def write(self, path: str, chunks: AsyncIterator[bytes], most: int) -> Stored | None:
        """Write a file whole and durably, or not at all; ``None`` where there is more than
        ``most`` bytes.

        Raises:
            OSError: the disk is full, or fails.
        """

    async def find(self, path: str) -> Path | None:
        """Where a file is; ``None`` where it is not here."""

    async def remove(self, path: str) -> None:
        """Take a file away, if it is there."""


class ContentSource(Protocol):
    """Where contents come from."""

    def opened(
        self, channel: Channel, message_id: str
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes] | None]:
        """The bytes of a content in pieces; ``None`` while the platform prepares it.

        Raises:
            Permanent: it is gone (``platform_missing``), or the platform refuses.
            Transient: the platform is busy, or does not answer.
        """
