"""What a sender has in its hands, and what it asks the store for: few letters at a time, of each
lane of each campaign in its turn.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import get_args

from gateway.domain.mail.campaigns import Letter
from gateway.domain.mail.lanes import Lane
from gateway.domain.mail.pace import Pacer
from gateway.usecases.mail.sending import AT_ONCE, Given, Wish

MOST_CLAIMED = 1_000
"""Letters in our hands at most, whatever the speed."""

MOST_BYTES = 64 * 1024 * 1024
"""Letters in our hands at most, as they go on the wire; one may be larger."""

_FIRST = 8
"""Of a campaign so many letters are in our hands before it is known how large they are."""

_AHEAD_SECONDS = 0.25
"""So many seconds' worth of letters are in our hands."""

_PROBES = 2
"""Letters in hand while no relay can be reached."""

_DRY_SECONDS = 0.5
"""A lane that had nothing due is asked again after so long."""

_LANE_SECONDS = 2.0
"""Of a lane with a pace so many seconds' worth are claimed."""

_LANES: Sequence[str] = sorted(get_args(Lane))


class Hands:
    """Counts letters; ``steady`` is a clock that nobody sets, in seconds.

    ``least`` is how many letters are claimed where nothing is known yet of the relays' speed, and
    ``size_of`` tells how large a campaign's letters are, in bytes; 0: that is not known yet.
    """

    def __init__(
        self,
        pacer: Pacer,
        size_of: Callable[[int], int],
        steady: Callable[[], float],
        least: int,
    ) -> None:
        self._pacer = pacer
        self._size_of = size_of
        self._steady = steady
        self._least = least
        self._window = least
        self._of_lane: Counter[str] = Counter()
        self._of_campaign: Counter[int] = Counter()
        self._dry: dict[tuple[int, str], float] = {}
        self._after: tuple[int, str] = (0, "")
        """The lane of a campaign that had its turn last."""
        self._gone = 0
        self._measured_at = steady()

    def __len__(self) -> int:
        """Letters that are claimed and not settled."""
        return self._of_lane.total()

    @property
    def are_full(self) -> bool:
        """Whether there is enough in them for a moment."""
        return len(self) > self._window // 2

    def took(self, letter: Letter) -> None:
        """A letter came into our hands."""
        self._of_lane[letter.lane] += 1
        self._of_campaign[letter.campaign] += 1

    def let_go(self, letter: Letter, *, went: bool) -> None:
        """It is in them no more; ``went``: it was on the wire."""
        self._of_lane[letter.lane] -= 1
        self._of_campaign[letter.campaign] -= 1
        self._gone += went

    def measure(self) -> None:
        """Hold as much as goes in a moment."""
        now = self._steady()
        seconds = now - self._measured_at
        if seconds >= _AHEAD_SECONDS:
            ahead = int(self._gone / seconds * _AHEAD_SECONDS)
            self._window = min(MOST_CLAIMED, max(self._least, ahead))
            self._gone, self._measured_at = 0, now

    def look_again(self) -> None:
        """There may be something due where there was nothing."""
        self._dry.clear()

    def heard(self, wishes: Sequence[Wish], given: Given) -> None:
        """What came of wishes: the next turn begins behind the last one that got letters."""
        until = self._steady() + _DRY_SECONDS
        self._dry |= dict.fromkeys(given.dry, until)
        for last in (given.letters or wishes)[-1:]:
            self._after = last.campaign, last.lane

    def wishes(self, campaigns: Iterable[int], now: int, *, answers: bool) -> tuple[Wish, ...]:
        """What to ask for, of campaigns that may be sent; ``answers``: whether any relay does."""
        room = self.room(answers=answers)
        if not room:
            return ()
        steady = self._steady()
        self._dry = {lane: until for lane, until in self._dry.items() if until > steady}
        self._of_campaign = +self._of_campaign
        bears = {lane: self._borne(lane, room, now) for lane in _LANES}
        wishes: list[Wish] = []
        for id_, lane in self._in_turn(campaigns):
            size, most = self._size_of(id_), AT_ONCE
            if not size:
                most = _FIRST - self._of_campaign[id_]
            if min(bears[lane], most) > 0:
                wishes.append(Wish(id_, lane, bears[lane], most, size))
            if len(wishes) == AT_ONCE:
                break
        return tuple(wishes)

    def bytes(self, wishes: Sequence[Wish]) -> int:
        """How many bytes of letters may come into our hands, of wishes."""
        of_campaign = self._of_campaign.items()
        held = sum(self._size_of(id_) * count for id_, count in of_campaign)
        least = 0 if len(self) else max((wish.size for wish in wishes), default=0)
        return max(MOST_BYTES - held, least)

    def room(self, *, answers: bool) -> int:
        """How many more letters may come into our hands; 0: it is not worth asking for them."""
        # Of relays that are all away none comes back unless there is something to try it with.
        window = self._window if answers else _PROBES
        room = window - len(self)
        return 0 if room < max(1, window // 4) else room

    def _borne(self, lane: str, room: int, now: int) -> int:
        """How many more letters of a lane make sense, of so many at all."""
        most = self._pacer.room(lane, now, _LANE_SECONDS)
        return room if most is None else min(room, most - self._of_lane[lane])

    def _in_turn(self, campaigns: Iterable[int]) -> list[tuple[int, str]]:
        """Lanes of campaigns that may have something due, from where the last turn ended."""
        every = [(id_, lane) for id_ in sorted(campaigns) for lane in _LANES]
        lanes = [each for each in every if each not in self._dry]
        begin = bisect_right(lanes, self._after)
        return lanes[begin:] + lanes[:begin]
