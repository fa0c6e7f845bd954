"""``[[advertiser]]``: agencies, media and advertisers."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.domain.tenancy import OPERATOR, Advertiser
from gateway.provisioning.base import REMOVED, Entry, Everything, Table, id_of
from gateway.tomlfile import Key, Wrong, line, one_of, printable


def _parent(value: str, folder: Path) -> str:
    return value if value == OPERATOR else id_of(value, folder)


ADVERTISER: tuple[Key, ...] = (
    Key("id", str, id_of, "Its name in files and metrics.", example="acme", required=True),
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
    REMOVED,
)
"""The keys of ``[[advertiser]]``."""


def _check(everything: Everything) -> Iterator[str]:
    advertisers = everything[Advertiser.table]
    yield from _below_advertisers(advertisers)
    yield from _circles(advertisers)


def _below_advertisers(advertisers: Mapping[str, Entry]) -> Iterator[str]:
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


def _circles(advertisers: Mapping[str, Entry]) -> Iterator[str]:
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


TABLE = Table(
    Advertiser,
    ADVERTISER,
    lambda values: Advertiser(**values),
    refers=(("parent", Advertiser.table),),
    check=_check,
)
