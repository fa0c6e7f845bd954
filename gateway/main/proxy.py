"""What stands for the proxy that ends TLS before the gateway, for ``demo``."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.smtp.simulator.certificates import self_signed


@asynccontextmanager
async def proxy(name: str) -> AsyncIterator[str]:
    """Listens on loopback and shows a certificate for ``name``, nothing else; yields host:port.

    The demonstration's platforms reach the daemon without it.
    """
    context, _ = await asyncio.to_thread(self_signed, name)
    async with await asyncio.start_server(_hang_up, "127.0.0.1", 0, ssl=context) as server:
        yield "{}:{}".format(*server.sockets[0].getsockname())


async def _hang_up(_: StreamReader, writer: StreamWriter) -> None:
    writer.close()
