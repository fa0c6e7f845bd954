"""Whether the carrier's own list of calls tells the same as the store.

A carrier does not repeat a callback that was lost, so the list is the only thing that shows a call
which never reached us, or one that is longer than we know.

What is compared is what people are told and charged: that the call is there, that its end is
known, and its talk, to the second. Talk is the winning leg's own duration, so the legs of the list
are held against it. The duration of the caller's side is not: it lasts until the caller hangs up,
which may be seconds later, and would be that of a guidance or a voicemail, too.
"""

from collections.abc import Collection, Container, Iterable

import msgspec

from gateway.domain.calls.events import Result


class Listed(msgspec.Struct, frozen=True, gc=False):
    """A call, or one of its legs, as the carrier lists it."""

    sid: str
    parent: str
    """Of a leg: the call that rang it. Else empty."""
    direction: str
    number: str
    """Which number was called."""
    status: str
    started_at: int
    """By the carrier's clock, in microseconds."""
    ended_at: int | None
    """``None`` while it goes on."""
    seconds: int
    """How long it lasted from its answer; 0 without one."""


class Held(msgspec.Struct, frozen=True, gc=False):
    """A call as the store holds it."""

    id: int
    sid: str
    number: str
    received_at: int
    ended_at: int | None
    result: Result | None
    talk_seconds: int | None


class Differences(msgspec.Struct, frozen=True):
    """The carrier's ids of the calls that both sides do not tell alike."""

    missing_here: list[str]
    """Listed, and not in the store."""
    missing_there: list[str]
    """In the store, and not listed."""
    different: list[str]
    """Of another length, or of another kind: only one side says that somebody talked, or ended."""


class Reconciliation:
    """Pairs the calls of both sides: those to ``numbers`` that began at ``since`` or later and
    ended at ``until`` or before (microseconds). Others may be told, and count for nothing.

    Days are told one after the other, the newest first: all that is listed of a day, then all that
    is held of it, and that it is over. So the legs of a call are known before it is looked at,
    though some begin after midnight; and a pair is forgotten at once, as are the legs of others'
    calls, so that memory is bounded by one day. What finds no partner on its own day, as a call
    that reached us after midnight, waits for one.
    """

    def __init__(self, numbers: Container[str], since: int, until: int) -> None:
        self._numbers = numbers
        self._since = since
        self._until = until
        self._listed: dict[str, bool | None] = {}
        """Whether the caller was connected with anything; ``None``: not to be compared."""
        self._talks: dict[str, tuple[int, ...]] = {}
        """The seconds of the legs that were answered, by their call."""
        self._orphans: set[str] = set()
        """The calls of such legs of the days before that are not listed yet."""
        self._held: dict[str, Held] = {}
        self._different: list[str] = []

    def listed(self, calls: Iterable[Listed]) -> None:
        """Take what the carrier lists."""
        for call in calls:
            if call.parent:
                if call.status == "completed":
                    self._talks[call.parent] = (*self._talks.get(call.parent, ()), call.seconds)
            elif call.direction == "inbound" and call.number in self._numbers:
                counts = self._counts(call.started_at, call.ended_at)
                self._listed[call.sid] = call.status == "completed" if counts else None
            else:
                # Its legs began later, so they were listed before; nobody asks for them.
                self._talks.pop(call.sid, None)

    def held(self, calls: Iterable[Held]) -> None:
        """Take what the store holds."""
        for call in calls:
            if call.sid in self._listed:
                self._pair(call)
            elif call.number in self._numbers:
                self._held[call.sid] = call

    def day_over(self) -> None:
        """Forget the legs that can find no call of ours any more.

        No call lasts longer than 24 hours, so that it is listed on the day of its legs or on the
        day before.
        """
        lost = self._orphans - self._listed.keys()
        # Made anew: a dict does not shrink with what is taken out of it.
        self._talks = {sid: talks for sid, talks in self._talks.items() if sid not in lost}
        self._orphans = self._talks.keys() - self._listed.keys()

    def differences(self) -> Differences:
        """What does not agree, once all has been told."""
        missing_there = []
        for call in self._held.values():
            if call.sid in self._listed:
                self._pair(call)
            elif self._counts(call.received_at, call.ended_at):
                missing_there.append(call.sid)
        missing_here = [sid for sid, connected in self._listed.items() if connected is not None]
        return Differences(missing_here, missing_there, self._different)

    def _pair(self, call: Held) -> None:
        connected = self._listed.pop(call.sid)
        talks = self._talks.pop(call.sid, ())
        if connected is not None and not _agree(call, talks, connected=connected):
            self._different.append(call.sid)

    def _counts(self, began: int, ended: int | None) -> bool:
        return began >= self._since and ended is not None and ended <= self._until


def _agree(call: Held, talks: Collection[int], *, connected: bool) -> bool:
    if call.result == "answered":
        return call.talk_seconds in talks
    # A leg may have been answered by somebody whom the caller was never connected with.
    return call.result is not None and not (connected and any(talks))
