"""Recall: who stopped a moment ago, while letters to them were in our hands already.

What is handed out was looked up against all stops in the same transaction. So only stops that came
after that matter here, and a letter is in our hands for seconds: what was heard of longer ago is
forgotten.
"""

import time
from collections.abc import Callable, Iterable

from gateway.domain.mail.recipients import Suppression

KEPT_SECONDS = 120
"""A letter goes on the wire within ten seconds of being handed out, or not at all. The rest is for
stops that were long on their way to the store, and for the clock of who took them in: ids are made
by that, and each look at the store goes so far back."""


class Recall:
    """Stops of the last minutes, in memory."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        """``steady`` is a clock that nobody sets, in seconds: what the stops' own clocks say does
        not matter.
        """
        self._steady = steady
        self._by_hash: dict[tuple[str, bytes], list[Suppression]] = {}
        self._noted: dict[tuple[str, bytes, int], float] = {}  # when, in that order

    def __len__(self) -> int:
        return len(self._noted)

    def note(self, suppressions: Iterable[Suppression]) -> None:
        """Heed these from now on. Whoever stops somebody calls it before they are answered."""
        self.forget()
        now = self._steady()
        for each in suppressions:
            key = (each.advertiser, each.hash)
            if (*key, each.id) not in self._noted:
                self._noted[*key, each.id] = now
                self._by_hash.setdefault(key, []).append(each)

    def forbids(
        self, advertiser: str, list_: str, hash_: bytes, topic: str, now: int, *, since: int = -1
    ) -> bool:
        """Whether somebody stopped a list's mails about a topic, after ``since``."""
        found = self._by_hash.get((advertiser, hash_))
        return found is not None and any(
            each.at > since and each.covers(list_, topic, now) for each in found
        )

    def forget(self) -> None:
        """Drop what was heard of too long ago to matter."""
        before = self._steady() - KEPT_SECONDS
        while self._noted:
            first = next(iter(self._noted))
            if self._noted[first] >= before:
                break
            del self._noted[first]
            advertiser, hash_, id_ = first
            rest = [each for each in self._by_hash[advertiser, hash_] if each.id != id_]
            if rest:
                self._by_hash[advertiser, hash_] = rest
            else:
                del self._by_hash[advertiser, hash_]
