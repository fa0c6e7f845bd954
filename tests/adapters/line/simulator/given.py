"""Good menus, coupons and assertions, for several files of tests."""

import base64
import io
import json
from typing import Any

from PIL import Image

from tests.adapters.line.simulator.world import NOW, SECOND

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

START = NOW // SECOND

COUPON: dict[str, Any] = {
    "title": "秋の一割引",
    "acquisitionCondition": {"type": "normal"},
    "maxUseCountPerTicket": 1,
    "startTimestamp": START,
    "endTimestamp": START + 86_400,
    "timezone": "ASIA_TOKYO",
    "visibility": "UNLISTED",
    "reward": {"type": "discount", "priceInfo": {"type": "percentage", "percentage": 10}},
}
TAP = {"type": "postback", "data": "a=1"}
MENU: dict[str, Any] = {
    "size": {"width": 800, "height": 270},
    "selected": True,
    "name": "いつもの",
    "chatBarText": "メニュー",
    "areas": [{"bounds": {"x": 0, "y": 0, "width": 400, "height": 270}, "action": TAP}],
}


def picture(width: int = 800, height: int = 270, kind: str = "PNG") -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(drawn, kind)
    return drawn.getvalue()


def jwt(**claims: Any) -> str:
    parts = [{"alg": "RS256", "typ": "JWT", "kid": "k"}, claims]
    made = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(part.rstrip("=") for part in made), "unsigned"])
