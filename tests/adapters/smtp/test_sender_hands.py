"""What a sender takes into its hands, and what it makes of the store's troubles."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import Any, cast, get_args

import msgspec
import pytest

from adapters.smtp.sending.guard import Guard
from adapters.smtp.sending.hands import MOST_BYTES, Hands
from adapters.smtp.sending.recall import Recall
from gateway.domain.mail.campaigns import Campaign, Letter
from gateway.domain.mail.lanes import Lane
from gateway.domain.mail.pace import Pacer
from gateway.errors import Transient, Trouble
from gateway.usecases.mail.sending import Given, Lost, Round, exchange
from tests.adapters.smtp.sender_world import NEWS, NOW, SENT, at_once, sender_of

LARGE, SMALL = 1, 2
MANY = range(3, 13)
SIZES = {LARGE: 8 * 1024 * 1024, SMALL: 10_000} | dict.fromkeys(MANY, 1_000)


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
    """Has letters of some lanes without end; ``troubles`` come first."""

    def __init__(self, *troubles: Trouble, lanes: Sequence[str] = get_args(Lane)) -> None:
        self.lanes = lanes
        self.troubles = list(troubles)
        self.jobs: list[Round | Lost] = []
        self.given: Counter[int] = Counter()
        self.campaigns = self.sends = self.waiting = self

    async def run(self, use_case: object, job: Round | Lost, lane: object) -> Any:
        self.jobs.append(job)
        if isinstance(job, Lost):
            return 0
        if self.troubles and job.wishes:
            raise Transient(self.troubles.pop(0))
        if job.results:  # at the end all of it goes back
            return Given()
        given, _ = exchange(cast(Any, self), job)
        return given

    def due(self, scope: object, lanes: Sequence[tuple[int, str]], now: int) -> Any:
        return {lane for lane in lanes if lane[1] in self.lanes}

    def claim(
        self, scope: object, campaign: int, lane: str, now: int, limit: int, owner: int
    ) -> list[Letter]:
        first = self.given.total()
        self.given[campaign] += limit
        return [
            Letter(campaign, first + n, "r@example.com", b"h" * 16, lane, "{}", 0, 0)
            for n in range(limit)
        ]


class World:
    """A sender of which nothing goes on the wire."""

    def __init__(self, store: Store, *campaigns: int, least: int = 400) -> None:
        self.store = store
        self.jobs = Jobs()
        guard = Guard(Recall(), lambda _: NEWS, lambda: NOW, lambda: 0.0)
        guard.seen(
            [msgspec.structs.replace(SENT, id=id_) for id_ in campaigns],
            frozenset(),
            0.0,
        )
        steady = asyncio.get_running_loop().time
        self.sender = sender_of(
            store, self.jobs, guard, clock=lambda: NOW, steady=steady, log=None, least=least
        )
        self.sender.post()

    async def until(self, rounds: int) -> None:
        """So many claims were made, or nothing more is asked for."""
        quiet = 0
        async with asyncio.timeout(3600):
            while len(self.store.jobs) < rounds and quiet < 5:
                before = len(self.store.jobs)
                self.sender.wake()
                await asyncio.sleep(0.05)
                quiet = quiet + 1 if before and len(self.store.jobs) == before else 0

    def bytes_of(self, campaign: int) -> int:
        """How much of a campaign was handed out."""
        return self.store.given[campaign] * SIZES[campaign]


def test_as_much_is_held_as_goes_in_a_moment() -> None:
    """What was on the wire counts; what went back unsent does not. Slow relays keep the least."""
    now = 0.0
    hands = Hands(Pacer(), lambda _: 1_000, lambda: now, least=40)
    letter = Letter(SMALL, 1, "r@example.com", b"h" * 16, "other", "{}", 0, 0)
    for went, room in ((True, 500), (False, 40), (True, 500)):
        for _ in range(1_000):
            hands.took(letter)
            hands.let_go(letter, went=went)
        now += 0.5
        hands.measure()
        assert hands.room(answers=True) == room
    assert hands.room(answers=False) == 2


@pytest.mark.parametrize("campaigns", [(LARGE,), (LARGE, SMALL)])
@at_once
async def test_large_letters_are_few(campaigns: tuple[int, ...]) -> None:
    """However many connections there are, letters with attachments do not fill the memory."""
    world = World(Store(), *campaigns)
    async with world.sender:
        await world.until(40)
        assert 0 < world.bytes_of(LARGE) <= MOST_BYTES
        if SMALL in campaigns:
            assert world.sender.in_hand > MOST_BYTES // SIZES[LARGE]


@pytest.mark.parametrize(
    ("trouble", "looks"),
    [
        (Trouble.STORE_BUSY, False),
        (Trouble.STORE_CONFLICT, False),
        (Trouble.STORE_DEADLINE, True),
        (Trouble.STORE_DOWN, True),
    ],
)
@at_once
async def test_lost_letters_are_looked_for_only_where_some_can_be(
    trouble: Trouble, looks: bool
) -> None:
    """A claim that cannot have been committed has left nothing behind, and sending goes on."""
    world = World(Store(trouble), SMALL)
    async with world.sender:
        async with asyncio.timeout(3600):
            while not world.sender.in_hand:
                world.sender.wake()
                await asyncio.sleep(0.05)
        assert any(isinstance(job, Lost) for job in world.store.jobs) is looks


@at_once
async def test_the_first_letters_are_of_whatever_lane_has_some() -> None:
    """Before it is known how large a campaign's letters are, few of it are asked for; and of many
    campaigns each has its few at once, though none but their last lane has any.
    """
    world = World(Store(lanes=("yahoo_jp",)), *MANY)
    async with world.sender:
        await world.until(1)
        assert [world.store.given[id_] for id_ in range(3, 5)] == [8, 8]


@pytest.mark.parametrize(
    ("size", "most"),
    [(0, 3 * 8), (8 * 1024 * 1024, 8), (MOST_BYTES + 1, 1), (1_000, 400)],
    ids=["unknown", "large", "larger than all", "small"],
)
def test_letters_of_many_campaigns_are_few_together(size: int, most: int) -> None:
    """In one claim and with what is in hand: so many bytes at most, but one letter at least."""
    store, hands = Store(), Hands(Pacer(), lambda _: size, lambda: 0.0, least=400)
    for wanted in (most, 0):
        asked = hands.wishes((1, 2, 3), NOW, answers=True)
        job = Round(7, NOW, cast(Any, None), (), asked, 400, hands.bytes(asked))
        given, _ = exchange(cast(Any, store), job)
        assert len(given.letters) == wanted
        hands.heard(asked, given)
        for letter in given.letters:
            hands.took(letter)
