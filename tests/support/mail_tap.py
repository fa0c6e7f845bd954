"""A proxy before a mail server: it knows where in what a client wrote each MAIL FROM stands.

So it can be told exactly whether a letter was begun before or after something else happened in the
same process, however busy the machine is: what was written before lies in the kernel's buffers.
"""

import asyncio
import fcntl
import re
import socket
import struct
import termios
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

_READ = 65_536
_MAIL = re.compile(rb"MAIL FROM:<([^>]*)>", re.IGNORECASE)


@dataclass(frozen=True)
class Begun:
    """A letter that was begun."""

    sender: str
    connection: int
    offset: int
    """Where its MAIL FROM begins in what the client wrote, in bytes."""


@dataclass(frozen=True)
class Instant:
    """An instant, as the connections know it."""

    connections: int
    """So many were there."""
    written: Mapping[int, int]
    """How much clients had written on those that were open, in bytes."""

    def is_before(self, begun: Begun) -> bool:
        """Whether a letter was begun after it."""
        if begun.connection >= self.connections:
            return True
        return begun.offset >= self.written.get(begun.connection, begun.offset + 1)


@dataclass
class _Line:
    """A connection, as far as it was read."""

    peer: socket.socket
    read: int = 0
    rest: bytes = b""
    begun: list[tuple[str, int]] = field(default_factory=list)

    def take(self, data: bytes) -> None:
        """Look at what came."""
        self.read += len(data)
        *lines, rest = (self.rest + data).split(b"\n")
        at = self.read - len(rest) - sum(len(line) + 1 for line in lines)
        for line in lines:
            if found := _MAIL.match(line):
                self.begun.append((found[1].decode("ascii"), at))
            at += len(line) + 1
        self.rest = rest

    def written(self) -> int:
        """What was read, and what the kernel has of it."""
        waiting = fcntl.ioctl(self.peer.fileno(), termios.FIONREAD, b"\0" * 4)
        return self.read + int(struct.unpack("i", waiting)[0])


class Tap:
    """Listens on 127.0.0.1 and carries all to another port there; use it with ``async with``."""

    def __init__(self, next_port: int) -> None:
        self._next = next_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._lines: list[_Line] = []
        self._open: dict[int, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Tap":
        self._start(self._accept())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()

    @property
    def begun(self) -> list[Begun]:
        """All letters that were begun, as far as was read."""
        return [
            Begun(sender, number, at)
            for number, line in enumerate(self._lines)
            for sender, at in line.begun
        ]

    def now(self) -> Instant:
        """This instant."""
        written = {number: line.written() for number, line in self._open.items()}
        return Instant(len(self._lines), written)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            peer, _ = await loop.sock_accept(self._listener)
            peer.setblocking(False)
            number, line = len(self._lines), _Line(peer)
            self._lines.append(line)
            self._open[number] = line
            self._start(self._carry(number, line))

    async def _carry(self, number: int, line: _Line) -> None:
        loop = asyncio.get_running_loop()
        with line.peer, socket.socket() as server, suppress(OSError):
            try:
                server.setblocking(False)
                await loop.sock_connect(server, ("127.0.0.1", self._next))
                ways = [
                    loop.create_task(_pump(line.peer, server, line)),
                    loop.create_task(_pump(server, line.peer, None)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
            finally:
                del self._open[number]


async def _pump(source: socket.socket, sink: socket.socket, line: _Line | None) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _READ):
        if line is not None:
            line.take(data)
        await loop.sock_sendall(sink, data)
