"""A server and its people, put together."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Self

from adapters.smtp.simulator.habits import Habits
from adapters.smtp.simulator.kept import Keep, Mailbox
from adapters.smtp.simulator.people import Crowd, Shares, Temper
from adapters.smtp.simulator.sink import Sink


class MailWorld:
    """Takes letters at :attr:`port` and lets their recipients act; use it with ``async with``.

    The arguments are those of :class:`Sink` and :class:`Crowd`; the same ``seed`` gives the same
    refusals and the same people.
    """

    def __init__(
        self,
        habits: Habits | None = None,
        shares: Shares | None = None,
        *,
        seed: int = 0,
        keep: Keep = "raw",
        inbound: tuple[str, int] | None = None,
        reachable: Mapping[str, str] | None = None,
        tempers: Mapping[str, Temper] | None = None,
    ) -> None:
        server = (habits or Habits()).name
        self.crowd = Crowd(
            shares,
            seed=seed,
            inbound=inbound,
            reachable=reachable,
            tempers=tempers,
            server=server,
        )
        self.sink = Sink(habits, seed=seed, keep=keep, heard=self.crowd.hear, room=self.crowd.room)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self.crowd)
        await self._open.enter_async_context(self.sink)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._open.aclose()

    @property
    def port(self) -> int:
        """Where the server listens on 127.0.0.1."""
        return self.sink.port

    @property
    def mailbox(self) -> Mailbox:
        """What it took."""
        return self.sink.mailbox
