"""Values that every room shares: scopes, times, ids, replies, telephone numbers."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import msgspec

SECOND = 1_000_000
"""Microseconds in a second: every stored instant is an ``int`` of microseconds since 1970, UTC."""

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID_EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z: 41 bits of milliseconds last until 2094
_NODE_BITS = 10
_SEQUENCE_BITS = 12
_LAST_OF_SEQUENCE = (1 << _SEQUENCE_BITS) - 1
_LAST_OF_NODE = (1 << _NODE_BITS) - 1


def micros(moment: datetime) -> int:
    """The instant of an aware ``moment`` in microseconds; a naive one raises ``ValueError``."""
    if moment.tzinfo is None:
        raise ValueError("a time without an offset names no instant")
    return (moment - _UNIX_EPOCH) // timedelta(microseconds=1)


def moment(instant: int) -> datetime:
    """The aware UTC datetime of ``instant`` (microseconds)."""
    return _UNIX_EPOCH + timedelta(microseconds=instant)


def first_id(instant: int) -> int:
    """The smallest id that can have been made at ``instant`` (microseconds) or later."""
    return max(0, instant // 1000 - _ID_EPOCH_MS) << (_NODE_BITS + _SEQUENCE_BITS)


def ids_within(span: int) -> int:
    """How far apart ids can be that were made so many microseconds apart."""
    return span // 1000 + 1 << (_NODE_BITS + _SEQUENCE_BITS)


class Ids:
    """Makes time-ordered 63-bit ids, unique over processes with different ``node`` numbers.

    41 bits of milliseconds, 10 of node, 12 of sequence. The sequence runs over into the
    milliseconds, so that more than 4,096 ids in one millisecond stay unique and ordered.
    """

    def __init__(self, node: int) -> None:
        self.node = node
        self._last = 0  # (milliseconds << sequence bits) + sequence

    def next(self, now: int) -> int:
        """A new id for ``now`` (microseconds); a clock that steps back does not repeat one."""
        tick = max(0, now // 1000 - _ID_EPOCH_MS) << _SEQUENCE_BITS
        self._last = tick if tick > self._last else self._last + 1
        return self._id(self._last)

    def block(self, now: int, count: int) -> int:
        """The first of ``count`` new ids; :func:`nth_id` tells the others."""
        first = self.next(now)
        self._last += count - 1
        return first

    def _id(self, tick: int) -> int:
        return _id_of(tick, self.node % (1 << _NODE_BITS))


def nth_id(first: int, ordinal: int) -> int:
    """The id of a block that comes ``ordinal`` after its ``first`` one."""
    node = first >> _SEQUENCE_BITS & _LAST_OF_NODE
    milliseconds = first >> (_NODE_BITS + _SEQUENCE_BITS)
    tick = (milliseconds << _SEQUENCE_BITS | first & _LAST_OF_SEQUENCE) + ordinal
    return _id_of(tick, node)


def _id_of(tick: int, node: int) -> int:
    milliseconds, sequence = tick >> _SEQUENCE_BITS, tick & _LAST_OF_SEQUENCE
    return (milliseconds << _NODE_BITS | node) << _SEQUENCE_BITS | sequence


class Seed(msgspec.Struct, frozen=True):
    """What a unit makes its ids, tokens and luck of; drawn on receipt, so that it can run again."""

    first_id: int
    """The first of a block of :attr:`ids` ids."""
    ids: int
    secret: bytes
    """Sixteen bytes or more that nobody can guess."""

    def draw(self) -> "Draw":
        """A new draw, to be made where the unit begins: every run gives the same."""
        return Draw(self)


class Draw:
    """Ids, tokens and luck of one run of a unit, in the order in which they are asked for."""

    def __init__(self, seed: Seed) -> None:
        self._ids: Iterator[int] = (nth_id(seed.first_id, n) for n in range(seed.ids))
        self._secret = seed.secret
        self._drawn = 0

    def id(self) -> int:
        """The next id.

        Raises:
            StopIteration: the unit makes more than its seed has; a fault of ours.
        """
        return next(self._ids)

    def token(self) -> str:
        """Twenty characters (120 bits) that nobody can guess, fit for a path."""
        return urlsafe_b64encode(self._bytes()[:15]).decode()

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit`` - 1, each as likely as the others (to within 2**-64)."""
        return int.from_bytes(self._bytes()[:16]) % limit

    def _bytes(self) -> bytes:
        self._drawn += 1
        return sha256(self._secret + self._drawn.to_bytes(4)).digest()


class Counted(msgspec.Struct, frozen=True):
    """A fact that is nothing but a count: so much more of an advertiser's metric."""

    advertiser: str
    metric: str
    """Without the prefix, as the table of metrics names it."""
    labels: tuple[str, ...] = ()
    amount: int = 1


class Scope(msgspec.Struct, frozen=True):
    """Whose data a repository may touch: the advertisers named, or everybody's with ``None``."""

    advertisers: frozenset[str] | None = None

    def covers(self, advertiser: str) -> bool:
        """Whether data of ``advertiser`` lies in this scope."""
        return self.advertisers is None or advertiser in self.advertisers


EVERYBODY = Scope()
"""The scope of the daemon's own work: a carrier's webhook may concern any advertiser."""


# --- replies: what a webhook is answered with, rendered by the platform's adapter ---


class Dial(msgspec.Struct, frozen=True, tag="dial"):
    """Forward the caller to ``targets`` (E.164)."""

    targets: tuple[str, ...]
    sequential: bool = False
    ring_seconds: int = 25
    caller_id: str | None = None
    """What the target sees: ``None`` leaves the caller's own number."""
    time_limit: int = 14_400
    """Seconds after which the carrier ends the conversation."""


class Reject(msgspec.Struct, frozen=True, tag="reject"):
    """Do not answer, and so do not pay for, this call."""


class Hangup(msgspec.Struct, frozen=True, tag="hangup"):
    """End the call."""


class Acknowledge(msgspec.Struct, frozen=True, tag="ok"):
    """Say that the event was kept; nothing is to be done."""


Reply = Dial | Reject | Hangup | Acknowledge

ACKNOWLEDGE = Acknowledge()
HANGUP = Hangup()
REJECT = Reject()

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
_CONSTANT = {REJECT: '{"type":"reject"}', HANGUP: '{"type":"hangup"}', ACKNOWLEDGE: '{"type":"ok"}'}


def encode_reply(reply: Reply) -> str:
    """``reply`` as the text the store keeps."""
    if isinstance(reply, Dial):
        return _encoder.encode(reply).decode()
    return _CONSTANT[reply]


def decode_reply(text: str | bytes) -> Reply:
    """The reply that :func:`encode_reply` made ``text`` of."""
    return _decoder.decode(text)


# --- telephone numbers ---

E164 = re.compile(r"\+[1-9][0-9]{4,14}")
"""ITU-T E.164: a plus and at most fifteen digits; shorter ones are services of a network."""

# Keypad forms of words that carriers put where a number was withheld; they pass for E.164.
# Source: facts of the Voice webhook ("From may be anonymous ...").
_KEYPAD_WORDS = frozenset(
    {"+266696687", "+7378742833", "+86282452253", "+8656696", "+2562533"}
)  # ANONYMOUS RESTRICTED UNAVAILABLE UNKNOWN BLOCKED


def known_caller(number: str) -> str | None:
    """``number`` where it identifies a caller; ``None`` where it was withheld or is a word."""
    if E164.fullmatch(number) and number not in _KEYPAD_WORDS:
        return number
    return None


def masked(number: str | None) -> str:
    """``number`` for logs and screens: enough to find a call again, not enough to dial."""
    if not number:
        return "withheld"
    if len(number) < 8:
        return "***"
    return f"{number[:5]}***{number[-2:]}"
