"""Single mails of the outbox: confirmations of sign-ups, and trials of campaigns.

They wait behind a relay that is away for hours, so that each attempt asks the store first whether
their recipients stopped meanwhile; who stops after that is known to the guard.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec

from adapters.smtp.composing.inliner import CPU_SECONDS_TO_LOOK
from adapters.smtp.composing.mime import Compiled, Identity, Letter, compile_content, date_of
from adapters.smtp.composing.pressing import ComposeFailure, PressJob
from adapters.smtp.sending.guard import Guard
from adapters.smtp.sending.jobs import Presses, identity_of, return_path, signing_of, stop_mailto
from gateway.domain.mail.addresses import domain_of, wire_form
from gateway.domain.mail.answers import Answer
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.tokens import TRIAL, Keys, Named, hash_of, sealed
from gateway.domain.values import SECOND
from gateway.errors import Refused, Transient
from gateway.ports import Clock, Lane, Store
from gateway.ports.outbox import Claimed, Handlers, NothingDone, Outcome
from gateway.usecases.mail.sending import message
from gateway.usecases.mail.singles import Look, is_stopped

_SEND_SECONDS = 12.0
"""For one attempt, making it and sending it together; shorter than the lease of the outbox."""

_BRACE = "brace"

_FIRST_PAUSE = 60
_MOST_PAUSE = 3600

Objection = Literal["", "stopped", "halted", "later"]
"""Why a mail does not go: its recipient stopped; sends are halted; or not just now."""

_PAUSES: dict[Objection, int] = {"halted": 10, "later": 1}
"""Seconds until a mail that may go later is looked at again."""


class _Single(msgspec.Struct, frozen=True):
    """What ``mail.single`` carries."""

    list: str
    address: str
    subject: str
    text: str


class _Trial(msgspec.Struct, frozen=True):
    """What ``mail.test`` carries."""

    campaign: int
    address: str
    values: dict[str, str] = {}


class _Mail(msgspec.Struct, frozen=True):
    """What is said, and to whom."""

    mail_list: MailList
    content: Content
    address: str
    values: Mapping[str, str]
    who: Named
    topic: str = ""
    is_trial: bool = False


class Single:
    """A mail on its way; somebody waits for its answer."""

    def __init__(
        self, sender: str, recipient: str, message: bytes, look: Look, *, is_trial: bool = False
    ) -> None:
        """``look`` is what the store was asked before it was made."""
        self.sender = sender
        self.recipient = recipient
        self.message = message
        self.look = look
        self.is_trial = is_trial
        self.is_taken = False
        self.objection: Objection = ""
        self._answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def answered(self, answer: Answer) -> None:
        """What came of it."""
        if not self._answer.done():
            self._answer.set_result(answer)

    async def answer(self, seconds: float) -> Answer:
        """The relay's answer; where none comes in time, whether it went is unknown once a relay
        has taken it.
        """
        done, _ = await asyncio.wait([self._answer], timeout=max(0.0, seconds))
        if done:
            return self._answer.result()
        self._answer.cancel()
        if self.is_taken:
            return Answer("unknown", "end", text="timeout")
        return Answer("unsent", "connect", text="timeout")


class Singles:
    """Mails that go before all campaigns', one by one."""

    def __init__(
        self,
        *,
        store: Store,
        press: Presses,
        guard: Guard,
        keys: Callable[[], Awaitable[Keys]],
        clock: Clock,
        public_url: str,
        takes_mail: bool = False,
    ) -> None:
        """``takes_mail``: as of :class:`~adapters.smtp.sending.jobs.Jobs`."""
        self._store = store
        self._press = press
        self._guard = guard
        self._keys = keys
        self._clock = clock
        self._public_url = public_url
        self._takes_mail = takes_mail
        self._drafts = _Drafts()
        self._waiting: deque[Single] = deque()
        self.on_offer: Callable[[], object] = lambda: None
        """Called when there is one to take."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def handlers(self) -> Handlers:
        """For the kinds of effects that are single mails."""
        return {"mail.single": self.single, "mail.test": self.trial}

    def next(self) -> Single | None:
        """One to be put on the wire at once; those that may not go any more are put aside."""
        while self._waiting:
            single = self._waiting.popleft()
            single.objection = self._objection(single)
            if not single.objection:
                single.is_taken = True
                return single
            single.answered(Answer("unsent", "mail", text=single.objection))
        return None

    async def single(self, effect: Claimed) -> Outcome:
        """Send the mail that an effect holds.

        Raises:
            NothingDone: it could not be made.
        """
        if not effect.payload:
            return _dead("withdrawn")  # whose it was is deleted
        said = msgspec.json.decode(effect.payload, type=_Single)
        mail_list = self._store.entity(MailList, said.list)
        if mail_list is None:
            return _dead("no_list")
        content = Content(subject=_literal(said.subject), text=_literal(said.text))
        who = Named(0, _signup_of(effect))
        return await self._carry(
            effect, _Mail(mail_list, content, said.address, {_BRACE: "{"}, who)
        )

    async def trial(self, effect: Claimed) -> Outcome:
        """Send a campaign's message to an address that a person named.

        Raises:
            NothingDone: it could not be made.
        """
        if not effect.payload:
            return _dead("withdrawn")
        said = msgspec.json.decode(effect.payload, type=_Trial)
        held = await self._store.run(message, said.campaign, Lane.BACKGROUND)
        if held is None:
            return _dead("no_campaign")
        mail_list = self._store.entity(MailList, held.campaign.list)
        if mail_list is None:
            return _dead("no_list")
        topic = held.campaign.topic
        mail = _Mail(
            mail_list, held.content, said.address, said.values, TRIAL, topic, is_trial=True
        )
        return await self._carry(effect, mail)

    async def _carry(self, effect: Claimed, mail: _Mail) -> Outcome:
        loop = asyncio.get_running_loop()
        until = loop.time() + _SEND_SECONDS
        if self._clock() > effect.give_up_at:
            return _dead("too_late")
        try:
            async with asyncio.timeout_at(until):
                single = await self._made(effect, mail)
        except TimeoutError:
            return Outcome("waiting", self._clock() + _FIRST_PAUSE * SECOND, tried=False)
        except Transient:
            return Outcome("waiting", self._clock() + SECOND, tried=False)
        except Refused as refused:
            return _dead(str(refused.reason))
        except _Unwritable as error:
            return _dead(str(error))  # the next try would end so, too
        except Exception as error:
            raise NothingDone("composing") from error
        if single is None:
            return _dead("stopped")
        self._waiting.append(single)
        try:
            self.on_offer()
            answer = await single.answer(until - loop.time())
        finally:
            # Whoever gave up on it must not leave it here: the next attempt would be a second mail.
            with contextlib.suppress(ValueError):
                self._waiting.remove(single)
        if single.objection == "stopped":
            return _dead(single.objection)
        if single.objection:
            pause = _PAUSES[single.objection] * SECOND
            return Outcome("waiting", self._clock() + pause, tried=False)
        return _outcome(effect, answer, self._clock())

    def _objection(self, single: Single) -> Objection:
        look, guard = single.look, self._guard
        if not guard.is_fresh:
            return "later"
        if single.is_trial and guard.is_halted(look.advertiser):
            return "halted"
        who = look.advertiser, look.list, look.hash, look.topic
        return "stopped" if guard.forbids(*who, self._clock(), since=look.since) else ""

    async def _made(self, effect: Claimed, mail: _Mail) -> Single | None:
        """A mail that may go, as far as the store knows; ``None``: it was stopped."""
        now, keys = self._clock(), await self._keys()
        mail_list, who = mail.mail_list, mail.who
        look = Look(
            advertiser=mail_list.advertiser,
            list=mail_list.id,
            hash=hash_of(mail.address, keys),
            topic=mail.topic,
            now=now,
            since=-1 if mail.is_trial else effect.order_at,
            signup=who.recipient,
        )
        if await self._store.run(is_stopped, look, Lane.BACKGROUND):
            return None
        identity = identity_of(mail_list, self._public_url)
        if mail.is_trial:
            compiled = await self._drafts.compiled(mail.content, identity)
        else:
            compiled = await asyncio.to_thread(compile_content, mail.content, identity)
        itself = Named(0, who.recipient or effect.id)  # of a sign-up there is one mail
        letter = Letter(
            message_id=f"<{sealed(itself, keys.verp)}@{domain_of(mail_list.sender)}>",
            date=date_of(effect.tried_at // SECOND),
            to=wire_form(mail.address),
            values=mail.values,
            stop_url=f"{self._public_url}/u/{sealed(who, keys.stop)}",
            stop_mailto=stop_mailto(who, mail_list, keys) if self._takes_mail else "",
        )
        job = PressJob(compiled, signing_of(mail_list))
        made = (await self._press.compose(f"effect {effect.id}", job, [letter], now // SECOND))[0]
        if isinstance(made, ComposeFailure):
            raise _Unwritable(made.reason)
        sender = return_path(who, mail_list, keys, now)
        return Single(sender, letter.to, made, look, is_trial=mail.is_trial)


class _Unwritable(Exception):
    """Of these values no mail can be made; its text is the reason."""


class _Drafts:
    """Compiles what trials say: in a thread of its own, as the style of a draft takes seconds."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mail-trials")
        self._last: tuple[Content, Identity, Compiled] | None = None

    async def compiled(self, content: Content, identity: Identity) -> Compiled:
        """What all mails of a trial have in common, made once for its addresses."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._compile, content, identity)

    def _compile(self, content: Content, identity: Identity) -> Compiled:
        if self._last is None or self._last[:2] != (content, identity):
            compiled = compile_content(content, identity, cpu_seconds=CPU_SECONDS_TO_LOOK)
            self._last = (content, identity, compiled)
        return self._last[2]


def _dead(error: str) -> Outcome:
    """It does not go, and nobody was asked."""
    return Outcome("dead", tried=False, error=error)


def _literal(text: str) -> str:
    """A template that says ``text``, whatever stands in it, where ``{`` is the value of a slot."""
    return text.replace("{", f"{{{{ {_BRACE} }}}}")


def _signup_of(effect: Claimed) -> int:
    """The sign-up whose confirmation an effect is; 0: it is another's."""
    kind, _, number = effect.key.partition(":")
    return int(number) if kind == "signup" and number.isdecimal() else 0


def _outcome(effect: Claimed, answer: Answer, now: int) -> Outcome:
    error = f"{answer.stage}:{answer.code}" if answer.code else answer.stage
    if answer.outcome == "accepted":
        return Outcome("done")
    if answer.outcome == "permanent":
        return Outcome("dead", error=error)
    if answer.outcome == "unknown":
        return Outcome("unknown", unclear=True, error=error)
    pause = min(_MOST_PAUSE, _FIRST_PAUSE * 2 ** min(effect.attempts - 1, 10)) * SECOND
    if now + pause > effect.give_up_at:
        return Outcome("dead", error=error)
    return Outcome("waiting", now + pause, tried=answer.outcome == "temporary", error=error)
