"""Imagemaps and templates: the messages whose buttons and pictures the platform lays out.

Sources: https://developers.line.biz/en/reference/messaging-api/#imagemap-message and
https://developers.line.biz/en/reference/messaging-api/#template-messages
"""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.domain.line.actions import LINK, PICTURE, action_at
from gateway.domain.line.fields import (
    Choice,
    Form,
    Items,
    Kind,
    Number,
    Object,
    Tagged,
    Text,
    tagged,
    tell,
)

ALT_TEXT = Text(1500)
"""What stands where a message cannot be shown, as in a notification."""

# --- imagemaps ---

_INT32 = 2**31 - 1

_AREA = Object(
    "area",
    {
        "x": Number(0, _INT32),
        "y": Number(0, _INT32),
        "width": Number(1, _INT32),
        "height": Number(1, _INT32),
    },
    needs=("x", "y", "width", "height"),
)


def _on_image(tag: str, fields: dict[str, Kind]) -> Object:
    common: dict[str, Kind] = {"label": Text(100), "area": _AREA}
    return tagged(f"{tag} action of an imagemap", tag, common | fields, needs=("area", *fields))


_VIDEO = Object(
    "video of an imagemap",
    {
        "originalContentUrl": PICTURE,
        "previewImageUrl": PICTURE,
        "area": _AREA,
        "externalLink": Object(
            "link after a video", {"linkUri": LINK, "label": Text(30)}, needs=("linkUri", "label")
        ),
    },
    needs=("originalContentUrl", "previewImageUrl", "area"),
)


def areas_within(message: Mapping[str, Any], path: str, found: list[str]) -> None:
    """An imagemap's rule: its areas lie on its image."""
    base = message["baseSize"]
    areas = [part["area"] for part in (*message["actions"], message.get("video")) if part]
    for area in areas:
        if area["x"] + area["width"] > base["width"] or area["y"] + area["height"] > base["height"]:
            tell(found, path, "has an area that reaches beyond baseSize; write a smaller one")
            return


IMAGEMAP: dict[str, Kind] = {
    "baseUrl": PICTURE,
    "altText": ALT_TEXT,
    "baseSize": Object(
        "baseSize",
        {"width": Number(1040, 1040), "height": Number(1, _INT32)},
        needs=("width", "height"),
    ),
    "video": _VIDEO,
    "actions": Items(
        Tagged(
            "action of an imagemap",
            {
                "message": _on_image("message", {"text": Text(400)}),
                "uri": _on_image("uri", {"linkUri": LINK}),
                "clipboard": _on_image("clipboard", {"clipboardText": Text(1000)}),
            },
        ),
        0,
        50,
    ),
}
"""The fields of an imagemap."""

# --- templates ---

_PICTURED: dict[str, Kind] = {
    "imageAspectRatio": Choice(("rectangle", "square")),
    "imageSize": Choice(("cover", "contain")),
}
_HEADED: dict[str, Kind] = {
    "thumbnailImageUrl": PICTURE,
    "imageBackgroundColor": Form("#[0-9A-Fa-f]{6}", 'a colour like "#FFFFFF"'),
    "title": Text(40, "graphemes"),
    "defaultAction": action_at("picture"),
}


def _below_a_head(most: int) -> Callable[[Mapping[str, Any]], dict[str, Kind]]:
    """The text of a template: there is less room for it below an image or a title."""

    def text(template: Mapping[str, Any]) -> dict[str, Kind]:
        headed = "thumbnailImageUrl" in template or "title" in template
        return {"text": Text(60 if headed else most, "graphemes")}

    return text


def _actions(least: int, most: int) -> dict[str, Kind]:
    return {"actions": Items(action_at("template"), least, most)}


def _columns_alike(carousel: Mapping[str, Any], path: str, found: list[str]) -> None:
    columns = carousel["columns"]
    for sign, remedy in (
        (lambda column: len(column["actions"]), "as many actions in each"),
        (lambda column: "title" in column, "a title in each, or in none"),
        (lambda column: "thumbnailImageUrl" in column, "an image in each, or in none"),
    ):
        if len(set(map(sign, columns))) > 1:
            tell(found, path, f"has columns that differ; write {remedy}")


_COLUMN = Object(
    "column",
    _HEADED | _actions(1, 3),
    needs=("text", "actions"),
    varying=_below_a_head(120),
)
_IMAGE_COLUMN = Object(
    "column",
    {"imageUrl": PICTURE, "action": action_at("image carousel")},
    needs=("imageUrl", "action"),
)
TEMPLATE = Tagged(
    "template",
    {
        "buttons": tagged(
            "buttons template",
            "buttons",
            _HEADED | _PICTURED | _actions(1, 4),
            needs=("text", "actions"),
            varying=_below_a_head(160),
        ),
        "confirm": tagged(
            "confirm template",
            "confirm",
            {"text": Text(240, "graphemes")} | _actions(2, 2),
            needs=("text", "actions"),
        ),
        "carousel": tagged(
            "carousel template",
            "carousel",
            {"columns": Items(_COLUMN, 1, 10)} | _PICTURED,
            needs=("columns",),
            rule=_columns_alike,
        ),
        "image_carousel": tagged(
            "image carousel template",
            "image_carousel",
            {"columns": Items(_IMAGE_COLUMN, 1, 10)},
            needs=("columns",),
        ),
    },
)
"""What a template message holds."""
