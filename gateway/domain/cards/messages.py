"""What friends are told of their cards, as message objects of the platform."""

from typing import Any

from gateway.domain.cards.book import Card
from gateway.domain.cards.design import ShopCard
from gateway.domain.effects import NEVER
from gateway.domain.hours import TOKYO
from gateway.domain.values import SECOND, moment

Message = dict[str, Any]

_SAID: dict[str, tuple[str, str]] = {
    "points": ("{title}：{points}/{size}ポイント", "{title}: {points} of {size} points"),
    "none": (
        "{title}：ご来店時にQRコードを読み取ると、ポイントが貯まります。",
        "{title}: scan the QR code at the shop to collect points.",
    ),
    "until": ("有効期限：{day}", "Valid until {day}"),
    "soon": (
        "{title}のポイントがまもなく失効します（{points}ポイント）。",
        "Your {points} points on {title} expire soon.",
    ),
    "open": ("カードを見る", "Show my card"),
}


def is_english(language: str) -> bool:
    """Whether a friend with this language setting is addressed in English; else in Japanese."""
    return language.partition("-")[0].lower() == "en"


def last_day(expires_at: int, *, english: bool) -> str:
    """The last day on which a card is good, as people read it; empty where it does not expire."""
    if expires_at == NEVER:
        return ""
    day = moment(expires_at - SECOND).astimezone(TOKYO)
    if english:
        return f"{day:%b} {day.day}, {day.year}"
    return f"{day.year}年{day.month}月{day.day}日"


def card_message(design: ShopCard, card: Card | None, url: str, language: str) -> Message:
    """How a friend's card stands, with a button to its page."""
    english = is_english(language)
    title = _plain(design.title)
    if card is None:
        return _button(_said("none", english, title=title), url, english=english)
    text = _said("points", english, title=title, points=card.points, size=design.points)
    if day := last_day(card.expires_at, english=english):
        text = f"{text}\n{_said('until', english, day=day)}"
    return _button(text, url, english=english)


def notice_message(design: ShopCard, card: Card, url: str, language: str) -> Message:
    """That a card's points expire soon."""
    english = is_english(language)
    text = _said("soon", english, title=_plain(design.title), points=card.points)
    day = last_day(card.expires_at, english=english)
    return _button(f"{text}\n{_said('until', english, day=day)}", url, english=english)


def _button(text: str, url: str, *, english: bool) -> Message:
    action = {"type": "uri", "label": _said("open", english), "uri": url}
    return {
        "type": "template",
        "altText": text,
        "template": {"type": "buttons", "text": text, "actions": [action]},
    }


def _plain(title: str) -> str:
    """A title in a text that still gets its variables: braces in it stand for themselves."""
    return title.replace("{", "{{").replace("}", "}}")


def _said(key: str, english: bool, **values: object) -> str:
    return _SAID[key][english].format(**values)
