"""The mail of the demonstration: a simulated mail server, people with mailboxes, and the staff."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Collection, Sequence

from gateway import main as wiring
from gateway.config import Config
from gateway.demo import summary
from gateway.demo.mail.cast import HABITS, MailShop, tempers_of
from gateway.demo.mail.compare import MailComparison
from gateway.demo.mail.staff import PATIENCE, MailStaff
from gateway.demo.screen import Screen
from gateway.main.mail.check import check_mail
from gateway.main.mail.world import Deed, MailWorld, list_mail

_LOOK = 0.3
_FINAL = {("stop", 200), ("complain", 250)}
"""After what, answered so, nobody gets any more mail."""

_SHOWN = {"bounce": "bounces", "complain": "complains", "stop": "stops", "click": "clicks"}


class _Asked(deque[str]):
    """What clients say to the server: who was to get something is counted."""

    def __init__(self) -> None:
        super().__init__(maxlen=1)
        self.counts: Counter[str] = Counter()

    def append(self, line: str, /) -> None:
        """A command."""
        verb, _, path = line.partition(":")
        if verb.upper() == "RCPT TO":
            self.counts[path.strip().partition(">")[0].lstrip("<")] += 1


class Post:
    """The mail server that stands for all others, and whose mailboxes are there."""

    def __init__(self, config: Config, shops: Sequence[MailShop], world: MailWorld) -> None:
        self._config = config
        self.shops = shops
        self.world = world
        self.asked = _Asked()
        world.sink.said = self.asked

    def stopped(self, shop: MailShop) -> frozenset[str]:
        """Who on a list has stopped or complained, and was answered so."""
        here = {reader.address for reader in shop.readers}
        return frozenset(
            deed.address
            for deed in self.world.crowd.deeds
            if deed.address in here and (deed.what, deed.status) in _FINAL
        )

    async def compared(self, before: dict[int, Collection[str]]) -> MailComparison:
        """Both sides."""
        held = await asyncio.to_thread(list_mail, self._config)
        deeds = list(self.world.crowd.deeds)
        return MailComparison(list(self.world.mailbox), self.asked.counts, deeds, held, before)


@contextlib.asynccontextmanager
async def post(config: Config, shops: Sequence[MailShop], seed: int) -> AsyncIterator[Post]:
    """The server, where ``config`` has it; what it takes it keeps without the text. The domains of
    all lists are checked.

    Raises:
        OSError: its port is taken.
    """
    if config.smtp is None or config.smtp_in is None:
        raise OSError("the demonstration's configuration has no mail")
    inbound = config.smtp_in.listen
    world = MailWorld(
        HABITS,
        seed=seed,
        keep="digest",
        inbound=(inbound.host, inbound.port),
        reachable={config.public_url: wiring.address_of(config)},
        tempers=tempers_of(shops),
    )
    world.sink.port = config.smtp.relay.port
    async with world:
        for shop in shops:
            await check_mail(config, shop.id)
        yield Post(config, shops, world)


class MailShow:
    """What is played with it."""

    def __init__(self, post: Post, staff: MailStaff, screen: Screen) -> None:
        self._post = post
        self._staff = staff
        self._screen = screen
        self._before: dict[int, Collection[str]] = {}
        self.maybe: list[str] = []
        """Mails of which the gateway cannot know whether they arrived."""

    async def play(self, end: asyncio.Event) -> None:
        """Take everybody in, mail them twice, and from then on some now and then until ``end``;
        the second time is when all who stop have stopped.
        """
        telling = asyncio.create_task(self._tell())
        try:
            await self._staff.prepare()
            for ordinal in range(2):
                for shop in self._post.shops:
                    await self._send(shop, ordinal)
                await self.settle()
            await self._now_and_then(end)
            await self.settle()
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until all was sent, and people have done with it what they do."""
        await self._staff.sent()
        with contextlib.suppress(TimeoutError):  # the comparison tells
            async with asyncio.timeout(PATIENCE):
                await self._post.world.crowd.settled()

    async def compared(self) -> list[str]:
        """Print both sides; returns what differs. The daemon still runs."""
        comparison = await self._post.compared(self._before)
        summary.table("sink", comparison.figures)
        print(f"\n{comparison.line}")
        self.maybe = comparison.maybe
        return comparison.faults

    async def _now_and_then(self, end: asyncio.Event) -> None:
        ordinal = 2 * len(self._post.shops)
        while not await self._staff.is_over(end):
            shops = self._post.shops
            await self._send(shops[ordinal % len(shops)], ordinal)
            ordinal += 1

    async def _send(self, shop: MailShop, ordinal: int) -> None:
        stopped = self._post.stopped(shop)
        self._before[await self._staff.send(shop, ordinal)] = stopped

    async def _tell(self) -> None:
        """Show what people do, as they do it."""
        told, names = 0, _lists_of(self._post.shops)
        while True:
            deeds = list(self._post.world.crowd.deeds)
            for deed in deeds[told:]:
                self._show(names, deed)
            told = len(deeds)
            await asyncio.sleep(_LOOK)

    def _show(self, names: dict[str, str], deed: Deed) -> None:
        what = _SHOWN.get(deed.what)
        if what is not None:
            self._screen.reader(names.get(deed.address, ""), deed.address, what, deed.kind)


def _lists_of(shops: Sequence[MailShop]) -> dict[str, str]:
    return {reader.address: shop.id for shop in shops for reader in shop.readers}
