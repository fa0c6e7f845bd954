"""Cursors: the key of a page's last item, opaque to whoever carries it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from zlib import crc32

import msgspec

from gateway.errors import Refusal, Refused

Key = tuple[int | str, ...]

_BIGGEST = 2**63 - 1  # what a column holds


def written(path: str, key: Key) -> str:
    """The cursor of the list at ``path`` (of the declaration) behind the item ``key``."""
    text = msgspec.json.encode(key)
    return urlsafe_b64encode(_sum(path, text) + text).decode().rstrip("=")


def read(path: str, cursor: str, *types: type) -> Key:
    """The key in ``cursor``, which has values of ``types``.

    The sum guards against mistakes, not against malice: a cursor says only where to go on, and
    whose data is shown is asked of the token.

    Raises:
        Refused: it is none that this list gave.
    """
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        key = msgspec.json.decode(raw[4:], type=Key)
    except (ValueError, msgspec.DecodeError):
        raise Refused(Refusal.INVALID_CURSOR) from None
    fits = len(key) == len(types) and all(map(isinstance, key, types))
    # The sum can be made by anybody, so a key must be one that the store can be asked with.
    fits = fits and all(
        0 <= value <= _BIGGEST if isinstance(value, int) else "\0" not in value for value in key
    )
    if not fits or written(path, key) != cursor:
        raise Refused(Refusal.INVALID_CURSOR)
    return key


def _sum(path: str, text: bytes) -> bytes:
    return crc32(path.encode() + b"\0" + text).to_bytes(4)
