"""What is asked of the platform by the official package, and how its errors come back."""

import asyncio
import dataclasses
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from adapters.line.official import Official
from adapters.line.tokens import PATH as TOKENS
from adapters.line.tokens import Tokens
from gateway.domain.line.channel import Channel
from gateway.errors import Permanent, Transient, Trouble
from gateway.ports.line_platform import Endpoint, LinePlatform, Month
from tests.adapters.line.sending_world import Hand, asked, ours
from tests.adapters.line.simulator.given import COUPON, MENU, picture
from tests.adapters.line.simulator.world import HELLO, KEY, PUBLIC, World, in_world

Test = Callable[[World, LinePlatform, Channel], Awaitable[None]]


@asynccontextmanager
async def official(world: World) -> AsyncIterator[Official]:
    tokens = Tokens(world.session, world.platform.url, Hand())
    url = world.platform.url
    made = Official(tokens=tokens, api_url=url, data_api_url=url)
    try:
        yield made
    finally:
        made.close()


def asking(test: Test) -> Callable[[], None]:
    """A test that asks the platform about its shop's channel."""

    async def run(world: World) -> None:
        async with official(world) as platform:
            await test(world, platform, ours(world))

    wrapped = in_world()(run)
    wrapped.__doc__ = test.__doc__
    wrapped.__name__ = test.__name__
    return wrapped


async def trouble(awaitable: Awaitable[Any]) -> Trouble:
    """How it went wrong."""
    with pytest.raises((Permanent, Transient)) as failed:
        await awaitable
    assert isinstance(failed.value, Permanent | Transient)
    return failed.value.reason


@asking
async def test_a_friend_has_a_name(world: World, line: LinePlatform, channel: Channel) -> None:
    """Profiles of friends are told, of strangers and of those who blocked us not."""
    person = await line.profile(channel, world.hana.user_id)
    assert person.user == world.hana.user_id
    assert person.name == world.hana.person.name
    assert await trouble(line.profile(channel, "U" + "0" * 32)) is Trouble.PLATFORM_MISSING


@asking
async def test_a_name_with_half_an_emoji_is_still_a_name(
    world: World, line: LinePlatform, channel: Channel
) -> None:
    """What no UTF-8 holds, and what PostgreSQL does not, are replaced; the rest of it stays."""
    world.hana.person = dataclasses.replace(world.hana.person, name="花\ud83d\0子")
    assert (await line.profile(channel, world.hana.user_id)).name == "花\ufffd\ufffd子"


@asking
async def test_friends_are_listed_in_pages(
    world: World, line: LinePlatform, channel: Channel
) -> None:
    """Each page tells where the next one starts, until the last."""
    everyone = {friend.user_id for friend in await world.crowd(4)} | {world.hana.user_id}
    found: list[str] = []
    start, pages = "", 0
    while pages == 0 or start:
        page = await line.followers(channel, start, limit=2)
        found += page.users
        start, pages = page.next, pages + 1
    assert set(found) == everyone
    assert len(found) == len(everyone)
    assert pages == 3
    world.channel.verified = False
    assert await trouble(line.followers(channel)) is Trouble.PLATFORM_REFUSED


@asking
async def test_the_months_quota_is_told(world: World, line: LinePlatform, channel: Channel) -> None:
    """With a limit and without one, and what was used of it."""
    assert await line.month(channel) == Month("none", 0, 0)
    world.channel.quota = 200
    await world.push()
    assert await line.month(channel) == Month("limited", 200, 1)


@asking
async def test_an_account_is_looked_at(world: World, line: LinePlatform, channel: Channel) -> None:
    """Who the bot is, and where its webhooks go."""
    bot = await line.bot(channel)
    assert (bot.user, bot.name, bot.chat_mode) == (world.channel.bot_user_id, "花屋", "bot")
    assert await line.endpoint(channel) == Endpoint(world.listener.url, active=True)
    tried = await line.try_endpoint(channel)
    assert (tried.success, tried.status, tried.at) == (True, 200, world.clock.now)
    world.platform.reachable = {PUBLIC: world.listener.url}
    await line.set_endpoint(channel, f"{PUBLIC}/line/shop")
    found = await line.endpoint(channel)
    assert found is not None
    assert found.url == f"{PUBLIC}/line/shop"
    world.listener.answers = [500]
    tried = await line.try_endpoint(channel, f"{PUBLIC}/line/shop")
    assert (tried.success, tried.status) == (False, 500)


@asking
async def test_coupons_live_and_end(world: World, line: LinePlatform, channel: Channel) -> None:
    """Made with every part of their reward, listed, looked at, closed once; strangers missing."""
    first = await line.create_coupon(channel, COUPON)
    many = [await line.create_coupon(channel, COUPON | {"title": f"{n}"}) for n in range(101)]
    assert len(await line.coupons(channel)) == 102
    detail = await line.coupon(channel, first)
    assert detail["reward"]["priceInfo"] == {"type": "percentage", "percentage": 10}
    await line.close_coupon(channel, first)
    assert await trouble(line.close_coupon(channel, first)) is Trouble.PLATFORM_GONE
    assert await trouble(line.close_coupon(channel, "none")) is Trouble.PLATFORM_MISSING
    assert await trouble(line.coupon(channel, "none")) is Trouble.PLATFORM_MISSING
    closed = await line.coupons(channel, ["CLOSED"])
    assert [coupon["couponId"] for coupon in closed] == [first]
    assert many
    assert world.channel.coupons


@asking
async def test_a_wrong_coupon_is_refused_without_its_values(
    world: World, line: LinePlatform, channel: Channel
) -> None:
    """By the package or by the platform: an error never quotes what was given."""
    for wrong in ({"title": "秘密" * 40}, {"timezone": "秘密"}, {"endTimestamp": 5}):
        with pytest.raises(Permanent) as failed:
            await line.create_coupon(channel, COUPON | wrong)
        assert failed.value.reason is Trouble.PLATFORM_REFUSED
        assert "秘密" not in str(failed.value)


@asking
async def test_menus_are_made_shown_and_taken_away(
    world: World, line: LinePlatform, channel: Channel
) -> None:
    """Image, default, links to friends and aliases; what is not there is empty."""
    hana = world.hana.user_id
    assert await line.default_menu(channel) == ""
    one, two = [await line.create_menu(channel, MENU) for _ in range(2)]
    for menu in (one, two):
        await line.set_menu_image(channel, menu, picture(), "image/png")
    assert {menu["richMenuId"] for menu in await line.menus(channel)} == {one, two}
    await line.show_menu(channel, one)
    await line.link_menu(channel, two, [hana])
    assert (await line.default_menu(channel), world.channel.menu.linked) == (one, {hana: two})
    await line.link_menu(channel, "", [hana])
    await line.show_menu(channel, "")
    assert (await line.default_menu(channel), world.channel.menu.linked) == ("", {})
    await line.set_menu_alias(channel, "tab", one)
    await line.set_menu_alias(channel, "tab", two)
    assert await line.menu_aliases(channel) == {"tab": two}
    await line.delete_menu_alias(channel, "tab")
    assert await line.menu_aliases(channel) == {}
    await line.delete_menu(channel, one)
    assert [menu["richMenuId"] for menu in await line.menus(channel)] == [two]
    assert await trouble(line.show_menu(channel, one)) is Trouble.PLATFORM_MISSING


@asking
async def test_figures_are_passed_on(world: World, line: LinePlatform, channel: Channel) -> None:
    """Deliveries, friends and events come in the platform's own words."""
    key = {"key": KEY}
    body = {"messages": [HELLO]}
    sent = await world.post("/v2/bot/message/broadcast", body, **key)
    world.clock.turn(days=2)
    assert (await line.deliveries(channel, "20261130"))["status"]
    assert (await line.friends(channel, "20261130"))["status"]
    assert "overview" in await line.message_event(channel, sent.request_id)
    units = await line.unit_events(channel, "autumn", "20261130", "20261201")
    assert "overview" in units
    missing = line.narrowcast(channel, "none")
    assert await trouble(missing) in (Trouble.PLATFORM_MISSING, Trouble.PLATFORM_REFUSED)


@asking
async def test_the_platforms_troubles_are_told_apart(
    world: World, line: LinePlatform, channel: Channel
) -> None:
    """Busy and away may pass, an answer that is none too; the rest will not."""
    faults = world.platform.faults
    faults.fail(1, 429, path="/v2/bot/info")
    assert await trouble(line.bot(channel)) is Trouble.PLATFORM_BUSY
    faults.fail(1, 503, path="/v2/bot/info")
    assert await trouble(line.bot(channel)) is Trouble.PLATFORM_DOWN
    faults.lose_answers(1, path="/v2/bot/info")
    assert await trouble(line.bot(channel)) is Trouble.PLATFORM_DOWN
    faults.fail(1, 403, path="/v2/bot/info")
    assert await trouble(line.bot(channel)) is Trouble.PLATFORM_REFUSED
    assert (await line.bot(channel)).name == "花屋"


@asking
async def test_a_token_that_is_refused_is_renewed_once(
    world: World, line: LinePlatform, channel: Channel
) -> None:
    """Then the credentials are at fault."""
    await line.bot(channel)
    world.clock.turn(seconds=1000)  # the platform's clock alone
    assert (await line.bot(channel)).name == "花屋"
    assert asked(world, TOKENS) == 2
    world.platform.faults.fail(2, 401, path="/v2/bot/info")
    assert await trouble(line.bot(channel)) is Trouble.PLATFORM_REFUSED


def test_a_platform_that_is_away_is_told_at_once() -> None:
    """Nothing listens: the package does not try again by itself."""

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            tokens = Tokens(session, "http://127.0.0.1:9")
            away = "http://127.0.0.1:9"
            line = Official(tokens=tokens, api_url=away, data_api_url=away)
            channel = Channel("shop", "acme", "1", "s")
            assert await trouble(line.bot(channel)) is Trouble.PLATFORM_DOWN
            line.close()

    asyncio.run(ask())


_TIMED = """
import asyncio, gc, json, sys, time
import aiohttp, uvloop
from adapters.line.official import Official
from adapters.line.tokens import Tokens

async def main():
    async with aiohttp.ClientSession() as session:
        url = "http://127.0.0.1:9"
        tokens = Tokens(session, url)
        line = Official(tokens=tokens, api_url=url, data_api_url=url)
        before = [name for name in sys.modules if name.startswith("linebot")]
        loading = asyncio.create_task(line.load())
        late = []
        since = time.perf_counter()
        while not loading.done():
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - begin - 0.001)
        await loading
        took = time.perf_counter() - since
        begin = time.perf_counter()
        gc.collect()
        late.append(time.perf_counter() - begin)
        late.sort()
        line.close()
        at = lambda share: late[min(len(late) - 1, int(len(late) * share))]
        print(json.dumps({"before": before, "took": took, "samples": len(late),
                          "p999": at(0.999), "p99": at(0.99), "median": at(0.5)}))

gc.collect()
gc.freeze()  # as the daemon does once it is ready
uvloop.run(main())
"""


@pytest.mark.process
@pytest.mark.slow
def test_importing_the_package_never_stalls_the_loop() -> None:
    """A loop that is timed meanwhile is never late by 20 ms; nor is a collection afterwards."""
    tries = []
    # A stall of the import's own is there each time; that a shared machine looks away is not.
    for _ in range(6):
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", _TIMED],
            capture_output=True,
            text=True,
            check=True,
        )
        told = json.loads(run.stdout)
        assert told["before"] == []
        tries.append(told["p999"])
        if tries[-1] <= 0.020:
            return
    pytest.fail(f"the loop was late by {min(tries):.3f} s")
