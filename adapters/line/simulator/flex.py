"""Flex messages: bubbles, boxes and what may lie in them.

Source: "Flex Message" of the Messaging API reference.
"""

import json
import re

from adapters.line.simulator.actions import FLEX_LABEL, check_action
from adapters.line.simulator.checks import Checks
from adapters.line.simulator.protocol import Json

MOST_BUBBLE_BYTES = 30 * 1024
MOST_CAROUSEL_BYTES = 50 * 1024
MOST_BUBBLES = 12
_DEEPEST = 30
"""A tree that is deeper is refused; real messages are far from it."""

_COLOR = re.compile(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?")
_PLACED = ("position", "offsetTop", "offsetBottom", "offsetStart", "offsetEnd", "margin", "flex")
_FIELDS: dict[str, tuple[str, ...]] = {
    "box": (
        *_PLACED,
        *("layout", "contents", "spacing", "backgroundColor", "borderColor", "borderWidth"),
        *("cornerRadius", "width", "maxWidth", "height", "maxHeight", "action", "background"),
        *("paddingAll", "paddingTop", "paddingBottom", "paddingStart", "paddingEnd"),
        *("justifyContent", "alignItems"),
    ),
    "button": (*_PLACED, "action", "height", "style", "color", "gravity", "adjustMode", "scaling"),
    "image": (
        *_PLACED,
        *("url", "align", "gravity", "size", "aspectRatio", "aspectMode", "backgroundColor"),
        *("action", "animated"),
    ),
    "video": ("url", "previewUrl", "altContent", "aspectRatio", "action"),
    "icon": (*_PLACED, "url", "size", "scaling", "aspectRatio"),
    "text": (
        *_PLACED,
        *("text", "contents", "adjustMode", "size", "align", "gravity", "wrap", "lineSpacing"),
        *("maxLines", "weight", "color", "action", "style", "decoration", "scaling"),
    ),
    "span": ("text", "color", "size", "weight", "style", "decoration"),
    "separator": ("margin", "color"),
    "filler": ("flex",),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "layout": ("horizontal", "vertical", "baseline"),
    "position": ("relative", "absolute"),
    "justifyContent": (
        *("center", "flex-start", "flex-end", "space-between", "space-around", "space-evenly"),
    ),
    "alignItems": ("center", "flex-start", "flex-end"),
    "align": ("start", "end", "center"),
    "gravity": ("top", "bottom", "center"),
    "aspectMode": ("fit", "cover"),
    "weight": ("regular", "bold"),
    "decoration": ("none", "underline", "line-through"),
    "adjustMode": ("shrink-to-fit",),
}
_STYLES = {"button": ("primary", "secondary", "link")}
_COLORS = ("color", "backgroundColor", "borderColor")

_IN_BASELINE = frozenset({"icon", "text", "filler", "separator"})
_IN_BOX = frozenset({"box", "button", "image", "text", "separator", "filler"})
_BLOCKS = ("header", "hero", "body", "footer")
_BUBBLE = ("type", "size", "direction", "styles", "action", *_BLOCKS)
_BUBBLE_SIZES = ("nano", "micro", "deca", "hecto", "kilo", "mega", "giga")


def check_container(checks: Checks, container: object, where: str) -> None:
    """Note what is wrong with a bubble or a carousel of bubbles."""
    if not checks.thing(container, where):
        return
    assert isinstance(container, dict)  # noqa: S101 - just seen; mypy has not
    if not checks.one_of(container, where, "type", ("bubble", "carousel")):
        return
    if container["type"] == "bubble":
        _check_bubble(checks, container, where)
        return
    _check_size(checks, container, where, MOST_CAROUSEL_BYTES)
    bubbles = checks.items(container, where, "contents", 1, MOST_BUBBLES)
    for place, bubble in enumerate(bubbles):
        inner = f"{where}.contents[{place}]"
        if checks.thing(bubble, inner) and checks.one_of(bubble, inner, "type", ("bubble",)):
            _check_bubble(checks, bubble, inner)
    sizes = {bubble.get("size", "mega") for bubble in bubbles if isinstance(bubble, dict)}
    if len(sizes) > 1:
        checks.note(f"{where}.contents", "all bubbles need the same size")


def _check_size(checks: Checks, container: Json, where: str, most: int) -> None:
    if len(json.dumps(container, ensure_ascii=False).encode("utf-8", "surrogatepass")) > most:
        checks.note(where, f"must be at most {most} bytes")


def _check_bubble(checks: Checks, bubble: Json, where: str) -> None:
    _check_size(checks, bubble, where, MOST_BUBBLE_BYTES)
    checks.known(bubble, where, _BUBBLE)
    checks.one_of(bubble, where, "size", _BUBBLE_SIZES, required=False)
    checks.one_of(bubble, where, "direction", ("ltr", "rtl"), required=False)
    if "action" in bubble:
        check_action(checks, bubble["action"], f"{where}.action", label_required=False)
    if not any(name in bubble for name in _BLOCKS):
        checks.note(where, "At least one block must be specified")
    for name in _BLOCKS:
        if name in bubble:
            kinds = {"box", "image", "video"} if name == "hero" else {"box"}
            _check_component(checks, bubble[name], f"{where}.{name}", frozenset(kinds), 0)


def _check_component(
    checks: Checks, component: object, where: str, kinds: frozenset[str], depth: int
) -> None:
    if depth > _DEEPEST:
        checks.note(where, "nested too deeply")
        return
    if not checks.thing(component, where):
        return
    assert isinstance(component, dict)  # noqa: S101 - just seen; mypy has not
    if not checks.one_of(component, where, "type", kinds):
        return
    kind = component["type"]
    checks.known(component, where, ("type", *_FIELDS[kind]))
    for name, values in _CHOICES.items():
        checks.one_of(component, where, name, values, required=name == "layout" and kind == "box")
    checks.one_of(
        component, where, "style", _STYLES.get(kind, ("normal", "italic")), required=False
    )
    for name in _COLORS:
        color = component.get(name)
        if color is not None and not (isinstance(color, str) and _COLOR.fullmatch(color)):
            checks.note(f"{where}.{name}", "invalid color")
    action = component.get("action")
    if action is not None or kind == "button":
        check_action(
            checks,
            action,
            f"{where}.action",
            label=FLEX_LABEL,
            label_required=kind == "button",
        )
    _check_own(checks, component, where, depth)


def _check_own(checks: Checks, component: Json, where: str, depth: int) -> None:
    match component["type"]:
        case "box":
            kinds = _IN_BASELINE if component.get("layout") == "baseline" else _IN_BOX
            contents = checks.items(component, where, "contents", 0, 1000)
            for place, inner in enumerate(contents):
                _check_component(checks, inner, f"{where}.contents[{place}]", kinds, depth + 1)
        case "text":
            spans = checks.items(component, where, "contents", 0, 1000, required=False)
            for place, span in enumerate(spans):
                inner_where = f"{where}.contents[{place}]"
                _check_component(checks, span, inner_where, frozenset({"span"}), depth + 1)
            checks.text(component, where, "text", 2000, required=not spans)
        case "span":
            checks.text(component, where, "text", 2000)
        case "image" | "icon":
            checks.url(component, where, "url")
        case "video":
            checks.url(component, where, "url")
            checks.url(component, where, "previewUrl")
            inside = frozenset({"box", "image"})
            _check_component(
                checks, component.get("altContent"), f"{where}.altContent", inside, depth + 1
            )
