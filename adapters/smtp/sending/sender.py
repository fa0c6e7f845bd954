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
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapters.smtp.composing.pressing import ComposeFailure
from adapters.smtp.delivery.envelopes import Envelope
from adapters.smtp.sending.guard import Guard
from adapters.smtp.sending.hands import Hands
from adapters.smtp.sending.jobs import Jobs
from adapters.smtp.sending.lanes import Lanes, Ready
from adapters.smtp.sending.posts import RelayPost
from adapters.smtp.sending.singles import Singles
from gateway.domain.mail.answers import Answer
from gateway.domain.mail.campaigns import Campaign, Letter, Result
from gateway.domain.mail.outcomes import LUCK, class_of, put_back, result_of
from gateway.domain.mail.pace import Pacer
from gateway.domain.values import Seed
from gateway.errors import GatewayError, Transient, Trouble
from gateway.ports import Clock, Lane, Store
from gateway.ports.process import Blocks, Log
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
from gateway.usecases.mail.watching import UNWRITABLE

_GATHER_SECONDS = 0.02
"""Results are gathered for so long: one transaction for many."""

_LOOK_SECONDS = 0.25
_STOP_SECONDS = 10.0

_REST_SECONDS = 1.0
"""A pause after the store failed us."""

_NOT_COMMITTED = frozenset((Trouble.STORE_BUSY, Trouble.STORE_CONFLICT))
"""Troubles after which nothing was committed for certain."""

_SWEEP_SECONDS = 60.0
"""Between two looks for what the store has us attempt, and nobody has in hand."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """What the process has for its sender."""

    ids: Blocks
    owner: Callable[[], int | None]
    """The number of its start; ``None`` while that is unknown, or it has not said yet that it
    lives."""
    clock: Clock
    log: Log
    steady: Callable[[], float] = time.monotonic
    """A clock that nobody sets, in seconds."""


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
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._guard = guard
        self._singles = singles
        self._process = process
        self._clock = process.clock
        self._log = process.log
        self._pacer = Pacer()
        self._ready = Lanes(self._pacer)
        self._hands = Hands(self._pacer, jobs.size_of, process.steady, least)
        self._rng = random.Random()  # noqa: S311 - it spreads pauses, and guards nothing
        self._results: list[Result] = []
        self._making: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._posts: list[RelayPost] = []
        self._is_behind = False
        self._may_have_lost = False
        """Whether a claim may have been committed without our knowing."""
        self._looked_at = process.steady()
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
        return len(self._hands)

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
        self._hands.look_again()
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
        self._settle(ready, result_of(letter, answer, give_up, now, luck), went=True)
        self._tell_relays()  # the lane has a place again

    def _settle(self, ready: Ready, result: Result, *, went: bool = False) -> None:
        # The two know each other: messages would pile up until cycles are looked for.
        ready.envelope = None
        self._hands.let_go(ready.letter, went=went)
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
        self._hands.measure()
        now = self._clock()
        for ready, until in self._ready.stale(now):
            self._settle(ready, put_back(ready.letter, now, until))
        since = self._process.steady() - self._looked_at
        if self._may_have_lost or since >= _SWEEP_SECONDS:
            await self._find_lost()
        is_held_up = self._is_behind or self._may_have_lost or self._is_stopping
        wishes = () if is_held_up else self._wishes(now)
        if self._results or wishes:
            await self._exchange(wishes)
        self._is_behind = False
        if self._results:
            self._woken.set()

    async def _find_lost(self) -> None:
        """Where nothing is in hand, what the store has us attempt was never seen here, or could not
        be settled: it is held as in doubt. After a claim that failed, and may have been committed
        all the same, nothing is claimed before that.
        """
        owner = self._process.owner()
        if self._is_behind or self._results or self.in_hand or owner is None:
            return
        self._looked_at = self._process.steady()
        while held := await self._store.run(lost, Lost(owner, self._clock()), Lane.BACKGROUND):
            self._log.warning("mails are in doubt: what came of them was lost", mails=held)
        self._may_have_lost = False

    async def _wait(self) -> None:
        """Until there is something to settle, or to ask for."""
        if not self._woken.is_set():
            # Not wait_for, which in Python 3.11 may swallow a cancellation that comes with it.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._woken.wait()
        if self._hands.are_full and len(self._results) < AT_ONCE // 2:
            await asyncio.sleep(_GATHER_SECONDS)
        self._woken.clear()

    def _wishes(self, now: int) -> tuple[Wish, ...]:
        if not self._guard.is_fresh or not self._may_claim(now):
            return ()
        may_go = [id_ for id_, each in self._guard.campaigns.items() if self._guard.sends(each)]
        return self._hands.wishes(may_go, now, answers=self._answers())

    def _answers(self) -> bool:
        """Whether any relay can be reached, as far as that is known."""
        return any(post.answers for post in self._posts)

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
        limit = min(AT_ONCE, self._hands.room(answers=self._answers()))
        claimed_at = now, self._process.steady()
        job = Round(owner, now, seed, tuple(some), wishes, limit, self._hands.bytes(wishes))
        try:
            given = await self._store.run(exchange, job, Lane.BACKGROUND)
        except Transient as error:
            is_unknown = bool(wishes) and error.reason not in _NOT_COMMITTED
            self._may_have_lost = self._may_have_lost or is_unknown
            raise
        except GatewayError as error:
            # They stay `attempting` until they are looked for.
            self._log.error("mails cannot be settled", mails=len(some), exc_info=error)
            del self._results[: len(some)]
            return
        del self._results[: len(some)]
        self._hands.heard(wishes, given)
        self._take(given, claimed_at)

    def _take(self, given: Given, claimed_at: tuple[int, float]) -> None:
        self._guard.note(given.suppressions)
        for campaign in given.paused:
            self._guard.changed(campaign)
            self._log.warning(
                "a campaign was paused by itself", campaign=campaign.id, reason=campaign.reason
            )
        by_campaign: dict[int, list[Ready]] = {}
        for letter in given.letters:
            self._hands.took(letter)
            by_campaign.setdefault(letter.campaign, []).append(Ready(letter, claimed_at))
        for id_, some in by_campaign.items():
            task = asyncio.create_task(self._make(id_, some))
            self._making.add(task)
            task.add_done_callback(self._making.discard)

    async def _make(self, campaign_id: int, some: Sequence[Ready]) -> None:
        """Have letters made; those that cannot be are settled, or given back."""
        left, now = deque(some), self._clock()
        campaign = self._guard.campaigns.get(campaign_id)
        try:
            if campaign is not None:
                letters = [ready.letter for ready in some]
                async with contextlib.aclosing(self._jobs.made(campaign, letters, now)) as parts:
                    async for part in parts:
                        for made in part:
                            self._made(left.popleft(), made)
                        self._tell_relays()
        except Transient:
            await asyncio.sleep(_REST_SECONDS)
        except Exception as error:  # noqa: BLE001 - it is this campaign's alone
            self._log.error(
                "a campaign's mails cannot be made", campaign=campaign_id, exc_info=error
            )
            with contextlib.suppress(GatewayError):
                fault = Fault(campaign_id)
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
