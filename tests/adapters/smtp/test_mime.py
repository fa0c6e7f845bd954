"""Letters: the standard library reads in them what was written, in lines that all servers take."""

import email
import email.header
import email.policy
import re
from email.message import EmailMessage, MIMEPart
from email.utils import parseaddr, parsedate_to_datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.composing import charsets
from adapters.smtp.composing.mime import Compiled, Identity, Letter, compile_content, date_of
from gateway.domain.mail.message.content import Attachment, Charset, Content
from gateway.domain.mail.message.display import Display
from gateway.errors import Refusal, Refused

SHOWN = Display("株式会社Acme", "東京都千代田区1-1", "info@acme.example")
IDENTITY = Identity(
    "news@acme.example", SHOWN, "acme-news.gw.example.jp", "株式会社Acme", "desk@acme.example", "c1"
)
LETTER = Letter(
    "<1.abc@gw.example.jp>",
    "Sun, 22 Nov 2026 08:00:00 +0900",
    "taro@example.jp",
    {"name": "山田"},
    "https://gw.example.jp/u/abc",
    "mailto:stop+abc@gw.example.jp",
    "https://gw.example.jp/r/",
    "tok",
    "https://gw.example.jp/o/abc",
)
CONTENT = Content("{{ name }}様へ", "本文\n{{ name }}様\n", "<p>{{ name }}様</p>", footer="ja")
CHARSETS: list[Charset] = ["utf-8", "iso-2022-jp"]

_replace = msgspec.structs.replace


def read(message: bytes) -> EmailMessage:
    """The standard library's reading, with the lines looked at first."""
    assert message.endswith(b"\r\n")
    assert message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r")
    assert message.isascii()
    assert max(map(len, message.split(b"\r\n"))) <= 998
    head = message.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        assert line.strip()
        assert len(line) <= 78 or line.startswith((b"List-Unsubscribe: ", b" <", b"To: "))
    for word in re.findall(rb"=\?[^ \r\n]*\?=", head):
        assert len(word) <= 75
    made = email.message_from_bytes(message, policy=email.policy.SMTP)
    assert isinstance(made, EmailMessage)
    for part in made.walk():
        assert not part.defects
        if part["Content-Transfer-Encoding"] == "base64":
            lines = str(part.get_payload()).splitlines()
            assert max(map(len, lines), default=0) <= 76
    return made


def sender_of(message: bytes) -> tuple[str, str]:
    """By the older parser: the newer one leaves blanks between encoded words of a phrase, against
    RFC 2047 6.2.
    """
    name, address = parseaddr(email.message_from_bytes(message)["From"])
    return str(email.header.make_header(email.header.decode_header(name))), address


def content_of(part: MIMEPart | None) -> str:
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def composed(content: Content, letter: Letter = LETTER, identity: Identity = IDENTITY) -> bytes:
    return compile_content(content, identity).letter(letter)


def refusal(content: Content, letter: Letter) -> tuple[Refusal, str]:
    with pytest.raises(Refused) as caught:
        composed(content, letter)
    return caught.value.reason, caught.value.detail


# --- a whole mail ---


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_mail_is_read_as_it_was_written(charset: Charset) -> None:
    """Headers, both bodies and the footer, in either character set."""
    made = read(composed(_replace(CONTENT, charset=charset)))
    assert made["Subject"] == "山田様へ"
    assert made["From"] == "株式会社Acme <news@acme.example>"
    assert made["To"] == "taro@example.jp"
    assert made["Reply-To"] == "desk@acme.example"
    assert made["Date"] == LETTER.date
    assert made["Message-ID"] == LETTER.message_id
    assert made["List-Id"] == "<acme-news.gw.example.jp>"
    assert made["Feedback-ID"] == "c1"
    assert made["Precedence"] == "bulk"
    assert made["MIME-Version"] == "1.0"
    assert made.get_content_type() == "multipart/alternative"
    text, html = made.iter_parts()
    assert text.get_content_charset() == html.get_content_charset() == charset
    assert content_of(text).startswith("本文\n山田様\n")
    assert "<p>山田様</p>" in content_of(html)
    for part in (text, html):
        assert LETTER.stop_url in content_of(part)
        for item in SHOWN.values.values():
            assert item in content_of(part)


def test_one_click_stops_are_offered_as_the_rfc_says() -> None:
    """One header with the https address first, and exactly one of RFC 8058's."""
    made = read(composed(CONTENT))
    stops = f"<{LETTER.stop_url}>, <{LETTER.stop_mailto}>"
    assert made.get_all("List-Unsubscribe") == [stops]
    assert made.get_all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
    made = read(composed(CONTENT, _replace(LETTER, stop_mailto="")))
    assert made["List-Unsubscribe"] == f"<{LETTER.stop_url}>"


def test_a_text_alone_is_no_multipart() -> None:
    """Nor is its content type said twice."""
    made = read(composed(_replace(CONTENT, html=None)))
    assert made.get_content_type() == "text/plain"
    assert made.keys().count("Content-Type") == 1
    assert content_of(made).startswith("本文")


def test_a_mail_is_the_same_each_time() -> None:
    """A retry sends the same bytes."""
    assert composed(CONTENT) == composed(CONTENT)


def test_a_mail_is_dated_on_the_clocks_of_japan() -> None:
    """As the RFC writes it: programs that show the header as it is show the hour that was."""
    written = date_of(1_793_674_800)
    assert written == "Tue, 03 Nov 2026 12:00:00 +0900"
    assert parsedate_to_datetime(written).timestamp() == 1_793_674_800


def test_links_and_openings_are_counted_by_the_letters_own_addresses() -> None:
    """What they lead to is told once for the campaign; the stop link stays as it is."""
    content = _replace(
        CONTENT,
        text="https://a.example/\n",
        html='<a href="https://a.example/">a</a><a href="https://b.example/?x=1&amp;y=2">b</a>',
    )
    compiled = compile_content(content, IDENTITY, clicks=True, opens=True)
    assert compiled.links == ("https://a.example/", "https://b.example/?x=1&y=2")
    text, html = map(content_of, read(compiled.letter(LETTER)).iter_parts())
    assert text.startswith("https://gw.example.jp/r/tok-0\n")
    assert 'href="https://gw.example.jp/r/tok-1"' in html
    assert '<img src="https://gw.example.jp/o/abc"' in html
    assert "a.example" not in text
    assert f'href="{LETTER.stop_url}"' in html
    without = content_of(read(compiled.letter(_replace(LETTER, open_url=""))).get_body(("html",)))
    assert "<img" not in without


def test_a_compiled_campaign_can_be_sent_to_another_process() -> None:
    """It comes back the same, and makes the same letters."""
    compiled = compile_content(_replace(CONTENT, charset="iso-2022-jp"), IDENTITY, clicks=True)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(compiled), type=Compiled)
    assert again == compiled
    assert again.letter(LETTER) == compiled.letter(LETTER)


# --- attachments ---


@pytest.mark.parametrize(
    "name", ["a.pdf", "秋の案内.pdf", "a b;c'%.pdf", "あ" * 60 + ".pdf", "x" * 190, "%é%.txt"]
)
@pytest.mark.parametrize("html", [None, "<p>x</p>"])
def test_attachments_keep_their_names_and_bytes(name: str, html: str | None) -> None:
    """Long names and Japanese ones too, with one body or two."""
    data = bytes(range(256)) * 40
    attached = (Attachment(name, "application/pdf", data), Attachment("b.txt", "text/csv", b""))
    made = read(composed(_replace(CONTENT, html=html, attachments=attached)))
    first, second = made.iter_attachments()
    assert first.get_filename() == name
    assert first.get_content_type() == "application/pdf"
    assert first.get_payload(decode=True) == data
    assert second.get_payload(decode=True) == b""
    assert content_of(made.get_body(("plain",))).startswith("本文")
    assert (made.get_body(("html",)) is None) == (html is None)


def test_a_mail_that_a_carrier_would_not_take_is_refused() -> None:
    """Each part may be within its own limit; together they must be within au's."""
    attached = (Attachment("a.bin", "application/octet-stream", bytes(1_900_000)),)
    content = _replace(CONTENT, text="a" * 400_000, html=None, attachments=attached)
    with pytest.raises(Refused) as caught:
        compile_content(content, IDENTITY)
    assert caught.value.reason is Refusal.CONTENT_TOO_LARGE
    assert len(composed(_replace(content, text="a"))) < 3_000_000


# --- any text ---

JIS = st.text(
    st.sampled_from("あ漢字ァー。、〜 aZ09&<>=?_-.\n\\~¥αЖ")
    | st.characters(max_codepoint=126, categories=["L", "N", "P", "S"]),
    max_size=200,
)
ANY = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
    | st.sampled_from("あ😀👨‍👩‍👧\n\t e\u0301"),
    max_size=200,
)


def written() -> st.SearchStrategy[tuple[Charset, str, str]]:
    return st.one_of(
        st.tuples(st.just("utf-8"), ANY, ANY), st.tuples(st.just("iso-2022-jp"), JIS, JIS)
    )


def source(text: str) -> str:
    """``text`` as a template that says it."""
    return text.replace("{", "(").replace("#", "")


@given(written(), st.integers(1, 30))
def test_any_text_is_read_as_it_was_written(given_: tuple[Charset, str, str], times: int) -> None:
    """Subject, body and display name; lines of any length."""
    charset, one, other = given_
    line = " ".join(f"s{source(other)}".split())
    text = source(one) * times
    content = Content(line[:150], text, None, charset)
    identity = _replace(IDENTITY, name=line[:60].strip())
    message = composed(content, identity=identity)
    made = read(message)
    assert made["Subject"] == line[:150].strip()
    assert sender_of(message) == (identity.name, identity.address)
    assert content_of(made).removesuffix("\n") == text.removesuffix("\n")


@given(written())
def test_any_value_is_read_as_it_was_given(given_: tuple[Charset, str, str]) -> None:
    """It stays in its place, in one line, in subject, text and HTML."""
    charset, one, other = given_
    values = {"a": f"x{one}", "b": f"{other}x"}
    content = Content("{{ a }}/{{ b }}", "{{ a }}\n{{ b }}", "<p>{{ a }}</p>", charset)
    made = read(composed(content, _replace(LETTER, values=values)))
    plain = {name: re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", value) for name, value in values.items()}
    assert made["Subject"] == f"{plain['a']}/{plain['b']}".strip()
    text, html = made.iter_parts()
    assert content_of(text).removesuffix("\n") == f"{plain['a']}\n{plain['b']}"
    assert content_of(html).count("<p>") == 1


@pytest.mark.parametrize("line", ["あ" * 2000, "a" * 2000, "あa" * 1000])
def test_long_lines_of_iso_2022_jp_go_in_base64(line: str) -> None:
    """No line may be longer than 998 bytes; nothing is broken that was not."""
    made = read(composed(Content("s", f"x\n{line}\ny", None, "iso-2022-jp")))
    assert made["Content-Transfer-Encoding"] == "base64"
    assert content_of(made) == f"x\n{line}\ny"
    short = read(composed(Content("s", "あ\n" * 400, None, "iso-2022-jp")))
    assert short["Content-Transfer-Encoding"] == "7bit"


def test_each_line_of_iso_2022_jp_ends_in_ascii() -> None:
    """RFC 1468: what begins in JIS comes back before the line's end."""
    for line in composed(Content("s", "あ\nい", "<p>う\nえ</p>", "iso-2022-jp")).split(b"\r\n"):
        assert line.rfind(b"\x1b$B") <= line.rfind(b"\x1b(B")


def test_no_value_can_end_a_part() -> None:
    """Where a body would hold the boundary, it goes in base64."""
    compiled = compile_content(Content("s", "{{ a }}", "<p>x</p>", "iso-2022-jp"), IDENTITY)
    value = f"--{compiled.boundary.decode()}a--"
    made = read(compiled.letter(_replace(LETTER, values={"a": value})))
    text, html = made.iter_parts()
    assert content_of(text).strip() == value
    assert "<p>x</p>" in content_of(html)


def test_a_recipients_value_never_stands_for_the_lists_own() -> None:
    """Nor for the stop link, nor for a counted one, whatever its name."""
    names = ("sender_name", "sender_address", "contact", "stop_url", "#0", "#open")
    forged = dict.fromkeys(names, "https://forged.example/") | {"name": "山田"}
    content = _replace(
        CONTENT,
        text="{% if contact %}{{ contact }}{% else %}?{% endif %} https://a.example/",
        html='<a href="https://a.example/">{{ sender_name | default("?") }}</a>',
    )
    compiled = compile_content(content, IDENTITY, clicks=True, opens=True)
    message = compiled.letter(_replace(LETTER, values=forged))
    assert message == compiled.letter(LETTER)
    text, html = map(content_of, read(message).iter_parts())
    assert text.startswith("info@acme.example https://gw.example.jp/r/tok-0")
    assert "forged" not in text + html


# --- what is refused ---


def test_a_class_that_hides_the_laws_items_is_refused() -> None:
    """It is seen once the style is in the elements; a class that hides others does no harm."""
    style = "<style>.x{display:none}.y{color:red}</style>"
    shown = "<p>{{ sender_name }} {{ sender_address }} {{ contact }}</p>"
    stop = "<p class=x>停止は<a href='{{ stop_url }}'>こちら</a></p>"
    content = Content("s", "t", f"{style}{shown}{stop}")
    with pytest.raises(Refused) as caught:
        compile_content(content, IDENTITY)
    assert caught.value.reason is Refusal.DISPLAY_ITEM_MISSING
    assert caught.value.detail == "html: its style hides stop_link, stop_sentence"
    seen = f"{style}<p class=x>preheader</p>{shown}{stop.replace('class=x', 'class=y')}"
    compile_content(Content("s", "t", seen), IDENTITY)


@pytest.mark.parametrize("field", list(Letter.__struct_fields__))
@pytest.mark.parametrize("bad", ["\r\nBcc: x@y.example", "\n", "\0", " é", "<>"])
def test_no_field_of_a_letter_can_begin_a_header(field: str, bad: str) -> None:
    """Line ends and what else a header cannot hold are refused by the field's name."""
    if field == "values":
        made = read(composed(CONTENT, _replace(LETTER, values={"name": f"a{bad}"})))
        assert made["Bcc"] is None
        return
    letter = _replace(LETTER, **{field: getattr(LETTER, field) + bad})
    assert refusal(CONTENT, letter) == (Refusal.HEADER_INVALID, field)


@pytest.mark.parametrize(
    "to",
    ["", "a", "a@b@c", "a@b, c@d", "<a@b.example>", "A <a@b.example>", 'a"b@c.example', "あ@b"],
)
def test_an_address_is_one_address(to: str) -> None:
    """A comma would be another recipient."""
    assert refusal(CONTENT, _replace(LETTER, to=to)) == (Refusal.HEADER_INVALID, "to")


def test_old_addresses_of_carriers_are_written_quoted() -> None:
    """Dots in a row are allowed in quotes alone."""
    made = read(composed(CONTENT, _replace(LETTER, to='"a..b."@docomo.ne.jp')))
    assert made["To"].addresses[0].username == "a..b."


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address", "a@b\r\nX: y"),
        ("address", "あ@b.example"),
        ("reply_to", "a@b, c@d.example"),
        ("list_id", "a b"),
        ("list_id", "x>\r\nX: y"),
        ("name", "a\r\nX: y"),
        ("feedback_id", "a b"),
    ],
)
def test_no_field_of_a_list_can_begin_a_header(field: str, value: str) -> None:
    """They are looked at once for the campaign."""
    with pytest.raises(Refused) as caught:
        compile_content(CONTENT, _replace(IDENTITY, **{field: value}))
    assert (caught.value.reason, caught.value.detail) == (Refusal.HEADER_INVALID, field)


def test_what_concerns_one_recipient_is_told_of_one() -> None:
    """A missing value, one that the character set lacks, and one without an end."""
    jis = _replace(CONTENT, charset="iso-2022-jp")
    for content, value, reason in (
        (CONTENT, " ", Refusal.VALUE_MISSING),
        (jis, "髙橋", Refusal.VALUE_UNWRITABLE),
        (CONTENT, "あ" * 2001, Refusal.VALUE_TOO_LONG),
        (CONTENT, "あ" * 400, Refusal.VALUE_TOO_LONG),
    ):
        letter = _replace(LETTER, values={"name": value})
        found, detail = refusal(content, letter)
        assert found is reason
        assert not value.strip() or value not in detail


def test_a_value_is_a_twin_where_that_can_be_written() -> None:
    """A wave dash of Windows in an attribute is no failure."""
    jis = _replace(CONTENT, charset="iso-2022-jp")
    made = read(composed(jis, _replace(LETTER, values={"name": "10～12"})))
    assert made["Subject"] == "10〜12様へ"


def test_words_are_split_between_characters() -> None:
    """Each encoded word can be read on its own (RFC 2047 5)."""
    for charset in CHARSETS:
        lines = charsets.header("Subject", "あa亜" * 60, charset).decode()
        for word in lines.split()[1:]:
            ((data, name),) = email.header.decode_header(word)
            assert isinstance(data, bytes)
            assert name is not None
            data.decode(name)
