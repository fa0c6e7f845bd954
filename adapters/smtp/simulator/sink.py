"""A server that takes letters, as far as its habits let it."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from adapters.smtp.simulator.certificates import self_signed
from adapters.smtp.simulator.habits import Fate, Habits
from adapters.smtp.simulator.kept import Keep, Letter, Mailbox
from adapters.smtp.simulator.session import Session


def _now() -> int:
    return time.time_ns() // 1_000


async def _at_once() -> None:
    """There is always room."""


class Sink:
    """An SMTP server on 127.0.0.1; use it with ``async with``.

    What it took lies in :attr:`mailbox`; ``heard`` is told of each letter, with its text in any
    case, and no letter is answered before ``room`` returns. The last ``transcript`` command lines
    of all clients are kept in :attr:`said`.
    """

    def __init__(
        self,
        habits: Habits | None = None,
        *,
        seed: int = 0,
        keep: Keep = "raw",
        clock: Callable[[], int] = _now,
        heard: Callable[[Letter], object] = lambda letter: None,
        room: Callable[[], Awaitable[None]] = _at_once,
        transcript: int = 10_000,
    ) -> None:
        self._habits = habits or Habits()
        self._fate = Fate(self._habits.rules, seed)
        self._clock = clock
        self._heard = heard
        self._room = room
        self._context: ssl.SSLContext | None = None
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self.mailbox = Mailbox(keep)
        self.said: deque[str] = deque(maxlen=transcript)
        self.port = 0
        self.certificate = b""
        """PEM of the certificate that it made for itself, where it speaks TLS."""
        self.connections = 0
        """How many were accepted."""

    async def __aenter__(self) -> Self:
        habits = self._habits
        if habits.starttls or habits.implicit_tls:
            self._context, self.certificate = await asyncio.to_thread(self_signed, habits.name)
        implicit = self._context if habits.implicit_tls else None
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, ssl=implicit
        )
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            for session in tuple(self._sessions):
                session.cancel()
            await asyncio.gather(*self._sessions, return_exceptions=True)
            await self._server.wait_closed()

    def behave(self, habits: Habits, seed: int = 0) -> None:
        """Change the habits for connections to come; whether TLS is spoken stays as it was."""
        self._habits = habits
        self._fate = Fate(habits.rules, seed)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        self._sessions.add(task)
        session = Session(
            reader,
            writer,
            self._habits,
            self._fate,
            take=self._take,
            said=self.said.append,
            context=self._context,
        )
        try:
            await session.run()
        except asyncio.CancelledError:
            pass  # the sink closes; the streams' own callback would report it as a fault
        finally:
            writer.transport.abort()
            self._sessions.discard(task)

    async def _take(self, sender: str, recipients: list[str], raw: bytes) -> None:
        for recipient in recipients:
            self._heard(self.mailbox.add(sender, recipient, raw, self._clock()))
        await self._room()
