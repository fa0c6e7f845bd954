"""The checks that all validation is made of; each notes what is wrong and goes on.

Wording and places as in "Error responses" of the Messaging API reference.
"""

from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlsplit

from adapters.line.simulator.protocol import Fault, Json
from adapters.line.simulator.texts import graphemes, units

EMPTY = "May not be empty"
MOST_URL = 2000


class Checks:
    """Collects :class:`Fault` values; the methods say whether what they looked at was right."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def note(self, where: str, what: str) -> bool:
        """Something is wrong."""
        self.faults.append(Fault(what, where))
        return False

    def text(
        self,
        owner: Json,
        where: str,
        name: str,
        most: int,
        *,
        least: int = 1,
        required: bool = True,
        count: Callable[[str], int] = units,
    ) -> bool:
        """``owner[name]`` is a text of ``least`` to ``most`` characters."""
        place = f"{where}.{name}"
        value = owner.get(name)
        if value is None:
            return not required or self.note(place, EMPTY)
        if not isinstance(value, str):
            return self.note(place, "must be a string")
        if least and not value:
            return self.note(place, EMPTY)
        if not least <= count(value) <= most:
            return self.note(place, f"Length must be between {least} and {most}")
        return True

    def label(self, owner: Json, where: str, most: int, *, required: bool = True) -> bool:
        """``owner["label"]`` has at most so many characters as a person counts them."""
        return self.text(owner, where, "label", most, required=required, count=graphemes)

    def one_of(
        self,
        owner: Json,
        where: str,
        name: str,
        values: Collection[str],
        *,
        required: bool = True,
    ) -> bool:
        """``owner[name]`` is one of ``values``."""
        value = owner.get(name)
        if value is None and not required:
            return True
        if not isinstance(value, str) or value not in values:
            known = ", ".join(sorted(values))
            return self.note(f"{where}.{name}", f"Must be one of the following values: [{known}]")
        return True

    def number(
        self,
        owner: Json,
        where: str,
        name: str,
        least: float,
        most: float,
        *,
        whole: bool = True,
        required: bool = True,
    ) -> bool:
        """``owner[name]`` is a number within its bounds."""
        value = owner.get(name)
        if value is None:
            return not required or self.note(f"{where}.{name}", EMPTY)
        kinds = int if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            return self.note(f"{where}.{name}", f"must be between {least} and {most}")
        return True

    def url(
        self,
        owner: Json,
        where: str,
        name: str,
        *,
        schemes: Collection[str] = ("https",),
        most: int = MOST_URL,
        required: bool = True,
    ) -> bool:
        """``owner[name]`` is an address with one of ``schemes``."""
        if not self.text(owner, where, name, most, required=required):
            return False
        value = owner.get(name)
        if value is None:
            return True
        try:
            parts = urlsplit(value)
        except ValueError:
            return self.note(f"{where}.{name}", "invalid uri")
        if parts.scheme not in schemes:
            return self.note(f"{where}.{name}", "invalid uri scheme")
        if not (parts.netloc or parts.path) or any(letter.isspace() for letter in value):
            return self.note(f"{where}.{name}", "invalid uri")
        return True

    def items(
        self, owner: Json, where: str, name: str, least: int, most: int, *, required: bool = True
    ) -> list[Any]:
        """The list ``owner[name]`` if it has ``least`` to ``most`` entries, else an empty one."""
        value = owner.get(name)
        if value is None and not required:
            return []
        if not isinstance(value, list) or not least <= len(value) <= most:
            self.note(f"{where}.{name}", f"Size must be between {least} and {most}")
            return []
        return value

    def thing(self, value: object, where: str) -> bool:
        """``value`` is an object."""
        return isinstance(value, dict) or self.note(where, "must be an object")

    def known(self, owner: Json, where: str, names: Collection[str]) -> bool:
        """``owner`` has no property beside ``names``."""
        strangers = [name for name in owner if name not in names]
        for name in strangers:
            self.note(f"{where}.{name}", "unknown field")
        return not strangers
