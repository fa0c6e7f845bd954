"""What goes out to LINE: the clients, quotas, and halting it all."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from adapters.line.client import Messages
from adapters.line.official import Official
from adapters.line.profiles import profiles
from adapters.line.sender import Sender
from adapters.line.tokens import Tokens
from adapters.storage.database import reading
from adapters.storage.outbox import EVERYBODYS, OutboxReader, is_halted
from adapters.storage.provisioning import EntitiesInTransaction
from adapters.storage.quota import QuotaReader
from gateway.config import Config, Line
from gateway.domain.hours import month_of
from gateway.domain.line.channel import Channel
from gateway.domain.line.quota import Quota
from gateway.domain.values import EVERYBODY, SECOND
from gateway.errors import Misconfigured, Permanent, Refused, Transient
from gateway.main.parts import Chore, Deps, Part
from gateway.main.store import beside, database_of, execute
from gateway.ports import Lane
from gateway.ports.line_platform import Months
from gateway.ports.outbox import Handlers
from gateway.usecases import outbox, quota
from gateway.usecases.sending import Rooms, preparing

_HALT_SECONDS = 0.5
_QUOTA_EVERY = 3600 * SECOND
_QUOTA_LOOK = 60.0
_QUOTAS_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class Clients:
    """How LINE is asked, for all channels."""

    session: aiohttp.ClientSession
    tokens: Tokens
    messages: Messages
    official: Official


@asynccontextmanager
async def clients(config: Line) -> AsyncIterator[Clients]:
    """Open for as long as the daemon runs. Nothing is imported, connected or asked yet."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ttl_dns_cache=60)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        tokens = Tokens(session, config.api_url)
        official = Official(tokens=tokens, api_url=config.api_url, data_api_url=config.data_api_url)
        try:
            messages = Messages(session, config.api_url, tokens)
            yield Clients(session=session, tokens=tokens, messages=messages, official=official)
        finally:
            official.close()
            await tokens.close()


class Sending:
    """All that sends to LINE; hand its :attr:`part` to the daemon."""

    def __init__(
        self,
        deps: Deps,
        clients: Clients,
        *,
        rooms: Rooms | None = None,
    ) -> None:
        """``rooms`` fill in what other rooms offer."""
        self._deps = deps
        self._halted: frozenset[str] = frozenset()
        self._reader = OutboxReader(deps.database.dialect)
        self.quotas = Quotas(deps, clients.official)
        self.sender = Sender(
            store=deps.store,
            messages=clients.messages,
            ids=deps.ids,
            clock=deps.clock,
            prepare=preparing(rooms or Rooms()),
            is_halted=self.is_halted,
            exhausted=self.quotas.ask_soon,
        )
        self.quotas.on_read = self._month_read
        profile = profiles(deps.store, clients.official, deps.clock)
        self._handlers: Handlers = {"line.profile": profile, **self.sender.handlers}

    @property
    def part(self) -> Part:
        """The chores, and the handlers of what is sent."""
        chores: dict[str, Chore] = {
            "send-stops": self._watch_stops,
            "line-quotas": self.quotas.chore,
        }
        return Part(chores=chores, handlers=self._handlers)

    def is_halted(self, advertiser: str) -> bool:
        """Whether an advertiser's sends are halted, as of half a second ago."""
        return is_halted(advertiser, self._halted)

    async def _watch_stops(self) -> None:
        """Know within half a second whose sends are halted, for what is handed out already."""
        self._halted = await self._deps.store.read(self._reader.stopped)
        await asyncio.sleep(_HALT_SECONDS)

    def _month_read(self, month: Quota) -> None:
        if month.is_used_up:
            self.sender.hold(month.channel, month.read_at + _QUOTA_EVERY)
        else:
            self.sender.unhold(month.channel)


class Quotas:
    """Reads each channel's month every hour, and whenever somebody wants to know."""

    def __init__(self, deps: Deps, platform: Months) -> None:
        self._deps = deps
        self._platform = platform
        self._reader = QuotaReader(deps.database.dialect)
        self._wanted: dict[str, Channel] = {}
        self._soon = asyncio.Event()
        self._refused_at: dict[str, int] = {}
        self.on_read: Callable[[Quota], object] = lambda month: None

    def ask_soon(self, channel: Channel) -> None:
        """Have it read at once; its month seems to be used up."""
        self._wanted[channel.id] = channel
        self.look()

    def look(self) -> None:
        """Look now for what is wanted, or old."""
        self._soon.set()

    async def refresh(self, channel: Channel) -> Quota:
        """Read it now, as before a campaign.

        Raises:
            Transient, Permanent: the platform does not tell.
        """
        month = await self._platform.month(channel)
        now = self._deps.clock()
        said = quota.Reading(
            channel.id, channel.advertiser, month.kind, month.limit, month.used, now
        )
        kept = await self._deps.store.run(quota.keep, said, Lane.BACKGROUND)
        self.on_read(kept)
        return kept

    async def chore(self) -> None:
        """Read what is an hour old, or wanted; then wait for either."""
        now = self._deps.clock()
        known = {
            month.channel: month.read_at
            for month in await self._deps.store.read(self._reader.of, EVERYBODY, month_of(now))
        }
        wanted, self._wanted = self._wanted, {}
        cache = EntitiesInTransaction(self._deps.store.cache)
        for channel in cache.all(EVERYBODY, Channel):
            asked_at = max(known.get(channel.id, 0), self._refused_at.get(channel.id, 0))
            if now - asked_at >= _QUOTA_EVERY:
                wanted[channel.id] = channel
        slots = asyncio.Semaphore(_QUOTAS_AT_ONCE)
        await asyncio.gather(*(self._try(channel, slots) for channel in wanted.values()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_QUOTA_LOOK):
                await self._soon.wait()
        self._soon.clear()

    async def _try(self, channel: Channel, slots: asyncio.Semaphore) -> None:
        async with slots:
            try:
                await self.refresh(channel)
            except Permanent as error:
                # Wrong credentials, most likely: not asked again for an hour.
                self._refused_at[channel.id] = self._deps.clock()
                reason = error.reason.value
                self._deps.log.warning("a quota is not told", channel=channel.id, reason=reason)
            except Transient:
                return  # the next look asks again
            except Exception as error:  # one channel's fault is not the others' end
                self._refused_at[channel.id] = self._deps.clock()
                self._deps.log.error("a quota failed", channel=channel.id, exc_info=error)


def stop_sends(config: Config, advertiser: str | None, *, resume: bool = False) -> bool:
    """Halt the pushes of an advertiser, or of all; or let them go on. Replies always go on.

    Works beside running daemons, which take it up within a second. What is on its way at this
    very moment arrives. After ``resume`` what waited goes on within ten seconds. Returns whether
    anything changed.

    Raises:
        Misconfigured: there is no such advertiser.
        Transient: the store is away.
    """
    whose = advertiser or EVERYBODYS
    wish = outbox.Stop(whose, time.time_ns() // 1000, "command", resume)
    try:
        return execute(config, outbox.stop, wish)
    except Refused:
        raise Misconfigured([f"there is no advertiser {whose!r}"]) from None


def list_halts(config: Config) -> dict[str | None, int]:
    """Whose sends are halted since when, by id; ``None`` stands for everybody's, and comes first.

    Raises:
        Transient: the store is away.
    """
    with beside(config) as connection, reading(connection):
        halts = OutboxReader(database_of(config).dialect).halts(connection)
    return {None if whose == EVERYBODYS else whose: halts[whose] for whose in sorted(halts)}
