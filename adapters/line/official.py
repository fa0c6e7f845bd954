# ruff: noqa: D102 - the methods are those of the port, which tells what they mean
"""What is asked of the platform apart from sending and from contents, by the official package."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.line.package import Package
from adapters.line.tokens import Tokens
from gateway.domain.line.channel import Channel
from gateway.domain.values import micros
from gateway.errors import Permanent, Transient, Trouble
from gateway.ports.line_platform import (
    Bot,
    Endpoint,
    Followers,
    Json,
    Month,
    Person,
    Tried,
)

_MOST_PAGES = 1000


class Official:
    """See :class:`gateway.ports.line_platform.LinePlatform`."""

    def __init__(self, *, tokens: Tokens, api_url: str, data_api_url: str) -> None:
        self._package = Package(tokens, api_url, data_api_url)
        self._ask = self._package.ask

    async def load(self) -> None:
        """Import the package in a thread, if that has not been done."""
        await self._package.load()

    def close(self) -> None:
        """Take no more calls."""
        self._package.close()

    # --- friends ---

    async def profile(self, channel: Channel, user: str) -> Person:
        said = await self._ask(channel, "messaging", "get_profile", user)
        return Person(
            user,
            said.get("displayName", ""),
            said.get("pictureUrl", ""),
            said.get("language", ""),
        )

    async def followers(self, channel: Channel, start: str = "", limit: int = 1000) -> Followers:
        page: dict[str, Any] = {"start": start} if start else {}
        said = await self._ask(channel, "messaging", "get_followers", limit=limit, **page)
        return Followers(tuple(said["userIds"]), said.get("next") or "")

    # --- the account ---

    async def month(self, channel: Channel) -> Month:
        plan = await self._ask(channel, "messaging", "get_message_quota")
        used = await self._ask(channel, "messaging", "get_message_quota_consumption")
        if plan["type"] == "limited":
            return Month("limited", plan["value"], used["totalUsage"])
        return Month("none", 0, used["totalUsage"])

    async def bot(self, channel: Channel) -> Bot:
        said = await self._ask(channel, "messaging", "get_bot_info")
        return Bot(
            said["userId"],
            said["basicId"],
            said["displayName"],
            said.get("premiumId") or "",
            said.get("pictureUrl") or "",
            said.get("chatMode", ""),
            said.get("markAsReadMode", ""),
        )

    async def endpoint(self, channel: Channel) -> Endpoint | None:
        said = await _unless_missing(self._ask(channel, "messaging", "get_webhook_endpoint"))
        return None if said is None else Endpoint(said["endpoint"], bool(said["active"]))

    async def set_endpoint(self, channel: Channel, url: str) -> None:
        model = {"SetWebhookEndpointRequest": {"endpoint": url}}
        await self._ask(channel, "messaging", "set_webhook_endpoint", model=model)

    async def try_endpoint(self, channel: Channel, url: str = "") -> Tried:
        model = {"TestWebhookEndpointRequest": {"endpoint": url}} if url else {}
        said = await self._ask(channel, "messaging", "test_webhook_endpoint", model=model)
        return Tried(
            bool(said.get("success")),
            int(said.get("statusCode", 0)),
            said.get("reason", ""),
            said.get("detail", ""),
            micros(datetime.fromisoformat(said["timestamp"])),
        )

    # --- coupons ---

    async def create_coupon(self, channel: Channel, coupon: Json) -> str:
        model = {"CouponCreateRequest": coupon}
        said = await self._ask(channel, "messaging", "create_coupon", model=model)
        return str(said["couponId"])

    async def coupons(self, channel: Channel, status: Sequence[str] = ()) -> Sequence[Json]:
        found: list[Json] = []
        page: dict[str, Any] = {"status": list(status)} if status else {}
        for _ in range(_MOST_PAGES):
            said = await self._ask(channel, "messaging", "list_coupon", limit=100, **page)
            found += said["items"]
            if not said.get("next"):
                break
            page["start"] = said["next"]
        return found

    async def coupon(self, channel: Channel, coupon: str) -> Json:
        return _json(await self._ask(channel, "messaging", "get_coupon_detail", coupon))

    async def close_coupon(self, channel: Channel, coupon: str) -> None:
        await self._ask(channel, "messaging", "close_coupon", coupon)

    # --- menus ---

    async def create_menu(self, channel: Channel, menu: Json) -> str:
        model = {"RichMenuRequest": menu}
        said = await self._ask(channel, "messaging", "create_rich_menu", model=model)
        return str(said["richMenuId"])

    async def set_menu_image(self, channel: Channel, menu: str, image: bytes, kind: str) -> None:
        await self._ask(
            channel,
            "contents",
            "set_rich_menu_image",
            menu,
            bytearray(image),
            _headers={"Content-Type": kind},
        )

    async def menus(self, channel: Channel) -> Sequence[Json]:
        said = await self._ask(channel, "messaging", "get_rich_menu_list")
        return [_json(menu) for menu in said["richmenus"]]

    async def delete_menu(self, channel: Channel, menu: str) -> None:
        await self._ask(channel, "messaging", "delete_rich_menu", menu)

    async def show_menu(self, channel: Channel, menu: str) -> None:
        if menu:
            await self._ask(channel, "messaging", "set_default_rich_menu", menu)
        else:
            await self._ask(channel, "messaging", "cancel_default_rich_menu")

    async def default_menu(self, channel: Channel) -> str:
        asked = self._ask(channel, "messaging", "get_default_rich_menu_id")
        said = await _unless_missing(asked)
        return "" if said is None else str(said["richMenuId"])

    async def link_menu(self, channel: Channel, menu: str, users: Sequence[str]) -> None:
        if menu:
            wanted = {"richMenuId": menu, "userIds": list(users)}
            model: dict[str, Any] = {"RichMenuBulkLinkRequest": wanted}
            await self._ask(channel, "messaging", "link_rich_menu_id_to_users", model=model)
        else:
            model = {"RichMenuBulkUnlinkRequest": {"userIds": list(users)}}
            await self._ask(channel, "messaging", "unlink_rich_menu_id_from_users", model=model)

    async def menu_aliases(self, channel: Channel) -> Mapping[str, str]:
        said = await self._ask(channel, "messaging", "get_rich_menu_alias_list")
        return {alias["richMenuAliasId"]: alias["richMenuId"] for alias in said["aliases"]}

    async def set_menu_alias(self, channel: Channel, alias: str, menu: str) -> None:
        if alias in await self.menu_aliases(channel):
            model = {"UpdateRichMenuAliasRequest": {"richMenuId": menu}}
            await self._ask(channel, "messaging", "update_rich_menu_alias", alias, model=model)
        else:
            model = {"CreateRichMenuAliasRequest": {"richMenuAliasId": alias, "richMenuId": menu}}
            await self._ask(channel, "messaging", "create_rich_menu_alias", model=model)

    async def delete_menu_alias(self, channel: Channel, alias: str) -> None:
        await self._ask(channel, "messaging", "delete_rich_menu_alias", alias)

    # --- figures ---

    async def deliveries(self, channel: Channel, day: str) -> Json:
        return _json(await self._ask(channel, "insight", "get_number_of_message_deliveries", day))

    async def friends(self, channel: Channel, day: str) -> Json:
        return _json(await self._ask(channel, "insight", "get_number_of_followers", day))

    async def message_event(self, channel: Channel, request: str) -> Json:
        return _json(await self._ask(channel, "insight", "get_message_event", request))

    async def unit_events(self, channel: Channel, unit: str, since: str, until: str) -> Json:
        asked = self._ask(channel, "insight", "get_statistics_per_unit", unit, since, until)
        return _json(await asked)

    async def narrowcast(self, channel: Channel, request: str) -> Json:
        return _json(await self._ask(channel, "messaging", "get_narrowcast_progress", request))


def _json(said: Any) -> Json:
    """An answer that is an object."""
    if not isinstance(said, dict):
        raise Transient(Trouble.PLATFORM_DOWN, "an answer that is none")
    return said


async def _unless_missing(asked: Any) -> Any:
    """The answer, or ``None`` where the platform says that there is nothing."""
    try:
        return await asked
    except Permanent as error:
        if error.reason is Trouble.PLATFORM_MISSING:
            return None
        raise
