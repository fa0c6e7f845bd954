"""When a sender sends, leaves alone, settles, and looks for what was lost."""

import asyncio

import pytest

from gateway.domain.mail.answers import Answer
from gateway.domain.mail.outcomes import FIRST_PAUSE_SECONDS
from gateway.domain.values import SECOND
from tests.adapters.smtp.sender_world import World, at_once, letters

TAKEN = Answer("accepted", "end", 250)
LATER = Answer("temporary", "rcpt", 451, "4.2.0", "later")


def addresses(count: int) -> list[str]:
    """Addresses that have nothing in common."""
    return [f"r@d{n}.example" for n in range(count)]


@pytest.mark.parametrize("count", [1, 2, 30])
@at_once
async def test_results_are_in_the_store_within_a_tenth_of_a_second(count: int) -> None:
    """Whether hands are full or nearly empty: an answer waits for others no longer than that."""
    async with World(*letters(*addresses(count))) as world:
        envelopes = [await world.take() for _ in range(count)]
        answered_at = []
        for envelope in envelopes:
            answered_at.append(world.loop.time())
            world.post.settle(envelope, TAKEN)
            await asyncio.sleep(0.013)
        await world.until(lambda: len(world.results) == count)
    waits = [
        settled - answered for settled, answered in zip(world.settled_at, answered_at, strict=True)
    ]
    assert max(waits) <= 0.1


@at_once
async def test_fast_relays_are_given_more_at_a_time() -> None:
    """Where a thousand go a second, more of them are in hand than at the beginning."""
    most, count = 0, 2_000
    async with World(*letters(*addresses(count))) as world:
        least = 40
        for _ in range(count):
            world.post.settle(await world.take(), TAKEN)
            await asyncio.sleep(0.001)
            most = max(most, world.sender.in_hand)
    assert most > 2 * least


@at_once
async def test_a_domain_that_is_left_alone_is_left_alone() -> None:
    """After it said that it is asked too much its letters go back, others' go on."""
    busy = Answer("temporary", "rcpt", 421, "4.7.0", "Too many messages, slow down")
    some = letters("a@slow.example", "b@slow.example", "c@fine.example")
    async with World(*some) as world:
        first = await world.take()
        at = world.clock()
        world.post.settle(first, busy)
        second = await world.take()
        assert (first.recipient, second.recipient) == ("a@slow.example", "c@fine.example")
        world.post.settle(second, TAKEN)
        await world.until(lambda: len(world.results) == 3)
    (back,) = [each for each in world.results if each.recipient == 2]
    assert (back.state, back.tried) == ("queued", False)
    assert back.due_at is not None
    assert back.due_at >= at + 60 * SECOND


@at_once
async def test_a_relay_in_trouble_is_left_alone_for_a_while() -> None:
    """After it said that it cannot itself, it is given nothing, and after a while it is again."""
    async with World(*letters(*addresses(2))) as world:
        envelope = await world.take()
        await world.until(lambda: world.sender.next_at(world.clock()) <= world.clock())
        said_at = world.loop.time()
        world.post.settle(envelope, Answer("temporary", "end", 452, "4.3.1", "disk full"))
        assert world.post.take() is None
        assert not world.post.is_open(world.clock())
        await world.take()
        assert world.loop.time() - said_at >= 5


@at_once
async def test_those_put_off_together_do_not_come_back_together() -> None:
    """Each pause is drawn anew, about what it is to be."""
    async with World(*letters(*addresses(20))) as world:
        at = world.clock()
        for envelope in [await world.take() for _ in range(20)]:
            world.post.settle(envelope, LATER)
        await world.until(lambda: len(world.results) == 20)
    due = {each.due_at - at for each in world.results if each.due_at}
    assert len(due) > 10
    wanted = FIRST_PAUSE_SECONDS * SECOND
    assert all(wanted * 4 // 5 <= each <= wanted * 6 // 5 + SECOND for each in due)


@at_once
async def test_what_nobody_has_in_hand_is_looked_for_each_minute() -> None:
    """Not while letters are in hand, which would be taken for lost; what is found is told."""
    async with World(*letters("a@d.example"), forgotten=3) as world:
        envelope = await world.take()
        await asyncio.sleep(180)
        assert world.looks == []
        world.post.settle(envelope, TAKEN)
        await asyncio.sleep(220)
    assert 3 <= len(world.looks) <= 5
    found = ("mails are in doubt: what came of them was lost", {"mails": 3})
    assert world.log.lines == [found]
