"""Single mails of the outbox: confirmations of sign-ups, and campaigns sent to oneself to see."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate

import msgspec

from adapters.smtp.composing.mime import Letter, compile_content
from adapters.smtp.composing.pressing import ComposeFailure, PressJob
from adapters.smtp.sending.jobs import BOUNCE_DAYS, Presses, identity_of, signing_of
from gateway.domain.mail.addresses import domain_of, wire_form
from gateway.domain.mail.answers import Answer
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.tokens import TRIAL, Keys, Named, sealed, stop_address, verp
from gateway.domain.values import SECOND
from gateway.errors import Refused, Transient
from gateway.ports import Clock, Lane, Store
from gateway.ports.outbox import Claimed, Handlers, NothingDone, Outcome
from gateway.usecases.mail.sending import message

_SEND_SECONDS = 12.0
"""For one attempt; shorter than the lease of the outbox."""

_BRACE = "brace"

_FIRST_PAUSE = 60
_MOST_PAUSE = 3600


class _Single(msgspec.Struct, frozen=True):
    """What ``mail.single`` carries."""

    list: str
    address: str
    subject: str
    text: str


class _Test(msgspec.Struct, frozen=True):
    """What ``mail.test`` carries."""

    campaign: int
    address: str
    values: dict[str, str] = {}


class Single:
    """A mail on its way; somebody waits for its answer."""

    def __init__(self, sender: str, recipient: str, message: bytes) -> None:
        self.sender = sender
        self.recipient = recipient
        self.message = message
        self.is_taken = False
        self._answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def answered(self, answer: Answer) -> None:
        """What came of it."""
        if not self._answer.done():
            self._answer.set_result(answer)

    async def answer(self, seconds: float) -> Answer:
        """The relay's answer; where none comes in time, whether it went is unknown once a relay
        has taken it.
        """
        done, _ = await asyncio.wait([self._answer], timeout=seconds)
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
        keys: Callable[[], Awaitable[Keys]],
        clock: Clock,
        public_url: str,
        takes_mail: bool = False,
    ) -> None:
        """``takes_mail``: as of :class:`~adapters.smtp.jobs.Jobs`."""
        self._store = store
        self._press = press
        self._keys = keys
        self._clock = clock
        self._public_url = public_url
        self._takes_mail = takes_mail
        self._waiting: deque[Single] = deque()
        self.on_offer: Callable[[], object] = lambda: None
        """Called when there is one to take."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def handlers(self) -> Handlers:
        """For the kinds of effects that are single mails."""
        return {"mail.single": self.single, "mail.test": self.test}

    def next(self) -> Single | None:
        """One to be put on the wire."""
        if not self._waiting:
            return None
        single = self._waiting.popleft()
        single.is_taken = True
        return single

    async def single(self, effect: Claimed) -> Outcome:
        """Send the mail that an effect holds.

        Raises:
            NothingDone: it could not be made.
        """
        if not effect.payload:
            return Outcome("dead", tried=False, error="withdrawn")  # whose it was is deleted
        said = msgspec.json.decode(effect.payload, type=_Single)
        mail_list = self._store.entity(MailList, said.list)
        if mail_list is None:
            return Outcome("dead", tried=False, error="no_list")
        content = Content(subject=_literal(said.subject), text=_literal(said.text))
        who = Named(0, _signup_of(effect))
        return await self._carry(effect, mail_list, content, said.address, {_BRACE: "{"}, who)

    async def test(self, effect: Claimed) -> Outcome:
        """Send a campaign's message to an address that a person named.

        Raises:
            NothingDone: it could not be made.
        """
        if not effect.payload:
            return Outcome("dead", tried=False, error="withdrawn")
        said = msgspec.json.decode(effect.payload, type=_Test)
        held = await self._store.run(message, said.campaign, Lane.BACKGROUND)
        if held is None:
            return Outcome("dead", tried=False, error="no_campaign")
        mail_list = self._store.entity(MailList, held.campaign.list)
        if mail_list is None:
            return Outcome("dead", tried=False, error="no_list")
        return await self._carry(effect, mail_list, held.content, said.address, said.values, TRIAL)

    async def _carry(
        self,
        effect: Claimed,
        mail_list: MailList,
        content: Content,
        address: str,
        values: Mapping[str, str],
        who: Named,
    ) -> Outcome:
        now = self._clock()
        try:
            single = await self._made(effect, mail_list, content, address, values, who)
        except Transient:
            return Outcome("waiting", now + SECOND, tried=False)
        except Refused as refused:
            return Outcome("dead", tried=False, error=str(refused.reason))
        except Exception as error:
            raise NothingDone("composing") from error
        self._waiting.append(single)
        self.on_offer()
        answer = await single.answer(_SEND_SECONDS)
        if not single.is_taken:
            self._waiting.remove(single)
        return _outcome(effect, answer, self._clock())

    async def _made(
        self,
        effect: Claimed,
        mail_list: MailList,
        content: Content,
        address: str,
        values: Mapping[str, str],
        who: Named,
    ) -> Single:
        now, keys = self._clock(), await self._keys()
        compiled = await asyncio.to_thread(
            compile_content, content, identity_of(mail_list, self._public_url)
        )
        stop = stop_address(who, mail_list.bounce_domain, keys.stop)
        itself = Named(0, who.recipient or effect.id)  # of a sign-up there is one mail
        letter = Letter(
            message_id=f"<{sealed(itself, keys.verp)}@{domain_of(mail_list.sender)}>",
            date=formatdate(effect.tried_at // SECOND),
            to=wire_form(address),
            values=values,
            stop_url=f"{self._public_url}/u/{sealed(who, keys.stop)}",
            stop_mailto=f"mailto:{stop}" if self._takes_mail else "",
        )
        job = PressJob(compiled, signing_of(mail_list))
        made = (await self._press.compose(f"effect {effect.id}", job, [letter], now // SECOND))[0]
        if isinstance(made, ComposeFailure):
            raise ValueError(made.reason)
        expires_at = now + BOUNCE_DAYS * 86_400 * SECOND
        sender = verp(who, mail_list.bounce_domain, expires_at, keys.verp)
        return Single(sender, wire_form(address), made)


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
