"""``[[rich_menu]]``: the menu below a channel's chats."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.domain.audience import Segment
from gateway.domain.effects import NEVER
from gateway.domain.line.actions import action_problems
from gateway.domain.line.channel import Channel
from gateway.domain.menus import Area, RichMenu
from gateway.domain.provisioning import Blob
from gateway.provisioning.audience import CHANNEL_KEY, of_channel
from gateway.provisioning.base import (
    ADVERTISER_KEY,
    REMOVED,
    Entry,
    Everything,
    Table,
    id_of,
    instant,
)
from gateway.provisioning.pictures import (
    MOST_WIDTH,
    NO_FONT,
    SIZES,
    Picture,
    Tile,
    can_write,
    draw,
    read_picture,
    tile_box,
)
from gateway.tomlfile import Key, Wrong, anything, entries, instead, line, one_of, printable, whole

_MOST_AREAS = 20
_MOST_SHOWN = 3

# --- checks ---


def _image(value: str, folder: Path) -> Picture:
    return read_picture(folder / value)


def _action(value: dict[str, Any], _: Path) -> dict[str, Any]:
    if found := action_problems(value, "menu"):
        raise Wrong("is not taken by the platform", f"mend: {' · '.join(found[:_MOST_SHOWN])}")
    return value


def _grid(value: dict[str, Any], _: Path) -> dict[str, Any]:
    if {"columns", "rows", "cells"} <= value.keys():
        tiles = value["columns"] * value["rows"]
        if len(value["cells"]) != tiles:
            raise Wrong(f"has {len(value['cells'])} cells", f"write {tiles}, one for each tile")
    return value


def _color(value: str, _: Path) -> str:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", value):
        raise Wrong("is not a colour", 'write it like "#06c755"')
    return value.lower()


def _alias(value: str, _: Path) -> str:
    if not re.fullmatch(r"[a-z0-9_-]{0,32}", value):
        raise Wrong("is not an alias", "write 1 to 32 of a-z, 0-9, _ and -")
    return value


# --- the keys ---

_ACTION_KEY = Key(
    "action",
    dict,
    _action,
    "What a tap does: an action object of the platform.",
    example={"type": "message", "text": "予約"},
    required=True,
)

AREA: tuple[Key, ...] = (
    Key("x", int, whole(0, MOST_WIDTH), "Pixels from the left.", example=0, required=True),
    Key("y", int, whole(0, MOST_WIDTH), "Pixels from the top.", example=0, required=True),
    Key("width", int, whole(1, MOST_WIDTH), "In pixels.", example=1250, required=True),
    Key("height", int, whole(1, MOST_WIDTH), "In pixels.", example=843, required=True),
    _ACTION_KEY,
)
"""The keys of ``[[rich_menu.areas]]``."""

CELL: tuple[Key, ...] = (
    Key("label", str, printable(20), "What is drawn on the tile.", example="予約", required=True),
    Key("color", str, _color, "The tile's colour.", "#06c755"),
    _ACTION_KEY,
)
"""The keys of ``[[rich_menu.grid.cells]]``."""

GRID: tuple[Key, ...] = (
    Key("columns", int, whole(1, 5), "Tiles from left to right.", example=3, required=True),
    Key("rows", int, whole(1, 4), "Tiles from top to bottom.", example=2, required=True),
    Key(
        "cells",
        list,
        entries(1, _MOST_AREAS),
        "The tiles, row by row.",
        example=[],
        required=True,
        keys=CELL,
    ),
)
"""The keys of ``[rich_menu.grid]``."""

RICH_MENU: tuple[Key, ...] = (
    Key("id", str, id_of, "Its name.", example="acme-main", required=True),
    ADVERTISER_KEY,
    CHANNEL_KEY,
    Key("title", str, printable(14), "What the bar says.", example="メニュー", required=True),
    Key(
        "size",
        str,
        one_of(*SIZES, "custom"),
        "large (2500 × 1686), compact (2500 × 843), or custom: as its image is.",
        "large",
    ),
    Key(
        "image",
        str,
        _image,
        "A JPEG or PNG of at most 1 MB, from the file's folder; without one the grid is drawn.",
        example="menu.png",
    ),
    Key(
        "areas",
        list,
        entries(0, _MOST_AREAS),
        "Parts of the image that can be tapped.",
        [],
        keys=AREA,
    ),
    Key("grid", dict, _grid, "Tiles of one size in place of areas.", keys=GRID),
    Key("selected", bool, anything, "Whether it is open when the chat is.", True),
    Key("default", bool, anything, "Whether all see it who have none of their own.", False),
    Key("segment", str, anything, "The segment that sees it instead.", ""),
    Key("alias", str, _alias, "The name by which tabs (richmenuswitch) switch to it.", ""),
    Key("priority", int, whole(0, 100), "Where several fit, the highest is shown.", 0),
    Key("from", datetime, instant, "When it is first shown; else at once."),
    Key("until", datetime, instant, "When it is shown no more; else never."),
    REMOVED,
)
"""The keys of ``[[rich_menu]]``."""


def _build(values: dict[str, Any]) -> RichMenu:
    picture = _picture(values)
    for name in ("size", "image"):
        del values[name]
    begins, until = values.pop("from"), values.pop("until")
    grid = values.pop("grid")
    values["areas"] = (
        _tiles(grid, (picture.width, picture.height))
        if grid
        else tuple(Area(**area) for area in values["areas"])
    )
    return RichMenu(
        **values,
        width=picture.width,
        height=picture.height,
        picture=picture.blob.hash,
        media_type=picture.blob.media_type,
        begins=0 if begins is None else begins,
        until=NEVER if until is None else until,
    )


def _picture(values: dict[str, Any]) -> Picture:
    """The image that was given, or one drawn of the grid."""
    given: Picture | None = values["image"]
    if given is not None:
        return given
    grid = values["grid"]
    tiles = tuple(Tile(cell["label"], cell["color"]) for cell in grid["cells"])
    return draw(SIZES[values["size"]], grid["columns"], grid["rows"], tiles)


def _tiles(grid: dict[str, Any], size: tuple[int, int]) -> tuple[Area, ...]:
    areas = []
    for ordinal, cell in enumerate(grid["cells"]):
        left, top, right, bottom = tile_box(size, grid["columns"], grid["rows"], ordinal)
        areas.append(Area(left, top, right - left, bottom - top, cell["action"]))
    return tuple(areas)


def _blob(values: dict[str, Any]) -> Blob:
    return _picture(values).blob


def _note(values: dict[str, Any]) -> str:
    if values["image"] is not None:
        return ""
    return "" if can_write([cell["label"] for cell in values["grid"]["cells"]]) else NO_FONT


# --- what must hold within and between menus ---


def _check(everything: Everything) -> Iterator[str]:
    menus = everything[RichMenu.table].values()
    for entry in menus:
        if entry.place:
            yield from of_channel(entry, everything)
            yield from _of_segment(entry, everything)
            yield from _pictured(entry)
            yield from _shown(entry)
            yield from _switches(entry, list(menus))


def _of_segment(entry: Entry, everything: Everything) -> Iterator[str]:
    name = entry.values.get("segment")
    segment = everything[Segment.table].get(name or "")
    if segment is not None and segment.values.get("channel") != entry.values.get("channel"):
        wrong = Wrong("is a segment of another channel", "name one of the menu's channel")
        yield line(f"{entry.place}: segment", name, wrong)


def _pictured(entry: Entry) -> Iterator[str]:
    """The picture, and what can be tapped on it."""
    values, place = entry.values, entry.place
    if not {"image", "areas", "grid", "size"} <= values.keys():
        return  # told already
    image, areas, grid = values["image"], values["areas"], values["grid"]
    if areas and grid:
        yield f"{place}: areas: are there beside a grid; keep one of the two"
    elif not areas and not grid:
        yield f"{place}: areas: are missing; add some, or a grid"
    if image is None and not grid:
        yield f'{place}: image: is missing; add image = "menu.png", or a grid to be drawn'
    if image is None:
        if grid and values["size"] == "custom":
            wrong = Wrong("has no image to take it from", "write large or compact")
            yield line(f"{place}: size", "custom", wrong)
        return
    wanted = SIZES.get(values["size"], (image.width, image.height))
    if (image.width, image.height) != wanted:
        wrong = Wrong(
            f"the image measures {image.width} × {image.height}",
            f'make it {wanted[0]} × {wanted[1]}, or write size = "custom"',
        )
        yield line(f"{place}: size", values["size"], wrong)
        return
    yield from _outside(place, areas, image)


def _outside(place: str, areas: Sequence[dict[str, int]], image: Picture) -> Iterator[str]:
    for ordinal, area in enumerate(areas, 1):
        right, bottom = area["x"] + area["width"], area["y"] + area["height"]
        if right > image.width or bottom > image.height:
            yield (
                f"{place}: areas[{ordinal}]: ends at {right}, {bottom}, outside of the image; "
                f"keep within {image.width} × {image.height}"
            )


def _shown(entry: Entry) -> Iterator[str]:
    """When, and to whom."""
    values, place = entry.values, entry.place
    begins, until = values.get("from"), values.get("until")
    if begins is not None and until is not None and until <= begins:
        yield f"{place}: until: is not after from; write a later time"
    ways = ("default", "segment", "alias")
    if all(name in values and not values[name] for name in ways):
        yield f"{place}: default: nobody ever sees it; add default = true, a segment or an alias"
    if values.get("default") and values.get("segment"):
        yield f"{place}: segment: is there beside default = true; keep one of the two"


def _switches(entry: Entry, menus: Sequence[Entry]) -> Iterator[str]:
    """Tabs that switch to nothing."""
    values = entry.values
    aliases: set[str] = {
        menu.values["alias"]
        for menu in menus
        if menu.values.get("alias") and menu.values.get("channel") == values.get("channel")
    }
    areas = (values.get("areas") or ()) or (values.get("grid") or {}).get("cells", ())
    for ordinal, area in enumerate(areas, 1):
        alias = area["action"].get("richMenuAliasId")
        if alias is not None and alias not in aliases:
            remedy = instead(alias, sorted(aliases)) if aliases else "give a menu this alias"
            wrong = Wrong("is the alias of no menu of the channel", remedy)
            key = "areas" if values.get("areas") else "grid.cells"
            yield line(f"{entry.place}: {key}[{ordinal}].action.richMenuAliasId", alias, wrong)


TABLE = Table(
    RichMenu,
    RICH_MENU,
    _build,
    refers=(
        ("advertiser", "advertiser"),
        ("channel", Channel.table),
        ("segment", Segment.table),
    ),
    check=_check,
    blob=_blob,
    note=_note,
)
