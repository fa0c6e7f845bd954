"""What friends are told of coupons, as message objects that still get their variables."""

from datetime import datetime, timedelta
from typing import Any

from gateway.domain.coupons.coupon import Coupon
from gateway.domain.coupons.tickets import Offer, Ticket
from gateway.domain.hours import TOKYO
from gateway.domain.values import moment

Message = dict[str, Any]

_WEEKDAYS = "月火水木金土日"

_SAID: dict[str, tuple[str, str]] = {
    "early": ("「{title}」の配布は{starts}からです。", "“{title}” starts on {starts}."),
    "over": ("「{title}」は終了しました。", "“{title}” is over."),
    "sold_out": (
        "「{title}」は予定枚数に達したため、配布を終了しました。",
        "“{title}” is gone: all have been given out.",
    ),
    "enough": ("「{title}」はすでにお受け取り済みです。", "You have had “{title}” already."),
    "lost": (
        "残念、はずれでした。またのご利用をお待ちしております。",
        "No luck this time. See you again!",
    ),
    "open": ("クーポンを開く", "Open the coupon"),
    "until": ("有効期限：{until}まで", "Valid until {until}"),
    "soon": ("まもなく期限です：{title}", "Ends soon: {title}"),
}


def is_english(language: str) -> bool:
    """Whether a friend with this language setting is addressed in English; else in Japanese."""
    return language.partition("-")[0].lower() == "en"


def day_of(instant: int, *, english: bool) -> str:
    """A time as people read it, on Japan's clocks."""
    local = moment(instant).astimezone(TOKYO)
    if english:
        return f"{local:%b} {local.day}, {local.year}, {local:%H:%M} (JST)"
    return f"{local.year}年{local.month}月{local.day}日({_weekday(local)}) {local:%H:%M}"


def until_of(instant: int, *, english: bool) -> str:
    """A time up to which something is good, as people read it: the end of a day is of that day, not
    the first moment of the next.
    """
    end = moment(instant + 1).astimezone(TOKYO)  # a day's last microsecond is its end, too
    if end.hour or end.minute or end.second:
        return day_of(instant, english=english)
    day = end - timedelta(1)
    if english:
        return f"the end of {day:%b} {day.day}, {day.year} (JST)"
    return f"{day.year}年{day.month}月{day.day}日({_weekday(day)}) 24:00"


def _weekday(local: datetime) -> str:
    return _WEEKDAYS[local.weekday()]


def _plain(title: str) -> str:
    """A title in a text that still gets its variables: braces in it stand for themselves."""
    return title.replace("{", "{{").replace("}", "}}")


def ticket_message(coupon: Coupon, ticket: Ticket, url: str, language: str) -> Message:
    """The button that opens a ticket's page."""
    return _button(_plain(coupon.title), ticket, url, english=is_english(language))


def reminder_message(coupon: Coupon, ticket: Ticket, url: str, language: str) -> Message:
    """The same for a ticket that ends soon."""
    english = is_english(language)
    return _button(_said("soon", english, title=_plain(coupon.title)), ticket, url, english=english)


def _button(title: str, ticket: Ticket, url: str, *, english: bool) -> Message:
    until = _said("until", english, until=until_of(ticket.expires_at, english=english))
    text = f"{title}\n{until}"
    action = {"type": "uri", "label": _said("open", english), "uri": url}
    return {
        "type": "template",
        "altText": text,
        "template": {"type": "buttons", "text": text, "actions": [action]},
    }


def refusal_message(coupon: Coupon, why: Offer, language: str) -> Message:
    """Why a friend gets none."""
    english = is_english(language)
    starts = day_of(coupon.starts, english=english)
    return {"type": "text", "text": _said(why, english, title=_plain(coupon.title), starts=starts)}


def lost_message(coupon: Coupon, language: str) -> Message:
    """For a friend who drew a blank."""
    own = coupon.lottery.lost if coupon.lottery else ""
    return {"type": "text", "text": own or _said("lost", is_english(language))}


def platform_message(platform_id: str) -> Message:
    """LINE's own coupon."""
    return {"type": "coupon", "couponId": platform_id}


def _said(key: str, english: bool, **values: str) -> str:
    return _SAID[key][english].format(**values)
