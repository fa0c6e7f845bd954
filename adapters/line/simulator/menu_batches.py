"""Rich menus replaced or taken away for everybody who has one, in one request.

Source: "Replace or unlink the linked rich menus in batches" of the Messaging API reference.
"""

import re

from adapters.line.simulator.ids import SECOND, rfc3339
from adapters.line.simulator.protocol import (
    DONE,
    HOUR,
    Answer,
    Call,
    Json,
    Route,
    Wrong,
    invalid,
)

MOST_OPERATIONS = 1000
_KEY = re.compile(r"[a-zA-Z0-9_-]{1,100}")
_KEPT_SECONDS = 14 * 86_400


def batch(call: Call) -> Answer:
    """POST /v2/bot/richmenu/batch: done at once; its progress is asked by the request's id."""
    operations = _operations(call)
    state = call.channel.menu
    replaced: dict[str, str | None] = {}
    everything = False
    for operation in operations:
        match operation["type"]:
            case "link":
                replaced[operation["from"]] = operation["to"]
            case "unlink":
                replaced[operation["from"]] = None
            case _:
                everything = True
    linked: dict[str, str] = {}
    for user, menu_id in state.linked.items():
        now = None if everything else replaced.get(menu_id, menu_id)
        if now is not None:
            linked[user] = now
    state.linked = linked
    state.batches[call.request_id] = call.now
    return Answer(status=202)


def validate(call: Call) -> Answer:
    """POST /v2/bot/richmenu/validate/batch."""
    _operations(call)
    return DONE


def progress(call: Call) -> Answer:
    """GET /v2/bot/richmenu/progress/batch."""
    accepted = call.channel.menu.batches.get(call.query.get("requestId", ""))
    if accepted is None or call.now > accepted + _KEPT_SECONDS * SECOND:
        raise Wrong(404, "Not found")
    done = rfc3339(accepted)
    return Answer({"phase": "succeeded", "acceptedTime": done, "completedTime": done})


def _operations(call: Call) -> list[Json]:
    body = call.json()
    operations = body.get("operations")
    if not isinstance(operations, list) or not 1 <= len(operations) <= MOST_OPERATIONS:
        raise invalid("operations", f"Size must be between 1 and {MOST_OPERATIONS}")
    key = body.get("resumeRequestKey")
    if key is not None and not (isinstance(key, str) and _KEY.fullmatch(key)):
        raise invalid("resumeRequestKey", "must be 1 to 100 letters, digits, _ or -")
    menus = call.channel.menu.menus
    for place, operation in enumerate(operations):
        where = f"operations[{place}]"
        kind = operation.get("type") if isinstance(operation, dict) else None
        if kind not in ("link", "unlink", "unlinkAll"):
            raise invalid(f"{where}.type", "Must be one of the following values: [link, unlink]")
        if kind == "unlinkAll" and len(operations) > 1:
            raise invalid(where, "unlinkAll can't be combined")
        wanted = {"link": ("from", "to"), "unlink": ("from",), "unlinkAll": ()}[kind]
        for name in wanted:
            menu = menus.get(str(operation.get(name)))
            if menu is None or (name == "to" and menu.image is None):
                raise invalid(f"{where}.{name}", "richmenu not found")
    return operations


ROUTES = (
    Route("POST", "/v2/bot/richmenu/batch", batch, (3, HOUR)),
    Route("POST", "/v2/bot/richmenu/validate/batch", validate),
    Route("GET", "/v2/bot/richmenu/progress/batch", progress),
)
