"""Rich menus: made, painted, shown to everybody or to one friend, and switched by aliases.

Source: "Rich menu" of the Messaging API reference.
"""

import io
import re
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from adapters.line.simulator.actions import check_action
from adapters.line.simulator.checks import Checks
from adapters.line.simulator.protocol import (
    DONE,
    HOUR,
    Answer,
    Call,
    Fault,
    Json,
    Route,
    Wrong,
    invalid,
    refuse_faults,
)
from adapters.line.simulator.texts import graphemes

MOST_MENUS = 1000
MOST_ALIASES = 1000
MOST_AREAS = 20
MOST_LINKED = 500
MOST_IMAGE_BYTES = 1024 * 1024
_ALIAS = re.compile(r"[a-z0-9_-]{1,32}")
_USER = re.compile(r"U[0-9a-f]{32}")
_NEEDS_IMAGE = "must upload richmenu image before applying it to user"


@dataclass
class Menu:
    """One rich menu of a channel."""

    id: str
    asked: Json
    image: bytes | None = None
    content_type: str = ""

    def shown(self) -> Json:
        """As the API shows it."""
        return {"richMenuId": self.id} | self.asked


def menu_faults(asked: Json) -> list[Fault]:
    """What the platform finds wrong with a menu to be made."""
    checks = Checks()
    size = asked.get("size")
    width, height = 2500, 2500
    if checks.thing(size, "size"):
        assert isinstance(size, dict)  # noqa: S101 - just seen; mypy has not
        good = checks.number(size, "size", "width", 800, 2500)
        if checks.number(size, "size", "height", 250, 2500) and good:
            width, height = size["width"], size["height"]
            if width / height < 1.45:
                checks.note("size", "width / height must be at least 1.45")
    if not isinstance(asked.get("selected"), bool):
        checks.note("selected", "must be a boolean")
    for name, most in (("name", 300), ("chatBarText", 14)):
        value = asked.get(name)
        if not isinstance(value, str) or not 1 <= graphemes(value) <= most:
            checks.note(name, f"Length must be between 1 and {most}")
    areas = asked.get("areas")
    if not isinstance(areas, list) or len(areas) > MOST_AREAS:
        checks.note("areas", f"Size must be between 0 and {MOST_AREAS}")
        return checks.faults
    for place, area in enumerate(areas):
        _check_area(checks, area, f"areas[{place}]", width, height)
    return checks.faults


def _check_area(checks: Checks, area: object, where: str, width: int, height: int) -> None:
    if not checks.thing(area, where):
        return
    assert isinstance(area, dict)  # noqa: S101 - just seen; mypy has not
    check_action(checks, area.get("action"), f"{where}.action", label_required=False, menu=True)
    bounds = area.get("bounds")
    inner = f"{where}.bounds"
    if not checks.thing(bounds, inner):
        return
    assert isinstance(bounds, dict)  # noqa: S101 - just seen; mypy has not
    good = [
        checks.number(bounds, inner, name, least, most)
        for name, least, most in (
            ("x", 0, width),
            ("y", 0, height),
            ("width", 1, width),
            ("height", 1, height),
        )
    ]
    if all(good) and (
        bounds["x"] + bounds["width"] > width or bounds["y"] + bounds["height"] > height
    ):
        checks.note(inner, "must lie within the menu")


# --- the menu itself ---


def create(call: Call) -> Answer:
    """POST /v2/bot/richmenu."""
    asked = call.json()
    refuse_faults(menu_faults(asked))
    menus = call.channel.menu.menus
    if len(menus) >= MOST_MENUS:
        raise Wrong(400, "The number of rich menus has reached its limit")
    menu = Menu(f"richmenu-{call.platform.ids.hex()}", asked)
    menus[menu.id] = menu
    return Answer({"richMenuId": menu.id})


def validate(call: Call) -> Answer:
    """POST /v2/bot/richmenu/validate."""
    refuse_faults(menu_faults(call.json()))
    return DONE


def show(call: Call) -> Answer:
    """GET /v2/bot/richmenu/{richMenuId}."""
    return Answer(_found(call, call.args[0]).shown())


def listing(call: Call) -> Answer:
    """GET /v2/bot/richmenu/list."""
    return Answer({"richmenus": [menu.shown() for menu in call.channel.menu.menus.values()]})


def delete(call: Call) -> Answer:
    """DELETE /v2/bot/richmenu/{richMenuId}: it vanishes from everybody's screen."""
    menu = _found(call, call.args[0])
    state = call.channel.menu
    del state.menus[menu.id]
    state.linked = {user: linked for user, linked in state.linked.items() if linked != menu.id}
    if state.default == menu.id:
        state.default = None
    return DONE


def upload(call: Call) -> Answer:
    """POST (data) /v2/bot/richmenu/{richMenuId}/content: once, JPEG or PNG of the menu's size."""
    menu = _found(call, call.args[0])
    if menu.image is not None:
        raise Wrong(400, "An image has already been uploaded to the richmenu")
    content_type = call.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type not in ("image/jpeg", "image/png"):
        raise Wrong(415, f"The content type, {content_type or 'null'}, is not supported")
    try:
        with Image.open(io.BytesIO(call.body), formats=("JPEG", "PNG")) as image:
            size = image.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        raise Wrong(400, "invalid image") from None
    wanted = (menu.asked["size"]["width"], menu.asked["size"]["height"])
    if size != wanted:
        raise Wrong(400, f"invalid image size; {wanted[0]}x{wanted[1]} is expected")
    menu.image, menu.content_type = call.body, content_type
    return DONE


def download(call: Call) -> Answer:
    """GET (data) /v2/bot/richmenu/{richMenuId}/content."""
    menu = _found(call, call.args[0])
    if menu.image is None:
        raise Wrong(404, "Not found")
    return Answer(menu.image, content_type=menu.content_type)


def _found(call: Call, menu_id: object) -> Menu:
    menu = call.channel.menu.menus.get(menu_id) if isinstance(menu_id, str) else None
    if menu is None:
        raise Wrong(404, "richmenu not found")
    return menu


def _painted(call: Call, menu_id: object) -> Menu:
    menu = _found(call, menu_id)
    if menu.image is None:
        raise Wrong(400, _NEEDS_IMAGE)
    return menu


# --- who sees it ---


def set_default(call: Call) -> Answer:
    """POST /v2/bot/user/all/richmenu/{richMenuId}."""
    call.channel.menu.default = _painted(call, call.args[0]).id
    return DONE


def default(call: Call) -> Answer:
    """GET /v2/bot/user/all/richmenu."""
    if call.channel.menu.default is None:
        raise Wrong(404, "no default richmenu")
    return Answer({"richMenuId": call.channel.menu.default})


def cancel_default(call: Call) -> Answer:
    """DELETE /v2/bot/user/all/richmenu."""
    call.channel.menu.default = None
    return DONE


def of_user(call: Call) -> Answer:
    """GET /v2/bot/user/{userId}/richmenu: the one linked to the user, not the default."""
    linked = call.channel.menu.linked.get(_user(call.args[0]))
    if linked is None:
        raise Wrong(404, "the user has no richmenu")
    return Answer({"richMenuId": linked})


def link(call: Call) -> Answer:
    """POST /v2/bot/user/{userId}/richmenu/{richMenuId}."""
    user, menu_id = call.args
    call.channel.menu.linked[_user(user)] = _painted(call, menu_id).id
    return DONE


def unlink(call: Call) -> Answer:
    """DELETE /v2/bot/user/{userId}/richmenu."""
    call.channel.menu.linked.pop(_user(call.args[0]), None)
    return DONE


def bulk_link(call: Call) -> Answer:
    """POST /v2/bot/richmenu/bulk/link: up to 500 users."""
    body = call.json()
    users = _users(body)
    menu = _painted(call, body.get("richMenuId"))
    call.channel.menu.linked |= dict.fromkeys(users, menu.id)
    return Answer(status=202)


def bulk_unlink(call: Call) -> Answer:
    """POST /v2/bot/richmenu/bulk/unlink: up to 500 users."""
    for user in _users(call.json()):
        call.channel.menu.linked.pop(user, None)
    return Answer(status=202)


def _user(value: object) -> str:
    if not isinstance(value, str) or not _USER.fullmatch(value):
        raise invalid("userId", "invalid user ID")
    return value


def _users(body: Json) -> list[str]:
    users = body.get("userIds")
    if not isinstance(users, list) or not 1 <= len(users) <= MOST_LINKED:
        raise invalid("userIds", f"Size must be between 1 and {MOST_LINKED}")
    return [_user(user) for user in users]


# --- aliases ---


def create_alias(call: Call) -> Answer:
    """POST /v2/bot/richmenu/alias."""
    body = call.json()
    alias = body.get("richMenuAliasId")
    if not isinstance(alias, str) or not _ALIAS.fullmatch(alias):
        raise invalid("richMenuAliasId", "invalid rich menu alias ID")
    aliases = call.channel.menu.aliases
    if alias in aliases:
        raise Wrong(400, "conflict richmenu alias id")
    if len(aliases) >= MOST_ALIASES:
        raise Wrong(400, "The number of rich menu aliases has reached its limit")
    aliases[alias] = _named(call, body)
    return DONE


def update_alias(call: Call) -> Answer:
    """POST /v2/bot/richmenu/alias/{richMenuAliasId}."""
    _aliased(call)
    call.channel.menu.aliases[call.args[0]] = _named(call, call.json())
    return DONE


def show_alias(call: Call) -> Answer:
    """GET /v2/bot/richmenu/alias/{richMenuAliasId}."""
    return Answer({"richMenuAliasId": call.args[0], "richMenuId": _aliased(call)})


def delete_alias(call: Call) -> Answer:
    """DELETE /v2/bot/richmenu/alias/{richMenuAliasId}."""
    _aliased(call)
    del call.channel.menu.aliases[call.args[0]]
    return DONE


def list_aliases(call: Call) -> Answer:
    """GET /v2/bot/richmenu/alias/list."""
    aliases = call.channel.menu.aliases.items()
    shown = [{"richMenuAliasId": alias, "richMenuId": menu_id} for alias, menu_id in aliases]
    return Answer({"aliases": shown})


def _named(call: Call, body: Json) -> str:
    """The menu that an alias shall stand for; here an unknown one is a 400."""
    try:
        return _painted(call, body.get("richMenuId")).id
    except Wrong as wrong:
        raise Wrong(400, str(wrong)) from None


def _aliased(call: Call) -> str:
    menu_id = call.channel.menu.aliases.get(call.args[0])
    if menu_id is None:
        raise Wrong(404, "richmenu alias not found")
    return menu_id


_CHANGES = (100, HOUR)

ROUTES = (
    Route("POST", "/v2/bot/richmenu", create, _CHANGES),
    Route("POST", "/v2/bot/richmenu/validate", validate),
    Route("GET", "/v2/bot/richmenu/list", listing),
    Route("POST", "/v2/bot/richmenu/alias", create_alias),
    Route("GET", "/v2/bot/richmenu/alias/list", list_aliases),
    Route("GET", "/v2/bot/richmenu/alias/{}", show_alias),
    Route("POST", "/v2/bot/richmenu/alias/{}", update_alias),
    Route("DELETE", "/v2/bot/richmenu/alias/{}", delete_alias),
    Route("POST", "/v2/bot/richmenu/bulk/link", bulk_link),
    Route("POST", "/v2/bot/richmenu/bulk/unlink", bulk_unlink),
    Route("GET", "/v2/bot/richmenu/{}", show),
    Route("DELETE", "/v2/bot/richmenu/{}", delete, _CHANGES),
    Route("GET", "/v2/bot/richmenu/{}/content", download),
    Route("POST", "/v2/bot/richmenu/{}/content", upload, most_bytes=MOST_IMAGE_BYTES),
    Route("GET", "/v2/bot/user/all/richmenu", default),
    Route("DELETE", "/v2/bot/user/all/richmenu", cancel_default),
    Route("POST", "/v2/bot/user/all/richmenu/{}", set_default),
    Route("GET", "/v2/bot/user/{}/richmenu", of_user),
    Route("DELETE", "/v2/bot/user/{}/richmenu", unlink),
    Route("POST", "/v2/bot/user/{}/richmenu/{}", link),
)
