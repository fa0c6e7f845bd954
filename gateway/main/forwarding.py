"""Webhooks sent on to second tools: the handler of their effects."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from adapters.line.forward import Forwarder
from gateway.domain.line.forwarding import KIND
from gateway.main.parts import Deps, Part


@asynccontextmanager
async def forwarding(deps: Deps, allowed: Collection[tuple[str, int]] = ()) -> AsyncIterator[Part]:
    """The handler, for as long as its connections are open; ``allowed`` are addresses and ports
    beside those of the internet, for the demo.
    """
    async with Forwarder(
        store=deps.store, clock=deps.clock, log=deps.log, allowed=allowed
    ) as forwarder:
        yield Part(handlers={KIND: forwarder.deliver})
