"""The worker of the outbox: claims what is due, has it carried out, and settles what came of it."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from gateway.domain.values import SECOND
from gateway.errors import GatewayError, Transient
from gateway.ports import Clock, Lane, Store
from gateway.ports.outbox import Claimed, Handlers, NothingDone, Outcome
from gateway.ports.process import Log
from gateway.usecases.faults import put_aside
from gateway.usecases.outbox import (
    AT_ONCE,
    LEASE_SECONDS,
    Claim,
    Handout,
    Settle,
    claim,
    settle,
)

IN_FLIGHT = 256
"""Effects that a process carries out at once."""

_CLAIMED_AT_ONCE = 200  # so that starting on them does not hold the loop for long
_POLL_SECONDS = 0.5
_REST_SECONDS = 1.0
"""A pause after the store failed us."""
_DRAIN_SECONDS = 10.0
"""What is under way at the end has so long to come to something."""
_MOST_FAULTS = 5


class Worker:
    """Any number of processes share one outbox, with a worker each.

    ``handlers`` say what it takes: effects of other kinds are left to others. It is run as a
    chore, and woken by :meth:`wake` when there may be something to do.
    """

    def __init__(
        self,
        *,
        store: Store,
        handlers: Handlers,
        clock: Clock,
        log: Log,
        lease_seconds: int = LEASE_SECONDS,
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._clock = clock
        self._log = log
        self._lease_seconds = lease_seconds
        self._kinds = tuple(handlers)
        self._under_way: set[asyncio.Task[None]] = set()
        self._outcomes: list[tuple[Claimed, Outcome]] = []
        self._settling = asyncio.Event()
        self._cannot_settle = False
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    @property
    def busy(self) -> int:
        """Effects that are carried out, or wait to be settled."""
        return len(self._under_way) + len(self._outcomes)

    async def run(self) -> None:
        """Work until cancelled; then what is under way has a moment to be settled."""
        settler = asyncio.create_task(self._settle_always())
        try:
            while True:
                await self._round()
        finally:
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=_DRAIN_SECONDS)
            for task in (*self._under_way, settler):
                task.cancel()
            await asyncio.gather(*self._under_way, settler, return_exceptions=True)
            # Where the store is away, leases run out, and others try again with the same keys.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await self._settle_all()

    async def _round(self) -> None:
        self._woken.clear()
        if len(self._under_way) >= IN_FLIGHT:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            return
        room = min(IN_FLIGHT - len(self._under_way), _CLAIMED_AT_ONCE)
        given = Handout(())
        # Whoever cannot settle must not claim: it would take its own leases for a dead worker's.
        if not self._cannot_settle:
            wish = Claim(self._clock(), self._kinds, room, self._lease_seconds)
            try:
                given = await self._store.run(claim, wish, Lane.BACKGROUND)
            except Transient:
                await asyncio.sleep(_REST_SECONDS)  # the store says itself that it is away
        for effect in given.claimed:
            self._start(self._carry_out(effect))
        if len(given.claimed) < room and not given.is_behind:
            await self._rest()

    async def _rest(self) -> None:
        # Not wait_for, which in Python 3.11 may swallow a cancellation that comes with the wake.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await self._woken.wait()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _carry_out(self, effect: Claimed) -> None:
        try:
            async with asyncio.timeout(self._lease_seconds - 1):
                outcome = await self._handlers[effect.kind](effect)
        except Exception as error:  # noqa: BLE001 - one handler's fault is not the others' end
            self._log.error("an effect failed", kind=effect.kind, exc_info=error)
            outcome = self._failed(effect, error)
        self._outcomes.append((effect, outcome))
        self._settling.set()

    def _failed(self, effect: Claimed, error: Exception) -> Outcome:
        """A handler failed: a few more attempts. How far it came, nobody knows, unless it says
        that nothing was done.
        """
        unclear = not isinstance(error, NothingDone)
        reason = "fault" if unclear else str(error)
        if effect.attempts < _MOST_FAULTS:
            pause = SECOND * 2**effect.attempts
            return Outcome("waiting", self._clock() + pause, unclear=unclear, error=reason)
        told = (put_aside(effect.advertiser, "effect"),)
        if unclear or effect.unclear:
            return Outcome("unknown", unclear=unclear, error=reason, facts=told)
        return Outcome("dead", error=reason, facts=told)

    async def _settle_always(self) -> None:
        while True:
            await self._settling.wait()
            self._settling.clear()
            await self._settle_all()

    async def _settle_all(self) -> None:
        """Keep what came of effects: all that has gathered, a bounded set at a time."""
        while some := self._outcomes[:AT_ONCE]:
            try:
                await self._store.run(settle, Settle(self._clock(), tuple(some)), Lane.BACKGROUND)
            except Transient:
                self._cannot_settle = True
                await asyncio.sleep(_REST_SECONDS)
                continue
            except GatewayError as error:
                # Their leases run out, and they are tried again: with the same keys.
                self._log.error("effects cannot be settled", effects=len(some), exc_info=error)
            del self._outcomes[: len(some)]
            self._cannot_settle = False
            self.wake()  # the next of their streams may go now
