"""Reply, push, multicast and broadcast: who gets what, what it costs, and what a retry means.

Sources: the sections "Message" and "Retry failed API requests" of the Messaging API reference.
"""

import re
import uuid
from collections.abc import Sequence
from typing import Any

from adapters.line.simulator.channel import Accepted, Channel, Received
from adapters.line.simulator.ids import SECOND, day
from adapters.line.simulator.messages import message_faults
from adapters.line.simulator.protocol import (
    DONE,
    HOUR,
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

KEY_SECONDS = 24 * HOUR
"""For which a retry key is remembered; afterwards it sends again."""

MONTHLY_LIMIT = "You have reached your monthly limit."
ALREADY_ACCEPTED = "The retry key is already accepted"

MOST_RECIPIENTS = 500
MOST_UNITS_A_MONTH = 1000

_QUOTABLE = frozenset({"text", "textV2", "sticker", "image", "video", "template"})
_UNIT = re.compile(r"[a-zA-Z0-9_]{1,30}")
_USER = re.compile(r"U[0-9a-f]{32}")


def reply(call: Call) -> Answer:
    """POST /v2/bot/message/reply: free, once a token."""
    body = call.json()
    messages = checked(call, body)
    token = call.platform.reply_tokens.check(body.get("replyToken"), call.channel)
    token.used = True
    accepted = accept(call, "reply", [token.target], messages, reply_token=body["replyToken"])
    return Answer({"sentMessages": accepted.sent})


def push(call: Call) -> Answer:
    """POST /v2/bot/message/push: to one user, group or room."""
    body = call.json()
    refuse_repeated(call)
    messages = checked(call, body)
    units = aggregation_units(call, body)
    to = body.get("to")
    if not isinstance(to, str) or not _known(call, to):
        raise unknown_recipient(to)
    accepted = accept(call, "push", [to], messages, units=units)
    return Answer({"sentMessages": accepted.sent})


def multicast(call: Call) -> Answer:
    """POST /v2/bot/message/multicast: to up to 500 users; unknown ones are passed over."""
    body = call.json()
    refuse_repeated(call)
    messages = checked(call, body)
    units = aggregation_units(call, body)
    to = body.get("to")
    if not isinstance(to, list) or not 1 <= len(to) <= MOST_RECIPIENTS:
        raise invalid("to", f"Size must be between 1 and {MOST_RECIPIENTS}")
    for place, user in enumerate(to):
        if not isinstance(user, str) or not _USER.fullmatch(user):
            raise invalid(f"to[{place}]", "invalid user ID")
    accept(call, "multicast", list(dict.fromkeys(to)), messages, units=units)
    return DONE


def broadcast(call: Call) -> Answer:
    """POST /v2/bot/message/broadcast: to all who follow now."""
    body = call.json()
    refuse_repeated(call)
    messages = checked(call, body)
    everybody = [friend.user_id for friend in call.channel.followers]
    accept(call, "broadcast", everybody, messages)
    return DONE


def validate(call: Call) -> Answer:
    """POST /v2/bot/message/validate/…: the messages of a request that is not sent."""
    checked(call, call.json())
    return DONE


# --- the steps of sending ---


def checked(call: Call, body: Json) -> list[Json]:
    """The valid ``messages`` of ``body``; raises the 400 that lists what is wrong."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= 5:
        raise invalid("messages", "Size must be between 1 and 5")
    faults: list[Fault] = []
    for place, message in enumerate(messages):
        faults += message_faults(message, f"messages[{place}]")
    for name in ("notificationDisabled",):
        if not isinstance(body.get(name, False), bool):
            faults.append(Fault("must be a boolean", name))
    refuse_faults(faults)
    for place, message in enumerate(messages):
        if message["type"] == "coupon" and message["couponId"] not in call.channel.coupons:
            raise invalid(f"messages[{place}].couponId", "coupon not found")
    return messages


def retry_key(value: str | None) -> str | None:
    """The UUID of X-Line-Retry-Key in one spelling; raises the 400 for anything else."""
    if value is None:
        return None
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value):
        raise Wrong(400, "Invalid retry key")
    return str(uuid.UUID(value))


def refuse_repeated(call: Call) -> None:
    """Raise the 409 where the request's retry key was accepted within a day."""
    earlier = call.channel.keys.get(call.retry_key) if call.retry_key else None
    if earlier is None or call.now >= earlier.at + KEY_SECONDS * SECOND:
        return
    raise Wrong(
        409,
        ALREADY_ACCEPTED,
        headers={"x-line-accepted-request-id": earlier.request_id},
        more={"sentMessages": earlier.sent} if earlier.kind == "push" else None,
    )


def accept(
    call: Call,
    kind: str,
    to: Sequence[str],
    messages: list[Json],
    *,
    units: tuple[str, ...] = (),
    reply_token: str | None = None,
) -> Accepted:
    """Deliver ``messages`` to whom they reach, charge the quota, and remember the request."""
    channel = call.channel
    reached = [target for target in to if reaches(channel, target)]
    cost = sum(_people(channel, target) for target in reached)
    remaining = channel.remaining(call.now)
    if kind != "reply" and remaining is not None and (cost > remaining or remaining == 0):
        raise Wrong(429, MONTHLY_LIMIT)
    sent = [_sent(call, message) for message in messages]
    for target in reached:
        _deliver(call, kind, target, messages, sent)
    channel.count(kind, cost, call.now)
    accepted = Accepted(
        channel=channel.id,
        kind=kind,
        request_id=call.request_id,
        retry_key=call.retry_key,
        at=call.now,
        to=tuple(to),
        delivered=len(reached),
        messages=messages,
        sent=sent if kind in ("reply", "push") else (),
        units=units,
        reply_token=reply_token,
    )
    if call.retry_key:
        channel.keys[call.retry_key] = accepted
    call.platform.accepted.append(accepted)
    return accepted


def unknown_recipient(to: object) -> Wrong:
    """What a push to nobody gets: a malformed id, or one that is not the platform's."""
    if isinstance(to, str) and re.fullmatch(r"[UCR][0-9a-f]{32}", to):
        return Wrong(400, "Failed to send messages")
    return Wrong(400, "The property, 'to', in the request body is invalid (line: -, column: -)")


def aggregation_units(call: Call, body: Json) -> tuple[str, ...]:
    """The customAggregationUnits: one name at most, and 1,000 of them a month."""
    names = body.get("customAggregationUnits", [])
    if not isinstance(names, list) or len(names) > 1:
        raise invalid("customAggregationUnits", "Size must be between 0 and 1")
    if not all(isinstance(name, str) and _UNIT.fullmatch(name) for name in names):
        raise invalid("customAggregationUnits[0]", "must be 1 to 30 letters, digits or _")
    known = call.channel.unit_names.setdefault(day(call.now)[:6], [])
    for name in names:
        if name not in known:
            if len(known) >= MOST_UNITS_A_MONTH:
                raise invalid("customAggregationUnits", "too many aggregation units this month")
            known.append(name)
    return tuple(names)


def reaches(channel: Channel, target: str) -> bool:
    """Whether what is sent to ``target`` arrives: a friend who follows, a chat the bot is in."""
    friend = channel.friends.get(target)
    if friend is not None:
        return friend.following
    group = channel.groups.get(target)
    return group is not None and group.joined


def _known(call: Call, target: str) -> bool:
    """Whether ``target`` is somebody of the channel's provider, or a chat the bot is in."""
    channel = call.channel
    if target in channel.friends or target in channel.groups:
        return target in channel.friends or channel.groups[target].joined
    return call.platform.knows(channel.provider, target)


def _people(channel: Channel, target: str) -> int:
    """How many messages sending to ``target`` costs: one for each member of a chat."""
    group = channel.groups.get(target)
    return 1 if group is None else max(1, len(group.members))


def _sent(call: Call, message: Json) -> Json:
    ids = call.platform.ids
    sent: dict[str, Any] = {"id": ids.message()}
    if message["type"] in _QUOTABLE:
        sent["quoteToken"] = ids.token(48)
    return sent


def _deliver(
    call: Call, kind: str, target: str, messages: list[Json], sent: Sequence[Json]
) -> None:
    inbox = call.platform.received[call.channel.id, target]
    for message, told in zip(messages, sent, strict=True):
        inbox.append(Received(message, kind, call.now, call.request_id, call.retry_key, told["id"]))


# --- counts ---


def quota(call: Call) -> Answer:
    """GET /v2/bot/message/quota."""
    limit = call.channel.quota
    return Answer({"type": "none"} if limit is None else {"type": "limited", "value": limit})


def consumption(call: Call) -> Answer:
    """GET /v2/bot/message/quota/consumption."""
    return Answer({"totalUsage": call.channel.used(call.now)})


def delivered(call: Call) -> Answer:
    """GET /v2/bot/message/delivery/{kind}: how many messages of a kind were sent on a day."""
    (kind,) = call.args
    date = call.query.get("date", "")
    if not re.fullmatch(r"[0-9]{8}", date):
        raise invalid("date", "must be yyyyMMdd")
    if kind not in ("reply", "push", "multicast", "broadcast", "pnp"):
        raise Wrong(404, "Not found")
    if date >= day(call.now):
        return Answer({"status": "unready"})
    return Answer({"status": "ready", "success": call.channel.sent_on[kind, date]})


def unit_usage(call: Call) -> Answer:
    """GET /v2/bot/message/aggregation/info."""
    names = call.channel.unit_names.get(day(call.now)[:6], [])
    return Answer({"numOfCustomAggregationUnits": len(names)})


def unit_list(call: Call) -> Answer:
    """GET /v2/bot/message/aggregation/list."""
    names = call.channel.unit_names.get(day(call.now)[:6], [])
    shown, later = page(names, call.query.get("start"), call.number("limit", 100, 1, 100))
    return Answer({"customAggregationUnits": shown} | ({"next": later} if later else {}))


ROUTES = (
    Route("POST", "/v2/bot/message/reply", reply),
    Route("POST", "/v2/bot/message/push", push, retryable=True),
    Route("POST", "/v2/bot/message/multicast", multicast, (200, 1), retryable=True),
    Route("POST", "/v2/bot/message/broadcast", broadcast, (60, HOUR), retryable=True),
    *(
        Route("POST", f"/v2/bot/message/validate/{kind}", validate)
        for kind in ("reply", "push", "multicast", "narrowcast", "broadcast")
    ),
    Route("GET", "/v2/bot/message/quota", quota),
    Route("GET", "/v2/bot/message/quota/consumption", consumption),
    Route("GET", "/v2/bot/message/delivery/{}", delivered),
    Route("GET", "/v2/bot/message/aggregation/info", unit_usage),
    Route("GET", "/v2/bot/message/aggregation/list", unit_list),
)
