"""Tokens that name a recipient to strangers, and keyed hashes that name nobody.

All are made with keys that are derived from one secret of the store (:func:`keys_of`), each for
one purpose, so that a token of one kind is never one of another. They are cut to 80 bits or more
(RFC 2104, section 5, allows half of the hash).
"""

import base64
import hmac
from hashlib import sha256

import msgspec

from gateway.errors import Refusal, Refused

_MAC_BYTES = 10
_HASH_BYTES = 16
_DAY = 86_400_000_000


class Keys(msgspec.Struct, frozen=True):
    """The keys of mail, derived from one secret."""

    address: bytes
    network: bytes
    stop: bytes
    click: bytes
    open: bytes
    verp: bytes
    signup: bytes


def keys_of(secret: bytes) -> Keys:
    """The keys that are derived from the store's secret."""
    names = Keys.__struct_fields__
    return Keys(**{name: hmac.digest(secret, b"mail " + name.encode(), sha256) for name in names})


def hash_of(address: str, keys: Keys) -> bytes:
    """The keyed hash of an address: without the key it cannot be tried out against guesses."""
    return hmac.digest(keys.address, address.casefold().encode(), sha256)[:_HASH_BYTES]


class Named(msgspec.Struct, frozen=True):
    """Whom a token names."""

    campaign: int
    """0: none; the token came with a confirmation."""
    recipient: int
    link: int = 0
    """Of a click: which of the campaign's links."""


TRIAL = Named(0, 0)
"""Whom the mail of a trial names: its links and addresses work as others do, and concern nobody."""


def sealed(named: Named, key: bytes) -> str:
    """A token for a path: 38 characters of base64url."""
    body = named.campaign.to_bytes(8) + named.recipient.to_bytes(8) + named.link.to_bytes(2)
    return _base64(body + _mac(body, key))


def opened(token: str, key: bytes) -> Named:
    """Whom a token names.

    Raises:
        Refused: it is none of ours.
    """
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError:
        raise Refused(Refusal.NOT_FOUND) from None
    body, mac = raw[:18], raw[18:]
    # The last character has bits to spare: of the spellings of a token only ours is one.
    is_ours = len(body) == 18 and _base64(raw) == token
    if not is_ours or not hmac.compare_digest(mac, _mac(body, key)):
        raise Refused(Refusal.NOT_FOUND)
    return Named(int.from_bytes(body[:8]), int.from_bytes(body[8:16]), int.from_bytes(body[16:18]))


def stop_address(named: Named, domain: str, key: bytes) -> str:
    """Where a mail stops its recipient's mail: ``stop+…@domain``, in lower case; it never ends."""
    raw = base64.urlsafe_b64decode(sealed(named, key) + "==")
    return f"stop+{_base32(raw)}@{domain}"


def unstop(local: str, key: bytes) -> Named:
    """Whom the local part of such an address names.

    Raises:
        Refused: it is none of ours.
    """
    kind, _, tag = local.partition("+")
    try:
        raw = _unbase32(tag)
    except ValueError:
        raise Refused(Refusal.NOT_FOUND) from None
    if kind.lower() != "stop":
        raise Refused(Refusal.NOT_FOUND)
    return opened(_base64(raw), key)


def verp(named: Named, domain: str, expires_at: int, key: bytes) -> str:
    """The envelope sender of a recipient's mail: ``b+<who and until when>.<mac>@domain``.

    Lower-case base32, since mail servers may change the case of a local part; 52 characters of
    the 64 that RFC 5321, section 4.5.3.1.1, allows.
    """
    body = (
        named.campaign.to_bytes(8) + named.recipient.to_bytes(8) + (expires_at // _DAY).to_bytes(4)
    )
    return f"b+{_base32(body)}.{_base32(_mac(body, key))}@{domain}"


def unverp(local: str, key: bytes, now: int) -> Named:
    """Whom the local part of a bounce's recipient names.

    Raises:
        Refused: it is forged, damaged, or too old to count.
    """
    kind, _, tag = local.lower().partition("+")
    body, _, mac = tag.partition(".")
    try:
        raw, given = _unbase32(body), _unbase32(mac)
    except ValueError:
        raise Refused(Refusal.NOT_FOUND) from None
    if kind != "b" or len(raw) != 20 or not hmac.compare_digest(given, _mac(raw, key)):
        raise Refused(Refusal.NOT_FOUND)
    if int.from_bytes(raw[16:]) * _DAY < now:
        raise Refused(Refusal.CODE_EXPIRED)
    return Named(int.from_bytes(raw[:8]), int.from_bytes(raw[8:16]))


def _mac(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, body, sha256)[:_MAC_BYTES]


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _unbase32(text: str) -> bytes:
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
