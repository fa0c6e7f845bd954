"""The sender: claims letters, has them made, hands them to relays, and settles what came of them.

Claimed is what the store holds as ``attempting``; nothing else is ever on the wire. What came of
letters goes into the store together with the next claim, in one transaction, within a tenth of a
second. Few letters are claimed at a time: after a crash all of them are in doubt.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from adapters.smtp.composing.pressing import ComposeFailure
from adapters.smtp.delivery.envelopes import Envelope
from adapters.smtp.sending.guard import Guard
from adapters.smtp.sending.jobs import Jobs
from adapters.smtp.sending.lanes import Lanes, Ready
from adapters.smtp.sending.posts import RelayPost
from adapters.smtp.sending.singles import Singles
from gateway.domain.mail.answers import Answer
from gateway.domain.mail.campaigns import Campaign, Letter, Result
from gateway.domain.mail.lanes import Lane as MailLane
from gateway.domain.mail.outcomes import LUCK, class_of, put_back, result_of
from gateway.domain.mail.pace import Pacer
from gateway.domain.values import Seed
from gateway.errors import GatewayError, Transient, Trouble
from gateway.ports import Clock, Lane, Store
from gateway.ports.process import Blocks, Log
from gateway.usecases.mail.bounces import UNWRITABLE
from gateway.usecases.mail.sending import (
    AT_ONCE,
    IDS_A_RESULT,
    Fault,
    Given,
    Lost,
    Round,
    Wish,
    exchange,
    lost,
    pause_for_fault,
)

MOST_CLAIMED = 1_000
"""Letters in our hands at most, whatever the speed."""

MOST_BYTES = 64 * 1024 * 1024
"""Letters in our hands at most, as they go on the wire; one may be larger."""

_FIRST = 8
"""Of a campaign so many letters are in our hands before it is known how large they are."""

_AHEAD_SECONDS = 0.25
"""So many seconds' worth of letters are in our hands."""

_GATHER_SECONDS = 0.02
"""Results are gathered for so long: one transaction for many."""

_PROBES = 2
"""Letters in hand while no relay can be reached."""

_LOOK_SECONDS = 0.25
_DRY_SECONDS = 0.5
"""A lane that had nothing due is asked again after so long."""

_STOP_SECONDS = 10.0

_REST_SECONDS = 1.0
"""A pause after the store failed us."""

_NOT_COMMITTED = frozenset((Trouble.STORE_BUSY, Trouble.STORE_CONFLICT))
"""Troubles after which nothing was committed for certain."""

_LANES: tuple[str, ...] = get_args(MailLane)

_LANE_SECONDS = 2.0
"""Of a lane with a pace so many seconds' worth are claimed."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """What the process has for its sender."""

    ids: Blocks
    owner: Callable[[], int | None]
    """The number of its start; ``None`` while that is unknown, or it has not said yet that it
    lives."""
    clock: Clock
    log: Log


class Sender:
    """Sends the mails of campaigns; open it with ``async with``, while its relays run.

    ``least`` is how many letters are claimed where nothing is known yet of
    the relays' speed: twice as many as there are connections.
    """

    def __init__(
        self,
        *,
        store: Store,
        jobs: Jobs,
        guard: Guard,
        singles: Singles,
        process: Process,
        least: int = 40,
        pacer: Pacer | None = None,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._guard = guard
        self._singles = singles
        self._process = process
        self._clock = process.clock
        self._log = process.log
        self._least = least
        self._pacer = pacer or Pacer()
        self._ready = Lanes(self._pacer)
        self._rng = random.Random()  # noqa: S311 - it spreads pauses, and guards nothing
        self._results: list[Result] = []
        self._in_hand: Counter[str] = Counter()
        self._of_campaign: Counter[int] = Counter()
        self._dry: dict[tuple[int, str], float] = {}
        self._making: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._posts: list[RelayPost] = []
        self._window = least
        self._room = 0
        self._settled = 0
        self._measured_at = time.monotonic()
        self._turn = 0
        self._is_behind = False
        self._may_have_lost = False
        """Whether a claim may have been committed without our knowing."""
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None
        singles.on_offer = self._tell_relays

    async def __aenter__(self) -> "Sender":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Settle what is known, and give back what did not go; relays have ended before."""
        self._is_stopping = True
        self._woken.set()
        if self._task is not None:
            # Not cancelled at once: a claim that is under way would be committed unseen.
            await asyncio.wait([self._task], timeout=_STOP_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for task in tuple(self._making):
            task.cancel()
        await asyncio.gather(*self._making, return_exceptions=True)
        now = self._clock()
        for ready in self._ready.empty():
            self._settle(ready, put_back(ready.letter, now))
        # Where the store is away, they stay `attempting`, and are held as in doubt.
        with contextlib.suppress(Transient):
            while self._results:
                await self._exchange(())

    @property
    def in_hand(self) -> int:
        """Letters that are claimed and not settled."""
        return self._in_hand.total()

    @property
    def pacer(self) -> Pacer:
        """The pace of its lanes."""
        return self._pacer

    def post(self) -> "RelayPost":
        """What one relay takes letters from."""
        post = RelayPost(self, self._singles, self._clock)
        self._posts.append(post)
        return post

    def changed(self, campaign: Campaign) -> None:
        """A campaign was changed by this process: heed it from now on."""
        self._guard.changed(campaign)
        self.wake()

    def wake(self) -> None:
        """There may be something to do."""
        self._dry.clear()
        self._woken.set()

    # --- of relays ---

    def next_ready(self, now: int) -> Ready | None:
        """The next letter that may go; those that may not go any more are put aside."""
        while (ready := self._ready.next(now)) is not None:
            why = self._guard.objection(ready.letter, ready.claimed_at, now)
            until = self._pacer.paused(ready.letter.lane, ready.domain)
            if not why and until <= now:
                self._pacer.went(ready.letter.lane, now)
                return ready
            self._settle(ready, _aside(ready.letter, why, now, until))
        return None

    def next_at(self, now: int) -> int:
        """When there may be a letter to go."""
        return self._ready.next_at(now)

    def heard(self, ready: Ready, answer: Answer, now: int) -> None:
        """What came of a letter that was on the wire."""
        letter = ready.letter
        class_ = class_of(letter, answer)
        self._pacer.heard(letter.lane, ready.domain, answer, class_, now)
        campaign = self._guard.campaigns.get(letter.campaign)
        give_up = campaign.give_up_seconds if campaign else Campaign.give_up_seconds
        luck = int(self._rng.random() * LUCK)
        self._settle(ready, result_of(letter, answer, give_up, now, luck))
        self._settled += 1
        self._tell_relays()  # the lane has a place again

    def _settle(self, ready: Ready, result: Result) -> None:
        # The two know each other: messages would pile up until cycles are looked for.
        ready.envelope = None
        self._in_hand[ready.letter.lane] -= 1
        self._of_campaign[ready.letter.campaign] -= 1
        self._results.append(result)
        self._woken.set()

    def _tell_relays(self) -> None:
        for post in self._posts:
            post.tell()

    # --- of the store ---

    async def _run(self) -> None:
        while not self._is_stopping:
            try:
                await self._round()
            except Transient:
                self._is_behind = True  # the store says itself that it is away
                await asyncio.sleep(_REST_SECONDS)
            except Exception as error:  # noqa: BLE001 - one round's fault is not the others' end
                self._log.error("a round of mail failed", exc_info=error)
                await asyncio.sleep(_REST_SECONDS)

    async def _round(self) -> None:
        await self._wait()
        self._measure()
        now = self._clock()
        for ready, until in self._ready.stale(now):
            self._settle(ready, put_back(ready.letter, now, until))
        if self._may_have_lost:
            await self._find_lost()
        is_held_up = self._is_behind or self._may_have_lost or self._is_stopping
        wishes = () if is_held_up else self._wishes(now)
        if self._results or wishes:
            await self._exchange(wishes)
        self._is_behind = False
        if self._results:
            self._woken.set()

    async def _find_lost(self) -> None:
        """A claim failed, and may have been committed all the same: once nothing is in hand, what
        the store has us attempt was never seen here, and is held as in doubt.
        """
        owner = self._process.owner()
        if self._is_behind or self._results or self.in_hand or owner is None:
            return
        while await self._store.run(lost, Lost(owner, self._clock()), Lane.BACKGROUND):
            pass
        self._may_have_lost = False

    async def _wait(self) -> None:
        """Until there is something to settle, or to ask for."""
        if not self._woken.is_set():
            # Not wait_for, which in Python 3.11 may swallow a cancellation that comes with it.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._woken.wait()
        if self.in_hand > self._window // 2 and len(self._results) < AT_ONCE // 2:
            await asyncio.sleep(_GATHER_SECONDS)
        self._woken.clear()

    def _measure(self) -> None:
        """Hold as much in hand as goes in a moment."""
        now = time.monotonic()
        seconds = now - self._measured_at
        if seconds >= _AHEAD_SECONDS:
            ahead = int(self._settled / seconds * _AHEAD_SECONDS)
            self._window = min(MOST_CLAIMED, max(self._least, ahead))
            self._settled, self._measured_at = 0, now

    def _wishes(self, now: int) -> tuple[Wish, ...]:
        # Of relays that are all away none comes back unless there is something to try it with.
        window = self._window if any(post.answers for post in self._posts) else _PROBES
        room = window - self.in_hand
        if room < max(1, window // 4) or not self._guard.is_fresh or not self._may_claim(now):
            return ()
        steady = time.monotonic()
        self._dry = {key: until for key, until in self._dry.items() if until > steady}
        pairs = [
            (campaign.id, lane)
            for campaign in self._guard.campaigns.values()
            if self._guard.sends(campaign)
            for lane in _LANES
            if (campaign.id, lane) not in self._dry
        ]
        self._turn += 1
        begin = self._turn % len(pairs) if pairs else 0
        self._of_campaign = +self._of_campaign
        size_of = self._jobs.size_of
        held = sum(size_of(id_) * count for id_, count in self._of_campaign.items())
        new: Counter[int] = Counter()
        wishes: list[Wish] = []
        for id_, lane in pairs[begin:] + pairs[:begin]:
            most = self._pacer.room(lane, now, _LANE_SECONDS)
            limit = room if most is None else min(room, most - self._in_hand[lane])
            if size := size_of(id_):
                fits = max((MOST_BYTES - held) // size, 0 if self.in_hand or wishes else 1)
                if fits < limit:  # small ones are few enough whatever the others are
                    limit = fits
                    held += max(0, fits) * size
            else:
                limit = min(limit, _FIRST - self._of_campaign[id_] - new[id_])
                new[id_] += max(0, limit)
            if limit > 0:
                wishes.append(Wish(id_, lane, limit))
        self._room = room
        return tuple(wishes)

    def _may_claim(self, now: int) -> bool:
        """Whether any relay takes letters."""
        return self._process.owner() is not None and any(post.is_open(now) for post in self._posts)

    async def _exchange(self, wishes: tuple[Wish, ...]) -> None:
        """Settle and claim, in one transaction."""
        owner = self._process.owner()
        if owner is None:
            return
        some, now = self._results[:AT_ONCE], self._clock()
        ids = IDS_A_RESULT * len(some)
        seed = Seed(self._process.ids.block(now, ids) if ids else 0, ids, secrets.token_bytes(16))
        limit = min(AT_ONCE, self._room)
        claimed_at = now, time.monotonic()
        job = Round(owner, now, seed, tuple(some), wishes, limit)
        try:
            given = await self._store.run(exchange, job, Lane.BACKGROUND)
        except Transient as error:
            is_unknown = bool(wishes) and error.reason not in _NOT_COMMITTED
            self._may_have_lost = self._may_have_lost or is_unknown
            raise
        except GatewayError as error:
            # They stay `attempting` while we live, and are held after that.
            self._log.error("mails cannot be settled", mails=len(some), exc_info=error)
            del self._results[: len(some)]
            return
        del self._results[: len(some)]
        self._take(given, claimed_at)

    def _take(self, given: Given, claimed_at: tuple[int, float]) -> None:
        for key in given.dry:
            self._dry[key] = claimed_at[1] + _DRY_SECONDS
        self._guard.note(given.suppressions)
        for campaign in given.paused:
            self._guard.changed(campaign)
            self._log.warning(
                "a campaign was paused by itself", campaign=campaign.id, reason=campaign.reason
            )
        by_campaign: dict[int, list[Ready]] = {}
        for letter in given.letters:
            self._in_hand[letter.lane] += 1
            self._of_campaign[letter.campaign] += 1
            by_campaign.setdefault(letter.campaign, []).append(Ready(letter, claimed_at))
        for id_, some in by_campaign.items():
            task = asyncio.create_task(self._make(id_, some))
            self._making.add(task)
            task.add_done_callback(self._making.discard)

    async def _make(self, campaign_id: int, some: Sequence[Ready]) -> None:
        """Have letters made; those that cannot be are settled, or given back."""
        left, now = list(some), self._clock()
        campaign = self._guard.campaigns.get(campaign_id)
        try:
            if campaign is not None:
                waiting = iter(some)
                letters = [ready.letter for ready in some]
                async with contextlib.aclosing(self._jobs.made(campaign, letters, now)) as parts:
                    async for part in parts:
                        for made in part:
                            ready = next(waiting)
                            left.remove(ready)
                            self._made(ready, made)
                        self._tell_relays()
        except Transient:
            await asyncio.sleep(_REST_SECONDS)
        except Exception as error:  # noqa: BLE001 - it is this campaign's alone
            self._log.error(
                "a campaign's mails cannot be made", campaign=campaign_id, exc_info=error
            )
            with contextlib.suppress(GatewayError):
                fault = Fault(campaign_id, now)
                paused = await self._store.run(pause_for_fault, fault, Lane.BACKGROUND)
                if paused is not None:
                    self._guard.changed(paused)
        finally:
            for ready in left:
                self._settle(ready, put_back(ready.letter, self._clock()))
            self._tell_relays()

    def _made(self, ready: Ready, made: Envelope | ComposeFailure) -> None:
        if isinstance(made, ComposeFailure):
            letter, text = ready.letter, f"{made.reason}: {made.detail}"
            failed = Result(
                letter.campaign,
                letter.recipient,
                "failed",
                self._clock(),
                tried=False,
                bounce_class=UNWRITABLE,
                text=text,
            )
            self._settle(ready, failed)
            return
        ready.envelope = Envelope(made.sender, made.recipient, made.message, ready)
        self._ready.put(ready)


def _aside(letter: Letter, why: str, now: int, until: int) -> Result:
    """What becomes of a letter that may not go."""
    if why == "stopped":
        return Result(letter.campaign, letter.recipient, "suppressed", now, tried=False)
    if why == "canceled":
        return Result(letter.campaign, letter.recipient, "canceled", now, tried=False)
    return put_back(letter, now, until if until > now else 0)
