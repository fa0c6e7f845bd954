"""Calls held against the carrier's own list, every so often."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from adapters.storage.reconciliation import HeldCalls
from adapters.twilio.client import CallList
from adapters.twilio.webhook import PROVIDER
from gateway.config.sections import Twilio
from gateway.domain.calls.reconciliation import Differences, Held, Reconciliation
from gateway.domain.values import EVERYBODY, SECOND, micros, moment
from gateway.errors import Permanent, Transient
from gateway.main.parts import Deps, Part
from metrics.observer import Metrics

_HOUR = 3600 * SECOND
_GRACE = 300 * SECOND
"""What ended so lately may still be told to us, or still be settled by the carrier."""

_PAGE = 1000
_MOST_TOLD = 10
_DAY = timedelta(days=1)


def reconciling(deps: Deps, metrics: Metrics) -> Part:
    """The comparison of yesterday's and today's calls, where it is wanted."""
    twilio = deps.config.twilio
    if twilio is None or not twilio.reconcile_seconds:
        return Part()
    reconciler = _Reconciler(deps, twilio)
    metrics.gauge("reconciliation_difference", lambda: reconciler.counts)
    metrics.gauge("reconciliation_timestamp_seconds", lambda: reconciler.compared_at)
    return Part(chores={"reconciliation": reconciler.chore})


class _Reconciler:
    def __init__(self, deps: Deps, twilio: Twilio) -> None:
        self._deps = deps
        self._seconds = twilio.reconcile_seconds
        self._carrier = CallList(twilio.account_sid, twilio.auth_token, twilio.api_url)
        self._store = HeldCalls(deps.database.dialect)
        self.counts: dict[str, float] | None = None
        self.compared_at = deps.clock() / SECOND
        """At first the start: what never works is to be as old as what does not work any more."""

    async def chore(self) -> None:
        """One comparison, after a pause."""
        await asyncio.sleep(self._seconds)
        try:
            found = await self._compared()
        except (Transient, Permanent) as error:
            self._deps.log.warning(
                "calls were not compared with the carrier's list",
                reason=error.reason.value,
                detail=error.detail,
            )
            return
        told = {
            "missing_here": found.missing_here,
            "missing_there": found.missing_there,
            "different": found.different,
        }
        self.counts = {what: len(sids) for what, sids in told.items()}
        self.compared_at = self._deps.clock() / SECOND
        if any(told.values()):
            sids = [f"{what} {sid}" for what in told for sid in told[what]][:_MOST_TOLD]
            self._deps.log.warning("calls differ from the carrier's list", **self.counts, sids=sids)

    async def _compared(self) -> Differences:
        now, config = self._deps.clock(), self._deps.config
        kept_since = now - (config.retention.calls_days * 24 - 1) * _HOUR
        since = max(_yesterday(now, config.timezone), kept_since)
        both = Reconciliation(self._deps.store.cache.numbers, since, now - _GRACE)
        for day in _days(since, now):
            async with aclosing(self._carrier.began_on(day)) as pages:
                async for listed in pages:
                    both.listed(listed)
            async for held in self._held(day):
                both.held(held)
            # Nearly all have found their partners by now; where none did, this takes a while.
            await asyncio.to_thread(both.day_over)
        return await asyncio.to_thread(both.differences)

    async def _held(self, day: date) -> AsyncIterator[list[Held]]:
        begin, end = _midnight(day, UTC), _midnight(day + _DAY, UTC)
        after = -1
        while True:
            page = await self._deps.store.read(
                self._store.page,
                EVERYBODY,
                PROVIDER,
                begin=begin,
                end=end,
                after=after,
                limit=_PAGE,
            )
            yield page
            if len(page) < _PAGE:
                return
            after = page[-1].id


def _yesterday(now: int, zone: tzinfo) -> int:
    """When yesterday began in ``zone``."""
    return _midnight(moment(now).astimezone(zone).date() - _DAY, zone)


def _midnight(day: date, zone: tzinfo) -> int:
    return micros(datetime.combine(day, time(), zone))


def _days(since: int, now: int) -> Iterator[date]:
    """The days of UTC, by which the carrier lists, the newest first; an hour more, since a call
    may have come to us after it began.
    """
    day, first = moment(now).date(), moment(since - _HOUR).date()
    while day >= first:
        yield day
        day -= _DAY
