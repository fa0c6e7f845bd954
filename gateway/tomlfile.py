"""Reading what people write in TOML: every mistake becomes one line with its place and remedy."""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.errors import Misconfigured

Check = Callable[[Any, Path], Any]
"""Makes the value a program uses of the one a person wrote, or raises :class:`Wrong`.
Its second argument is the folder that relative paths start at."""

Place = Callable[[str], str]
"""Where a key stands, given its name: the beginning of a line about it."""

_KINDS: dict[type[Any], str] = {
    str: "text in quotes",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
    float: "a number with a point",
    datetime: "a time with an offset, without quotes",
    date: "a day, without quotes",
}
_LONGEST_SHOWN = 100
_MOST_SECRET_BYTES = 65_536


class Wrong(Exception):
    """A value is wrong: what is wrong with it, and what to write instead."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")


class Secret(str):
    """A text that does not show itself where the structure around it is printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "•••"


class Key(msgspec.Struct, frozen=True):
    """One key that a table may have."""

    name: str
    kind: type[Any]
    """What TOML makes of it: one of ``str``, ``int``, ``bool``, ``list``, ``dict``,
    ``float``, ``datetime``, ``date``."""
    check: Check
    doc: str
    """One line for the reference: what it means, and its unit."""
    default: Any = None
    """As a person would write it; without one the value is ``None``."""
    example: object = None
    """What to write where there is no default."""
    required: bool = False
    secret: bool = False
    """Never shown; ``<name>_file`` may name a file that holds it."""
    each: Check | None = None
    """The check of every entry of a list of texts."""
    keys: "tuple[Key, ...]" = ()
    """The keys of a table within, or of each table of a list of such."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which it may be written."""
        return (self.name, f"{self.name}_file") if self.secret else (self.name,)


# --- files and tables ---


def document(path: Path) -> dict[str, Any]:
    """The tables of a file.

    Raises:
        Misconfigured: it cannot be read, or is not TOML in UTF-8.
    """
    try:
        # Editors on Windows put a byte order mark in front, which TOML does not know.
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); name a file that exists and is readable"
    except UnicodeDecodeError:
        problem = "is not UTF-8; save it as UTF-8"
    except (ValueError, RecursionError) as error:
        problem = f"is not TOML: {error}; mend that line"
    raise Misconfigured([f"{path}: {problem}"])


def take(
    table: Mapping[str, Any],
    keys: Sequence[Key],
    place: Place,
    folder: Path,
    problems: list[str],
) -> dict[str, Any]:
    """The values of ``table`` for all ``keys``, defaults included.

    Each mistake adds a line to ``problems``, and its key is left out of the values.
    """
    known = [name for key in keys for name in key.names]
    problems += [
        # The value stays unseen: it may be a secret under a misspelt name.
        f"{place(name)}: unknown key; {instead(name, known)}"
        for name in table
        if name not in known
    ]
    values: dict[str, Any] = {}
    for key in keys:
        before = len(problems)
        value = _take_key(table, key, place, folder, problems)
        if len(problems) == before:
            values[key.name] = value
    return values


def _take_key(
    table: Mapping[str, Any], key: Key, place: Place, folder: Path, problems: list[str]
) -> Any:
    name, given = key.name, table.get(key.name)
    file = table.get(f"{name}_file") if key.secret else None
    shows: object = Secret() if key.secret else given
    try:
        if file is not None:
            if given is not None:
                raise Wrong(f"{name}_file is given as well", "keep one of the two")
            name, shows = f"{name}_file", file
            given = _secret(file, folder)
        if given is None:
            if key.required:
                problems.append(f"{place(name)}: is missing; add {_like(key)}")
            if key.default is None:
                return None
            given = key.default
        if type(given) is not key.kind:  # isinstance would take true for a number
            remedy = "write one, without quotes" if key.kind is bool else f"write {_like(key)}"
            raise Wrong(f"is not {_KINDS[key.kind]}", remedy)
        if key.each is not None:
            given = [_take_entry(entry, key.each, place(name), folder, problems) for entry in given]
        elif key.keys:
            given = _take_within(given, key.keys, place(name), folder, problems)
        return key.check(given, folder)
    except Wrong as wrong:
        problems.append(line(place(name), shows, wrong))
        return None


def _take_entry(entry: object, check: Check, place: str, folder: Path, problems: list[str]) -> Any:
    try:
        if not isinstance(entry, str):
            raise Wrong("is not text in quotes", "put quotes around it")
        return check(entry, folder)
    except Wrong as wrong:
        problems.append(line(place, entry, wrong))
        return entry


def _take_within(
    given: Any, keys: Sequence[Key], place: str, folder: Path, problems: list[str]
) -> Any:
    """The values of a table within a table, or of a list of such."""
    if isinstance(given, dict):
        return take(given, keys, lambda name: f"{place}.{name}", folder, problems)
    values = []
    for ordinal, entry in enumerate(given, 1):
        where = f"{place}[{ordinal}]"
        if isinstance(entry, dict):
            values.append(_take_within(entry, keys, where, folder, problems))
        else:
            problems.append(line(where, entry, Wrong("is not a table", "write { … }")))
    return values


def _secret(file: object, folder: Path) -> str:
    """What a secret's file holds, without the blanks and line ends around it."""
    if not isinstance(file, str) or not file or "\0" in file:
        raise Wrong("is not a file's name in quotes", 'write it like "secrets/token"')
    path = folder / file
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(_MOST_SECRET_BYTES).decode("utf-8-sig").strip()
    except OSError as error:
        raise Wrong(
            f"cannot be read ({error.strerror})", "name a file that exists and is readable"
        ) from error
    except UnicodeDecodeError:
        raise Wrong("is not UTF-8 text", "write nothing but the secret into it") from None
    # A group may read it: that is how Kubernetes and systemd hand a secret to a service.
    if mode & 0o037:
        raise Wrong(f"others may open it (mode {mode & 0o777:04o})", f"run: chmod 600 {path}")
    if not content:
        raise Wrong("the file is empty", "write the secret into it")
    return content


# --- what is said about mistakes ---


def line(place: str, value: object, wrong: Wrong) -> str:
    """The line that tells of a wrong value."""
    return f"{place} = {shown(value)}: {wrong}"


def shown(value: object) -> str:
    """``value`` about as it was written: on one line, not too long, without passwords."""
    if isinstance(value, Secret):
        return repr(value)
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat()
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = re.sub(r"(://[^:/?#]*:).*@", r"\1•••@", text)
    text = re.sub(r"([?&]password=)[^&\"]*", r"\1•••", text)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def instead(name: str, known: Iterable[str], likeness: float = 0.5) -> str:
    """The remedy for a name that is not one of ``known``: the nearest of at least ``likeness``."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=likeness)
    return f"did you mean {near[0]}?" if near else f"write one of: {', '.join(known)}"


def _like(key: Key) -> str:
    if key.secret:
        return " or ".join(key.names)
    sample = key.example if key.default is None else key.default
    return f"{key.name} = {shown(sample)}"


# --- checks ---


def whole(low: int, high: int) -> Check:
    """A whole number from ``low`` to ``high``."""

    def check(value: int, _: Path) -> int:
        if not low <= value <= high:
            raise Wrong("is out of range", f"write {low} to {high}")
        return value

    return check


def one_of(*words: str) -> Check:
    """One of a few words."""

    def check(value: str, _: Path) -> str:
        if value not in words:
            raise Wrong("is not a choice", instead(value, words))
        return value

    return check


def printable(most: int) -> Check:
    """One line of up to ``most`` characters with no blank at either end."""

    def check(value: str, _: Path) -> str:
        plain = value.replace("\u3000", " ")  # the blank of Japanese names
        if not (1 <= len(value) <= most and plain.isprintable() and plain == plain.strip()):
            raise Wrong("is not a line of text", f"write 1 to {most} characters, none invisible")
        return value

    return check


def secret(most: int) -> Check:
    """A secret: one line of up to ``most`` characters."""
    check = printable(most)
    return lambda value, folder: Secret(check(value, folder))


def entries(least: int, most: int) -> Check:
    """A list of ``least`` to ``most`` entries."""

    def check(value: list[Any], _: Path) -> tuple[Any, ...]:
        if len(value) > most:
            raise Wrong("has too many entries", f"write at most {most}")
        if len(value) < least:
            raise Wrong("has too few entries", f"write {least} to {most}")
        return tuple(value)

    return check


def anything(value: Any, _: Path) -> Any:
    """Whatever has the right kind."""
    return value
