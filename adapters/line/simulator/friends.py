"""People, their friendship with a channel, and all that they can do to it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapters.line.simulator.ids import SECOND, Ids
from adapters.line.simulator.protocol import Json
from adapters.line.simulator.webhooks import Telling

if TYPE_CHECKING:
    from adapters.line.simulator.channel import Channel, Received

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel: what a friend sends unless a test has something better."""


@dataclass(frozen=True)
class Person:
    """Somebody who uses LINE; every provider knows them by an id of its own."""

    name: str
    ids: Ids = field(repr=False, compare=False)
    language: str = "ja"
    picture_url: str | None = None
    status_message: str | None = None

    def trait(self, name: str) -> int:
        """A number from 0 to 999 that stays: age, gender and the like are read off it."""
        return int(self.ids.fixed("trait", name, self.name)[:8], 16) % 1000

    @property
    def gender(self) -> str:
        """``male`` or ``female``, as the platform estimates it."""
        return "female" if self.trait("gender") < 550 else "male"

    @property
    def age(self) -> int:
        """In years, as the platform estimates it."""
        return 15 + self.trait("age") * 60 // 1000

    @property
    def area(self) -> str:
        """One of Japan's prefectures: ``jp_01`` to ``jp_47``."""
        return f"jp_{1 + self.trait('area') * 47 // 1000:02d}"

    @property
    def app(self) -> str:
        """``ios`` or ``android``."""
        return "ios" if self.trait("app") < 650 else "android"

    def user_id(self, provider: str) -> str:
        """The userId that all channels of ``provider`` see."""
        return f"U{self.ids.fixed('user', provider, self.name)}"


@dataclass
class Content:
    """What a friend sent: fetched by the message's id."""

    data: bytes
    content_type: str
    ready_at: int = 0
    """Until then it is transcoded (microseconds)."""
    failed: bool = False
    """Whether transcoding failed."""
    gone: bool = False
    """Whether it was taken back, or kept for long enough."""


class Friend:
    """A person towards one channel. Each verb does it and sends the webhook.

    A verb returns at once; awaiting what it returns waits until the webhook was answered.
    """

    def __init__(self, channel: "Channel", person: Person, user_id: str) -> None:
        self.channel = channel
        self.person = person
        self.user_id = user_id
        self.following = False
        self.blocked = False
        self.followed_at = 0

    @property
    def source(self) -> Json:
        """Of an event in the one-to-one chat."""
        return {"type": "user", "userId": self.user_id}

    @property
    def inbox(self) -> "list[Received]":
        """What this friend received of the channel, in order."""
        return self.channel.platform.received[self.channel.id, self.user_id]

    @property
    def menu(self) -> Json | None:
        """The rich menu on this friend's screen: their own, else the channel's default."""
        state = self.channel.menu
        menu = state.menus.get(state.linked.get(self.user_id) or state.default or "")
        return None if menu is None else menu.shown()

    # --- friendship ---

    def follow(self) -> Telling:
        """Add the channel as a friend, or unblock it."""
        unblocked = self.blocked
        self.following, self.blocked = True, False
        self.followed_at = self.channel.platform.clock()
        self.channel.friendships.append((self.followed_at, self.user_id, True))
        return self._emit("follow", follow={"isUnblocked": unblocked})

    def unfollow(self) -> Telling:
        """Block the channel: from now on nothing of it arrives."""
        self.following, self.blocked = False, True
        self.channel.friendships.append((self.channel.platform.clock(), self.user_id, False))
        return self._emit("unfollow")

    # --- messages ---

    def say(
        self,
        text: str,
        *,
        at: "Group | None" = None,
        quoting: str | None = None,
        **fields: Any,
    ) -> Telling:
        """Write ``text``, into the group ``at`` or to the channel, quoting a message's id.

        ``fields`` are further ones of the message: ``emojis``, ``mention``.
        """
        quoted = {"quotedMessageId": quoting} if quoting else {}
        return self.send("text", at=at, text=text, **quoted, **fields)

    def sticker(self, package: str = "446", sticker: str = "1988", **fields: Any) -> Telling:
        """Send a sticker."""
        kind = {"stickerResourceType": "STATIC", "keywords": ["hello"]}
        return self.send("sticker", packageId=package, stickerId=sticker, **kind | fields)

    def send_image(
        self, data: bytes = PICTURE, content_type: str = "image/png", **fields: Any
    ) -> Telling:
        """Send a picture, which the bot may fetch."""
        return self._send_content("image", data, content_type, 0, fields)

    def send_video(
        self, data: bytes = b"video", *, transcoding: float = 0.0, duration: int = 5000
    ) -> Telling:
        """Send a video of ``duration`` ms that takes ``transcoding`` seconds to prepare."""
        return self._send_content("video", data, "video/mp4", transcoding, {"duration": duration})

    def send_audio(self, data: bytes = b"audio", *, duration: int = 3000) -> Telling:
        """Send a voice message of ``duration`` ms."""
        return self._send_content("audio", data, "audio/x-m4a", 0, {"duration": duration})

    def send_file(self, name: str = "menu.pdf", data: bytes = b"%PDF-1.4") -> Telling:
        """Send a file."""
        return self._send_content(
            "file", data, "application/octet-stream", 0, {"fileName": name, "fileSize": len(data)}
        )

    def send_location(self, latitude: float = 35.681, longitude: float = 139.767) -> Telling:
        """Send a place."""
        return self.send("location", latitude=latitude, longitude=longitude, address="東京駅")

    def send(self, kind: str, *, at: "Group | None" = None, **fields: Any) -> Telling:
        """Send a message of any ``kind``, known to anybody or not."""
        ids = self.channel.platform.ids
        message: Json = {"type": kind, "id": ids.message()}
        if kind in ("text", "sticker", "image", "video"):
            message["quoteToken"] = ids.token(48)
        if at is None:
            message["markAsReadToken"] = ids.token(40)
        return self._emit("message", at, message=message | fields)

    def edit(self, message_id: str, text: str) -> Telling:
        """Change a text that was sent."""
        message = {"type": "text", "id": message_id, "text": text}
        message["quoteToken"] = self.channel.platform.ids.token(48)
        return self._emit("messageEdited", message=message)

    def unsend(self, message_id: str, *, at: "Group | None" = None) -> Telling:
        """Take a message back; its content is gone."""
        content = self.channel.contents.get(message_id)
        if content is not None:
            content.gone = True
        return self._emit("unsend", at, unsend={"messageId": message_id})

    # --- actions ---

    def postback(
        self, data: str, params: Mapping[str, str] | None = None, *, at: "Group | None" = None
    ) -> Telling:
        """Tap something that posts ``data`` back; ``params`` come of a picker or a menu switch."""
        told: Json = {"data": data}
        if params:
            told["params"] = dict(params)
        return self._emit("postback", at, postback=told)

    def tap(self, action: Json) -> Telling | None:
        """Do what a button's ``action`` says; ``None`` where it tells the bot nothing."""
        match action["type"]:
            case "message":
                return self.say(action["text"])
            case "postback":
                return self.postback(action["data"])
            case "datetimepicker":
                mode = action["mode"]
                picked = {"date": "2027-01-15", "time": "10:00", "datetime": "2027-01-15T10:00"}
                return self.postback(action["data"], {mode: picked[mode]})
            case "richmenuswitch":
                alias = action["richMenuAliasId"]
                menu_id = self.channel.menu.aliases.get(alias)
                if menu_id is not None:
                    self.channel.menu.linked[self.user_id] = menu_id
                status = "SUCCESS" if menu_id else "RICHMENU_ALIAS_ID_NOTFOUND"
                params = {"newRichMenuAliasId": alias, "status": status}
                return self.postback(action["data"], params)
        return None

    def beacon(self, hwid: str = "d41d8cd98f", kind: str = "enter", **fields: Any) -> Telling:
        """Come near a beacon."""
        return self._emit("beacon", beacon={"hwid": hwid, "type": kind} | fields)

    def watch(self, tracking_id: str) -> Telling:
        """Finish watching a video that was sent with ``tracking_id``."""
        return self._emit("videoPlayComplete", videoPlayComplete={"trackingId": tracking_id})

    def link_account(self, link_token: str, nonce: str) -> Telling:
        """End the linking that ``link_token`` began; it fails when used twice or too late."""
        user_id, expires = self.channel.link_tokens.pop(link_token, ("", 0))
        good = user_id == self.user_id and self.channel.platform.clock() < expires
        return self._emit(
            "accountLink",
            replyable=good,
            link={"result": "ok" if good else "failed", "nonce": nonce},
        )

    def membership(self, kind: str = "joined", membership_id: int = 3189) -> Telling:
        """Join, renew or leave a paid membership."""
        return self._emit("membership", membership={"type": kind, "membershipId": membership_id})

    def delivered_notification(self, data: str) -> Telling:
        """A notification message sent by telephone number arrived."""
        return self._emit("delivery", delivery={"data": data})

    def cause(self, kind: str, **fields: Any) -> Telling:
        """Cause an event of any ``kind``, with any ``fields``."""
        return self._emit(kind, **fields)

    def _send_content(
        self, kind: str, data: bytes, content_type: str, transcoding: float, fields: Json
    ) -> Telling:
        given = fields if kind == "file" else {"contentProvider": {"type": "line"}} | fields
        telling = self.send(kind, **given)
        ready = self.channel.platform.clock() + int(transcoding * SECOND)
        self.channel.contents[telling.event["message"]["id"]] = Content(data, content_type, ready)
        return telling

    def _emit(self, kind: str, at: "Group | None" = None, **fields: Any) -> Telling:
        source = self.source if at is None else at.source(self)
        return self.channel.emit(kind, source, **fields)


class Group:
    """A group chat, or a multi-person chat, that a channel may be in."""

    def __init__(self, channel: "Channel", chat_id: str, name: str, *, room: bool) -> None:
        self.channel = channel
        self.id = chat_id
        self.name = name
        self.room = room
        self.joined = False
        self.members: dict[str, Friend] = {}

    def source(self, member: Friend | None = None) -> Json:
        """Of an event in this chat, caused by ``member`` or by nobody who is told."""
        told: Json = {"type": "room", "roomId": self.id}
        if not self.room:
            told = {"type": "group", "groupId": self.id}
        return told | ({"userId": member.user_id} if member else {})

    @property
    def inbox(self) -> "list[Received]":
        """What the chat received of the channel, in order."""
        return self.channel.platform.received[self.channel.id, self.id]

    def join(self) -> Telling:
        """The bot is invited."""
        self.joined = True
        return self.channel.emit("join", self.source())

    def leave(self) -> Telling:
        """The bot is put out."""
        self.joined = False
        return self.channel.emit("leave", self.source())

    def add(self, *members: Friend) -> Telling:
        """People join the chat."""
        self.members.update({member.user_id: member for member in members})
        joined = {"members": [member.source for member in members]}
        return self.channel.emit("memberJoined", self.source(), joined=joined)

    def remove(self, *members: Friend) -> Telling:
        """People leave the chat."""
        for member in members:
            self.members.pop(member.user_id, None)
        left = {"members": [member.source for member in members]}
        return self.channel.emit("memberLeft", self.source(), left=left)
