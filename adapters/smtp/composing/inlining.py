"""What is done to a content once a campaign: CSS into the elements, links and opens counted.

Mail programs drop ``<style>``, so css-inline writes its rules into the elements. It reads and
writes whole documents; a template's slots go through it as words that no document holds, its
conditions as comments, which HTML allows wherever a condition makes sense (text between the rows of
a table would be moved out of it).
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from html import unescape
from urllib.parse import quote

from adapters.smtp.composing.inliner import CPU_SECONDS_TO_SEND, inline_apart
from gateway.domain.mail.message.templates import Choice, Part, Slot, Template, joined, walk
from gateway.errors import Refusal, Refused

OPENED = "#open"
"""The slot of the address that counts an opening; empty: none is counted."""

_OPENED_BY = {")": "(", "]": "["}
_TRAILING = re.compile(r"[.,:;!?'*_]+$")
_SIGNS = r"A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-"
_URL = re.compile(rf"https?://[{_SIGNS}]{{1,2000}}", re.IGNORECASE)
# As people write it, with letters beyond ASCII (RFC 3987); the signs of sentences are none of it.
_IRI = re.compile(rf"https?://[\w{_SIGNS}]{{1,2000}}", re.IGNORECASE)
_HIRAGANA = re.compile("[\u3041-\u309f]")
_PARTING = tuple("/?#&=-_.+~")  # a word behind one of them belongs to the address
_HTTP = re.compile(r"https?://[^\s\"<>\x00-\x20\x7f-\x9f\u2028-\u202e]{1,2000}", re.IGNORECASE)
_HOST = re.compile(r"https?://[^/?#]*", re.IGNORECASE)

# A link as css-inline writes it: names in small letters, values in double quotes.
_ANCHOR = re.compile(r'<(?:a|area)(?: [^\s=>"]+(?:="[^"]*")?)*>')
_HREF = re.compile(r' href="([^"]*)"')


def click_slot(number: int) -> str:
    """The name of the slot for a counted link, by its place in :attr:`Links.urls`."""
    return f"#{number}"


class Links:
    """The links of one campaign; the same address is counted as one."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    @property
    def urls(self) -> tuple[str, ...]:
        """What the links lead to, in the order of their numbers from 0."""
        return tuple(self._numbers)

    def slot(self, url: str) -> Slot:
        """The slot to put in place of ``url``."""
        return Slot(click_slot(self._numbers.setdefault(url, len(self._numbers))))


def counted_text(template: Template, links: Links) -> Template:
    """A text with its links counted.

    One that goes on into a slot is left as it is: it is another for each recipient. So is one of
    which nobody can tell where it ends, since Japanese has no blanks: readers' programs decide.
    """
    return Template(_counted(template.parts, links))


def inlined(
    template: Template,
    links: Links | None = None,
    *,
    opens: bool = False,
    cpu_seconds: int = CPU_SECONDS_TO_SEND,
) -> Template:
    """An HTML template with its CSS in the elements.

    Nothing is ever fetched: style sheets that are linked to are dropped.

    Args:
        template: a document or a piece of one; it becomes a document.
        links: where its links are counted; ``None``: they are left as they are. Links without http,
            and those with a slot in them, are left in any case.
        opens: whether a picture at the end counts openings, for recipients with :data:`OPENED`.
        cpu_seconds: how much of a processor it may take.

    Raises:
        Refused: TEMPLATE_INVALID, where a slot or a condition stands where it cannot be kept, such
            as in ``<style>``, or the document is too much; CONTENT_TOO_LARGE.
    """
    marked = _Marked(template)
    html = inline_apart(marked.html, cpu_seconds)
    if links is not None:
        html = marked.with_links(html, links)
    if opens:
        html = marked.with_picture(html)
    return Template(marked.parts_of(html))


class _Marked:
    """A template as one document with marks in it, and back."""

    def __init__(self, template: Template) -> None:
        texts = "\0".join(part for part in walk(template.parts) if isinstance(part, str))
        nonce = sha256(texts.encode()).hexdigest()[:16]
        self._mark = f"zq{nonce}"  # a word in HTML, in CSS and in an address
        self._pattern = re.compile(f"(?:<!--)?{self._mark}x([0-9]+)x(?:-->)?")
        self._meanings: list[Slot | tuple[str, str]] = []  # ("if", name), ("else", ""), ("end", "")
        self._scan = _Context()
        pieces: list[str] = []
        self._write(template.parts, pieces)
        self.html = "".join(pieces)
        self._given = len(self._meanings)

    def _write(self, parts: tuple[Part, ...], pieces: list[str]) -> None:
        for part in parts:
            if isinstance(part, str):
                pieces.append(part)
                self._scan.feed(part)
            elif isinstance(part, Slot):
                pieces.append(self._add(part))
            else:
                pieces.append(self._bound("if", part.name))
                self._write(part.then, pieces)
                pieces.append(self._bound("else"))
                self._write(part.otherwise, pieces)
                pieces.append(self._bound("end"))

    def _bound(self, kind: str, name: str = "") -> str:
        mark = self._add((kind, name))
        return mark if self._scan.is_inside else f"<!--{mark}-->"

    def _add(self, meaning: Slot | tuple[str, str]) -> str:
        self._meanings.append(meaning)
        return f"{self._mark}x{len(self._meanings) - 1}x"

    def with_links(self, html: str, links: Links) -> str:
        def anchor(found: re.Match[str]) -> str:
            return _HREF.sub(href, found[0], count=1)

        def href(found: re.Match[str]) -> str:
            url = unescape(found[1]).strip()
            if self._mark in url or not _HTTP.fullmatch(url):
                return found[0]
            quoted = _quoted(url)
            if quoted is None:
                return found[0]
            return f' href="{self._add(links.slot(quoted))}"'

        return _ANCHOR.sub(anchor, html)

    def with_picture(self, html: str) -> str:
        picture = (
            f"<!--{self._add(('if', OPENED))}-->"
            f'<img src="{self._add(Slot(OPENED))}" width="1" height="1" alt="">'
            f"<!--{self._add(('else', ''))}--><!--{self._add(('end', ''))}-->"
        )
        before, end, after = html.rpartition("</body>")
        return f"{before}{picture}{end}{after}" if end else f"{html}{picture}"

    def parts_of(self, html: str) -> tuple[Part, ...]:
        """The parts again; marks of the template must have kept their order."""
        bits = self._pattern.split(html)
        numbers = [int(bit) for bit in bits[1::2]]
        if [number for number in numbers if number < self._given] != list(range(self._given)):
            raise _misplaced("a slot or condition stands where none can be")
        if any(text.endswith("&lt;!--") for text in bits[:-1:2]):  # as in <title>
            raise _misplaced("a condition stands where none can be")
        reading = iter(zip(numbers, bits[2::2], strict=True))
        parts: list[Part] = [bits[0]]
        self._collect(reading, parts)
        return joined(parts)

    def _collect(self, reading: Iterator[tuple[int, str]], parts: list[Part]) -> str:
        """Read parts up to the bound that ends them; returns the text behind that."""
        for number, text in reading:
            meaning = self._meanings[number]
            if isinstance(meaning, Slot):
                parts += (meaning, text)
            elif meaning[0] == "if":
                then: list[Part] = [text]
                otherwise: list[Part] = [self._collect(reading, then)]
                after = self._collect(reading, otherwise)
                parts += (Choice(meaning[1], joined(then), joined(otherwise)), after)
            else:
                return text
        return ""


class _Context:
    """Follows where in HTML one is: within a tag or a comment, or in the text."""

    def __init__(self) -> None:
        self._inside = ""  # the sign that was opened: < of a tag, a quote in it, - of a comment

    @property
    def is_inside(self) -> bool:
        return self._inside != ""

    def feed(self, text: str) -> None:
        at = 0
        while at < len(text):
            at = self._step(text, at)

    def _step(self, text: str, at: int) -> int:
        if self._inside == "-":
            end = text.find("-->", at)
            self._inside = "" if end >= 0 else "-"
            return end + 3 if end >= 0 else len(text)
        if self._inside in ('"', "'"):
            end = text.find(self._inside, at)
            self._inside = "<" if end >= 0 else self._inside
            return end + 1 if end >= 0 else len(text)
        if self._inside == "<":
            found = _TAG_SIGN.search(text, at)
            if found is None:
                return len(text)
            self._inside = "" if found[0] == ">" else found[0]
            return found.end()
        opened = _OPENING.search(text, at)
        if opened is None:
            return len(text)
        self._inside = "-" if opened[0] == "<!--" else "<"
        return opened.end()


_OPENING = re.compile(r"<!--|</?[a-zA-Z]|<[!?]")
_TAG_SIGN = re.compile(r"[>\"']")


def _counted(parts: tuple[Part, ...], links: Links) -> tuple[Part, ...]:
    whole: list[Part] = []
    for at, part in enumerate(parts):
        if isinstance(part, Choice):
            then, otherwise = _counted(part.then, links), _counted(part.otherwise, links)
            whole.append(Choice(part.name, then, otherwise))
        elif isinstance(part, Slot):
            whole.append(part)
        else:
            whole += _counted_in(part, links, is_last=at + 1 == len(parts))
    return joined(whole)


def _counted_in(text: str, links: Links, *, is_last: bool) -> list[Part]:
    pieces: list[Part] = []
    done = 0
    for found in _IRI.finditer(text):
        url = _meant(found[0])
        if found.start() + len(url) == len(text) and not is_last:
            continue
        url = _without_tail(url)
        quoted = _quoted(url)
        if len(url) > len("https://") and quoted is not None:
            pieces += (text[done : found.start()], links.slot(quoted))
            done = found.start() + len(url)
    return [*pieces, text[done:]]


def _meant(iri: str) -> str:
    """What of letters behind each other is the address; empty where nobody can tell.

    ``…/autumnをご覧`` ends before the kana; ``…/検索?q=靴`` is one; ``…/検索をご覧`` may be either.
    """
    plain = _URL.match(iri)
    ascii_part = plain[0] if plain else iri.partition("://")[0] + "://"
    if ascii_part == iri:
        return iri
    has_parting = ascii_part.endswith(_PARTING)
    if _HIRAGANA.match(iri, len(ascii_part)):
        return "" if has_parting else ascii_part
    return iri if has_parting and not _HIRAGANA.search(iri) else ""


def _quoted(url: str) -> str | None:
    """``url`` in ASCII, as headers take it; ``None`` where its host is not in ASCII already."""
    if url.isascii():
        return url
    host = _HOST.match(url)
    if host is None or not host[0].isascii():
        return None
    return quote(url, safe=_ASCII)


_ASCII = "".join(map(chr, range(0x21, 0x7F)))


def _without_tail(url: str) -> str:
    """``url`` without the sentence's own signs at its end."""
    url = _TRAILING.sub("", url)
    while url.endswith((")", "]")):
        if url.count(url[-1]) <= url.count(_OPENED_BY[url[-1]]):
            break  # of a pair within the address
        url = _TRAILING.sub("", url[:-1])
    return url


def _misplaced(why: str) -> Refused:
    return Refused(Refusal.TEMPLATE_INVALID, f"html: {why}")
