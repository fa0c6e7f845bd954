"""The simulated LINE platform, for ``simulate`` and ``demo``."""

import asyncio
import secrets

from adapters.line.simulator import (
    Accepted,
    Crowd,
    Delivery,
    Friend,
    Habits,
    LoginChannel,
    Platform,
    Received,
    Telling,
)
from adapters.line.simulator import Channel as Account
from adapters.line.simulator.crowd import offered
from gateway.config import Config
from gateway.domain.line.channel import Channel
from gateway.errors import Misconfigured
from gateway.main.carrier import address_of

__all__ = [
    "Accepted",
    "Account",
    "Crowd",
    "Delivery",
    "Friend",
    "Habits",
    "LoginChannel",
    "Platform",
    "Received",
    "offered",
    "simulate_line",
]


def simulate_line(
    config: Config,
    channel: Channel,
    user: str,
    *,
    say: str | None = None,
    postback: str | None = None,
    target: str | None = None,
) -> tuple[str, str]:
    """Post one webhook to the running daemon: what ``user`` says or presses, else that they follow.

    It is signed with the channel's secret; the real platform knows nothing of it, and refuses a
    reply to it. Returns the event's id, and what went wrong.

    Raises:
        Misconfigured: no section [line] starts its webhooks.
    """
    if config.line is None:
        raise Misconfigured(["[line] is absent: the daemon takes no webhooks of LINE"])
    url = f"{config.public_url}/line/{channel.id}"
    reachable = {config.public_url: target or address_of(config)}

    async def play() -> Telling:
        seed = secrets.randbelow(2**32)
        async with Platform(seed=seed, reachable=reachable) as platform:
            account = platform.channel(webhook_url=url)
            account.secret = channel.channel_secret
            account.bot_user_id = channel.bot_user_id or account.bot_user_id
            friend = Friend(account, platform.person("somebody"), user)
            if say is not None:
                return await friend.say(say)
            return await (friend.follow() if postback is None else friend.postback(postback))

    told = asyncio.run(play())
    post = told.posts[-1]
    trouble = f"answered {post.status}" if post.status else f"not answered: {post.error}"
    return told.event["webhookEventId"], "" if post.acknowledged else trouble
