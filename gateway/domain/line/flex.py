"""Flex messages: bubbles and carousels of boxes, texts, images and buttons.

Source: https://developers.line.biz/en/reference/messaging-api/#flex-message
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.domain.line.actions import PICTURE, action_at
from gateway.domain.line.fields import (
    Choice,
    Flag,
    Form,
    Items,
    Kind,
    Number,
    Object,
    Tagged,
    Text,
    largest,
    tagged,
    tell,
)

BUBBLE_BYTES = 30_000
CAROUSEL_BYTES = 50_000
"""The platform says 30 and 50 KB, and not what a KB is: this is the smaller one."""

MOST_ANIMATED = 10

# --- values of properties ---

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_STEPS = "none|xs|sm|md|lg|xl|xxl"
_SIZES = "xxs|xs|sm|md|lg|xl|xxl|3xl|4xl|5xl"

_COLOUR = Form("#[0-9A-Fa-f]{6}(?:[0-9A-Fa-f]{2})?", 'a colour like "#00B900"')
_SPACE = Form(f"{_STEPS}|{_NUMBER}px", 'none, xs to xxl, or pixels like "8px"')
_PADDING = Form(f"{_STEPS}|{_NUMBER}(?:px|%)", 'none, xs to xxl, "8px" or "10%"')
_EXTENT = Form(f"{_NUMBER}(?:px|%)", 'pixels or a percentage, like "80px" or "50%"')
_BORDER = Form(
    f"none|light|normal|medium|semi-bold|bold|{_NUMBER}px", 'none, light to bold, or "2px"'
)
_FONT = Form(f"{_SIZES}|{_NUMBER}px", 'xxs to 5xl, or pixels like "14px"')
_IMAGE_SIZE = Form(f"{_SIZES}|full|{_NUMBER}(?:px|%)", 'xxs to 5xl, full, "80px" or "50%"')
_PERCENT = Form(r"(?:100|[0-9]{1,2}(?:\.[0-9]+)?)%", 'a percentage like "50%"')
_ANGLE = Form(
    r"(?:3[0-5][0-9]|[12]?[0-9]{1,2})(?:\.[0-9]+)?deg", 'an angle below 360, like "90deg"'
)
_LINES = Form(r"[0-9]+(?:\.[0-9]+)?px", 'pixels like "20px"')
_SHARE = Number(0, 10_000)
_POSITION = Choice(("relative", "absolute"))
_ALIGN = Choice(("start", "end", "center"))
_GRAVITY = Choice(("top", "bottom", "center"))
_SHRINK = Choice(("shrink-to-fit",))


class _Ratio(Form, frozen=True):
    """Width to height, with a height of at most three times the width."""

    def _problem(self, value: Any) -> str | None:
        problem = super()._problem(value)
        if problem:
            return problem
        width, height = (float(side) for side in value.split(":"))
        sound = 1 <= width <= 100_000 and 1 <= height <= min(100_000, 3 * width)
        return None if sound else f"is beyond 1:3 or 100000; write {self.hint}"


_RATIO = _Ratio(r"[0-9]{1,6}(?:\.[0-9]+)?:[0-9]{1,6}(?:\.[0-9]+)?", 'a ratio like "20:13"')

# --- components ---

_ACTION = action_at("flex")
_PLACED: dict[str, Kind] = {
    "margin": _SPACE,
    "position": _POSITION,
    **dict.fromkeys(("offsetTop", "offsetBottom", "offsetStart", "offsetEnd"), _PADDING),
}
_STYLED: dict[str, Kind] = {
    "text": Text(),
    "size": _FONT,
    "color": _COLOUR,
    "weight": Choice(("regular", "bold")),
    "style": Choice(("normal", "italic")),
    "decoration": Choice(("none", "underline", "line-through")),
}


def _says(text: Mapping[str, Any], path: str, found: list[str]) -> None:
    if "text" not in text and "contents" not in text:
        tell(found, path, "has neither text nor contents; write one of them")


_TEXT = tagged(
    "text component",
    "text",
    {
        **_STYLED,
        **_PLACED,
        "flex": _SHARE,
        "align": _ALIGN,
        "gravity": _GRAVITY,
        "wrap": Flag(),
        "lineSpacing": _LINES,
        "action": _ACTION,
        "maxLines": _SHARE,
        "contents": Items(Tagged("span", {"span": tagged("span", "span", _STYLED)}), 1),
        "adjustMode": _SHRINK,
        "scaling": Flag(),
    },
    rule=_says,
)
_IMAGE = tagged(
    "image component",
    "image",
    {
        **_PLACED,
        "url": PICTURE,
        "flex": _SHARE,
        "align": _ALIGN,
        "gravity": _GRAVITY,
        "size": _IMAGE_SIZE,
        "aspectRatio": _RATIO,
        "aspectMode": Choice(("fit", "cover")),
        "backgroundColor": _COLOUR,
        "action": _ACTION,
        "animated": Flag(),
    },
    needs=("url",),
)
_ICON = tagged(
    "icon",
    "icon",
    {**_PLACED, "url": PICTURE, "size": _FONT, "aspectRatio": _RATIO, "scaling": Flag()},
    needs=("url",),
)
_BUTTON = tagged(
    "button component",
    "button",
    {
        **_PLACED,
        "flex": _SHARE,
        "color": _COLOUR,
        "style": Choice(("primary", "secondary", "link")),
        "action": action_at("button"),
        "gravity": _GRAVITY,
        "height": Choice(("md", "sm")),
        "adjustMode": _SHRINK,
        "scaling": Flag(),
    },
    needs=("action",),
)
_SEPARATOR = tagged("separator", "separator", {"margin": _SPACE, "color": _COLOUR})
_FILLER = tagged("filler", "filler", {"flex": _SHARE})

_lying: dict[str, Object] = {"icon": _ICON, "text": _TEXT, "filler": _FILLER}
_standing: dict[str, Object] = {
    "button": _BUTTON,
    "image": _IMAGE,
    "text": _TEXT,
    "separator": _SEPARATOR,
    "filler": _FILLER,
}
_CHILDREN = {
    "baseline": Items(Tagged("component of a baseline box", _lying), 0),
    "vertical": Items(Tagged("component of a box", _standing), 0),
}


def _children(box: Mapping[str, Any]) -> dict[str, Kind]:
    return {"contents": _CHILDREN["baseline" if box.get("layout") == "baseline" else "vertical"]}


_GRADIENT = tagged(
    "linearGradient",
    "linearGradient",
    {
        "angle": _ANGLE,
        "startColor": _COLOUR,
        "endColor": _COLOUR,
        "centerColor": _COLOUR,
        "centerPosition": _PERCENT,
    },
    needs=("angle", "startColor", "endColor"),
)
_BOX = tagged(
    "box",
    "box",
    {
        **_PLACED,
        "layout": Choice(("horizontal", "vertical", "baseline")),
        "flex": _SHARE,
        "spacing": _SPACE,
        "backgroundColor": _COLOUR,
        "borderColor": _COLOUR,
        "borderWidth": _BORDER,
        "cornerRadius": _SPACE,
        **dict.fromkeys(("width", "maxWidth", "height", "maxHeight"), _EXTENT),
        **dict.fromkeys(
            ("paddingAll", "paddingTop", "paddingBottom", "paddingStart", "paddingEnd"), _PADDING
        ),
        "action": _ACTION,
        "justifyContent": Choice(
            ("center", "flex-start", "flex-end", "space-between", "space-around", "space-evenly")
        ),
        "alignItems": Choice(("center", "flex-start", "flex-end")),
        "background": Tagged("background", {"linearGradient": _GRADIENT}),
    },
    needs=("layout", "contents"),
    varying=_children,
)
_standing["box"] = _BOX  # a box may hold boxes, so it can be named only once there is one

_VIDEO = tagged(
    "video component",
    "video",
    {
        "url": PICTURE,
        "previewUrl": PICTURE,
        "altContent": Tagged("altContent", {"box": _BOX, "image": _IMAGE}),
        "aspectRatio": _RATIO,
        "action": Tagged("action of a video", {"uri": _ACTION.kinds["uri"]}),
    },
    needs=("url", "previewUrl", "altContent"),
)

# --- containers ---

_BLOCKS = ("header", "hero", "body", "footer")
_BLOCK = Tagged("block of a bubble", {"box": _BOX})
_STYLE = Object(
    "block style",
    {"backgroundColor": _COLOUR, "separator": Flag(), "separatorColor": _COLOUR},
)


def _has_video(bubble: Mapping[str, Any]) -> bool:
    return bool(bubble.get("hero", {}).get("type") == "video")


def _blocks(bubble: Mapping[str, Any], path: str, found: list[str]) -> None:
    if not any(block in bubble for block in _BLOCKS):
        tell(found, path, "has nothing in it; write a header, hero, body or footer")
    if _has_video(bubble) and bubble.get("size", "mega") not in ("kilo", "mega", "giga"):
        tell(found, path, "has a video that is not shown at its size; write kilo, mega or giga")
    _weigh(_BUBBLE, bubble, BUBBLE_BYTES, path, found)


def _alike(carousel: Mapping[str, Any], path: str, found: list[str]) -> None:
    bubbles = carousel["contents"]
    if len({bubble.get("size", "mega") for bubble in bubbles}) > 1:
        tell(found, path, "has bubbles of different sizes; write the same size for all")
    if any(_has_video(bubble) for bubble in bubbles):
        tell(found, path, "has a video, which only a single bubble can show; write an image")
    _weigh(_CAROUSEL, carousel, CAROUSEL_BYTES, path, found)


_BUBBLE = tagged(
    "bubble",
    "bubble",
    {
        "direction": Choice(("ltr", "rtl")),
        "size": Choice(("nano", "micro", "deca", "hecto", "kilo", "mega", "giga")),
        "styles": Object("bubble style", dict.fromkeys(_BLOCKS, _STYLE)),
        **dict.fromkeys(_BLOCKS, _BLOCK),
        "hero": Tagged("hero of a bubble", {"box": _BOX, "image": _IMAGE, "video": _VIDEO}),
        "action": _ACTION,
    },
    rule=_blocks,
)
_CAROUSEL = tagged(
    "carousel",
    "carousel",
    {"contents": Items(Tagged("bubble", {"bubble": _BUBBLE}), 1, 12)},
    needs=("contents",),
    rule=_alike,
)
CONTAINER = Tagged("flex container", {"bubble": _BUBBLE, "carousel": _CAROUSEL})
"""What a flex message contains."""


def _weigh(kind: Kind, value: Any, most: int, path: str, found: list[str]) -> None:
    size = largest(kind, value)
    if size > most:
        tell(found, path, f"may become {size:,} bytes of JSON; keep it below {most:,}")


def animated(value: Any) -> Iterator[Any]:
    """The images in ``value`` that move."""
    if isinstance(value, Mapping):
        if value.get("animated") is True:
            yield value
        for part in value.values():
            yield from animated(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from animated(part)
