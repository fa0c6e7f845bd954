"""Actions: what a tap on a button, an image, a quick reply or a menu does.

What a label may be depends on where the action stands, and some actions work in one place only.

Sources: https://developers.line.biz/en/reference/messaging-api/#action-objects and
https://developers.line.biz/en/reference/messaging-api/#action-object-label-spec
"""

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from gateway.domain.line.fields import (
    Address,
    Choice,
    Data,
    Form,
    Kind,
    Object,
    Tagged,
    Text,
    tagged,
    tell,
)

Place = Literal["template", "picture", "image carousel", "quick reply", "button", "flex", "menu"]
"""Where an action stands: on a button of a template, on its whole picture, in an image carousel, in
a quick reply, on a button of a flex message, on another part of one, in a rich menu."""

_LABELS: dict[Place, tuple[int, bool]] = {
    "template": (20, True),
    "picture": (20, False),
    "image carousel": (12, False),
    "quick reply": (20, True),
    "button": (40, True),
    "flex": (40, False),
    "menu": (20, False),
}
"""The most characters of a label, and whether there must be one."""

LINK = Address(1000, schemes=("https", "http", "line", "tel"))
"""What a tap may open."""

PICTURE = Address(2000)
"""An image, a video or a sound: the platform fetches it by https alone."""

_DAY = r"(?:(?:19|20)[0-9]{2}|2100)-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_MOMENTS = {
    "date": Form(_DAY, 'a date like "2026-11-30"'),
    "time": Form(_TIME, 'a time like "18:30"'),
    "datetime": Form(f"{_DAY}[Tt]{_TIME}", 'a date and time like "2026-11-30T18:30"'),
}


def _moments(action: Mapping[str, Any]) -> dict[str, Kind]:
    mode = action.get("mode")
    moment = _MOMENTS.get(mode if isinstance(mode, str) else "", _MOMENTS["datetime"])
    return dict.fromkeys(("initial", "max", "min"), moment)


def _picks(action: Mapping[str, Any], path: str, found: list[str]) -> None:
    moments = {name: action[name].upper() for name in ("min", "initial", "max") if name in action}
    if action["mode"] != "time":
        try:
            for moment in moments.values():
                datetime.fromisoformat(moment)
        except ValueError:
            tell(found, path, "has a date that is in no calendar; write another")
            return
    if moments.get("min", "") >= moments.get("max", "~"):
        tell(found, path, "has a min that is not before its max; write an earlier min")
    if list(moments.values()) != sorted(moments.values()):
        tell(found, path, "has an initial value outside of min and max; write one between them")


def _posts(action: Mapping[str, Any], path: str, found: list[str]) -> None:
    if "displayText" in action and "text" in action:
        tell(found, path, "has both displayText and text; keep displayText")
    if "fillInText" in action and action.get("inputOption") != "openKeyboard":
        tell(found, path, 'has a fillInText that is not shown; add inputOption = "openKeyboard"')


@functools.cache
def action_at(place: Place) -> Tagged:
    """The actions that work at ``place``."""
    most, labelled = _LABELS[place]
    label: dict[str, Kind] = {"label": Text(most, "graphemes")}
    needs = ("label",) if labelled else ()
    words, data = Text(300, "graphemes"), Data(300)

    def kind(tag: str, fields: dict[str, Kind], needed: tuple[str, ...], **more: Any) -> Object:
        return tagged(f"{tag} action", tag, label | fields, needs=(*needed, *needs), **more)

    options = Choice(("closeRichMenu", "openRichMenu", "openKeyboard", "openVoice"))
    posted: dict[str, Kind] = {
        "data": data,
        "displayText": words,
        "text": words,
        "inputOption": options,
        "fillInText": words,
    }
    linked: dict[str, Kind] = {"uri": LINK, "altUri": Object("altUri", {"desktop": LINK})}
    picked: dict[str, Kind] = {"data": data, "mode": Choice(tuple(_MOMENTS))}
    switched: dict[str, Kind] = {
        "data": data,
        "richMenuAliasId": Form(r"[A-Za-z0-9_-]{1,32}", "1 to 32 letters, digits, _ and -"),
    }
    everywhere = {
        "postback": kind("postback", posted, ("data",), rule=_posts),
        "message": kind("message", {"text": words}, ("text",)),
        "uri": kind("uri", linked, ("uri",)),
        "datetimepicker": kind(
            "datetimepicker", picked, ("data", "mode"), varying=_moments, rule=_picks
        ),
        "clipboard": kind("clipboard", {"clipboardText": Text(1000)}, ("clipboardText",)),
    }
    asking = {tag: kind(tag, {}, ()) for tag in ("camera", "cameraRoll", "location")}
    switching = {"richmenuswitch": kind("richmenuswitch", switched, ("data", "richMenuAliasId"))}
    here = {"quick reply": asking, "menu": switching}.get(place, {})
    elsewhere = dict.fromkeys(asking, "works in quick replies only")
    elsewhere |= dict.fromkeys(switching, "works in rich menus only")
    return Tagged("action", everywhere | here, elsewhere)


def action_problems(action: Any, place: Place, path: str = "action") -> list[str]:
    """What is wrong with an action that stands at ``place``: ``path: what; what to write``."""
    found: list[str] = []
    action_at(place).check(action, path, found)
    return found
