"""The lengths of texts as the platform counts them, and the variables that a text may hold.

``{name}``, ``{shop}`` and ``{points}`` stand for a friend's name, the shop's and the friend's
points; ``{{`` and ``}}`` stand for a brace.

Source: https://developers.line.biz/en/docs/messaging-api/text-character-count/
"""

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote

VARIABLES = ("name", "shop", "points")

WRITTEN = " or ".join(f"{{{name}}}" for name in VARIABLES)
"""How problems name them."""

NOTHING = dict.fromkeys(VARIABLES, "")
"""No values."""

LEAST = NOTHING | {"shop": "-", "points": "0"}
"""The least that is known: every shop has a name, and a friend may have none."""

VALUE_MOST = 100
"""So many UTF-16 units of a variable's value are used. A name on the platform has 20 characters,
but a single one can be made of any number of marks."""

WIDEST = dict.fromkeys(VARIABLES, "あ" * VALUE_MOST)
"""The values that take most bytes: three for each UTF-16 unit is the most that UTF-8 takes."""

Unit = Literal["utf16", "graphemes"]
"""What a limit counts: units of UTF-16, or what a reader takes for one character."""

_MARKUP = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAMED = re.compile(r"\{([A-Za-z_]+)\}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def text_length(text: str) -> int:
    """The length of ``text`` in UTF-16 units; half a surrogate pair counts as one."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


_LARGEST = 16
"""Code points that what a reader takes for one character may have on average; a family of four with
its skin tones has eleven. More are no text, and counting them takes the square of their number.
"""


def length(text: str, unit: Unit, most: int) -> int:
    """The length of ``text`` in ``unit``; exact only where it may be beyond ``most``."""
    if unit == "utf16":
        return text_length(text)
    if not most < len(text) <= most * _LARGEST:
        return len(text)
    # A few labels with emoji need it; the daemon is spared its 3 MB until then.
    import grapheme  # noqa: PLC0415 - see above

    return int(grapheme.length(text))


def cut(text: str, most: int, unit: Unit) -> str:
    """The beginning of ``text`` that fits into ``most``, without half a character at its end."""
    if (text_length(text) if unit == "utf16" else len(text)) <= most:
        return text
    import grapheme  # noqa: PLC0415 - as above

    if unit == "graphemes":
        return str(grapheme.slice(text, 0, most))
    units = text.encode("utf-16-le", "surrogatepass")[: 2 * most]
    begun = units.decode("utf-16-le", "surrogatepass")
    end = len(begun) - ("\ud800" <= begun[-1:] <= "\udbff")
    whole = int(grapheme.safe_split_index(text[: end + 1], end))
    # One character of more marks than fit has no better place to be cut at.
    return text[: whole or end]


def scalars(text: str) -> str:
    """``text`` with its surrogate pairs joined, and U+FFFD for what is half of one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def value_of(text: str) -> str:
    """``text`` as a variable's value: one line of at most :data:`VALUE_MOST` units."""
    return cut(_CONTROLS.sub(" ", scalars(text[: 2 * VALUE_MOST])), VALUE_MOST, "utf16")


def unfit(text: str) -> str | None:
    """What in ``text`` no platform takes, or ``None``."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "holds half a character (a lone surrogate); write the text anew"
    if _UNPRINTABLE.search(text):
        return "holds a control character; take it out"
    return None


def misused(text: str, others: frozenset[str] = frozenset()) -> str | None:
    """What is wrong with the braces of ``text``, or ``None``; ``others`` are names beside ours."""
    for token in _MARKUP.finditer(text):
        if token[0] in ("{{", "}}"):
            continue
        if token[1] is None:
            return "has a single brace; write {{ or }} for a brace"
        if token[1] not in VARIABLES and token[1] not in others:
            return f"has an unknown variable; write {WRITTEN}, and {{{{ or }}}} for a brace"
    return None


def misused_plainly(text: str) -> str | None:
    """The same of an address or data, where other braces may stand as they are."""
    if any(named[1] not in VARIABLES for named in _NAMED.finditer(text)):
        return f"has an unknown variable; write {WRITTEN}"
    return None


def filled(text: str, values: Mapping[str, str]) -> str:
    """``text`` with its variables and doubled braces replaced; values are not looked into."""

    def replaced(token: re.Match[str]) -> str:
        if token[0] in ("{{", "}}"):
            return token[0][0]
        return values[token[1]] if token[1] in VARIABLES else token[0]

    return _MARKUP.sub(replaced, text)


def filled_around(text: str, values: Mapping[str, str], others: frozenset[str]) -> str:
    """The same where the platform replaces ``others`` and doubled braces by itself."""

    def replaced(token: re.Match[str]) -> str:
        if token[1] not in VARIABLES or token[1] in others:
            return token[0]
        return values[token[1]].replace("{", "{{").replace("}", "}}")

    return _MARKUP.sub(replaced, text)


def filled_encoded(text: str, values: Mapping[str, str]) -> str:
    """The same of an address or data: values are percent-encoded, other braces stay."""

    def replaced(named: re.Match[str]) -> str:
        return quote(values[named[1]], safe="") if named[1] in VARIABLES else named[0]

    return _NAMED.sub(replaced, text)
