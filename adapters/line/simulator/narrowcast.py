"""Narrowcast: whom a recipient and a filter select, and how far the sending is.

Source: "Send narrowcast message" of the Messaging API reference.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from adapters.line.simulator.channel import Channel
from adapters.line.simulator.friends import Friend
from adapters.line.simulator.ids import SECOND, rfc3339
from adapters.line.simulator.protocol import HOUR, Answer, Call, Json, Route, Wrong, inner, invalid
from adapters.line.simulator.sending import MONTHLY_LIMIT, accept, checked, refuse_repeated

PROGRESS_SECONDS = 14 * 86_400

LEAST_REACH = 100
"""Friends that an attribute filter must have to choose from."""

LEAST_AUDIENCE = 50
"""Users of an audience that is sent to."""

_FAILURES = {
    1: "An internal error occurred.",
    2: "An error occurred because there weren't enough recipients.",
    4: "An audience of less than 50 recipients is included as a condition of sending.",
    5: "Message delivery has been canceled to prevent delivery to a subset of the audience.",
}
_DAY = 86_400 * SECOND
_DEEPEST = 10

Test = Callable[[Friend], bool]


@dataclass
class Narrowcast:
    """One narrowcast on its way: it waits, is sent after a third of its time, and is over."""

    accepted_at: int
    over_at: int
    targets: int
    error: int = 0

    def shown(self, now: int) -> Json:
        """Its progress at ``now`` (microseconds)."""
        told: Json = {"acceptedTime": rfc3339(self.accepted_at)}
        if now < self.over_at:
            third = (self.over_at - self.accepted_at) // 3
            return told | {"phase": "waiting" if now < self.accepted_at + third else "sending"}
        told["completedTime"] = rfc3339(self.over_at)
        if self.error:
            failed = {"errorCode": self.error, "failedDescription": _FAILURES[self.error]}
            return told | {"phase": "failed"} | failed
        counts = {"successCount": self.targets, "failureCount": 0, "targetCount": self.targets}
        return told | {"phase": "succeeded"} | counts


def send(call: Call) -> Answer:
    """POST /v2/bot/message/narrowcast.

    Friends receive it at once; only the progress takes ``Channel.narrowcast_seconds``.
    """
    body = call.json()
    refuse_repeated(call)
    messages = checked(call, body)
    channel = call.channel
    error = 0
    wanted = _recipient(call, body.get("recipient"))
    if wanted is None:
        error = 4
    chosen = [friend for friend in channel.followers if wanted is None or wanted(friend)]
    demographic = inner(body, "filter").get("demographic")
    if demographic is not None:
        test = _demographic(call, demographic, "filter.demographic", 0)
        if len(chosen) < call.platform.least_reach and not error:
            error = 2
        chosen = [friend for friend in chosen if test(friend)]
    targets, cut_short = _limited(call, inner(body, "limit"), chosen)
    error = error or (5 if cut_short else 0)
    accept(call, "narrowcast", [] if error else [one.user_id for one in targets], messages)
    over = call.now + int(channel.narrowcast_seconds * SECOND)
    channel.narrowcasts[call.request_id] = Narrowcast(call.now, over, len(targets), error)
    return Answer(status=202)


def progress(call: Call) -> Answer:
    """GET /v2/bot/message/progress/narrowcast: for 14 days."""
    sent = call.channel.narrowcasts.get(call.query.get("requestId", ""))
    if sent is None or call.now > sent.accepted_at + PROGRESS_SECONDS * SECOND:
        raise Wrong(404, "Not found")
    return Answer(sent.shown(call.now))


def _limited(call: Call, limit: Json, chosen: list[Friend]) -> tuple[list[Friend], bool]:
    """The friends within the limits, drawn at random, and whether that must not be."""
    most = limit.get("max", len(chosen))
    if not isinstance(most, int) or isinstance(most, bool) or ("max" in limit and most < 1):
        raise invalid("limit.max", "must be at least 1")
    targets = chosen
    if most < len(chosen):
        targets = random.Random(call.request_id).sample(chosen, most)
    remaining = call.channel.remaining(call.now)
    if remaining is None or len(targets) <= remaining:
        return targets, False
    if not limit.get("upToRemainingQuota", False):
        raise Wrong(429, MONTHLY_LIMIT)
    return targets[:remaining], bool(limit.get("forbidPartialDelivery", False))


def _recipient(call: Call, recipient: object) -> Test | None:
    """Who is meant; ``None`` where an audience is too small."""
    if recipient is None:
        return lambda _: True
    audiences: list[int] = []
    test = _recipients(call, recipient, "recipient", 0, audiences)
    return None if any(size < call.platform.least_audience for size in audiences) else test


def _recipients(call: Call, node: object, where: str, depth: int, audiences: list[int]) -> Test:
    if not isinstance(node, dict) or depth > _DEEPEST:
        raise invalid(where, "must be an object")
    channel = call.channel
    match node.get("type"):
        case "operator":
            return _operator(
                node,
                where,
                lambda part, place: _recipients(call, part, place, depth + 1, audiences),
            )
        case "audience":
            number = node.get("audienceGroupId")
            audience = channel.audiences.get(number) if isinstance(number, int) else None
            if audience is None or audience.status(call.now) != "READY":
                raise invalid(f"{where}.audienceGroupId", "not found or not ready")
            audiences.append(len(audience.users))
            users = audience.users
            return lambda friend: friend.user_id in users
        case "redelivery":
            got = _receivers(call, channel, node.get("requestId"), where)
            return lambda friend: friend.user_id in got
    raise invalid(
        f"{where}.type", "Must be one of the following values: [audience, operator, redelivery]"
    )


def _receivers(call: Call, channel: Channel, request_id: object, where: str) -> frozenset[str]:
    for accepted in reversed(call.platform.accepted):
        if accepted.request_id == request_id and accepted.channel == channel.id:
            return frozenset(accepted.to)
    raise invalid(f"{where}.requestId", "not found")


def _operator(node: Json, where: str, test_of: Callable[[object, str], Test]) -> Test:
    """``and``, ``or`` and ``not`` of what ``test_of`` makes of the parts."""
    given = [name for name in ("and", "or", "not") if name in node]
    if len(given) != 1:
        raise invalid(where, "exactly one of and, or, not")
    name = given[0]
    if name == "not":
        denied = test_of(node["not"], f"{where}.not")
        return lambda friend: not denied(friend)
    parts = node[name]
    if not isinstance(parts, list) or not parts:
        raise invalid(f"{where}.{name}", "May not be empty")
    tests = [test_of(part, f"{where}.{name}[{place}]") for place, part in enumerate(parts)]
    join = all if name == "and" else any
    return lambda friend: join(test(friend) for test in tests)


def _demographic(call: Call, node: object, where: str, depth: int) -> Test:
    if not isinstance(node, dict) or depth > _DEEPEST:
        raise invalid(where, "must be an object")
    kind = node.get("type")
    if kind == "operator":
        return _operator(
            node, where, lambda part, place: _demographic(call, part, place, depth + 1)
        )
    if kind == "gender":
        return _one_of(node, where, lambda friend: friend.person.gender)
    if kind == "appType":
        return _one_of(node, where, lambda friend: friend.person.app)
    if kind == "area":
        return _one_of(node, where, lambda friend: friend.person.area)
    if kind == "age":
        return _between(node, where, "age_", lambda friend: friend.person.age)
    if kind == "subscriptionPeriod":
        return _between(node, where, "day_", lambda friend: (call.now - friend.followed_at) // _DAY)
    raise invalid(f"{where}.type", "unknown filter")


def _one_of(node: Json, where: str, trait: Callable[[Friend], str]) -> Test:
    values = node.get("oneOf")
    if not isinstance(values, list) or not values:
        raise invalid(f"{where}.oneOf", "May not be empty")
    return lambda friend: trait(friend) in values


def _between(node: Json, where: str, prefix: str, trait: Callable[[Friend], int]) -> Test:
    bounds: dict[str, int] = {}
    for name in ("gte", "lt"):
        value = node.get(name)
        if value is None:
            continue
        number = value.removeprefix(prefix) if isinstance(value, str) else ""
        if not number.isdigit() or not str(value).startswith(prefix):
            raise invalid(f"{where}.{name}", "invalid value")
        bounds[name] = int(number)
    if not bounds:
        raise invalid(where, "gte or lt is needed")
    least, below = bounds.get("gte", 0), bounds.get("lt", 10**6)
    return lambda friend: least <= trait(friend) < below


ROUTES = (
    Route("POST", "/v2/bot/message/narrowcast", send, (60, HOUR), retryable=True),
    Route("GET", "/v2/bot/message/progress/narrowcast", progress),
)
