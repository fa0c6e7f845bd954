"""Rich menus are brought to what is provisioned, once, and whatever answers are lost on the way."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from adapters.line.menus import MenuSync
from adapters.line.official import Official
from adapters.line.simulator import Friend as Person
from adapters.line.tokens import Tokens
from adapters.storage.menus import MenuReader
from adapters.storage.store import SqlStore
from gateway.domain.audience import Segment, Tagged
from gateway.domain.line.friends import Friend
from gateway.domain.menus import Area
from gateway.domain.values import EVERYBODY, SECOND, Counted
from gateway.ports.audience import TagOf
from gateway.usecases.menus import LEASE_SECONDS, Look, claim
from tests.adapters.line.sending_world import Hand, ours
from tests.adapters.line.simulator.given import MENU
from tests.adapters.line.simulator.given import picture as any_picture
from tests.adapters.line.simulator.world import NOW, World, in_world
from tests.support.menus import TAP, menu, supply, transaction
from tests.support.stores import PATIENT, Engine, Recorder

MENUS = "/v2/bot/richmenu"
DAY = 86_400 * SECOND
GOLD = Segment("gold", "acme", "shop", Tagged("gold"))
SILVER = Segment("silver", "acme", "shop", Tagged("silver"))

_replace = msgspec.structs.replace


class Lines:
    """A log that keeps what went wrong."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, /, **fields: object) -> None:
        """Nothing."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Keep it."""
        self.told.append((event, fields))

    error = warning


@dataclass
class Shop:
    """A daemon that looks after the menus of the world's channel, by the platform's clock."""

    world: World
    engine: Engine
    store: SqlStore
    sync: MenuSync
    log: Lines
    recorder: Recorder

    async def run(self) -> None:
        """Until nothing is left to be done now."""
        while await self.sync.once():
            pass

    async def until_clean(self) -> None:
        """Through as many hours as it takes."""
        for _ in range(100):
            await self.run()
            if {error for (error,) in self.rows("SELECT error FROM menu_channels")} <= {""}:
                return
            self.world.clock.turn(hours=1)
        raise AssertionError("it never comes to an end")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.engine.rows(sql)

    def writes(self) -> list[str]:
        """What the platform was asked to change since this was last asked."""
        asked = [
            f"{request.method} {request.path}"
            for request in self.world.platform.asked
            if request.method != "GET" and not request.path.startswith("/oauth2")
        ]
        self.world.platform.asked.clear()
        return asked

    def names(self) -> list[str]:
        """The menus on the platform, without the hashes in their names."""
        held = self.world.channel.menu.menus.values()
        return sorted(each.asked["name"].rpartition("/")[0] for each in held)

    def name_of(self, id_: str) -> str:
        """The menu of ours that a richMenuId stands for."""
        return str(self.world.channel.menu.menus[id_].asked["name"]).split("/")[1]

    @property
    def default(self) -> str | None:
        """What all see."""
        shown = self.world.channel.menu.default
        return None if shown is None else self.name_of(shown)

    @property
    def linked(self) -> dict[str, str]:
        """Who sees a menu of their own, by userId."""
        state = self.world.channel.menu
        return {user: self.name_of(id_) for user, id_ in state.linked.items()}

    def befriend(self, people: Sequence[Person], **given: Any) -> None:
        """Our side of friends, numbered from 1."""
        with transaction(self.engine) as tx:
            for number, person in enumerate(people, 1):
                known = {"first_at": 1, "followed_at": 1} | given
                tx.line.save(EVERYBODY, Friend("shop", person.user_id, number, "acme", **known))

    def tag(self, tag: str, *friends: int) -> None:
        with transaction(self.engine) as tx:
            for friend in friends:
                tx.audience.tag(EVERYBODY, TagOf(friend, tag, "acme", "shop", 1, "test"))

    def untag(self, tag: str, *friends: int) -> None:
        with transaction(self.engine) as tx:
            for friend in friends:
                tx.audience.untag(EVERYBODY, friend, tag)


@asynccontextmanager
async def a_shop(world: World, engine: Engine) -> AsyncIterator[Shop]:
    url, recorder, log = world.platform.url, Recorder(), Lines()
    supply(engine, ours(world))
    tokens = Tokens(world.session, url, Hand())
    api = Official(tokens=tokens, api_url=url, data_api_url=url)
    async with engine.store(recorder, limits=PATIENT) as store:
        reader = MenuReader(store._database.dialect)
        sync = MenuSync(store=store, api=api, reader=reader, clock=world.clock, log=log)
        yield Shop(world, engine, store, sync, log, recorder)
    api.close()


@in_world()
async def test_applying_twice_changes_nothing(world: World, sqlite: Engine) -> None:
    """Default, tabs and segments are made once; a look an hour later writes nothing at all."""
    tabs = [menu("a", alias="tab-a"), menu("b", "#0000ff", alias="tab-b")]
    async with a_shop(world, sqlite) as shop:
        shop.befriend([world.hana])
        shop.tag("gold", 1)
        supply(sqlite, GOLD, menu("main"), menu("golden", "#ff0000", segment="gold"), *tabs)
        await shop.run()
        assert shop.names() == ["gw/a", "gw/b", "gw/golden", "gw/main"]
        assert (shop.default, shop.linked) == ("main", {world.hana.user_id: "golden"})
        aliases = world.channel.menu.aliases
        assert {alias: shop.name_of(id_) for alias, id_ in aliases.items()} == {
            "tab-a": "a",
            "tab-b": "b",
        }
        assert len(shop.writes()) == 4 + 4 + 2 + 1 + 1
        supply(sqlite, GOLD, menu("main"), menu("golden", "#ff0000", segment="gold"), *tabs)
        for _ in range(3):
            world.clock.turn(hours=1)
            await shop.run()
        assert shop.writes() == []
        assert shop.rows("SELECT DISTINCT state, error FROM menus_platform") == [("ready", "")]
        assert shop.log.told == []


@in_world()
async def test_the_next_one_is_shown_before_the_last_one_goes(world: World, sqlite: Engine) -> None:
    """A changed menu is made anew; nobody is without one meanwhile, and its links move along."""
    async with a_shop(world, sqlite) as shop:
        shop.befriend([world.hana])
        shop.tag("gold", 1)
        supply(sqlite, GOLD, menu("main", alias="tab"), menu("golden", segment="gold"))
        await shop.run()
        held = set(world.channel.menu.menus)
        shop.writes()
        supply(
            sqlite,
            menu("main", title="新しい", alias="tab"),
            menu("golden", "#ff0000", segment="gold"),
        )
        await shop.run()
        writes = [write.split(f"{MENUS}")[-1] for write in shop.writes()]
        deleted = [place for place, write in enumerate(writes) if write.split("/")[-1] in held]
        assert deleted == [len(writes) - 2, len(writes) - 1]
        assert held.isdisjoint(world.channel.menu.menus)
        assert shop.names() == ["gw/golden", "gw/main"]
        assert shop.linked == {world.hana.user_id: "golden"}


@in_world()
async def test_a_period_begins_and_ends_by_itself(world: World, sqlite: Engine) -> None:
    """The menu of a period is on the platform before it, shown in it, and taken away after it."""
    async with a_shop(world, sqlite) as shop:
        december = menu("december", "#ff0000", begins=NOW + DAY, until=NOW + 2 * DAY)
        supply(sqlite, menu("main"), december)
        await shop.run()
        assert (shop.names(), shop.default) == (["gw/december", "gw/main"], "main")
        shop.writes()
        world.clock.turn(days=1)
        await shop.run()
        assert shop.default == "december"
        assert [write.split(" /v2/bot/")[0] for write in shop.writes()] == ["POST"]
        world.clock.turn(days=1)
        await shop.run()
        assert (shop.names(), shop.default) == (["gw/main"], "main")


@in_world()
async def test_what_others_made_is_left_alone(world: World, sqlite: Engine) -> None:
    """Menus and aliases of another tool stay; a default of theirs is replaced only by ours."""
    theirs = (await world.post(MENUS, MENU)).json["richMenuId"]
    headers = {"Content-Type": "image/png"}
    await world.post(f"{MENUS}/{theirs}/content", None, data=any_picture(), headers=headers)
    await world.post(f"/v2/bot/user/all/richmenu/{theirs}", None)
    await world.post(f"{MENUS}/alias", {"richMenuAliasId": "theirs", "richMenuId": theirs})
    async with a_shop(world, sqlite) as shop:
        supply(sqlite, menu("tab", alias="tab"))
        await shop.run()
        assert world.channel.menu.default == theirs
        supply(sqlite, menu("main"))
        await shop.run()
        assert shop.default == "main"
        supply(sqlite, removed=[menu("main"), menu("tab")])
        await shop.run()
        assert list(world.channel.menu.menus) == [theirs]
        assert world.channel.menu.aliases == {"theirs": theirs}
        assert world.channel.menu.default is None


@in_world()
async def test_without_menus_nothing_of_ours_is_left(world: World, sqlite: Engine) -> None:
    """Menus that are removed vanish from the platform and from the store."""
    async with a_shop(world, sqlite) as shop:
        shop.befriend([world.hana])
        shop.tag("gold", 1)
        menus = [menu("main"), menu("golden", segment="gold")]
        supply(sqlite, GOLD, *menus)
        await shop.run()
        supply(sqlite, removed=menus)
        await shop.run()
        assert (shop.names(), shop.linked, shop.default) == ([], {}, None)
        sizes = sqlite.sizes()
        assert [sizes[t] for t in ("blobs", "menus_platform", "menu_channels", "menu_links")] == [
            0,
            0,
            0,
            0,
        ]


@pytest.mark.parametrize("seed", range(6))
def test_lost_answers_leave_no_menu_twice(sqlite: Engine, seed: int) -> None:
    """Whatever fails, before or after its effect: in the end all is as provisioned, once."""

    @in_world(seed=seed, rate_limits=False)
    async def lived_through(world: World) -> None:
        faults = world.platform.faults
        async with a_shop(world, sqlite) as shop:
            people = [world.hana, *await world.crowd(3)]
            shop.befriend(people)
            shop.tag("gold", 1, 2)
            faults.lose_answers(probability=0.15, path="/v2/bot/")
            faults.fail(probability=0.15, path="/v2/bot/", handled=True)
            faults.cut_before(probability=0.1, path="/v2/bot/")
            supply(
                sqlite, GOLD, menu("main"), menu("golden", segment="gold"), menu("t", alias="tab")
            )
            await shop.until_clean()
            shop.tag("gold", 3)
            shop.untag("gold", 1)
            supply(sqlite, menu("main", "#ff0000"), menu("golden", title="金", segment="gold"))
            await shop.until_clean()
            faults.clear()
            world.clock.turn(hours=1)
            await shop.run()
            assert shop.names() == ["gw/golden", "gw/main", "gw/t"]
            assert all(made.image for made in world.channel.menu.menus.values())
            assert shop.default == "main"
            assert shop.linked == {people[n].user_id: "golden" for n in (1, 2)}
            assert {a: shop.name_of(i) for a, i in world.channel.menu.aliases.items()} == {
                "tab": "t"
            }
            shop.writes()
            world.clock.turn(hours=1)
            await shop.run()
            assert shop.writes() == []

    lived_through()


@in_world()
async def test_the_hourly_limit_is_kept_and_told(world: World, sqlite: Engine) -> None:
    """Sixty menus that all change are more than an hour allows: the rest follows in the next one,
    and nothing that is shown is taken away meanwhile.
    """
    async with a_shop(world, sqlite) as shop:
        tabs = [menu(f"tab-{number}", alias=f"tab-{number}") for number in range(60)]
        supply(sqlite, menu("main"), *tabs)
        await shop.run()
        supply(sqlite, *(_replace(tab, title="新") for tab in tabs))
        await shop.run()
        ((error, failures, due_at),) = shop.rows(
            "SELECT error, failures, due_at FROM menu_channels"
        )
        assert error.startswith("platform_busy: 429")
        assert (failures, due_at) == (1, NOW + 900 * SECOND)
        assert shop.log.told == [
            ("menus are put off", {"channel": "shop", "reason": "platform_busy"})
        ]
        assert world.channel.menu.aliases.keys() == {tab.alias for tab in tabs}
        await shop.until_clean()
        assert len(shop.names()) == 61
        counts = Counter[str]()
        for fact in shop.recorder.facts:
            assert isinstance(fact, Counted)
            counts[fact.labels[0]] += fact.amount
        assert (counts["created"], counts["deleted"]) == (121, 60)
    assert sum(a.status == 429 for a in world.platform.asked) <= 5


@in_world()
async def test_a_refused_menu_is_told_and_the_others_go_on(world: World, sqlite: Engine) -> None:
    """The platform's reason stands at the menu; what friends see in its place stays."""
    async with a_shop(world, sqlite) as shop:
        supply(sqlite, menu("main"))
        await shop.run()
        shown = world.channel.menu.default
        too_wide = menu("main", areas=(Area(0, 0, 900, 270, TAP),))
        supply(sqlite, too_wide, menu("tab", alias="tab"))
        await shop.run()
        assert world.channel.menu.default == shown
        assert shop.names() == ["gw/main", "gw/tab"]
        rows = shop.rows("SELECT menu, state, error FROM menus_platform ORDER BY menu")
        assert [row[:2] for row in rows] == [("main", "failed"), ("tab", "ready")]
        assert "400" in rows[0][2]
        supply(sqlite, menu("main", title="新"))
        await shop.run()
        assert world.channel.menu.default != shown
        assert shop.names() == ["gw/main", "gw/tab"]


@in_world()
async def test_friends_of_a_segment_are_linked_in_bulk(world: World, sqlite: Engine) -> None:
    """500 at a time; who leaves a segment gets what all see, who blocks us is let go."""
    async with a_shop(world, sqlite) as shop:
        people = await world.crowd(1201)
        shop.befriend(people)
        shop.tag("gold", *range(1, 1202))
        supply(sqlite, GOLD, menu("main"), menu("golden", segment="gold"))
        await shop.run()
        assert len(shop.linked) == 1201
        assert shop.writes().count(f"POST {MENUS}/bulk/link") == 3
        shop.untag("gold", 7)
        with transaction(sqlite) as tx:
            known = tx.line.friend_by_id(EVERYBODY, 8)
            assert known is not None
            tx.line.save(EVERYBODY, _replace(known, unfollowed_at=2))
        world.clock.turn(seconds=300)
        await shop.run()
        assert shop.writes() == [f"POST {MENUS}/bulk/unlink"]
        gone = {people[6].user_id, people[7].user_id}
        assert gone.isdisjoint(shop.linked)
        assert len(shop.linked) == 1199
        assert sqlite.sizes()["menu_links"] == 1199


@in_world()
async def test_the_first_segment_that_fits_wins(world: World, sqlite: Engine) -> None:
    """Priority decides for who is in two segments."""
    async with a_shop(world, sqlite) as shop:
        people = [world.hana, *await world.crowd(2)]
        shop.befriend(people)
        shop.tag("gold", 1, 2)
        shop.tag("silver", 2, 3)
        supply(
            sqlite,
            GOLD,
            SILVER,
            menu("golden", segment="gold", priority=1),
            menu("silvery", "#0000ff", segment="silver"),
        )
        await shop.run()
        assert [shop.linked[person.user_id] for person in people] == ["golden", "golden", "silvery"]


@in_world()
async def test_two_processes_do_not_make_a_menu_twice(world: World, engine: Engine) -> None:
    """Whoever takes a channel has it for a while; another one waits, or follows the dead."""
    async with a_shop(world, engine) as shop, a_shop(world, engine) as twin:
        supply(engine, menu("main"))
        assert sorted(await asyncio.gather(shop.sync.once(), twin.sync.once())) == [0, 1]
        assert shop.names() == ["gw/main"]
        supply(engine, menu("main", title="新"))
        (taken,) = await shop.store.run(claim, Look(world.clock()))  # and then it dies
        assert taken.channel.id == "shop"
        assert await twin.sync.once() == 0
        world.clock.turn(seconds=LEASE_SECONDS)
        assert await twin.sync.once() == 1
        assert len(shop.names()) == 1


@in_world()
async def test_every_action_arrives_as_it_was_written(world: World, sqlite: Engine) -> None:
    """The official package takes nothing away from what a menu does."""
    actions: list[dict[str, Any]] = [
        {"type": "message", "label": "予約", "text": "予約したい"},
        {"type": "uri", "uri": "https://acme.example/?a=%20b", "label": "店"},
        {"type": "uri", "uri": "tel:+81312345678"},
        {
            "type": "postback",
            "data": "x",
            "inputOption": "openKeyboard",
            "fillInText": "お名前:\n",
        },
        {"type": "postback", "data": "y", "displayText": "はい"},
        {"type": "datetimepicker", "data": "when", "mode": "date", "min": "2026-11-30"},
        {"type": "richmenuswitch", "richMenuAliasId": "tab", "data": "to=tab"},
        {"type": "clipboard", "clipboardText": "ACME-10"},
    ]
    areas = tuple(Area(100 * n, 0, 100, 270, action) for n, action in enumerate(actions))
    full = menu("full", areas=areas, selected=False)
    async with a_shop(world, sqlite) as shop:
        supply(sqlite, full, menu("tab", alias="tab"))
        await shop.run()
        assert shop.log.told == []
        assert full.document() in [made.asked for made in world.channel.menu.menus.values()]


@in_world()
async def test_a_channel_that_is_gone_is_forgotten(world: World, sqlite: Engine) -> None:
    """Without its credentials nothing can be asked; the store keeps nothing of it."""
    async with a_shop(world, sqlite) as shop:
        supply(sqlite, menu("main"))
        await shop.run()
        supply(sqlite, removed=[menu("main"), ours(world)])
        await shop.run()
        assert sqlite.sizes()["menu_channels"] == 0
        assert shop.names() == ["gw/main"]
