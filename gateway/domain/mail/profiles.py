"""What is known of a recipient beside the address: attributes and tags."""

import re
from collections.abc import Collection, Mapping, Sequence

import msgspec

from gateway.domain.mail.message.display import NAMES
from gateway.domain.mail.message.templates import NAME
from gateway.errors import Refusal, Refused

TAG = re.compile(r"[a-z0-9-]{1,40}")
"""What a tag looks like."""

MOST_VALUE = 500
"""Characters of an attribute's value."""

MOST_TAGS = 50
"""Tags of one recipient, as far as one wish gives them."""

RESERVED = NAMES | {
    "address",
    "tags",
    "tag",
    "consent_at",
    "consent_how",
    "consent_evidence",
    "notice",
}
"""Names that no attribute may have: they are columns of an import, or slots of every list."""

_decode = msgspec.json.Decoder(dict[str, str]).decode
_encode = msgspec.json.Encoder(order="sorted").encode


def is_attribute(name: str) -> bool:
    """Whether an attribute may have this name: it is that of a slot, too."""
    return bool(NAME.fullmatch(name)) and name not in RESERVED


def checked_attributes(given: Mapping[str, str], allowed: Collection[str]) -> dict[str, str]:
    """The attributes that are given, without blanks around their values.

    Raises:
        Refused: one that the list does not have, or a value that is too long or has line breaks or
            other control characters, which could end a header line.
    """
    values = {name: value.strip() for name, value in given.items()}
    for name, value in values.items():
        if name not in allowed:
            raise Refused(Refusal.INVALID_FIELD, "the list has no such attribute")
        if len(value) > MOST_VALUE:
            detail = f"an attribute has more than {MOST_VALUE} characters"
            raise Refused(Refusal.INVALID_FIELD, detail)
        if value and not value.replace("\u3000", " ").isprintable():
            detail = "an attribute has characters that cannot be seen"
            raise Refused(Refusal.INVALID_FIELD, detail)
    return values


def checked_tags(given: Sequence[str]) -> tuple[str, ...]:
    """The tags that are given, each once, in order.

    Raises:
        Refused: one is no tag, or there are too many.
    """
    tags = tuple(sorted({tag.strip() for tag in given}))
    if len(tags) > MOST_TAGS:
        raise Refused(Refusal.INVALID_FIELD, f"there are more than {MOST_TAGS} tags")
    if not all(TAG.fullmatch(tag) for tag in tags):
        raise Refused(Refusal.INVALID_FIELD, "a tag is 1 to 40 of a-z, 0-9 and -")
    return tags


def attributes_of(text: str) -> dict[str, str]:
    """The attributes as a program uses them, of a recipient's column."""
    return _decode(text) if text else {}


def merged(text: str, given: Mapping[str, str]) -> str:
    """A recipient's column with new values in it; a value that is given empty takes its attribute
    away.
    """
    values = {**attributes_of(text), **given}
    return _encode({name: value for name, value in values.items() if value}).decode()
