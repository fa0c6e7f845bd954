"""``[[segment]]``: which friends of a channel pushes are for."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from gateway.domain.audience import (
    EVERYONE,
    TAG,
    ActiveWithin,
    AllOf,
    AnyOf,
    CameBy,
    Condition,
    FollowedBefore,
    FollowedSince,
    FollowedWithin,
    NoneOf,
    Segment,
    Tagged,
)
from gateway.domain.hours import TOKYO
from gateway.domain.line.channel import Channel
from gateway.domain.links import Link
from gateway.domain.values import micros
from gateway.provisioning.base import ADVERTISER_KEY, REMOVED, Entry, Everything, Table, id_of
from gateway.tomlfile import Key, Wrong, instead, line

_MOST_DEEP = 5
_MOST_CONDITIONS = 50
_MOST_DAYS = 3_660

CHANNEL_KEY = Key("channel", str, id_of, "Of whose friends.", example="acme-shop", required=True)
"""The key of what belongs to one channel."""


def tag_of(value: str, _: Path) -> str:
    """A tag."""
    if not TAG.fullmatch(value):
        raise Wrong("is not a tag", "write 1 to 40 of a-z, 0-9 and -")
    return value


def tags_of(most: int) -> Callable[[list[str], Path], tuple[str, ...]]:
    """Up to ``most`` different tags."""

    def check(value: list[str], _: Path) -> tuple[str, ...]:
        if len(value) > most:
            raise Wrong("has too many tags", f"write at most {most}")
        return tuple(dict.fromkeys(value))

    return check


# --- filters ---


def _filter(value: dict[str, Any], _: Path) -> Condition:
    found = _table(value, "", 1)
    if _size(found) > _MOST_CONDITIONS:
        raise Wrong("has too many conditions", f"write at most {_MOST_CONDITIONS}")
    return found


def _table(value: Mapping[str, Any], path: str, depth: int) -> Condition:
    """The conditions of a table: all of them must hold."""
    if depth > _MOST_DEEP:
        raise Wrong(f"{path} lies too deep", f"write at most {_MOST_DEEP} tables in each other")
    found: list[Condition] = []
    for name, given in value.items():
        place = f"{path}.{name}" if path else name
        if name in _SEVERAL:
            found.append(_SEVERAL[name](tuple(_several(given, place, depth))))
        elif name in _LEAVES:
            found.append(_LEAVES[name](given, place))
        else:
            known = [*_SEVERAL, *_LEAVES]
            raise Wrong(f"{place} is no condition", instead(name, known))
    return found[0] if len(found) == 1 else AllOf(tuple(found))


def _several(given: object, path: str, depth: int) -> Iterator[Condition]:
    if not isinstance(given, list) or not given:
        raise Wrong(f"{path} is no list of conditions", f'write {path} = ["a-tag", …]')
    for ordinal, each in enumerate(given, 1):
        place = f"{path}[{ordinal}]"
        if isinstance(each, str):
            yield _tagged(each, place)
        elif isinstance(each, dict) and each:
            yield _table(each, place, depth + 1)
        else:
            raise Wrong(f"{place} is no condition", "write a tag, or a table with a condition")


def _tagged(given: object, path: str) -> Tagged:
    if not isinstance(given, str) or not TAG.fullmatch(given):
        raise Wrong(f"{path} is not a tag", "write 1 to 40 of a-z, 0-9 and -")
    return Tagged(given)


def _days(given: object, path: str) -> int:
    if type(given) is not int or not 1 <= given <= _MOST_DAYS:
        raise Wrong(f"{path} is no number of days", f"write 1 to {_MOST_DAYS}")
    return given


def _day(given: object, path: str) -> int:
    if not isinstance(given, date) or isinstance(given, datetime):
        raise Wrong(f"{path} is no day", "write it like 2026-11-01, without quotes")
    return micros(datetime.combine(given, time(tzinfo=TOKYO)))


def _entry(given: object, path: str) -> CameBy:
    if not isinstance(given, str) or not TAG.fullmatch(given):
        raise Wrong(f"{path} is no id of a link", 'write it like "flyer-2026-11"')
    return CameBy(given)


_SEVERAL: dict[str, Callable[[tuple[Condition, ...]], Condition]] = {
    "all": AllOf,
    "any": AnyOf,
    "none": NoneOf,
}
_LEAVES: dict[str, Callable[[object, str], Condition]] = {
    "tag": _tagged,
    "followed_since": lambda given, path: FollowedSince(_day(given, path)),
    "followed_before": lambda given, path: FollowedBefore(_day(given, path)),
    "followed_within": lambda given, path: FollowedWithin(_days(given, path)),
    "active_within": lambda given, path: ActiveWithin(_days(given, path)),
    "entry": _entry,
}


def _parts(condition: Condition) -> Iterator[Condition]:
    yield condition
    if isinstance(condition, AllOf | AnyOf | NoneOf):
        for each in condition.of:
            yield from _parts(each)


def _size(condition: Condition) -> int:
    return sum(1 for _ in _parts(condition))


# --- the keys ---

SEGMENT: tuple[Key, ...] = (
    Key("id", str, id_of, "What pushes call it.", example="regulars", required=True),
    ADVERTISER_KEY,
    CHANNEL_KEY,
    Key(
        "filter",
        dict,
        _filter,
        "all, any and none of lists of tags and of further filters, and tag (one), "
        "followed_since, followed_before (days), followed_within, active_within (24 hours each), "
        "entry (a link); all that is written must hold. Without any: all friends.",
        example={"all": ["lunch", {"followed_within": 30}], "none": ["staff"]},
        required=True,
    ),
    REMOVED,
)
"""The keys of ``[[segment]]``."""


def of_channel(entry: Entry, everything: Everything) -> Iterator[str]:
    """A channel that belongs to another advertiser than ``entry``, which names it."""
    name = entry.values.get("channel")
    channel = everything[Channel.table].get(name or "")
    if channel is None or "advertiser" not in entry.values:
        return  # told where references are
    if channel.values.get("advertiser") != entry.values["advertiser"]:
        wrong = Wrong("is another advertiser's", "name one of the same")
        yield line(f"{entry.place}: channel", name, wrong)


def _check(everything: Everything) -> Iterator[str]:
    for entry in everything[Segment.table].values():
        if not entry.place:
            continue
        yield from of_channel(entry, everything)
        for part in _parts(entry.values.get("filter", EVERYONE)):
            if isinstance(part, CameBy) and part.link not in everything[Link.table]:
                wrong = Wrong("names no link", "describe it in a file, or name another")
                yield line(f"{entry.place}: filter entry", part.link, wrong)


TABLE = Table(
    Segment,
    SEGMENT,
    lambda values: Segment(**values),
    refers=(("advertiser", "advertiser"), ("channel", Channel.table)),
    check=_check,
)
