"""The signed tokens behind QR codes: what they say cannot be made up or changed.

A token is the JSON of its claims with the first half of their HMAC-SHA256 (RFC 2104, section 5,
allows the half), in base64url. Nothing in it is secret; whoever photographs it has it. So a code of
the counter's screen lives for seconds and gives points once.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Literal

import msgspec

from gateway.errors import Refusal, Refused

REFUSALS: tuple[Refusal, ...] = (
    Refusal.CODE_EXPIRED,
    Refusal.CODE_USED,
    Refusal.CODE_OTHER_SHOP,
    Refusal.TOO_SOON,
    Refusal.PRINTED_LIMIT,
    Refusal.NOT_FRIEND,
    Refusal.PIN_WRONG,
    Refusal.PIN_LOCKED,
    Refusal.CARD_FULL,
    Refusal.ID_TOKEN_INVALID,
    Refusal.CLIENT_CLAIMED_USER,
)
"""Why a genuine code gave nothing; a metric label. What is forged names no shop, and is counted at
the edge alone."""

_SIGNATURE_BYTES = 16
_PURPOSE = b"shop card code\0"


class Code(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a token says."""

    kind: Literal["screen", "printed", "view"]
    """``screen``: of the counter, once and for seconds; ``printed``: on paper, with a PIN;
    ``view``: shows a friend's card and gives nothing."""
    card: str
    counter: str = ""
    """Which of the shop's counters showed it."""
    points: int = 1
    expires_at: int = 0
    """Microseconds; 0: never."""
    nonce: str = ""
    """Makes a ``screen`` code spendable once; of a ``view`` the friend's id."""


_decode = msgspec.json.Decoder(Code).decode


def signed(code: Code, key: bytes) -> str:
    """The token of ``code``: at most 200 characters, fit for a path."""
    claims = msgspec.json.encode(code)
    return urlsafe_b64encode(_signature(claims, key) + claims).decode().rstrip("=")


def read(token: str, key: bytes) -> Code:
    """What ``token`` says.

    Raises:
        Refused: it is no token at all, or not signed by us.
    """
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        code = _decode(raw[_SIGNATURE_BYTES:])
    except (ValueError, msgspec.DecodeError):
        raise Refused(Refusal.NOT_FOUND) from None
    if not hmac.compare_digest(raw[:_SIGNATURE_BYTES], _signature(raw[_SIGNATURE_BYTES:], key)):
        raise Refused(Refusal.CODE_FORGED)
    return code


def _signature(claims: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + claims, sha256)[:_SIGNATURE_BYTES]
