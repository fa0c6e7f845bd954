"""The checks know the same types and fields as the platform's own package."""

from collections.abc import Iterator
from typing import Any

import pytest
from linebot.v3.messaging import models as official

from gateway.domain.line.actions import Place, action_at
from gateway.domain.line.fields import Items, Keyed, Kind, Object, Tagged
from gateway.domain.line.messages import MESSAGE
from tests.domain.line.messages import SOUND, Json

PLACES: tuple[Place, ...] = ("quick reply", "menu")

OURS_ONLY = {"coupon message": {"coupon"}}
"""Fields of ours in an object of the platform."""

PARENTS = {
    "message": "Message",
    "template": "Template",
    "action": "Action",
    "action of an imagemap": "ImagemapAction",
    "flex container": "FlexContainer",
    "component of a box": "FlexComponent",
    "component of a baseline box": "FlexComponent",
    "hero of a bubble": "FlexComponent",
    "substitution": "SubstitutionObject",
    "mentioned person": "MentionTarget",
    "background": "FlexBoxBackground",
    "span": "FlexComponent",
}
NAMED = {
    "quick reply": "QuickReply",
    "quick reply button": "QuickReplyItem",
    "sender": "Sender",
    "LINE emoji": "Emoji",
    "column": "CarouselColumn",
    "area": "ImagemapArea",
    "baseSize": "ImagemapBaseSize",
    "video of an imagemap": "ImagemapVideo",
    "link after a video": "ImagemapExternalLink",
    "altUri": "AltUri",
    "bubble style": "FlexBubbleStyles",
    "block style": "FlexBlockStyle",
}


def varied(kind: Object, **value: str) -> dict[str, Kind]:
    return kind.varying(value) if kind.varying else {}


def parts(kind: Kind, seen: set[int]) -> Iterator[Kind]:
    """``kind`` and all that it is made of, each once."""
    if id(kind) in seen:
        return
    seen.add(id(kind))
    yield kind
    inner: list[Kind] = []
    if isinstance(kind, Items | Keyed):
        inner = [kind.kind]
    elif isinstance(kind, Tagged):
        inner = list(kind.kinds.values())
    elif isinstance(kind, Object):
        inner = [*kind.fields.values(), *varied(kind).values()]
        inner += varied(kind, layout="baseline").values()
    for one in inner:
        yield from parts(one, seen)


ALL = list(parts(MESSAGE, set()))


def fields_of(model: Any) -> set[str]:
    return {field.alias for field in model.__fields__.values()}


def known(kind: Object) -> set[str]:
    return {*kind.fields, *varied(kind)}


def classes(parent: str) -> dict[str, str]:
    """The types that the official package knows of ``parent``, and its classes."""
    model = getattr(official, parent)
    found: dict[str, str] = getattr(model, f"_{parent}__discriminator_value_class_map")
    return found


FAMILIES = [kind for kind in ALL if isinstance(kind, Tagged) and kind.what in PARENTS]


@pytest.mark.parametrize("what", PARENTS)
def test_objects_have_the_official_fields(what: str) -> None:
    """Every object that has a type has the fields that the official class has, and no others."""
    theirs = classes(PARENTS[what])
    families = [family for family in FAMILIES if family.what == what]
    assert families
    for tag, ours in (pair for family in families for pair in family.kinds.items()):
        if tag not in ("card", "survey"):
            expected = fields_of(getattr(official, theirs[tag]))
            assert known(ours) - OURS_ONLY.get(ours.what, set()) == expected, tag


def test_objects_of_small_families_are_those_of_large_ones() -> None:
    """Where only some types of a family may stand, each of them is compared elsewhere, too."""
    compared = [one for family in FAMILIES for one in family.kinds.values()]
    small = [kind for kind in ALL if isinstance(kind, Tagged) and kind.what not in PARENTS]
    assert all(one in compared for kind in small for one in kind.kinds.values())


@pytest.mark.parametrize("what", NAMED)
def test_parts_have_the_official_fields(what: str) -> None:
    """Every part without a type has the official fields, too."""
    candidates = [kind for kind in ALL if isinstance(kind, Object) and kind.what == what]
    assert any(known(kind) == fields_of(getattr(official, NAMED[what])) for kind in candidates)


@pytest.mark.parametrize("parent", ["Message", "Template", "ImagemapAction", "FlexContainer"])
def test_every_official_type_is_known(parent: str) -> None:
    """No type that the official package knows is missing."""
    (ours,) = [kind for kind in FAMILIES if PARENTS[kind.what] == parent]
    assert set(ours.kinds) >= set(classes(parent))


def test_every_official_action_works_somewhere() -> None:
    """No action that the official package knows is missing in all places."""
    ours = {tag for place in PLACES for tag in action_at(place).kinds}
    assert ours == set(classes("Action"))


def holds(whole: Any, part: Any) -> bool:
    """Whether ``whole`` is ``part``, or that with defaults written out."""
    if isinstance(part, dict):
        return all(name in whole and holds(whole[name], part[name]) for name in part)
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(holds, whole, part))
    return bool(whole == part)


@pytest.mark.parametrize("name", SOUND)
def test_the_official_package_reads_what_passes(name: str) -> None:
    """The official package reads all that is in what passes the checks."""
    message: Json = SOUND[name]
    read = official.Message.from_dict(message)
    assert type(read) is not official.Message
    assert holds(read.to_dict(), message)
