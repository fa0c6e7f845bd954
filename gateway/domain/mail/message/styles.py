"""Whether an element's own style hides what is in it.

A short list of what mails are seen to do, not a browser: each declaration is looked at by itself.
"""

import re

_LONGEST = 5_000
"""Characters of a style that is read; a longer one counts as hiding."""

_SMALLEST = {"": 1.0, "px": 4.0, "pt": 3.0, "em": 0.3, "rem": 0.3, "ex": 0.5, "%": 30.0, "vw": 0.5}
"""What text is smaller than that nobody reads, by unit."""

_FAR = -300.0
"""Of pixels, beyond which something is moved off the screen."""

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|([^\n]))")
_SIZE = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(px|pt|rem|em|ex|%|vw|)(?![a-z0-9.])")
_COLOR = re.compile(r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl)a?\([^)]*\)|\b[a-z]{3,20}\b")
_BOXES = ("height", "max-height", "width", "max-width")
_MOVES = ("left", "top", "right", "bottom", "text-indent", "margin-left", "margin-top", "margin")


def is_hiding(style: str) -> bool:
    """Whether a ``style`` attribute hides its element's content from people."""
    if not style:
        return False
    if len(style) > _LONGEST:
        return True
    declared = _declared(style)
    return (
        declared.get("display") == "none"
        or declared.get("visibility") in ("hidden", "collapse")
        or declared.get("mso-hide") == "all"
        or _is_tiny(declared)
        or _is_moved_off(declared)
        or _has_no_contrast(declared)
    )


def _declared(style: str) -> dict[str, str]:
    """The declarations by property, of two the last; ``!important`` is left out."""
    plain = _ESCAPE.sub(_unescaped, _COMMENT.sub("", style)).lower()
    found: dict[str, str] = {}
    for declaration in plain.split(";"):
        name, _, value = declaration.partition(":")
        found[name.strip()] = " ".join(value.partition("!")[0].split())
    return found


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[2]
    code = int(found[1], 16)
    return chr(code) if 0 < code < 0xD800 else "?"


def _is_tiny(declared: dict[str, str]) -> bool:
    fonts = (declared.get("font-size", ""), declared.get("font", ""))
    if any(_size(value, _SMALLEST) for value in fonts):
        return True
    if _size(declared.get("opacity", ""), {"": 0.1, "%": 10.0}):
        return True
    if _size(declared.get("max-height", ""), dict.fromkeys(_SMALLEST, 0.001)):
        return True
    is_cut = declared.get("overflow", "") in ("hidden", "clip")
    return is_cut and any(_size(declared.get(name, ""), _SMALLEST) for name in _BOXES)


def _size(value: str, least: dict[str, float]) -> bool:
    """Whether the first size in a value is smaller than ``least`` of its unit."""
    found = _SIZE.search(value)
    return found is not None and float(found[1]) < least.get(found[2], 0)


def _is_moved_off(declared: dict[str, str]) -> bool:
    if declared.get("clip", "").replace(" ", "").startswith(("rect(0,0,0,0", "rect(0px,0px,0px")):
        return True
    return any(
        float(found[1]) < (_FAR if found[2] in ("", "px", "pt") else -50.0)
        for name in _MOVES
        for found in _SIZE.finditer(declared.get(name, ""))
    )


def _has_no_contrast(declared: dict[str, str]) -> bool:
    color = _color(declared.get("color", ""))
    if color == "transparent":
        return True
    behind = declared.get("background-color") or declared.get("background", "")
    return bool(color) and color == _color(behind)


_NAMED = {"white": "#ffffff", "black": "#000000"}


def _color(value: str) -> str:
    """The first colour in a value, in one spelling of it."""
    found = _COLOR.search(value)
    if found is None:
        return ""
    color = _NAMED.get(found[0], found[0]).replace(" ", "")
    if color.startswith("#") and len(color) == 4:  # each digit stands for two
        return "#" + "".join(digit * 2 for digit in color[1:])
    if color.startswith("rgb("):
        parts = color[4:-1].split(",")
        if len(parts) == 3 and all(part.isdigit() and len(part) <= 3 for part in parts):
            return "#" + "".join(f"{int(part):02x}" for part in parts)
    is_clear = re.fullmatch(r"(?:rgb|hsl)a\(.*,0?\.?0*%?\)", color) or (
        color.startswith("#") and len(color) == 9 and color.endswith("00")
    )
    return "transparent" if is_clear else color
