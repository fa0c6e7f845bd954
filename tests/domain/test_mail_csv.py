"""Files of recipients: bytes into rows, rows into checked lines, and consents in them."""

import csv
import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.mail import consent
from gateway.domain.mail.consent import Stated, read_moment
from gateway.domain.mail.importing.csvfile import (
    MOST_IN_A_ROW,
    MOST_LINE,
    MOST_REFUSED,
    ROW_FAULTS,
    Row,
    examined,
    rows_of,
)
from gateway.domain.mail.importing.lines import LINE_FAULTS, checked_line
from gateway.domain.mail.lists import MailList
from gateway.domain.values import SECOND
from gateway.errors import Refusal, Refused

NOON = 1_793_674_800 * SECOND
"""2026-11-03T12:00:00+09:00."""

ATTRIBUTES = ("name", "pref")
LIST = MailList(
    "acme-news",
    "acme",
    "news@acme.example",
    "Acme",
    "株式会社Acme",
    "東京都",
    "info@acme.example",
    "bounce.example.jp",
    attributes=ATTRIBUTES,
)


def pieces(content: bytes, size: int = 65_536) -> Iterator[bytes]:
    """The bytes of a file as they are read."""
    for at in range(0, len(content), size):
        yield content[at : at + size]


def read(content: bytes, size: int = 65_536) -> list[Row]:
    """The rows of a file."""
    layout = examined(pieces(content, size), ATTRIBUTES)
    rows = list(rows_of(pieces(content, size), layout))
    assert len(rows) == layout.rows
    return rows


def tried(content: bytes, size: int) -> list[Row] | Refusal:
    """The rows of a file, or why it is refused."""
    try:
        return read(content, size)
    except Refused as refused:
        return refused.reason


def refusal(content: bytes) -> str:
    """Why a file is refused as a whole."""
    with pytest.raises(Refused) as caught:
        read(content)
    assert caught.value.reason is Refusal.FILE_INVALID
    return caught.value.detail


TEXT = 'メールアドレス,name,タグ\r\na@example.jp,"田中, 太郎",vip\r\n\r\nb@example.jp,髙橋,\r\n'
ROWS = [
    Row(2, {"address": "a@example.jp", "name": "田中, 太郎", "tags": "vip"}),
    Row(4, {"address": "b@example.jp", "name": "髙橋", "tags": ""}),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_a_file_is_read_as_the_program_wrote_it(encoding: str, delimiter: str, size: int) -> None:
    """Encodings and delimiters of the usual spreadsheets, however the bytes come in."""
    text = TEXT.replace(",", delimiter).replace(f"中{delimiter}", "中,")
    assert read(text.encode(encoding), size) == ROWS


def test_all_line_ends_are_one() -> None:
    """Of Unix, Windows, and Macs of old."""
    for end in ("\n", "\r\n", "\r"):
        content = f"address,name{end}a@b.jp,x{end}c@d.jp,y".encode()
        assert [row.line for row in read(content)] == [2, 3]


def test_a_value_may_go_over_several_lines() -> None:
    """The next row knows its line all the same."""
    rows = read(b'address,name\na@b.jp,"x\ny\n""z"""\nc@d.jp,y\n')
    assert rows == [
        Row(2, {"address": "a@b.jp", "name": 'x\ny\n"z"'}),
        Row(5, {"address": "c@d.jp", "name": "y"}),
    ]


def test_text_beyond_ascii_may_come_late() -> None:
    """A megabyte of plain lines says nothing of the encoding; the first other letter does."""
    plain = "".join(f"user{n}@example.jp,x\n" for n in range(60_000))
    content = f"address,name\n{plain}z@example.jp,田中\n".encode("cp932")
    assert read(content)[-1].values["name"] == "田中"


def test_a_wrong_byte_is_told_by_its_line() -> None:
    """One byte makes no other encoding of the file, and refuses no other line."""
    content = "address,name\na@b.jp,田中太郎\nb@b.jp,X\nc@b.jp,鈴木\n".encode().replace(
        b"X", b"\xff"
    )
    assert [(row.line, row.fault) for row in read(content)] == [
        (2, None),
        (3, "not_text"),
        (4, None),
    ]


def test_a_quote_that_does_not_close_costs_one_line() -> None:
    """What comes behind it is read all the same, to the end of the file."""
    content = b'address,name\na@b.jp,"x\nb@b.jp,y\nc@b.jp,"ok"\nd@b.jp,"z" z\ne@b.jp,"\n'
    assert [(row.line, row.fault) for row in read(content)] == [
        (2, "quotes"),
        (3, None),
        (4, None),
        (5, "quotes"),
        (6, "quotes"),
    ]
    endless = b'address\n"a@b.jp\n' + b"c@d.jp\n" * MOST_LINE
    assert [row.fault for row in read(endless)] == ["quotes", *[None] * MOST_LINE]


def test_a_row_that_cannot_be_read_is_told_by_its_line() -> None:
    """More fields than columns, a field beyond all measure; fewer fields are blank ones."""
    long = "x" * 10_001
    content = f"address,name\na@b.jp,x,y\nb@b.jp,{long}\nc@b.jp\nd@b.jp,x,,,\n".encode()
    assert [(row.line, row.fault) for row in read(content)] == [
        (2, "columns"),
        (3, "field_too_long"),
        (4, None),
        (5, None),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty; its first line names the columns"),
        (b"\n\naddress", "it is empty; its first line names the columns"),
        (b"a@b.jp\nc@d.jp", "the first line has an address; it has to name the columns"),
        ("住所,name\n".encode(), 'unknown columns: "住所"; known are address, tags, '),
        (b"name,pref\n", "no column is named address"),
        (b"email,address\n", "columns that are there twice: address"),
        (
            b"address,consent_at,notice\n",
            "columns of the consent that are missing: consent_how, consent_evidence",
        ),
        (b"PK\x03\x04\x00\x00" * 100, "it is not text; save it as CSV in UTF-8 or Shift_JIS"),
        ("メールアドレス,name\n".encode("euc_jp"), "it is in EUC-JP; save it as CSV in UTF-8 or "),
        (("address,name\n" + "a@b.jp,山田 太郎\n" * 9).encode("euc_jp"), "it is in EUC-JP; "),
        ("address,name\na@b.jp,花\n".encode("iso2022_jp"), "it is in ISO-2022-JP; save it as "),
        (b"address\n" + b"x" * 100_001, "a line is longer than 100000 characters"),
        (b'"address\nname', "line 1: the names of the columns cannot be read (quotes)"),
        (b"address," + b"name," * 100 + b"x", "it has more than 100 columns"),
    ],
)
def test_a_file_that_cannot_be_taken_in_is_refused_as_a_whole(content: bytes, said: str) -> None:
    """Before anything of it is; it is told what to mend."""
    assert refusal(content).startswith(said)


def test_half_width_katakana_are_shift_jis() -> None:
    """Although EUC-JP has the same bytes, in pairs."""
    names = ["ﾊﾅｺ", "ﾀﾛｳ", "ﾏﾘｱ･ﾛﾍﾟｽ", "ｻﾄｳ", "ｽｽﾞｷ", "ﾀｶﾊｼ", "ﾀﾅｶ", "ｲﾄｳ", "ﾔﾏﾀﾞ"] * 3
    content = "address,name\n" + "".join(f"a@b.jp,{name}\n" for name in names)
    assert [row.values["name"] for row in read(content.encode("cp932"))] == names
    few = read("address,name\na@b.jp,ﾀﾛ･ｱ\n".encode("cp932"))
    assert [row.values["name"] for row in few] == ["ﾀﾛ･ｱ"]


def test_a_run_goes_on_behind_a_line() -> None:
    """Rows that were taken in before are passed over."""
    content = TEXT.encode()
    layout = examined(pieces(content), ATTRIBUTES)
    assert list(rows_of(pieces(content), layout, beyond=2)) == ROWS[1:]


def test_a_large_file_takes_little_memory() -> None:
    """Twenty megabytes are read piece by piece; so is one line of as many."""

    def large() -> Iterator[bytes]:
        yield b"address,name\n"
        for n in range(300):
            yield b"user%d@example.jp,%s\n" % (n, b"x" * 2_000) * 30

    def endless() -> Iterator[bytes]:
        yield b"address,name\n"
        for _ in range(300):
            yield b"x" * 65_536

    tracemalloc.start()
    try:
        layout = examined(large(), ATTRIBUTES)
        assert sum(1 for _ in rows_of(large(), layout)) == layout.rows == 9_000
        with pytest.raises(Refused):
            examined(endless(), ATTRIBUTES)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@given(
    rows=st.lists(
        st.lists(st.text("ab,;\t\"'\n 田髙ｱ@", max_size=12), min_size=2, max_size=2), max_size=8
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp932"]),
    size=st.integers(1, 50),
)
def test_what_a_csv_writer_writes_is_read_back(
    rows: list[list[str]], encoding: str, size: int
) -> None:
    """Whatever is in the fields, in every encoding and cut anywhere."""
    # Half-width letters alone may be both encodings: a word in front tells them apart, as text does
    rows = [["田中太郎さん", "田中太郎さん"], *rows]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerows([["address", "name"], *rows])
    read_back = [
        tuple(row.values.values()) for row in read(stream.getvalue().encode(encoding), size)
    ]
    assert read_back == [tuple(row) for row in rows if any(field.strip() for field in row)]


@given(st.binary(max_size=400), st.integers(1, 50))
def test_no_bytes_raise_anything_but_a_refusal(content: bytes, size: int) -> None:
    """Rows come out, or the file is refused as a whole."""
    for each in (content, b"address,name\n" + content):
        rows = tried(each, size)
        if isinstance(rows, Refusal):
            assert rows is Refusal.FILE_INVALID
        else:
            lines = [row.line for row in rows]
            assert lines == sorted(set(lines))
            assert {row.fault for row in rows} <= {None, *ROW_FAULTS}


def test_many_wrong_quotes_are_as_many_lines() -> None:
    """Each costs one line, and the time of one."""
    content = b"address\n" + b'"a@b.jp\n' * 9_000
    assert [row.fault for row in read(content)] == ["quotes"] * 9_000


@pytest.mark.parametrize(
    ("pattern", "line"),
    [(b'"a@b.jp\n', MOST_IN_A_ROW + 1), (b'"a@b.jp\na@b.jp\n', 2 * MOST_REFUSED)],
    ids=["in a row", "in all"],
)
def test_a_file_of_which_too_much_is_unfit_is_refused(pattern: bytes, line: int) -> None:
    """Its report would be of no use to anybody."""
    assert refusal(b"address\n" + pattern * (MOST_REFUSED + 1)).startswith(f"line {line}: ")


def test_blank_lines_count_but_are_nothing() -> None:
    """Those between rows are passed over, many at a time; those within quotes belong to a field."""
    blank = b"\n" * 200_000
    content = b"address,name\n" + blank + b'a@b.jp,"x\n\ny"\n' + blank + b"c@d.jp,z" + blank
    assert read(content) == [
        Row(200_002, {"address": "a@b.jp", "name": "x\n\ny"}),
        Row(400_005, {"address": "c@d.jp", "name": "z"}),
    ]


# --- lines ---

WORD = {
    "consent_at": "2026-10-01",
    "consent_how": "店頭の申込書",
    "consent_evidence": "No. 12",
    "notice": "3",
}


def fault(values: dict[str, str], *, states: bool = False) -> str | None:
    """What is wrong with a line."""
    row = Row(2, {"address": "a@example.jp", **values})
    return checked_line(row, LIST, NOON, states_consent=states).fault


def test_a_line_has_all_that_is_taken_in() -> None:
    """Address and attributes levelled, tags each once, the consent read."""
    row = Row(
        7, {"address": " A@Example.jp", "name": " 田中 ", "pref": "", "tags": "vip、a;a", **WORD}
    )
    line = checked_line(row, LIST, NOON, states_consent=True)
    assert (line.line, line.address, line.attributes) == (7, "A@example.jp", {"name": "田中"})
    assert line.tags == ("a", "vip")
    assert line.consent == Stated(1_790_780_400 * SECOND, "店頭の申込書", "No. 12", "3")
    assert line.fault is None
    assert checked_line(row, LIST, NOON, states_consent=False).consent is None


def test_nobody_is_refused_over_a_tag_that_is_written_in_japanese_or_capitals() -> None:
    """Full and half width are one tag, and so are capitals and small letters."""
    row = Row(
        2, {"address": "a@example.jp", "tags": "VIP　ＶＩＰ、ｶﾞｲﾄﾞ；新商品，コスメ・美容|第2回_冬"}
    )
    line = checked_line(row, LIST, NOON, states_consent=False)
    assert line.tags == ("vip", "ガイド", "コスメ・美容", "新商品", "第2回_冬")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"address": "a"}, "no_at"),
        ({"name": "a\r\nBcc: x"}, "attribute"),
        ({"name": "x" * 501}, "attribute"),
        ({"tags": "vip!"}, "tags"),
        ({"tags": "x" * 41}, "tags"),
        ({"tags": " ".join(f"t{n}" for n in range(51))}, "tags"),
        ({"consent_at": ""}, "consent_missing"),
        ({"consent_evidence": " "}, "consent_missing"),
        ({"consent_at": "yesterday"}, "consent_invalid"),
        ({"consent_at": "1980-01-01"}, "consent_invalid"),
        ({"consent_at": "2026-11-04"}, "consent_future"),
        ({"consent_how": "x" * 501}, "consent_invalid"),
    ],
)
def test_a_line_that_cannot_be_taken_in_says_why(values: dict[str, str], why: str) -> None:
    """Each reason has a word of a closed set."""
    assert fault({**WORD, **values}, states=True) == why
    assert why in LINE_FAULTS


def test_a_row_that_could_not_be_read_is_a_line_that_is_refused() -> None:
    """The reason stays the same."""
    assert checked_line(Row(3, {}, "quotes"), LIST, NOON, states_consent=True).fault == "quotes"


# --- consents ---


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-03T12:00:00+09:00", NOON),
        ("2026-11-03T03:00:00Z", NOON),
        ("2026-11-03T12:00", NOON),
        ("2026-11-03 12:00:00", NOON),
        ("2026/11/3 12:00", NOON),
        ("2026年11月3日 12:00", NOON),
        ("2026.11.03", NOON - 12 * 3600 * SECOND),
        (" 2026-11-03 ", NOON - 12 * 3600 * SECOND),
        ("2026-13-01", None),
        ("2026-02-30", None),
        ("2026-11/03", None),
        ("03.11.2026", None),
        ("12:00", None),
        ("0001-01-01T00:00:00+09:00", -62_135_629_200 * SECOND),
        ("", None),
    ],
)
def test_an_instant_is_read_as_people_write_it(text: str, at: int | None) -> None:
    """On Asia/Tokyo's clocks where nothing else is said."""
    assert read_moment(text) == at


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{1,4}[-/年][0-9]{1,2}[-/月][0-9]{1,2}.{0,9}"))
def test_no_text_of_an_instant_raises(text: str) -> None:
    """It is read, or it is not."""
    at = read_moment(text)
    assert at is None or isinstance(at, int)


@pytest.mark.parametrize(
    ("changed", "reason", "name"),
    [
        ({"at": NOON + 1}, Refusal.CONSENT_INVALID, "consent_at: is in the future"),
        ({"at": 0}, Refusal.CONSENT_INVALID, "consent_at: is before"),
        ({"how": " "}, Refusal.CONSENT_MISSING, "consent_how"),
        ({"evidence": ""}, Refusal.CONSENT_MISSING, "consent_evidence"),
        ({"notice": ""}, Refusal.CONSENT_MISSING, "notice"),
        ({"evidence": "a\nb"}, Refusal.CONSENT_INVALID, "consent_evidence: is longer than"),
    ],
)
def test_r073_a_consent_says_when_how_by_what_and_on_which_notice(
    changed: dict[str, Any], reason: Refusal, name: str
) -> None:
    """One that leaves a part out is none."""
    good = Stated(NOON, "form", "https://acme.example/form", "1")
    assert consent.checked(good, NOON) == good
    with pytest.raises(Refused) as caught:
        consent.checked(msgspec.structs.replace(good, **changed), NOON)
    assert (caught.value.reason, caught.value.detail.startswith(name)) == (reason, True)


def test_a_consent_comes_back_from_the_store_as_it_was() -> None:
    """So does none."""
    good = Stated(NOON, "form", "x", "1")
    assert consent.decode_stated(consent.encode_stated(good)) == good
    assert consent.decode_stated(consent.encode_stated(None)) is None
