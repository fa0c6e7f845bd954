"""A file of recipients: bytes into rows, in bounded memory, whatever program wrote it.

A file is read twice. :func:`examined` looks at all of it and says what it is, or why it is refused,
before anything is taken in; :func:`rows_of` then gives its rows. Both take its bytes in pieces.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Literal, get_args

import msgspec

from gateway.domain.mail import consent
from gateway.errors import Refusal, Refused

Encoding = Literal["utf-8", "utf-16", "cp932"]
"""``cp932``: Shift_JIS as Windows writes it."""

MOST_FIELD = 10_000
MOST_LINE = 100_000
"""Characters of a field and of a whole line; a line goes on behind a line break in quotes."""

MOST_COLUMNS = 100

MOST_IN_A_ROW = 10_000
MOST_REFUSED = 100_000
"""Refused lines in a row and in all, at which a file is refused as a whole."""

ADDRESS, TAGS = "address", "tags"
"""Columns beside those of consents and the list's attributes."""

_FIRST_PART = 65_536
"""Bytes of text beyond ASCII by which UTF-8 and Shift_JIS are told apart."""

_MOSTLY = 8
"""So many letters of UTF-8 stand against one byte that is none."""

_SAVE = "save it as CSV in UTF-8 or Shift_JIS"

_SHIFT = b"\x1b$"
"""Begins Japanese in ISO-2022-JP (RFC 1468); ASCII has no use for it."""

_SOME, _MANY = 10, 30
"""Half-width katakana that do not all stand in pairs by chance, with · among them and without."""

_LEAST = 1_000
"""Bytes by which text is told from what is none."""

_ALIASES = {
    ADDRESS: "address e_mail email email_address mail mail_address メールアドレス アドレス メール "
    "eメール eメールアドレス 電子メール",
    TAGS: "tags tag タグ",
    consent.AT: "consent_at consented_at 同意日時 同意日",
    consent.HOW: "consent_how 同意方法",
    consent.EVIDENCE: "consent_evidence evidence 同意の証拠 同意証拠 証拠",
    consent.NOTICE: "notice notice_version 同意文の版 告知の版",
}
COLUMN_OF = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
"""Columns by the names that people give them, levelled."""

RowFault = Literal["columns", "quotes", "field_too_long", "not_text"]
"""Why a row cannot be read: more fields than columns, quotes that do not close where they should, a
field beyond :data:`MOST_FIELD`, bytes that are not of the file's encoding."""

ROW_FAULTS: frozenset[str] = frozenset(get_args(RowFault))


class Layout(msgspec.Struct, frozen=True):
    """What a file is."""

    encoding: Encoding
    delimiter: str
    columns: tuple[str, ...]
    """By our own names; an attribute by its name."""
    rows: int
    """Beside the header; blank lines do not count."""

    @property
    def states_consent(self) -> bool:
        """Whether each line states its own consent."""
        return set(consent.COLUMNS) <= set(self.columns)


class Row(msgspec.Struct, frozen=True):
    """One row; its values by column."""

    line: int
    """Where it begins: the first line of the file is 1."""
    values: dict[str, str]
    fault: RowFault | None = None


def examined(pieces: Iterable[bytes], attributes: Collection[str]) -> Layout:
    """What the file with these bytes is, for a list with these attributes.

    Raises:
        Refused: FILE_INVALID. The detail says what to mend, and at which line; of the file's own
            text it shows no more than the name of a column.
    """
    reading = _Text(pieces)
    text: Iterator[str] = iter(reading)
    first, text = _first_line(text)
    if not first.strip():
        raise _refused("it is empty; its first line names the columns")
    delimiter = _delimiter_of(first)
    columns: tuple[str, ...] = ()
    rows = 0
    limit = Limit()
    for line, fields, fault in _records(text, delimiter):
        if columns:
            rows += 1
            limit.count(line, is_refused=fault is not None)
        elif fault is not None:
            raise _refused(f"line {line}: the names of the columns cannot be read ({fault})")
        else:
            columns = _columns_of(fields, attributes)
    return Layout(reading.encoding, delimiter, columns, rows)


def rows_of(pieces: Iterable[bytes], layout: Layout, beyond: int = 0) -> Iterator[Row]:
    """The rows of a file that was examined, which begin beyond a line."""
    records = _records(iter(_Text(pieces, layout.encoding)), layout.delimiter)
    next(records, None)
    for line, fields, fault in records:
        if line <= beyond:
            continue
        if fault is not None:
            yield Row(line, {}, fault)
        elif any(fields[len(layout.columns) :]):
            yield Row(line, {}, "columns")
        else:
            yield Row(line, dict(zip(layout.columns, fields, strict=False)))


class Limit:
    """Counts refused lines of a file, and refuses the file once there are too many: then it is not
    what somebody took it for, and its report would be of no use.
    """

    def __init__(self) -> None:
        self._all = self._in_a_row = 0

    def count(self, line: int, *, is_refused: bool) -> None:
        """The next line was refused, or not.

        Raises:
            Refused: FILE_INVALID, beyond :data:`MOST_REFUSED` or :data:`MOST_IN_A_ROW`.
        """
        if not is_refused:
            self._in_a_row = 0
            return
        self._all += 1
        self._in_a_row += 1
        if self._in_a_row >= MOST_IN_A_ROW:
            raise _refused(f"line {line}: {MOST_IN_A_ROW} lines in a row are unfit")
        if self._all >= MOST_REFUSED:
            raise _refused(f"line {line}: {MOST_REFUSED} lines are unfit")


# --- bytes into text ---


class _Text:
    """The text of a file's bytes; what is no text becomes U+FFFD, and all line ends become LF.

    As long as there is nothing but ASCII, all encodings agree; the first part beyond it decides.
    """

    def __init__(self, pieces: Iterable[bytes], encoding: Encoding | None = None) -> None:
        self._pieces = iter(pieces)
        self._known = encoding
        self.encoding: Encoding = encoding or "utf-8"

    def __iter__(self) -> Iterator[str]:
        line_ends = io.IncrementalNewlineDecoder(None, translate=True)
        for text in self._decoded():
            yield line_ends.decode(text)
        yield line_ends.decode("", final=True)

    def _decoded(self) -> Iterator[str]:
        first = self._more(b"", _LEAST)
        if self._known is None:
            if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                self.encoding = "utf-16"
            elif b"\0" in first[:_LEAST]:
                raise _refused(f"it is not text; {_SAVE}")
            else:
                while first.isascii():
                    if _SHIFT in first:
                        raise _refused(f"it is in ISO-2022-JP; {_SAVE}")
                    yield first.decode("ascii")
                    first = next(self._pieces, b"")
                    if not first:
                        return
                first = self._more(first, _FIRST_PART)
                self.encoding = _encoding_of(first)
        name = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        decoder = codecs.getincrementaldecoder(name)("replace")
        yield decoder.decode(first)
        for piece in self._pieces:
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)

    def _more(self, first: bytes, least: int) -> bytes:
        """``first`` and what comes behind it, as far as there is so much."""
        kept = bytearray(first)
        while len(kept) < least and (piece := next(self._pieces, b"")):
            kept += piece
        return bytes(kept)


def _encoding_of(part: bytes) -> Encoding:
    """UTF-8 where it is, or nearly: one wrong byte does not make another encoding of a file. A few
    letters of Shift_JIS may happen to look like UTF-8, so those have to be mostly so.
    """
    if part.startswith(codecs.BOM_UTF8):
        return "utf-8"
    right, wrong = _read_as("utf-8", part)
    if not wrong or right > _MOSTLY * wrong:
        return "utf-8"
    if _is_euc_jp(part):
        raise _refused(f"it is in EUC-JP; {_SAVE}")
    return "utf-8" if right > wrong and _read_as("cp932", part)[1] else "cp932"


def _is_euc_jp(part: bytes) -> bool:
    """Whether it is EUC-JP, of which Shift_JIS makes half-width katakana. Real ones would stand in
    pairs throughout, which only a few do by chance.
    """
    text = codecs.getincrementaldecoder("euc_jp")("replace").decode(part)
    if "\ufffd" in text:
        return False
    other = codecs.getincrementaldecoder("cp932")("replace").decode(part)
    if "\ufffd" in other:
        return True
    strange = sum(1 for character in other if character > "\x7f")
    half = sum(1 for character in other if "｡" <= character <= "ﾟ")
    has_kana = any("ぁ" <= character <= "ヶ" for character in text)
    return half > 0.9 * strange and (half >= _MANY or (has_kana and half >= _SOME))


def _read_as(encoding: Encoding, part: bytes) -> tuple[int, int]:
    """How many characters beyond ASCII there are in an encoding, and how many bytes are none."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(part)
    wrong = text.count("\ufffd")
    return sum(1 for character in text if character > "\x7f") - wrong, wrong


# --- text into records ---


def _first_line(text: Iterator[str]) -> tuple[str, Iterator[str]]:
    """The first line, and the whole text again."""
    kept = ""
    for piece in text:
        kept += piece
        if "\n" in kept or len(kept) > MOST_LINE:
            break
    return kept.partition("\n")[0][:MOST_LINE], _again(kept, text)


def _again(kept: str, text: Iterator[str]) -> Iterator[str]:
    yield kept
    yield from text


def _delimiter_of(line: str) -> str:
    unquoted = "".join(line.split('"')[::2])
    return max(",\t;", key=unquoted.count)


class _Endless(Exception):
    """A record goes on and on: a quote in it does not close."""


class _Lines:
    """Lines of a text with their ends, as the reader of records takes them."""

    def __init__(self, text: Iterator[str]) -> None:
        self.begun = 1
        """The line at which the record begins that is being read."""
        self._record: list[str] = []
        self._size = 0
        self._pieces = text
        self._text = ""
        self._at = 0
        self._again: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._next()
        while line == "\n" and not self._record:  # of those between records only the number counts
            self.begun += 1
            line = self._next()
        self._record.append(line)
        self._size += len(line)
        if self._size > MOST_LINE and len(self._record) > 1:
            raise _Endless
        return line

    def begin(self) -> None:
        """The next line begins a record."""
        self.begun += len(self._record)
        self._record.clear()
        self._size = 0

    def again(self) -> None:
        """Only the first line of this record is amiss: give the others once more."""
        self._again.extendleft(reversed(self._record[1:]))
        del self._record[1:]

    def _next(self) -> str:
        if self._again:
            return self._again.popleft()
        while True:
            if not self._record:  # a file of nothing but line ends is passed over piece by piece
                end = _LINE_ENDS.match(self._text, self._at).end()  # type: ignore[union-attr]  # always
                self.begun += end - self._at
                self._at = end
            end = self._text.find("\n", self._at) + 1
            if end:
                line = self._text[self._at : end]
                self._at = end
                return self._bounded(line)
            rest = self._bounded(self._text[self._at :])
            piece = next(self._pieces, None)
            if piece is None:
                self._text, self._at = "", 0
                if rest:
                    return rest
                raise StopIteration
            self._text, self._at = rest + piece, 0

    def _bounded(self, line: str) -> str:
        if len(line) > MOST_LINE:
            raise _refused(f"a line is longer than {MOST_LINE} characters")
        return line


_LINE_ENDS = re.compile(r"\n*")


def _records(
    text: Iterator[str], delimiter: str
) -> Iterator[tuple[int, list[str], RowFault | None]]:
    """Records with the lines they begin at; blank ones are left out."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, _Endless):  # the reader begins anew at the next line
            lines.again()
            yield lines.begun, [], "quotes"
            continue
        if any(field.strip() for field in fields):
            yield lines.begun, fields, _fault_of(fields)


def _fault_of(fields: list[str]) -> RowFault | None:
    if any(len(field) > MOST_FIELD for field in fields):
        return "field_too_long"
    return "not_text" if any("\ufffd" in field for field in fields) else None


# --- the header ---


def _columns_of(names: list[str], attributes: Collection[str]) -> tuple[str, ...]:
    while names and not names[-1].strip():
        names = names[:-1]  # spreadsheets end lines with delimiters of columns that are not there
    if any("@" in name or "＠" in name for name in names):
        raise _refused("the first line has an address; it has to name the columns")
    if len(names) > MOST_COLUMNS:
        raise _refused(f"it has more than {MOST_COLUMNS} columns")
    columns = [_column(name, attributes) for name in names]
    unknown = [_shown(name) for name, column in zip(names, columns, strict=True) if column is None]
    if unknown:
        known = ", ".join((ADDRESS, TAGS, *consent.COLUMNS, *attributes))
        raise _refused(f"unknown columns: {', '.join(unknown)}; known are {known}")
    found = [column for column in columns if column is not None]
    doubled = sorted({column for column in found if found.count(column) > 1})
    if doubled:
        raise _refused(f"columns that are there twice: {', '.join(doubled)}")
    if ADDRESS not in found:
        raise _refused("no column is named address")
    stated = [column for column in consent.COLUMNS if column in found]
    if stated and len(stated) < len(consent.COLUMNS):
        missing = ", ".join(column for column in consent.COLUMNS if column not in stated)
        raise _refused(f"columns of the consent that are missing: {missing}")
    return tuple(found)


def _column(name: str, attributes: Collection[str]) -> str | None:
    levelled = unicodedata.normalize("NFKC", name).strip().casefold()
    levelled = levelled.replace(" ", "_").replace("-", "_")
    return levelled if levelled in attributes else COLUMN_OF.get(levelled)


def _shown(name: str) -> str:
    plain = "".join(character for character in name if character.isprintable())
    return f'"{plain[:40]}"'


def _refused(detail: str) -> Refused:
    return Refused(Refusal.FILE_INVALID, detail)
