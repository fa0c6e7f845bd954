"""Recall: who stopped a moment ago, while letters to them were in our hands already.

What is handed out was looked up against all stops in the same transaction. So only stops that came
after that matter here, and a letter is in our hands for seconds: what is older is forgotten.
"""

from collections.abc import Iterable

from gateway.domain.mail.recipients import Suppression
from gateway.domain.values import SECOND

KEPT_SECONDS = 120
"""A letter goes on the wire within ten seconds of being handed out, or not at all; the rest is for
clocks that differ."""


class Recall:
    """Stops of the last minutes, in memory."""

    def __init__(self) -> None:
        self._by_hash: dict[tuple[str, bytes], list[Suppression]] = {}
        self._noted: dict[tuple[str, bytes, int], int] = {}  # when, in that order

    def __len__(self) -> int:
        return len(self._noted)

    def note(self, suppressions: Iterable[Suppression]) -> None:
        """Heed these from now on. Whoever stops somebody calls it before they are answered."""
        for each in suppressions:
            key = (each.advertiser, each.hash)
            if (*key, each.id) not in self._noted:
                self._noted[*key, each.id] = each.at
                self._by_hash.setdefault(key, []).append(each)
                self.forget(each.at)

    def forbids(self, advertiser: str, list_: str, hash_: bytes, topic: str, now: int) -> bool:
        """Whether somebody stopped a list's mails about a topic."""
        found = self._by_hash.get((advertiser, hash_))
        return found is not None and any(each.covers(list_, topic, now) for each in found)

    def forget(self, now: int) -> None:
        """Drop what is too old to matter."""
        before = now - KEPT_SECONDS * SECOND
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
