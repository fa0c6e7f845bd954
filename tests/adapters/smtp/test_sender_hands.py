"""What a sender takes into its hands, and what it makes of the store's troubles."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any, cast

import pytest

from adapters.smtp.sending.guard import Guard
from adapters.smtp.sending.recall import Recall
from adapters.smtp.sending.sender import MOST_BYTES, Process, Sender
from gateway.domain.mail.campaigns import Campaign, Letter
from gateway.domain.mail.lists import MailList
from gateway.domain.values import SECOND
from gateway.errors import Transient, Trouble
from gateway.usecases.mail.sending import Given, Lost, Round
from tests.support.stores import PATIENCE

NOW = 1_795_057_200 * SECOND  # 12:00 in Tokyo
NEWS = MailList(
    "news", "acme", "n@acme.example", "", "Acme", "Tokyo", "c@acme.example", "b.example.jp"
)
LARGE, SMALL = 1, 2
SIZES = {LARGE: 8 * 1024 * 1024, SMALL: 10_000}


class Jobs:
    """Makes letters for ever; how large they are is known as soon as some were claimed."""

    def __init__(self) -> None:
        self.known: set[int] = set()

    def size_of(self, campaign: int) -> int:
        return SIZES[campaign] if campaign in self.known else 0

    async def made(
        self, campaign: Campaign, letters: Sequence[Letter], now: int
    ) -> AsyncGenerator[list[Any], None]:
        self.known.add(campaign.id)
        await asyncio.Event().wait()
        yield []


class Store:
    """Has letters without end; ``troubles`` come first."""

    def __init__(self, *troubles: Trouble) -> None:
        self.troubles = list(troubles)
        self.jobs: list[Round | Lost] = []
        self.ids = 0

    async def run(self, use_case: object, job: Round | Lost, lane: object) -> Any:
        self.jobs.append(job)
        if isinstance(job, Lost):
            return 0
        if self.troubles and job.wishes:
            raise Transient(self.troubles.pop(0))
        letters: list[Letter] = []
        for wish in job.wishes:
            for _ in range(min(wish.limit, job.limit - len(letters))):
                self.ids += 1
                some = (wish.campaign, self.ids, "r@example.com", b"h" * 16, wish.lane, "{}", 0, 0)
                letters.append(Letter(*some))
        return Given(tuple(letters))


class World:
    """A sender of which nothing goes on the wire."""

    def __init__(self, store: Store, *campaigns: int, least: int = 400) -> None:
        self.store = store
        self.jobs = Jobs()
        guard = Guard(Recall(), lambda _: NEWS, lambda: NOW, lambda: 0.0)
        guard.seen(
            [
                Campaign(id_, "acme", "news", "n", "", "{}", 0, "me", 0, state="sending")
                for id_ in campaigns
            ],
            frozenset(),
            0.0,
        )
        blocks: Any = type("Blocks", (), {"block": lambda *_: 1})()
        self.sender = Sender(
            store=cast(Any, store),
            jobs=cast(Any, self.jobs),
            guard=guard,
            singles=cast(Any, type("None_", (), {})()),
            process=Process(ids=blocks, owner=lambda: 7, clock=lambda: NOW, log=cast(Any, None)),
            least=least,
        )
        self.sender.post()

    async def until(self, rounds: int) -> None:
        """So many claims were made, or nothing more is asked for."""
        end = time.monotonic() + PATIENCE
        quiet = 0
        while len(self.store.jobs) < rounds and quiet < 5:
            assert time.monotonic() < end
            before = len(self.store.jobs)
            self.sender.wake()
            await asyncio.sleep(0.05)
            quiet = quiet + 1 if before and len(self.store.jobs) == before else 0

    def bytes_of(self, campaign: int) -> int:
        """How much of a campaign was handed out."""
        count = sum(
            wish.limit
            for job in self.store.jobs
            if isinstance(job, Round)
            for wish in job.wishes
            if wish.campaign == campaign
        )
        return count * SIZES[campaign]


@pytest.mark.parametrize("campaigns", [(LARGE,), (LARGE, SMALL)])
def test_large_letters_are_few(campaigns: tuple[int, ...]) -> None:
    """However many connections there are, letters with attachments do not fill the memory."""

    async def scenario() -> None:
        world = World(Store(), *campaigns)
        async with world.sender:
            await world.until(40)
            assert 0 < world.bytes_of(LARGE) <= MOST_BYTES
            if SMALL in campaigns:
                assert world.sender.in_hand > MOST_BYTES // SIZES[LARGE]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("trouble", "looks"),
    [
        (Trouble.STORE_BUSY, False),
        (Trouble.STORE_CONFLICT, False),
        (Trouble.STORE_DEADLINE, True),
        (Trouble.STORE_DOWN, True),
    ],
)
def test_lost_letters_are_looked_for_only_where_some_can_be(trouble: Trouble, looks: bool) -> None:
    """A claim that cannot have been committed has left nothing behind, and sending goes on."""

    async def scenario() -> None:
        world = World(Store(trouble), SMALL)
        async with world.sender:
            end = time.monotonic() + PATIENCE
            while not world.sender.in_hand:
                assert time.monotonic() < end
                world.sender.wake()
                await asyncio.sleep(0.05)
            assert any(isinstance(job, Lost) for job in world.store.jobs) is looks

    asyncio.run(scenario())
