"""Friends who live: they follow, chat, tap, block and come back, for demos and load.

What they do is drawn from a seed and is the same each time; when it happens is real time.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.line.simulator.channel import Channel
from adapters.line.simulator.friends import Friend
from adapters.line.simulator.protocol import Json

Hook = Callable[[Friend, str], Awaitable[None]]
"""Opens a page for a friend: the address that was tapped, or what a scan is about."""

_SURNAMES = ("佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本", "中村", "小林", "加藤")
_NAMES = ("花子", "太郎", "陽菜", "蓮", "結衣", "湊", "葵", "樹", "凛", "悠真")
_CHATTER = (
    "こんにちは",
    "予約できますか?",
    "ありがとう!",
    "何時までですか",
    "👍",
    "駐車場ありますか",
)


@dataclass(frozen=True)
class Habits:
    """How often each thing is done, as weights, by somebody who follows."""

    keyword: float = 40
    chatter: float = 20
    tap: float = 20
    scan: float = 10
    sticker: float = 4
    picture: float = 2
    unsend: float = 1
    block: float = 3

    def weights(self) -> Mapping[str, float]:
        """By the name of what is done."""
        return {name: float(getattr(self, name)) for name in self.__dataclass_fields__}


@dataclass
class Crowd:
    """``size`` friends for each of ``channels``; whoever does not follow does so next.

    ``keywords`` are what they write to get an answer. They tap what the rich menu and the last
    messages they received offer; an address among it goes to ``open_page``, and a visit to the
    shop to ``scan``: the caller's hooks, which may be left out.
    """

    channels: Sequence[Channel]
    seed: int = 0
    size: int = 20
    keywords: Sequence[str] = ("クーポン", "営業時間", "メニュー", "ポイント")
    habits: Habits = Habits()
    open_page: Hook | None = None
    scan: Hook | None = None
    done: Counter[str] = field(default_factory=Counter)
    """What was done how often."""

    def friends(self, channel: Channel) -> list[Friend]:
        """The friends of one channel; a person may be a friend of several."""
        names = [
            f"{_SURNAMES[place % 10]} {_NAMES[place // 10 % 10]} {place // 100 or ''}".strip()
            for place in range(self.size)
        ]
        return [channel.friend(name) for name in names]

    async def run(
        self,
        *,
        rate: float,
        until: asyncio.Event,
        most: int | None = None,
        in_flight: int = 256,
    ) -> None:
        """Do ``rate`` things a second until ``until`` is set, or ``most`` of them were done.

        At most ``in_flight`` are done at once: a bot that falls behind slows the rate.
        """
        slots = asyncio.Semaphore(in_flight)
        rng = random.Random(f"{self.seed}/crowd")
        everybody = [friend for channel in self.channels for friend in self.friends(channel)]
        loop = asyncio.get_running_loop()
        begun = loop.time()
        count = 0
        async with asyncio.TaskGroup() as tasks:
            while not until.is_set() and (most is None or count < most):
                await slots.acquire()
                task = tasks.create_task(self.act(rng.choice(everybody), rng.getrandbits(64)))
                task.add_done_callback(lambda _: slots.release())
                count += 1
                await _pause(until, begun + count / rate - loop.time())

    async def act(self, friend: Friend, luck: int) -> None:
        """One thing that ``friend`` does; the same ``luck`` does the same."""
        rng = random.Random(luck)
        if not friend.following:
            self.done["follow"] += 1
            await friend.follow()
            return
        weights = self.habits.weights()
        what = rng.choices(list(weights), list(weights.values()))[0]
        self.done[what] += 1
        match what:
            case "keyword":
                await friend.say(rng.choice(self.keywords))
            case "chatter":
                await friend.say(rng.choice(_CHATTER))
            case "sticker":
                await friend.sticker()
            case "picture":
                await friend.send_image()
            case "unsend":
                said = await friend.say(rng.choice(_CHATTER))
                await friend.unsend(said.message_id)
            case "block":
                await friend.unfollow()
            case "scan":
                if self.scan is not None:
                    await self.scan(friend, friend.channel.id)
            case _:
                await self._tap(friend, rng)

    async def _tap(self, friend: Friend, rng: random.Random) -> None:
        """Tap one of the things that are on the friend's screen."""
        actions = offered(friend)
        if not actions:
            return
        action = rng.choice(actions)
        if action["type"] == "uri":
            if self.open_page is not None:
                await self.open_page(friend, str(action["uri"]))
            return
        telling = friend.tap(action)
        if telling is not None:
            await telling


def offered(friend: Friend, latest: int = 3) -> list[Json]:
    """The actions of the rich menu and of the ``latest`` messages that were received."""
    actions: list[Json] = []
    _collect(friend.menu, actions)
    for received in friend.inbox[-latest:]:
        _collect(received.message, actions)
    return actions


def _collect(value: object, actions: list[Json]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("action", "defaultAction") and isinstance(inner, dict):
                actions.append(inner)
            elif name == "actions" and isinstance(inner, list):
                actions += [action for action in inner if isinstance(action, dict)]
            else:
                _collect(inner, actions)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, actions)


async def _pause(until: asyncio.Event, seconds: float) -> None:
    """Wait, but not beyond ``until``; others get their turn in any case."""
    try:
        await asyncio.wait_for(until.wait(), max(seconds, 0))
    except TimeoutError:
        await asyncio.sleep(0)
