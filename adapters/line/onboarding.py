"""Looks at an account through the platform's API, for the check of its set-up."""

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from gateway.domain.insight import date_of
from gateway.domain.line.channel import Channel
from gateway.domain.line.onboarding import Account, Address, Manager, Plan, Seen, Trial
from gateway.errors import Permanent, Transient, Trouble
from gateway.ports.line_platform import Accounts, InsightApi, MenuApi, Months, Profiles

T = TypeVar("T")

_LATEST_DAYS = 3
"""So many days back are asked about until the platform tells of one."""


class Looking(Accounts, Profiles, Months, MenuApi, InsightApi, Protocol):
    """What the platform is asked for."""


async def look(
    platform: Looking,
    channel: Channel,
    url: str,
    today: int,
    logins: tuple[int, int] = (0, 0),
    *,
    fix: bool = False,
) -> Seen:
    """What there is to be seen of ``channel``, whose webhooks are to go to ``url``.

    With ``fix`` another webhook URL is replaced by ``url``. The platform is let post an empty
    webhook to ``url``, and nothing else is changed.

    Args:
        platform: whom to ask.
        channel: whose credentials to ask with.
        url: where webhooks are to go to.
        today: the day in Asia/Tokyo, counted from 1970-01-01.
        logins: users told by ID tokens, and how many of them are friends.
        fix: whether to set the webhook URL.
    """
    try:
        bot = await platform.bot(channel)
    except Permanent:
        return Seen(trouble="refused", logins=logins)
    except Transient:
        return Seen(trouble="unreached", logins=logins)
    return Seen(
        account=Account(
            bot.user, bot.basic_id, bot.name, bot.premium_id, bool(bot.picture_url), bot.chat_mode
        ),
        address=await _perhaps(_address(platform, channel, url, fix=fix)),
        trial=await _perhaps(_trial(platform, channel, url)),
        plan=await _perhaps(_plan(platform, channel)),
        menu=await _perhaps(platform.default_menu(channel)),
        manager=await _perhaps(_manager(platform, channel, today)),
        lists_followers=await _perhaps(_lists_followers(platform, channel)),
        logins=logins,
    )


async def _perhaps(asked: Awaitable[T]) -> T | None:
    """The answer; ``None`` where the platform gives none now."""
    try:
        return await asked
    except (Permanent, Transient):
        return None


async def _address(platform: Accounts, channel: Channel, url: str, *, fix: bool) -> Address:
    found = await platform.endpoint(channel)
    if fix and (found is None or found.url != url):
        await platform.set_endpoint(channel, url)
        found = await platform.endpoint(channel)
        return Address("", False) if found is None else Address(found.url, found.active, True)
    return Address("", False) if found is None else Address(found.url, found.active)


async def _trial(platform: Accounts, channel: Channel, url: str) -> Trial:
    tried = await platform.try_endpoint(channel, url)
    return Trial(tried.success, tried.status, tried.reason, tried.detail)


async def _plan(platform: Months, channel: Channel) -> Plan:
    month = await platform.month(channel)
    return Plan(month.limit if month.kind == "limited" else None, month.used)


async def _manager(platform: InsightApi, channel: Channel, today: int) -> Manager | None:
    """The latest day that the platform tells of; what it does not tell was not sent."""
    for back in range(1, _LATEST_DAYS + 1):
        day = date_of(today - back)
        said = await platform.deliveries(channel, f"{day:%Y%m%d}")
        if said.get("status") == "ready":
            counts = (said.get(name) or 0 for name in ("autoResponse", "welcomeResponse"))
            return Manager(day.isoformat(), *counts)
    return None


async def _lists_followers(platform: Profiles, channel: Channel) -> bool:
    try:
        await platform.followers(channel, limit=1)
    except Permanent as error:
        if error.reason is Trouble.PLATFORM_REFUSED:
            return False
        raise
    return True
