"""Tags, segments, pushes and links in the API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.values import Seed, moment
from gateway.main.audience import part
from gateway.usecases.push_sending import IDS_A_STEP, Advance, advance
from tests.adapters.http.api.friends import given_friend, given_push, given_shop
from tests.adapters.http.api.world import World
from tests.support.audience import HOUR, SHOP

TEXT = {"type": "text", "text": "セール"}


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API."""
    folder = tmp_path_factory.mktemp("audience")
    made = World(sqlite_template, folder, lambda deps: part(deps).endpoints)
    made.open()
    yield made
    made.close()


def push(world: World, token: str | None = None, **body: Any) -> Any:
    """The answer to a push."""
    given = {"channel": SHOP.id, "messages": [TEXT]} | body
    return world.ask("POST", "/pushes", token=token or world.token("manager", "acme"), body=given)


def advanced(world: World, times: int) -> None:
    """Pushes go on so many steps."""
    for _ in range(times):
        seed = Seed(world.id(), IDS_A_STEP, b"a secret of tests")
        world.run(advance, Advance(world.now, seed))


def test_a_friend_is_tagged_and_counted(world: World) -> None:
    """Twice is as once; the audit tells who did it."""
    friend, token = given_friend(world), world.token("staff", "acme")
    for _ in range(2):
        assert world.ask("PUT", f"/friends/{friend}/tags/lunch", token=token).status == 204
    (tag,) = world.get(f"/friends/{friend}/tags").json["items"]
    assert (tag["tag"], tag["source"].startswith("token:")) == ("lunch", True)
    counts = world.get(f"/channels/{SHOP.id}/tags").json["items"]
    assert {"tag": "lunch", "friends": 1} in counts
    assert world.ask("DELETE", f"/friends/{friend}/tags/lunch", token=token).status == 204
    assert world.get(f"/friends/{friend}/tags").json["items"] == []
    rows = world.engine.rows(f"SELECT action FROM audit WHERE subject = '{friend}' ORDER BY id")
    assert [row[0] for row in rows] == ["friend.tagged", "friend.tagged", "friend.untagged"]
    assert world.ask("PUT", f"/friends/{friend}/tags/Two", token=token).status == 404


def test_a_friend_stops_pushes_and_starts_them(world: World) -> None:
    """What is shown is what was done."""
    friend, token = given_friend(world), world.token("staff", "acme")
    assert world.get(f"/friends/{friend}/pushes").json["stopped_at"] is None
    assert world.ask("PUT", f"/friends/{friend}/stop", token=token).status == 204
    assert world.get(f"/friends/{friend}/pushes").json["stopped_at"] is not None
    assert world.ask("DELETE", f"/friends/{friend}/stop", token=token).status == 204
    assert world.get(f"/friends/{friend}/pushes").json["stopped_at"] is None
    assert world.get("/friends/123/pushes").status == 404


def test_a_segment_is_listed_and_counted(world: World) -> None:
    """With its filter as a tree, and what a push to it would take of the quota."""
    given_friend(world, "vip")
    found = {item["id"]: item for item in world.get("/segments").json["items"]}
    assert found["vips"]["filter"] == {"type": "tag", "name": "vip"}
    size = world.get("/segments/vips/size").json
    assert size["recipients"] == size["spends"] >= 1
    assert (size["quota_left"], size["fits"]) == (990, True)
    preview = world.get(f"/channels/{SHOP.id}/push-preview").json
    assert preview["recipients"] >= size["recipients"]
    assert world.get(f"/channels/{SHOP.id}/push-preview?segment=none").status == 422
    assert world.get("/segments/none/size").status == 404


def test_a_push_is_set_up_once_followed_and_cancelled(world: World) -> None:
    """The same key gives the same push; its figures add up."""
    friends = [given_friend(world, "vip") for _ in range(2)]
    key, token = {"Idempotency-Key": "k-1"}, world.token("manager", "acme")
    body = {"channel": SHOP.id, "friends": friends, "messages": [TEXT], "silent": True}
    made = world.ask("POST", "/pushes", token=token, body=body, headers=key)
    again = world.ask("POST", "/pushes", token=token, body=body, headers=key)
    assert (made.status, again.json) == (201, made.json)
    id_ = made.json["id"]
    assert (made.json["state"], made.json["recipients"]) == ("scheduled", None)
    advanced(world, 4)
    shown = world.get(f"/pushes/{id_}").json
    assert shown["messages"] == [TEXT]
    assert (shown["clicks"], shown["clicked_by"]) == (0, 0)
    assert (shown["push"]["state"], shown["push"]["recipients"]) == ("sending", 2)
    assert shown["push"]["waiting"] == 2
    cancelled = world.ask("POST", f"/pushes/{id_}/cancel", token=token).json
    assert (cancelled["state"], cancelled["taken_back"], cancelled["waiting"]) == (
        "cancelled",
        2,
        0,
    )
    listed = world.get(f"/pushes?channel={SHOP.id}&limit=500").json["items"]
    assert id_ in [item["id"] for item in listed]


def test_a_push_for_later_says_when(world: World) -> None:
    """Pages of pushes go by id."""
    first, second = given_push(world), given_push(world)
    page = world.get("/pushes?limit=1").json
    assert page["next"]
    ids = [first, second]
    later = world.get(f"/pushes/{second}").json["push"]
    assert (later["state"], later["recipients"], later["waiting"]) == ("scheduled", None, 0)
    everything = world.get("/pushes?limit=500").json["items"]
    assert [item["id"] for item in everything if item["id"] in ids] == ids


@pytest.mark.parametrize(
    ("wrong", "status", "reason"),
    [
        ({}, 422, "not_in_one"),
        ({"everyone": True, "segment": "vips"}, 422, "not_in_one"),
        ({"segment": "none"}, 422, "unknown_reference"),
        ({"friends": ["1"]}, 422, "unknown_reference"),
        ({"friends": []}, 400, "invalid_field"),
        ({"everyone": True, "messages": []}, 400, "invalid_field"),
        ({"everyone": True, "messages": [{"type": "text", "txt": "x"}]}, 422, "message_invalid"),
        ({"everyone": True, "channel": "none"}, 404, "not_found"),
        ({"everyone": True, "unit": "two words"}, 400, "invalid_field"),
        ({"everyone": True, "at": "2026-11-21"}, 400, "invalid_field"),
        ({"everyone": True, "at": "2001-01-01T00:00:00Z"}, 400, "invalid_field"),
        ({"demographic": {"type": "age"}}, 400, "invalid_field"),
        ({"demographic": {"type": "operator", "and": []}}, 400, "invalid_field"),
        ({"demographic": {"type": "operator"}}, 400, "invalid_field"),
        ({"demographic": {"type": "gender", "oneOf": ["x"]}}, 400, "invalid_field"),
        ({"demographic": {"type": "star", "oneOf": ["lion"]}}, 400, "invalid_field"),
    ],
)
def test_a_wrong_push_is_refused_by_name(
    world: World, wrong: dict[str, Any], status: int, reason: str
) -> None:
    """Nothing is kept, and the detail holds no value of the request."""
    given_shop(world)
    answer = push(world, **wrong)
    assert (answer.status, answer.reason) == (status, reason)


def test_messages_nested_too_deep_are_refused(world: World) -> None:
    """Not with an error of ours."""
    given_shop(world)
    deep: Any = {"type": "text", "text": "x"}
    for _ in range(200):
        deep = {"type": "flex", "contents": [deep]}
    answer = push(world, everyone=True, messages=[deep])
    assert (answer.status, answer.reason) == (422, "message_invalid")


def test_a_narrowcast_takes_the_platform_s_filter(world: World) -> None:
    """As it is written, operators within operators included; too many conditions are refused."""
    world.engine.rows("DELETE FROM push_stops RETURNING friend")
    given_shop(world)
    women = {"type": "gender", "oneOf": ["female"]}
    old = {"type": "age", "gte": "age_50"}
    chosen = {"type": "operator", "and": [women, {"type": "operator", "not": old}]}
    made = push(world, demographic=chosen, at=moment(world.now + HOUR).isoformat())
    assert (made.status, made.json["whom"]) == (201, "demographic")
    ((kept,),) = world.engine.rows(f"SELECT audience FROM pushes WHERE id = {made.json['id']}")
    assert '"filter":{"type":"operator","and":[{"type":"gender","oneOf":["female"]}' in kept
    many = {"type": "operator", "or": [women] * 11}
    assert push(world, demographic=many).reason == "invalid_field"


def test_a_push_takes_a_manager(world: World) -> None:
    """Staff answer people, but push nothing."""
    given_shop(world)
    answer = push(world, world.token("staff", "acme"), everyone=True)
    assert (answer.status, answer.reason) == (403, "role_not_allowed")


def test_links_show_their_addresses_and_days(world: World) -> None:
    """Until its code is made a link has none; too long a span is refused."""
    given_shop(world)
    found = {item["id"]: item for item in world.get("/links").json["items"]}
    assert found["menu"]["short_url"] is None
    assert found["flyer"]["kind"] == "entry"
    assert world.get("/links/menu/days").json == {"items": [], "next": None}
    long = "since=2024-01-01T00:00:00Z&until=2026-01-01T00:00:00Z"
    assert world.get(f"/links/menu/days?{long}").reason == "invalid_parameter"
    assert world.get("/links/none/days").status == 404
