"""One bot's channel: its settings, friends and groups, what it sent, and the events it is told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapters.line.simulator.friends import Content, Friend, Group, Person
from adapters.line.simulator.ids import day
from adapters.line.simulator.protocol import Json
from adapters.line.simulator.webhooks import Deliveries, Telling

if TYPE_CHECKING:
    from adapters.line.simulator.audiences import Audience
    from adapters.line.simulator.coupons import Coupon
    from adapters.line.simulator.menus import Menu
    from adapters.line.simulator.narrowcast import Narrowcast
    from adapters.line.simulator.platform import Platform

HOUR_OF_CONTROL = 3600
"""Seconds for which a module keeps the control of a chat unless told otherwise."""

REPLYABLE = frozenset(
    {
        "message",
        "follow",
        "join",
        "memberJoined",
        "postback",
        "videoPlayComplete",
        "beacon",
        "accountLink",
        "membership",
    }
)
"""The events that carry a reply token where the channel is active."""


@dataclass(frozen=True)
class Received:
    """One message as a friend, or a group, got it."""

    message: Json
    kind: str
    """``reply``, ``push``, ``multicast``, ``narrowcast`` or ``broadcast``."""
    at: int
    """The platform's time (microseconds)."""
    request_id: str
    retry_key: str | None
    message_id: str


@dataclass(frozen=True)
class Accepted:
    """One request to send that the platform took."""

    channel: str
    kind: str
    request_id: str
    retry_key: str | None
    at: int
    to: tuple[str, ...]
    """Whom it was meant for, friends or not."""
    delivered: int
    """How many of them received it."""
    messages: Sequence[Json]
    sent: Sequence[Json]
    """``sentMessages`` of the answer; empty where it has none."""
    units: tuple[str, ...] = ()
    """Its customAggregationUnits."""
    reply_token: str | None = None


@dataclass
class MenuState:
    """The rich menus of a channel, and who sees which."""

    menus: "dict[str, Menu]" = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    default: str | None = None
    linked: dict[str, str] = field(default_factory=dict)
    batches: dict[str, int] = field(default_factory=dict)


class Channel:
    """A Messaging API channel of one ``provider``; made by ``Platform.channel``.

    ``quota`` is the month's limit of messages, ``None`` for a plan without one; ``reserved`` are
    messages that the platform holds back for a moment: they count against the limit and are not
    shown. ``mode`` is what its events say: a ``standby`` channel gets no reply tokens.
    ``redelivery`` is the console's switch; it is off as it is at first on the platform.
    Only a ``verified`` account may list its friends.
    ``audience_seconds`` and ``narrowcast_seconds`` say how long the platform works on those.
    """

    def __init__(self, platform: "Platform", place: int, name: str, provider: str) -> None:
        ids = platform.ids
        key = f"channel {place}"
        self.platform = platform
        self.id = str(1_650_000_000 + int(ids.fixed(key, "id"), 16) % 300_000_000)
        self.secret = ids.fixed(key, "secret")
        self.bot_user_id = f"U{ids.fixed(key, 'bot')}"
        self.basic_id = f"@{ids.fixed(key, 'basic')[:3]}{place:04d}s"
        self.name = name
        self.provider = provider
        self.webhook_url = ""
        self.webhook_active = True
        self.redelivery = False
        self.mode = "active"
        self.chat_mode = "bot"
        self.mark_as_read = "auto"
        self.verified = True
        self.premium_id: str | None = None
        self.picture_url: str | None = f"https://profile.line-scdn.net/{key.replace(' ', '-')}"
        self.quota: int | None = None
        self.reserved = 0
        self.friends: dict[str, Friend] = {}
        self.groups: dict[str, Group] = {}
        self.friendships: list[tuple[int, str, bool]] = []
        self.spent: Counter[str] = Counter()
        self.sent_on: Counter[tuple[str, str]] = Counter()
        self.keys: dict[str, Accepted] = {}
        self.coupons: dict[str, Coupon] = {}
        self.menu = MenuState()
        self.audiences: dict[int, Audience] = {}
        self.audiences_made = 0
        self.audience_seconds = 0.0
        self.narrowcast_seconds = 0.0
        self.narrowcasts: dict[str, Narrowcast] = {}
        self.contents: dict[str, Content] = {}
        self.unit_names: dict[str, list[str]] = {}
        self.marked_read: list[str] = []
        self.loading: list[tuple[str, int]] = []
        self.link_tokens: dict[str, tuple[str, int]] = {}
        self.deliveries = Deliveries(platform, self)

    # --- people ---

    def friend(self, who: "str | Person") -> Friend:
        """The person, who is asked for by name and need not have followed yet."""
        person = self.platform.person(who) if isinstance(who, str) else who
        user_id = person.user_id(self.provider)
        if user_id not in self.friends:
            self.friends[user_id] = Friend(self, person, user_id)
        return self.friends[user_id]

    def group(self, name: str, *members: Friend, room: bool = False) -> Group:
        """A group chat, or with ``room`` a multi-person chat, that the bot is not yet in."""
        digits = self.platform.ids.fixed(self.id, "room" if room else "group", name)
        chat_id = f"{'R' if room else 'C'}{digits}"
        if chat_id not in self.groups:
            self.groups[chat_id] = Group(self, chat_id, name, room=room)
        self.groups[chat_id].members.update({member.user_id: member for member in members})
        return self.groups[chat_id]

    @property
    def followers(self) -> list[Friend]:
        """Who follows now, in the order in which they did."""
        return sorted(
            (friend for friend in self.friends.values() if friend.following),
            key=lambda friend: (friend.followed_at, friend.user_id),
        )

    def access_token(self, seconds: int = 30 * 86_400) -> str:
        """A token as the console would issue one, valid for ``seconds`` of the platform's time."""
        return self.platform.tokens.issue(self, "long", seconds).value

    # --- counts ---

    def count(self, kind: str, recipients: int, now: int) -> None:
        """Note that a message of ``kind`` reached ``recipients``; replies cost nothing."""
        today = day(now)
        self.sent_on[kind, today] += recipients
        if kind != "reply":
            self.spent[today[:6]] += recipients

    def used(self, now: int) -> int:
        """The messages of this month so far."""
        return self.spent[day(now)[:6]]

    def remaining(self, now: int) -> int | None:
        """What this month still allows; ``None`` without a limit."""
        if self.quota is None:
            return None
        return max(0, self.quota - self.used(now) - self.reserved)

    # --- events ---

    def emit(
        self,
        kind: str,
        source: Json | None,
        *,
        at: int | None = None,
        replyable: bool | None = None,
        **fields: Any,
    ) -> Telling:
        """Send the event ``kind`` of any name to the webhook; awaiting the result waits for it.

        ``fields`` are the event's own. ``at`` is when it happened (microseconds; now by default).
        A reply token is made where the platform makes one, or as ``replyable`` says.
        """
        happened = self.platform.clock() if at is None else at
        event: Json = {"type": kind}
        event |= fields
        event["webhookEventId"] = self.platform.ids.ulid(happened)
        event["deliveryContext"] = {"isRedelivery": False}
        event["timestamp"] = happened // 1000
        if source is not None:
            event["source"] = source
        answerable = kind in REPLYABLE if replyable is None else replyable
        if answerable and source is not None and self.mode == "active":
            event["replyToken"] = self.platform.reply_tokens.issue(self, _target(source), happened)
        event["mode"] = self.mode
        return self.deliveries.tell(event)

    def bot_event(self, kind: str, **fields: Any) -> Telling:
        """An event that no user caused: ``module``, ``botSuspended`` and the like."""
        return self.emit(kind, None, **fields)

    def activated(self, seconds: int = HOUR_OF_CONTROL) -> Telling:
        """The channel got the chat's control for ``seconds``."""
        self.mode = "active"
        until = self.platform.clock() // 1000 + seconds * 1000
        return self.bot_event("activated", chatControl={"expireAt": until})

    def deactivated(self) -> Telling:
        """The chat's control went to another module."""
        self.mode = "standby"
        return self.bot_event("deactivated")


def _target(source: Json) -> str:
    """Whom a reply to an event of ``source`` reaches."""
    for name in ("groupId", "roomId", "userId"):
        if name in source:
            return str(source[name])
    return ""
