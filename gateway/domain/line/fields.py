"""What a message object is described with: each kind of value checks one, and fills in variables.

A check tells each problem as ``path: what is wrong; what to write``, and never shows a value: it
may be somebody's name or number.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from gateway.domain.line import texts
from gateway.domain.line.texts import Unit

Values = Mapping[str, str]
"""What is put in place of each variable."""

_DEEPEST = 60
"""Steps of a path, so that a message cannot use up the stack."""

_LONGEST = 50_000
"""Characters of a text, its variables and doubled braces included, that is looked at; no limit of
the platform comes near."""

_MOST_UNKNOWN = 20
"""So many fields that a table has not are told of."""


def tell(found: list[str], path: str, problem: str) -> None:
    """Add a problem of what stands at ``path``."""
    found.append(f"{path or 'message'}: {problem}")


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _or(words: Mapping[str, Any] | tuple[str, ...], end: str = "") -> str:
    *others, last = (word + end for word in words)
    return f"{', '.join(others)} or {last}" if others else last


class Kind(msgspec.Struct, frozen=True):
    """A kind of value."""

    _takes: ClassVar[tuple[type, ...]] = ()
    """The types of values that can hold variables."""

    def check(self, value: Any, path: str, found: list[str]) -> None:
        """Add what is wrong with ``value``, which stands at ``path``, to ``found``."""
        if problem := self._problem(value):
            tell(found, path, problem)
        else:
            self._look_inside(value, path, found)

    def fill(self, value: Any, values: Values) -> Any:
        """``value`` with its variables replaced; what is of another kind stays as it is."""
        return self._filled(value, values) if isinstance(value, self._takes) else value

    def _problem(self, value: Any) -> str | None:
        raise NotImplementedError

    def _look_inside(self, value: Any, path: str, found: list[str]) -> None:
        """Check the parts of a value that is right by itself."""

    def _filled(self, value: Any, values: Values) -> Any:
        raise NotImplementedError


# --- values that stay as they are ---


class Flag(Kind, frozen=True):
    """True or false."""

    def _problem(self, value: Any) -> str | None:
        if isinstance(value, bool):
            return None
        return "is neither true nor false; write one of them, without quotes"


class Number(Kind, frozen=True):
    """A number from ``least`` to ``most``."""

    least: float
    most: float
    whole: bool = True

    def _problem(self, value: Any) -> str | None:
        sound = isinstance(value, int) or (isinstance(value, float) and not self.whole)
        if sound and not isinstance(value, bool) and self.least <= value <= self.most:
            return None
        kind = "whole number" if self.whole else "number"
        return f"is no {kind} from {self.least} to {self.most}; write one, without quotes"


class Choice(Kind, frozen=True):
    """One of a few words."""

    words: tuple[str, ...]

    def _problem(self, value: Any) -> str | None:
        return None if value in self.words else f"is not a choice; write {_or(self.words)}"


class Form(Kind, frozen=True):
    """A text of a fixed form."""

    pattern: str
    hint: str
    """What to write, as in ``a colour like "#00FF88"``."""

    def _problem(self, value: Any) -> str | None:
        if isinstance(value, str) and re.fullmatch(self.pattern, value, re.ASCII):
            return None
        return f"has another form; write {self.hint}"


# --- texts ---


class _Written(Kind, frozen=True):
    """What the texts have in common: a limit, and variables."""

    _takes: ClassVar[tuple[type, ...]] = (str,)

    def _problem(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return "is not a text; put it in quotes"
        if len(value) > _LONGEST:  # looking closer takes a second for some
            return f"has {len(value):,} characters; write a text that somebody reads"
        if problem := texts.unfit(value) or self._misused(value):
            return problem
        return self._unfit(value, self._put(value, texts.LEAST))

    def _misused(self, text: str) -> str | None:
        """What is wrong with the variables in ``text``."""
        raise NotImplementedError

    def _put(self, text: str, values: Values) -> str:
        """``text`` with its variables replaced."""
        raise NotImplementedError

    def _unfit(self, text: str, bare: str) -> str | None:
        """What is wrong with ``text``, which is ``bare`` for a friend without a name."""
        raise NotImplementedError


def _too_long(bare: str, most: int | None, unit: Unit) -> str | None:
    if most is None or (size := texts.length(bare, unit, most)) <= most:
        return None
    return f"has {size:,} characters; write at most {most:,}"


def _blank(text: str, bare: str) -> str | None:
    if bare.strip():
        return None
    if not text.strip():
        return "is empty; write a text, or leave the field out"
    return "is empty for a friend without a name; write words beside {name}"


class Text(_Written, frozen=True):
    """A text that people read; beyond its limit it loses its end."""

    most: int | None = None
    unit: Unit = "utf16"

    def _misused(self, text: str) -> str | None:
        return texts.misused(text)

    def _put(self, text: str, values: Values) -> str:
        return texts.filled(text, values)

    def _unfit(self, text: str, bare: str) -> str | None:
        return _blank(text, bare) or _too_long(bare, self.most, self.unit)

    def _filled(self, value: Any, values: Values) -> Any:
        text = self._put(value, values)
        return text if self.most is None else texts.cut(text, self.most, self.unit)


class _Uncut(_Written, frozen=True):
    """A text whose parts belong together; beyond its limit it loses the values instead."""

    most: int

    def _filled(self, value: Any, values: Values) -> Any:
        text = self._put(value, values)
        if texts.text_length(text) <= self.most:
            return text
        if values is texts.WIDEST:  # where it is weighed: shorter values may just fit
            return text[: self.most]
        return self._put(value, texts.NOTHING)


class MixedText(_Uncut, frozen=True):
    """A text in which the platform replaces ``{keys}`` by itself, beside our variables."""

    keys: frozenset[str]

    def _misused(self, text: str) -> str | None:
        problem = texts.misused(text, self.keys)
        return problem and f"{problem}; or add it to substitution"

    def _put(self, text: str, values: Values) -> str:
        return texts.filled_around(text, values, self.keys)

    def _unfit(self, text: str, bare: str) -> str | None:
        return _blank(text, bare) or _too_long(bare, self.most, "utf16")


class Data(_Uncut, frozen=True):
    """A text for machines; what is put into it is percent-encoded."""

    def _misused(self, text: str) -> str | None:
        return texts.misused_plainly(text)

    def _put(self, text: str, values: Values) -> str:
        return texts.filled_encoded(text, values)

    def _unfit(self, text: str, bare: str) -> str | None:
        return _too_long(bare, self.most, "utf16")


# RFC 3986, 2: what an address is made of; all else is percent-encoded.
_URI = r"(?:[\w\-.~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+"


class Address(Data, frozen=True):
    """A URI of one of ``schemes``; after its host it may hold variables."""

    schemes: tuple[str, ...] = ("https",)

    def _unfit(self, text: str, bare: str) -> str | None:
        scheme, _, rest = text.partition(":")
        scheme = scheme.lower()
        if scheme not in self.schemes or not rest:
            return f"is no address of that kind; begin it with {_or(self.schemes, ':')}"
        if not re.fullmatch(_URI, bare, re.ASCII):
            return "holds characters that no address can; percent-encode them, as %20 for a space"
        if scheme == "tel" and not re.fullmatch(r"[0-9+*#(),;.\-]+", rest):
            return "is no telephone number; write it like tel:0312345678"
        if scheme in ("http", "https") and not _has_host(text):
            return "has no fixed host; write it like https://shop.example.jp/menu"
        return _too_long(bare, self.most, "utf16")


def _has_host(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return bool(parts.hostname) and "{" not in parts.netloc and parts.port != 0
    except ValueError:
        return False


# --- what is made of others ---


class Items(Kind, frozen=True):
    """A list of one kind."""

    _takes: ClassVar[tuple[type, ...]] = (list, tuple)

    kind: Kind
    least: int
    most: int | None = None

    def _problem(self, value: Any) -> str | None:
        if not isinstance(value, list | tuple):
            return "is not a list; write it in square brackets"
        if len(value) < self.least:
            return f"has {len(value)} items; write at least {self.least}"
        if self.most is not None and len(value) > self.most:
            return f"has {len(value):,} items; write at most {self.most}"
        return None

    def _look_inside(self, value: Any, path: str, found: list[str]) -> None:
        for place, item in enumerate(value):
            self.kind.check(item, f"{path}[{place}]", found)

    def _filled(self, value: Any, values: Values) -> Any:
        return [self.kind.fill(item, values) for item in value]


class Keyed(Kind, frozen=True):
    """A table whose names are free within a form; it holds no variables."""

    kind: Kind
    key: str
    hint: str
    most: int

    def _problem(self, value: Any) -> str | None:
        if not isinstance(value, Mapping):
            return "is not a table; write it in braces"
        if len(value) > self.most:
            return f"has {len(value):,} entries; write at most {self.most}"
        if not all(isinstance(key, str) and re.fullmatch(self.key, key, re.ASCII) for key in value):
            return f"has a key of another form; write {self.hint}"
        return None

    def _look_inside(self, value: Any, path: str, found: list[str]) -> None:
        for name, item in value.items():
            self.kind.check(item, _at(path, name), found)


class Object(Kind, frozen=True):
    """A table with known fields."""

    _takes: ClassVar[tuple[type, ...]] = (Mapping,)

    what: str
    """What it is, for whoever wrote a field that it does not have."""
    fields: dict[str, Kind]
    needs: tuple[str, ...] = ()
    varying: Callable[[Mapping[str, Any]], dict[str, Kind]] | None = None
    """Fields whose kind depends on the others."""
    rule: Callable[[Mapping[str, Any], str, list[str]], None] | None = None
    """What is asked of fields together; called where each for itself is right."""

    def _kinds(self, value: Mapping[str, Any]) -> dict[str, Kind]:
        return self.fields | self.varying(value) if self.varying else self.fields

    def _problem(self, value: Any) -> str | None:
        return None if isinstance(value, Mapping) else f"is no {self.what}; write it in braces"

    def _look_inside(self, value: Any, path: str, found: list[str]) -> None:
        if path.count(".") + path.count("[") > _DEEPEST:
            tell(found, path, "is nested too deep; write it flatter")
            return
        before, kinds = len(found), self._kinds(value)
        unknown = (name for name in value if name not in kinds)
        for name in islice(unknown, _MOST_UNKNOWN):  # finding what is near takes a while
            tell(found, path, _unknown(name, kinds, self.what))
        for name in self.needs:
            if name not in value:
                tell(found, _at(path, name), "is missing; write it")
        for name, kind in kinds.items():
            if name in value:
                kind.check(value[name], _at(path, name), found)
        if self.rule and len(found) == before:
            self.rule(value, path, found)

    def _filled(self, value: Any, values: Values) -> Any:
        kinds = self._kinds(value)
        return {
            name: kinds[name].fill(item, values) if name in kinds else item
            for name, item in value.items()
        }


def _unknown(name: Any, kinds: Mapping[str, Kind], what: str) -> str:
    short = str(name)[:40]
    near = difflib.get_close_matches(short, kinds, 1)
    remedy = f'write "{near[0]}"' if near else "take it out"
    return f"has the field {short!a}, which a {what} has not; {remedy}"


class Tagged(Kind, frozen=True):
    """A table whose field ``type`` says what else it has."""

    _takes: ClassVar[tuple[type, ...]] = (Mapping,)

    what: str
    kinds: dict[str, Object]
    elsewhere: dict[str, str] = {}
    """Types that are right in other places, and what is to be said of them."""

    def _problem(self, value: Any) -> str | None:
        return None if isinstance(value, Mapping) else f"is no {self.what}; write it in braces"

    def _look_inside(self, value: Any, path: str, found: list[str]) -> None:
        tag = value.get("type")
        if isinstance(tag, str) and tag in self.kinds:
            self.kinds[tag].check(value, path, found)
            return
        wrong = self.elsewhere.get(tag) if isinstance(tag, str) else None
        problem = wrong or f"is no type of {self.what}"
        tell(found, _at(path, "type"), f"{problem}; write {_or(self.kinds)}")

    def _filled(self, value: Any, values: Values) -> Any:
        tag = value.get("type")
        kind = self.kinds.get(tag) if isinstance(tag, str) else None
        return kind.fill(value, values) if kind else value


def tagged(what: str, tag: str, fields: dict[str, Kind], **more: Any) -> Object:
    """An object that a :class:`Tagged` knows by ``tag``."""
    return Object(what, {"type": Choice((tag,))} | fields, **more)


def largest(kind: Kind, value: Any) -> int:
    """The most bytes that the JSON of ``value`` can become once its variables are replaced."""
    return len(msgspec.json.encode(kind.fill(value, texts.WIDEST)))
