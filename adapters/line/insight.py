"""LINE's own figures: asked for as it comes to know them, a few at a time.

It tells of a day during the next one, allows sixty requests an hour for each channel and kind, and
withholds what is under 20.

Source: https://developers.line.biz/en/reference/messaging-api/#get-insight
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from gateway.domain.insight import PlatformState, Sent, Told, date_of, day_of, month_days
from gateway.domain.line.channel import Channel
from gateway.errors import Permanent, Transient, Trouble
from gateway.ports import Clock, Lane, Store
from gateway.ports.insight import Ask
from gateway.ports.line_platform import InsightApi, Json
from gateway.ports.process import Log
from gateway.usecases.insight import (
    EXPECTED_AT_ONCE,
    Heard,
    claim,
    expect,
    expected,
    hear,
)

_DELIVERIES = {
    "broadcast": "broadcast",
    "targeting": "targeting",
    "autoResponse": "auto_response",
    "welcomeResponse": "welcome_response",
    "chat": "chat",
    "apiBroadcast": "api_broadcast",
    "apiPush": "api_push",
    "apiMulticast": "api_multicast",
    "apiNarrowcast": "api_narrowcast",
    "apiReply": "api_reply",
}
"""LINE's words for how messages go out, and ours."""

_STATES: frozenset[str] = frozenset(get_args(PlatformState))


@dataclass(frozen=True, slots=True)
class _Round:
    """What went wrong since asking began."""

    away: dict[tuple[str, bool], tuple[Trouble, int]] = field(default_factory=dict)
    """Why and since when LINE does not answer for a channel, of days or of messages: what is due
    beside is not asked for."""
    unheard: Counter[tuple[str, Trouble]] = field(default_factory=Counter)
    """What stayed without figures, by channel and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightSync:
    """Asks LINE for what is due."""

    store: Store
    api: InsightApi
    clock: Clock
    log: Log

    async def expect(self) -> None:
        """Write down all that LINE is to be asked about.

        Raises:
            Transient: the store is away.
        """
        asks = await self.store.run(expected, self.clock(), Lane.BACKGROUND)
        for begin in range(0, len(asks), EXPECTED_AT_ONCE):
            some = asks[begin : begin + EXPECTED_AT_ONCE]
            await self.store.run(expect, some, Lane.BACKGROUND)

    async def once(self) -> int:
        """Ask for all that is due, a few at a time; returns how much it was. Where LINE does not
        answer for a channel, the rest of that is left for later.

        Raises:
            Transient: the store is away; what was claimed is asked for again later.
        """
        round_, count = _Round(), 0
        try:
            while done := await self._some(round_):
                count += done
        finally:
            for (channel, reason), asks in round_.unheard.items():
                self.log.warning("no figures of LINE", channel=channel, reason=reason, asks=asks)
        return count

    async def _some(self, round_: _Round) -> int:
        claimed = await self.store.run(claim, self.clock(), Lane.BACKGROUND)
        if claimed:
            # Together: each commit of the background is one that webhooks wait for.
            answers = [await self._heard(ask, channel, round_) for ask, channel in claimed]
            await self.store.run(hear, answers, Lane.BACKGROUND)
        return len(claimed)

    async def _heard(self, ask: Ask, channel: Channel, round_: _Round) -> Heard:
        of = channel.id, bool(ask.ref)
        if away := round_.away.get(of):
            reason, since = away
            round_.unheard[channel.id, reason] += 1
            # Next time before what failed: one that always fails keeps no other from its turn.
            return Heard(ask, since - 1, problem="later")
        try:
            if ask.ref:
                sent = await self._sent(ask, channel)
                return Heard(ask, self.clock(), sent=sent)
            return Heard(ask, self.clock(), told=await self._told(ask, channel))
        except Permanent as error:
            round_.unheard[channel.id, error.reason] += 1
            return Heard(ask, self.clock(), problem="refused")
        except Transient as error:
            now = self.clock()
            round_.away[of] = error.reason, now
            round_.unheard[channel.id, error.reason] += 1
            return Heard(ask, now, problem="later")
        except Exception as fault:  # one ask's fault is not the others' end
            self.log.error("figures of LINE failed", channel=channel.id, exc_info=fault)
            return Heard(ask, self.clock(), problem="later")

    async def _told(self, ask: Ask, channel: Channel) -> Told:
        day = _written(ask.day)
        friends = await self.api.friends(channel, day)
        sent = await self.api.deliveries(channel, day)
        return Told(
            state=_state(friends),
            followers=_count(friends, "followers"),
            targeted_reaches=_count(friends, "targetedReaches"),
            blocks=_count(friends, "blocks"),
            delivery_state=_state(sent),
            deliveries={
                ours: count
                for theirs, ours in _DELIVERIES.items()
                if (count := _count(sent, theirs)) is not None
            },
        )

    async def _sent(self, ask: Ask, channel: Channel) -> Sent:
        kind, _, name = ask.ref.partition(":")
        if kind == "unit":
            unit, _, month = name.rpartition(":")
            days = month_days(month)
            until = max(days[0], min(days[-1], day_of(self.clock()) - 1))
            said = await self.api.unit_events(channel, unit, _written(days[0]), _written(until))
        else:
            said = await self.api.message_event(channel, name)
        overview = said.get("overview")
        figures: Mapping[str, Any] = overview if isinstance(overview, dict) else {}
        return Sent(
            ask.channel,
            ask.ref,
            ask.advertiser,
            ask.day,
            read_at=self.clock(),
            delivered=_count(figures, "delivered"),
            impressions=_count(figures, "uniqueImpression"),
            clicks=_count(figures, "uniqueClick"),
        )


def _written(day: int) -> str:
    return f"{date_of(day):%Y%m%d}"


def _state(said: Json) -> PlatformState:
    """A word that is new to us is taken for "not yet"."""
    state = said.get("status")
    return state if state and state in _STATES else "unready"


def _count(said: Json, name: str) -> int | None:
    count = said.get(name)
    return count if isinstance(count, int) else None
