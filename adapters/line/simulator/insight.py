"""Insight: friends by day, deliveries by kind, what a message was looked at and tapped.

Source: "Insight" of the Messaging API reference. Nobody really looks: the shares are drawn by
request, the same ones each time, and values under 20 are withheld as the platform does.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from adapters.line.simulator.channel import Accepted
from adapters.line.simulator.friends import Friend
from adapters.line.simulator.ids import SECOND, day
from adapters.line.simulator.protocol import HOUR, Answer, Call, Json, Route, Wrong, invalid

LEAST_SHOWN = 20

_KINDS = {
    "broadcast": "apiBroadcast",
    "push": "apiPush",
    "multicast": "apiMulticast",
    "narrowcast": "apiNarrowcast",
    "reply": "apiReply",
}
_FIRST_DAY = "20161101"
_DATE = re.compile(r"[0-9]{8}")


def followers(call: Call) -> Answer:
    """GET /v2/bot/insight/followers: of a day that is over; yesterday by default."""
    date = _day(call, "date", day(call.now - 86_400 * SECOND))
    if date >= day(call.now):
        return Answer({"status": "unready"})
    if date < _FIRST_DAY:
        return Answer({"status": "out_of_service"})
    last = {
        user: following for when, user, following in call.channel.friendships if day(when) <= date
    }
    blocks = sum(not following for following in last.values())
    return Answer(
        {
            "status": "ready",
            "followers": len(last),
            "targetedReaches": len(last) - blocks,
            "blocks": blocks,
        }
    )


def deliveries(call: Call) -> Answer:
    """GET /v2/bot/insight/message/delivery: only kinds that were sent are told."""
    date = _day(call, "date")
    if date >= day(call.now):
        return Answer({"status": "unready"})
    if date < _FIRST_DAY:
        return Answer({"status": "out_of_service"})
    counts = {name: call.channel.sent_on[kind, date] for kind, name in _KINDS.items()}
    return Answer({"status": "ready"} | {name: count for name, count in counts.items() if count})


def event(call: Call) -> Answer:
    """GET /v2/bot/insight/message/event: of a broadcast or a narrowcast."""
    wanted = call.query.get("requestId", "")
    if not wanted:
        raise invalid("requestId", "May not be empty")
    for accepted in call.platform.accepted:
        if (
            accepted.request_id == wanted
            and accepted.channel == call.channel.id
            and accepted.kind in ("broadcast", "narrowcast")
        ):
            return Answer(_statistics([accepted], wanted))
    raise Wrong(404, "Not found")


def aggregation(call: Call) -> Answer:
    """GET /v2/bot/insight/message/event/aggregation: of all sent under one unit's name."""
    unit = call.query.get("customAggregationUnit", "")
    begin, end = _day(call, "from"), _day(call, "to")
    sent = [
        accepted
        for accepted in call.platform.accepted
        if accepted.channel == call.channel.id
        and unit in accepted.units
        and begin <= day(accepted.at) <= end
    ]
    return Answer(_statistics(sent, unit, units=True))


def demographic(call: Call) -> Answer:
    """GET /v2/bot/insight/demographic: from 20 friends on."""
    friends = call.channel.followers
    if len(friends) < LEAST_SHOWN:
        return Answer({"available": False})
    return Answer(
        {
            "available": True,
            "genders": _tiles(friends, "gender", lambda friend: friend.person.gender),
            "ages": _tiles(friends, "age", _age),
            "areas": _tiles(friends, "area", lambda friend: friend.person.area),
            "appTypes": _tiles(friends, "appType", lambda friend: friend.person.app),
            "subscriptionPeriods": _tiles(
                friends, "subscriptionPeriod", lambda friend: _period(call.now, friend)
            ),
        }
    )


def _day(call: Call, name: str, default: str = "") -> str:
    date = call.query.get(name, default)
    if not _DATE.fullmatch(date):
        raise invalid(name, "must be yyyyMMdd")
    return date


def _withheld(value: int) -> int | None:
    return value if value >= LEAST_SHOWN else None


def _statistics(sent: list[Accepted], key: str, *, units: bool = False) -> Json:
    """Impressions and clicks, for ever the same for the same ``key``."""
    rng = random.Random(key)
    delivered = sum(accepted.delivered for accepted in sent)
    seen = int(delivered * rng.uniform(0.5, 0.8))
    clicked = int(seen * rng.uniform(0.05, 0.3))
    overview: Json = {
        "uniqueImpression": _withheld(seen),
        "uniqueClick": _withheld(clicked),
        "uniqueMediaPlayed": None,
        "uniqueMediaPlayed100Percent": None,
    }
    if not units:
        overview |= {
            "requestId": key,
            "timestamp": sent[0].at // SECOND,
            "delivered": delivered,
        }
    messages: list[Json] = []
    clicks: list[Json] = []
    for number, message in enumerate(sent[0].messages if sent else (), start=1):
        messages.append({"seq": number, "impression": _withheld(seen)})
        for url in sorted(set(_urls(message))):
            counts = {"click": clicked, "uniqueClick": clicked, "uniqueClickOfRequest": clicked}
            shown = {name: _withheld(count) for name, count in counts.items()}
            clicks.append({"seq": number, "url": url} | shown)
    return {"overview": overview, "messages": messages, "clicks": clicks}


def _urls(value: Any) -> Iterator[str]:
    """All addresses that somebody could tap in a message."""
    if isinstance(value, dict):
        if value.get("type") == "uri" and isinstance(value.get("uri"), str):
            yield value["uri"]
        for inner in value.values():
            yield from _urls(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _urls(inner)


def _tiles(friends: list[Friend], name: str, trait: Callable[[Friend], str]) -> list[Json]:
    counts = Counter(trait(friend) for friend in friends)
    return [
        {name: value, "percentage": round(100 * count / len(friends), 1)}
        for value, count in sorted(counts.items())
    ]


def _age(friend: Friend) -> str:
    if friend.person.age >= 70:
        return "from70"
    begin = friend.person.age // 5 * 5
    return f"from{begin}to{begin + 4}"


def _period(now: int, friend: Friend) -> str:
    days = (now - friend.followed_at) // (86_400 * SECOND)
    for most in (7, 30, 90, 180, 365):
        if days <= most:
            return f"within{most}days"
    return "over365days"


_LIMIT = (60, HOUR)

ROUTES = (
    Route("GET", "/v2/bot/insight/followers", followers, _LIMIT),
    Route("GET", "/v2/bot/insight/message/delivery", deliveries, _LIMIT),
    Route("GET", "/v2/bot/insight/message/event", event, _LIMIT),
    Route("GET", "/v2/bot/insight/message/event/aggregation", aggregation, _LIMIT),
    Route("GET", "/v2/bot/insight/demographic", demographic, _LIMIT),
)
