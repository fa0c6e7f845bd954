"""How often something is done for one, hour by hour, whoever claims to be how many."""

from collections import Counter

from gateway.domain.mail.signups import HOUR_SECONDS
from gateway.domain.values import SECOND

MOST_STOPS = 5_000
"""Stops of people on our lists, of one list and from one network within an hour: a carrier delivers
those of all its customers from one."""

MOST_STRANGE_STOPS = 100
MOST_STRANGE_STOPS_OF_LIST = 1_000
"""Those of addresses that are on no list, from one network and in all: each is kept for good, and
their senders are forged with ease."""

_MOST_KEPT = 10_000


class Hourly:
    """Counts of this hour, of this process."""

    def __init__(self) -> None:
        self._hour = -1
        self._seen: Counter[str] = Counter()

    def take(self, key: str, most: int, at: int) -> bool:
        """Whether one more may be done; where there are too many to count, none more is."""
        hour = at // (HOUR_SECONDS * SECOND)
        if hour != self._hour:
            self._hour = hour
            self._seen.clear()
        if self._seen[key] >= most or len(self._seen) > _MOST_KEPT:
            return False
        self._seen[key] += 1
        return True
