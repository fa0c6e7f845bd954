"""Brings the rich menus of channels to what they shall be, and leaves alone what is so already.

What the platform lists is the truth: a menu is found again by its name, which holds a hash of all
that it is. So whoever dies between two steps, or never hears an answer, makes nothing twice. What a
menu replaces is taken away only after the new one is shown.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.domain.audience import Segment
from gateway.domain.line.channel import Channel
from gateway.domain.menus import (
    MOST_LINKED,
    Make,
    Named,
    RichMenu,
    Seen,
    Showing,
    Shown,
    State,
    in_place,
    missing,
    new_aliases,
    new_default,
    new_links,
    obsolete,
    old_aliases,
)
from gateway.domain.values import EVERYBODY
from gateway.errors import Permanent, Transient, Trouble
from gateway.ports import Clock, Lane
from gateway.ports.line_platform import MenuApi, MenuLinks
from gateway.ports.menus import Linked, MenuReading, Placed
from gateway.ports.process import Log
from gateway.ports.reading import Reads
from gateway.usecases import menus as usecases
from gateway.usecases.menus import LEASE_SECONDS, Ended, Job, Look

FRIENDS_AT_ONCE = 2000
"""So many friends one read looks at."""

_LONGEST_ERROR = 300
_GONE = (Trouble.PLATFORM_MISSING, Trouble.PLATFORM_GONE)


class MenuPlatform(MenuApi, MenuLinks, Protocol):
    """What is asked of the platform."""


@dataclass
class _Round:
    """How far one round on a channel came."""

    job: Job
    seen: Seen
    place: dict[str, str] = field(default_factory=dict)
    """The richMenuId of each menu that is in place."""
    deleted: int = 0

    @property
    def channel(self) -> Channel:
        return self.job.channel

    @property
    def showing(self) -> Showing:
        return self.job.showing


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuSync:
    """Looks after the menus of all channels."""

    store: Reads
    api: MenuPlatform
    reader: MenuReading
    clock: Clock
    log: Log

    async def once(self) -> int:
        """Look after channels that are due, a few at a time; returns how many they were.

        Raises:
            Transient: the store is away; what was begun is found again.
        """
        jobs = await self.store.run(usecases.claim, Look(self.clock()), Lane.BACKGROUND)
        await asyncio.gather(*(self._look_after(job) for job in jobs))
        return len(jobs)

    async def _look_after(self, job: Job) -> None:
        deleted, error, is_busy = 0, "", False
        try:
            async with asyncio.timeout(LEASE_SECONDS - 30):
                deleted = await self._bring(job)
        except (Transient, Permanent) as trouble:
            error, is_busy = _told(trouble), trouble.reason is Trouble.PLATFORM_BUSY
            self.log.warning("menus are put off", channel=job.channel.id, reason=trouble.reason)
        except TimeoutError:
            error = "took too long"
            self.log.warning("menus are put off", channel=job.channel.id, reason="timeout")
        except Exception as fault:
            error = "fault"  # one channel's fault is not the others' end
            self.log.error("menus failed", channel=job.channel.id, exc_info=fault)
        ended = Ended(job, self.clock(), deleted=deleted, error=error, is_busy=is_busy)
        await self.store.run(usecases.settle, ended, Lane.BACKGROUND)

    async def _bring(self, job: Job) -> int:
        """All that is to be done on a channel, in an order in which no friend is ever without a
        menu; returns how many menus were taken away.

        Raises:
            Transient, Permanent: it got no further for now.
        """
        channel = job.channel
        seen = Seen(
            tuple((menu["richMenuId"], menu["name"]) for menu in await self.api.menus(channel)),
            await self.api.menu_aliases(channel),
            await self.api.default_menu(channel),
        )
        work = _Round(job, seen)
        await self._make_all(work)
        for alias, menu in new_aliases(work.showing, seen, work.place).items():
            await self.api.set_menu_alias(channel, alias, menu)
        default = new_default(work.showing, seen, work.place)
        if default is not None:
            await self.api.show_menu(channel, default)
        await self._link_all(work)
        for alias in old_aliases(work.showing, seen):
            await self.api.delete_menu_alias(channel, alias)
        for menu in obsolete(work.showing, seen, work.place):
            await self._delete(channel, menu)
            work.deleted += 1
        return work.deleted

    # --- the menus themselves ---

    async def _make_all(self, work: _Round) -> None:
        known = {placed.menu: placed for placed in work.job.placed}
        ready = [placed.platform_id for placed in known.values() if placed.state == "ready"]
        work.place |= in_place(work.showing, work.seen, ready)
        for make in missing(work.showing, work.seen, work.place):
            try:
                work.place[make.named.id] = await self._make(work.channel, make)
            except Permanent as trouble:
                if trouble.reason is not Trouble.PLATFORM_REFUSED:
                    raise
                self.log.warning("a menu was refused", menu=make.named.id, channel=work.channel.id)
                await self._keep(make.named, "", "failed", _told(trouble))

    async def _make(self, channel: Channel, make: Make) -> str:
        """Make a menu and give it its picture.

        Raises:
            Permanent: the platform refused it.
        """
        named, found = make.named, make.found
        image = await self.store.read(self.reader.blob, EVERYBODY, RichMenu.table, named.menu.id)
        if image is None or image.hash != named.menu.picture:
            raise Transient(Trouble.STORE_CONFLICT, "provisioned anew meanwhile")
        if found:
            try:
                await self.api.set_menu_image(channel, found, image.body, image.media_type)
            except Permanent:
                # It has a picture already, or is not fit for this one: it is made anew.
                await self._delete(channel, found)
                found = ""
        if not found:
            found = await self.api.create_menu(channel, named.menu.document())
            await self._keep(named, found, "made")
            await self.api.set_menu_image(channel, found, image.body, image.media_type)
        await self._keep(named, found, "ready")
        self.log.info("a menu is in place", menu=named.id, channel=channel.id)
        return found

    async def _keep(self, named: Named, platform_id: str, state: State, error: str = "") -> None:
        menu = named.menu
        placed = Placed(
            menu=menu.id,
            advertiser=menu.advertiser,
            channel=menu.channel,
            platform_id=platform_id,
            version=named.name.rpartition("/")[2],
            state=state,
            error=error,
            synced_at=self.clock(),
        )
        await self.store.run(usecases.place, placed, Lane.BACKGROUND)

    async def _delete(self, channel: Channel, menu: str) -> None:
        try:
            await self.api.delete_menu(channel, menu)
        except Permanent as trouble:
            if trouble.reason not in _GONE:
                raise

    # --- who sees them ---

    async def _link_all(self, work: _Round) -> None:
        """Show friends of segments their menus, and others what all see."""
        filters = [self._filter(named) for named in work.showing.segments]
        waiting: dict[str, list[Shown]] = {}
        after = ""
        while True:
            friends = await self.store.read(
                self.reader.shown,
                EVERYBODY,
                work.channel.id,
                filters,
                now=self.clock(),
                after=after,
                limit=FRIENDS_AT_ONCE,
            )
            for menu, some in new_links(work.showing, work.place, friends).items():
                waiting.setdefault(menu, []).extend(some)
            is_last = len(friends) < FRIENDS_AT_ONCE
            for menu, some in waiting.items():
                while len(some) >= MOST_LINKED or (some and is_last):
                    await self._link(work.channel, menu, some[:MOST_LINKED])
                    del some[:MOST_LINKED]
            if is_last:
                return
            after = friends[-1].user

    def _filter(self, named: Named) -> Any:
        segment = self.store.entity(Segment, named.menu.segment)
        if segment is None:
            raise Transient(Trouble.STORE_CONFLICT, "provisioned anew meanwhile")
        return segment.filter

    async def _link(self, channel: Channel, menu: str, friends: list[Shown]) -> None:
        await self.api.link_menu(channel, menu, [friend.user for friend in friends])
        ids = tuple(friend.friend for friend in friends)
        linked = Linked(channel.id, channel.advertiser, ids, menu)
        await self.store.run(usecases.link, linked, Lane.BACKGROUND)


def _told(trouble: Transient | Permanent) -> str:
    """What went wrong, for people."""
    return str(trouble)[:_LONGEST_ERROR]
