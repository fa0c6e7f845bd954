"""One run of the demonstration against a daemon that is ready: who plays, and what came of it."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from gateway import main as wiring
from gateway.config import Config
from gateway.demo import calls, compare, summary
from gateway.demo.cast import Shop
from gateway.demo.compare import Comparison
from gateway.demo.daemon import LOG, PATIENCE
from gateway.demo.friends import Friends
from gateway.demo.mail.show import MailShow, Post
from gateway.demo.mail.staff import MailStaff
from gateway.demo.phones import Phones
from gateway.demo.screen import Screen
from gateway.demo.staff import Staff
from gateway.demo.trouble import trouble
from gateway.domain.access import Role
from gateway.main.mail.world import Deed
from gateway.main.platform import Platform
from gateway.ports import CallRecord


class Show:
    """Everybody who plays."""

    def __init__(
        self,
        config: Config,
        listing: wiring.CallListing,
        platform: Platform,
        shops: Sequence[Shop],
        mails: Post,
    ) -> None:
        self._config = config
        self._listing = listing
        self._platform = platform
        self._shops = shops
        self._screen = Screen()
        api = f"http://127.0.0.1:{config.admin.listen.port}/api/v1"
        self._phones = Phones(
            platform,
            shops,
            self._screen,
            public_url=config.public_url,
            api=api,
            token=self._token("staff"),
        )
        token = self._token("manager")
        self._staff = Staff(platform, shops, self._screen, api=api, token=token)
        desk = MailStaff(platform.session, mails.shops, self._screen, api=api, token=token)
        self._mail = MailShow(mails, desk, self._screen)
        self._post = mails
        self._friends = Friends(shops, self._phones, self._screen, platform.ids.seed)
        self.called: list[wiring.Played] = []
        """What the carrier played."""
        self._calls: list[CallRecord] = []
        self.maybe: list[str] = []
        """Messages and mails of which the gateway cannot know whether they arrived."""

    def welcome(self, folder: Path, *, endless: bool) -> None:
        """Say where everything is, and how to log in."""
        config = self._config
        ports = config.http.listen.port, config.admin.listen.port, config.metrics.listen.port
        admin = f"http://127.0.0.1:{ports[1]}/api/v1/openapi.json"
        print(
            f"webhooks  http://127.0.0.1:{ports[0]}/twilio/voice  and  /line/…\n"
            f"admin     {admin}  (the console comes in a later release)\n"
            f"log-in    Authorization: Bearer {self._token('operator')}\n"
            f"metrics   http://127.0.0.1:{ports[2]}/metrics  and  /metrics/advertisers\n"
            f"log       {folder / LOG}\n" + ("Ctrl-C ends it.\n" if endless else ""),
            flush=True,
        )

    async def play(self, end: asyncio.Event) -> None:
        """Let the carrier call, friends live and shops work until ``end``; then let all that was
        begun come to its end.

        Raises:
            OSError: the daemon does not answer any more.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                called = tasks.create_task(
                    calls.play(self._config, self._listing, self._screen, end)
                )
                tasks.create_task(self._friends.play(end))
                tasks.create_task(self._staff.play(end))
                tasks.create_task(self._mail.play(end))
                tasks.create_task(trouble(self._platform, self._screen, end))
        except ExceptionGroup as group:  # of all who play; what else is in it is our own fault
            if group.split(aiohttp.ClientError)[1] is not None:
                raise
            raise OSError("the daemon does not answer as it should, see its log") from group
        self.called = called.result()
        with contextlib.suppress(TimeoutError):  # what is in flight then, the comparison tells
            await asyncio.wait_for(self._platform.settle(), PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while await self._is_open() and time.monotonic() < deadline:  # noqa: ASYNC110 - it is the store that is asked
            await asyncio.sleep(0.2)
        self._calls = await asyncio.to_thread(
            calls.settled, self._config, len(self.called), PATIENCE
        )

    async def _is_open(self) -> bool:
        """Whether something has still to go out."""
        if (await self._staff.pushed()).unfinished:
            return True
        return await asyncio.to_thread(wiring.open_sends, self._config) > 0

    @property
    def deeds(self) -> list[Deed]:
        """What people did with their mails."""
        return list(self._post.world.crowd.deeds)

    async def compared(self) -> list[str]:
        """Print both sides of everything; returns what differs. The daemon still runs."""
        held = await asyncio.to_thread(compare.read, self._config)
        pushed = await self._staff.pushed()
        comparison = Comparison(self._platform, self._shops, self._phones.truth, held, pushed)
        summary.table("carrier", calls.figures(self.called, self._calls))
        summary.table("platform", comparison.figures)
        print()
        posts = [post.duplicate for played in self.called for post in played.posts]
        advertisers = Counter(record.call.advertiser for record in self._calls)
        summary.webhooks("calls", len(posts), sum(posts), advertisers)
        posts = [post.duplicate for post in self._platform.posts]
        summary.webhooks("messages", len(posts), sum(posts), comparison.messages.received)
        mail_faults = await self._mail.compared()
        self.maybe = [*comparison.messages.maybe, *self._mail.maybe]
        return [*calls.compared(self.called, self._calls), *comparison.faults, *mail_faults]

    def _token(self, role: Role) -> str:
        """A token for the shops' advertisers, an operator's for everybody."""
        whose = [] if role == "operator" else [shop.advertiser for shop in self._shops]
        now = time.time_ns() // 1000
        return wiring.create_token(self._config, role, whose, name="demo", created_at=now)
