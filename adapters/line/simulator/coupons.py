"""The Coupon API: create, list, look at, close.

Source: "Coupon" of the Messaging API reference. The API has no update, and tells nothing of use.
"""

from dataclasses import dataclass

from adapters.line.simulator.checks import EMPTY, Checks
from adapters.line.simulator.ids import SECOND
from adapters.line.simulator.protocol import (
    DONE,
    Answer,
    Call,
    Fault,
    Json,
    Route,
    Wrong,
    invalid,
    page,
    refuse_faults,
)

_TIME_ZONES = """
    ETC_GMT_MINUS_12 ETC_GMT_MINUS_11 PACIFIC_HONOLULU AMERICA_ANCHORAGE AMERICA_LOS_ANGELES
    AMERICA_PHOENIX AMERICA_CHICAGO AMERICA_NEW_YORK AMERICA_CARACAS AMERICA_SANTIAGO
    AMERICA_ST_JOHNS AMERICA_SAO_PAULO ETC_GMT_MINUS_2 ATLANTIC_CAPE_VERDE EUROPE_LONDON
    EUROPE_PARIS EUROPE_ISTANBUL EUROPE_MOSCOW ASIA_TEHRAN ASIA_TBILISI ASIA_KABUL ASIA_TASHKENT
    ASIA_COLOMBO ASIA_KATHMANDU ASIA_ALMATY ASIA_RANGOON ASIA_BANGKOK ASIA_TAIPEI ASIA_TOKYO
    AUSTRALIA_DARWIN AUSTRALIA_SYDNEY ASIA_VLADIVOSTOK ETC_GMT_PLUS_12 PACIFIC_TONGATAPU
"""
TIME_ZONES = frozenset(_TIME_ZONES.split())

_STATES = ("DRAFT", "RUNNING", "CLOSED")
_REWARDS = ("cashBack", "discount", "free", "gift", "others")
_PRICES = {
    "cashBack": ("fixed", "percentage"),
    "discount": ("fixed", "percentage", "explicit"),
}
_MOST_YEN = 99_999_999
_MOST_SECONDS = 253_402_300_799
"""The last second of the year 9999."""
_OPTIONAL = (
    *("description", "usageCondition", "couponCode", "imageUrl", "barcodeImageUrl"),
    *("title", "startTimestamp", "endTimestamp", "timezone", "visibility", "maxUseCountPerTicket"),
)


@dataclass
class Coupon:
    """One coupon of a channel."""

    id: str
    asked: Json
    """The request that made it."""
    created_at: int
    """Seconds."""
    status: str = "RUNNING"

    def shown(self) -> Json:
        """As the API shows it."""
        told: Json = {name: self.asked[name] for name in _OPTIONAL if name in self.asked}
        condition = self.asked["acquisitionCondition"]
        told["couponId"] = self.id
        told["status"] = self.status
        told["createdTimestamp"] = self.created_at
        told["acquisitionCondition"] = condition
        told["maxAcquireCount"] = condition.get("maxAcquireCount", -1)
        told["maxTicketPerUser"] = 1
        told["reward"] = _reward(self.asked["reward"])
        return told


def _reward(asked: Json) -> Json:
    price = asked.get("priceInfo")
    if price is None or asked["type"] not in _PRICES:
        return {"type": asked["type"]}
    currency = {} if price["type"] == "percentage" else {"currency": "JPY"}
    return {"type": asked["type"], "priceInfo": price | currency}


def coupon_faults(asked: Json) -> list[Fault]:
    """What the platform finds wrong with a coupon to be made."""
    checks = Checks()
    checks.text(asked, "coupon", "title", 60)
    checks.text(asked, "coupon", "description", 1000, least=0, required=False)
    checks.text(asked, "coupon", "usageCondition", 100, least=0, required=False)
    checks.text(asked, "coupon", "couponCode", 16, required=False)
    checks.url(asked, "coupon", "imageUrl", required=False)
    checks.url(asked, "coupon", "barcodeImageUrl", required=False)
    checks.one_of(asked, "coupon", "visibility", ("PUBLIC", "UNLISTED"))
    checks.one_of(asked, "coupon", "timezone", TIME_ZONES)
    if asked.get("maxUseCountPerTicket") not in (1, -1):
        checks.note("coupon.maxUseCountPerTicket", "must be 1 or -1")
    timed = [
        checks.number(asked, "coupon", name, 0, _MOST_SECONDS)
        for name in ("startTimestamp", "endTimestamp")
    ]
    if all(timed) and asked["endTimestamp"] <= asked["startTimestamp"]:
        checks.note("coupon.endTimestamp", "must be after startTimestamp")
    _check_condition(checks, asked.get("acquisitionCondition"))
    _check_reward(checks, asked.get("reward"))
    return [Fault(fault.message, fault.property.removeprefix("coupon.")) for fault in checks.faults]


def _check_condition(checks: Checks, condition: object) -> None:
    where = "acquisitionCondition"
    if not isinstance(condition, dict):
        checks.note(where, EMPTY)
        return
    if not checks.one_of(condition, where, "type", ("normal", "lottery")):
        return
    if condition["type"] == "lottery":
        checks.number(condition, where, "lotteryProbability", 1, 99)
        if condition.get("maxAcquireCount") != -1:
            checks.number(condition, where, "maxAcquireCount", 1, 999_999)


def _check_reward(checks: Checks, reward: object) -> None:
    if not isinstance(reward, dict):
        checks.note("reward", EMPTY)
        return
    if not checks.one_of(reward, "reward", "type", _REWARDS) or reward["type"] not in _PRICES:
        return
    where = "reward.priceInfo"
    price = reward.get("priceInfo")
    if not isinstance(price, dict):
        checks.note(where, EMPTY)
        return
    if not checks.one_of(price, where, "type", _PRICES[reward["type"]]):
        return
    match price["type"]:
        case "fixed":
            checks.number(price, where, "fixedAmount", 1, _MOST_YEN)
        case "percentage":
            checks.number(price, where, "percentage", 1, 99)
        case _:
            good = [
                checks.number(price, where, name, 0, _MOST_YEN)
                for name in ("originalPrice", "priceAfterDiscount")
            ]
            if all(good) and price["priceAfterDiscount"] >= price["originalPrice"]:
                checks.note(f"{where}.priceAfterDiscount", "must be less than originalPrice")


# --- endpoints ---


def create(call: Call) -> Answer:
    """POST /v2/bot/coupon."""
    asked = call.json()
    refuse_faults(coupon_faults(asked))
    coupon = Coupon(f"01{call.platform.ids.token(24)}", asked, call.now // SECOND)
    call.channel.coupons[coupon.id] = coupon
    return Answer({"couponId": coupon.id})


def listing(call: Call) -> Answer:
    """GET /v2/bot/coupon: newest first."""
    states = [state for value in call.query.getall("status", []) for state in value.split(",")]
    if any(state not in _STATES for state in states):
        raise invalid("status", f"Must be one of the following values: [{', '.join(_STATES)}]")
    ids = [
        coupon.id
        for coupon in reversed(call.channel.coupons.values())
        if not states or coupon.status in states
    ]
    shown, later = page(ids, call.query.get("start"), call.number("limit", 20, 1, 100))
    items = [
        {"couponId": coupon_id, "title": call.channel.coupons[coupon_id].asked["title"]}
        for coupon_id in shown
    ]
    return Answer({"items": items} | ({"next": later} if later else {}))


def detail(call: Call) -> Answer:
    """GET /v2/bot/coupon/{couponId}."""
    return Answer(_found(call).shown())


def close(call: Call) -> Answer:
    """PUT /v2/bot/coupon/{couponId}/close: 410 for one that is closed already."""
    coupon = _found(call)
    if coupon.status == "CLOSED":
        raise Wrong(410, "The coupon is already closed")
    coupon.status = "CLOSED"
    return DONE


def _found(call: Call) -> Coupon:
    coupon = call.channel.coupons.get(call.args[0])
    if coupon is None:
        raise Wrong(404, "Not found")
    return coupon


_LIMIT = (200, 1)

ROUTES = (
    Route("POST", "/v2/bot/coupon", create, _LIMIT),
    Route("GET", "/v2/bot/coupon", listing, _LIMIT),
    Route("GET", "/v2/bot/coupon/{}", detail, _LIMIT),
    Route("PUT", "/v2/bot/coupon/{}/close", close, _LIMIT),
)
