"""Rich menus over the API: what is provisioned, how it is on the platform, and the wish to look."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.domain.values import EVERYBODY, SECOND
from gateway.main.menus import part
from gateway.ports.menus import Placed, Tended
from tests.adapters.http.api.world import World
from tests.support.line import SHOP
from tests.support.menus import menu, supply, transaction
from tests.support.stores import eventually

START = 1_793_685_600 * SECOND
"""2026-11-03T15:00:00+09:00."""

_replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API with the calls of menus, and some menus of two advertisers."""
    made = World(sqlite_template, tmp_path_factory.mktemp("api"), lambda deps: part(deps).endpoints)
    made.open()
    theirs = _replace(SHOP, id="theirs", advertiser="other", channel_id="2")
    supply(
        made.engine,
        SHOP,
        theirs,
        menu("a", channel=SHOP.id),
        menu("b", channel=SHOP.id, alias="tab", begins=START, until=made.now + SECOND),
        menu("c", channel=SHOP.id, segment="gold", priority=3),
        menu("d", channel="theirs", advertiser="other"),
    )
    with transaction(made.engine) as tx:
        ready = Placed("a", "acme", SHOP.id, "id-a", menu("a").version, "ready", "", START)
        tx.menus.place(EVERYBODY, ready)
        failed = _replace(ready, menu="b", platform_id="", state="failed", error="400: no")
        tx.menus.place(EVERYBODY, _replace(failed, version=menu("b", alias="tab").version))
        tx.menus.place(EVERYBODY, _replace(ready, menu="c", version="before"))
        tx.menus.tended(EVERYBODY)
        tx.menus.tend(
            EVERYBODY,
            Tended(SHOP.id, "acme", "x", START + 60 * SECOND, 0, START, 2, "platform_busy: 429"),
        )
    _wait(made)
    yield made
    made.close()


def _wait(world: World) -> None:
    """Until the API knows what was provisioned."""

    async def wait() -> None:
        await eventually(lambda: len(world.store.cache.held["rich_menu"]) == 4)

    world._await(wait())


def listed(world: World, query: str = "", **token: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.get(f"/menus{query}", **token).json["items"]
    return found


def test_a_menu_is_shown_with_its_state(world: World) -> None:
    """What was written, when it is shown, and how it is on the platform."""
    ready, failed, waiting = listed(world, f"?channel={SHOP.id}")
    assert ready == {
        "id": "a",
        "advertiser": "acme",
        "channel": SHOP.id,
        "title": "メニュー",
        "width": 800,
        "height": 270,
        "areas": 1,
        "default": True,
        "segment": None,
        "alias": None,
        "priority": 0,
        "from": None,
        "until": None,
        "is_on": True,
        "state": "ready",
        "rich_menu_id": "id-a",
        "error": None,
        "changed_at": "2026-11-03T15:00:00+09:00",
        "sync": {
            "synced_at": "2026-11-03T15:00:00+09:00",
            "next_at": "2026-11-03T15:01:00+09:00",
            "failures": 2,
            "error": "platform_busy: 429",
        },
    }
    assert (failed["state"], failed["error"], failed["alias"]) == ("failed", "400: no", "tab")
    assert failed["from"] == "2026-11-03T15:00:00+09:00"
    # What the platform has is the menu as it was before.
    assert (waiting["state"], waiting["rich_menu_id"], waiting["segment"]) == (
        "waiting",
        None,
        "gold",
    )


def test_menus_come_in_pages_of_whom_they_belong_to(world: World) -> None:
    """By id; another advertiser's are not there."""
    assert [each["id"] for each in listed(world)] == ["a", "b", "c", "d"]
    assert [each["id"] for each in listed(world, "?advertiser=other")] == ["d"]
    viewer = world.token("viewer", "acme")
    first = world.get("/menus?limit=2", token=viewer).json
    assert [each["id"] for each in first["items"]] == ["a", "b"]
    last = world.get(f"/menus?limit=2&cursor={first['next']}", token=viewer).json
    assert ([each["id"] for each in last["items"]], last["next"]) == (["c"], None)


def test_a_manager_may_have_a_look_taken_now(world: World) -> None:
    """The channel is due at once; another's is not known, and a viewer may not ask."""
    manager = world.token("manager", "acme")
    wish = {"channel": SHOP.id}
    assert world.ask("POST", "/menus/sync", token=manager, body=wish).status == 204
    assert world.engine.rows("SELECT due_at FROM menu_channels") == [(world.now,)]
    refused = world.ask("POST", "/menus/sync", token=manager, body={"channel": "theirs"})
    assert (refused.status, refused.reason) == (404, "not_found")
    viewer = world.token("viewer", "acme")
    assert world.ask("POST", "/menus/sync", token=viewer, body=wish).status == 403
