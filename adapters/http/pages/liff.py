"""What pages inside LINE send: an ID token that LINE gave, and never who somebody says to be."""

from typing import Any, TypeVar

import msgspec

from gateway.errors import Refusal, Refused
from gateway.ports import Request

T = TypeVar("T")

_CLAIMS = frozenset({"userid", "user_id", "user", "sub", "uid", "lineid", "line_id"})
"""Names under which a client would say who it is, in lower case."""


def posted(request: Request, kind: type[T]) -> T:
    """What a page's script sent, as ``kind``.

    Raises:
        Refused: it is no such thing, or says itself who it is.
    """
    media = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Refused(Refusal.MEDIA_TYPE, "send application/json")
    try:
        given = msgspec.json.decode(request.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused(Refusal.NOT_JSON) from None
    if any(name.lower() in _CLAIMS for name in given):
        raise Refused(Refusal.CLIENT_CLAIMED_USER, "who somebody is, LINE alone says")
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError:
        raise Refused(Refusal.INVALID_FIELD, "send what the page sends") from None
