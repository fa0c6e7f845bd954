"""Message objects: what a shop may write into its rules and pushes, checked when it is set up.

They are the platform's own objects as plain tables, and three of ours that stand for one of them:
``{type = "coupon", coupon = "…"}``, ``{type = "card", card = "…"}``,
``{type = "survey", survey = "…"}``. A field that a type does not have is a mistyped one, and an
error: the platform would ignore it, or refuse the message when a friend waits for it.

Source: https://developers.line.biz/en/reference/messaging-api/#message-objects
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.domain.line import flex
from gateway.domain.line.actions import PICTURE, action_at
from gateway.domain.line.fields import (
    Choice,
    Form,
    Items,
    Keyed,
    Kind,
    MixedText,
    Number,
    Object,
    Tagged,
    Text,
    largest,
    tagged,
    tell,
)
from gateway.domain.line.templates import ALT_TEXT, IMAGEMAP, TEMPLATE, areas_within
from gateway.domain.line.texts import VARIABLES, text_length, value_of

__all__ = [
    "REQUEST_BYTES",
    "VARIABLES",
    "problems",
    "problems_of",
    "render",
    "text_length",
    "variables_of",
]

MOST_MESSAGES = 5
REQUEST_BYTES = 2_000_000
"""The platform says 2 MB; its answer tells no better what that is."""

_MOST_TEXT = 5000
_MOST_EMOJI = 20  # and as many mentions

_OWN_ID = Form(r"[a-z0-9-]{1,40}", "an id of 1 to 40 of a-z, 0-9 and -")
_DIGITS = Form(r"[0-9]{1,20}", 'digits in quotes, like "446"')
_TOKEN = Form(r"[!-~]{1,1000}", "what the platform named it by")

# --- what all messages have ---


def _unlike_line(sender: Mapping[str, Any], path: str, found: list[str]) -> None:
    if re.search(r"\bline\b", sender.get("name", ""), re.IGNORECASE | re.ASCII):
        tell(found, path, "has LINE in its name, which the platform refuses; write another name")


_BUTTON = Object(
    "quick reply button",
    {"type": Choice(("action",)), "imageUrl": PICTURE, "action": action_at("quick reply")},
    needs=("type", "action"),
)
_COMMON: dict[str, Kind] = {
    "quickReply": Object("quick reply", {"items": Items(_BUTTON, 1, 13)}, needs=("items",)),
    "sender": Object("sender", {"name": Text(20), "iconUrl": PICTURE}, rule=_unlike_line),
}


def _message(tag: str, fields: dict[str, Kind], needs: tuple[str, ...], **more: Any) -> Object:
    return tagged(f"{tag} message", tag, fields | _COMMON, needs=needs, **more)


# --- texts ---


def _emoji_stand(message: Mapping[str, Any], path: str, found: list[str]) -> None:
    emojis = message.get("emojis", ())
    if emojis and ("{" in message["text"] or "}" in message["text"]):
        # Whatever is put in before an emoji would move the place that its index tells.
        tell(found, path, "has emojis beside variables or braces; write it as textV2")
        return
    units = message["text"].encode("utf-16-le")
    places = [emoji["index"] for emoji in emojis]
    if len(set(places)) < len(places):
        tell(found, path, "has two emojis at one place; write one for each $")
    for number, place in enumerate(places):
        if units[2 * place : 2 * place + 2] != b"$\0":
            where = f"{path}.emojis[{number}]" if path else f"emojis[{number}]"
            tell(found, where, "has an index where no $ is; count UTF-16 units from 0")


_EMOJI = Object(
    "LINE emoji",
    {"index": Number(0, _MOST_TEXT), "productId": _TOKEN, "emojiId": _TOKEN},
    needs=("index", "productId", "emojiId"),
)
_MENTION = tagged(
    "mention",
    "mention",
    {
        "mentionee": Tagged(
            "mentioned person",
            {
                "user": tagged("mentioned user", "user", {"userId": _TOKEN}, needs=("userId",)),
                "all": tagged("mention of all", "all", {}),
            },
        )
    },
    needs=("mentionee",),
)
_REPLACED = Tagged(
    "substitution",
    {
        "mention": _MENTION,
        "emoji": tagged(
            "LINE emoji",
            "emoji",
            {"productId": _TOKEN, "emojiId": _TOKEN},
            needs=("productId", "emojiId"),
        ),
    },
)


def _mixed(message: Mapping[str, Any]) -> dict[str, Kind]:
    keys = message.get("substitution", ())
    known = frozenset(keys) if isinstance(keys, Mapping) else frozenset()
    return {"text": MixedText(_MOST_TEXT, known)}


def _few_replaced(message: Mapping[str, Any], path: str, found: list[str]) -> None:
    replaced = message.get("substitution", {})
    used = re.findall(r"\{(\w+)\}", message["text"].replace("{{", "").replace("}}", ""))
    for kind in ("mention", "emoji"):
        if sum(replaced.get(key, {}).get("type") == kind for key in used) > _MOST_EMOJI:
            tell(found, path, f"has too many of the type {kind}; write at most {_MOST_EMOJI}")


# --- all messages ---


def _few_move(message: Mapping[str, Any], path: str, found: list[str]) -> None:
    if sum(1 for _ in flex.animated(message["contents"])) > flex.MOST_ANIMATED:
        tell(found, path, f"has too many animated images; write at most {flex.MOST_ANIMATED}")


def _one_coupon(message: Mapping[str, Any], path: str, found: list[str]) -> None:
    if ("coupon" in message) == ("couponId" in message):
        tell(found, path, 'names no coupon; write coupon = "the id in these files"')
    elif "coupon" in message and "deliveryTag" in message:
        tell(found, path, "has a deliveryTag, which only goes with couponId; take it out")


MESSAGE = Tagged(
    "message",
    {
        "text": _message(
            "text",
            {
                "text": Text(_MOST_TEXT),
                "emojis": Items(_EMOJI, 1, _MOST_EMOJI),
                "quoteToken": _TOKEN,
            },
            ("text",),
            rule=_emoji_stand,
        ),
        "textV2": _message(
            "textV2",
            {
                "substitution": Keyed(
                    _REPLACED, r"\w{1,20}", "keys of 1 to 20 letters, digits and _", 100
                ),
                "quoteToken": _TOKEN,
            },
            ("text",),
            varying=_mixed,
            rule=_few_replaced,
        ),
        "sticker": _message(
            "sticker",
            {"packageId": _DIGITS, "stickerId": _DIGITS, "quoteToken": _TOKEN},
            ("packageId", "stickerId"),
        ),
        "image": _message(
            "image",
            {"originalContentUrl": PICTURE, "previewImageUrl": PICTURE},
            ("originalContentUrl", "previewImageUrl"),
        ),
        "video": _message(
            "video",
            {
                "originalContentUrl": PICTURE,
                "previewImageUrl": PICTURE,
                "trackingId": Form(
                    r"[a-zA-Z0-9\-.=,+*()%$&;:@{}!?<>\[\]]{1,100}",
                    "1 to 100 letters, digits and -.=,+*()%$&;:@{}!?<>[]",
                ),
            },
            ("originalContentUrl", "previewImageUrl"),
        ),
        "audio": _message(
            "audio",
            {"originalContentUrl": PICTURE, "duration": Number(1, 2**53)},
            ("originalContentUrl", "duration"),
        ),
        "location": _message(
            "location",
            {
                "title": Text(100),
                "address": Text(100),
                "latitude": Number(-90, 90, whole=False),
                "longitude": Number(-180, 180, whole=False),
            },
            ("title", "address", "latitude", "longitude"),
        ),
        "imagemap": _message(
            "imagemap",
            IMAGEMAP,
            ("baseUrl", "altText", "baseSize", "actions"),
            rule=areas_within,
        ),
        "template": _message(
            "template",
            {"altText": ALT_TEXT, "template": TEMPLATE},
            ("altText", "template"),
        ),
        "flex": _message(
            "flex",
            {"altText": ALT_TEXT, "contents": flex.CONTAINER},
            ("altText", "contents"),
            rule=_few_move,
        ),
        "coupon": _message(
            "coupon",
            {
                "coupon": _OWN_ID,
                "couponId": _TOKEN,
                "deliveryTag": Form(r"\w{1,30}", "1 to 30 letters, digits and _"),
            },
            (),
            rule=_one_coupon,
        ),
        "card": _message("card", {"card": _OWN_ID}, ("card",)),
        "survey": _message("survey", {"survey": _OWN_ID}, ("survey",)),
    },
)
"""Every message that can be set up."""


def problems(message: Any, path: str = "") -> list[str]:
    """What is wrong with ``message``, each as ``path: what is wrong; what to write``.

    ``path`` is where it stands. An empty list: the platform takes it, whatever its variables say.
    """
    found: list[str] = []
    MESSAGE.check(message, path, found)
    return found


def problems_of(messages: Sequence[Any], path: str = "messages") -> list[str]:
    """The same of the messages of one request."""
    found: list[str] = []
    Items(MESSAGE, 1, MOST_MESSAGES).check(messages, path, found)
    if not found and largest(Items(MESSAGE, 1), messages) > REQUEST_BYTES:
        tell(found, path, f"may become more than {REQUEST_BYTES:,} bytes; write fewer messages")
    return found


def render(message: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """``message`` with its variables replaced; a value that is not there is empty.

    A value is put in as it is: braces in it are not looked at. Texts that get longer than their
    limit lose their end, at a whole character. In addresses and data values are percent-encoded;
    one that would get too long is left without values.
    """
    known = {name: value_of(values.get(name, "")) for name in VARIABLES}
    return dict(MESSAGE.fill(message, known))


class _Asked(dict[str, str]):
    """Values that remember which of them were asked for."""

    def __missing__(self, name: str) -> str:
        self[name] = ""
        return ""


def variables_of(message: Mapping[str, Any]) -> set[str]:
    """The variables that ``message`` holds."""
    asked = _Asked()
    MESSAGE.fill(message, asked)
    return set(asked)
