"""Pushes, steps, tags and links from the API to friends' telephones, through a real daemon."""

import asyncio
import http.client
import json
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from adapters.line.simulator import Channel, Friend
from tests.adapters.twilio.forms import PUBLIC_URL
from tests.e2e.test_cli import done
from tests.support.daemon import Daemon, wait_for
from tests.support.line_daemon import WatchedPlatform, platform_of, provisioning
from tests.support.stores import on_a_loop

pytestmark = [pytest.mark.process, pytest.mark.slow]

FRIENDS = 30
AUDIENCE = """
[[link]]
id = "menu"
advertiser = "acme"
channel = "acme-shop"
url = "https://shop.example.jp/menu"
tags = ["menu-seen"]

[[link]]
id = "flyer"
advertiser = "acme"
channel = "acme-shop"
kind = "entry"
url = "https://line.me/R/ti/p/@acme"

[[segment]]
id = "seen"
advertiser = "acme"
channel = "acme-shop"
filter = { tag = "menu-seen" }

[[step_series]]
id = "welcome"
advertiser = "acme"
channel = "acme-shop"
steps = [{ day = 0, messages = [{ type = "text", text = "はじめまして" }] }]
"""
PHONE = {"User-Agent": "Mozilla/5.0 (iPhone) Safari Line/14.9.0"}


class Api:
    """The API as a manager of the shop asks it, and the public listener as friends do."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        made = daemon.cli("token", "create", "--role", "manager", "--advertiser", "acme")
        self._token = done(made).strip()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """An answer of the API."""
        listen = self._daemon.settings().admin.listen
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        status, _, text = await asyncio.to_thread(
            _ask, (listen.host, listen.port), method, f"/api/v1{path}", body, headers
        )
        assert 200 <= status < 300, (status, text)
        return json.loads(text) if text else None

    async def visit(
        self, method: str, path: str, body: Any = None
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """An answer to a friend."""
        headers = PHONE | {"Content-Type": "application/json"}
        address = ("127.0.0.1", self._daemon.public)
        return await asyncio.to_thread(_ask, address, method, path, body, headers)


def _ask(
    address: tuple[str, int], method: str, path: str, body: Any, headers: dict[str, str]
) -> tuple[int, http.client.HTTPMessage, str]:
    with closing(http.client.HTTPConnection(*address, timeout=20)) as connection:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what the daemon does by itself."""
    await asyncio.to_thread(wait_for, condition, what)


def told(friend: Friend, kind: str) -> list[str]:
    """The texts that a friend got in one way."""
    return [each.message["text"] for each in friend.inbox if each.kind == kind]


async def coming(account: Channel) -> list[Friend]:
    """Friends who follow the shop."""
    friends = [account.friend(f"友だち{number}") for number in range(FRIENDS)]
    await asyncio.gather(*(friend.follow() for friend in friends))
    return friends


@on_a_loop
async def _play(daemon: Daemon) -> None:
    async with platform_of(daemon, seed=5) as (platform, shops):
        account = shops["acme-shop"]
        login = platform.login_channel()
        daemon.migrate()
        file = provisioning(shops).replace(
            'name = "Acme 美容室"\ngreeting',
            f'login_channel_id = "{login.id}"\nliff_id = "{login.liff_id}"\n'
            'name = "Acme 美容室"\ngreeting',
        )
        daemon.apply(file + AUDIENCE)
        daemon.start()
        await asyncio.to_thread(daemon.wait_until, "ready")
        api = Api(daemon)
        friends = await coming(account)
        await _steps_come(friends)
        await _pushes_come(api, friends)
        await _nobody_who_left_is_pushed(api, friends)
        await _entry_is_told(daemon, api, platform, account)


async def _steps_come(friends: list[Friend]) -> None:
    await until(
        lambda: all("はじめまして" in told(friend, "multicast") for friend in friends),
        "a step of the first day is missing",
    )


async def _pushes_come(api: Api, friends: list[Friend]) -> None:
    """One multicast for all, then pushes one by one whose links tag who follows them."""
    text = "全員へ {link:menu}"
    push = await _pushed(api, {"everyone": True, "messages": [{"type": "text", "text": text}]})
    assert (push["state"], push["recipients"], push["sent"]) == ("done", FRIENDS, FRIENDS)
    words = Counter(words for friend in friends for words in told(friend, "multicast"))
    (shared,) = [each for each in words if each.startswith("全員へ")]
    assert words[shared] == FRIENDS
    text = "{name}様 {link:menu}"
    push = await _pushed(api, {"everyone": True, "messages": [{"type": "text", "text": text}]})
    assert push["sent"] == FRIENDS
    for friend in friends:
        (personal,) = told(friend, "push")
        name, _, address = personal.partition(" ")
        assert name == f"{friend.person.name}様"
        if friend in friends[:3]:
            status, headers, _ = await api.visit("GET", address.removeprefix(PUBLIC_URL))
            assert (status, headers["Location"]) == (302, "https://shop.example.jp/menu")
    detail = await api.ask("GET", f"/pushes/{push['id']}")
    assert (detail["clicks"], detail["clicked_by"]) == (3, 3)
    assert (await api.ask("GET", "/segments/seen/size"))["recipients"] == 3


async def _nobody_who_left_is_pushed(api: Api, friends: list[Friend]) -> None:
    """Of the three in the segment one blocks the shop, and one presses a button to stop."""
    await friends[0].unfollow()
    await friends[1].postback("gw/stop")
    push = await _pushed(api, {"segment": "seen", "messages": [{"type": "text", "text": "特典"}]})
    assert (push["recipients"], push["sent"], push["stopped"]) == (2, 1, 1)
    assert [friend for friend in friends if "特典" in told(friend, "multicast")] == [friends[2]]


async def _pushed(api: Api, body: dict[str, Any]) -> Any:
    """A push, once it is over."""
    made = await api.ask("POST", "/pushes", {"channel": "acme-shop"} | body)
    async with asyncio.timeout(60):
        while True:
            push = (await api.ask("GET", f"/pushes/{made['id']}"))["push"]
            if push["ended_at"]:
                return push
            await asyncio.sleep(0.1)  # what is waited for knows of no event


async def _entry_is_told(
    daemon: Daemon, api: Api, platform: WatchedPlatform, account: Channel
) -> None:
    """Who opens the flyer's code in LINE and then follows came by it."""
    links = {link["id"]: link for link in (await api.ask("GET", "/links"))["items"]}
    path = links["flyer"]["short_url"].removeprefix(PUBLIC_URL)
    assert links["flyer"]["liff_url"].endswith(path)
    status, _, page = await api.visit("GET", path)
    assert (status, "data-liff" in page) == (200, True)
    comer = account.friend("新しい人")
    login = next(iter(platform.logins))
    token = platform.liff_id_token(comer, login)
    status, _, answer = await api.visit("POST", path, {"id_token": token})
    assert (status, json.loads(answer)["is_friend"]) == (200, False)
    await comer.follow()
    await until(
        lambda: daemon.rows("SELECT user FROM line_friends WHERE entry = 'flyer'") != [],
        "nobody knows how the friend came",
    )
    ((user,),) = daemon.rows("SELECT user FROM line_friends WHERE entry = 'flyer'")
    assert user == comer.user_id
    (day,) = (await api.ask("GET", "/links/flyer/days"))["items"]
    assert (day["people"], day["friends"]) == (1, 1)


def test_what_a_shop_pushes_arrives_once(new_daemon: Callable[..., Daemon]) -> None:
    """Steps after a follow, a multicast and personal pushes with links, without those who left;
    links tag who follows them, and a flyer's link tells who came by it.
    """
    _play(new_daemon())
