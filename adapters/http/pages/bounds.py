"""How many visits of short links are recorded: people's all, a flood's not."""

from collections import Counter

from gateway.domain.links import Code, Visitor
from gateway.domain.values import SECOND

MOST_OF_ONE = 30
"""Visits a minute with one code that are recorded of one address, or of the one friend who has the
code. A shop's own network is one address, and a mobile carrier's customers share theirs."""

MOST_OF_ALL = 3_000
"""Visits a minute with one code that many have: a printed one, or one that was posted to all."""

_MOST_KEPT = 200_000
"""Counts that are kept at once; each is of a code that exists, and lives for its minute."""

_MINUTE = 60 * SECOND


class Bounds:
    """Counts visits by code and by address, minute by minute. Programs have counts of their own,
    so that they take no person's place.
    """

    def __init__(self) -> None:
        self._minute = -1
        self._seen: Counter[tuple[str, Visitor, str]] = Counter()

    def take(self, code: Code, visitor: Visitor, address: str, now: int) -> bool:
        """Whether a visit at ``now`` is to be recorded; an empty ``address`` is nobody's."""
        if now // _MINUTE != self._minute:
            self._minute = now // _MINUTE
            self._seen.clear()
        of_all, of_one = (code.code, visitor, ""), (code.code, visitor, address)
        most = MOST_OF_ONE if code.friend else MOST_OF_ALL
        if self._seen[of_all] >= most or len(self._seen) >= _MOST_KEPT:
            return False
        if address:
            if self._seen[of_one] >= MOST_OF_ONE:
                return False
            self._seen[of_one] += 1
        self._seen[of_all] += 1
        return True
