"""``[[coupon]]``: what a shop hands out, and what the law allows it to be worth."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.domain.coupons import premiums
from gateway.domain.coupons.coupon import Coupon, Lottery
from gateway.domain.line.messages import problems, variables_of
from gateway.provisioning.audience import tag_of, tags_of
from gateway.provisioning.base import (
    ADVERTISER_KEY,
    REMOVED,
    Entry,
    Everything,
    Table,
    amiss_in_messages,
    id_of,
    instant,
    perhaps_id,
)
from gateway.tomlfile import Check, Key, Wrong, anything, line, one_of, printable, whole

_MOST_YEN = 10_000_000_000
_MOST_DAYS = 366
_MOST_TAGS = 10
_CHANNELS = "line_channel"
_FOR_ALL = ("gift", "free")
"""Rewards that are premiums (総付景品) where everybody gets them; a discount is none."""

_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?")

# --- checks ---


def _text(most: int) -> Check:
    def check(value: str, _: Path) -> str:
        if len(value) > most or any(ord(sign) < 32 and sign != "\n" for sign in value):
            raise Wrong("is too long, or has control characters", f"write at most {most}")
        return value.strip()

    return check


def _said(value: str, _: Path) -> str:
    message = {"type": "text", "text": value}
    found = problems(message) if value else []
    if found:
        raise Wrong("cannot be sent", f"mend: {found[0]}")
    if "points" in variables_of(message):
        raise Wrong("has {points}", "take it out; {name} and {shop} are filled in")
    return value


def _https(value: str, _: Path) -> str:
    try:
        parts = urlsplit(value)
        # The host goes into a header of the page (img-src), where ; and , begin something else.
        good = parts.scheme == "https" and bool(_HOST.fullmatch(parts.netloc))
    except ValueError:
        good = False
    if value and not (good and value.isascii() and value.isprintable() and " " not in value):
        raise Wrong("is not an https address", 'write it like "https://shop.example.jp/a.png"')
    return value


def _reward(value: dict[str, Any], _: Path) -> dict[str, Any]:
    """What LINE's coupon grants, as the platform takes it.

    Source: https://developers.line.biz/en/reference/messaging-api/#create-coupon-request-body
    """
    kind, price = value.get("type"), value.get("priceInfo")
    if kind not in _PRICES:
        if price:
            raise Wrong(f"a {kind} has no price", "take priceInfo out")
        return {"type": kind}
    allowed = _PRICES[kind]
    if not price or price.get("type") not in allowed:
        remedy = f'add priceInfo = {{ type = "{allowed[0]}", … }} ({", ".join(allowed)})'
        raise Wrong(f"a {kind} needs its price", remedy)
    needed = _PRICE_KEYS[price["type"]]
    given = {name for name, value in price.items() if value is not None} - {"type"}
    if given != set(needed):
        raise Wrong(f"its priceInfo has {_listed(given)}", f"write {' and '.join(needed)}")
    if price["type"] == "explicit" and price["priceAfterDiscount"] >= price["originalPrice"]:
        raise Wrong("its price does not fall", "write a priceAfterDiscount below originalPrice")
    return {"type": kind, "priceInfo": {name: price[name] for name in ("type", *needed)}}


def _listed(names: set[str]) -> str:
    return " and ".join(sorted(names)) or "nothing"


_PRICES = {"discount": ("fixed", "percentage", "explicit"), "cashBack": ("fixed", "percentage")}
_PRICE_KEYS = {
    "fixed": ("fixedAmount",),
    "percentage": ("percentage",),
    "explicit": ("originalPrice", "priceAfterDiscount"),
}

# --- the keys ---

LOTTERY: tuple[Key, ...] = (
    Key(
        "probability",
        int,
        whole(1, 99),
        "Per cent of the draws that win.",
        example=10,
        required=True,
    ),
    Key("lost", str, _said, "What is said to who drew a blank; else a text of ours.", ""),
)
"""The keys of ``[coupon.lottery]``."""

PRICE: tuple[Key, ...] = (
    Key(
        "type",
        str,
        one_of("fixed", "percentage", "explicit"),
        "fixed, percentage or explicit.",
        example="percentage",
        required=True,
    ),
    Key("fixedAmount", int, whole(1, 999_999), "fixed: yen off.", example=100),
    Key("percentage", int, whole(1, 99), "percentage: per cent off.", example=10),
    Key("originalPrice", int, whole(1, 999_999), "explicit: yen before.", example=1000),
    Key("priceAfterDiscount", int, whole(0, 999_999), "explicit: yen after.", example=800),
)
"""The keys of ``[coupon.reward.priceInfo]``, named as the platform names them."""

REWARD: tuple[Key, ...] = (
    Key(
        "type",
        str,
        one_of("discount", "free", "gift", "cashBack", "others"),
        "discount, free, gift, cashBack or others.",
        example="discount",
        required=True,
    ),
    Key("priceInfo", dict, anything, "By how much; of discount and cashBack.", keys=PRICE),
)
"""The keys of ``[coupon.reward]``."""

COUPON: tuple[Key, ...] = (
    Key("id", str, id_of, "Its name in messages and files.", example="autumn", required=True),
    ADVERTISER_KEY,
    Key(
        "kind",
        str,
        one_of("own", "line"),
        "own: a page of ours that is stamped; line: LINE's own coupon.",
        "own",
    ),
    Key("title", str, printable(60), "What it is.", example="秋の10%OFF", required=True),
    Key("description", str, _text(1000), "More about it.", ""),
    Key("usage", str, _text(100), "The conditions under which it is taken.", ""),
    Key("image_url", str, _https, "A picture, https.", ""),
    Key(
        "starts",
        datetime,
        instant,
        "From when on it is handed out.",
        example=datetime.fromisoformat("2026-11-01T00:00:00+09:00"),
        required=True,
    ),
    Key(
        "ends",
        datetime,
        instant,
        "The last instant at which it is good.",
        example=datetime.fromisoformat("2026-11-30T23:59:59+09:00"),
        required=True,
    ),
    Key("per_friend", int, whole(1, 100), "Tickets, or draws, that a friend gets.", 1),
    Key(
        "total",
        int,
        whole(1, 999_999),
        "Tickets in all; of a lottery the prizes.",
        example=500,
    ),
    Key(
        "valid_days",
        int,
        whole(0, _MOST_DAYS),
        "A ticket ends with the day so many days after it was handed out.",
        example=7,
    ),
    Key("uses_per_ticket", int, whole(0, 1), "1, or 0 for any number of times.", 1),
    Key(
        "stamp",
        str,
        one_of("pin", "staff", "both"),
        "Who stamps: the shop's PIN, staff's own devices, or both.",
        "both",
    ),
    Key(
        "reminder_days",
        int,
        whole(0, 60),
        "So many days before its end a friend is reminded, at 10 in the morning.",
        example=3,
    ),
    Key("tags", list, tags_of(_MOST_TAGS), "What who gets it is tagged with.", [], each=tag_of),
    Key("lottery", dict, anything, "Not everybody gets it.", keys=LOTTERY),
    Key("campaign", str, perhaps_id, "Coupons under one name are prizes of one campaign.", ""),
    Key("campaign_limit", int, whole(1, 100), "How many of them a friend may get.", 1),
    Key("prize", int, whole(1, _MOST_YEN), "What it is worth, in yen.", example=3000),
    Key("price", int, whole(1, _MOST_YEN), "The smallest purchase, in yen.", example=1000),
    Key(
        "expected_sales",
        int,
        whole(1, _MOST_YEN),
        "What is expected to be sold meanwhile, in yen.",
        example=5_000_000,
    ),
    Key("joint", bool, anything, "A lottery of most shops of a quarter (共同懸賞).", False),
    Key(
        "visibility",
        str,
        one_of("UNLISTED", "PUBLIC"),
        "Of LINE's own: UNLISTED to who gets it, PUBLIC to all.",
        "UNLISTED",
    ),
    Key("reward", dict, _reward, "What it grants; LINE's own shows it.", keys=REWARD),
    REMOVED,
)
"""The keys of ``[[coupon]]``."""


def _build(values: dict[str, Any]) -> Coupon:
    lottery, reward = values.pop("lottery"), values.pop("reward")
    return Coupon(**values, lottery=Lottery(**lottery) if lottery else None, reward=reward or {})


# --- what must hold within and between coupons ---


def _check(everything: Everything) -> Iterator[str]:
    for entry in everything[Coupon.table].values():
        if entry.place:
            yield from _times(entry)
            yield from _ours_or_lines(entry, everything)
            yield from _premium(entry)
    yield from _campaigns(everything)
    yield from amiss_in_messages(everything, "coupon", Coupon.table, same=("advertiser",))


def _times(entry: Entry) -> Iterator[str]:
    starts, ends = entry.values.get("starts"), entry.values.get("ends")
    if starts is not None and ends is not None and ends <= starts:
        yield f"{entry.place}: ends: is not after starts; write a later time"


def _ours_or_lines(entry: Entry, everything: Everything) -> Iterator[str]:
    values = entry.values
    if values.get("kind") == "line":
        for name, usual in (("per_friend", 1), ("valid_days", None), ("reminder_days", None)):
            if values.get(name, usual) != usual:
                wrong = Wrong("LINE's own coupons have no such thing", 'take it out, or kind "own"')
                yield line(f"{entry.place}: {name}", values[name], wrong)
    elif values.get("stamp") == "pin":
        for name, channel in everything.get(_CHANNELS, {}).items():
            is_theirs = channel.values.get("advertiser") == values.get("advertiser")
            if is_theirs and not channel.values.get("staff_secret"):
                wrong = Wrong(f"channel {name} has no PIN", "give it a staff_secret")
                yield line(f"{entry.place}: stamp", "pin", wrong)


def _premium(entry: Entry) -> Iterator[str]:
    """The limits of 景品表示法, as far as one coupon goes."""
    values, place = entry.values, entry.place
    lottery, prize, price = values.get("lottery"), values.get("prize"), values.get("price")
    needed: tuple[str, ...] = ()
    if lottery:
        needed = ("prize", "price", "expected_sales", "total")
    elif (values.get("reward") or {}).get("type") in _FOR_ALL or prize is not None:
        needed = ("prize", "price")
    for name in needed:
        if values.get(name, 0) is None:  # one that is wrong is not there, and told already
            reason = "a lottery" if lottery else "a premium"
            yield f"{place}: {name}: is missing; {reason} is held to 景品表示法's limits by it"
    if not needed or prize is None or price is None:
        return
    joint = bool(values.get("joint"))
    if lottery:
        most = premiums.most_of_lottery(price, joint=joint)
        law = "共同懸賞: ¥300,000" if joint else f"一般懸賞: 20 × ¥{price:,}, ¥100,000 at most"
    else:
        most = premiums.most_for_all(price)
        law = f"総付景品: 20 % of ¥{price:,}, or ¥200"
    if prize > most:
        wrong = Wrong(f"is beyond 景品表示法 ({law})", f"write at most {most}")
        yield line(f"{place}: prize", prize, wrong)


def _campaigns(everything: Everything) -> Iterator[str]:
    """What all prizes of a campaign are worth together, against what it is expected to sell."""
    campaigns: defaultdict[tuple[Any, ...], list[Entry]] = defaultdict(list)
    for name, entry in everything[Coupon.table].items():
        values = entry.values
        if values.get("lottery"):
            own = ("", name) if not values.get("campaign") else (values["campaign"], "")
            campaigns[values.get("advertiser"), *own].append(entry)
    for entries in campaigns.values():
        place = next((entry.place for entry in entries if entry.place), "")
        if place:
            yield from _agreed(place, entries)
            yield from _within_sales(place, entries)


def _agreed(place: str, entries: list[Entry]) -> Iterator[str]:
    for name in ("campaign_limit", "expected_sales", "joint"):
        given = {entry.values.get(name) for entry in entries} - {None}
        if len(given) > 1:
            yield f"{place}: {name}: differs within its campaign; write the same in all its coupons"


def _within_sales(place: str, entries: list[Entry]) -> Iterator[str]:
    prizes: list[tuple[int, int]] = []
    for entry in entries:
        total, prize = entry.values.get("total"), entry.values.get("prize")
        if total is None or prize is None:
            return  # told already
        prizes.append((total, prize))
    sales, joint = entries[0].values.get("expected_sales"), bool(entries[0].values.get("joint"))
    if sales is None:
        return
    worth = sum(total * prize for total, prize in prizes)
    most = premiums.most_of_all_prizes(sales, joint=joint)
    if worth > most:
        percent = premiums.percent_of_sales(joint=joint)
        reckoned = " + ".join(f"{total:,} × ¥{prize:,}" for total, prize in prizes)
        yield (
            f"{place}: total: all prizes are worth {reckoned} = ¥{worth:,}, beyond 景品表示法's "
            f"{percent} % of ¥{sales:,} = ¥{most:,}; write fewer or smaller ones"
        )


TABLE = Table(Coupon, COUPON, _build, check=_check)
