"""Letters on a connection, and what it and their owner know of each other."""

from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from adapters.smtp.delivery.envelopes import Envelope
from gateway.domain.mail.answers import Answer, Stage

if TYPE_CHECKING:
    from adapters.smtp.delivery.wire import Wire


class Features(msgspec.Struct, frozen=True):
    """What EHLO offered (RFC 5321 4.1.1.1)."""

    pipelining: bool = False
    starttls: bool = False
    eight_bit: bool = False
    size: int | None = None
    """The largest message in bytes; 0: no limit is told; ``None``: SIZE is not known."""
    auth: frozenset[str] = frozenset()


class Owner(Protocol):
    """Who has the letters of a connection."""

    def take(self, wire: "Wire") -> Envelope | None:
        """A letter that may be written now."""

    def settle(self, envelope: Envelope, answer: Answer) -> None:
        """What came of it."""

    def rest(self, wire: "Wire") -> None:
        """Nothing could be taken; :meth:`Wire.go_on` looks again."""

    def opened(self, wire: "Wire") -> None:
        """A connection stands; there is no session on it yet."""

    def closed(self, wire: "Wire", answer: Answer) -> None:
        """It is gone. ``answer`` tells why, as of a letter that was still to come; its text is
        ``quit`` or ``aborted`` where that was our own wish.
        """


class Awaited(IntEnum):
    """What a reply can be the answer to."""

    MAIL = 0
    RCPT = 1
    DATA = 2
    END = 3
    RSET = 4
    QUIT = 5


STAGES: dict[Awaited, Stage] = {
    Awaited.MAIL: "mail",
    Awaited.RCPT: "rcpt",
    Awaited.DATA: "data",
    Awaited.END: "end",
    Awaited.RSET: "mail",
    Awaited.QUIT: "mail",
}
"""The stage that a letter stands at while such a reply is awaited."""


class Flight:
    """A letter on the wire."""

    __slots__ = ("envelope", "is_dotted", "is_settled", "stage")

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self.stage = Awaited.MAIL
        self.is_dotted = False
        """Whether its final dot may have reached the server."""
        self.is_settled = False
