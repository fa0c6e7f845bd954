"""A new account is walked through against the simulated platform, with each thing wrong once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.line.onboarding import look
from gateway import config
from gateway.config import Config
from gateway.domain.insight import day_of
from gateway.domain.line.onboarding import Check, checks
from gateway.errors import Misconfigured
from gateway.main.onboarding import check_channel, industries
from tests.adapters.line.sending_world import ours
from tests.adapters.line.simulator.given import MENU, picture
from tests.adapters.line.simulator.world import PUBLIC, World, in_world
from tests.adapters.line.test_official import official
from tests.support.stores import Engine, sqlite, sqlite_template

__all__ = ["sqlite", "sqlite_template"]

URL = f"{PUBLIC}/line/shop"


async def prepared(world: World) -> None:
    """An account that is set up as it should be."""
    world.channel.webhook_url = URL
    world.channel.premium_id = "@hana"
    world.channel.quota = 200
    world.platform.reachable = {PUBLIC: world.listener.url.removesuffix("/line/shop")}
    made = await world.post("/v2/bot/richmenu", MENU)
    menu = made.json["richMenuId"]
    headers = {"Content-Type": "image/png"}
    await world.ask("POST", f"/v2/bot/richmenu/{menu}/content", data=picture(), headers=headers)
    shown = await world.post(f"/v2/bot/user/all/richmenu/{menu}", None)
    assert shown.status == 200


async def walked(
    world: World, *, fix: bool = False, logins: tuple[int, int] = (1, 1), **given: Any
) -> dict[str, Check]:
    """The checks by id."""
    wanted = {
        "bot_user_id": world.channel.bot_user_id,
        "greeting": [{"type": "text", "text": "ようこそ"}],
        "login_channel_id": "2000000000",
        "liff_id": "2000000000-abcdefgh",
        "industry": "florist",
        "staff_secret": "4812",
    }
    channel = ours(world, **(wanted | given))
    async with official(world) as platform:
        today = day_of(world.clock.now)
        seen = await look(platform, channel, URL, today, logins, fix=fix)
    return {check.id: check for check in checks(channel, URL, seen, industries())}


def failed(found: dict[str, Check]) -> list[str]:
    return [id_ for id_, check in found.items() if check.state == "failed"]


@in_world()
async def test_an_account_that_is_set_up_passes(world: World) -> None:
    """Only what the API does not tell is left to people; the platform's test arrived."""
    await prepared(world)
    found = await walked(world)
    assert [id_ for id_, check in found.items() if check.state != "passed"] == [
        "redelivery",
        "double_replies",
    ]
    assert {check.state for check in found.values()} <= {"passed", "manual"}
    assert world.listener.bodies == [{"destination": world.channel.bot_user_id, "events": []}]


Fault = Callable[[World], object]


def _other_url(world: World) -> None:
    world.channel.webhook_url = "https://other.example/"


def _no_url(world: World) -> None:
    world.channel.webhook_url = ""


def _switched_off(world: World) -> None:
    world.channel.webhook_active = False


def _unreachable(world: World) -> None:
    world.platform.reachable = {}


def _refusing(world: World) -> None:
    world.listener.answers.append(403)


def _used_up(world: World) -> None:
    world.channel.quota = 0


def _nameless(world: World) -> None:
    world.channel.name = ""


def _faceless(world: World) -> None:
    world.channel.picture_url = None


def _menuless(world: World) -> None:
    world.channel.menu.default = None


FAULTS: list[tuple[Fault, str]] = [
    (_other_url, "webhook_url"),
    (_no_url, "webhook_url"),
    (_switched_off, "webhook_active"),
    (_unreachable, "webhook_test"),
    (_refusing, "webhook_test"),
    (_used_up, "plan"),
    (_nameless, "profile"),
    (_faceless, "profile"),
    (_menuless, "menu"),
]


@pytest.mark.parametrize(("fault", "id_"), FAULTS)
def test_each_fault_of_the_platform_s_side_is_found(fault: Fault, id_: str) -> None:
    """It alone fails, and says what to do."""

    @in_world()
    async def run(world: World) -> None:
        await prepared(world)
        fault(world)
        found = await walked(world)
        assert failed(found) == [id_]
        assert found[id_].remedy

    run()


@pytest.mark.parametrize(
    ("given", "id_"),
    [
        ({"channel_secret": "another"}, "token"),
        ({"bot_user_id": "U" + "0" * 32}, "bot"),
        ({"greeting": []}, "greeting"),
        ({"liff_id": "1-abcdefgh"}, "liff"),
        ({"industry": "gambling"}, "industry"),
    ],
)
def test_each_fault_of_our_side_is_found(given: dict[str, Any], id_: str) -> None:
    """The files against the account."""

    @in_world()
    async def run(world: World) -> None:
        await prepared(world)
        assert failed(await walked(world, **given)) == [id_]

    run()


@in_world()
async def test_a_missing_webhook_url_is_set_on_request(world: World) -> None:
    """With it the test arrives; without the wish nothing is changed."""
    await prepared(world)
    _other_url(world)
    assert (await walked(world))["webhook_url"].state == "failed"
    assert world.channel.webhook_url == "https://other.example/"
    found = await walked(world, fix=True)
    assert failed(found) == []
    assert (found["webhook_url"].found, world.channel.webhook_url) == ("set just now", URL)
    assert (await walked(world, fix=True))["webhook_url"].found == ""


@in_world()
async def test_a_platform_that_does_not_answer_is_told(world: World) -> None:
    """Nothing else can be looked at then."""
    await prepared(world)
    world.platform.faults.fail(probability=1.0, path="/v2/bot/")
    found = await walked(world)
    assert failed(found) == ["token"]
    assert "does not answer" in found["token"].found
    assert found["menu"].state == "unknown"


@in_world()
async def test_one_thing_that_is_not_told_hides_no_other(world: World) -> None:
    """The quota fails for a moment: it is unknown, all else is looked at."""
    await prepared(world)
    world.platform.faults.fail(probability=1.0, path="/v2/bot/message/quota")
    found = await walked(world)
    assert [id_ for id_, check in found.items() if check.state == "unknown"] == ["plan"]


@in_world()
async def test_an_account_that_is_not_verified_may_not_list_friends(world: World) -> None:
    """The platform's refusal is what tells."""
    await prepared(world)
    world.platform.faults.fail(probability=1.0, status=403, path="/v2/bot/followers")
    found = (await walked(world))["verified"]
    assert (found.state, found.found) == ("manual", "LINE does not list its friends")


@in_world()
async def test_replies_of_the_manager_are_seen_in_its_figures(world: World) -> None:
    """The latest day that is told of counts, where the platform is late."""
    await prepared(world)

    async with official(world) as platform:
        real, asked = platform.deliveries, []

        async def told(channel: Any, day: str) -> Any:
            asked.append(day)
            await real(channel, day)
            if len(asked) == 1:
                return {"status": "unready"}
            return {"status": "ready", "autoResponse": 3, "welcomeResponse": None}

        platform.deliveries = told  # type: ignore[method-assign]  # what the manager sent is played
        channel = ours(world)
        seen = await look(platform, channel, URL, day_of(world.clock.now))
    assert asked == ["20261129", "20261128"]
    assert seen.manager is not None
    assert (seen.manager.day, seen.manager.auto_responses) == ("2026-11-28", 3)
    found = {check.id: check for check in checks(channel, URL, seen, industries())}
    assert found["double_replies"].state == "failed"


def test_the_command_walks_a_channel_of_the_store(sqlite: Engine, tmp_path: Path) -> None:
    """From its configuration and its store alone; what it needs and does not find is told."""

    @in_world()
    async def run(world: World) -> None:
        await prepared(world)
        url, address = (
            world.platform.url,
            f"sqlite:///{sqlite.database().url.rpartition(':///')[2]}",
        )
        head = f'public_url = "{PUBLIC}"\n'
        store = f'[storage]\nurl = "{address}"\n'
        line = f'[line]\napi_url = "{url}"\ndata_api_url = "{url}"\n'

        def configured(*parts: str) -> Config:
            path = tmp_path / "config.toml"
            path.write_text("".join(parts))
            return config.load(path, {})

        sqlite.provision(ours(world, bot_user_id=world.channel.bot_user_id))
        found = await check_channel(configured(head, store, line), "shop")
        by_id = {check.id: check for check in found}
        assert failed(by_id) == ["greeting"]
        assert by_id["webhook_test"].state == "passed"
        for parts, said in (
            ((head, store, line), "nothing: no such channel"),
            ((head, store), "[line] is absent"),
        ):
            with pytest.raises(Misconfigured) as wrong:
                await check_channel(configured(*parts), "nothing")
            assert said in wrong.value.problems[0]

    run()


def test_the_list_of_trades_is_dated_and_says_where_it_is_from() -> None:
    """Each entry is an id that a channel may be given, once."""
    listed = industries()
    assert listed.as_of.year >= 2026
    assert listed.source.startswith("https://terms2.line.me/")
    ids = [entry.id for entry in listed.industry]
    assert len(ids) == len(set(ids))
    assert {entry.ja for entry in listed.industry} == {
        "医療",
        "出会い",
        "アダルト",
        "ネット関連ビジネス",
        "連鎖販売取引",
        "クレジットカード現金化",
        "ギャンブル",
        "個人情報",
        "模倣品・海賊版",
    }
    assert {entry.rule for entry in listed.industry} == {"prohibited", "limited"}
