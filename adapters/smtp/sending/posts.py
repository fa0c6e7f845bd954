"""Letters as one relay takes them: single mails first, then those of campaigns."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from adapters.smtp.delivery.envelopes import Envelope
from adapters.smtp.sending.lanes import Ready
from adapters.smtp.sending.singles import Single, Singles
from gateway.domain.mail.answers import Answer
from gateway.domain.mail.pace import RelayPause
from gateway.domain.values import SECOND
from gateway.ports import Clock

_LOOK_SECONDS = 0.25

_FAILURES = 2
"""After so many connections in a row that came to nothing a relay counts as away."""


class Letters(Protocol):
    """Who has the letters of campaigns; see :class:`adapters.smtp.sending.sender.Sender`."""

    def next_ready(self, now: int) -> Ready | None:
        """The next letter that may go."""

    def next_at(self, now: int) -> int:
        """When there may be one."""

    def heard(self, ready: Ready, answer: Answer, now: int) -> None:
        """What came of one."""


class RelayPost:
    """See :class:`adapters.smtp.delivery.envelopes.Post`. After the relay said that it is itself in
    trouble, nothing is taken for a while.
    """

    def __init__(self, letters: Letters, singles: Singles, clock: Clock) -> None:
        self._letters = letters
        self._singles = singles
        self._clock = clock
        self._pause = RelayPause()
        self._told = asyncio.Event()
        self.failures: Callable[[], int] = lambda: 0
        """Connections in a row that came to nothing."""

    def tell(self) -> None:
        """There may be something to take."""
        self._told.set()

    def is_open(self, now: int) -> bool:
        """Whether its relay may be asked to take letters."""
        return self._pause.until <= now

    @property
    def answers(self) -> bool:
        """Whether its relay can be reached, as far as that is known."""
        return self.failures() < _FAILURES

    def take(self) -> Envelope | None:
        """A single mail, else a campaign's letter."""
        now = self._clock()
        if self._pause.until > now:
            return None
        if (single := self._singles.next()) is not None:
            return Envelope(single.sender, single.recipient, single.message, single)
        ready = self._letters.next_ready(now)
        return None if ready is None else ready.envelope

    def settle(self, envelope: Envelope, answer: Answer) -> None:
        """Hand an answer to whoever waits for it."""
        now, what = self._clock(), envelope.ref
        self._pause.heard(answer, now)
        if isinstance(what, Single):
            what.answered(answer)
        else:
            self._letters.heard(what, answer, now)

    async def wait(self) -> None:
        """Until there may be something to take."""
        while True:
            self._told.clear()
            now = self._clock()
            at = 0 if self._singles else self._letters.next_at(now)
            at = max(at, self._pause.until)
            if at <= now:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_LOOK_SECONDS, (at - now) / SECOND)):
                    await self._told.wait()
