"""A relay: as many connections as it takes to send what its post has, and no more."""

import asyncio
import random
import ssl
from collections.abc import Callable

from adapters.smtp.delivery.envelopes import Envelope, Post, fault_of
from adapters.smtp.delivery.opening import Unopened, open_session, tls_context
from adapters.smtp.delivery.settings import RelayConfig
from adapters.smtp.delivery.wire import Wire
from gateway.domain.mail.answers import Answer

DRAIN_SECONDS = 20.0
"""What letters on the wire get to be answered, when the process stops."""

_EMPTY_PAUSE = 0.01
"""Seconds, where a post says that there is something and then has nothing."""


class Relay:
    """Pulls letters from ``post`` and hands them to one relay.

    Connections are opened while there is more to take than those that stand can carry, and
    closed when they idle. Where the relay does not answer, or loses connections before it has
    answered a single letter, the next one waits: the pause doubles, and ``rng`` spreads it, so
    that several gateways do not come back as one. ``troubled`` is told of each such failure, and
    ``recovered`` of how many in a row they were, once a letter is answered again.
    """

    def __init__(
        self,
        config: RelayConfig,
        post: Post,
        *,
        rng: random.Random,
        troubled: Callable[[Answer], object] = lambda answer: None,
        recovered: Callable[[int], object] = lambda failures: None,
    ) -> None:
        self._config = config
        self._post = post
        self._rng = rng
        self._troubled = troubled
        self._recovered = recovered
        self._context: ssl.SSLContext | None = None
        self._standing: set[Wire] = set()
        self._wires: set[Wire] = set()
        self._idle: list[Wire] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._feeder: asyncio.Task[None] | None = None
        self._fault: Exception | None = None
        self._is_empty = True
        self._is_draining = False
        self._failures = 0
        self._open_at = 0.0

    @property
    def name(self) -> str:
        """The relay's name."""
        return self._config.name

    @property
    def connections(self) -> int:
        """How many are open for letters."""
        return len(self._wires)

    @property
    def failures(self) -> int:
        """Connections in a row that came to nothing; 0 while the relay answers."""
        return self._failures

    async def run(self) -> None:
        """Send until :meth:`drain`; when cancelled, letters on the wire are cut off and settled.

        Raises:
            OSError: the file of certificates cannot be read.
            Exception: what the post raised; letters on the wire are settled before.
        """
        loop = asyncio.get_running_loop()
        self._context = await loop.run_in_executor(None, tls_context, self._config)
        self._feeder = asyncio.create_task(self._feed())
        try:
            if not self._is_draining:
                await asyncio.wait([self._feeder])
            while self._is_draining and self._wires and self._fault is None:
                self._changed.clear()
                await self._changed.wait()
        finally:
            await self._stop()
        if self._fault is not None:
            raise self._fault
        if not self._feeder.cancelled():
            self._feeder.result()

    async def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Take nothing more, let letters on the wire be answered for ``seconds``, and end."""
        self._is_draining = True
        if self._feeder is not None:
            self._feeder.cancel()
        for task in tuple(self._opening):
            task.cancel()
        for wire in tuple(self._wires):
            wire.leave()
        try:
            async with asyncio.timeout(seconds):
                while self._wires:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            for wire in tuple(self._wires):
                wire.abort()
        self._changed.set()

    # --- who owns connections: see adapters.smtp.delivery.wire.Owner ---

    def take(self, wire: Wire) -> Envelope | None:
        """A letter that may be written; those that never may be are settled here."""
        limit = wire.features.size
        while not self._is_draining and self._fault is None:
            try:
                envelope = self._post.take()
            except Exception as error:  # noqa: BLE001 - run() raises it
                self._fail(error)
                return None
            self._is_empty = envelope is None
            if envelope is None:
                return None
            reason = fault_of(envelope)
            if reason:
                self.settle(envelope, Answer("permanent", "mail", text=reason))
            elif limit and len(envelope.message) > limit:
                # RFC 1870 6.1: asking would only cost a round trip.
                answer = Answer("permanent", "mail", 552, "5.3.4", "over the relay's SIZE")
                self.settle(envelope, answer)
            elif not wire.features.eight_bit and not envelope.message.isascii():
                self.settle(envelope, Answer("permanent", "mail", text="eight_bit"))
            else:
                return envelope
        return None

    def settle(self, envelope: Envelope, answer: Answer) -> None:
        """Tell the post what came of a letter."""
        if self._failures and answer.code and answer.code != 421:
            failures, self._failures = self._failures, 0
            self._recovered(failures)
        try:
            self._post.settle(envelope, answer)
        except Exception as error:  # noqa: BLE001 - run() raises it
            self._fail(error)

    def rest(self, wire: Wire) -> None:
        """A connection has nothing to do."""
        self._idle.append(wire)
        self._changed.set()

    def opened(self, wire: Wire) -> None:
        """A connection stands."""
        self._standing.add(wire)

    def closed(self, wire: Wire, answer: Answer) -> None:
        """A connection is gone."""
        self._standing.discard(wire)
        if wire in self._wires:
            self._wires.discard(wire)
            if wire in self._idle:
                self._idle.remove(wire)
            elif not wire.has_served and answer.text not in ("quit", "aborted"):
                self._back_off(answer)
        self._changed.set()

    # --- what runs ---

    async def _feed(self) -> None:
        """Whenever there is something to take and a connection could carry it, let it."""
        while True:
            await self._room()
            if self._is_empty:
                await self._post.wait()
                self._is_empty = False
            if self._idle:
                self._idle.pop().go_on()
                if self._is_empty:
                    await asyncio.sleep(_EMPTY_PAUSE)
            elif self._may_open(asyncio.get_running_loop().time()):
                task = asyncio.create_task(self._open())
                self._opening.add(task)
                task.add_done_callback(self._is_open)

    def _may_open(self, now: float) -> bool:
        """Connections are opened as many at a time as there are, so that a crowd comes fast."""
        count, opening = len(self._wires), len(self._opening)
        is_free = count + opening < self._config.connections and opening < max(1, count)
        return is_free and self._open_at <= now

    async def _room(self) -> None:
        """Wait until a connection idles, or another one may be opened."""
        loop = asyncio.get_running_loop()
        # One look at the clock a turn: two could stand on both sides of the end of a pause, and
        # then nothing would wake us.
        while not self._idle and not self._may_open(now := loop.time()):
            self._changed.clear()
            pause = self._open_at - now
            try:
                async with asyncio.timeout(pause if pause > 0 else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _open(self) -> None:
        try:
            wire, features = await open_session(self._config, self, self._context)
        except Unopened as failed:
            self._back_off(failed.answer)
        except Exception as error:  # noqa: BLE001 - a fault of ours: run() raises it
            self._fail(error)
        else:
            if wire.ending:
                self._back_off(wire.ending)
            else:
                self._wires.add(wire)
                wire.begin(features)

    def _is_open(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._changed.set()

    def _back_off(self, answer: Answer) -> None:
        if self._is_draining:
            return
        config = self._config
        pause = min(config.pause_most, config.pause_least * 2 ** min(self._failures, 30))
        self._failures += 1
        self._open_at = asyncio.get_running_loop().time() + pause * self._rng.uniform(0.5, 1.0)
        self._troubled(answer)

    def _fail(self, error: Exception) -> None:
        """The post is broken, or we are: what cannot be settled must not be sent."""
        if self._fault is None:
            self._fault = error
            if self._feeder is not None:
                self._feeder.cancel()
            self._changed.set()

    async def _stop(self) -> None:
        for task in tuple(self._opening):
            task.cancel()
        if self._feeder is not None:
            self._feeder.cancel()
            await asyncio.wait([self._feeder, *self._opening])
        for wire in tuple(self._standing):
            wire.abort()
        while self._standing:
            self._changed.clear()
            await self._changed.wait()
