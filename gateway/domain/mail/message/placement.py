"""Where in HTML slots and conditions cannot stand: they would be lost, or mean something else.

A list's mails are made of one document, of which style becomes attributes of elements; what is for
programs rather than for people is no place for a recipient's values.
"""

import re
from collections.abc import Iterable, Iterator

from gateway.domain.mail.message.templates import Part, Slot, Template

# Marks are words, as values are; no template holds their last characters.
_SLOT, _BOUND = "\x01", "\x02"
_MARK = re.compile(f"z([0-9]+)([{_SLOT}{_BOUND}])")

# What begins where, read as browsers do; each alternative ends before another one can begin in it,
# so that no document takes long.
_PLACE = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(?P<raw>style|script|title|textarea)(?=[\s/>]).*?(?=</(?P=raw)[\s/>]|\Z)"
    f"|<(?P<link>link)(?=[\\s/>])[^<>]*"
    f"|</?(?P<name>[a-z]?[^\\s/<>{_SLOT}{_BOUND}]*[{_SLOT}{_BOUND}])"
    f"|</(?P<end>[a-z][^<>]*)",
    re.IGNORECASE | re.DOTALL,
)
_WHOLE = frozenset({"style", "script", "link"})
"""Elements in which nothing may stand; in the others that hold text alone no condition may."""


def misplaced(template: Template) -> Iterator[str]:
    """What stands where it cannot, once for each place.

    More of this kind shows where the style is put into the elements: an attribute that is there
    twice, a document with two bodies.
    """
    marked = _Marked(template)
    for found in _PLACE.finditer(marked.html):
        marks = _MARK.findall(found[0])
        if not marks:
            continue
        element = (found["raw"] or found["link"] or "").lower()
        if element and element not in _WHOLE:
            marks = [mark for mark in marks if mark[1] == _BOUND]
        if not marks or not found.lastgroup:  # nothing of the kind, or in a comment
            continue
        place = f"<{element}>" if element else "the name of a tag"
        if found["end"]:
            place = "a closing tag"
        yield f"{marked.names[int(marks[0][0])]} stands in {place}, where nothing can be filled in"


class _Marked:
    """A template's HTML with a mark for each slot and for the bounds of each condition."""

    def __init__(self, template: Template) -> None:
        self.names: list[str] = []
        self.html = "".join(self._pieces(template.parts))

    def _pieces(self, parts: Iterable[Part]) -> Iterator[str]:
        for part in parts:
            if isinstance(part, str):
                yield part
            elif isinstance(part, Slot):
                yield self._mark(part.name, _SLOT)
            else:
                yield self._mark(f"if {part.name}", _BOUND)
                yield from self._pieces(part.then)
                yield self._mark(f"if {part.name}", _BOUND)
                yield from self._pieces(part.otherwise)
                yield self._mark(f"if {part.name}", _BOUND)

    def _mark(self, name: str, kind: str) -> str:
        self.names.append(name)
        return f"z{len(self.names) - 1}{kind}"
