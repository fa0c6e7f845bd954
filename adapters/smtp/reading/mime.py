"""Takes a mail apart: fields, and parts in one flat list, with a bound on everything.

The standard library's parser nests objects as deep as the mail does and reads it all; this one
goes through the first megabytes line by line, once, with a stack of boundaries of bounded depth.
What lies deeper, or beyond the parts it counts, is left out. Source: RFC 2045, 2046, 2047, 5322.
"""

import binascii
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

SIZE = 2 * 1024 * 1024
"""Bytes of a mail that are looked at; a report stands before what it returns (RFC 6522, 3)."""
PARTS = 64
DEPTH = 12
FIELDS = 300
FIELD = 4_000
"""Characters of one field."""
TEXT = 64 * 1024
"""Characters of a part's text."""
LINES = 100_000

_NAME = re.compile(r"([!-9;-~]{1,80})[ \t]{0,8}:[ \t]{0,8}(.{0,4000})", re.DOTALL)
_PARAMETER = re.compile(
    r";\s{0,80}([a-z-]{1,30})\s{0,8}=\s{0,8}(?:\"([^\"]{0,200})\"|([^\s;]{1,200}))"
)
_WORD = re.compile(
    r"=\?([\w.-]{1,40})(?:\*[\w-]{1,20})?\?([bBqQ])\?([^?\s]{0,400})\?=(?:\s+(?==\?))?"
)
_BOUNDARY = re.compile(r"(?i)boundary=\"?([^\";]{1,200})")
_TYPE = re.compile(r"[A-Za-z-]{1,40}/[\w.+-]{1,80}")
_BETWEEN = re.compile(rb"(?<=\n)\r?\nFrom (?=\S{1,300} +\S{3} \S{3} +\d)")
_ESCAPES = b"\x1b$"
_CHARSET = re.compile(
    r"(?:iso-?8859-\d{1,2}|windows-\d{3,4}|cp\d{3,4}|koi8-[ru]|gb2312|gbk|gb18030|big5|euc-(?:jp|kr)"
    r"|shift[_-]jis|utf-?16(?:le|be)?|ks_c_5601-1987|tis-620|macintosh)"
)


class Fields(tuple[tuple[str, str], ...]):
    """Fields of a header, names in lower case, in order."""

    __slots__ = ()

    def get(self, name: str) -> str:
        """The first of the name, or empty."""
        return next((value for key, value in self if key == name), "")

    def all(self, name: str) -> list[str]:
        """Each of the name."""
        return [value for key, value in self if key == name]


class Part(NamedTuple):
    """A leaf of the mail's tree, decoded."""

    media_type: str
    """Lower case: ``text/plain``."""
    fields: Fields
    text: str
    """Of an enclosed mail all of it, its header too: its own parts are not taken apart."""


def fields_of(lines: Iterable[str]) -> Fields:
    """The fields in ``lines``, unfolded; what is no field is passed over."""
    found: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and found:
            name, value = found[-1]
            if len(value) < FIELD:
                found[-1] = (name, f"{value} {line.strip()}"[:FIELD])
        elif len(found) < FIELDS and (match := _NAME.match(line)):
            found.append((match[1].lower(), match[2].strip()))
    return Fields(found)


def mails_in(raw: bytes) -> list[bytes]:
    """The mails of a file: one, or those of an mbox (RFC 4155), at most a thousand."""
    if not raw.startswith(b"From "):
        return [raw]
    return [b"From " + mail for mail in _BETWEEN.split(b"\n\n" + raw, 1_000)[1:]] or [raw]


def take_apart(raw: bytes) -> tuple[Fields, list[Part]]:
    """The mail's own fields, and its parts in their order."""
    # latin-1 keeps every byte as it is: parts are decoded one by one, by their own character set.
    text = raw[:SIZE].decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n", LINES)[:LINES]
    while lines and not lines[0].strip():
        lines.pop(0)
    if lines and lines[0].startswith(("From ", ">From ")):
        lines.pop(0)  # an mbox's line
    end = _end_of_header(lines, 0)
    own = fields_of(lines[:end])
    return own, _Walk(lines, end + 1, own).parts()


def _end_of_header(lines: list[str], start: int) -> int:
    for number in range(start, len(lines)):
        if not lines[number].strip():
            return number
    return len(lines)


class _Walk:
    """One pass over the lines."""

    def __init__(self, lines: list[str], start: int, own: Fields) -> None:
        self._lines = lines
        self._at = start
        self._parts: list[Part] = []
        self._open: list[str] = []  # the boundaries that a line may still be
        self._fields = own

    def parts(self) -> list[Part]:
        """Each leaf."""
        self._enter(self._fields)
        body = self._at
        while self._at < len(self._lines) and len(self._parts) < PARTS:
            line = self._lines[self._at]
            self._at += 1
            closed = self._closes(line) if line.startswith("--") else None
            if closed is None:
                continue
            self._leaf(body, self._at - 1)
            depth, last = closed
            del self._open[depth + 1 :]
            if last:
                self._open.pop()
                self._fields = Fields((("content-type", "x-between/parts"),))
            else:
                self._header()
            body = self._at
        if len(self._parts) < PARTS:
            self._leaf(body, len(self._lines))
        return self._parts

    def _closes(self, line: str) -> tuple[int, bool] | None:
        """Which open boundary ``line`` is, and whether it is the closing one."""
        stripped = line.rstrip()
        for depth in range(len(self._open) - 1, -1, -1):
            boundary = self._open[depth]
            if stripped == boundary:
                return depth, False
            if stripped == f"{boundary}--":
                return depth, True
        return None

    def _header(self) -> None:
        end = self._at
        while end < len(self._lines) and self._lines[end].strip():
            if self._lines[end].startswith("--") and self._closes(self._lines[end]):
                break  # a part without a body
            end += 1
        self._fields = fields_of(self._lines[self._at : end])
        at_boundary = end < len(self._lines) and self._lines[end].startswith("--")
        self._at = end if at_boundary else end + 1
        self._enter(self._fields)

    def _enter(self, fields: Fields) -> None:
        """Open what ``fields`` announce: a boundary, or an enclosed mail's header."""
        media_type, parameters = content_type(fields)
        boundary = parameters.get("boundary", "")
        if media_type.startswith("multipart/") and boundary and len(self._open) < DEPTH:
            self._open.append(f"--{boundary}")

    def _leaf(self, start: int, end: int) -> None:
        media_type, parameters = content_type(self._fields)
        if media_type == "x-between/parts":
            return
        lines = self._lines[start:end]
        if media_type.startswith("multipart/"):
            # The preamble; some servers write the notice there, and all of it where no boundary
            # was announced.
            if not any(line.strip() for line in lines):
                return
            media_type = "text/plain"
        encoding = self._fields.get("content-transfer-encoding").lower()
        text = decoded(lines, encoding, parameters.get("charset", ""))
        self._parts.append(Part(media_type, self._fields, text))


def content_type(fields: Fields) -> tuple[str, dict[str, str]]:
    """A part's media type and parameters; ``text/plain`` where it has none."""
    value = fields.get("content-type")
    named = _TYPE.match(value)
    media_type = named[0].lower() if named else "text/plain"
    tail = value[named.end() if named else 0 :]
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(tail[:2_000].replace("\t", " ")):
        found.setdefault(match[1].lower(), match[2] if match[2] is not None else match[3])
    if "boundary" not in found and (bare := _BOUNDARY.search(tail)):
        found["boundary"] = bare[1].strip()  # without the quotes that it should have
    return media_type, found


def decoded(lines: list[str], encoding: str, charset: str) -> str:
    """A part's text; what cannot be decoded stays as it is, or turns into replacement signs."""
    text = "\n".join(lines)[: TEXT * 3]
    data = text.encode("latin-1")
    if encoding == "base64":
        data = _base64(data)
    elif encoding == "quoted-printable":
        data = binascii.a2b_qp(data)
    return characters(data, charset)[:TEXT].replace("\x00", "")


def _base64(data: bytes) -> bytes:
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    try:
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return data


def characters(data: bytes, charset: str) -> str:
    """``data`` in the first character set that fits: UTF-8, the one it names, Japan's."""
    named = charset.strip("\"' ").lower()
    tried = ["iso2022_jp_ext"] if _ESCAPES in data else []
    tried.append("utf-8")
    # Python knows codecs that are no character sets, and slow ones: only those of mail are asked.
    if _CHARSET.fullmatch(named):
        tried.append(named)
    for name in (*tried, "euc_jp", "cp932"):
        try:
            return str(data, name)
        except (LookupError, ValueError):
            continue  # no text of this set
    return data.decode("latin-1")


def words_of(value: str) -> str:
    """``value`` with its encoded words (RFC 2047) decoded, and bare 8-bit characters too."""
    value = value[:FIELD]
    if not value.isascii():
        with suppress(UnicodeEncodeError):  # of a part that was decoded already
            value = characters(value.encode("latin-1"), "")
    return _WORD.sub(_word, value)


def _word(match: re.Match[str]) -> str:
    coded = match[3].encode("latin-1", "replace")
    if match[2] in "bB":
        return characters(_base64(coded), match[1])
    return characters(binascii.a2b_qp(coded, header=True), match[1])
