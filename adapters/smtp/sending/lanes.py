"""Letters that are ready for the wire, in the lanes of those who take them."""

from collections import deque
from collections.abc import Iterator

from adapters.smtp.delivery.envelopes import Envelope
from gateway.domain.mail.addresses import domain_of
from gateway.domain.mail.campaigns import Letter
from gateway.domain.mail.pace import FAR, Pacer
from gateway.domain.values import SECOND

_OLD_SECONDS = 8
"""A letter that has waited so long goes back to the store, before it is too old to be sent."""


class Ready:
    """A letter in our hands."""

    __slots__ = ("claimed_at", "domain", "envelope", "letter")

    def __init__(self, letter: Letter, claimed_at: tuple[int, float]) -> None:
        self.letter = letter
        self.claimed_at = claimed_at
        """By the clock of the world (microseconds), and by one that nobody sets (seconds)."""
        self.domain = domain_of(letter.address)
        self.envelope: Envelope | None = None


class Lanes:
    """Ready letters by lane; lanes take turns."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._lanes: dict[str, deque[Ready]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def put(self, ready: Ready) -> None:
        """A letter is ready."""
        self._lanes.setdefault(ready.letter.lane, deque()).append(ready)

    def next(self, now: int) -> Ready | None:
        """A letter whose lane may take one now."""
        for lane in tuple(self._lanes):
            if self._pacer.may_go(lane, now):
                waiting = self._lanes.pop(lane)
                ready = waiting.popleft()
                if waiting:
                    self._lanes[lane] = waiting  # behind the others
                return ready
        return None

    def next_at(self, now: int) -> int:
        """When there may be one, as far as that is known."""
        return min((self._pacer.next_at(lane, now) for lane in self._lanes), default=FAR)

    def stale(self, now: int) -> Iterator[tuple[Ready, int]]:
        """Take out what cannot go soon: of lanes that are left alone, and what has waited for too
        long. With the instant before which it needs not come back; 0: any.
        """
        for lane in tuple(self._lanes):
            waiting = self._lanes[lane]
            until = self._pacer.paused(lane)
            if until <= now:
                until = 0
            while waiting and (until or _is_old(waiting[0], now)):
                yield waiting.popleft(), until
            if not waiting:
                del self._lanes[lane]

    def empty(self) -> Iterator[Ready]:
        """Take all out."""
        for waiting in self._lanes.values():
            yield from waiting
        self._lanes.clear()


def _is_old(ready: Ready, now: int) -> bool:
    return abs(now - ready.claimed_at[0]) > _OLD_SECONDS * SECOND
