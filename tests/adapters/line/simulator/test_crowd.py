"""Friends who live by themselves, and only as their seed says."""

import asyncio
from collections import Counter

from adapters.line.simulator import Crowd, Friend, Habits
from adapters.line.simulator.crowd import offered
from tests.adapters.line.simulator.world import World, in_world
from tests.support.stores import PATIENCE

FAST = 1e6


@in_world()
async def test_a_crowd_follows_chats_and_blocks(world: World) -> None:
    """Whoever does not follow does so first; all of it reaches the webhook."""
    crowd = Crowd([world.channel], seed=1, size=5)
    await crowd.run(rate=FAST, until=asyncio.Event(), most=120)
    assert sum(crowd.done.values()) == 120
    assert crowd.done["follow"] >= 5
    told = Counter(event["type"] for event in world.listener.events)
    assert told["follow"] == crowd.done["follow"]
    assert told["unfollow"] == crowd.done["block"]
    assert told["message"] >= crowd.done["keyword"] + crowd.done["chatter"]


def test_the_same_seed_lives_the_same_life() -> None:
    """And another one another."""

    def lived(seed: int) -> Counter[str]:
        crowd = Crowd([], seed=seed, size=3)

        @in_world()
        async def play(world: World) -> None:
            crowd.channels = [world.channel]
            await crowd.run(rate=FAST, until=asyncio.Event(), most=60)

        play()
        return crowd.done

    assert lived(1) == lived(1)
    assert lived(1) != lived(2)


@in_world()
async def test_a_crowd_stops_when_it_is_told(world: World) -> None:
    """Whatever its rate, and after what is under way."""
    end = asyncio.Event()
    crowd = Crowd([world.channel])
    running = asyncio.create_task(crowd.run(rate=0.001, until=end))
    end.set()
    async with asyncio.timeout(PATIENCE):
        await running


@in_world()
async def test_a_crowd_taps_what_it_is_offered(world: World) -> None:
    """Postbacks go to the webhook, addresses and scans to the caller's hooks."""
    tap = {"type": "postback", "label": "押す", "data": "a=1"}
    link = {"type": "uri", "label": "見る", "uri": "https://example.jp/c/1"}
    template = {"type": "confirm", "text": "?", "actions": [tap, link]}
    await world.push({"type": "template", "altText": "?", "template": template})
    assert offered(world.hana) == [tap, link]
    opened: list[tuple[Friend, str]] = []

    async def note(friend: Friend, what: str) -> None:
        opened.append((friend, what))

    habits = Habits(0, 0, tap=1, scan=1, sticker=0, picture=0, unsend=0, block=0)
    crowd = Crowd([world.channel], habits=habits, open_page=note, scan=note)
    for luck in range(40):
        await crowd.act(world.hana, luck)
    assert {what for _, what in opened} == {"https://example.jp/c/1", world.channel.id}
    assert {event["postback"]["data"] for event in world.listener.events} == {"a=1"}
