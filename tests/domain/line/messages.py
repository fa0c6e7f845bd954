"""One of each message that the platform takes, and what is said of others."""

from typing import Any

from gateway.domain.line.messages import problems

Json = dict[str, Any]

IMAGE = "https://shop.example.jp/a.png"
FAMILY = "👨‍👩‍👧‍👦"  # one character for a reader, seven for Python, eleven units of UTF-16
TAP: Json = {"type": "message", "label": "予約", "text": "予約する"}
AREA: Json = {"x": 0, "y": 0, "width": 520, "height": 1040}


def text(said: str = "こんにちは", **more: Any) -> Json:
    return {"type": "text", "text": said, **more}


def quick(*actions: Json) -> Json:
    return {"items": [{"type": "action", "action": action} for action in actions]}


def buttons(**more: Any) -> Json:
    template = {"type": "buttons", "text": "どうしますか", "actions": [TAP]} | more
    return {"type": "template", "altText": "予約", "template": template}


def confirm(**more: Any) -> Json:
    template = {"type": "confirm", "text": "よろしいですか", "actions": [TAP, TAP]} | more
    return {"type": "template", "altText": "確認", "template": template}


def column(**more: Any) -> Json:
    return {"text": "カット", "actions": [TAP]} | more


def carousel(*columns: Json) -> Json:
    template = {"type": "carousel", "columns": list(columns or (column(),))}
    return {"type": "template", "altText": "メニュー", "template": template}


def image_carousel(**more: Any) -> Json:
    one = {"imageUrl": IMAGE, "action": TAP} | more
    template = {"type": "image_carousel", "columns": [one]}
    return {"type": "template", "altText": "写真", "template": template}


def imagemap(**more: Any) -> Json:
    return {
        "type": "imagemap",
        "baseUrl": "https://shop.example.jp/map",
        "altText": "地図",
        "baseSize": {"width": 1040, "height": 1040},
        "actions": [{"type": "uri", "linkUri": "https://shop.example.jp/", "area": AREA}],
    } | more


def box(*contents: Json, **more: Any) -> Json:
    return {"type": "box", "layout": "vertical", "contents": list(contents)} | more


def bubble(*contents: Json, **more: Any) -> Json:
    return {"type": "bubble", "body": box(*contents)} | more


def flex(container: Json) -> Json:
    return {"type": "flex", "altText": "お知らせ", "contents": container}


RICH_BUBBLE = bubble(
    {"type": "text", "text": "秋の10%OFF", "weight": "bold", "size": "xl", "wrap": True},
    {"type": "text", "contents": [{"type": "span", "text": "{name}様", "color": "#FF0000"}]},
    box(
        {"type": "icon", "url": IMAGE, "size": "sm", "aspectRatio": "1.91:1"},
        {"type": "text", "text": "11月末まで", "offsetTop": "-2px", "flex": 0},
        layout="baseline",
        spacing="sm",
        margin="8px",
    ),
    {"type": "separator", "margin": "lg", "color": "#CCCCCC"},
    {
        "type": "button",
        "style": "primary",
        "height": "sm",
        "action": {
            "type": "uri",
            "label": "見る" * 20,
            "uri": "https://shop.example.jp/c?n={name}",
        },
    },
    {"type": "filler"},
    size="kilo",
    hero={"type": "image", "url": IMAGE, "size": "full", "aspectRatio": "20:13", "action": TAP},
    footer=box(
        paddingAll="10%",
        width="80px",
        backgroundColor="#00B90080",
        borderWidth="semi-bold",
        cornerRadius="xxl",
        background={
            "type": "linearGradient",
            "angle": "23.5deg",
            "startColor": "#FFFF00",
            "endColor": "#0080ff",
            "centerPosition": "50%",
        },
    ),
    styles={"footer": {"separator": True, "separatorColor": "#000000"}},
)

ACTIONS: dict[str, Json] = {
    "postback": {
        "type": "postback",
        "label": "買う",
        "data": "action=buy&item=1",
        "displayText": "買います",
        "inputOption": "openKeyboard",
        "fillInText": "お名前:\n",
    },
    "message": TAP,
    "uri": {
        "type": "uri",
        "label": "電話",
        "uri": "tel:0312345678",
        "altUri": {"desktop": "https://shop.example.jp/%E3%81%82?a=b#c"},
    },
    "datetimepicker": {
        "type": "datetimepicker",
        "label": "日時",
        "data": "when",
        "mode": "datetime",
        "min": "2026-11-01t00:00",
        "initial": "2026-11-24T10:00",
        "max": "2026-12-31T23:59",
    },
    "clipboard": {"type": "clipboard", "label": "コピー", "clipboardText": "AB-12"},
}
ASKING: dict[str, Json] = {
    kind: {"type": kind, "label": "送る"} for kind in ("camera", "cameraRoll", "location")
}
SWITCH: Json = {"type": "richmenuswitch", "data": "tab=2", "richMenuAliasId": "tab-2"}

SOUND: dict[str, Json] = {
    "text": text(
        "$ LINE $",
        emojis=[
            {"index": 0, "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "001"},
            {"index": 7, "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "002"},
        ],
        quoteToken="yHAz4Ua2wx7",
        sender={"name": "{shop}", "iconUrl": IMAGE},
        quickReply=quick(*ACTIONS.values(), *ASKING.values()),
    ),
    "textV2": {
        "type": "textV2",
        "text": "ようこそ {who} {laugh} {name}様 {{括弧}}",
        "substitution": {
            "who": {"type": "mention", "mentionee": {"type": "all"}},
            "laugh": {"type": "emoji", "productId": "5a8555cfe6256cc92ea23c2a", "emojiId": "002"},
            "you": {"type": "mention", "mentionee": {"type": "user", "userId": "U49585cd0d5"}},
        },
    },
    "sticker": {"type": "sticker", "packageId": "446", "stickerId": "1988"},
    "image": {"type": "image", "originalContentUrl": IMAGE, "previewImageUrl": IMAGE},
    "video": {
        "type": "video",
        "originalContentUrl": "https://shop.example.jp/a.mp4",
        "previewImageUrl": IMAGE,
        "trackingId": "track-{1}",
    },
    "audio": {"type": "audio", "originalContentUrl": IMAGE, "duration": 60_000},
    "location": {
        "type": "location",
        "title": "お店 {shop}",
        "address": "東京都千代田区紀尾井町1-3",
        "latitude": 35.67966,
        "longitude": 139,
    },
    "imagemap": imagemap(
        video={
            "originalContentUrl": "https://shop.example.jp/a.mp4",
            "previewImageUrl": IMAGE,
            "area": AREA,
            "externalLink": {"linkUri": "https://shop.example.jp/", "label": "もっと見る"},
        },
        actions=[
            {"type": "message", "text": "はい", "label": "はい", "area": AREA},
            {"type": "clipboard", "clipboardText": "AB-12", "area": AREA},
        ],
    ),
    "buttons": buttons(
        thumbnailImageUrl=IMAGE,
        imageAspectRatio="square",
        imageSize="contain",
        imageBackgroundColor="#FFFFFF",
        title="{shop}より",
        defaultAction={"type": "uri", "uri": "https://shop.example.jp/"},
        actions=[ACTIONS["postback"], ACTIONS["datetimepicker"], ACTIONS["clipboard"]],
    ),
    "confirm": confirm(),
    "carousel": carousel(*[column(title="あ", thumbnailImageUrl=IMAGE)] * 10),
    "image_carousel": image_carousel(action={"type": "message", "text": "写真"}),
    "flex": flex(RICH_BUBBLE),
    "flex carousel": flex({"type": "carousel", "contents": [RICH_BUBBLE] * 12}),
    "flex video": flex(
        bubble(
            hero={
                "type": "video",
                "url": "https://shop.example.jp/a.mp4",
                "previewUrl": IMAGE,
                "altContent": {"type": "image", "url": IMAGE},
                "aspectRatio": "20:13",
                "action": {"type": "uri", "label": "見る", "uri": "https://shop.example.jp/"},
            }
        )
    ),
    "the platform's coupon": {
        "type": "coupon",
        "couponId": "01JYNW8JMQVFBNWF1APF8Z3FS7",
        "deliveryTag": "2026_autumn",
    },
}
OURS: dict[str, Json] = {
    "coupon": {"type": "coupon", "coupon": "autumn", "quickReply": quick(TAP)},
    "card": {"type": "card", "card": "stamp-10"},
    "survey": {"type": "survey", "survey": "visit-2026"},
}


def hinted(message: Any, path: str) -> str:
    """The one problem of ``message``, which stands at ``path``."""
    (problem,) = problems(message)
    place, _, told = problem.partition(": ")
    assert place == path
    assert "; " in told
    return told
