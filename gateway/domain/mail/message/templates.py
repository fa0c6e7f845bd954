"""Templates of mails: text with slots that are filled for each recipient.

They are written as in Jinja2, and read by its parser, but nothing of them is ever run: the tree of
nodes is held against a short list of what is allowed, and turned into parts that are joined.

Allowed: ``{{ name }}``, ``{{ name | default("x") }}``, ``{% if name %}…{% else %}…{% endif %}``,
comments and ``{% raw %}``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec
from jinja2 import Environment, TemplateSyntaxError, nodes

from gateway.errors import Refusal, Refused

Where = Literal["subject", "text", "html"]
"""What a template is for."""

MOST_BYTES: dict[Where, int] = {"subject": 998, "text": 500_000, "html": 1_000_000}
"""The size of a template's source in UTF-8."""

MOST_SLOTS = 200
"""Slots and conditions of one template."""

MOST_MARKS = 1_000
"""Openings of slots, blocks and comments: what is counted before anything is parsed, since the
parser takes 40 µs for each."""

MOST_TAGS = 40_000
"""Signs ``<`` of an HTML template: each takes some microseconds wherever it is read."""

LONGEST_BLOCK = 3_000
"""Characters between two braces."""

NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")
"""What a slot's name looks like."""

ALLOWED = (
    'allowed are {{ name }}, {{ name | default("x") }}'
    " and {% if name %}…{% else %}…{% endif %}, with names of a-z, 0-9 and _"
)

Escape: TypeAlias = Callable[[str], str]
"""Makes a value safe where it is put."""


class Slot(msgspec.Struct, frozen=True, tag="slot"):
    """A place for a recipient's value."""

    name: str
    """By :data:`NAME`, or ``#…``: a value that we make ourselves, which no author can name."""
    default: str | None = None
    """For recipients without a value; ``None``: there must be one."""


class Choice(msgspec.Struct, frozen=True, tag="choice"):
    """Parts for recipients who have a value, and others for those who have none."""

    name: str
    then: "tuple[Part, ...]"
    otherwise: "tuple[Part, ...]" = ()


Part: TypeAlias = str | Slot | Choice


class Template(msgspec.Struct, frozen=True):
    """A template that was read; two neighbouring parts are never both text."""

    parts: tuple[Part, ...]

    def fill(self, values: Mapping[str, str], escape: Escape | None = None) -> str:
        """The text for one recipient.

        Args:
            values: by name; one that is blank counts as missing.
            escape: for values and defaults; the template's own text is left as it is.

        Raises:
            Refused: VALUE_MISSING, where a slot without a default has no value; the detail is the
                slot's name.
        """
        pieces: list[str] = []
        _fill(self.parts, values, escape, pieces)
        return "".join(pieces)

    @property
    def names(self) -> frozenset[str]:
        """Everything that it asks of a recipient."""
        return frozenset(part.name for part in walk(self.parts) if not isinstance(part, str))


def compile_template(source: str, where: Where) -> Template:
    """Read a template.

    Raises:
        Refused: TEMPLATE_INVALID with the line, and what is allowed; CONTENT_TOO_LARGE.
    """
    if len(source) > MOST_BYTES[where] or len(_encoded(source)) > MOST_BYTES[where]:
        raise Refused(Refusal.CONTENT_TOO_LARGE, f"{where}: more than {MOST_BYTES[where]} bytes")
    bad = (_CONTROL_IN_LINE if where == "subject" else _CONTROL).search(source)
    if bad is not None:
        line = source.count("\n", 0, bad.start()) + 1
        raise _invalid(where, line, "holds a control character, or a line end where none may be")
    if where == "html" and source.count("<") > MOST_TAGS:
        raise Refused(Refusal.CONTENT_TOO_LARGE, f"html: more than {MOST_TAGS} tags")
    _check_marks(source, where)
    try:
        _check_tokens(source, where)
        tree = _READER.parse(source)
    except TemplateSyntaxError as error:
        raise _invalid(where, error.lineno, ALLOWED) from None
    except RecursionError:
        raise _invalid(where, 1, f"nested too deeply; {ALLOWED}") from None
    except (ValueError, OverflowError):  # of numbers, which no template has
        raise _invalid(where, 1, ALLOWED) from None
    parts = _Reading(where).parts(tree.body)
    return Template(parts)


def joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """``parts`` with neighbouring texts made one, and empty ones left out."""
    whole: list[Part] = []
    for part in parts:
        if isinstance(part, str) and whole and isinstance(whole[-1], str):
            whole[-1] += part
        elif part != "":
            whole.append(part)
    return tuple(whole)


def walk(parts: Iterable[Part]) -> Iterator[Part]:
    """All parts, those of both branches of each choice after it."""
    for part in parts:
        yield part
        if isinstance(part, Choice):
            yield from walk(part.then)
            yield from walk(part.otherwise)


def is_blank(value: str | None) -> bool:
    """Whether a value counts as missing."""
    return not value or value.isspace()


def plain(value: str) -> str:
    """A recipient's value without line ends and control characters, as headers and text take it.

    Values come from imports and forms; a line end among them would be a header of a stranger's.
    """
    return _CONTROL_IN_LINE.sub(" ", value)


# --- reading ---

# What no text has: control characters but tab and line ends, and halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_IN_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_READER = Environment(keep_trailing_newline=True, autoescape=True)  # it only parses; see above

_DEEPEST = 10
"""Conditions within conditions."""


_MOST_TOKENS = 60
"""Of one block; what is allowed has a dozen, blanks counted in."""

_NUMBER = re.compile(rf"(?<![0-9_])[0-9][0-9_]{{{LONGEST_BLOCK}}}")

_MARKS = ("{{", "{%", "{#")
_BLOCK = re.compile(r"\{[{%]")
_BLOCK_END = re.compile(r"[%}]\}")


def _check_marks(source: str, where: Where) -> None:
    """Refuse what would keep the parser busy for long, by looking for braces alone."""
    if sum(map(source.count, _MARKS)) > MOST_MARKS:
        raise _invalid(where, 1, f"more than {MOST_SLOTS} slots, or {MOST_MARKS} braces")
    for found in _BLOCK.finditer(source):
        # a block ends there or, where that stands within quotes, later
        end = _BLOCK_END.search(source, found.end(), found.end() + LONGEST_BLOCK)
        if end is None and len(source) > found.end() + LONGEST_BLOCK:
            raise _too_long(where, source.count("\n", 0, found.start()) + 1)


def _check_tokens(source: str, where: Where) -> None:
    """Refuse blocks with more in them than any that is allowed, before they are parsed."""
    if _NUMBER.search(source):  # the lexer goes back and forth in it
        raise _too_long(where, 1)
    count = size = 0
    for line, kind, text in _READER.lexer.tokeniter(source, None):
        if kind in ("data", "variable_begin", "block_begin"):
            count = size = 0
            continue
        if kind.startswith(("comment", "raw")):
            continue
        count += 1
        size += len(text)
        if count > _MOST_TOKENS or size > LONGEST_BLOCK:
            raise _too_long(where, line)


class _Reading:
    """Turns one tree of nodes into parts."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._slots = 0

    def parts(self, body: Iterable[nodes.Node], depth: int = 0) -> tuple[Part, ...]:
        found: list[Part] = []
        for node in body:
            if isinstance(node, nodes.Output):
                found.extend(self._part(each) for each in node.nodes)
            elif isinstance(node, nodes.If) and not node.elif_ and depth < _DEEPEST:
                name = self._name(node.test)
                then = self.parts(node.body, depth + 1)
                found.append(Choice(name, then, self.parts(node.else_, depth + 1)))
            else:
                raise self._refused(node)
        return joined(found)

    def _part(self, node: nodes.Node) -> Part:
        if isinstance(node, nodes.TemplateData):
            return str(node.data)
        if isinstance(node, nodes.Filter):
            return Slot(self._name(node.node), self._default(node))
        return Slot(self._name(node))

    def _name(self, node: nodes.Node | None) -> str:
        self._slots += 1
        if self._slots > MOST_SLOTS:
            line = node.lineno if node else 1
            raise _invalid(self._where, line, f"more than {MOST_SLOTS} slots")
        if isinstance(node, nodes.Name) and NAME.fullmatch(node.name):
            return node.name
        raise self._refused(node)

    def _default(self, node: nodes.Filter) -> str:
        is_plain = node.name == "default" and len(node.args) == 1 and not node.kwargs
        if is_plain and node.dyn_args is None and node.dyn_kwargs is None:
            (constant,) = node.args
            if isinstance(constant, nodes.Const) and isinstance(constant.value, str):
                # Written as \\x00, it is read as one so late.
                if _CONTROL_IN_LINE.search(constant.value):
                    why = "a default holds a control character or a line end"
                    raise _invalid(self._where, node.lineno, why)
                return constant.value
        raise self._refused(node)

    def _refused(self, node: nodes.Node | None) -> Refused:
        return _invalid(self._where, node.lineno if node else 1, ALLOWED)


def _too_long(where: Where, line: int) -> Refused:
    why = f"braces with too much between them, or which never close; {ALLOWED}"
    return _invalid(where, line, why)


def _invalid(where: Where, line: int | None, why: str) -> Refused:
    return Refused(Refusal.TEMPLATE_INVALID, f"{where}, line {line or 1}: {why}")


def _encoded(source: str) -> bytes:
    return source.encode(errors="replace")  # a lone surrogate is told of with control characters


# --- filling ---


def _fill(
    parts: tuple[Part, ...],
    values: Mapping[str, str],
    escape: Escape | None,
    pieces: list[str],
) -> None:
    for part in parts:
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, Slot):
            value = values.get(part.name)
            if value is None or is_blank(value):
                if part.default is None:
                    raise Refused(Refusal.VALUE_MISSING, part.name)
                value = part.default
            pieces.append(escape(value) if escape else value)
        else:
            has = not is_blank(values.get(part.name))
            _fill(part.then if has else part.otherwise, values, escape, pieces)
