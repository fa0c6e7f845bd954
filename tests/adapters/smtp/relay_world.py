"""A post with letters, a relay that sends them, and a server that answers by a script."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from adapters.smtp.delivery.envelopes import Envelope
from adapters.smtp.delivery.relay import Relay
from adapters.smtp.delivery.settings import RelayConfig, Seconds
from gateway.domain.mail.answers import Answer
from tests.support.stores import PATIENCE

MESSAGE = b"Message-ID: <%d@example.jp>\r\nSubject: x\r\n\r\n\xe3\x81\x82\r\n".replace(
    b"\xe3\x81\x82", b"hello"
)


def letter(number: int, *, message: bytes = b"", **fields: Any) -> Envelope:
    known: dict[str, Any] = {
        "sender": f"b+{number}@bounce.example.jp",
        "recipient": f"r{number}@example.jp",
        "message": message or MESSAGE % number,
        "ref": number,
    }
    return Envelope(**(known | fields))


class Letters:
    """A post of the given letters; it keeps what was taken and what came of it, in order."""

    def __init__(self, letters: Sequence[Envelope]) -> None:
        self.left = list(letters)
        self.taken: list[Any] = []
        self.answers: list[tuple[Any, Answer]] = []
        self._some = asyncio.Event()
        self._settled = asyncio.Event()
        if letters:
            self._some.set()

    def add(self, *letters: Envelope) -> None:
        self.left += letters
        self._some.set()

    def take(self) -> Envelope | None:
        if not self.left:
            self._some.clear()
            return None
        envelope = self.left.pop(0)
        self.taken.append(envelope.ref)
        return envelope

    def settle(self, envelope: Envelope, answer: Answer) -> None:
        self.answers.append((envelope.ref, answer))
        self._settled.set()

    async def wait(self) -> None:
        await self._some.wait()

    async def settled(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.answers) < count:
                self._settled.clear()
                await self._settled.wait()

    @property
    def outcomes(self) -> dict[Any, str]:
        return {ref: answer.outcome for ref, answer in self.answers}

    @property
    def stages(self) -> dict[Any, tuple[str, str]]:
        return {ref: (answer.outcome, answer.stage) for ref, answer in self.answers}


PATIENT = Seconds(*[PATIENCE] * 6)


def config(port: int, **fields: Any) -> RelayConfig:
    """One patient connection; a pause after a failure is a moment."""
    known: dict[str, Any] = {
        "name": "r",
        "host": "127.0.0.1",
        "port": port,
        "tls": "off",
        "connections": 1,
        "seconds": PATIENT,
        "pause_least": 0.001,
        "pause_most": 0.01,
    }
    return RelayConfig(**(known | fields))


@asynccontextmanager
async def relaying(post: Letters, settings: RelayConfig) -> AsyncIterator[Relay]:
    relay = Relay(settings, post, rng=random.Random(1))
    running = asyncio.create_task(relay.run())
    try:
        yield relay
        if not running.done():
            await relay.drain(PATIENCE)
        await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def sent(post: Letters, port: int, **fields: Any) -> Letters:
    """Send all letters of a post until each has its answer."""
    count = len(post.left)
    async with relaying(post, config(port, **fields)):
        await post.settled(count)
    return post


class Scripted:
    """A server that says what the test tells it, whatever it hears.

    Each turn is bytes to say once something more was heard; ``None`` cuts the connection. The
    last turn is followed by a cut. Every connection begins the script anew, up to ``times``;
    those after the first follow ``later`` where it is given.
    """

    def __init__(
        self,
        turns: Sequence[bytes | None],
        *,
        times: int = 1,
        later: Sequence[bytes | None] | None = None,
    ) -> None:
        self._turns = turns
        self._later = turns if later is None else later
        self._times = times
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.heard: list[bytes] = []
        self.port = 0

    async def __aenter__(self) -> "Scripted":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._times -= 1
        try:
            if self._times >= 0:
                await self._talk(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turns, self._turns = self._turns, self._later
        for place, turn in enumerate(turns):
            if place:
                data = await reader.read(1 << 20)
                self.heard.append(data)
                if not data:
                    return
            if turn is None:
                return
            writer.write(turn)
            await writer.drain()
