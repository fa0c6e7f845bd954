"""Replies of an SMTP server: read from bytes, and turned into answers."""

import re
from typing import NamedTuple

from gateway.domain.mail.answers import MOST_TEXT, Answer, Outcome, Stage

MOST_LINE = 2_048
"""Bytes of a reply line. RFC 5321 4.5.3.1.5 allows 512; some servers write longer texts."""

MOST_LINES = 100
"""Lines of one reply; an EHLO of a well-equipped server has about 20."""

_CODES = {b"%d" % code: code for code in range(200, 600)}
"""Reply codes by their digits (RFC 5321 4.2.1). SMTP has none that begin with 1."""

_ENHANCED = re.compile(rb"([245])\.\d{1,3}\.\d{1,3}(?=[ \t\r\n]|$)")
_CONTROL = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")


class Reply(NamedTuple):
    """One reply; of several lines ``text`` holds all, each without its code."""

    code: int
    text: bytes


class Replies:
    """Puts replies together from whatever pieces they arrive in.

    After :attr:`fault` is set nothing more is read: the server speaks no SMTP, and what it says
    next could be taken for an answer to something else.
    """

    __slots__ = ("_begun", "_code", "_rest", "fault")

    def __init__(self) -> None:
        self._rest = b""
        self._begun: list[bytes] = []
        self._code = 0
        self.fault = ""
        """Why the bytes are no replies: ``line_too_long``, ``no_reply_code``, ``reply_too_long``
        or ``codes_differ``."""

    @property
    def is_unfinished(self) -> bool:
        """Whether more was received than whole replies."""
        return bool(self._rest or self._begun or self.fault)

    def clear(self) -> None:
        """Forget what has begun; used where TLS begins (RFC 3207 4.2)."""
        self._rest = b""
        self._begun.clear()

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that ``data`` completes, those before a fault among them."""
        if self.fault:
            return []
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        found: list[Reply] = []
        for line in lines:
            code = _CODES.get(line[:3])
            sign = line[3:4]
            if code is None or sign not in (b" ", b"-", b"\r", b""):
                self.fault = "no_reply_code"
            elif len(line) > MOST_LINE:
                self.fault = "line_too_long"
            elif sign != b"-" and not self._begun:
                found.append(Reply(code, line[4:].rstrip(b"\r")))
            else:
                self._add(code, line[4:].rstrip(b"\r"), sign != b"-", found)
            if self.fault:
                return found
        if len(self._rest) > MOST_LINE:
            self.fault = "line_too_long"
        return found

    def _add(self, code: int, text: bytes, is_last: bool, found: list[Reply]) -> None:
        """One line of a reply of several; all must bear one code (RFC 5321 4.2.1)."""
        if self._begun and code != self._code:
            self.fault = "codes_differ"
            return
        self._code = code
        self._begun.append(text)
        if len(self._begun) > MOST_LINES:
            self.fault = "reply_too_long"
        elif is_last:
            found.append(Reply(code, b"\n".join(self._begun)))
            self._begun.clear()


def answered(stage: Stage, reply: Reply, outcome: Outcome | None = None) -> Answer:
    """A reply as an answer; its code says the outcome where ``outcome`` does not.

    RFC 5321 4.5.3.1.10: 552 to RCPT means too many recipients, and is temporary. What is neither
    success nor failure in reply to the final dot leaves the letter's fate unknown.
    """
    code, text = reply
    if outcome is None:
        if 200 <= code < 300:
            outcome = "accepted"
        elif 400 <= code < 500 or (code == 552 and stage == "rcpt"):
            outcome = "temporary"
        else:
            outcome = "permanent" if code >= 500 else "unknown"
    found = _ENHANCED.match(text)
    # RFC 2034 4: the class of the enhanced code is the first digit of the reply's.
    enhanced = found[0].decode() if found and int(found[1]) == code // 100 else ""
    return Answer(outcome, stage, code, enhanced, cleaned(text))


def cleaned(text: bytes) -> str:
    """A reply's text, fit for a log or a screen: no control characters, not too long."""
    shown = text[: 4 * MOST_TEXT].decode("utf-8", "replace").translate(_CONTROL)
    return shown[:MOST_TEXT].strip()
