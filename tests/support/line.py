"""Channels, events and bodies of LINE for tests."""

import json
from itertools import count
from typing import Any

from gateway.domain.line.channel import Channel, Rule, Uniform
from gateway.domain.line.events import Event
from gateway.domain.values import SECOND, Seed
from gateway.usecases.line import IDS_AN_EVENT, Incoming

NOON = 1_793_674_800 * SECOND
"""2026-11-03T12:00:00+09:00, a holiday."""

USER = "U" + "0" * 32


def text(said: str) -> dict[str, Any]:
    """A text message object."""
    return {"type": "text", "text": said}


SHOP = Channel(
    id="acme-shop",
    advertiser="acme",
    channel_id="1234567890",
    channel_secret="8c570fa6dd201bb328f1c1eac23a96d8",
    name="Acme",
    greeting=(text("ようこそ"),),
    reply=(
        Rule("クーポン", messages=(text("こちらをどうぞ"),)),
        Rule("人と話す", messages=(text("お待ちください"),), staff="call"),
        Rule("終了", messages=(text("またどうぞ"),), staff="end"),
        Rule("menu", match="postback", messages=(text("メニュー"),), tags=("menu",)),
    ),
    uniform=(Uniform((text("店の者が見ます"),)),),
)
"""A shop with a greeting, a keyword, a way to people and back, a button and a uniform reply."""


def event(kind: str, at: int, ordinal: int = 0, **more: Any) -> Event:
    """An event of :data:`USER` at ``at`` seconds after :data:`NOON`; its id follows of the two."""
    more.setdefault("user", USER)
    more.setdefault("source", "user")
    more.setdefault("mode", "active")
    more.setdefault("raw", "{}")
    if kind not in ("unfollow", "leave", "unsend"):
        more.setdefault("reply_token", f"token-{at}-{ordinal}")
    return Event(
        id=f"event-{at}-{ordinal}", kind=kind, at=NOON + at * SECOND, redelivered=False, **more
    )


def said(words: str, at: int, ordinal: int = 0, **more: Any) -> Event:
    """A text message."""
    more.setdefault("message_id", f"message-{at}-{ordinal}")
    told = {
        "mode": more.get("mode", "active"),
        "replyToken": more.get("reply_token", f"token-{at}-{ordinal}"),
        "message": {"type": "text", "text": words},
    }
    more.setdefault("raw", json.dumps(told, ensure_ascii=False))
    return event("message", at, ordinal, message_kind="text", text=words, **more)


_blocks = count(1)


def body(*events: Event, channel: str = SHOP.id, received_at: int = NOON) -> Incoming:
    """A body as the edge hands it over."""
    ids = IDS_AN_EVENT * len(events)
    seed = Seed(next(_blocks) * 100_000, ids, b"0123456789abcdef")
    return Incoming(channel, tuple(sorted(events, key=lambda e: e.at)), received_at, seed)
