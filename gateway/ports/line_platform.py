"""What is asked of the LINE platform apart from sending, worded by those who ask.

Every method may raise :class:`gateway.errors.Transient` (``platform_busy``: a rate limit;
``platform_down``: no answer, or 5xx) or :class:`gateway.errors.Permanent` (``platform_refused``,
``platform_missing``: it does not know what was named; ``platform_gone``: it is closed already;
``platform_quota``: the month is used up). The error's detail is the platform's own message.

Objects of the platform that we only pass on (coupons, menus) are plain JSON in its own words.
Source: https://developers.line.biz/en/reference/messaging-api/
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from gateway.domain.line.channel import Channel

Json = Mapping[str, Any]


class Person(msgspec.Struct, frozen=True):
    """A friend as the platform shows them."""

    user: str
    name: str
    picture_url: str = ""
    language: str = ""


class Month(msgspec.Struct, frozen=True):
    """A channel's quota of this month."""

    kind: Literal["none", "limited"]
    limit: int
    """0 where there is none."""
    used: int


class Bot(msgspec.Struct, frozen=True):
    """The account as its friends see it."""

    user: str
    basic_id: str
    name: str
    premium_id: str = ""
    picture_url: str = ""
    chat_mode: str = ""
    """``chat`` (people answer in the manager) or ``bot``."""
    mark_as_read: str = ""
    """``manual`` or ``auto``."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where the platform posts a channel's webhooks to."""

    url: str
    active: bool


class Tried(msgspec.Struct, frozen=True):
    """What came of a test webhook."""

    success: bool
    status: int
    reason: str
    """``OK``, or the platform's word for what failed."""
    detail: str
    at: int
    """When (microseconds)."""


class Followers(msgspec.Struct, frozen=True):
    """A page of the userIds of a channel's friends."""

    users: tuple[str, ...]
    next: str = ""
    """Where the next page starts; empty at the end."""


class Profiles(Protocol):
    """Who friends are."""

    async def profile(self, channel: Channel, user: str) -> Person:
        """A friend of the channel; ``platform_missing`` for strangers and blocked ones."""

    async def followers(self, channel: Channel, start: str = "", limit: int = 1000) -> Followers:
        """Friends' userIds; for verified and premium accounts alone (else refused)."""


class Months(Protocol):
    """The quota."""

    async def month(self, channel: Channel) -> Month:
        """What the plan allows this month, and what was counted (about)."""


class Accounts(Protocol):
    """The set-up of an account."""

    async def bot(self, channel: Channel) -> Bot:
        """Who the account is; proves that its credentials work."""

    async def endpoint(self, channel: Channel) -> Endpoint | None:
        """Its webhook URL, ``None`` where none is set."""

    async def set_endpoint(self, channel: Channel, url: str) -> None:
        """Set the webhook URL; it may take a minute to be used."""

    async def try_endpoint(self, channel: Channel, url: str = "") -> Tried:
        """Let the platform post an empty webhook, to ``url`` or to the one that is set."""


class CouponApi(Protocol):
    """The platform's own coupons."""

    async def create_coupon(self, channel: Channel, coupon: Json) -> str:
        """Make one; returns its couponId."""

    async def coupons(self, channel: Channel, status: Sequence[str] = ()) -> Sequence[Json]:
        """All of them (``couponId``, ``title``), or those of DRAFT, RUNNING, CLOSED."""

    async def coupon(self, channel: Channel, coupon: str) -> Json:
        """One, in full; ``platform_missing``."""

    async def close_coupon(self, channel: Channel, coupon: str) -> None:
        """End one for good; ``platform_missing``, ``platform_gone``."""


class MenuApi(Protocol):
    """Rich menus."""

    async def create_menu(self, channel: Channel, menu: Json) -> str:
        """Make one, without an image yet; returns its richMenuId."""

    async def set_menu_image(self, channel: Channel, menu: str, image: bytes, kind: str) -> None:
        """Give it its image (``image/png`` or ``image/jpeg``), once."""

    async def menus(self, channel: Channel) -> Sequence[Json]:
        """All of them that were made by API."""

    async def delete_menu(self, channel: Channel, menu: str) -> None:
        """Take one away."""

    async def show_menu(self, channel: Channel, menu: str) -> None:
        """Show it to all who have none of their own; with an empty ``menu`` none."""

    async def default_menu(self, channel: Channel) -> str:
        """What is shown to all; empty where nothing is."""


class MenuLinks(Protocol):
    """Which friends see which menu, and the names that tabs switch by."""

    async def link_menu(self, channel: Channel, menu: str, users: Sequence[str]) -> None:
        """Show it to these friends (500 at most); with an empty ``menu`` what all see."""

    async def menu_aliases(self, channel: Channel) -> Mapping[str, str]:
        """The richMenuId of each alias."""

    async def set_menu_alias(self, channel: Channel, alias: str, menu: str) -> None:
        """Let an alias, new or not, stand for a menu."""

    async def delete_menu_alias(self, channel: Channel, alias: str) -> None:
        """Take an alias away."""


class InsightApi(Protocol):
    """The platform's figures. Days are those of Asia/Tokyo, ``20261122``."""

    async def deliveries(self, channel: Channel, day: str) -> Json:
        """How many messages of each kind went out on a day (``status`` says if it is ready)."""

    async def friends(self, channel: Channel, day: str) -> Json:
        """``followers``, ``targetedReaches``, ``blocks`` of a day."""

    async def message_event(self, channel: Channel, request: str) -> Json:
        """Opens and clicks of a broadcast or narrowcast; figures under 20 are null."""

    async def unit_events(self, channel: Channel, unit: str, since: str, until: str) -> Json:
        """The same of an aggregation unit of pushes and multicasts, over days."""


class AudienceApi(Protocol):
    """Audiences that the platform chooses: how its narrowcasts go."""

    async def narrowcast(self, channel: Channel, request: str) -> Json:
        """How far a narrowcast is: ``phase``, counts, for two weeks."""


class LinePlatform(
    Profiles,
    Months,
    Accounts,
    CouponApi,
    MenuApi,
    MenuLinks,
    InsightApi,
    AudienceApi,
    Protocol,
):
    """Everything; the adapter is this, consumers ask for less."""
