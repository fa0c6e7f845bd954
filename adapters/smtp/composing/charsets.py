"""Text as bytes of a mail: encoded words for headers (RFC 2047), bodies in base64 or 7bit."""

import re
from base64 import b64encode
from binascii import b2a_base64
from typing import NamedTuple

from gateway.domain.mail.message.content import Charset, written
from gateway.errors import Refusal, Refused

FOLD = 78
"""Characters of a header's line, its end left out (RFC 5322 2.1.1)."""

_WORD = 75  # characters of an encoded word (RFC 2047 2)
_LINE = 76  # characters of a line of base64 (RFC 2045 6.8)
_LONGEST = 998  # bytes of any line, its end left out (RFC 5322 2.1.1)

_NAME_OF: dict[Charset, str] = {"utf-8": "UTF-8", "iso-2022-jp": "ISO-2022-JP"}

_PLAIN = re.compile(r"[\x21-\x7e]{1,70}(?: [\x21-\x7e]{1,70})*")  # can be folded at its blanks
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


class Body(NamedTuple):
    """A part's text on the wire."""

    encoding: str
    """Its Content-Transfer-Encoding."""
    data: bytes
    """It ends in CRLF."""


def body(text: str, charset: Charset, boundary: bytes = b"") -> Body:
    """``text``, whose lines end in CRLF, as the body of a part.

    UTF-8 goes in base64. ISO-2022-JP goes as it is, as old telephones want it; in base64 where a
    line is longer than RFC 5322 allows, or holds ``boundary``.

    Raises:
        Refused: VALUE_UNWRITABLE, where ``charset`` lacks a character.
    """
    data = encoded(text, charset)
    if charset == "utf-8":
        return Body("base64", base64_lines(data))
    is_long = len(data) > _LONGEST and max(map(len, data.split(b"\r\n"))) > _LONGEST
    if is_long or (boundary and boundary in data):
        return Body("base64", base64_lines(data))
    return Body("7bit", data if data.endswith(b"\r\n") else data + b"\r\n")


def base64_lines(data: bytes) -> bytes:
    """``data`` in base64, in lines that end in CRLF."""
    whole = b2a_base64(data, newline=False)
    lines = [whole[at : at + _LINE] for at in range(0, len(whole), _LINE)]
    lines.append(b"")
    return b"\r\n".join(lines)


def header(name: str, text: str, charset: Charset) -> bytes:
    """An unstructured header's lines, CRLF at the end: plain where it is ASCII, else in words.

    Args:
        name: the header's name; it must be shorter than 40 characters.
        text: without control characters; see :func:`gateway.domain.mail.message.templates.plain`.
        charset: what the words are written in.

    Raises:
        Refused: VALUE_UNWRITABLE, where ``charset`` lacks a character.
    """
    if _PLAIN.fullmatch(text) and "=?" not in text:
        return _folded(f"{name}:", text.split(" "))
    return _folded(f"{name}:", _words(text, charset, len(name) + 2))


def mailbox(name: str, display: str, address: str, charset: Charset) -> bytes:
    """A header that names one mailbox, with what is shown for it.

    Raises:
        Refused: VALUE_UNWRITABLE, where ``charset`` lacks a character.
    """
    if not display:
        return _folded(f"{name}:", [address])
    if len(display) <= 60 and _ATOMS.fullmatch(display):
        words = display.split(" ")
    elif len(display) <= 60 and display.isascii() and "=?" not in display:
        words = ['"' + re.sub(r'(["\\])', r"\\\1", display) + '"']
    else:
        words = _words(display, charset, len(name) + 2)
    return _folded(f"{name}:", [*words, f"<{address}>"])


def encoded(text: str, charset: Charset) -> bytes:
    """``text`` in ``charset``.

    Raises:
        Refused: VALUE_UNWRITABLE, where it lacks a character; it is not named, as it is a
            recipient's.
    """
    try:
        return text.encode(charset)
    except UnicodeEncodeError:
        pass  # by its twins, perhaps; to look for them in every text takes longer than to write it
    try:
        return written(text, charset).encode(charset)
    except UnicodeEncodeError:
        raise Refused(Refusal.VALUE_UNWRITABLE, f"{charset} lacks a character") from None


def _folded(start: str, words: list[str]) -> bytes:
    """Words behind ``start``, a blank between them, in lines of :data:`FOLD` where they can be."""
    lines = [start]
    for word in words:
        if len(lines[-1]) + 1 + len(word) <= FOLD or lines == [start]:
            lines[-1] += f" {word}"
        else:
            lines.append(f" {word}")
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _words(text: str, charset: Charset, used: int) -> list[str]:
    """``text`` as encoded words, of which the first is shorter by what its line holds before."""
    around = len(_NAME_OF[charset]) + 7  # =?charset?B??=
    rest = (_WORD - around) // 4 * 3
    first = (min(_WORD, FOLD - used) - around) // 4 * 3
    pieces = _utf8_pieces(text, first, rest) if charset == "utf-8" else _pieces(text, first, rest)
    return [f"=?{_NAME_OF[charset]}?B?{b64encode(piece).decode()}?=" for piece in pieces]


def _utf8_pieces(text: str, most: int, rest: int) -> list[bytes]:
    """Bytes of at most ``most`` (first) and ``rest`` (later), each of whole characters."""
    data = encoded(text, "utf-8")
    pieces = []
    at = 0
    while at < len(data):
        end = min(at + most, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # within a character
            end -= 1
        pieces.append(data[at:end])
        at, most = end, rest
    return pieces


def _pieces(text: str, most: int, rest: int) -> list[bytes]:
    """The same in ISO-2022-JP, where each piece begins and ends in ASCII (RFC 1468, RFC 2047 3)."""
    pieces = []
    at = 0
    while at < len(text):
        # two bytes a character at most, and two escapes of three: so many fit, perhaps more
        end = min(len(text), at + (most - 6) // 2)
        piece = encoded(text[at:end], "iso-2022-jp")
        while end < len(text):
            longer = encoded(text[at : end + 1], "iso-2022-jp")
            if len(longer) > most:
                break
            end, piece = end + 1, longer
        while len(piece) > most:  # more escapes than thought: scripts take turns
            end -= 1
            piece = encoded(text[at:end], "iso-2022-jp")
        pieces.append(piece)
        at, most = end, rest
    return pieces
