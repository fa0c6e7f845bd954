"""Message objects within the platform's limits.

Source: "Message objects" of the Messaging API reference.
"""

import re

from adapters.line.simulator.actions import CAROUSEL_LABEL, check_action
from adapters.line.simulator.checks import Checks
from adapters.line.simulator.flex import check_container
from adapters.line.simulator.protocol import Fault, Json

MOST_TEXT = 5000
MOST_ALT = 1500
MOST_QUICK_REPLIES = 13

_TRACKING = re.compile(r"[a-zA-Z0-9\-.=,+*()%$&;:@{}!?<>\[\]]{1,100}")
_RATIOS = ("rectangle", "square")
_SIZES = ("cover", "contain")


def message_faults(message: object, where: str) -> list[Fault]:
    """What the platform finds wrong with one message, at the place ``where``."""
    checks = Checks()
    if not checks.thing(message, where):
        return checks.faults
    assert isinstance(message, dict)  # noqa: S101 - just seen; mypy has not
    if not checks.one_of(message, where, "type", _CHECKED):
        return checks.faults
    _CHECKED[message["type"]](checks, message, where)
    if "quickReply" in message:
        _check_quick_reply(checks, message["quickReply"], f"{where}.quickReply")
    sender = message.get("sender")
    if sender is not None and checks.thing(sender, f"{where}.sender"):
        checks.text(sender, f"{where}.sender", "name", 20, required=False)
        checks.url(sender, f"{where}.sender", "iconUrl", required=False)
    return checks.faults


def _check_quick_reply(checks: Checks, quick: object, where: str) -> None:
    if not checks.thing(quick, where):
        return
    assert isinstance(quick, dict)  # noqa: S101 - just seen; mypy has not
    for place, item in enumerate(checks.items(quick, where, "items", 1, MOST_QUICK_REPLIES)):
        inner = f"{where}.items[{place}]"
        if not checks.thing(item, inner):
            continue
        checks.one_of(item, inner, "type", ("action",), required=False)
        checks.url(item, inner, "imageUrl", required=False)
        check_action(checks, item.get("action"), f"{inner}.action", quick=True)


def _check_text(checks: Checks, message: Json, where: str) -> None:
    if not checks.text(message, where, "text", MOST_TEXT):
        return
    checks.text(message, where, "quoteToken", 1000, required=False)
    text = message["text"].encode("utf-16-le", "surrogatepass")
    for place, emoji in enumerate(checks.items(message, where, "emojis", 0, 20, required=False)):
        inner = f"{where}.emojis[{place}]"
        if not checks.thing(emoji, inner):
            continue
        checks.text(emoji, inner, "productId", 100)
        checks.text(emoji, inner, "emojiId", 100)
        index = emoji.get("index")
        if not isinstance(index, int) or index < 0 or text[2 * index : 2 * index + 2] != b"$\0":
            checks.note(f"{inner}.index", "invalid index")


def _check_text_v2(checks: Checks, message: Json, where: str) -> None:
    checks.text(message, where, "text", MOST_TEXT)
    checks.text(message, where, "quoteToken", 1000, required=False)
    substitution = message.get("substitution", {})
    if not checks.thing(substitution, f"{where}.substitution"):
        return
    for name, value in substitution.items():
        inner = f"{where}.substitution.{name}"
        if not re.fullmatch(r"[a-zA-Z0-9_]{1,20}", name):
            checks.note(inner, "invalid key")
        if not checks.thing(value, inner):
            continue
        if checks.one_of(value, inner, "type", ("mention", "emoji")) and value["type"] == "emoji":
            checks.text(value, inner, "productId", 100)
            checks.text(value, inner, "emojiId", 100)


def _check_sticker(checks: Checks, message: Json, where: str) -> None:
    checks.text(message, where, "packageId", 20)
    checks.text(message, where, "stickerId", 20)
    checks.text(message, where, "quoteToken", 1000, required=False)


def _check_image(checks: Checks, message: Json, where: str) -> None:
    checks.url(message, where, "originalContentUrl")
    checks.url(message, where, "previewImageUrl")


def _check_video(checks: Checks, message: Json, where: str) -> None:
    _check_image(checks, message, where)
    tracking = message.get("trackingId")
    if tracking is not None and not (isinstance(tracking, str) and _TRACKING.fullmatch(tracking)):
        checks.note(f"{where}.trackingId", "invalid tracking ID")


def _check_audio(checks: Checks, message: Json, where: str) -> None:
    checks.url(message, where, "originalContentUrl")
    checks.number(message, where, "duration", 1, 2**53)


def _check_location(checks: Checks, message: Json, where: str) -> None:
    checks.text(message, where, "title", 100)
    checks.text(message, where, "address", 100)
    checks.number(message, where, "latitude", -90, 90, whole=False)
    checks.number(message, where, "longitude", -180, 180, whole=False)


def _check_imagemap(checks: Checks, message: Json, where: str) -> None:
    checks.url(message, where, "baseUrl")
    checks.text(message, where, "altText", MOST_ALT)
    size = message.get("baseSize")
    if checks.thing(size, f"{where}.baseSize"):
        assert isinstance(size, dict)  # noqa: S101 - just seen; mypy has not
        checks.number(size, f"{where}.baseSize", "width", 1040, 1040)
        checks.number(size, f"{where}.baseSize", "height", 1, 10_400)
    for place, action in enumerate(checks.items(message, where, "actions", 0, 50)):
        inner = f"{where}.actions[{place}]"
        if not checks.thing(action, inner):
            continue
        if not checks.one_of(action, inner, "type", ("message", "uri", "clipboard")):
            continue
        limits = {"message": ("text", 400), "uri": ("linkUri", 1000)}
        checks.text(action, inner, *limits.get(action["type"], ("clipboardText", 1000)))
        area = action.get("area")
        if checks.thing(area, f"{inner}.area"):
            for name in ("x", "y", "width", "height"):
                checks.number(area, f"{inner}.area", name, 0, 10_400)


def _check_template(checks: Checks, message: Json, where: str) -> None:
    checks.text(message, where, "altText", MOST_ALT)
    template = message.get("template")
    place = f"{where}.template"
    if not checks.thing(template, place):
        return
    assert isinstance(template, dict)  # noqa: S101 - just seen; mypy has not
    if not checks.one_of(template, place, "type", _TEMPLATES):
        return
    _TEMPLATES[template["type"]](checks, template, place)


def _check_card(checks: Checks, card: Json, where: str, long: int, short: int) -> None:
    """What buttons and a carousel's column share; text is shorter beside a picture or a title."""
    checks.url(card, where, "thumbnailImageUrl", required=False)
    checks.text(card, where, "title", 40, required=False)
    adorned = "thumbnailImageUrl" in card or "title" in card
    checks.text(card, where, "text", short if adorned else long)
    if "defaultAction" in card:
        check_action(checks, card["defaultAction"], f"{where}.defaultAction", label_required=False)


def _check_buttons(checks: Checks, template: Json, where: str) -> None:
    _check_card(checks, template, where, 160, 60)
    checks.one_of(template, where, "imageAspectRatio", _RATIOS, required=False)
    checks.one_of(template, where, "imageSize", _SIZES, required=False)
    for place, action in enumerate(checks.items(template, where, "actions", 1, 4)):
        check_action(checks, action, f"{where}.actions[{place}]")


def _check_confirm(checks: Checks, template: Json, where: str) -> None:
    checks.text(template, where, "text", 240)
    for place, action in enumerate(checks.items(template, where, "actions", 2, 2)):
        check_action(checks, action, f"{where}.actions[{place}]")


def _check_carousel(checks: Checks, template: Json, where: str) -> None:
    checks.one_of(template, where, "imageAspectRatio", _RATIOS, required=False)
    checks.one_of(template, where, "imageSize", _SIZES, required=False)
    shapes = set()
    for place, column in enumerate(checks.items(template, where, "columns", 1, 10)):
        inner = f"{where}.columns[{place}]"
        if not checks.thing(column, inner):
            continue
        _check_card(checks, column, inner, 120, 60)
        actions = checks.items(column, inner, "actions", 1, 3)
        for number, action in enumerate(actions):
            check_action(checks, action, f"{inner}.actions[{number}]")
        shapes.add((len(actions), "thumbnailImageUrl" in column, "title" in column))
    if len(shapes) > 1:
        checks.note(f"{where}.columns", "all columns need the same actions, image and title")


def _check_image_carousel(checks: Checks, template: Json, where: str) -> None:
    for place, column in enumerate(checks.items(template, where, "columns", 1, 10)):
        inner = f"{where}.columns[{place}]"
        if not checks.thing(column, inner):
            continue
        checks.url(column, inner, "imageUrl")
        action = column.get("action")
        check_action(checks, action, f"{inner}.action", label=CAROUSEL_LABEL, label_required=False)


def _check_flex(checks: Checks, message: Json, where: str) -> None:
    checks.text(message, where, "altText", MOST_ALT)
    check_container(checks, message.get("contents"), f"{where}.contents")


def _check_coupon(checks: Checks, message: Json, where: str) -> None:
    checks.text(message, where, "couponId", 100)
    checks.text(message, where, "deliveryTag", 30, required=False)


_CHECKED = {
    "text": _check_text,
    "textV2": _check_text_v2,
    "sticker": _check_sticker,
    "image": _check_image,
    "video": _check_video,
    "audio": _check_audio,
    "location": _check_location,
    "imagemap": _check_imagemap,
    "template": _check_template,
    "flex": _check_flex,
    "coupon": _check_coupon,
}

_TEMPLATES = {
    "buttons": _check_buttons,
    "confirm": _check_confirm,
    "carousel": _check_carousel,
    "image_carousel": _check_image_carousel,
}
