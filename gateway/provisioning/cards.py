"""``[[shop_card]]``: cards that a visit fills, and what they are worth."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.domain.cards import SAME, Reward, ShopCard
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.line.channel import Channel
from gateway.domain.surveys import Survey
from gateway.provisioning.base import (
    ADVERTISER_KEY,
    REMOVED,
    Entry,
    Everything,
    Table,
    amiss_in_messages,
    id_of,
)
from gateway.tomlfile import Key, Secret, Wrong, anything, entries, line, one_of, printable, whole

_MOST_POINTS = 50
_MOST_REWARDS = 10


def _pin(value: str, _: Path) -> str:
    if not re.fullmatch(r"[0-9]{4,12}", value):
        raise Wrong("is not a PIN", "write 4 to 12 digits")
    return Secret(value)


REWARD: tuple[Key, ...] = (
    Key("at", int, whole(1, _MOST_POINTS), "The point that earns it.", example=10, required=True),
    Key("coupon", str, id_of, "A coupon of ours that the friend gets.", example="autumn"),
    Key("text", str, printable(200), "What the friend is told.", example="コーヒー1杯無料"),
)
"""The keys of ``[[shop_card.rewards]]``."""

PRINTED: tuple[Key, ...] = (
    Key("enabled", bool, anything, "Whether a printed code gives points.", True),
    Key(
        "daily_limit",
        int,
        whole(1, 10_000),
        "How many points it gives a day to all together.",
        100,
    ),
    Key("pin", str, _pin, "What staff type on the customer's phone.", required=True, secret=True),
)
"""The keys of ``[shop_card.printed]``."""

SHOP_CARD: tuple[Key, ...] = (
    Key("id", str, id_of, "Its name in files and codes.", example="acme-card", required=True),
    ADVERTISER_KEY,
    Key("channel", str, id_of, "The channel it is for.", example="acme-shop", required=True),
    Key("title", str, printable(60), "What friends see.", example="Acme カード", required=True),
    Key("points", int, whole(1, _MOST_POINTS), "How many points fill it.", 10),
    Key("bonus", int, whole(0, _MOST_POINTS - 1), "Points that a first card begins with.", 0),
    Key("rewards", list, entries(0, _MOST_REWARDS), "What points are worth.", [], keys=REWARD),
    Key(
        "limit",
        str,
        one_of("day", "hours", "none"),
        "How often a friend gets points: day (once a day), hours (once in limit_hours), none.",
        "day",
    ),
    Key("limit_hours", int, whole(1, 720), "For limit = hours.", example=6),
    Key(
        "expires",
        str,
        one_of("never", "first", "last"),
        "From which use expires_days are counted: first or last; or never.",
        "never",
    ),
    Key("expires_days", int, whole(1, 3_660), "Days at whose end a card expires.", example=365),
    Key(
        "notice_days",
        int,
        whole(0, 60),
        "So many days before that its holder is told, by a push; 0: not at all.",
        0,
    ),
    Key(
        "next",
        str,
        id_of,
        "What is handed on after a full one: same, or another card's id.",
        SAME,
    ),
    Key("printed", dict, anything, "A printed code, which is weaker.", keys=PRINTED),
    REMOVED,
)
"""The keys of ``[[shop_card]]``."""


def _build(values: dict[str, Any]) -> ShopCard:
    printed = values.pop("printed") or {"enabled": False, "daily_limit": 0, "pin": ""}
    rewards = tuple(
        Reward(each["at"], each["coupon"] or "", each["text"] or "")
        for each in sorted(values.pop("rewards"), key=lambda each: int(each["at"]))
    )
    for name in ("limit_hours", "expires_days"):
        values[name] = values[name] or 0
    return ShopCard(
        **values,
        rewards=rewards,
        printed=printed["enabled"],
        printed_a_day=printed["daily_limit"],
        pin_secret=printed["pin"],
    )


# --- what must hold within a card, and between it and others ---


def _check(everything: Everything) -> Iterator[str]:
    cards = everything[ShopCard.table]
    for name, entry in cards.items():
        coupons = everything.get(Coupon.table, {})
        if not entry.place:
            yield from _still_rewarded(name, entry, coupons)
            continue
        yield from _numbers(entry)
        yield from _rewarded(entry, coupons)
        yield from _of_channel(entry, everything[Channel.table])
        yield from _handed_on(name, entry, cards)
    # Steps look for themselves.
    tables = (Channel.table, Survey.table)
    yield from amiss_in_messages(everything, "card", ShopCard.table, by=tables, same=("channel",))


def _numbers(entry: Entry) -> Iterator[str]:
    values, place = entry.values, entry.place
    points, bonus = values.get("points"), values.get("bonus")
    if points and bonus and bonus >= points:
        wrong = Wrong("fills the card at once", f"write at most {points - 1}")
        yield line(f"{place}: bonus", bonus, wrong)
    yield from _together(entry, "limit", "hours", "limit_hours")
    expires = values.get("expires")
    yield from _together(entry, "expires", None if expires == "never" else expires, "expires_days")
    notice, days = values.get("notice_days"), values.get("expires_days")
    if notice and (expires == "never" or (days and notice >= days)):
        wrong = Wrong("is not before the card expires", "write less than expires_days, or 0")
        yield line(f"{place}: notice_days", notice, wrong)


def _together(entry: Entry, key: str, word: str | None, number: str) -> Iterator[str]:
    """``number`` belongs to one word of ``key``, and to no other."""
    if key not in entry.values or number not in entry.values:
        return  # told already
    said, given = entry.values[key], entry.values[number]
    if said == word and given is None:
        yield line(f"{entry.place}: {key}", said, Wrong("needs a number", f"add {number}"))
    elif said != word and given is not None:
        wrong = Wrong(f"does nothing with {key} = {said}", "take it out")
        yield line(f"{entry.place}: {number}", given, wrong)


def _rewarded(entry: Entry, coupons: Mapping[str, Entry]) -> Iterator[str]:
    points = entry.values.get("points", _MOST_POINTS)
    seen: set[int] = set()
    for ordinal, reward in enumerate(entry.values.get("rewards", ()), 1):
        place = f"{entry.place}: rewards[{ordinal}]"
        at = reward.get("at")
        if at is None or "coupon" not in reward or "text" not in reward:
            continue  # told already
        if at > points:
            yield line(f"{place}.at", at, Wrong("is beyond the card", f"write 1 to {points}"))
        if at in seen:
            yield line(f"{place}.at", at, Wrong("has a reward already", "keep one of the two"))
        seen.add(at)
        name = reward["coupon"]
        if name is None and reward["text"] is None:
            yield f"{place}: is worth nothing; add coupon or text"
        elif name is not None:
            yield from _coupon(f"{place}.coupon", name, entry, coupons.get(name))


def _still_rewarded(name: str, entry: Entry, coupons: Mapping[str, Entry]) -> Iterator[str]:
    """What becomes of the coupons of a card that no file describes, but the store holds."""
    for ordinal, reward in enumerate(entry.values["rewards"], 1):
        if reward.coupon:
            place = f"shop_card {name}: rewards[{ordinal}].coupon"
            yield from _coupon(place, reward.coupon, entry, coupons.get(reward.coupon))


def _coupon(place: str, name: str, card: Entry, coupon: Entry | None) -> Iterator[str]:
    if coupon is None:
        yield line(place, name, Wrong("does not exist", "describe it in a file, or name another"))
    elif coupon.values.get("advertiser") != card.values.get("advertiser"):
        yield line(place, name, Wrong("is another advertiser's", "name one of the same"))
    elif coupon.values.get("kind") == "line":
        wrong = Wrong("is LINE's own, which cannot be issued to one friend", "name one of ours")
        yield line(place, name, wrong)
    elif coupon.values.get("lottery"):
        wrong = Wrong("is a lottery, and a reward is earned for certain", "name another")
        yield line(place, name, wrong)


def _of_channel(entry: Entry, channels: Mapping[str, Entry]) -> Iterator[str]:
    name = entry.values.get("channel")
    channel = channels.get(name or "")
    if channel is None:
        return  # told where references are
    place = f"{entry.place}: channel"
    if channel.values.get("advertiser") != entry.values.get("advertiser"):
        yield line(place, name, Wrong("is another advertiser's", "name one of the same"))
    elif not channel.values.get("login_channel_id", True):
        wrong = Wrong("has no LINE Login channel", "add login_channel_id to it")
        yield line(place, name, wrong)


def _handed_on(name: str, entry: Entry, cards: Mapping[str, Entry]) -> Iterator[str]:
    after = entry.values.get("next", SAME)
    place = f"{entry.place}: next"
    if after == SAME:
        return
    if after not in cards:
        yield line(place, after, Wrong("does not exist", "describe it, or write same"))
        return
    if cards[after].values.get("channel") != entry.values.get("channel"):
        yield line(place, after, Wrong("is of another channel", "name one of the same"))
    way = [name]
    while after in cards and after not in way:
        way.append(after)
        after = cards[after].values.get("next", SAME)
    if after == name == min(each for each in way if cards[each].place):  # told once
        wrong = Wrong("comes back to this card", "write same for the last of them")
        yield line(place, entry.values["next"], wrong)


TABLE = Table(
    ShopCard,
    SHOP_CARD,
    _build,
    refers=(("advertiser", "advertiser"), ("channel", Channel.table)),
    check=_check,
)
