"""Profiles, followers, groups, account links, the loading sign, read marks, fetched content.

Sources: the sections "Users", "Bot", "Group chats", "Account link", "Getting content" and
"Display a loading animation" of the Messaging API reference.
"""

from adapters.line.simulator.friends import Friend, Group
from adapters.line.simulator.ids import SECOND
from adapters.line.simulator.protocol import DONE, Answer, Call, Json, Route, Wrong, invalid, page

LINK_SECONDS = 10 * 60

_MEMBERS_A_PAGE = 100


def profile(call: Call) -> Answer:
    """GET /v2/bot/profile/{userId}: of a friend only."""
    friend = call.channel.friends.get(call.args[0])
    if friend is None or not friend.following:
        raise Wrong(404, "Not found")
    person = friend.person
    more = {"language": person.language} if person.language else {}
    if person.status_message is not None:
        more["statusMessage"] = person.status_message
    return Answer(_shown(friend) | more)


def _shown(friend: Friend) -> Json:
    shown: Json = {"userId": friend.user_id, "displayName": friend.person.name}
    if friend.person.picture_url is not None:
        shown["pictureUrl"] = friend.person.picture_url
    return shown


def followers(call: Call) -> Answer:
    """GET /v2/bot/followers/ids: verified and premium accounts alone may."""
    if not call.channel.verified:
        raise Wrong(403, "Access to this API is not available for your account")
    ids = [friend.user_id for friend in call.channel.followers]
    shown, later = page(ids, call.query.get("start"), call.number("limit", 300, 1, 1000))
    return Answer({"userIds": shown} | ({"next": later} if later else {}))


def bot(call: Call) -> Answer:
    """GET /v2/bot/info."""
    channel = call.channel
    told: Json = {
        "userId": channel.bot_user_id,
        "basicId": channel.basic_id,
        "displayName": channel.name,
        "chatMode": channel.chat_mode,
        "markAsReadMode": channel.mark_as_read,
    }
    if channel.premium_id is not None:
        told["premiumId"] = channel.premium_id
    if channel.picture_url is not None:
        told["pictureUrl"] = channel.picture_url
    return Answer(told)


# --- group and multi-person chats ---


def _chat(call: Call) -> Group:
    group = call.channel.groups.get(call.args[0])
    if group is None or not group.joined or group.room != call.path.startswith("/v2/bot/room/"):
        raise Wrong(404, "Not found")
    return group


def summary(call: Call) -> Answer:
    """GET /v2/bot/group/{groupId}/summary."""
    group = _chat(call)
    return Answer({"groupId": group.id, "groupName": group.name})


def member(call: Call) -> Answer:
    """GET /v2/bot/group/{groupId}/member/{userId}: also of members who are no friends."""
    friend = _chat(call).members.get(call.args[1])
    if friend is None:
        raise Wrong(404, "Not found")
    return Answer(_shown(friend))


def member_ids(call: Call) -> Answer:
    """GET /v2/bot/group/{groupId}/members/ids."""
    shown, later = page(list(_chat(call).members), call.query.get("start"), _MEMBERS_A_PAGE)
    return Answer({"memberIds": shown} | ({"next": later} if later else {}))


def member_count(call: Call) -> Answer:
    """GET /v2/bot/group/{groupId}/members/count."""
    return Answer({"count": len(_chat(call).members)})


def leave(call: Call) -> Answer:
    """POST /v2/bot/group/{groupId}/leave: the bot goes by itself, which no event tells."""
    _chat(call).joined = False
    return DONE


# --- one-to-one chats ---


def link_token(call: Call) -> Answer:
    """POST /v2/bot/user/{userId}/linkToken: valid for ten minutes, and once."""
    friend = call.channel.friends.get(call.args[0])
    if friend is None or not friend.following:
        raise Wrong(404, "Not found")
    token = call.platform.ids.token()
    call.channel.link_tokens[token] = (friend.user_id, call.now + LINK_SECONDS * SECOND)
    return Answer({"linkToken": token})


def loading(call: Call) -> Answer:
    """POST /v2/bot/chat/loading/start: for 5 to 60 seconds, in a one-to-one chat only."""
    body = call.json()
    chat = body.get("chatId")
    seconds = body.get("loadingSeconds", 20)
    if not isinstance(chat, str) or not chat.startswith("U"):
        raise invalid("chatId", "must be a user ID")
    if not isinstance(seconds, int) or not 5 <= seconds <= 60 or seconds % 5:
        raise invalid("loadingSeconds", "must be a multiple of 5 between 5 and 60")
    call.channel.loading.append((chat, seconds))
    return Answer(status=202)


def mark_read(call: Call) -> Answer:
    """POST /v2/bot/message/markAsRead."""
    chat = call.json().get("chat")
    user = chat.get("userId") if isinstance(chat, dict) else None
    if not isinstance(user, str):
        raise invalid("chat.userId", "May not be empty")
    call.channel.marked_read.append(user)
    return DONE


def mark_read_by_token(call: Call) -> Answer:
    """POST /v2/bot/chat/markAsRead: with the token of a message event."""
    token = call.json().get("markAsReadToken")
    if not isinstance(token, str) or not token:
        raise invalid("markAsReadToken", "May not be empty")
    call.channel.marked_read.append(token)
    return DONE


# --- what friends sent ---


def content(call: Call) -> Answer:
    """GET /v2/bot/message/{messageId}/content: 202 while it is prepared, 410 once it is gone."""
    kept = call.channel.contents.get(call.args[0])
    if kept is None:
        raise Wrong(404, "Not found")
    if kept.gone:
        raise Wrong(410, "Gone")
    if call.now < kept.ready_at:
        return Answer(status=202)
    return Answer(kept.data, content_type=kept.content_type)


def transcoding(call: Call) -> Answer:
    """GET /v2/bot/message/{messageId}/content/transcoding."""
    kept = call.channel.contents.get(call.args[0])
    if kept is None or kept.gone:
        raise Wrong(404, "Not found")
    if kept.failed:
        return Answer({"status": "failed"})
    return Answer({"status": "processing" if call.now < kept.ready_at else "succeeded"})


ROUTES = (
    Route("GET", "/v2/bot/profile/{}", profile),
    Route("GET", "/v2/bot/followers/ids", followers),
    Route("GET", "/v2/bot/info", bot),
    Route("GET", "/v2/bot/group/{}/summary", summary),
    *(
        route
        for chat in ("group", "room")
        for route in (
            Route("GET", f"/v2/bot/{chat}/{{}}/member/{{}}", member),
            Route("GET", f"/v2/bot/{chat}/{{}}/members/ids", member_ids),
            Route("GET", f"/v2/bot/{chat}/{{}}/members/count", member_count),
            Route("POST", f"/v2/bot/{chat}/{{}}/leave", leave),
        )
    ),
    Route("POST", "/v2/bot/user/{}/linkToken", link_token),
    Route("POST", "/v2/bot/chat/loading/start", loading, (100, 1)),
    Route("POST", "/v2/bot/message/markAsRead", mark_read),
    Route("POST", "/v2/bot/chat/markAsRead", mark_read_by_token),
    Route("GET", "/v2/bot/message/{}/content", content),
    Route("GET", "/v2/bot/message/{}/content/preview", content),
    Route("GET", "/v2/bot/message/{}/content/transcoding", transcoding),
)
