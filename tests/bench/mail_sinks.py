"""What takes mail in the benchmarks: Postfix's smtp-sink, and a server that is slow to answer.

Each is a process of its own, on the core of the benchmark: the senders have the other one.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvloop

from tests.bench.servers import ROOT
from tests.support.ports import free_port

_PATIENCE = 30.0
_WHERE = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"


class NotInstalledError(RuntimeError):
    """A program that a row needs is not there."""


def postfixes(name: str) -> str:
    """The path of one of Postfix's test programs.

    Raises:
        NotInstalledError: it is not installed.
    """
    found = shutil.which(name, path=_WHERE)
    if found is None:
        raise NotInstalledError(f"{name} is not installed; it comes with Postfix")
    return found


@contextmanager
def smtp_sink(port: int = 0) -> Iterator[int]:
    """Postfix's sink, which takes all and keeps nothing; yields its port."""
    port = port or free_port()
    as_whom = ["-u", "nobody"] if os.geteuid() == 0 else []
    with _running([postfixes("smtp-sink"), *as_whom, f"127.0.0.1:{port}", "400"], port):
        yield port


@contextmanager
def slow_sink(seconds: float) -> Iterator[int]:
    """A server whose replies come so late; yields its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.mail_sinks", str(port), str(seconds)]
    with _running(command, port):
        yield port


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        _wait(process, port)
        yield
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Until it listens, without a connection that it would take for a client."""
    listening = f"0100007F:{port:04X} 00000000:0000 0A"
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if listening in Path("/proc/net/tcp").read_text():
            return
        time.sleep(0.01)
    raise RuntimeError(f"{process.args!r} does not listen")


# --- the slow one ---

_EHLO = b"250-slow.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10485760\r\n"


class _Slow(asyncio.Protocol):
    """Answers what arrived together, together, ``seconds`` later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._buffer = b""
        self._is_message = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._answer(b"220 slow.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        replies = []
        while True:
            end = buffer.find(b"\r\n.\r\n") if self._is_message else buffer.find(b"\r\n")
            if end < 0:
                break
            if self._is_message:
                buffer, self._is_message = buffer[end + 5 :], False
                replies.append(b"250 2.0.0 Ok\r\n")
                continue
            line, buffer = buffer[:end].upper(), buffer[end + 2 :]
            if line.startswith(b"EHLO"):
                replies.append(_EHLO)
            elif line == b"DATA":
                self._is_message = True
                replies.append(b"354 End data with <CR><LF>.<CR><LF>\r\n")
            elif line == b"QUIT":
                replies.append(b"221 2.0.0 Bye\r\n")
            else:
                replies.append(b"250 2.0.0 Ok\r\n")
        self._buffer = buffer
        if replies:
            self._answer(b"".join(replies))

    def _answer(self, replies: bytes) -> None:
        self._loop.call_later(self._seconds, self._transport.write, replies)  # type: ignore[attr-defined]  # a transport of TCP


async def _serve(port: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Slow(seconds), "127.0.0.1", port, backlog=400)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
