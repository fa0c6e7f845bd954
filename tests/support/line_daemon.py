"""A daemon with LINE channels, against a platform that is played in the test's own process."""

import http.client
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any

from adapters.line.simulator import Channel, Platform, signature
from adapters.line.simulator.protocol import Answer, Call
from tests.adapters.twilio.forms import PUBLIC_URL
from tests.support.daemon import PATIENCE, PROVISIONING, Answered, Daemon

_CHANNEL = """
[[line_channel]]
id = "{id}"
advertiser = "{advertiser}"
channel_id = "{account.id}"
channel_secret = "{account.secret}"
bot_user_id = "{account.bot_user_id}"
name = "Acme 美容室"
greeting = [{{ type = "text", text = "{{shop}}へようこそ", quickReply = {{ items = [
  {{ type = "action", action = {{ type = "postback", label = "メニュー", data = "menu" }} }},
] }} }}]
[[line_channel.reply]]
keyword = "クーポン"
messages = [{{ type = "text", text = "こちらをどうぞ" }}]
[[line_channel.reply]]
keyword = "menu"
match = "postback"
messages = [{{ type = "text", text = "{{name}}さん、メニューです" }}]
[[line_channel.reply]]
keyword = "(a+)+$"
match = "regex"
messages = [{{ type = "text", text = "a" }}]
[[line_channel.uniform]]
messages = [{{ type = "text", text = "店の者が見ます" }}]
"""

ANSWERED = frozenset({"follow", "message", "postback"})
"""The events of friends that such a channel has an answer to: every follow, message and tap."""


def provisioning(accounts: Mapping[str, Channel]) -> str:
    """A provisioning file with a shop for each of ``accounts``, by its id."""
    return PROVISIONING + "".join(
        _CHANNEL.format(id=id_, account=account, advertiser="acme")
        for id_, account in accounts.items()
    )


@dataclass(frozen=True)
class Attempt:
    """One request to send that reached the platform."""

    at: int
    """The platform's time (microseconds)."""
    status: int | None
    """What it was told; ``None`` where the connection was cut in place of an answer."""

    @property
    def is_ambiguous(self) -> bool:
        """Whether what was told leaves open if the message went out."""
        return self.status is None or self.status >= 500


class WatchedPlatform(Platform):
    """Knows of each reply token, and of each retry key, what its attempts were told."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.attempts: defaultdict[str, list[Attempt]] = defaultdict(list)

    def _note(self, call: Call, method: str, answer: Answer | None) -> None:
        super()._note(call, method, answer)
        if call.path.startswith("/v2/bot/message/") and method == "POST":
            attempt = Attempt(call.now, answer.status if answer else None)
            token = json.loads(call.body).get("replyToken")
            self.attempts[token or call.headers["X-Line-Retry-Key"]].append(attempt)


@asynccontextmanager
async def platform_of(
    daemon: Daemon, shops: Sequence[str] = ("acme-shop",), **options: Any
) -> AsyncIterator[tuple[WatchedPlatform, dict[str, Channel]]]:
    """A platform with an account for each of ``shops`` (ids), known to a daemon that is not
    running: it is started within the block, once it has schema and :func:`provisioning`.
    """
    async with WatchedPlatform(reachable={PUBLIC_URL: daemon.address}, **options) as platform:
        accounts = {}
        for shop in shops:
            accounts[shop] = platform.channel(shop, webhook_url=f"{PUBLIC_URL}/line/{shop}")
            accounts[shop].redelivery = True
        know(daemon, platform.url)
        yield platform, accounts


def know(daemon: Daemon, url: str) -> None:
    """Let a daemon that is not running speak to LINE, and have it at ``url``."""
    daemon.environment |= {"GATEWAY_LINE_API_URL": url, "GATEWAY_LINE_DATA_API_URL": url}


def post(
    daemon: Daemon,
    account: Channel,
    body: bytes,
    *,
    shop: str = "acme-shop",
    signatures: Sequence[str] | None = None,
) -> Answered:
    """Post ``body`` to the webhook of ``shop``, rightly signed unless ``signatures`` differ."""
    if signatures is None:
        signatures = [signature(account.secret, body)]
    connection = http.client.HTTPConnection("127.0.0.1", daemon.public, timeout=PATIENCE)
    with closing(connection):
        began = time.monotonic()
        connection.putrequest("POST", f"/line/{shop}")
        connection.putheader("Content-Type", "application/json; charset=utf-8")
        connection.putheader("Content-Length", str(len(body)))
        for each in signatures:
            connection.putheader("X-Line-Signature", each)
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read().decode()
        return Answered(answer.status, text, dict(answer.headers), time.monotonic() - began)
