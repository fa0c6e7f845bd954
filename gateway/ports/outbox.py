"""Effects in the store: asked for by every room, carried out by workers.

An effect is asked for in the transaction of what it follows from. A worker claims it with a lease,
carries it out, and settles it. Whoever dies in between loses the lease, and another one tries
again: with the same key, and the same bytes.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from gateway.domain.effects import NEVER, Effect
from gateway.domain.values import Counted, Scope
from gateway.ports.quota import Quotas, Spent

HALTED = ("line.push", "line.multicast", "line.narrowcast", "line.broadcast", "mail.test")
"""What `stop-sends` halts. Replies are answers to what somebody asked, and go on; so do
confirmations of sign-ups."""

FORGOTTEN = ("line.forward", "mail.single", "mail.test")
"""What is kept no longer than it takes: its payload, which is what people said, as it came, or
whom a mail goes to, is cleared with its end, whatever that is.
"""


class Claimed(msgspec.Struct, frozen=True):
    """An effect that its worker holds for a while; the fields are columns, in their order."""

    id: int
    advertiser: str
    kind: str
    key: str
    payload: str
    stream: str
    order_at: int
    give_up_at: int
    origin: str
    attempts: int
    """How often it was handed out, this time included."""
    unclear: int
    """Of how many earlier attempts nobody knows what came: it may be out already."""
    tried_at: int
    """When it was first handed out: a platform's memory of retry keys counts from here."""
    last_error: str | None = None
    """What kept it from being carried out so far."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of one attempt."""

    state: Literal["waiting", "done", "dead", "unknown"]
    """``waiting``: to be tried again at ``due_at``."""
    due_at: int = 0
    tried: bool = True
    """Whether the world was asked at all; an effect that was only put back was not."""
    unclear: bool = False
    """Whether the attempt may have worked without our knowing."""
    error: str = ""
    """What went wrong: a word for people and figures, never data."""
    result: str = ""
    """JSON of what the platform said."""
    facts: tuple[Counted, ...] = ()
    """Told to whoever counts once this outcome stands."""
    spent: Spent | None = None
    """What it took of a channel's quota."""


class NothingDone(Exception):
    """A handler failed before it asked anything of the world; its cause says why."""


Handler = Callable[[Claimed], Awaitable[Outcome]]
"""Carries out an effect of one kind. It must come back within the lease, and bear to be called
twice for one effect."""

Handlers = Mapping[str, Handler]
"""By kind of effect."""


class Ended(msgspec.Struct, frozen=True):
    """An effect that is dead or unknown; the fields are columns, in their order."""

    id: int
    kind: str
    key: str
    state: str
    payload: str
    """Empty where it is not kept any more."""
    origin: str
    give_up_at: int


class Rewritten(msgspec.Struct, frozen=True):
    """What an effect became before its first attempt."""

    id: int
    kind: str
    payload: str
    stream: str
    give_up_at: int


class Effects(Protocol):
    """What every room asks for."""

    def add(self, scope: Scope, effect: Effect) -> None:
        """Ask for an effect. A second one under the same key is silently none."""

    def cancel(
        self, scope: Scope, stream: str, kind: str = "", begin: int = 0, before: int = NEVER
    ) -> int:
        """Take back effects of a stream (of one kind, or of all) that were never handed out and
        whose ``order_at`` is ``begin`` or later, and lies before an instant; returns how many.
        """

    def withdraw(self, scope: Scope, stream: str, keys: Sequence[str]) -> Sequence[str]:
        """Take back what waits in a stream, by its keys; returns the keys of those that are there
        still: they were tried, or have ended.
        """

    def recall(self, scope: Scope, kind: str, friend: int, message: str) -> int:
        """Clear the payloads of what is of one kind, has not ended, was asked for with the event
        of a friend's message, and names that message; returns how many.

        What is cleared ends where it is carried out.
        """

    def clear(self, scope: Scope, stream: str) -> int:
        """Take back what waits in a stream, as :meth:`cancel` does, and clear the payloads of all
        the rest of it, whatever became of it; returns how many.

        What is cleared ends where it is carried out.
        """


class Deliveries(Protocol):
    """What the workers need."""

    def claim(
        self, scope: Scope, now: int, kinds: Sequence[str], limit: int, lease_seconds: int
    ) -> Sequence[Claimed]:
        """Hand out effects that are due, at most ``limit``, locked against other workers.

        Of a stream only the first one that is open, and only while it is not handed out. One whose
        lease has run out is handed out again, as one that may have been carried out. Those of
        advertisers whose sends are stopped are put off, apart from replies.
        """

    @property
    def is_behind(self) -> bool:
        """Whether the last claim did not come to the end of what it had to look at: more may be
        due, and another one should follow at once.
        """

    def settle(
        self, scope: Scope, now: int, outcomes: Sequence[tuple[Claimed, Outcome]]
    ) -> Sequence[Outcome]:
        """Keep what came of effects; returns the outcomes that stand.

        One whose lease went to another worker meanwhile stands only if it is ``done``.
        """

    def rewrite(self, scope: Scope, rewritten: Sequence[Rewritten]) -> None:
        """Keep what claimed effects became before their first attempt; not of those that were
        taken from their worker meanwhile.
        """

    def forget(self, scope: Scope, what: str, before: int, limit: int) -> int:
        """Clear what ended before an instant, at most ``limit``; returns how many.

        ``what`` is ``outbox-texts`` (payloads) or ``outbox`` (whole effects).
        """


class Resending(Protocol):
    """What people need whose effect failed."""

    def failed(self, scope: Scope, effect: int) -> Ended | None:
        """An effect that is dead or unknown, locked."""

    def resend(self, scope: Scope, effect: int, payload: str, now: int, give_up_at: int) -> None:
        """Let it begin anew, due at ``now``."""


class Stops(Protocol):
    """Whose sends are halted."""

    def knows(self, scope: Scope, advertiser: str) -> bool:
        """Whether there is such an advertiser."""

    def stop(self, scope: Scope, advertiser: str, now: int, by: str) -> None:
        """Halt the sends of an advertiser, or with ``*`` everybody's."""

    def resume(self, scope: Scope, advertiser: str) -> bool:
        """Let them go on; whether they were halted."""

    def halts(self, scope: Scope, advertiser: str) -> bool:
        """Whether an advertiser's sends are halted, by their own stop or by everybody's."""


class Outbox(Effects, Deliveries, Resending, Protocol):
    """The outbox as a room of a transaction."""

    @property
    def stops(self) -> Stops:
        """Whose sends are halted."""

    @property
    def quotas(self) -> Quotas:
        """What the channels may still send this month."""
