"""Audiences: lists of users that a narrowcast can be sent to.

Source: "Manage Audience" of the Messaging API reference.
"""

import re
from dataclasses import dataclass, field

from adapters.line.simulator.channel import Channel
from adapters.line.simulator.ids import SECOND
from adapters.line.simulator.protocol import DONE, MINUTE, Answer, Call, Json, Route, Wrong, invalid

MOST_AUDIENCES = 1000
MOST_IDS = 10_000
KEPT_SECONDS = 180 * 86_400
_FIRST_ID = 4_389_303_000_000
_USER = re.compile(r"U[0-9a-f]{32}")


@dataclass
class Audience:
    """One audience; it is ready once its last upload was worked off."""

    id: int
    description: str
    created_at: int
    """Microseconds, as all times here."""
    users: set[str] = field(default_factory=set)
    ready_at: int = 0
    jobs: list[Json] = field(default_factory=list)

    def status(self, now: int) -> str:
        """The platform's word for its state."""
        if now >= self.created_at + KEPT_SECONDS * SECOND:
            return "EXPIRED"
        return "READY" if now >= self.ready_at else "IN_PROGRESS"

    def shown(self, now: int) -> Json:
        """As the API shows it."""
        return {
            "audienceGroupId": self.id,
            "type": "UPLOAD",
            "description": self.description,
            "status": self.status(now),
            "audienceCount": len(self.users),
            "created": self.created_at // SECOND,
            "permission": "READ_WRITE",
            "isIfaAudience": False,
            "createRoute": "MESSAGING_API",
        }


def _upload(call: Call, audience: Audience, body: Json) -> None:
    """Take the users of ``body``; only friends who follow count."""
    entries = body.get("audiences", [])
    if not isinstance(entries, list) or len(entries) > MOST_IDS:
        raise invalid("audiences", f"Size must be between 0 and {MOST_IDS}")
    users = [entry.get("id") if isinstance(entry, dict) else None for entry in entries]
    if not all(isinstance(user, str) and _USER.fullmatch(user) for user in users):
        raise Wrong(400, "UPLOAD_AUDIENCE_GROUP_INVALID_AUDIENCE_ID_FORMAT")
    channel = call.channel
    audience.users |= {
        user for user in users if user in channel.friends and channel.friends[user].following
    }
    audience.ready_at = call.now + int(channel.audience_seconds * SECOND)
    audience.jobs.append(
        {
            "audienceGroupJobId": audience.id * 100 + len(audience.jobs),
            "audienceGroupId": audience.id,
            "description": body.get("uploadDescription") or "",
            "type": "DIFF_ADD",
            "jobStatus": "FINISHED",
            "audienceCount": len(users),
            "created": call.now // SECOND,
        }
    )


def _described(body: Json) -> str:
    description = body.get("description")
    if not isinstance(description, str) or not 1 <= len(description) <= 120:
        raise invalid("description", "Length must be between 1 and 120")
    if any(ord(character) < 32 for character in description):
        raise Wrong(400, "AUDIENCE_GROUP_NAME_WRONG")
    return description


def create(call: Call) -> Answer:
    """POST /v2/bot/audienceGroup/upload."""
    body = call.json()
    description = _described(body)
    audiences = call.channel.audiences
    if len(audiences) >= MOST_AUDIENCES:
        raise Wrong(400, "AUDIENCE_GROUP_COUNT_MAX_OVER")
    number = _FIRST_ID + int(call.channel.id) % 1000 * 100_000 + call.channel.audiences_made
    audience = Audience(number, description, call.now)
    _upload(call, audience, body)
    call.channel.audiences_made += 1
    audiences[audience.id] = audience
    return Answer(
        {
            "audienceGroupId": audience.id,
            "createRoute": "MESSAGING_API",
            "type": "UPLOAD",
            "description": description,
            "created": call.now // SECOND,
            "permission": "READ_WRITE",
            "expireTimestamp": call.now // SECOND + KEPT_SECONDS,
            "isIfaAudience": False,
        },
        status=202,
    )


def add(call: Call) -> Answer:
    """PUT /v2/bot/audienceGroup/upload."""
    body = call.json()
    _upload(call, _found(call.channel, body.get("audienceGroupId")), body)
    return Answer(status=202)


def show(call: Call) -> Answer:
    """GET /v2/bot/audienceGroup/{audienceGroupId}."""
    audience = _found(call.channel, call.args[0])
    return Answer({"audienceGroup": audience.shown(call.now), "jobs": audience.jobs[-50:]})


def describe(call: Call) -> Answer:
    """PUT /v2/bot/audienceGroup/{audienceGroupId}/updateDescription."""
    _found(call.channel, call.args[0]).description = _described(call.json())
    return DONE


def delete(call: Call) -> Answer:
    """DELETE /v2/bot/audienceGroup/{audienceGroupId}."""
    del call.channel.audiences[_found(call.channel, call.args[0]).id]
    return DONE


def listing(call: Call) -> Answer:
    """GET /v2/bot/audienceGroup/list: newest first; the first page is 1."""
    if "page" not in call.query:
        raise invalid("page", "May not be empty")
    number = call.number("page", 1, 1, 10_000)
    size = call.number("size", 20, 1, 40)
    wanted = [
        audience.shown(call.now)
        for audience in reversed(call.channel.audiences.values())
        if call.query.get("description", "") in audience.description
        and call.query.get("status", audience.status(call.now)) == audience.status(call.now)
    ]
    return Answer(
        {
            "audienceGroups": wanted[(number - 1) * size : number * size],
            "hasNextPage": number * size < len(wanted),
            "totalCount": len(wanted),
            "readWriteAudienceGroupTotalCount": len(wanted),
            "page": number,
            "size": size,
        }
    )


def _found(channel: Channel, number: object) -> Audience:
    text = str(number)
    audience = channel.audiences.get(int(text)) if text.isascii() and text.isdigit() else None
    if audience is None:
        raise Wrong(404, "AUDIENCE_GROUP_NOT_FOUND")
    return audience


_LIMIT = (60, MINUTE)

ROUTES = (
    Route("POST", "/v2/bot/audienceGroup/upload", create, _LIMIT),
    Route("PUT", "/v2/bot/audienceGroup/upload", add, _LIMIT),
    Route("GET", "/v2/bot/audienceGroup/list", listing, _LIMIT),
    Route("GET", "/v2/bot/audienceGroup/{}", show, _LIMIT),
    Route("DELETE", "/v2/bot/audienceGroup/{}", delete, _LIMIT),
    Route("PUT", "/v2/bot/audienceGroup/{}/updateDescription", describe, _LIMIT),
)
