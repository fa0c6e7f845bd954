"""A webhook of LINE's: who sent it, and what it says.

This is the front door and the hot path. The platform adds types, fields and values without
notice, and does not repeat what was answered with 200: so whatever is JSON of the documented
outline is read, and what is not understood is kept and noted. Tests hold the verifier and the
reader equal to the official package.

Source: https://developers.line.biz/en/docs/messaging-api/receiving-messages/
"""

import hmac
import re
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from gateway.domain.line.events import KINDS, MESSAGE_KINDS, MODES, SOURCES, Event, Note
from gateway.errors import Refusal, Refused

PROVIDER = "line"
SIGNATURE_HEADER = "x-line-signature"

MOST_BODY = 1_048_576
"""Bytes of a body. The platform documents no limit; a batch of events is some kilobytes."""

_MOST_EVENTS = 1_000
_MOST_OBJECTS = 50_000
"""Objects and arrays of an event, counted by their brackets: a text of nothing but brackets, and
emojis in the place of each, stays far below."""
_MOST_DEEP = 50
"""Levels of an event; documented ones have five."""

# --- the signature ---


def single_signature(signatures: Sequence[str]) -> str:
    """The one signature among the values of ``x-line-signature``.

    Raises:
        Refused: there is none, or more than one: whoever adds a second one tries something.
    """
    if not signatures:
        raise Refused(Refusal.SIGNATURE_MISSING, f"{SIGNATURE_HEADER} is missing")
    if len(signatures) > 1:
        raise Refused(Refusal.SIGNATURE_DOUBLED, f"{SIGNATURE_HEADER} came more than once")
    return signatures[0]


class Verifier:
    """Tells the platform's requests from others', by base64(HMAC-SHA256(channel secret, body)).

    A reissued secret ends the old one at once on the platform's side, but not here: ``previous``
    is accepted, too, while it is rotated.

    Source: https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/
    """

    def __init__(self, secret: str, previous: str | None = None) -> None:
        # Copying a keyed HMAC costs less than keying one for each request.
        # An empty secret is none: it would be known to everybody.
        self._keyed = [
            hmac.new(each.encode(), digestmod="sha256") for each in (secret, previous) if each
        ]

    def check(self, body: bytes, signature: str) -> None:
        """Let a body pass that the platform signed; ``body`` is as it came.

        Raises:
            Refused: the signature is wrong.
        """
        # Stray bytes of a header come as lone surrogates: a wrong claim, that must not raise.
        given = signature.encode(errors="replace")
        for keyed in self._keyed:
            mac = keyed.copy()
            mac.update(body)
            if hmac.compare_digest(b2a_base64(mac.digest(), newline=False), given):
                return
        raise Refused(Refusal.SIGNATURE_WRONG, "compare the channel secret with the console's")


# --- the body ---


class Body(msgspec.Struct, frozen=True):
    """A webhook, read."""

    destination: str
    """The userId of the bot that it is for; empty where it was not told."""
    events: tuple[Event, ...]
    """In the order in which they came. None is the console's ping."""
    notes: tuple[Note, ...] = ()
    """What was not documented, once for each event that has it, and ``half_character`` once for the
    whole; to be counted."""


class _Envelope(msgspec.Struct):
    destination: msgspec.Raw = msgspec.Raw(b'""')
    events: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


_open = msgspec.json.Decoder(_Envelope).decode
_decode_text = msgspec.json.Decoder(str).decode


def read_body(body: bytes) -> Body:
    r"""What ``body`` tells; its signature has been checked.

    In what is read and kept, lone surrogates and NUL are replaced by U+FFFD: no UTF-8 holds the
    ones, and PostgreSQL no text with the other. A friend's half emoji must not lose the batch.

    Raises:
        Refused: it is no UTF-8, no JSON, no object with a list of events, has more than 1,000
            events, or is nested too deeply.
    """
    try:
        body.decode()  # the decoder passes over bytes that it need not read
    except UnicodeDecodeError:
        # From None, here and below: the original error may quote the body.
        raise Refused(Refusal.INVALID_UTF8, "the body is not UTF-8") from None
    notes: list[Note] = []
    if rb"\u" in body:
        body, replaced = _replaced(body)
        if replaced:
            notes.append("half_character")
    try:
        envelope = _open(body)
        events = envelope.events
        if events is msgspec.UNSET:
            raise Refused(Refusal.MISSING_PARAMETER, "events is missing")
        if len(events) > _MOST_EVENTS:
            raise Refused(Refusal.ABSURD_VALUE, f"there are more than {_MOST_EVENTS} events")
        read = tuple([_read_event(bytes(each), notes) for each in events])
    except msgspec.ValidationError:
        raise Refused(
            Refusal.ABSURD_VALUE, "the body is not an object with a list of events"
        ) from None
    except msgspec.DecodeError:
        raise Refused(Refusal.NOT_JSON, "the body is not JSON") from None
    except RecursionError:
        raise _too_deep() from None
    try:
        destination = _decode_text(envelope.destination)
    except msgspec.ValidationError:
        destination = ""  # which is no bot's
    return Body(destination, read, tuple(notes))


def check_destination(body: Body, bot_user_id: str | None) -> None:
    """Let a body pass that is for ``bot_user_id``, where that is configured.

    Raises:
        Refused: it is for another bot, though it was signed with this channel's secret.
    """
    if bot_user_id and body.destination != bot_user_id:
        raise Refused(
            Refusal.WRONG_DESTINATION, "compare bot_user_id with the account that sends here"
        )


_lone_surrogate = re.compile(
    rb"\\u[dD](?:"
    rb"[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)


def storable(body: bytes) -> bytes:
    r"""The same JSON, with U+FFFD for each escaped NUL and for each half of a pair that is alone:
    what a decoder refuses, or the store.
    """
    return _replaced(body)[0]


def _replaced(body: bytes) -> tuple[bytes, int]:
    r"""The same, with how many were replaced.

    With each escaped backslash written as ``\u005c``, every ``\u`` that is left begins an escape.
    """
    body = body.replace(rb"\\", rb"\u005c")
    nuls = body.count(rb"\u0000")
    body, halves = _lone_surrogate.subn(rb"\\ufffd", body.replace(rb"\u0000", rb"\ufffd"))
    return body, nuls + halves


def _too_deep() -> Refused:
    return Refused(Refusal.TOO_DEEP, "the body is nested too deeply")


# --- the event ---

_LONGEST = 255  # characters of a word or an id: some are keys of the store
_LAST = 253_402_300_799_999  # the end of the year 9999, in milliseconds

_DISQUALIFYING: frozenset[Note] = frozenset(
    {"unknown_type", "unknown_mode", "unknown_source", "malformed"}
)
"""With one of these, nothing is decided by an event."""

_decode = msgspec.json.Decoder(float_hook=float).decode  # 1e999 is no reason to fail
_encode = msgspec.json.encode


def _read_event(given: bytes, noted: list[Note]) -> Event:
    """The event that ``given`` is the JSON of; what is odd about it is added to ``noted``."""
    odd: list[Note] = []
    said = _decoded(given, odd)
    if not said.keys() <= _EVENT_FIELDS:
        odd.append("unknown_field")
    kind = _needed(said, "type", odd)
    if kind not in KINDS:
        odd.append("unknown_type")
    mode = _text(said, "mode", odd)
    if mode not in MODES:
        odd.append("unknown_mode")
    at = said.get("timestamp")
    if type(at) is not int or not 0 < at <= _LAST:  # True is an int, too
        odd.append("malformed")
        at = 0
    source = _object(said, "source", odd)
    source_kind = _text(source, "type", odd)
    if source_kind not in SOURCES and said.get("source") is not None:
        odd.append("unknown_source")
    user = _text(source, "userId", odd)
    place = _text(source, "groupId", odd) or _text(source, "roomId", odd)
    delivery = _object(said, "deliveryContext", odd)
    redelivered = _flag(delivery, "isRedelivery", odd)
    reply_token = _text(said, "replyToken", odd)
    identity = _text(said, "webhookEventId", odd)
    if not identity:
        odd.append("id_derived")
        identity = _derived_id(said, given)
    details = _READERS.get(kind, _read_nothing)(said, odd)
    if odd:
        noted += dict.fromkeys(odd)
    return Event(
        id=identity,
        kind=kind,
        at=at * 1000,
        mode=mode,
        redelivered=redelivered,
        raw=given.decode(),
        known=_DISQUALIFYING.isdisjoint(odd),
        source=source_kind,
        user=user,
        place=place,
        reply_token=reply_token,
        **details,
    )


def _decoded(given: bytes, odd: list[Note]) -> dict[str, Any]:
    objects = given.count(b"{") + given.count(b"[")
    if objects > _MOST_OBJECTS:
        raise Refused(
            Refusal.ABSURD_VALUE, f"an event holds more than {_MOST_OBJECTS} objects or arrays"
        )
    try:
        said = _decode(given)
    except msgspec.ValidationError:  # a number of more than 4,300 digits
        said = None
    if objects > _MOST_DEEP and _depth(said) > _MOST_DEEP:
        raise _too_deep()
    if isinstance(said, dict):
        return said
    odd.append("malformed")
    return {}


def _depth(said: object) -> int:
    level, depth = [said], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        level = [
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        ]
        depth += 1
    return depth


def _derived_id(said: dict[str, Any], given: bytes) -> str:
    """An id that is the same for the same event, delivered again or not.

    The platform always gives one; without any, one event's duplicates would be many events.
    """
    # deliveryContext tells a redelivery, and nothing of the event.
    lasting = {name: value for name, value in said.items() if name != "deliveryContext"}
    told = _encode(lasting, order="sorted") if lasting else given
    return "raw-" + sha256(told).hexdigest()


# --- values, some of which may be missing, and any of which may be wrong ---


def _text(said: dict[str, Any], name: str, odd: list[Note], longest: int = _LONGEST) -> str:
    """The text ``name``, or nothing."""
    value = said.get(name)
    if type(value) is str and len(value) <= longest:
        return value
    if value is not None:
        odd.append("malformed")
    return ""


def _needed(said: dict[str, Any], name: str, odd: list[Note], longest: int = _LONGEST) -> str:
    """The text ``name``, which has to be there."""
    if said.get(name) is None:
        odd.append("malformed")
    return _text(said, name, odd, longest)


def _flag(said: dict[str, Any], name: str, odd: list[Note]) -> bool:
    value = said.get(name)
    if value is not None and type(value) is not bool:
        odd.append("malformed")
    return value is True


def _object(said: dict[str, Any], name: str, odd: list[Note]) -> dict[str, Any]:
    """The object ``name``, empty where there is none."""
    value = said.get(name)
    if type(value) is dict:
        if not value.keys() <= _FIELDS[name]:
            odd.append("unknown_field")
        return value
    if value is not None:
        odd.append("malformed")
    return {}


# --- what each type tells ---

_Details = dict[str, Any]
"""Fields of an :class:`Event` that not every type has."""


def _read_nothing(_said: dict[str, Any], _odd: list[Note]) -> _Details:
    return {}


def _read_message(said: dict[str, Any], odd: list[Note]) -> _Details:
    message = _object(said, "message", odd)
    kind = _needed(message, "type", odd)
    if kind not in MESSAGE_KINDS:
        odd.append("unknown_message")
    details = {
        "message_id": _needed(message, "id", odd),
        "message_kind": kind,
        "quoted": _text(message, "quotedMessageId", odd),
    }
    if kind == "text":
        details["text"] = _needed(message, "text", odd, MOST_BODY)
        return details
    provider = _object(message, "contentProvider", odd)
    return {**details, "content_external": provider.get("type") == "external"}


def _read_unsend(said: dict[str, Any], odd: list[Note]) -> _Details:
    return {"unsent": _needed(_object(said, "unsend", odd), "messageId", odd)}


def _read_follow(said: dict[str, Any], odd: list[Note]) -> _Details:
    # The object is younger than the type, and a friend is greeted without it, too.
    return {"unblocked": _flag(_object(said, "follow", odd), "isUnblocked", odd)}


def _read_postback(said: dict[str, Any], odd: list[Note]) -> _Details:
    postback = _object(said, "postback", odd)
    params = postback.get("params")
    if params is not None and not isinstance(params, dict):
        odd.append("malformed")
        params = None
    return {
        "data": _needed(postback, "data", odd, MOST_BODY),
        "params": "" if params is None else _encode(params).decode(),
    }


def _read_membership(said: dict[str, Any], odd: list[Note]) -> _Details:
    membership = _object(said, "membership", odd)
    number = membership.get("membershipId")
    if type(number) is not int:
        odd.append("malformed")
    return {"detail": (_needed(membership, "type", odd), str(number))}


def _texts(name: str, *fields: str) -> Callable[[dict[str, Any], list[Note]], _Details]:
    """Reads ``fields`` of the object ``name``."""

    def read(said: dict[str, Any], odd: list[Note]) -> _Details:
        content = _object(said, name, odd)
        return {"detail": tuple([_needed(content, each, odd) for each in fields])}

    return read


_READERS: dict[str, Callable[[dict[str, Any], list[Note]], _Details]] = {
    "message": _read_message,
    "messageEdited": _read_message,
    "unsend": _read_unsend,
    "follow": _read_follow,
    "postback": _read_postback,
    "membership": _read_membership,
    "videoPlayComplete": _texts("videoPlayComplete", "trackingId"),
    "beacon": _texts("beacon", "type", "hwid"),
    "accountLink": _texts("link", "result", "nonce"),
    "module": _texts("module", "type"),
    "delivery": _texts("delivery", "data"),
}

# --- what is documented ---

_FIELDS: dict[str, frozenset[str]] = {
    name: frozenset(fields.split())
    for name, fields in {
        "source": "type userId groupId roomId",
        "deliveryContext": "isRedelivery",
        "message": "type id text emojis mention quoteToken quotedMessageId markAsReadToken"
        " contentProvider imageSet duration fileName fileSize title address latitude longitude"
        " packageId stickerId stickerResourceType keywords",
        "contentProvider": "type originalContentUrl previewImageUrl",
        "unsend": "messageId",
        "follow": "isUnblocked",
        "postback": "data params",
        "membership": "type membershipId",
        "videoPlayComplete": "trackingId",
        "beacon": "type hwid dm",
        "link": "result nonce",
        "module": "type botId scopes reason",
        "delivery": "data",
    }.items()
}
_EVENT_FIELDS = _FIELDS.keys() - {"contentProvider"} | {
    "type",
    "timestamp",
    "mode",
    "webhookEventId",
    "replyToken",
    "joined",
    "left",
    "chatControl",
}
