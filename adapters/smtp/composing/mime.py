"""Letters as bytes: what a campaign's mails have in common is made once, the rest for each.

The standard library's EmailMessage makes 366 mails a second; this makes more than ten thousand,
and is held equal to the standard library's reading of them.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from html import escape
from urllib.parse import quote

import msgspec

from adapters.smtp.composing.charsets import base64_lines, body, header, mailbox
from adapters.smtp.composing.inliner import CPU_SECONDS_TO_SEND
from adapters.smtp.composing.inlining import OPENED, Links, click_slot, counted_text, inlined
from gateway.domain.hours import TOKYO
from gateway.domain.mail.message.content import Attachment, Charset, Content, templates_of, written
from gateway.domain.mail.message.display import STOP_URL, Display, missing_items
from gateway.domain.mail.message.templates import (
    Choice,
    Escape,
    Part,
    Slot,
    Template,
    is_blank,
    joined,
    plain,
)
from gateway.errors import Refusal, Refused

LONGEST_SUBJECT = 998
"""Bytes of a filled subject in UTF-8."""

MOST_BYTES = 3_000_000
"""Of a mail; au takes no larger ones."""

LONGEST_VALUE = 2_000
"""Characters of one recipient's value."""


class Identity(msgspec.Struct, frozen=True):
    """Whose mails they are: the headers and items that are a list's."""

    address: str
    """The From address: ASCII, its domain in A-labels."""
    display: Display
    list_id: str
    """Of List-Id (RFC 2919): a name in the form of a domain, ``acme-news.gw.example.jp``."""
    name: str = ""
    """What is shown before the From address."""
    reply_to: str = ""
    feedback_id: str = ""
    """Of Feedback-ID, by which Gmail tells campaigns apart in its figures."""


@lru_cache(1_000)
def date_of(seconds: int) -> str:
    """A second since 1970 as the header Date has it (RFC 5322 3.3), on the clocks of Japan: some
    mail programs show it as it is written.
    """
    return format_datetime(dt.datetime.fromtimestamp(seconds, TOKYO))


class Letter(msgspec.Struct, frozen=True):
    """What one recipient's mail has of its own."""

    message_id: str
    """With its angle brackets; the same at each attempt."""
    date: str
    """By :func:`date_of`; the same at each attempt."""
    to: str
    """The address as in a header, ASCII; no display name."""
    values: Mapping[str, str]
    stop_url: str
    """https, for people and for RFC 8058's one click."""
    stop_mailto: str = ""
    """``mailto:…``, for programs that know only that; empty: none."""
    link_base: str = ""
    """What a counted link begins with. Link ``n`` is ``{link_base}{token}-{n}``."""
    token: str = ""
    open_url: str = ""
    """The picture that counts an opening; empty: none."""


class Compiled(msgspec.Struct, frozen=True):
    """A campaign's mails, but for what each recipient has of its own.

    It is plain data, to be sent to other processes.
    """

    charset: Charset
    subject: Template
    text: Template
    html: Template | None
    top: bytes
    """The headers that all mails share."""
    boundary: bytes
    attached: bytes
    """The parts with the attachments; empty where there are none."""
    links: tuple[str, ...]
    """What the counted links lead to, by their numbers."""

    def letter(self, letter: Letter) -> bytes:
        """The whole message for one recipient, with CRLF at its lines' ends.

        Raises:
            Refused: VALUE_MISSING, VALUE_UNWRITABLE or VALUE_TOO_LONG, which concern this recipient
                alone; HEADER_INVALID, where a field of ``letter`` holds what its header cannot.
        """
        _check(letter)
        values, clicks = self._values(letter)
        subject = plain(self.subject.fill(values)).strip()
        if len(subject) > LONGEST_SUBJECT // 3 and len(subject.encode()) > LONGEST_SUBJECT:
            raise Refused(Refusal.VALUE_TOO_LONG, "subject")
        values[STOP_URL] = letter.stop_url
        values |= clicks
        pieces = [
            self.top,
            f"To: {letter.to}\r\n".encode("ascii"),
            header("Subject", subject, self.charset),
            _own_headers(letter),
        ]
        text = self.text.fill(values)
        html = None
        if self.html is not None:  # links repeat: each value is escaped once, not in each slot
            html = self.html.fill({name: escape(value) for name, value in values.items()})
        self._bodies(text, html, pieces)
        return b"".join(pieces)

    def _values(self, letter: Letter) -> tuple[dict[str, str], dict[str, str]]:
        """What fills the slots that an author can name, and those that only we can."""
        values = {}
        for name, value in letter.values.items():
            if len(value) > LONGEST_VALUE:
                raise Refused(Refusal.VALUE_TOO_LONG, name)
            values[name] = value if value.isascii() and value.isprintable() else plain(value)
        start = f"{letter.link_base}{letter.token}-"
        clicks = {click_slot(number): f"{start}{number}" for number in range(len(self.links))}
        clicks[OPENED] = letter.open_url
        return values, clicks

    def _bodies(self, text: str, html: str | None, pieces: list[bytes]) -> None:
        boundary = self.boundary
        if self.attached:
            pieces += (_multipart(b"mixed", boundary + b"m"), b"\r\n--", boundary, b"m\r\n")
        if html is None:
            pieces.append(_part(b"plain", text, self.charset, boundary))
        else:
            inner = b"--" + boundary + b"a\r\n"
            pieces += (_multipart(b"alternative", boundary + b"a"), b"\r\n", inner)
            pieces += (_part(b"plain", text, self.charset, boundary), inner)
            pieces.append(_part(b"html", html, self.charset, boundary))
            pieces.append(b"--" + boundary + b"a--\r\n")
        if self.attached:
            pieces += (self.attached, b"--" + boundary + b"m--\r\n")


def compile_content(
    content: Content,
    identity: Identity,
    *,
    clicks: bool = False,
    opens: bool = False,
    cpu_seconds: int = CPU_SECONDS_TO_SEND,
) -> Compiled:
    """Make once what all mails of a campaign share.

    It waits for another process (:func:`adapters.smtp.composing.inliner.inline_apart`), so that it
    is nothing for an event loop.

    Args:
        content: checked by :func:`gateway.domain.mail.message.content.check_content`.
        identity: whose mails they are.
        clicks: whether links are counted; :attr:`Compiled.links` tells them.
        opens: whether openings are counted, of recipients who have an ``open_url``.
        cpu_seconds: how much of a processor its style may take.

    Raises:
        Refused: what is wrong with a template or its style (DISPLAY_ITEM_MISSING, where a class
            hides what the law wants shown); CONTENT_TOO_LARGE, where mails would be
            larger than :data:`MOST_BYTES`; HEADER_INVALID for the identity; VALUE_UNWRITABLE, where
            its name cannot be written.
    """
    templates = templates_of(content)
    links = Links() if clicks else None
    html = templates.html
    if html is not None:
        source, html = html, inlined(html, links, opens=opens, cpu_seconds=cpu_seconds)
        _check_seen(source, html, identity.display)
    text = counted_text(templates.text, links) if links else templates.text
    shown = {name: plain(value) for name, value in identity.display.values.items()}
    digest = sha256(msgspec.msgpack.encode((content, identity))).hexdigest()[:24]
    boundary = f"=_{digest}".encode()  # no base64 holds "=_"
    compiled = Compiled(
        content.charset,
        _prepared(templates.subject, content.charset, shown),
        _prepared(text, content.charset, shown),
        None if html is None else _prepared(html, content.charset, shown, escape),
        _top(identity, content.charset),
        boundary,
        b"".join(_attachment(each, boundary) for each in content.attachments),
        links.urls if links else (),
    )
    if _least(compiled) > MOST_BYTES:
        raise Refused(Refusal.CONTENT_TOO_LARGE, f"more than {MOST_BYTES} bytes a mail")
    return compiled


def _check_seen(source: Template, html: Template, display: Display) -> None:
    """Refuse a style that hides the law's items by its classes: before it is in the elements,
    nobody can tell. What the source itself lacks is told of when a campaign is scheduled.
    """
    lacking = set(missing_items(html, display, is_html=True))
    hidden = lacking and lacking.difference(missing_items(source, display, is_html=True))
    if hidden:
        detail = f"html: its style hides {', '.join(sorted(hidden))}"
        raise Refused(Refusal.DISPLAY_ITEM_MISSING, detail)


def _least(compiled: Compiled) -> int:
    """The bytes that each mail has at least, but for its headers."""
    text = 0
    for template in (compiled.text, compiled.html):
        if template is not None:
            text += sum(len(part.encode()) for part in template.parts if isinstance(part, str))
    return text * 78 // 57 + len(compiled.attached)  # 57 bytes make a line of base64


# --- headers ---

_ADDRESS = re.compile(
    r'(?:[A-Za-z0-9!#$%&\'*+/=?^_`{|}~.-]{1,64}|"[A-Za-z0-9!#$%&\'*+/=?^_`{|}~.-]{1,62}")'
    r"@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})"
)
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,200}@[A-Za-z0-9.-]{1,253}>")
_DATE = re.compile(r"[A-Za-z0-9:, +-]{20,40}")
_STOP_URL = re.compile(r"https?://[!#-;=?-~]{1,900}")  # printable, without quotes and <>
_STOP_MAILTO = re.compile(r"(?:mailto:[!#-+\--;=?-~]{3,900})?")  # nor commas, which part a list
_LINK = re.compile(r"(?:https?://[!#-;=?-~]{1,900})?")
_LIST_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?")
_FEEDBACK_ID = re.compile(r"(?:[A-Za-z0-9:._-]{1,200})?")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{0,200}")


def _check(letter: Letter) -> None:
    """No field of a letter may hold what would end its header, or begin another."""
    for pattern, field, value in (
        (_ADDRESS, "to", letter.to),
        (_MESSAGE_ID, "message_id", letter.message_id),
        (_DATE, "date", letter.date),
        (_STOP_URL, "stop_url", letter.stop_url),
        (_STOP_MAILTO, "stop_mailto", letter.stop_mailto),
        (_LINK, "link_base", letter.link_base),
        (_LINK, "open_url", letter.open_url),
        (_TOKEN, "token", letter.token),
    ):
        if pattern.fullmatch(value) is None:
            raise Refused(Refusal.HEADER_INVALID, field)


def _top(identity: Identity, charset: Charset) -> bytes:
    for pattern, field, value in (
        (_ADDRESS, "address", identity.address),
        (_ADDRESS, "reply_to", identity.reply_to or identity.address),
        (_LIST_ID, "list_id", identity.list_id),
        (_FEEDBACK_ID, "feedback_id", identity.feedback_id),
    ):
        if pattern.fullmatch(value) is None:
            raise Refused(Refusal.HEADER_INVALID, field)
    if plain(identity.name) != identity.name:
        raise Refused(Refusal.HEADER_INVALID, "name")
    lines = [mailbox("From", identity.name.strip(), identity.address, charset)]
    if identity.reply_to:
        lines.append(mailbox("Reply-To", "", identity.reply_to, charset))
    lines.append(f"List-Id: <{identity.list_id}>\r\n".encode())
    if identity.feedback_id:
        lines.append(f"Feedback-ID: {identity.feedback_id}\r\n".encode())
    # automatic answers are asked to keep away (RFC 3834 names it as what responders look for)
    lines.append(b"Precedence: bulk\r\nMIME-Version: 1.0\r\n")
    return b"".join(lines)


def _own_headers(letter: Letter) -> bytes:
    stops = f"<{letter.stop_url}>"
    if letter.stop_mailto:
        stops += f",\r\n <{letter.stop_mailto}>"
    return (
        f"Date: {letter.date}\r\n"
        f"Message-ID: {letter.message_id}\r\n"
        f"List-Unsubscribe: {stops}\r\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    ).encode("ascii")


# --- parts ---

_LINE_ENDS = re.compile(r"\r\n|\r|\n")


def _prepared(
    template: Template, charset: Charset, shown: Mapping[str, str], escaped: Escape | None = None
) -> Template:
    """A template of which less is left to be done for each letter.

    The list's own values are in it, its lines end in CRLF (values have no line ends), defaults are
    escaped, and characters are those that ``charset`` has.
    """

    def text(source: str) -> str:
        return written(_LINE_ENDS.sub("\r\n", source), charset)

    def value(source: str) -> str:
        return text(escaped(source) if escaped else source)

    def parts(given: tuple[Part, ...]) -> Iterator[Part]:
        for part in given:
            if isinstance(part, str):
                yield text(part)
            elif isinstance(part, Choice):
                if part.name in shown:
                    yield from parts(part.otherwise if is_blank(shown[part.name]) else part.then)
                else:
                    then, otherwise = parts(part.then), parts(part.otherwise)
                    yield Choice(part.name, joined(then), joined(otherwise))
            elif not is_blank(shown.get(part.name)):
                yield value(shown[part.name])
            elif part.default is not None:
                yield Slot(part.name, value(part.default))
            else:
                yield part

    return Template(joined(parts(template.parts)))


def _multipart(kind: bytes, boundary: bytes) -> bytes:
    return b"Content-Type: multipart/" + kind + b';\r\n boundary="' + boundary + b'"\r\n'


def _part(kind: bytes, text: str, charset: Charset, boundary: bytes) -> bytes:
    encoding, data = body(text, charset, boundary)
    head = f"; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return b"Content-Type: text/" + kind + head.encode() + data


def _attachment(attachment: Attachment, boundary: bytes) -> bytes:
    name = attachment.name
    if name.isascii() and len(name) <= 60 and name.isprintable() and not set(name) & set('"\\'):
        filename = f'filename="{name}"'
    else:
        filename = _extended(name)
    head = (
        f"Content-Type: {attachment.media_type}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment;\r\n {filename}\r\n\r\n"
    )
    return b"--" + boundary + b"m\r\n" + head.encode("ascii") + base64_lines(attachment.data)


def _extended(name: str) -> str:
    """A file's name by RFC 2231, in pieces of a line each."""
    quoted = quote(name, safe="")
    if len(quoted) <= 50:
        return f"filename*=utf-8''{quoted}"
    pieces = []
    while quoted:
        end = min(50, len(quoted))
        while quoted[end - 1 : end] == "%" or quoted[end - 2 : end - 1] == "%":
            end -= 1  # no escape is cut
        pieces.append(quoted[:end])
        quoted = quoted[end:]
    lines = [f"filename*0*=utf-8''{pieces[0]}"]
    lines += [f"filename*{number}*={piece}" for number, piece in enumerate(pieces[1:], 1)]
    return ";\r\n ".join(lines)
