"""The platform's identifiers, drawn from a seed, and its calendar.

Source: https://github.com/ulid/spec for webhookEventId.
"""

import hashlib
import random
import uuid
from datetime import UTC, datetime, timedelta, timezone

JST = timezone(timedelta(hours=9))
"""Days and months of quotas and insight; Japan has no summer time."""

SECOND = 1_000_000

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_FIRST_MESSAGE = 461_230_966_842_064_897


class Ids:
    """Draws identifiers; the same ``seed`` and order give the same ones."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._rng = random.Random(f"{seed}/ids")
        self._messages = _FIRST_MESSAGE

    def ulid(self, now: int) -> str:
        """A ULID for ``now`` (microseconds)."""
        value = (now // 1000) << 80 | self._rng.getrandbits(80)
        return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))

    def message(self) -> str:
        """A message's id: digits, always growing."""
        self._messages += 1
        return str(self._messages)

    def uuid(self) -> str:
        """A random UUID, as the request ids are."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def hex(self, digits: int = 32) -> str:
        """So many hexadecimal digits."""
        return f"{self._rng.getrandbits(4 * digits):0{digits}x}"

    def token(self, length: int = 32) -> str:
        """Letters and digits."""
        return "".join(self._rng.choices(_LETTERS, k=length))

    def fixed(self, *names: str) -> str:
        """32 hexadecimal digits that depend on the seed and ``names`` alone."""
        text = "/".join((str(self.seed), *names))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def day(instant: int) -> str:
    """The day of ``instant`` (microseconds) in Japan as ``yyyyMMdd``."""
    return datetime.fromtimestamp(instant // SECOND, JST).strftime("%Y%m%d")


def rfc3339(instant: int) -> str:
    """``instant`` (microseconds) in UTC with milliseconds, as the API writes times."""
    moment = datetime.fromtimestamp(instant / SECOND, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
