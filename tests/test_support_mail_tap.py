"""The proxy that tells which letters were begun before an instant, and which after it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.mail_tap import Tap
from tests.support.stores import eventually, on_a_loop


@asynccontextmanager
async def swallower() -> AsyncIterator[int]:
    """A server that reads whatever comes, and says nothing; its port."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass
        writer.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])


@on_a_loop
async def test_what_lies_in_the_kernel_was_begun_before() -> None:
    """Also where nobody has read it yet: the loop does not run between the two."""
    async with swallower() as port, Tap(port) as tap:
        with socket.create_connection(("127.0.0.1", tap.port)) as client:
            client.sendall(b"EHLO me\r\nMAIL FROM:<a@example.com>\r\nDATA\r\nMAIL ")
            await eventually(lambda: len(tap.begun) == 1)
            client.sendall(b"x\r\nmail from:<b@example.com> SIZE=3\r\n")
            at = tap.now()
            client.sendall(b"MAIL FROM:<c@example.com>\r\n")
            await eventually(lambda: len(tap.begun) == 3)
            found = {each.sender[0]: at.is_before(each) for each in tap.begun}
            assert found == {"a": False, "b": False, "c": True}


@on_a_loop
async def test_a_connection_that_is_new_began_all_of_its_letters_after() -> None:
    """And one that is gone by then began all of its before."""
    async with swallower() as port, Tap(port) as tap:
        with socket.create_connection(("127.0.0.1", tap.port)) as client:
            client.sendall(b"MAIL FROM:<a@example.com>\r\n")
            await eventually(lambda: len(tap.begun) == 1)
        await eventually(lambda: not tap.now().written)
        at = tap.now()
        with socket.create_connection(("127.0.0.1", tap.port)) as client:
            client.sendall(b"MAIL FROM:<b@example.com>\r\n")
            await eventually(lambda: len(tap.begun) == 2)
        assert [at.is_before(each) for each in tap.begun] == [False, True]
