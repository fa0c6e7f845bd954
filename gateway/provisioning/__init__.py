"""Provisioning files: TOML into a plan, with all errors of all files at once.

An entity is described in full by its table: a key left out has its default, whatever the store
holds. Entities that no file names stay as they are.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gateway.domain.provisioning import KINDS, Entity, Held, Plan
from gateway.domain.tenancy import OPERATOR
from gateway.errors import Misconfigured
from gateway.provisioning import (
    advertisers,
    audience,
    cards,
    coupons,
    line,
    links,
    mail,
    menus,
    numbers,
    pushes,
    surveys,
)
from gateway.provisioning.base import REMOVED, Entry, Everything, Table
from gateway.tomlfile import Key, Wrong, document, instead, take
from gateway.tomlfile import line as said

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        advertisers.TABLE,
        numbers.TABLE,
        line.TABLE,
        cards.TABLE,
        coupons.TABLE,
        links.TABLE,
        audience.TABLE,
        pushes.TABLE,
        menus.TABLE,
        surveys.TABLE,
        mail.TABLE,
        mail.SEGMENT_TABLE,
    )
}
"""Every table of the files, in the order of the reference."""


def read(paths: Sequence[Path], held: Held) -> Plan:
    """The plan of all files together; what the store holds is what they may refer to.

    Raises:
        Misconfigured: something is wrong; it holds a line for each mistake.
    """
    problems: list[str] = []
    told: dict[str, dict[str, Entry]] = {table: {} for table in TABLES}
    for path in paths:
        try:
            tables = document(path)
        except Misconfigured as wrong:
            problems += wrong.problems
            continue
        for table, content in tables.items():
            if table in TABLES:
                _read_table(path, TABLES[table], content, told[table], problems)
            else:
                problems.append(f"{path}: {table}: unknown table; {instead(table, TABLES)}")
    everything = {name: _after(held.get(name, {}), told[name]) for name in TABLES}
    for one in TABLES.values():
        problems += _strays(one, everything, told)
        problems += _turncoats(one, held, told)
    for one in TABLES.values():
        problems += one.check(everything)
    if problems:
        raise Misconfigured(problems)
    return _plan(told)


def _read_table(
    path: Path, table: Table, content: object, told: dict[str, Entry], problems: list[str]
) -> None:
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        problems.append(
            f"{path}: {table.name}: is not a list of tables; write [[{table.name}]] above each"
        )
        return
    key = table.keys[0].name
    for ordinal, entry in enumerate(content, 1):
        name = entry.get(key)
        if not (isinstance(name, str) and re.fullmatch(r"[!-~]{1,40}", name)):
            name = f"#{ordinal}"
        place = f"{path}: [[{table.name}]] {name}"
        found = _read_entry(path, place, entry, table.keys, problems)
        identity = found.values.get(key)
        if identity in told:
            problems.append(f"{place}: is there twice, see {told[identity].place}; keep one")
        elif identity is not None:
            told[identity] = found


def _read_entry(
    path: Path, place: str, table: dict[str, Any], keys: Sequence[Key], problems: list[str]
) -> Entry:
    removed = table.get("removed") is True
    if removed:  # what else is written of it does not matter any more
        keys = (keys[0], REMOVED)
        table = {key.name: table[key.name] for key in keys if key.name in table}
    folder = path.absolute().parent
    values = take(table, keys, lambda name: f"{place}: {name}", folder, problems)
    values.pop("removed", None)
    return Entry(place, values, removed)


def _plan(told: Mapping[str, Mapping[str, Entry]]) -> Plan:
    entries = [
        (TABLES[kind.table], key, entry)
        for kind in KINDS
        for key, entry in told[kind.table].items()
    ]
    wanted = [each for each in entries if not each[2].removed]
    blobs = {(table.name, key): table.blob(entry.values) for table, key, entry in wanted}
    notes = [(entry.place, table.note(entry.values)) for table, _, entry in wanted]
    return Plan(
        tuple(table.build(dict(entry.values)) for table, _, entry in wanted),
        tuple((table.name, key) for table, key, entry in entries if entry.removed),
        {name: blob for name, blob in blobs.items() if blob is not None},
        tuple(f"{place}: {note}" for place, note in notes if note),
    )


# --- what must hold between the entities once the files are applied ---


def _after(known: Mapping[str, Entity], told: Mapping[str, Entry]) -> dict[str, Entry]:
    """What the store will hold."""
    held = {key: Entry("", _fields(entity)) for key, entity in known.items()}
    return {key: entry for key, entry in {**held, **told}.items() if not entry.removed}


def _fields(entity: Any) -> dict[str, Any]:
    return msgspec.structs.asdict(entity)


def _turncoats(table: Table, held: Held, told: Mapping[str, Mapping[str, Entry]]) -> Iterator[str]:
    """Whoever of ``table`` would change what lasts."""
    for key in table.lasting:
        for name, entity in held.get(table.name, {}).items():
            entry, known = told[table.name].get(name), getattr(entity, key)
            if entry and not entry.removed and entry.values.get(key, known) != known:
                wrong = Wrong(f"was {known}, and lasts", "keep it, or take another id")
                yield said(f"{entry.place}: {key}", entry.values[key], wrong)


def _strays(
    table: Table, everything: Everything, told: Mapping[str, Mapping[str, Entry]]
) -> Iterator[str]:
    """Whoever of ``table`` names an entity that will not exist."""
    for key, other in table.refers:
        for name, entry in everything[table.name].items():
            above = entry.values.get(key) or OPERATOR
            if above == OPERATOR or above in everything[other]:
                continue
            if entry.place:
                remedy = f"describe it in a file, or name another {other}"
                yield said(f"{entry.place}: {key}", above, Wrong("does not exist", remedy))
            elif above in told[other]:
                wrong = Wrong(f"{name} belongs to it", "remove that, too, or give it to another")
                yield said(f"{told[other][above].place}: removed", True, wrong)
