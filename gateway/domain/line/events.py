"""What the LINE platform tells a channel, as far as anything is decided by it.

The platform adds types, fields and values without notice, so nothing here is an enumeration that
could fail: a word that nobody knows is kept as it came, and the event is marked.

Source: https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects
"""

from typing import Literal, get_args

import msgspec

Kind = Literal[
    "message",
    "messageEdited",
    "unsend",
    "follow",
    "unfollow",
    "join",
    "leave",
    "memberJoined",
    "memberLeft",
    "postback",
    "videoPlayComplete",
    "beacon",
    "accountLink",
    "membership",
    "module",
    "activated",
    "deactivated",
    "botSuspended",
    "botResumed",
    "delivery",
]
"""The documented types. ``module`` and what follows come to partners' channels only
(https://developers.line.biz/en/reference/partner-docs/)."""

KINDS: frozenset[str] = frozenset(get_args(Kind))
MODES = frozenset({"active", "standby"})
"""In ``standby`` another module answers: there is no reply token, and nothing may be sent."""
SOURCES = frozenset({"user", "group", "room"})
MESSAGE_KINDS = frozenset({"text", "image", "video", "audio", "file", "location", "sticker"})

Note = Literal[
    "unknown_type",
    "unknown_mode",
    "unknown_source",
    "unknown_message",
    "unknown_field",
    "malformed",
    "id_derived",
    "half_character",
]
"""Something about an event that is not documented; a metric label.

``malformed``: a documented value is missing, of another type, or cannot be true. ``id_derived``:
it came without an id, and got one of its content. ``half_character``: half a surrogate pair or a
NUL, which no store keeps, was replaced.
"""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened on a channel. What does not apply is empty."""

    id: str
    """The platform's webhookEventId: the same however often the event is delivered."""
    kind: str
    """A :data:`Kind`, or a type that nobody knows yet."""
    at: int
    """When it happened (not when it was delivered), in microseconds; 0 where that was not told."""
    mode: str
    redelivered: bool
    """Whether the platform says that it was sent before; a first delivery may not have arrived."""
    raw: str
    """The event's JSON as it came, apart from what no store keeps (lone surrogates, NUL)."""
    known: bool = True
    """Whether type, mode and kind of source are documented and nothing is malformed. Nothing is
    decided by an event that is not."""
    source: str = ""
    """``user``, ``group``, ``room``, another word, or nothing: not every event has a source."""
    user: str = ""
    """The userId. Not told of everybody in a group."""
    place: str = ""
    """The groupId or roomId."""
    reply_token: str = ""
    message_id: str = ""
    """Of a message, or of the one that was edited."""
    message_kind: str = ""
    """One of :data:`MESSAGE_KINDS`, or a word that nobody knows yet."""
    text: str = ""
    """Of a text message; a sticker's is not for matching keywords, and stays in ``raw``."""
    quoted: str = ""
    """The id of the message that a message quotes."""
    content_external: bool = False
    """Whether an image, video or audio lies elsewhere than with the platform."""
    data: str = ""
    """Of a postback."""
    params: str = ""
    """Of a postback, as JSON: the date and time that were picked, or the menu switched to."""
    unblocked: bool = False
    """A follow after a block."""
    unsent: str = ""
    """The id of the message that its sender took back."""
    detail: tuple[str, ...] = ()
    """``beacon``: type and hwid; ``accountLink``: result and nonce; ``membership``: type and id;
    ``videoPlayComplete``: trackingId; ``delivery``: data; ``module``: type."""


class _Message(msgspec.Struct, frozen=True):
    type: str = ""
    text: str = ""


class _Told(msgspec.Struct, frozen=True, rename="camel"):
    mode: str = ""
    reply_token: str = ""
    message: _Message = _Message()


_told = msgspec.json.Decoder(_Told).decode


def message_again(id_: str, at: int, raw: str, user: str, place: str) -> Event | None:
    """A message that was kept, as far as decisions need it; ``None`` where nothing is decided by
    it.
    """
    try:
        told = _told(raw)
    except msgspec.DecodeError:
        return None
    if told.mode not in MODES:
        return None
    return Event(
        id=id_,
        kind="message",
        at=at,
        mode=told.mode,
        redelivered=False,
        raw=raw,
        user=user,
        place=place,
        reply_token=told.reply_token,
        message_kind=told.message.type,
        text=told.message.text if told.message.type == "text" else "",
    )
