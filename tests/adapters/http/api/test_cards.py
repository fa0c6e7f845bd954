"""Shop cards over the API: codes for the counter, holders, points by hand."""

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from gateway.domain.cards import read
from gateway.main.cards import part
from gateway.usecases.card_codes import signing_key
from tests.adapters.http.api.holders import given_card, given_holder
from tests.adapters.http.api.world import World
from tests.support.cards import CAFE


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API with the calls of shop cards."""
    folder = tmp_path_factory.mktemp("api")
    made = World(sqlite_template, folder, lambda deps: part(deps).endpoints)
    made.open()
    yield made
    made.close()


def picture(address: str) -> ET.Element:
    """The image in a ``data:`` address."""
    kind, _, content = address.partition(",")
    svg = b64decode(content) if kind.endswith("base64") else unquote(content).encode()
    return ET.fromstring(svg)  # noqa: S314 - our own


def points(world: World, path: str, role: Any = "staff", **body: Any) -> Any:
    answer = world.ask("POST", path, token=world.token(role, "acme"), body=body or {})
    return answer.status, json.loads(answer.body)


def test_a_code_for_the_screen_is_made_by_staff(world: World) -> None:
    """A token, where it leads, its picture and its end; each time another one."""
    given_card(world)
    token = world.token("staff", "acme")
    body = {"counter": "till-1", "points": 2, "seconds": 30}
    made = [world.ask("POST", "/cards/acme-card/codes", token=token, body=body) for _ in range(2)]
    assert [answer.status for answer in made] == [201, 201]
    first, second = (answer.json for answer in made)
    code = read(first["token"], world.run(signing_key, b""))
    assert (code.counter, code.points, code.expires_at) == ("till-1", 2, world.now + 30 * 10**6)
    assert first["url"] == f"https://liff.line.me/{CAFE.liff_id}/p/{first['token']}"
    assert first["token"] != second["token"]
    assert (first["title"], first["shop"]) == ("Acme カード", CAFE.shop)
    assert picture(first["svg"]).tag.endswith("svg")


def test_a_repeated_write_gets_the_same_code(world: World) -> None:
    """By its Idempotency-Key, picture and all."""
    given_card(world)
    token, path = world.token("staff", "acme"), "/cards/acme-card/codes"
    headers = {"Idempotency-Key": "k"}
    first = world.ask("POST", path, token=token, body={}, headers=headers)
    again = world.ask("POST", path, token=token, body={}, headers=headers)
    assert first.body == again.body


@pytest.mark.parametrize(
    "body",
    [{"points": 0}, {"points": 11}, {"seconds": 5}, {"seconds": 301}, {"counter": "a b"}],
)
def test_codes_have_bounds(world: World, body: dict[str, Any]) -> None:
    """A code that lives for hours or fills cards is none of the screen."""
    given_card(world)
    status, told = points(world, "/cards/acme-card/codes", **body)
    assert (status, told["reason"]) == (400, "invalid_field")


def test_the_printed_code_is_for_managers(world: World) -> None:
    """It does not end, and is the same each time."""
    given_card(world)
    token = world.token("manager", "acme")
    first, again = (world.get("/cards/acme-card/printed", token=token).json for _ in range(2))
    assert first == again
    assert first["expires_at"] is None
    given_card(world, printed=False)
    assert world.get("/cards/acme-card/printed", token=token).reason == "not_found"


def test_a_card_is_listed_with_its_figures(world: World) -> None:
    """And its holders with their latest card; a viewer sees no names."""
    holder = given_holder(world)
    (listed,) = world.get("/cards").json["items"]
    assert (listed["id"], listed["channel"], listed["points"]) == ("acme-card", CAFE.id, 10)
    assert listed["owed"] == 0
    holders = world.get("/cards/acme-card/holders").json["items"]
    assert len(holders) == listed["holders"]
    mine = next(each for each in holders if each["friend"] == holder.friend)
    assert (mine["name"], mine["points"], mine["state"]) == ("花子", 1, "active")
    seen = world.get("/cards/acme-card/holders", token=world.token("viewer", "acme")).json
    assert {each["name"] for each in seen["items"]} == {None}
    (card,) = world.get(f"/friends/{holder.friend}/cards").json["items"]
    assert (card["id"], card["expires_at"]) == (mine["id"], None)


def test_holders_come_in_pages(world: World) -> None:
    """No holder twice, and none left out."""
    for _ in range(3):
        given_holder(world)
    every = [each["friend"] for each in world.get("/cards/acme-card/holders").json["items"]]
    paged, path = list[str](), "/cards/acme-card/holders?limit=2"
    cursor = ""
    while True:
        page = world.get(path + cursor).json
        paged += [each["friend"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert paged == every


def test_points_by_hand_stand_in_the_ledger_until_they_are_taken_back(world: World) -> None:
    """Staff give, managers take back, once; the friend's ledger tells of both."""
    holder = given_holder(world)
    path = f"/cards/acme-card/holders/{holder.friend}/points"
    status, told = points(world, path, points=3, reason="a paper card")
    assert (status, told["points"], told["size"], told["prizes"]) == (200, 4, 10, [])
    entries = world.get(path).json["items"]
    assert [(each["how"], each["points"]) for each in entries] == [("qr", 1), ("manual", 3)]
    undo = f"{path}/{entries[1]['id']}/undo"
    assert points(world, undo, "staff")[1]["reason"] == "role_not_allowed"
    assert points(world, undo, "manager")[1]["points"] == 1
    assert points(world, undo, "manager")[1]["reason"] == "already_undone"
    assert [each["points"] for each in world.get(path).json["items"]] == [1, 3, -3]


def test_what_nobody_holds_is_not_found(world: World) -> None:
    """Unknown cards, friends and lines of the ledger."""
    holder = given_holder(world)
    for path in (
        "/cards/none/holders",
        "/friends/1/cards",
        "/friends/x/cards",
        "/cards/acme-card/holders/1/points",
        "/cards/none/printed",
    ):
        assert world.get(path).reason == "not_found", path
    for path in (
        "/cards/none/codes",
        "/cards/acme-card/holders/1/points/1/undo",
        f"/cards/acme-card/holders/{holder.friend}/points/1/undo",
    ):
        assert points(world, path, "manager")[1]["reason"] == "not_found", path
