"""Where taken letters are kept, so that a demonstration can count them address by address."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Keep = Literal["raw", "digest", "count"]
"""``raw``: whole letters. ``digest``: without their text, about half a kilobyte each. ``count``:
how many an address got, about a hundred bytes for each address."""

_MESSAGE_ID = re.compile(rb"^message-id:[ \t\r\n]*(<[^<>\r\n]*>)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter that was taken."""

    recipient: str
    """As it was given in RCPT."""
    sender: str
    """The envelope sender; empty for the null sender."""
    message_id: str
    received_at: int
    """Microseconds, UTC."""
    size: int
    digest: bytes
    """BLAKE2b of the message, 16 bytes."""
    raw: bytes = b""
    """The message, dots taken out; empty where texts are not kept."""


class Mailbox:
    """All letters of all addresses; addresses are compared without regard to case."""

    def __init__(self, keep: Keep = "raw") -> None:
        self._keep = keep
        self._letters: defaultdict[str, list[Letter]] = defaultdict(list)
        self._counts: defaultdict[int, int] = defaultdict(int)
        self.total = 0
        """How many letters were taken."""

    def add(self, sender: str, recipient: str, raw: bytes, now: int) -> Letter:
        """Take a letter; what is given back has its text in any case."""
        end = raw.find(b"\r\n\r\n")
        found = _MESSAGE_ID.search(raw[:end] if end >= 0 else raw)
        letter = Letter(
            recipient=recipient,
            sender=sender,
            message_id=found[1].decode("ascii", "replace") if found else "",
            received_at=now,
            size=len(raw),
            digest=hashlib.blake2b(raw, digest_size=16).digest(),
            raw=raw,
        )
        self.total += 1
        if self._keep == "count":
            self._counts[_key(recipient)] += 1
        else:
            kept = letter if self._keep == "raw" else _without_text(letter)
            self._letters[recipient.lower()].append(kept)
        return letter

    def of(self, recipient: str) -> list[Letter]:
        """What an address got, in order; nothing where only counts are kept."""
        return list(self._letters.get(recipient.lower(), ()))

    def count(self, recipient: str) -> int:
        """How many letters an address got."""
        if self._keep == "count":
            return self._counts.get(_key(recipient), 0)
        return len(self._letters.get(recipient.lower(), ()))

    def __iter__(self) -> Iterator[Letter]:
        for letters in self._letters.values():
            yield from letters


def _key(recipient: str) -> int:
    """An address in 8 bytes; among a million the chance of one collision is 1 in 37 million."""
    digest = hashlib.blake2b(recipient.lower().encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _without_text(letter: Letter) -> Letter:
    return Letter(
        letter.recipient,
        letter.sender,
        letter.message_id,
        letter.received_at,
        letter.size,
        letter.digest,
    )
