"""Actions of buttons, quick replies and rich menus.

Source: "Action objects" of the Messaging API reference.
"""

import re

from adapters.line.simulator.checks import Checks
from adapters.line.simulator.protocol import Json

TEMPLATE_LABEL = 20
FLEX_LABEL = 40
CAROUSEL_LABEL = 12

_LINKS = ("http", "https", "line", "tel")
_INPUT_OPTIONS = ("closeRichMenu", "openRichMenu", "openKeyboard", "openVoice")
_TIMES = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "time": re.compile(r"\d\d:\d\d"),
    "datetime": re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d"),
}
_ALIAS = re.compile(r"[a-z0-9_-]{1,32}")

_QUICK_ONLY = frozenset({"camera", "cameraRoll", "location"})
_KNOWN = _QUICK_ONLY | {
    "clipboard",
    "datetimepicker",
    "message",
    "postback",
    "richmenuswitch",
    "uri",
}


def check_action(
    checks: Checks,
    action: object,
    where: str,
    *,
    label: int = TEMPLATE_LABEL,
    label_required: bool = True,
    quick: bool = False,
    menu: bool = False,
) -> None:
    """Note what is wrong with ``action``; a ``quick`` reply and a rich ``menu`` can do more."""
    if not checks.thing(action, where):
        return
    assert isinstance(action, dict)  # noqa: S101 - just seen; mypy has not
    kinds = _KNOWN - (frozenset() if quick else _QUICK_ONLY)
    kinds -= frozenset() if menu else {"richmenuswitch"}
    if not checks.one_of(action, where, "type", kinds):
        return
    checks.label(action, where, label, required=label_required)
    match action["type"]:
        case "postback":
            _check_postback(checks, action, where)
        case "message":
            checks.text(action, where, "text", 300)
        case "uri":
            checks.url(action, where, "uri", schemes=_LINKS, most=1000)
        case "datetimepicker":
            _check_picker(checks, action, where)
        case "clipboard":
            checks.text(action, where, "clipboardText", 1000)
        case "richmenuswitch":
            checks.text(action, where, "data", 300, least=0)
            alias = action.get("richMenuAliasId")
            if not isinstance(alias, str) or not _ALIAS.fullmatch(alias):
                checks.note(f"{where}.richMenuAliasId", "invalid rich menu alias ID")


def _check_postback(checks: Checks, action: Json, where: str) -> None:
    checks.text(action, where, "data", 300)
    checks.text(action, where, "displayText", 300, required=False)
    checks.text(action, where, "text", 300, required=False)
    if "displayText" in action and "text" in action:
        checks.note(where, "displayText and text can't be specified at the same time")
    checks.one_of(action, where, "inputOption", _INPUT_OPTIONS, required=False)
    checks.text(action, where, "fillInText", 300, required=False)
    if "fillInText" in action and action.get("inputOption") != "openKeyboard":
        checks.note(f"{where}.fillInText", "needs inputOption openKeyboard")


def _check_picker(checks: Checks, action: Json, where: str) -> None:
    checks.text(action, where, "data", 300)
    if not checks.one_of(action, where, "mode", _TIMES):
        return
    for name in ("initial", "max", "min"):
        value = action.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or not _TIMES[action["mode"]].fullmatch(value):
            checks.note(f"{where}.{name}", "invalid date and time")
