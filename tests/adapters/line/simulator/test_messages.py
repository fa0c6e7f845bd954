"""Messages within and beyond the documented limits, each with the error's place."""

from typing import Any

import pytest

from adapters.line.simulator.messages import message_faults
from adapters.line.simulator.texts import graphemes, units
from tests.adapters.line.simulator.world import World, in_world

URL = "https://example.jp/a.png"
TAP = {"type": "postback", "label": "押す", "data": "a=1"}
TEXT = {"type": "text", "text": "やあ"}
BUBBLE: dict[str, Any] = {
    "type": "bubble",
    "body": {"type": "box", "layout": "vertical", "contents": [{"type": "text", "text": "肉"}]},
}


def template(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "template", "altText": "替", "template": {"type": kind} | fields}


def flex(contents: Any) -> dict[str, Any]:
    return {"type": "flex", "altText": "替", "contents": contents}


def body_with(component: dict[str, Any]) -> dict[str, Any]:
    box = {"type": "box", "layout": "vertical", "contents": [component]}
    return flex({"type": "bubble", "body": box})


def button(action: dict[str, Any]) -> dict[str, Any]:
    return template("buttons", text="選ぶ", actions=[action])


COLUMN = {"text": "肉", "actions": [TAP]}

GOOD: dict[str, dict[str, Any]] = {
    "text": TEXT,
    "longest text": {"type": "text", "text": "あ" * 5000},
    "emoji": {
        "type": "text",
        "text": "👍$",
        "emojis": [{"index": 2, "productId": "p", "emojiId": "1"}],
    },
    "text v2": {
        "type": "textV2",
        "text": "{who}さん {e}",
        "substitution": {
            "who": {"type": "mention", "mentionee": {"type": "user", "userId": "U1"}},
            "e": {"type": "emoji", "productId": "p", "emojiId": "1"},
        },
    },
    "sticker": {"type": "sticker", "packageId": "446", "stickerId": "1988"},
    "image": {"type": "image", "originalContentUrl": URL, "previewImageUrl": URL},
    "video": {
        "type": "video",
        "originalContentUrl": URL,
        "previewImageUrl": URL,
        "trackingId": "t-1",
    },
    "audio": {"type": "audio", "originalContentUrl": URL, "duration": 1},
    "location": {
        "type": "location",
        "title": "店",
        "address": "東京",
        "latitude": 35.6,
        "longitude": 139,
    },
    "imagemap": {
        "type": "imagemap",
        "baseUrl": "https://example.jp/map",
        "altText": "地図",
        "baseSize": {"width": 1040, "height": 585},
        "actions": [
            {
                "type": "uri",
                "linkUri": URL,
                "area": {"x": 0, "y": 0, "width": 520, "height": 585},
            }
        ],
    },
    "buttons": template("buttons", title="題", text="選ぶ", actions=[TAP] * 4),
    "confirm": template("confirm", text="はい?", actions=[TAP, TAP]),
    "carousel": template("carousel", columns=[COLUMN] * 10),
    "image carousel": template(
        "image_carousel", columns=[{"imageUrl": URL, "action": {"type": "uri", "uri": URL}}]
    ),
    "bubble": flex(BUBBLE),
    "carousel of bubbles": flex({"type": "carousel", "contents": [BUBBLE] * 12}),
    "spans": body_with({"type": "text", "contents": [{"type": "span", "text": "肉"}]}),
    "button": body_with({"type": "button", "action": TAP, "style": "primary"}),
    "quick reply": TEXT
    | {"quickReply": {"items": [{"type": "action", "action": {"type": "camera", "label": "撮"}}]}},
    "sender": TEXT | {"sender": {"name": "店長", "iconUrl": URL}},
    "coupon": {"type": "coupon", "couponId": "01X"},
    "telephone": button({"type": "uri", "label": "電話", "uri": "tel:0312345678"}),
    "picker": button(
        {"type": "datetimepicker", "label": "日", "data": "d", "mode": "date", "max": "2027-01-15"}
    ),
    "clipboard": button({"type": "clipboard", "label": "写す", "clipboardText": "X"}),
    "family label": button(TAP | {"label": "👨‍👩‍👧" * 20}),
}

BAD: dict[str, tuple[Any, str]] = {
    "no object": ("text", "m"),
    "no type": ({"text": "a"}, "m.type"),
    "unknown type": ({"type": "hologram"}, "m.type"),
    "empty text": ({"type": "text", "text": ""}, "m.text"),
    "no text": ({"type": "text"}, "m.text"),
    "text of another type": ({"type": "text", "text": 1}, "m.text"),
    "too long a text": ({"type": "text", "text": "あ" * 5001}, "m.text"),
    "too many emoji of two units": ({"type": "text", "text": "👍" * 2501}, "m.text"),
    "emoji without its sign": (
        TEXT | {"emojis": [{"index": 0, "productId": "p", "emojiId": "1"}]},
        "m.emojis[0].index",
    ),
    "sticker without id": ({"type": "sticker", "packageId": "1"}, "m.stickerId"),
    "image over http": (
        {"type": "image", "originalContentUrl": "http://a.jp/1", "previewImageUrl": URL},
        "m.originalContentUrl",
    ),
    "image with too long an address": (
        {"type": "image", "originalContentUrl": URL, "previewImageUrl": URL + "a" * 2000},
        "m.previewImageUrl",
    ),
    "audio without length": ({"type": "audio", "originalContentUrl": URL}, "m.duration"),
    "location off the globe": (GOOD["location"] | {"latitude": 91}, "m.latitude"),
    "imagemap of another width": (
        GOOD["imagemap"] | {"baseSize": {"width": 700, "height": 700}},
        "m.baseSize.width",
    ),
    "too long an altText": (GOOD["buttons"] | {"altText": "あ" * 1501}, "m.altText"),
    "five buttons": (
        template("buttons", text="a", actions=[TAP] * 5),
        "m.template.actions",
    ),
    "too long a text beside a title": (
        template("buttons", title="題", text="あ" * 61, actions=[TAP]),
        "m.template.text",
    ),
    "one choice": (template("confirm", text="a", actions=[TAP]), "m.template.actions"),
    "eleven columns": (template("carousel", columns=[COLUMN] * 11), "m.template.columns"),
    "uneven columns": (
        template("carousel", columns=[COLUMN, COLUMN | {"actions": [TAP, TAP]}]),
        "m.template.columns",
    ),
    "too long a label": (button(TAP | {"label": "あ" * 21}), "m.template.actions[0].label"),
    "too long a postback": (button(TAP | {"data": "a" * 301}), "m.template.actions[0].data"),
    "a script as address": (
        button({"type": "uri", "label": "a", "uri": "javascript:alert(1)"}),
        "m.template.actions[0].uri",
    ),
    "camera in a button": (
        button({"type": "camera", "label": "a"}),
        "m.template.actions[0].type",
    ),
    "menu switch in a button": (
        button({"type": "richmenuswitch", "data": "a", "richMenuAliasId": "a"}),
        "m.template.actions[0].type",
    ),
    "fill-in without keyboard": (
        button(TAP | {"fillInText": "a"}),
        "m.template.actions[0].fillInText",
    ),
    "both texts": (
        button(TAP | {"text": "a", "displayText": "a"}),
        "m.template.actions[0]",
    ),
    "picker with a wrong date": (
        button({"type": "datetimepicker", "label": "a", "data": "d", "mode": "date", "min": "1"}),
        "m.template.actions[0].min",
    ),
    "fourteen quick replies": (
        TEXT | {"quickReply": {"items": [{"type": "action", "action": TAP}] * 14}},
        "m.quickReply.items",
    ),
    "long sender": (TEXT | {"sender": {"name": "あ" * 21}}, "m.sender.name"),
    "empty bubble": (flex({"type": "bubble"}), "m.contents"),
    "thirteen bubbles": (
        flex({"type": "carousel", "contents": [BUBBLE] * 13}),
        "m.contents.contents",
    ),
    "mixed sizes": (
        flex({"type": "carousel", "contents": [BUBBLE, BUBBLE | {"size": "nano"}]}),
        "m.contents.contents",
    ),
    "large bubble": (
        flex({"type": "bubble", "body": BUBBLE["body"] | {"contents": [TEXT] * 1000}}),
        "m.contents",
    ),
    "unknown component": (body_with({"type": "carousel"}), "m.contents.body.contents[0].type"),
    "unknown field": (
        body_with({"type": "text", "text": "a", "colour": "red"}),
        "m.contents.body.contents[0].colour",
    ),
    "wrong color": (
        body_with({"type": "text", "text": "a", "color": "red"}),
        "m.contents.body.contents[0].color",
    ),
    "flex button without label": (
        body_with({"type": "button", "action": {"type": "uri", "uri": URL}}),
        "m.contents.body.contents[0].action.label",
    ),
    "empty flex text": (
        body_with({"type": "text", "text": ""}),
        "m.contents.body.contents[0].text",
    ),
    "long delivery tag": (
        {"type": "coupon", "couponId": "01X", "deliveryTag": "a" * 31},
        "m.deliveryTag",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_message_within_the_limits_is_taken(name: str) -> None:
    """Nothing is wrong with it."""
    assert message_faults(GOOD[name], "m") == []


@pytest.mark.parametrize("name", BAD)
def test_a_message_beyond_a_limit_is_refused_at_its_place(name: str) -> None:
    """The first fault names the property."""
    message, place = BAD[name]
    assert message_faults(message, "m")[0].property == place


def test_a_message_that_is_nested_without_end_is_refused() -> None:
    """It ends somewhere, and no stack overflows."""
    box: dict[str, Any] = {"type": "box", "layout": "vertical", "contents": []}
    for _ in range(200):
        box = {"type": "box", "layout": "vertical", "contents": [box]}
    faults = message_faults(flex({"type": "bubble", "body": box}), "m")
    assert [fault.message for fault in faults] == ["nested too deeply"]


@pytest.mark.parametrize(
    ("text", "people_see", "platform_counts"),
    [
        ("abc", 3, 3),
        ("か\u3099", 1, 2),
        ("👍", 1, 2),
        ("👍🏽", 1, 4),
        ("👨‍👩‍👧", 1, 8),
        ("🇯🇵🇫🇷", 2, 8),
    ],
)
def test_characters_are_counted_both_ways(text: str, people_see: int, platform_counts: int) -> None:
    """Labels by what people see, texts by UTF-16 units."""
    assert (graphemes(text), units(text)) == (people_see, platform_counts)


@pytest.mark.parametrize("kind", ["reply", "push", "multicast", "narrowcast", "broadcast"])
@in_world()
async def test_messages_can_be_validated_without_sending(world: World, kind: str) -> None:
    """200 for good ones; all faults of bad ones at once."""
    path = f"/v2/bot/message/validate/{kind}"
    assert (await world.post(path, {"messages": [TEXT]})).status == 200
    wrong = {"messages": [TEXT, {"type": "text", "text": ""}, {"type": "image"}]}
    told = await world.post(path, wrong)
    assert told.json["message"] == "The request body has 3 error(s)"
    assert told.faults["messages[1].text"] == "May not be empty"
    assert world.hana.inbox == []


@pytest.mark.parametrize("messages", [None, [], [TEXT] * 6, TEXT])
@in_world()
async def test_a_request_has_one_to_five_messages(world: World, messages: object) -> None:
    """Anything else is refused."""
    body = {"to": world.hana.user_id, "messages": messages}
    told = await world.post("/v2/bot/message/push", body)
    assert (told.status, list(told.faults)) == (400, ["messages"])


@in_world()
async def test_a_coupon_message_needs_a_coupon_of_the_channel(world: World) -> None:
    """An unknown id is refused when it is sent."""
    told = await world.push({"type": "coupon", "couponId": "01X"})
    assert (told.status, list(told.faults)) == (400, ["messages[0].couponId"])
