"""DKIM: what is signed verifies with dkimpy, and what is changed does not."""

import html
import re

import dkim  # type: ignore[import-untyped]  # it carries no types
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.composing.dkim import Signer, relaxed_body
from adapters.smtp.composing.mime import Identity, Letter, compile_content
from gateway.domain.mail.message.content import Attachment, Content
from gateway.domain.mail.message.display import Display
from gateway.errors import Misconfigured, Refusal, Refused

NOW = 1_795_000_000
HEADERS = (
    b"From: News <news@acme.example>\r\n"
    b"To: taro@example.jp\r\n"
    b"Subject: =?UTF-8?B?56eL?=\r\n"
    b"Date: Sun, 22 Nov 2026 08:00:00 +0900\r\n"
    b"Message-ID: <1@gw.example.jp>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"List-Id: <news.gw.example.jp>\r\n"
    b"List-Unsubscribe: <https://gw.example.jp/u/1>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
)
MESSAGE = HEADERS + b"\r\nHello  there \t\r\n\r\n\r\n"


def pem_of(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def made(bits: int) -> bytes:
    return pem_of(rsa.generate_private_key(65537, bits))


SIGNER = Signer("acme.example", "gw", made(2048))


def verifies(message: bytes) -> bool:
    def dns(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"gw._domainkey.acme.example."
        return SIGNER.record.encode()

    return bool(dkim.verify(message, dnsfunc=dns))


def signed_names(message: bytes) -> list[str]:
    found = re.search(rb"h=([^;]*);", message)
    assert found is not None
    return b"".join(found[1].split()).decode().split(":")


def test_a_signed_mail_verifies() -> None:
    """dkimpy takes it, and the message itself is unchanged behind the signature."""
    signed = SIGNER.sign(MESSAGE, NOW)
    assert verifies(signed)
    assert signed.endswith(MESSAGE)
    assert signed.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;")
    assert b"t=%d;" % NOW in signed
    assert b" l=" not in signed
    assert max(map(len, signed.split(b"\r\n"))) <= 78


NAMES = st.sampled_from(
    ["Subject", "To", "List-Id", "X-Odd", "Reply-To", "Received", "Content-Type", "sUBJECT"]
)
VALUES = st.lists(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30),
    min_size=1,
    max_size=5,
)
GAPS = st.sampled_from([" ", "  ", "\t", "\r\n ", "\r\n\t ", " \r\n  "])


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    lines = [b"From: a@acme.example\r\n"]
    for name in draw(st.lists(NAMES, max_size=8)):
        value = draw(GAPS).join(draw(VALUES))
        colon = draw(st.sampled_from([":", ": ", ":\t"]))
        lines.append(f"{name}{colon}{value}\r\n".encode())
    pieces = st.sampled_from([b" ", b"  ", b"\t", b"\r\n", b"a", b"\xe3\x81\x82", b".", b"=="])
    body = b"".join(draw(st.lists(pieces, max_size=30)))
    return b"".join([*draw(st.permutations(lines)), b"\r\n", body])


@given(messages())
def test_any_mail_verifies_when_signed(message: bytes) -> None:
    """Doubled headers, folds, blanks of all kinds and any end of the body."""
    assert verifies(SIGNER.sign(message, NOW))


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300),
    st.sampled_from(["秋のお知らせ", "a" * 900, "😀", "長い件名" * 40]),
    st.booleans(),
)
def test_composed_mails_verify_when_signed(text: str, subject: str, is_jis: bool) -> None:
    """Japanese, emoji and long lines, in both character sets, with HTML and an attachment."""
    text = text.replace("{", "(")
    if is_jis:
        text, subject = f"あいう{subject}" * 3, subject.replace("😀", "♪")
        text = text.replace("😀", "♪")
    content = Content(
        subject,
        text + " \n\n",
        f"<p>{html.escape(text)}</p>",
        "iso-2022-jp" if is_jis else "utf-8",
        (Attachment("案内.pdf", "application/pdf", b"%PDF"),),
        "ja",
    )
    shown = Display("株式会社Acme", "東京都", "info@acme.example")
    identity = Identity("news@acme.example", shown, "news.gw.example.jp", "Acme 便り")
    letter = Letter(
        "<1@gw.example.jp>",
        "Sun, 22 Nov 2026 08:00:00 +0900",
        "taro@example.jp",
        {},
        "https://gw.example.jp/u/1",
    )
    assert verifies(SIGNER.sign(compile_content(content, identity).letter(letter), NOW))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello", b"Hullo"),
        (b"Subject: ", b"Subject: x"),
        (b"/u/1", b"/u/2"),
        (b"One-Click", b"Two-Click"),
        (b"<news.gw", b"<other.gw"),
        (b"To: taro", b"To: jiro"),
    ],
)
def test_a_changed_mail_does_not_verify(old: bytes, new: bytes) -> None:
    """The body and each header that matters are covered."""
    head, _, rest = SIGNER.sign(MESSAGE, NOW).partition(b"From: ")
    changed = rest.replace(old, new, 1)
    assert changed != rest
    assert not verifies(head + b"From: " + changed)


@pytest.mark.parametrize(
    "header", ["From: x@evil.example", "Subject: y", "Reply-To: x@evil.example", "Cc: z@z.example"]
)
def test_no_header_can_be_added(header: str) -> None:
    """Headers are signed once more often than they occur, also where there is none."""
    signed = SIGNER.sign(MESSAGE, NOW)
    head, _, rest = signed.partition(b"From: ")
    assert not verifies(head + header.encode() + b"\r\nFrom: " + rest)
    assert not verifies(signed.replace(b"\r\n\r\n", f"\r\n{header}\r\n\r\n".encode(), 1))


def test_the_one_click_headers_are_signed_twice() -> None:
    """RFC 8058 4 wants both in h=; the second naming keeps others from being added."""
    names = signed_names(SIGNER.sign(MESSAGE, NOW))
    for name in ("list-unsubscribe", "list-unsubscribe-post", "from", "list-id"):
        assert names.count(name) == 2
    assert names.count("reply-to") == 1


@pytest.mark.parametrize(
    "message",
    [
        b"To: a@b.example\r\n\r\nx\r\n",
        b"From: a@b.example\n\nx\n",
        b"From: a@b.example\r\n\r\nx\r",
        b"From: a@b.example\r\n\r\nx\n\r",
        b"From: a@b.example\r\nno header\r\n\r\nx",
        b"",
    ],
)
def test_what_is_no_mail_is_refused(message: bytes) -> None:
    """Without From, with lone CR or LF, or with lines that are no headers."""
    with pytest.raises(Refused) as refused:
        SIGNER.sign(message, NOW)
    assert refused.value.reason is Refusal.HEADER_INVALID


def test_short_keys_are_refused_by_name() -> None:
    """A key of 1024 bits is told of with its selector and size."""
    with pytest.raises(Misconfigured, match=r"gw of acme\.example: has 1024 bits"):
        Signer("acme.example", "gw", made(1024))


@pytest.mark.parametrize(
    "pem", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_what_is_no_key_is_refused(pem: bytes) -> None:
    """The problem says what it is, and holds nothing of the file."""
    with pytest.raises(Misconfigured, match="no private key in PEM"):
        Signer("acme.example", "gw", pem)


def test_a_key_of_another_kind_is_refused() -> None:
    """Ed25519 alone would be verified by few (RFC 8463)."""
    with pytest.raises(Misconfigured, match="no RSA key"):
        Signer("acme.example", "gw", pem_of(ed25519.Ed25519PrivateKey.generate()))


@pytest.mark.parametrize(
    ("domain", "selector"),
    [
        ("acme", "gw"),
        ("acme.example; x=", "gw"),
        ("acme.example", "g w"),
        ("acme.example\r\n", "a"),
    ],
)
def test_names_that_are_none_in_the_dns_are_refused(domain: str, selector: str) -> None:
    """Nothing else gets into the signature's tags."""
    with pytest.raises(Misconfigured, match="no name in the DNS"):
        Signer(domain, selector, b"")


def test_an_empty_body_hashes_as_nothing() -> None:
    """RFC 6376 3.4.4: no body, and one of empty lines alone, are the same."""
    assert relaxed_body(b"") == relaxed_body(b"\r\n\r\n") == b""
    assert relaxed_body(b"a \r\n\tb\t\r\n\r\n") == b"a\r\n b\r\n"
