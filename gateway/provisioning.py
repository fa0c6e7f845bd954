"""Provisioning files: TOML into a plan, with all errors of all files at once.

An entity is described in full by its table: a key left out has its default, whatever the store
holds. Entities that no file names stay as they are.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gateway.domain.provisioning import Plan
from gateway.domain.routing import TrackedNumber
from gateway.domain.tenancy import OPERATOR, Advertiser
from gateway.errors import Misconfigured
from gateway.tomlfile import (
    Key,
    Wrong,
    anything,
    document,
    instead,
    line,
    one_of,
    printable,
    take,
    whole,
)

_LATER = ("line_channel", "coupon", "mail_list")
"""Tables of the file format whose services this release does not have."""

_MOST_TARGETS = 10  # a carrier's Dial takes no more


# --- checks ---


def _id(value: str, _: Path) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,40}", value):
        raise Wrong("is not an id", "write 1 to 40 of a-z, 0-9 and -")
    if value == OPERATOR:
        raise Wrong("is the operator itself", "write another id")
    return value


def _parent(value: str, folder: Path) -> str:
    return value if value == OPERATOR else _id(value, folder)


def _number(value: str, _: Path) -> str:
    # The daemon reads no such file, and is spared the memory of the numbering plans.
    import phonenumbers  # noqa: PLC0415 - see above

    try:
        # What has no country code is read as a number of Japan, to offer the form it should have.
        number = phonenumbers.parse(value, "JP")
        possible = phonenumbers.is_possible_number(number)
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        raise Wrong("is not a telephone number", 'write it like "+81312345678"')
    form = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if form != value:
        raise Wrong("is not in the form of E.164", f'write "{form}"')
    return value


def _targets(value: list[str], _: Path) -> tuple[str, ...]:
    if not 1 <= len(value) <= _MOST_TARGETS:
        raise Wrong("is too short or too long", f"write 1 to {_MOST_TARGETS} numbers")
    if len(set(value)) < len(value):
        raise Wrong("has a number twice", "keep one of the two")
    return tuple(value)


def _strategy(value: str, folder: Path) -> str:
    if value == "round-robin":
        raise Wrong("comes with a later release", "write parallel or sequential")
    return str(one_of("parallel", "sequential")(value, folder))


def _caller_id(value: str, folder: Path) -> str:
    if value in ("caller", "number"):
        return value
    if not value.startswith("+"):
        raise Wrong("is not a choice", 'write "caller", "number" or a number like "+81312345678"')
    return _number(value, folder)


def _record(value: bool, _: Path) -> bool:
    if value:
        raise Wrong("recording comes with a later release", "write false, or take it out")
    return value


# --- the tables ---

_REMOVED = Key("removed", bool, anything, "true takes the entity away.", False)

ADVERTISER: tuple[Key, ...] = (
    Key("id", str, _id, "Its name in files and metrics.", example="acme", required=True),
    Key("name", str, printable(200), "Shown to people.", example="Acme 美容室", required=True),
    Key(
        "kind",
        str,
        one_of("agency", "media", "advertiser"),
        "agency, media or advertiser.",
        example="advertiser",
        required=True,
    ),
    Key("parent", str, _parent, "The agency, media or operator it stands under.", OPERATOR),
    _REMOVED,
)
"""The keys of ``[[advertiser]]``."""

TRACKED_NUMBER: tuple[Key, ...] = (
    Key("number", str, _number, "The number issued.", example="+815031000001", required=True),
    Key("advertiser", str, _id, "Whose it is.", example="acme", required=True),
    Key(
        "medium",
        str,
        printable(80),
        "Where it is printed.",
        example="flyer-2026-11",
        required=True,
    ),
    Key(
        "forward_to",
        list,
        _targets,
        "The 1 to 10 numbers that ring.",
        example=["+81312345678"],
        required=True,
        each=_number,
    ),
    Key("strategy", str, _strategy, "parallel: all at once; sequential: in turn.", "parallel"),
    Key("ring_seconds", int, whole(5, 600), "How long a number rings.", 25),
    Key(
        "time_limit_seconds",
        int,
        whole(1, 14_400),
        "When the carrier ends the conversation.",
        14_400,
    ),
    Key(
        "caller_id",
        str,
        _caller_id,
        "What the target sees: caller, number (the tracked one), or a number of the account.",
        "caller",
    ),
    Key("record", bool, _record, "Whether conversations are recorded.", False),
    Key("outcome", dict, anything, "How calls are judged.", {}),
    _REMOVED,
)
"""The keys of ``[[tracked_number]]``."""

OUTCOME: tuple[Key, ...] = (
    Key(
        "min_talk_seconds",
        int,
        whole(0, 14_400),
        "A call with so much talk is accepted by itself.",
        example=30,
    ),
)
"""The keys of ``[tracked_number.outcome]``."""

_TABLES = {"advertiser": ADVERTISER, "tracked_number": TRACKED_NUMBER}


# --- reading ---


class _Entry(msgspec.Struct, frozen=True):
    """An entity as a file tells it or, without a place, as the store holds it."""

    place: str
    values: dict[str, Any]
    """Those that are right; the others are among the problems."""
    removed: bool = False


def read(
    paths: Sequence[Path],
    known_advertisers: Mapping[str, Advertiser],
    known_numbers: Mapping[str, TrackedNumber],
) -> Plan:
    """The plan of all files together.

    What the store holds already, by id and by number, is what the files may refer to.

    Raises:
        Misconfigured: something is wrong; it holds a line for each mistake.
    """
    problems: list[str] = []
    told: dict[str, dict[str, _Entry]] = {table: {} for table in _TABLES}
    for path in paths:
        try:
            tables = document(path)
        except Misconfigured as wrong:
            problems += wrong.problems
            continue
        for table, content in tables.items():
            if table in _TABLES:
                _read_table(path, table, content, told[table], problems)
            elif table in _LATER:
                problems.append(f"{path}: [[{table}]]: comes with a later release; take it out")
            else:
                problems.append(f"{path}: {table}: unknown table; {instead(table, _TABLES)}")
    advertisers = _after(known_advertisers, told["advertiser"])
    numbers = _after(known_numbers, told["tracked_number"])
    problems += _strays(advertisers, numbers, told["advertiser"])
    problems += _below_advertisers(advertisers)
    problems += _circles(advertisers)
    problems += _loops(numbers)
    if problems:
        raise Misconfigured(problems)
    return _plan(told["advertiser"], told["tracked_number"])


def _read_table(
    path: Path, table: str, content: object, told: dict[str, _Entry], problems: list[str]
) -> None:
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        problems.append(f"{path}: {table}: is not a list of tables; write [[{table}]] above each")
        return
    keys = _TABLES[table]
    for ordinal, entry in enumerate(content, 1):
        name = entry.get(keys[0].name)
        if not (isinstance(name, str) and re.fullmatch(r"[!-~]{1,40}", name)):
            name = f"#{ordinal}"
        found = _read_entry(path, f"{path}: [[{table}]] {name}", entry, keys, problems)
        key = found.values.get(keys[0].name)
        if key in told:
            problems.append(f"{found.place}: is there twice, see {told[key].place}; keep one")
        elif key is not None:
            told[key] = found


def _read_entry(
    path: Path, place: str, table: dict[str, Any], keys: Sequence[Key], problems: list[str]
) -> _Entry:
    removed = table.get("removed") is True
    if removed:  # what else is written of it does not matter any more
        keys = (keys[0], _REMOVED)
        table = {key.name: table[key.name] for key in keys if key.name in table}
    folder = path.absolute().parent
    values = take(table, keys, lambda name: f"{place}: {name}", folder, problems)
    values.pop("removed", None)
    if (outcome := values.pop("outcome", None)) is not None:
        values |= take(outcome, OUTCOME, lambda name: f"{place}: outcome.{name}", folder, problems)
    return _Entry(place, values, removed)


def _plan(advertisers: dict[str, _Entry], numbers: dict[str, _Entry]) -> Plan:
    return Plan(
        tuple(Advertiser(**entry.values) for entry in advertisers.values() if not entry.removed),
        tuple(TrackedNumber(**entry.values) for entry in numbers.values() if not entry.removed),
        tuple(id_ for id_, entry in advertisers.items() if entry.removed),
        tuple(number for number, entry in numbers.items() if entry.removed),
    )


# --- what must hold between the entities once the files are applied ---


def _after(
    known: Mapping[str, Advertiser] | Mapping[str, TrackedNumber], told: dict[str, _Entry]
) -> dict[str, _Entry]:
    """What the store will hold."""
    held = {key: _Entry("", msgspec.structs.asdict(entity)) for key, entity in known.items()}
    return {key: entry for key, entry in (held | told).items() if not entry.removed}


def _strays(
    advertisers: dict[str, _Entry], numbers: dict[str, _Entry], told: dict[str, _Entry]
) -> Iterator[str]:
    """Whoever stands under an advertiser that will not exist."""
    below = [(entry, "parent", id_) for id_, entry in advertisers.items()]
    below += [(entry, "advertiser", number) for number, entry in numbers.items()]
    for entry, key, name in below:
        above = entry.values.get(key, OPERATOR)
        if above == OPERATOR or above in advertisers:
            continue
        if entry.place:
            wrong = Wrong("does not exist", "describe it in a file, or name another advertiser")
            yield line(f"{entry.place}: {key}", above, wrong)
        elif above in told:
            wrong = Wrong(f"{name} belongs to it", "remove that, too, or give it to another")
            yield line(f"{told[above].place}: removed", True, wrong)


def _below_advertisers(advertisers: dict[str, _Entry]) -> Iterator[str]:
    """Whoever stands under one that is neither agency nor media."""
    for id_, entry in advertisers.items():
        parent = entry.values.get("parent", OPERATOR)
        above = advertisers.get(parent)
        if above is None or above.values.get("kind") != "advertiser":
            continue
        if entry.place:
            wrong = Wrong("is an advertiser", "name an agency, a media or the operator")
            yield line(f"{entry.place}: parent", parent, wrong)
        elif above.place:
            wrong = Wrong(f"{id_} stands under it", "move that first")
            yield line(f"{above.place}: kind", "advertiser", wrong)


def _circles(advertisers: dict[str, _Entry]) -> Iterator[str]:
    """Advertisers that stand under themselves; each circle is told of once."""
    seen: set[str] = set()
    for start in advertisers:
        way: list[str] = []
        id_ = start
        while id_ in advertisers and id_ not in seen:
            seen.add(id_)
            way.append(id_)
            id_ = advertisers[id_].values.get("parent", OPERATOR)
        if id_ not in way:
            continue
        circle = way[way.index(id_) :]
        for entry in [advertisers[id_] for id_ in circle if advertisers[id_].place][:1]:
            shape = " → ".join([*circle, circle[0]])
            wrong = Wrong(f"goes in a circle ({shape})", "put one of them under the operator")
            yield line(f"{entry.place}: parent", entry.values["parent"], wrong)


def _loops(numbers: dict[str, _Entry]) -> Iterator[str]:
    """Tracked numbers that forward to tracked numbers: a call would come back to us for ever."""
    for number, entry in numbers.items():
        for target in entry.values.get("forward_to", ()):
            if target not in numbers:
                continue
            if entry.place:
                wrong = Wrong("is a tracked number, which makes a loop", "name a telephone instead")
                yield line(f"{entry.place}: forward_to", target, wrong)
            elif numbers[target].place:
                wrong = Wrong(f"{number} forwards to it, which makes a loop", "change that first")
                yield line(f"{numbers[target].place}: number", target, wrong)
