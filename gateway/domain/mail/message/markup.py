"""What of an HTML mail can be seen, line by line.

It is read in one pass, by the rules of browsers as far as they matter here. The standard library's
parser takes minutes for some 100 kB that were made to be slow, and authors may send 1 MB.
"""

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape

import msgspec

from gateway.domain.mail.message.styles import is_hiding


class Tag(msgspec.Struct, frozen=True):
    """A tag, its name and attributes in small letters."""

    name: str
    attributes: dict[str, str]
    is_end: bool


def tokens(html: str) -> Iterator[Tag | str]:
    """The tags and the texts between them; comments are left out.

    What is never closed goes to the end, as in browsers. Entities in texts and in values of
    attributes are replaced.
    """
    at = 0
    while at < len(html):
        found = _OPENING.search(html, at)
        if found is None:
            yield _unescaped(html[at:])
            return
        if found.start() > at:
            yield _unescaped(html[at : found.start()])
        if found[1] is None:  # a comment, or something like it
            end = html.find("-->" if found[0] == "<!--" else ">", found.end())
            at = end + 1 if end >= 0 else len(html)
            at += 2 if found[0] == "<!--" else 0
            continue
        tag, at = _tag(html, found)
        yield tag
        if tag.name in _RAW and not tag.is_end:
            ending = re.compile(f"</{tag.name}(?=[\\s/>])", re.IGNORECASE).search(html, at)
            at = ending.start() if ending else len(html)


def seen_lines(html: str, mark: str) -> list[str]:
    """What can be seen, a line for each block.

    An element whose content is hidden by its own style or attribute is left out; one that is never
    closed hides what follows, so that a mistake is told of rather than passed over.

    Args:
        html: a document, or a piece of one.
        mark: is the ``href`` of a link that is looked for; a link with it and something to press
            (a letter or digit, or a picture with some) has it behind its text.
    """
    seen = _Seen(mark)
    for token in tokens(html):
        if isinstance(token, str):
            seen.text(token)
        elif token.is_end:
            seen.end(token)
        else:
            seen.start(token)
    return "".join(seen.pieces).splitlines()


# --- reading ---

_OPENING = re.compile(r"<!--|<[!?]|</?([a-zA-Z][^\s/>]*+)")
_ATTRIBUTE = re.compile(
    r"[\s/]*+([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+(?:\"([^\"]*+)(?:\"|\Z)|'([^']*+)(?:'|\Z)|([^\s>]*+)))?+"
    r"|[\s/=]++"
)


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


_RAW = _words("script style title textarea")
_BLOCKS = _words(
    "address article aside blockquote body br center dd div dl dt fieldset figure footer form h1",
    "h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tbody td tfoot th thead tr ul",
)
_UNSEEN = _words("head script style template title noscript textarea object svg")
_DOTS = _words("0 1 0px 1px")  # sides of pictures that nobody sees
_VOID = _words("area base br col embed hr img input link meta param source track wbr")


_PIECE = 8_192  # of a longer text: one call for all of it would hold up other threads


def _unescaped(text: str) -> str:
    """``text`` with its entities replaced. One that lies across two pieces may be left."""
    if len(text) <= _PIECE:
        return unescape(text)
    return "".join(unescape(text[at : at + _PIECE]) for at in range(0, len(text), _PIECE))


def _tag(html: str, opening: re.Match[str]) -> tuple[Tag, int]:
    """The tag that begins there, and where the text behind it begins."""
    attributes: dict[str, str] = {}
    at = opening.end()
    while (found := _ATTRIBUTE.match(html, at)) is not None:
        at = found.end()
        if found[1] is not None:
            value = found[2] or found[3] or found[4] or ""
            attributes.setdefault(found[1].lower(), _unescaped(value))
    return Tag(opening[1].lower(), attributes, opening[0].startswith("</")), at + 1


class _Seen:
    """Collects what can be seen, and counts the open elements that hide their content."""

    def __init__(self, mark: str) -> None:
        self.pieces: list[str] = []
        self._mark = mark
        self._hidden: list[str] = []  # names of the elements open since the first that hides
        self._open: Counter[str] = Counter()  # the same, by name
        self._stop_at = -1  # where the open link with the mark began, in pieces

    def start(self, tag: Tag) -> None:
        named = tag.attributes
        hides = tag.name in _UNSEEN or "hidden" in named or is_hiding(named.get("style", ""))
        if self._hidden or hides:
            if tag.name not in _VOID:
                self._hidden.append(tag.name)
                self._open[tag.name] += 1
            return
        if tag.name in _BLOCKS:
            self.pieces.append("\n")
        if tag.name == "a":
            is_stop = named.get("href", "").strip() == self._mark
            self._stop_at = len(self.pieces) if is_stop else -1
        elif tag.name == "img" and _DOTS.isdisjoint(
            (named.get("width", ""), named.get("height", ""))
        ):
            self.pieces.append(" ".join(named.get("alt", "").split()))

    def end(self, tag: Tag) -> None:
        if self._hidden:
            while self._open[tag.name]:  # with it end those in it that were left open
                last = self._hidden.pop()
                self._open[last] -= 1
                if last == tag.name:
                    break
            return
        if tag.name in _BLOCKS:
            self.pieces.append("\n")
        if tag.name == "a" and self._stop_at >= 0:
            if any(map(str.isalnum, "".join(self.pieces[self._stop_at :]))):
                self.pieces.append(self._mark)
            self._stop_at = -1

    def text(self, text: str) -> None:
        if not self._hidden:
            # line ends in the source are blanks on the screen
            self.pieces.append(" ".join(text.splitlines()) if text.strip() else " ")
