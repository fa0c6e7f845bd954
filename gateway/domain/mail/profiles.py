"""What is known of a recipient beside the address: attributes and tags."""

from collections.abc import Collection, Mapping, Sequence
from unicodedata import category, normalize

import msgspec

from gateway.domain.mail.message.display import NAMES
from gateway.domain.mail.message.templates import NAME
from gateway.errors import Refusal, Refused

LONGEST_TAG = 40
"""Characters of a tag."""

TAG_RULE = f"a tag is 1 to {LONGEST_TAG} letters or digits of any script, - _ and ・"
"""What :func:`tag_of` takes, in words."""

_MARKS = "-_・"

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
    tags = {tag_of(tag) for tag in given}
    if len(tags) > MOST_TAGS:
        raise Refused(Refusal.INVALID_FIELD, f"there are more than {MOST_TAGS} tags")
    if None in tags:
        raise Refused(Refusal.INVALID_FIELD, TAG_RULE)
    return tuple(sorted(tag for tag in tags if tag is not None))


def tag_of(text: str) -> str | None:
    """The tag that is meant: full and half width are one, and so are capitals and small letters
    (Unicode's NFKC, case folded). ``None``: it is no tag.
    """
    tag = normalize("NFKC", normalize("NFKC", text.strip()).casefold())
    fits = 1 <= len(tag) <= LONGEST_TAG and all(map(_is_of_a_tag, tag))
    return tag if fits else None


def _is_of_a_tag(character: str) -> bool:
    # Letters, digits, and the marks that some scripts write on their letters.
    return character in _MARKS or category(character)[0] in "LNM"


def attributes_of(text: str) -> dict[str, str]:
    """The attributes as a program uses them, of a recipient's column."""
    return _decode(text) if text else {}


def merged(text: str, given: Mapping[str, str]) -> str:
    """A recipient's column with new values in it; a value that is given empty takes its attribute
    away.
    """
    values = {**attributes_of(text), **given}
    return _encode({name: value for name, value in values.items() if value}).decode()
