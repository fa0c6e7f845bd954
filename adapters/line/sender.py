"""What is done to LINE: a handler for each kind of effect that sends messages."""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from adapters.line.rates import Rates
from gateway.domain.hours import month_of
from gateway.domain.line import sending
from gateway.domain.line.channel import Channel
from gateway.domain.line.sending import Accepted, Answer, Exhausted, Kind, Next, Tries, is_unasked
from gateway.domain.pushes import after_quiet
from gateway.domain.values import SECOND, Counted, Seed
from gateway.errors import Transient
from gateway.ports import Clock, Lane, Store, UseCase
from gateway.ports.outbox import HALTED, Claimed, Handlers, NothingDone, Outcome
from gateway.ports.process import Blocks
from gateway.ports.quota import Spent
from gateway.usecases.sending import (
    AT_ONCE,
    HELD,
    IDS_AN_EFFECT,
    OVER_QUOTA,
    QUIET,
    Prepare,
    Prepared,
    is_ready,
)

SENDS: dict[str, Kind] = {
    "line.reply": "reply",
    "line.push": "push",
    "line.multicast": "multicast",
    "line.narrowcast": "narrowcast",
    "line.broadcast": "broadcast",
}
"""The kinds of effects that send messages."""

_OURS = frozenset(
    {"channel", "user", "token", "rendered", "recipients", "reserved", "fixed", "left"}
)
"""What a payload says to us alone."""

_SEND_SECONDS = 13.0
"""For one attempt with all that belongs to it; shorter than the lease."""

_PREPARE_SECONDS = 5.0
"""To make one message ready; what takes longer has not been sent."""

_QUOTA_LOOK = 60 * SECOND
"""So long a message waits before it is seen anew whether the month has room for it."""

_PUT_OFF = 10 * SECOND
"""So long an effect waits that was handed out just when its sends were halted."""

_encode = msgspec.json.encode
_payload: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(
    dict[str, msgspec.Raw]
)


class Sends(Protocol):
    """Sends bytes once; see :class:`adapters.line.client.Messages`."""

    async def send(
        self, channel: Channel, kind: Kind, body: bytes, retry_key: str | None = None
    ) -> Answer:
        """Send ``body``, and say what came of it."""


@dataclass(frozen=True)
class _Letter:
    """An effect, looked into."""

    effect: Claimed
    kind: Kind
    payload: dict[str, msgspec.Raw]
    channel: Channel | None

    @property
    def tries(self) -> Tries:
        effect = self.effect
        return Tries(
            self.kind,
            effect.key,
            effect.attempts,
            effect.unclear,
            effect.tried_at,
            effect.give_up_at,
            effect.last_error or "",
        )

    @property
    def is_ready(self) -> bool:
        if "rendered" in self.payload:
            return True
        return is_ready(msgspec.json.decode(self.payload["messages"]))

    def quiet_until(self, now: int) -> int:
        """When the channel's quiet hours end, where it must not be sent in them; else 0."""
        if self.channel is None:
            return 0
        quiet = sending.quiet_for(self.effect.origin, self.channel.quiet)
        until = after_quiet(quiet, now)
        return until if until > now else 0

    def may_go(self, now: int) -> bool:
        """Whether it can be sent as it is, without a look at whether anybody wants it still."""
        is_reserved = self.reserved in ("", month_of(now))
        return self.is_ready and is_reserved and not is_unasked(self.effect.origin)

    @property
    def recipients(self) -> int:
        """How many it goes to, as far as that is known."""
        if "recipients" in self.payload:
            return int(msgspec.json.decode(self.payload["recipients"], type=int))
        if self.kind != "multicast":
            return 1
        return len(msgspec.json.decode(self.payload["to"], type=list[str]))

    @property
    def reserved(self) -> str:
        """The month in which it is reserved; empty where it is not."""
        if "reserved" not in self.payload:
            return ""
        return msgspec.json.decode(self.payload["reserved"], type=str)

    @property
    def body(self) -> bytes:
        """The request's body: of the same stored text always the same bytes."""
        parts = [
            _encode(name) + b":" + bytes(value)
            for name, value in self.payload.items()
            if name not in _OURS
        ]
        if self.kind == "reply":
            parts.insert(0, b'"replyToken":' + bytes(self.payload["token"]))
        return b"{" + b",".join(parts) + b"}"


class Sender:
    """Sends what the outbox hands out.

    ``is_halted`` tells whether an advertiser's sends are. ``exhausted`` is told of channels whose
    month is used up: they send nothing that costs quota until :meth:`unhold`, or for a while.
    """

    def __init__(
        self,
        *,
        store: Store,
        messages: Sends,
        ids: Blocks,
        clock: Clock,
        prepare: UseCase[Prepared],
        is_halted: Callable[[str], bool] = lambda advertiser: False,
        exhausted: Callable[[Channel], object] = lambda channel: None,
    ) -> None:
        self._store = store
        self._messages = messages
        self._clock = clock
        self._ready = _Preparing(store, ids, clock, prepare)
        self._is_halted = is_halted
        self._exhausted = exhausted
        self._rates = Rates()
        self._held: dict[str, int] = {}

    @property
    def handlers(self) -> Handlers:
        """One for each kind that sends messages."""
        return dict.fromkeys(SENDS, self.carry_out)

    def hold(self, channel: str, until: int) -> None:
        """Send nothing of a channel that costs quota until then."""
        self._held[channel] = until

    def held(self, channel: str) -> int:
        """Until when it is so held; 0 where it is not."""
        return self._held.get(channel, 0)

    def unhold(self, channel: str) -> None:
        """The channel's month has room again."""
        self._held.pop(channel, None)

    async def carry_out(self, effect: Claimed) -> Outcome:
        """Send one message, if it may and can be sent now.

        Raises:
            NothingDone: it could not be made ready, and was not sent.
        """
        try:
            ready = await self._prepared(effect)
        except (Transient, TimeoutError):  # the store is away, or slow: no fault of the message's
            return Outcome("waiting", self._clock() + SECOND, tried=False)
        except Exception as error:  # whatever it is, it came before anything was sent
            raise NothingDone("preparing") from error
        if isinstance(ready, Outcome):
            return ready
        return await self._send(ready)

    async def _prepared(self, effect: Claimed) -> "_Letter | Outcome":
        """What is to be sent, or what came of it without that."""
        letter, now = self._open(effect), self._clock()
        late = sending.before(letter.tries, now)
        if late is not None and not _may_be_pushed_instead(letter):
            return self._outcome(letter, late)
        if late is None and letter.channel is not None:
            # Before it is made ready: what must wait anyway is no work for the store.
            until, reason = self._held_up(letter, letter.channel)
            if until:
                return Outcome("waiting", until, tried=False, error=reason)
        if late is None and letter.may_go(now):
            return letter
        async with asyncio.timeout(_PREPARE_SECONDS):
            ready = await self._ready.made(effect)
        if isinstance(ready, str) and ready in HELD:
            now = self._clock()
            until = letter.quiet_until(now) if ready == QUIET else now + _QUOTA_LOOK
            return Outcome("waiting", until, tried=False, error=ready)
        if isinstance(ready, str):
            result: sending.Result = "expired" if ready == "expired" else "refused"
            return self._outcome(letter, Next("dead", result, error=ready))
        return self._open(ready)

    async def _send(self, letter: _Letter) -> Outcome:
        if letter.channel is None:
            return self._outcome(letter, Next("dead", "refused", error="no_channel"))
        # Once more, since it was made ready: shops are halted, and months used up, meanwhile.
        until, reason = self._held_up(letter, letter.channel)
        until = until or self._rates.take(letter.channel.id, letter.kind, self._clock())
        if until:
            return Outcome("waiting", until, tried=False, error=reason)
        key = None if letter.kind == "reply" else sending.retry_key(letter.effect.key)
        answer: Answer
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                answer = await self._messages.send(letter.channel, letter.kind, letter.body, key)
        except TimeoutError:
            answer = sending.Unclear()
        if isinstance(answer, Exhausted):
            self.hold(letter.channel.id, self._clock() + sending.QUOTA_PAUSE_SECONDS * SECOND)
            self._exhausted(letter.channel)
        return self._outcome(letter, sending.after(letter.tries, answer, self._clock()), answer)

    def _held_up(self, letter: _Letter, channel: Channel) -> tuple[int, str]:
        """Until when it must wait for a shop or a month, and for which; 0 where it may go."""
        now, effect = self._clock(), letter.effect
        if effect.kind in HALTED and self._is_halted(effect.advertiser):
            return now + _PUT_OFF, "halted"
        if letter.kind != "reply" and now < (until := self.held(channel.id)):
            return until, OVER_QUOTA
        return 0, ""

    def _open(self, effect: Claimed) -> _Letter:
        payload = _payload.decode(effect.payload)
        channel: str = msgspec.json.decode(payload["channel"])
        return _Letter(effect, SENDS[effect.kind], payload, self._store.entity(Channel, channel))

    def _outcome(self, letter: _Letter, step: Next, answer: Answer | None = None) -> Outcome:
        """A step as the outbox keeps it, and as it is counted."""
        facts: tuple[Counted, ...] = ()
        spent = None
        if step.result is not None:
            count, labels = letter.recipients, (letter.kind, step.result)
            facts = (Counted(letter.effect.advertiser, "line_messages_total", labels, count),)
            if step.result == "sent" and letter.kind != "reply" and letter.channel is not None:
                advertiser, now = letter.effect.advertiser, self._clock()
                spent = Spent(letter.channel.id, advertiser, count, now, letter.reserved)
        return Outcome(
            step.state,
            step.due_at,
            tried=answer is not None,
            unclear=step.unclear,
            error=step.error,
            result=_told(answer),
            facts=facts,
            spent=spent,
        )


def _may_be_pushed_instead(letter: _Letter) -> bool:
    """Whether a reply that came too late was never sent, and its channel pays for such."""
    if letter.kind != "reply" or letter.effect.unclear or letter.channel is None:
        return False
    return letter.channel.push_instead


class _Preparing:
    """Makes effects ready: all that ask within one turn of the loop, in one unit."""

    def __init__(self, store: Store, ids: Blocks, clock: Clock, prepare: UseCase[Prepared]) -> None:
        self._store = store
        self._ids = ids
        self._clock = clock
        self._prepare = prepare
        self._asked: list[tuple[Claimed, asyncio.Future[Claimed | str]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def made(self, effect: Claimed) -> Claimed | str:
        """The effect as it is to be sent, or why it never will be.

        Raises:
            Transient: the store is away.
        """
        future: asyncio.Future[Claimed | str] = asyncio.get_running_loop().create_future()
        self._asked.append((effect, future))
        if len(self._asked) == 1:
            task = asyncio.create_task(self._next_turn())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await future

    async def _next_turn(self) -> None:
        asked, self._asked = self._asked, []
        for begin in range(0, len(asked), AT_ONCE):
            await self._make(asked[begin : begin + AT_ONCE])

    async def _make(self, asked: Sequence[tuple[Claimed, asyncio.Future[Claimed | str]]]) -> None:
        now, count = self._clock(), IDS_AN_EFFECT * len(asked)
        seed = Seed(self._ids.block(now, count), count, secrets.token_bytes(16))
        job = Prepare(tuple(effect for effect, _ in asked), now, seed)
        waiting = {effect.id: future for effect, future in asked if not future.done()}
        try:
            done = await self._store.run(self._prepare, job, Lane.BACKGROUND)
        except Exception as error:  # noqa: BLE001 - it goes to those who wait
            if len(asked) > 1 and not isinstance(error, Transient):
                for each in asked:  # one that cannot be made is not the others' end
                    await self._make([each])
                return
            for future in waiting.values():
                if not future.done():
                    future.set_exception(error)
            return
        made: Mapping[int, Claimed | str] = {
            **{effect.id: effect for effect in done.ready},
            **{effect.id: trouble for effect, trouble in done.dead},
            **{effect.id: reason for effect, reason in done.held},
        }
        for id_, future in waiting.items():
            if not future.done():
                future.set_result(made[id_])


def _told(answer: Answer | None) -> str:
    """What the platform said, for the record."""
    if answer is None:
        return ""
    said: dict[str, Any] = {}
    if request := getattr(answer, "request", ""):
        said["request"] = request
    if isinstance(answer, Accepted):
        said["messages"] = answer.messages
        if answer.repeated:
            said["repeated"] = True
    elif isinstance(answer, sending.Refused):
        said |= {"status": answer.status, "message": answer.message, "details": answer.details}
    elif isinstance(answer, sending.Unclear) and answer.status:
        said["status"] = answer.status
    return _encode(said).decode()
