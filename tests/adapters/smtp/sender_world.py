"""A sender of which nothing goes on the wire, in a time that passes only while nothing happens."""

import asyncio
import selectors
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, cast

from adapters.smtp.delivery.envelopes import Envelope
from adapters.smtp.sending.guard import Guard
from adapters.smtp.sending.recall import Recall
from adapters.smtp.sending.sender import Process, Sender
from gateway.domain.mail.campaigns import Campaign, Letter, Result
from gateway.domain.mail.lists import MailList
from gateway.domain.values import SECOND
from gateway.ports import Clock
from gateway.usecases.mail.sending import Given, Lost, Round

NOW = 1_795_057_200 * SECOND  # 12:00 in Tokyo
NEWS = MailList(
    "news", "acme", "n@acme.example", "", "Acme", "Tokyo", "c@acme.example", "b.example.jp"
)
SENT = Campaign(1, "acme", "news", "n", "", "{}", 0, "me", 0, state="sending")


class _Idle(selectors.DefaultSelector):
    """Instead of waiting it lets its clock run on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nobody would ever go on"
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._idle = _Idle()
        super().__init__(self._idle)

    def time(self) -> float:
        return self._idle.now


def at_once(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that waits for nothing: whoever sleeps is woken when all others sleep, too."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=_Loop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def letters(*addresses: str) -> list[Letter]:
    """A letter to each."""
    return [
        Letter(SENT.id, n, address, n.to_bytes(16), "other", "{}", 0, 0)
        for n, address in enumerate(addresses, 1)
    ]


class Log:
    """Lines by what happened."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, /, **fields: object) -> None:
        self.lines.append((event, fields))

    warning = error = info


def sender_of(
    store: Any,
    jobs: Any,
    guard: Guard,
    *,
    clock: Clock,
    steady: Callable[[], float],
    log: Any,
    least: int = 40,
) -> Sender:
    """A sender before a store and a maker of letters that are not real ones."""
    blocks: Any = type("Blocks", (), {"block": lambda *_: 1})()
    process = Process(ids=blocks, owner=lambda: 7, clock=clock, log=log, steady=steady)
    singles = cast(Any, _NoSingles())
    return Sender(
        store=store, jobs=jobs, guard=guard, singles=singles, process=process, least=least
    )


class World:
    """A sender with one relay, and a store that has given letters; open it with ``async with``."""

    def __init__(self, *waiting: Letter, forgotten: int = 0) -> None:
        self.loop = asyncio.get_running_loop()
        self.waiting = list(waiting)
        self.forgotten = forgotten
        self.results: list[Result] = []
        self.settled_at: list[float] = []
        self.looks: list[float] = []
        self.log = Log()
        self.guard = Guard(Recall(), lambda _: NEWS, self.clock, self.loop.time)
        self.sender = sender_of(
            self, self, self.guard, clock=self.clock, steady=self.loop.time, log=self.log
        )
        self.post = self.sender.post()

    async def __aenter__(self) -> "World":
        self._watch = asyncio.create_task(self._watching())
        await self.sender.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sender.__aexit__()
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)

    def clock(self) -> int:
        return NOW + int(self.loop.time() * SECOND)

    async def take(self) -> Envelope:
        """The next letter, as soon as there is one."""
        while (envelope := self.post.take()) is None:
            await self.post.wait()
        return envelope

    async def until(self, condition: Callable[[], object]) -> None:
        """Let time pass until ``condition`` holds."""
        async with asyncio.timeout(3600):
            while not condition():  # noqa: ASYNC110 - in this time sleeping takes none
                await asyncio.sleep(0.001)

    async def _watching(self) -> None:
        while True:
            self.guard.seen((SENT,), frozenset(), self.loop.time())
            await asyncio.sleep(0.1)

    # --- as the store ---

    async def run(self, use_case: object, job: Round | Lost, lane: object) -> Any:
        if isinstance(job, Lost):
            self.looks.append(self.loop.time())
            found, self.forgotten = self.forgotten, 0
            return found
        self.results += job.results
        self.settled_at += [self.loop.time()] * len(job.results)
        wanted = sum(wish.limit for wish in job.wishes if wish.lane == "other")
        some, self.waiting = self.waiting[:wanted], self.waiting[wanted:]
        return Given(tuple(some))

    # --- as the maker of letters ---

    def size_of(self, campaign: int) -> int:
        return 1_000

    async def made(
        self, campaign: Campaign, some: Sequence[Letter], now: int
    ) -> AsyncGenerator[list[Envelope], None]:
        yield [Envelope("b@b.example.jp", each.address, b"\r\n") for each in some]


class _NoSingles:
    on_offer: Any = None

    def next(self) -> None:
        return None

    def __bool__(self) -> bool:
        return False
