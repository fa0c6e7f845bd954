"""The listener of incoming mail: an SMTP server behind limits.

A message is answered with 250 once what it says is durable, and not before: it is ours from then on
(RFC 5321, 4.2.5). Where the store is away the answer is 451, and whoever delivers comes again.
"""

import asyncio
import logging
import os
import time

from adapters.smtp.receiving.door import Desk, Door, Limits
from adapters.smtp.receiving.session import Session
from gateway.ports import Clock, Observer
from gateway.ports.process import Log


class Inbound:
    """One address that takes mail; started and stopped by whoever wires the process."""

    def __init__(
        self,
        address: tuple[str, int],
        desk: Desk,
        *,
        hostname: str,
        observer: Observer,
        clock: Clock,
        log: Log,
        limits: Limits | None = None,
    ) -> None:
        self._address = address
        self._door = Door(
            desk,
            hostname=hostname,
            observer=observer,
            clock=clock,
            log=log,
            limits=limits or Limits(),
        )
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Bind and accept.

        Raises:
            OSError: the address is in use, or not ours; it says which.
        """
        # It tells of every command, with the addresses in it.
        logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
        loop = asyncio.get_running_loop()
        host, port = self._address
        try:
            self._server = await loop.create_server(lambda: Session(self._door, loop), host, port)
        except OSError as error:
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            number = error.errno or 0
            why = os.strerror(number) if number > 0 else error.strerror
            raise OSError(f"cannot listen on {where}: {why}; see listen in [smtp_in]") from error

    @property
    def port(self) -> int:
        """The port bound to, which differs from the one asked for where that was 0."""
        assert self._server is not None  # noqa: S101 - asked of one that was started
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def sessions(self) -> int:
        """How many are open."""
        return len(self._door.sessions)

    async def stop(self, seconds: float) -> None:
        """Accept no more; messages that are being taken get ``seconds`` to be answered."""
        if self._server is None:
            return
        self._server.close()
        ends_at = time.monotonic() + seconds
        while self._door.sessions:
            for session in list(self._door.sessions):
                if not session.is_busy or time.monotonic() > ends_at:
                    session.end("421 4.3.2 stopping")
            await asyncio.sleep(0.01)
        await self._server.wait_closed()
        self._server = None
