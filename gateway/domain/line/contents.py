"""What friends send beside words: images, videos, sounds and files, kept for a while.

Source: https://developers.line.biz/en/docs/messaging-api/receiving-messages/#getting-content-from-messages
"""

import re
from typing import Literal

import msgspec

from gateway.domain.line.events import Event

KINDS = frozenset({"image", "video", "audio", "file"})
"""Messages whose content lies with the platform."""

State = Literal["waiting", "kept", "removing", "gone"]
"""``removing``: nobody gets it any more, and its file is about to go."""

Why = Literal["", "unsent", "expired", "erased", "too_large", "missing", "no_room"]
"""Why there is none. ``missing``: the platform has it no more."""

Result = Literal["kept", "too_large", "missing", "removed"]
"""A metric label."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Content(msgspec.Struct, frozen=True):
    """The content of a message; the fields are the columns of the store, in their order."""

    channel: str
    message_id: str
    advertiser: str
    friend: int
    asked_at: int
    state: State = "waiting"
    why: Why = ""
    path: str = ""
    """Below the folder of contents."""
    media_type: str = ""
    bytes: int = 0
    sha256: str = ""
    fetched_at: int = 0


def has_content(event: Event) -> bool:
    """Whether the platform keeps a content of what was sent, which we can ask for."""
    return (
        event.known
        and event.kind == "message"
        and event.message_kind in KINDS
        and not event.content_external
        and _ID.fullmatch(event.message_id) is not None
    )


def path_of(channel: str, message_id: str) -> str:
    """Where the content of a message lies, below the folder of contents."""
    return f"{channel}/{message_id}"


_BEGINNINGS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"PK\x03\x04", "application/zip"),
)
"""Where a file says what it is, and how.

Source: https://mimesniff.spec.whatwg.org/
"""

UNKNOWN_TYPE = "application/octet-stream"
MEDIA_TYPES: tuple[str, ...] = tuple(dict.fromkeys(kind for *_, kind in _BEGINNINGS))
HEAD_BYTES = 16
"""So many bytes of a beginning tell what a file is."""


def sniffed(head: bytes) -> str:
    """The media type of what begins so; whatever is not known is plain bytes."""
    for at, sign, media_type in _BEGINNINGS:
        if head[at : at + len(sign)] == sign:
            return media_type
    return UNKNOWN_TYPE
