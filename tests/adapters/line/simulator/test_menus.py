"""Rich menus: their rules, their pictures, and who sees which."""

import io
from typing import Any

import pytest

from adapters.line.simulator import Friend
from tests.adapters.line.simulator.given import MENU, TAP, picture
from tests.adapters.line.simulator.world import World, in_world


async def upload(world: World, menu_id: str, data: bytes, content_type: str = "image/png") -> int:
    path = f"/v2/bot/richmenu/{menu_id}/content"
    headers = {"Content-Type": content_type}
    return (await world.ask("POST", path, data=io.BytesIO(data), headers=headers)).status


async def made(world: World, *, painted: bool = True, **fields: Any) -> str:
    told = await world.post("/v2/bot/richmenu", MENU | fields)
    menu_id = str(told.json["richMenuId"])
    if painted:
        assert await upload(world, menu_id, picture()) == 200
    return menu_id


def seen(friend: Friend) -> str | None:
    """The id of the menu on a friend's screen."""
    return str(friend.menu["richMenuId"]) if friend.menu else None


def area(**bounds: int) -> list[dict[str, Any]]:
    whole = {"x": 0, "y": 0, "width": 800, "height": 270}
    return [{"bounds": whole | bounds, "action": TAP}]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"size": {"width": 799, "height": 270}}, "size.width"),
        ({"size": {"width": 800, "height": 249}}, "size.height"),
        ({"size": {"width": 800, "height": 552}}, "size"),
        ({"size": None}, "size"),
        ({"selected": "yes"}, "selected"),
        ({"name": ""}, "name"),
        ({"name": "あ" * 301}, "name"),
        ({"chatBarText": "あ" * 15}, "chatBarText"),
        ({"areas": area() * 21}, "areas"),
        ({"areas": area(x=1)}, "areas[0].bounds"),
        ({"areas": area(width=0)}, "areas[0].bounds.width"),
        ({"areas": [{"bounds": area()[0]["bounds"]}]}, "areas[0].action"),
    ],
)
@in_world()
async def test_a_menu_against_the_rules_is_refused(
    world: World, fields: dict[str, Any], place: str
) -> None:
    """When it is made, and when it is only validated."""
    for path in ("/v2/bot/richmenu", "/v2/bot/richmenu/validate"):
        told = await world.post(path, MENU | fields)
        assert (told.status, next(iter(told.faults))) == (400, place)
    assert (await world.get("/v2/bot/richmenu/list")).json == {"richmenus": []}


@in_world()
async def test_a_menu_is_made_shown_and_deleted(world: World) -> None:
    """It comes back as it was asked for."""
    assert (await world.post("/v2/bot/richmenu/validate", MENU)).status == 200
    menu_id = await made(world, painted=False)
    shown = {"richMenuId": menu_id} | MENU
    assert (await world.get(f"/v2/bot/richmenu/{menu_id}")).json == shown
    assert (await world.get("/v2/bot/richmenu/list")).json == {"richmenus": [shown]}
    assert (await world.ask("DELETE", f"/v2/bot/richmenu/{menu_id}")).status == 200
    assert (await world.get(f"/v2/bot/richmenu/{menu_id}")).status == 404
    assert (await world.ask("DELETE", f"/v2/bot/richmenu/{menu_id}")).status == 404


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (picture(), "image/png", 200),
        (picture(kind="JPEG"), "image/jpeg", 200),
        (picture(800, 271), "image/png", 400),
        (b"no picture", "image/png", 400),
        (picture(), "image/gif", 415),
        (picture() + b"0" * 1024 * 1024, "image/png", 413),
    ],
)
@in_world()
async def test_a_picture_must_fit_its_menu(
    world: World, data: bytes, content_type: str, status: int
) -> None:
    """JPEG or PNG, of the menu's size, of at most 1 MB."""
    menu_id = await made(world, painted=False)
    path = f"/v2/bot/richmenu/{menu_id}/content"
    assert await upload(world, menu_id, data, content_type) == status
    told = await world.get(path)
    assert told.status == (200 if status == 200 else 404)
    if status == 200:
        assert (told.data, told.headers["Content-Type"]) == (data, content_type)


@in_world()
async def test_a_menu_is_painted_once(world: World) -> None:
    """Another picture needs another menu."""
    assert await upload(world, await made(world), picture()) == 400


@in_world()
async def test_a_friend_sees_their_own_menu_before_the_default(world: World) -> None:
    """And the default again once theirs is taken away."""
    everybodys, hers = await made(world), await made(world)
    user = f"/v2/bot/user/{world.hana.user_id}/richmenu"
    assert seen(world.hana) is None
    assert (await world.get("/v2/bot/user/all/richmenu")).json == {"message": "no default richmenu"}
    await world.post(f"/v2/bot/user/all/richmenu/{everybodys}", None)
    assert (await world.get("/v2/bot/user/all/richmenu")).json == {"richMenuId": everybodys}
    assert (await world.get(user)).json == {"message": "the user has no richmenu"}
    await world.post(f"{user}/{hers}", None)
    assert (await world.get(user)).json == {"richMenuId": hers}
    assert seen(world.hana) == hers
    await world.ask("DELETE", user)
    assert seen(world.hana) == everybodys
    await world.ask("DELETE", "/v2/bot/user/all/richmenu")
    assert seen(world.hana) is None


@in_world()
async def test_an_unpainted_menu_is_shown_to_nobody(world: World) -> None:
    """Neither as default nor to one user, nor under an alias."""
    blank = await made(world, painted=False)
    hers = f"/v2/bot/user/{world.hana.user_id}/richmenu"
    alias = {"richMenuAliasId": "a", "richMenuId": blank}
    asked = [
        (f"/v2/bot/user/all/richmenu/{blank}", None),
        (f"{hers}/{blank}", None),
        ("/v2/bot/richmenu/alias", alias),
        ("/v2/bot/richmenu/bulk/link", {"richMenuId": blank, "userIds": [world.hana.user_id]}),
    ]
    for path, body in asked:
        told = await world.post(path, body)
        assert (told.status, "must upload" in told.json["message"]) == (400, True)


@in_world()
async def test_menus_are_linked_and_unlinked_in_bulk(world: World) -> None:
    """Up to 500 users, and 202."""
    (taro,) = await world.following("太郎")
    menu_id = await made(world)
    users = {"userIds": [world.hana.user_id, taro.user_id]}
    linked = await world.post("/v2/bot/richmenu/bulk/link", users | {"richMenuId": menu_id})
    assert linked.status == 202
    assert seen(taro) == menu_id
    assert (await world.post("/v2/bot/richmenu/bulk/unlink", users)).status == 202
    assert seen(taro) is None
    for wrong in ([], [taro.user_id] * 501, ["x"]):
        told = await world.post("/v2/bot/richmenu/bulk/unlink", {"userIds": wrong})
        assert told.status == 400


@in_world()
async def test_an_alias_switches_menus_as_tabs_do(world: World) -> None:
    """Made, changed, listed, deleted; a friend who taps the tab sees the other menu."""
    first, second = await made(world), await made(world)
    path = "/v2/bot/richmenu/alias"
    body = {"richMenuAliasId": "tab-b", "richMenuId": first}
    assert (await world.post(path, body)).status == 200
    assert (await world.post(path, body)).json == {"message": "conflict richmenu alias id"}
    assert (await world.post(path, body | {"richMenuAliasId": "Tab"})).status == 400
    assert (
        await world.post(path, body | {"richMenuId": "x", "richMenuAliasId": "c"})
    ).status == 400
    assert (await world.post(f"{path}/tab-b", {"richMenuId": second})).status == 200
    named = {"richMenuAliasId": "tab-b", "richMenuId": second}
    assert (await world.get(f"{path}/tab-b")).json == named
    assert (await world.get(f"{path}/list")).json == {"aliases": [named]}
    tap = {"type": "richmenuswitch", "richMenuAliasId": "tab-b", "data": "b"}
    tapped = world.hana.tap(tap)
    assert tapped is not None
    await tapped
    assert seen(world.hana) == second
    params = {"newRichMenuAliasId": "tab-b", "status": "SUCCESS"}
    assert world.listener.events[-1]["postback"] == {"data": "b", "params": params}
    assert (await world.ask("DELETE", f"{path}/tab-b")).status == 200
    assert (await world.get(f"{path}/tab-b")).status == 404


@in_world()
async def test_a_deleted_menu_vanishes_from_every_screen(world: World) -> None:
    """As default and as a friend's own."""
    menu_id = await made(world)
    await world.post(f"/v2/bot/user/all/richmenu/{menu_id}", None)
    await world.post(f"/v2/bot/user/{world.hana.user_id}/richmenu/{menu_id}", None)
    await world.ask("DELETE", f"/v2/bot/richmenu/{menu_id}")
    assert seen(world.hana) is None
    assert (await world.get("/v2/bot/user/all/richmenu")).status == 404


@in_world()
async def test_a_batch_replaces_menus_for_all_who_have_them(world: World) -> None:
    """Link, unlink, unlinkAll; three an hour; its progress is asked by request id."""
    (taro,) = await world.following("太郎")
    old, new, third = await made(world), await made(world), await made(world)
    await world.post(f"/v2/bot/user/{world.hana.user_id}/richmenu/{old}", None)
    await world.post(f"/v2/bot/user/{taro.user_id}/richmenu/{third}", None)
    operations = [
        {"type": "link", "from": old, "to": new},
        {"type": "unlink", "from": third},
    ]
    body = {"operations": operations, "resumeRequestKey": "k-1"}
    assert (await world.post("/v2/bot/richmenu/validate/batch", body)).status == 200
    told = await world.post("/v2/bot/richmenu/batch", body)
    assert told.status == 202
    assert seen(world.hana) == new
    assert seen(taro) is None
    asked = f"/v2/bot/richmenu/progress/batch?requestId={told.request_id}"
    assert (await world.get(asked)).json["phase"] == "succeeded"
    everything = {"operations": [{"type": "unlinkAll"}]}
    assert (await world.post("/v2/bot/richmenu/batch", everything)).status == 202
    assert seen(world.hana) is None
    both = {"operations": [{"type": "unlinkAll"}, *operations]}
    assert (await world.post("/v2/bot/richmenu/batch", both)).status == 400
    assert (await world.post("/v2/bot/richmenu/batch", everything)).status == 429


@in_world()
async def test_a_hundred_menus_an_hour_can_be_made(world: World) -> None:
    """One more is over the rate."""
    for _ in range(100):
        await made(world, painted=False)
    assert (await world.post("/v2/bot/richmenu", MENU)).status == 429
