"""Letters as the wire takes them, and who has them."""

import re
from typing import Any, Protocol

import msgspec

from gateway.domain.mail.answers import Answer

_ADDRESS = re.compile(r"[!-;=?-~]{1,254}")
"""What may stand between ``<`` and ``>``: printable ASCII without blank and angle brackets. Blanks
and brackets within a quoted local part are refused too: servers disagree about them."""


class Envelope(msgspec.Struct, frozen=True):
    """One letter to one recipient."""

    sender: str
    """The envelope sender in wire form; empty for the null sender."""
    recipient: str
    """In wire form, ASCII; the local part may be quoted."""
    message: bytes
    """Header and body with CRLF at the end of each line; not dot-stuffed."""
    ref: Any = None
    """Whatever its post knows it by."""


class Post(Protocol):
    """Who has letters for one relay."""

    def take(self) -> Envelope | None:
        """The next letter, or ``None``; called right before its MAIL FROM is written.

        So this is the place to look at suppressions and cancels once more. Every letter that was
        taken gets exactly one :meth:`settle`.
        """

    def settle(self, envelope: Envelope, answer: Answer) -> None:
        """What came of a letter. Letters of one connection are settled in the order of taking."""

    async def wait(self) -> None:
        """Return when there may be something to take; asked only after a ``None``."""


def fault_of(envelope: Envelope) -> str:
    """Why a letter must not go on the wire, or the empty string.

    ``sender_unfit`` and ``recipient_unfit``: an address that could end the command line or add to
    it. ``bare_line_break``: a CR or LF that is not part of CRLF, which servers read differently
    (SMTP smuggling; RFC 5321 2.3.8 forbids it). ``nul_byte`` and ``empty_message`` say themselves.
    """
    if envelope.sender and not _ADDRESS.fullmatch(envelope.sender):
        return "sender_unfit"
    if "@" not in envelope.recipient or not _ADDRESS.fullmatch(envelope.recipient):
        return "recipient_unfit"
    message = envelope.message
    if not message:
        return "empty_message"
    if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
        return "bare_line_break"
    return "nul_byte" if b"\0" in message else ""


def stuffed(message: bytes) -> bytes:
    """A message made ready for DATA, without the final dot (RFC 5321 4.5.2)."""
    if b"\n." in message:
        message = message.replace(b"\n.", b"\n..")
    if message.startswith(b"."):
        message = b"." + message
    return message if message.endswith(b"\r\n") else message + b"\r\n"
