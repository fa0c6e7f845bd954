"""How a table of the files becomes an entity, and the checks that several tables share."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.domain.line.channel import Channel
from gateway.domain.provisioning import Blob, Entity
from gateway.domain.tenancy import OPERATOR
from gateway.domain.values import micros
from gateway.tomlfile import Key, Wrong, anything, line


class Entry(msgspec.Struct, frozen=True):
    """An entity as a file tells it or, without a place, as the store holds it."""

    place: str
    values: dict[str, Any]
    """Those that are right; the others are among the problems."""
    removed: bool = False


Everything = Mapping[str, Mapping[str, Entry]]
"""What will stand once the files are applied: entries by table and key."""


class Table(msgspec.Struct, frozen=True):
    """One table of the files: its keys, and what is made of them."""

    kind: type[Entity]
    keys: tuple[Key, ...]
    """The first one tells the entities of the table apart."""
    build: Callable[[dict[str, Any]], Entity]
    """Makes the entity of the values of all keys."""
    refers: tuple[tuple[str, str], ...] = (("advertiser", "advertiser"),)
    """Keys that name an entity of another table, with that table; an empty value names none."""
    check: Callable[[Everything], Iterator[str]] = lambda everything: iter(())
    """What else must hold between the entities; yields a line for each mistake."""
    blob: Callable[[dict[str, Any]], Blob | None] = lambda values: None
    """The file that the store keeps with an entity, of the values of all keys."""
    lasting: tuple[str, ...] = ()
    """Keys whose values stay as long as the entity is there: much was kept by them."""
    note: Callable[[dict[str, Any]], str] = lambda values: ""
    """What whoever applies an entity should know, though nothing is wrong; mostly nothing."""

    @property
    def name(self) -> str:
        """What is written in double brackets."""
        return self.kind.table


REMOVED = Key("removed", bool, anything, "true takes the entity away.", False)
"""The last key of every table."""


def id_of(value: str, _: Path) -> str:
    """The id of an entity."""
    if not re.fullmatch(r"[a-z0-9-]{1,40}", value):
        raise Wrong("is not an id", "write 1 to 40 of a-z, 0-9 and -")
    if value == OPERATOR:
        raise Wrong("is the operator itself", "write another id")
    return value


def perhaps_id(value: str, folder: Path) -> str:
    """An id, or nothing."""
    return id_of(value, folder) if value else value


def instant(value: datetime, _: Path) -> int:
    """An instant, in microseconds."""
    if value.tzinfo is None:
        raise Wrong("has no offset", "write it like 2026-11-01T10:00:00+09:00")
    return micros(value)


def ours_in(value: Any, kind: str) -> Iterator[str]:
    """The ids that message objects of ours of one ``kind`` (coupon, card, survey) have, anywhere in
    the values of an entity.
    """
    if isinstance(value, dict):
        if value.get("type") == kind and isinstance(value.get(kind), str):
            yield value[kind]
        for each in value.values():
            yield from ours_in(each, kind)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from ours_in(each, kind)
    elif hasattr(value, "messages"):  # a rule or a step, as the store gives it back
        yield from ours_in(value.messages, kind)


def amiss_in_messages(
    everything: Everything,
    kind: str,
    table: str,
    *,
    by: Sequence[str] = (Channel.table,),
    same: Sequence[str],
    names: Callable[[Any, str], Iterable[str]] = ours_in,
) -> Iterator[str]:
    """A line for each entity of ``table`` that messages name and that is not there, or is somebody
    else's.

    ``kind`` is what messages call such an entity, and ``names`` finds those names in the values of
    an entity of one of the tables ``by``. The two have in common what ``same`` says (advertiser,
    channel); one that is named and says nothing of it is for all.
    """
    for whose in by:
        for key, entry in everything.get(whose, {}).items():
            own = {"channel": key} | entry.values if whose == Channel.table else entry.values
            for name in sorted(set(names(entry.values, kind))):
                found = everything[table].get(name)
                wrong = _amiss(own, None if found is None else found.values, table, same)
                if wrong is not None:
                    yield line(f"{entry.place or f'{whose} {key}'}: {kind}", name, wrong)


def _amiss(
    own: Mapping[str, Any], named: Mapping[str, Any] | None, table: str, same: Sequence[str]
) -> Wrong | None:
    if named is None:
        return Wrong("a message names it, and it does not exist", f"add a [[{table}]]")
    for what in same:
        if named.get(what, "") not in ("", own.get(what)):
            return Wrong(f"a message names it, and it is another {what}'s", "name another")
    return None


ADVERTISER_KEY = Key("advertiser", str, id_of, "Whose it is.", example="acme", required=True)
"""The key of every entity that belongs to one."""
