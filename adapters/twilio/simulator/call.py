"""One simulated call, from its first webhook to its last callback."""

import asyncio
import dataclasses
import random
import uuid
from dataclasses import dataclass
from typing import Protocol

from adapters.twilio.simulator import parameters, twiml
from adapters.twilio.simulator.played import Leg, Played, Post, Result, Script
from adapters.twilio.simulator.ringing import Rung, callbacks, ring
from adapters.twilio.simulator.twiml import Dial, Hangup, Reject, Verb
from gateway.domain.values import SECOND

_MOST_VERBS = 20
"""A caller does not listen for longer: an action that always dials again comes to an end."""

_MOST_HELD = 4
"""How many later callbacks can overtake one that is held back."""

_TWIML_TYPES = frozenset({"text/xml", "application/xml", "text/html"})
"""What the platform takes for TwiML; it would read a text/plain aloud."""

_RESULT_OF: dict[str, Result] = {"busy": "busy", "no-answer": "no_answer", "failed": "failed"}

_EVENT_OF = {"initiated": "initiated", "ringing": "ringing", "in-progress": "answered"}
"""The statusCallbackEvent under which a CallStatus is sent; every other one is ``completed``."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong on the way, each by its rate; the same ``seed`` gives the same faults."""

    seed: int
    disorder: float
    duplicates: float
    loss: float
    wild: bool


class Line(Protocol):
    """What a call needs of its carrier."""

    account_sid: str
    public_url: str
    speed: float
    faults: Faults

    def clock(self) -> int:
        """The time in microseconds."""

    def tell(self, played: Played, post: Post) -> None:
        """Tell whoever watches."""

    async def post(self, played: Played, first: Post) -> Post:
        """Send a request, again where the platform would; returns the last attempt."""


class SimulatedCall:
    """Plays one script. Times are whole seconds since the call's begin on the carrier's clock."""

    def __init__(self, line: Line, script: Script, place: int, starts_at: int | None) -> None:
        self._line = line
        self._script = script
        self._starts_at = starts_at
        self._faults = line.faults
        self._rng = random.Random(f"{line.faults.seed}/{place}")
        self._lucky = self._rng.random()
        self._callee_hangs_up = self._rng.random() < 0.5
        self._played = Played(script, sid=_sid())
        self._base = parameters.call(line.account_sid, self._played.sid, script)
        self._status = "ringing"
        self._now = 0
        self._real_begin = 0.0
        self._answered: int | None = None
        self._first_ring: int | None = None
        self._held: list[tuple[int, Post]] = []

    @property
    def played(self) -> Played:
        """The record of it, which grows while it is played."""
        return self._played

    async def play(self) -> Played:
        """Play it to its end, and send whatever was held back."""
        impatient = self._script.scenario == "caller_gives_up" and self._faults.wild
        if impatient and self._chance(self._faults.disorder):
            await self._leave_at_once()
        else:
            verbs = await self._document(self._url("voice"), self._base)
            self._begin(verbs)
            await self._perform(verbs)
            await self._end()
        while self._held:
            await self._release()
        return self._played

    async def _leave_at_once(self) -> None:
        """End before the voice webhook is answered: its document comes, and is for nobody."""
        self._begin([])
        self._played.result = "abandoned"
        await self._end()
        verbs = await self._document(self._url("voice"), self._base)
        self._played.forwarded = any(isinstance(verb, Dial) for verb in verbs)
        if any(isinstance(verb, Reject) for verb in verbs):
            self._played.result = "rejected"

    # --- time ---

    def _begin(self, verbs: list[Verb]) -> None:
        """Place the call such that the carrier's clock and ours agree, about, when it ends."""
        begin = self._starts_at
        if begin is None:
            seconds = next((self._plan(v)[1] for v in verbs if isinstance(v, Dial)), 0)
            lasting = seconds / self._line.speed if self._line.speed else 0.0
            begin = self._line.clock() + int((lasting - seconds) * SECOND)
        self._played.started_at = begin // SECOND * SECOND
        self._real_begin = asyncio.get_running_loop().time()

    async def _until(self, second: int) -> None:
        """Wait for a second of the call."""
        self._now = second
        if self._line.speed:
            due = self._real_begin + second / self._line.speed
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))

    @property
    def _instant(self) -> int:
        return self._played.started_at + self._now * SECOND

    def _plan(self, dial: Dial) -> tuple[Rung, int]:
        """How the ringing of ``dial`` goes from now on, and the second at which all of it ends."""
        rung = ring(dial, self._script, self._now, int(self._lucky * len(dial.numbers)))
        ended = rung.ended(self._now)
        return rung, ended + (min(self._script.talk, dial.time_limit) if rung.winner else 0)

    # --- the documents ---

    async def _perform(self, verbs: list[Verb]) -> None:
        """Do what the documents say until one ends the call, or the caller leaves."""
        for _ in range(_MOST_VERBS):
            if not verbs:
                return
            verb, *verbs = verbs
            if isinstance(verb, Reject) and self._answered is None:
                self._status = "busy" if verb.reason == "busy" else "no-answer"
                self._played.result = "rejected"
                return
            if isinstance(verb, Reject | Hangup):
                return
            if not isinstance(verb, Dial):
                self._answer()
                continue
            rung, outcome = await self._dial(verb)
            if rung.caller_left:
                return
            if rung.winner and not self._callee_hangs_up:
                # The caller is gone: the action is told so, and its document is for nobody.
                if verb.action:
                    gone = {"CallStatus": "completed"}
                    await self._callback(verb.action, self._base | gone | outcome)
                return
            if verb.action:
                now = {"CallStatus": self._status}
                verbs = await self._document(verb.action, self._base | now | outcome)

    async def _dial(self, dial: Dial) -> tuple[Rung, dict[str, str]]:
        """Ring and talk; returns how the ringing went and what the action is told of it."""
        self._played.forwarded = True
        if not dial.answer_on_bridge:
            self._answer()
        rung, end = self._plan(dial)
        steps = callbacks(rung)
        talk = None
        if rung.winner:
            talk = end - rung.winner.ended
            steps.append((end, rung.winner, "completed"))
        sids = {leg: _sid() for leg in rung.legs}
        told = dict.fromkeys(rung.legs, 0)
        for second, leg, status in steps:
            await self._until(second)
            if status == "in-progress":
                self._answer()
            number = dial.numbers[leg.number]
            if number.callback and _EVENT_OF.get(status, "completed") in number.events:
                shown = dial.caller_id or self._script.caller
                params = parameters.leg(self._base, sids[leg], shown, number.target, status)
                params |= parameters.progress(self._instant, told[leg])
                if status == "completed":
                    params["CallDuration"] = str(talk)
                told[leg] += 1
                await self._callback(number.callback, params)
        self._judge(rung, talk)
        for leg in rung.legs:
            self._played.legs.append(
                Leg(
                    sid=sids[leg],
                    target=dial.numbers[leg.number].target,
                    state="completed" if leg is rung.winner else leg.ending.replace("-", "_"),
                    ring_seconds=leg.ended - leg.began,
                    talk_seconds=talk if leg is rung.winner else None,
                    began_at=self._played.started_at + leg.began * SECOND,
                )
            )
        speaker = rung.winner or rung.last
        return rung, parameters.dial(rung.status, sids[speaker] if speaker else None, talk)

    def _judge(self, rung: Rung, talk: int | None) -> None:
        """Write down what a Dial made of the call; a conversation is not taken back by the next."""
        played = self._played
        if played.result == "answered":
            return
        if rung.legs:
            if self._first_ring is None:
                self._first_ring = rung.legs[0].began
            ended = rung.winner.ended if rung.winner else rung.ended(self._now)
            played.ring_seconds = ended - self._first_ring
        if rung.caller_left:
            played.result = "abandoned"
        elif rung.winner:
            played.result, played.talk_seconds = "answered", talk or 0
        else:
            played.result = _RESULT_OF[rung.status]

    def _answer(self) -> None:
        """The caller's side is answered, and billed, from now on."""
        if self._answered is None:
            self._answered, self._status = self._now, "in-progress"

    async def _end(self) -> None:
        """The call is over: tell the number's own StatusCallback."""
        self._played.ended_at = self._instant
        lasted = 0
        if self._answered is not None:
            self._status, lasted = "completed", self._now - self._answered
        elif self._status == "ringing":
            self._status = "no-answer"
        self._played.status, self._played.seconds = self._status, lasted
        params = self._base | {
            "CallStatus": self._status,
            "CallDuration": str(lasted),
            "Duration": str(-(-lasted // 60)),
        }
        await self._callback(self._url("status"), params | parameters.progress(self._instant, 0))

    # --- the wire, and what goes wrong on it ---

    def _url(self, route: str) -> str:
        return f"{self._line.public_url}/twilio/{route}"

    async def _document(self, url: str, params: dict[str, str]) -> list[Verb]:
        """Fetch a document, from the number's VoiceFallbackUrl if need be; none ends the call."""
        request = _request(url, params)
        if "DialCallStatus" in params and self._lose(request):
            return []
        verbs, code = _read(await self._send(request))
        await self._release()
        if verbs is None:
            problem = {"ErrorCode": code, "ErrorUrl": url}
            verbs, _ = _read(await self._send(_request(self._url("fallback"), params | problem)))
            await self._release()
        if verbs is None:
            self._status = "failed"
        return verbs or []

    async def _callback(self, url: str, params: dict[str, str]) -> None:
        """Send a callback, or lose it, or hold it back."""
        request = _request(url, params)
        if self._lose(request):
            return
        if self._chance(self._faults.disorder):
            self._hold(request)
            if self._chance(self._faults.duplicates):
                self._hold(_again(request))
        else:
            await self._send(request)
        await self._release()

    def _lose(self, request: Post) -> bool:
        if not self._chance(self._faults.loss):
            return False
        request.error = "lost"
        self._played.lost.append(request)
        self._line.tell(self._played, request)
        return True

    async def _send(self, request: Post) -> Post:
        """Post a request, and perhaps a second time: meanwhile, or later."""
        if not self._chance(self._faults.duplicates):
            return await self._line.post(self._played, request)
        again = _again(request)
        if self._chance(0.5):
            self._hold(again)
            return await self._line.post(self._played, request)
        posts = (self._line.post(self._played, post) for post in (request, again))
        return (await asyncio.gather(*posts))[0]

    def _hold(self, request: Post) -> None:
        self._held.append((self._rng.randint(1, _MOST_HELD), request))

    async def _release(self) -> None:
        """One more request of this call has gone out: send what was held for so long."""
        held = [(count - 1, request) for count, request in self._held]
        self._held = [(count, request) for count, request in held if count > 0]
        for count, request in held:
            if count <= 0:
                await self._line.post(self._played, request)

    def _chance(self, rate: float) -> bool:
        return self._rng.random() < rate


def _read(post: Post) -> tuple[list[Verb] | None, str]:
    """The verbs of an answer; where it has none, ``None`` and the platform's error code."""
    if post.status is None:
        return None, "11205" if post.error == "connection" else "11200"
    if not post.acknowledged:
        return None, "11200"
    if post.content_type not in _TWIML_TYPES:
        return None, "12300"
    try:
        return twiml.read(post.answer, post.url), ""
    except ValueError:
        return None, "12100"


def _request(url: str, params: dict[str, str]) -> Post:
    return Post(url, params, token=str(uuid.uuid4()))


def _again(request: Post) -> Post:
    return dataclasses.replace(request, duplicate=True)


def _sid() -> str:
    """A fresh CallSid: runs of one seed must not be taken for repetitions of each other."""
    return f"CA{uuid.uuid4().hex}"
