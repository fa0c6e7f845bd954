"""One message on its way in: found its end, held to the rules of lines, kept within a bound.

Lines end with CR LF and nothing else (RFC 5321, 2.3.8), and a message with the dot on a line of its
own (4.1.1.4). Whoever takes a bare LF or CR for the end of a line there sees other messages than
the server before it did: that is how mails are smuggled (CVE-2023-51765). So such a message is
read to its true end, and refused.
"""

from gateway.errors import Refusal

KEPT = 2 * 1024 * 1024
"""Bytes of a message that are kept: what is looked for in one stands before what it returns."""

LINE = 16_384
"""Bytes of a line with its end, without a dot that is doubled. RFC 5321, 4.5.3.1.6, asks for 1,000
and 4.5.3.1 for more where one can: one bounce in seventy of real ones has longer lines."""

_END = b"\r\n.\r\n"


class Incoming:
    """Takes a message's bytes as they come; :attr:`fault` says what is wrong with it."""

    def __init__(self, most: int, kept: int = KEPT, line: int = LINE) -> None:
        self.size = 0
        """Bytes that came so far, dots and all."""
        self.fault: Refusal | None = None
        self.rest = b""
        """What came behind the message's end."""
        self._most = most
        self._keep = kept
        # The end of DATA's own line: a lone dot may follow at once.
        self._kept = bytearray(b"\r\n")
        self._tail = b"\r\n"
        self._longest = line
        self._line = 0

    def feed(self, piece: bytes) -> bool:
        """Take some bytes; whether the message has ended with them."""
        before = len(self._tail)
        seen = self._tail + piece
        end = seen.find(_END)
        if end >= 0:
            self.rest = seen[end + len(_END) :]
            seen = seen[: end + len(_END)]
        self.size += len(seen) - before
        if self.size > self._most + len(_END) - 2:  # the line of the dot is none of the message's
            self.drop(Refusal.BODY_TOO_LARGE)
        if self.fault is None:
            self._check_ends(seen, before)
            self._check_lines(seen, before)
        if self.fault is None:
            room = self._keep + len(_END) - len(self._kept)
            self._kept += seen[before : before + max(0, room)]
        self._tail = seen[-4:]
        return end >= 0

    def drop(self, why: Refusal) -> None:
        """Keep nothing of it, and refuse it for ``why``, unless it is refused already."""
        self.fault = self.fault or why
        self._kept.clear()

    @property
    def held(self) -> int:
        """Bytes of memory that it takes."""
        return len(self._kept)

    def message(self) -> bytes:
        """What was kept of it, without the dots that were doubled (RFC 5321, 4.5.2)."""
        kept = bytes(self._kept)
        end = kept.find(_END)
        whole = kept[: end + 2 if end >= 0 else self._keep + 2]
        return whole.replace(b"\r\n.", b"\r\n")[2:]

    def _check_ends(self, seen: bytes, before: int) -> None:
        # A CR at the very end waits for what follows; one that waited is looked at now.
        start = before - 1 if seen[before - 1 : before] == b"\r" else before
        stop = len(seen) - 1 if seen.endswith(b"\r") else len(seen)
        pairs = seen.count(b"\r\n", start)
        if seen.count(b"\n", start) != pairs or seen.count(b"\r", start, stop) != pairs:
            self.drop(Refusal.BARE_NEWLINE)

    def _check_lines(self, seen: bytes, at: int) -> None:
        while True:
            room = self._longest + 1 - self._line  # a doubled dot may come on top
            last = seen.rfind(b"\n", at, at + room)  # all lines up to there are short enough
            if last >= 0:
                at, self._line = last + 1, 0
            elif len(seen) - at >= room:
                return self.drop(Refusal.LINE_TOO_LONG)
            else:
                self._line += len(seen) - at
                return None
