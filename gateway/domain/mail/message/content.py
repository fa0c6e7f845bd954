"""What a campaign says: subject, text, HTML and attachments, and what is wrong with them."""

import re
from collections.abc import Collection, Iterator
from typing import Literal

import msgspec

from gateway.domain.mail.message.display import (
    NAMES,
    STOP_URL,
    Display,
    Language,
    missing_items,
    with_footer,
)
from gateway.domain.mail.message.placement import misplaced
from gateway.domain.mail.message.templates import (
    Choice,
    Part,
    Slot,
    Template,
    Where,
    compile_template,
    walk,
)
from gateway.errors import Refusal, Refused

Charset = Literal["utf-8", "iso-2022-jp"]

MOST_ATTACHED = 2_000_000
"""Bytes of all attachments together: base64 makes 2.7 MB of them, and au takes 3 MB a mail."""

MOST_ATTACHMENTS = 10

_MOST_NAMED = 10
"""Characters that a problem names before it says that there are more."""


class Attachment(msgspec.Struct, frozen=True):
    """A file that goes with each mail."""

    name: str
    media_type: str
    """Such as ``application/pdf``; no parameters."""
    data: bytes


class Content(msgspec.Struct, frozen=True):
    """A campaign's message as its author wrote it: the texts are templates' sources."""

    subject: str
    text: str
    html: str | None = None
    charset: Charset = "utf-8"
    attachments: tuple[Attachment, ...] = ()
    footer: Language | None = None
    """In which language the law's items are added at the end of text and HTML; ``None``: the author
    put them there."""


class Problem(msgspec.Struct, frozen=True):
    """Something that keeps a content from being sent."""

    where: Literal["subject", "text", "html", "attachments"]
    reason: Refusal
    detail: str


class Checked(msgspec.Struct, frozen=True):
    """What is wrong with a content, found before the store is asked: it takes up to some tenths of
    a second, for which no transaction may be held.
    """

    content: Content
    display: Display
    attributes: tuple[str, ...]
    """What it was held against."""
    problems: tuple[Problem, ...]


class Templates(msgspec.Struct, frozen=True):
    """A content's templates, its footer added."""

    subject: Template
    text: Template
    html: Template | None


class Lack(msgspec.Struct, frozen=True):
    """A character that a character set does not have."""

    character: str
    line: int
    column: int
    """Both counted from 1."""


def templates_of(content: Content) -> Templates:
    """Read all templates of a content.

    Raises:
        Refused: as :func:`~gateway.domain.mail.message.templates.compile_template` says.
    """
    html = content.html
    return Templates(
        compile_template(content.subject, "subject"),
        compile_template(_footed(content, "text", content.text), "text"),
        None if html is None else compile_template(_footed(content, "html", html), "html"),
    )


def check_content(content: Content, display: Display, attributes: Collection[str]) -> list[Problem]:
    """Everything that keeps ``content`` from being sent to a list; nothing where it may be.

    Args:
        content: what the author wrote.
        display: what the list shows of its sender.
        attributes: the names that recipients of the list may have values for.
    """
    problems: list[Problem] = []
    for where, template in _read(content, problems):
        problems += _unknown_names(where, template, attributes)
        problems += _lacks(where, template, content.charset, display)
        if where == "html":
            problems += [Problem(where, Refusal.TEMPLATE_INVALID, w) for w in misplaced(template)]
        if where != "subject":
            problems += [
                Problem(where, Refusal.DISPLAY_ITEM_MISSING, item)
                for item in missing_items(template, display, is_html=where == "html")
            ]
        elif not template.parts or all(_is_blank(part) for part in template.parts):
            problems.append(Problem(where, Refusal.TEMPLATE_INVALID, "is empty"))
    problems += _attachment_problems(content.attachments)
    return problems


def checked(content: Content, display: Display, attributes: Collection[str]) -> Checked:
    """What :func:`check_content` finds, to be kept for :func:`problems_of`."""
    found = check_content(content, display, attributes)
    return Checked(content, display, tuple(attributes), tuple(found))


def problems_of(
    content: Content, display: Display, attributes: Collection[str], known: Checked | None
) -> Collection[Problem]:
    """The problems of a content: the ``known`` ones where they are of the same, else found anew."""
    if known is not None and (known.content, known.display, known.attributes) == (
        content,
        display,
        tuple(attributes),
    ):
        return known.problems
    return check_content(content, display, attributes)


# --- characters ---

# Characters that Windows writes for signs of JIS X 0208 that Unicode has elsewhere: they look the
# same, and Windows' own ISO-2022-JP makes the same bytes of them.
_TWINS = str.maketrans(
    {
        "～": "〜",
        "－": "−",
        "∥": "‖",
        "￠": "¢",
        "￡": "£",
        "￢": "¬",
        "—": "―",
        "\u00a0": " ",
    }
)


def written(text: str, charset: Charset) -> str:
    """``text`` with the characters that ``charset`` has for those that look the same."""
    return text if charset == "utf-8" else text.translate(_TWINS)


def lacking(text: str, charset: Charset) -> list[Lack]:
    """The characters of ``text`` that ``charset`` does not have (①, 髙, ｱ or 😀 in ISO-2022-JP)."""
    if charset == "utf-8" or _can_write(text, charset):
        return []
    bad = {sign for sign in set(text) if not _can_write(sign, charset)}
    return [
        Lack(sign, number, column)
        for number, line in enumerate(text.split("\n"), 1)
        if not bad.isdisjoint(line)
        for column, sign in enumerate(line, 1)
        if sign in bad
    ]


def _can_write(text: str, charset: Charset) -> bool:
    try:
        written(text, charset).encode(charset)
    except UnicodeEncodeError:
        return False
    return True


# --- what is wrong ---


def _footed(content: Content, where: Literal["text", "html"], source: str) -> str:
    if content.footer is None:
        return source
    return with_footer(source, content.footer, is_html=where == "html")


def _read(content: Content, problems: list[Problem]) -> Iterator[tuple[Where, Template]]:
    sources: list[tuple[Where, str]] = [
        ("subject", content.subject),
        ("text", _footed(content, "text", content.text)),
    ]
    if content.html is not None:
        sources.append(("html", _footed(content, "html", content.html)))
    for where, source in sources:
        try:
            yield where, compile_template(source, where)
        except Refused as refused:
            detail = refused.detail.removeprefix(where).lstrip(",: ")  # a problem names its place
            problems.append(Problem(where, refused.reason, detail))


def _unknown_names(
    where: Where, template: Template, attributes: Collection[str]
) -> Iterator[Problem]:
    known = {*attributes, *NAMES}
    if where == "subject":
        known.discard(STOP_URL)  # an address is no use there, and would be shown to everybody
    for name in sorted(template.names - known):
        yield Problem(where, Refusal.TEMPLATE_INVALID, f"the list has no attribute {name}")


def _lacks(
    where: Where, template: Template, charset: Charset, display: Display
) -> Iterator[Problem]:
    """What the character set lacks of the template's own text, its defaults and the sender's.

    Positions are those in the template as it is shown with its slots left out.
    """
    if charset == "utf-8":
        return
    lacks = lacking(_own_text(template.parts), charset)
    if lacks:
        named = ", ".join(
            f"{lack.character} (U+{ord(lack.character):04X}) line {lack.line} column {lack.column}"
            for lack in lacks[:_MOST_NAMED]
        )
        more = f" and {len(lacks) - _MOST_NAMED} more" if len(lacks) > _MOST_NAMED else ""
        yield Problem(where, Refusal.CHARACTERS_LACKING, f"{charset} lacks {named}{more}")
    for name in sorted(template.names & display.values.keys()):
        signs = sorted({lack.character for lack in lacking(display.values[name], charset)})
        if signs:
            detail = f"{charset} lacks {', '.join(signs[:_MOST_NAMED])} of the list's {name}"
            yield Problem(where, Refusal.CHARACTERS_LACKING, detail)


def _own_text(parts: tuple[Part, ...]) -> str:
    pieces = []
    for part in walk(parts):
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, Slot):
            pieces.append(part.default or "")
    return "".join(pieces)


def _is_blank(part: Part) -> bool:
    if isinstance(part, Choice):
        return all(map(_is_blank, part.then)) or all(map(_is_blank, part.otherwise))
    return isinstance(part, str) and not part.strip()


_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")
_COMPOSITE = ("multipart/", "message/")
_IN_NO_NAME = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff/\\:*?"<>|\u2028-\u202e\u2066-\u2069]')


def _attachment_problems(attachments: tuple[Attachment, ...]) -> Iterator[Problem]:
    if len(attachments) > MOST_ATTACHMENTS:
        detail = f"more than {MOST_ATTACHMENTS}"
        yield Problem("attachments", Refusal.CONTENT_TOO_LARGE, detail)
    if sum(len(each.data) for each in attachments) > MOST_ATTACHED:
        detail = f"more than {MOST_ATTACHED} bytes together"
        yield Problem("attachments", Refusal.CONTENT_TOO_LARGE, detail)
    for number, each in enumerate(attachments, 1):
        if why := _wrong(each):
            yield Problem("attachments", Refusal.ATTACHMENT_INVALID, f"number {number}: {why}")


def _wrong(attachment: Attachment) -> str:
    """Why an attachment cannot be sent; empty: it can."""
    name = attachment.name
    if not name.strip(" .") or name != name.strip() or _IN_NO_NAME.search(name):
        return "its name is none for a file"
    if len(name.encode()) > 200:
        return "its name is longer than 200 bytes"
    kind = attachment.media_type
    if not _MEDIA_TYPE.fullmatch(kind) or kind.startswith(_COMPOSITE):
        return "its media type is none for a file"
    return ""
