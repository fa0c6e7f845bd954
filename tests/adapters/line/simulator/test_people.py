"""Profiles, followers, groups, content, small signs, and the webhook's own settings."""

import json

import pytest

from tests.adapters.line.simulator.world import PUBLIC, World, in_world


@in_world()
async def test_a_friends_profile_is_shown_and_nobody_elses(world: World) -> None:
    """Who has blocked, or never followed, is not found."""
    path = f"/v2/bot/profile/{world.hana.user_id}"
    told = await world.get(path)
    assert told.json == {
        "userId": world.hana.user_id,
        "displayName": "花子",
        "language": "ja",
    }
    await world.hana.unfollow()
    taro = world.channel.friend("太郎")
    assert (await world.get(path)).status == 404
    assert (await world.get(f"/v2/bot/profile/{taro.user_id}")).status == 404


@in_world()
async def test_followers_are_listed_in_pages(world: World) -> None:
    """In the order in which they followed, without those who have blocked."""
    taro, jiro = await world.following("太郎", "次郎")
    await taro.unfollow()
    page = (await world.get("/v2/bot/followers/ids?limit=1")).json
    rest = (await world.get(f"/v2/bot/followers/ids?limit=1&start={page['next']}")).json
    assert page["userIds"] + rest["userIds"] == [world.hana.user_id, jiro.user_id]
    assert "next" not in rest
    assert (await world.get("/v2/bot/followers/ids?limit=1001")).status == 400


@in_world()
async def test_the_bot_is_told_who_it_is(world: World) -> None:
    """Its ids, name, picture, and how chats are answered."""
    world.channel.premium_id = "@hanaya"
    told = (await world.get("/v2/bot/info")).json
    assert told["userId"] == world.channel.bot_user_id
    assert told["displayName"] == "花屋"
    assert told["basicId"].startswith("@")
    assert told["premiumId"] == "@hanaya"
    assert (told["chatMode"], told["markAsReadMode"]) == ("bot", "auto")


@pytest.mark.parametrize("room", [False, True])
@in_world()
async def test_a_group_is_known_while_the_bot_is_in_it(world: World, room: bool) -> None:
    """Its name, members and their number; after leaving nothing."""
    kind = "room" if room else "group"
    taro = world.channel.friend("太郎")
    group = world.channel.group("町内会", world.hana, taro, room=room)
    base = f"/v2/bot/{kind}/{group.id}"
    assert (await world.get(f"{base}/members/count")).status == 404
    await group.join()
    assert (await world.get(f"{base}/members/count")).json == {"count": 2}
    members = (await world.get(f"{base}/members/ids")).json["memberIds"]
    assert members == [world.hana.user_id, taro.user_id]
    member = (await world.get(f"{base}/member/{taro.user_id}")).json
    assert member == {"userId": taro.user_id, "displayName": "太郎"}
    assert (await world.get(f"{base}/member/U{'0' * 32}")).status == 404
    if not room:
        named = {"groupId": group.id, "groupName": "町内会"}
        assert (await world.get(f"{base}/summary")).json == named
    assert (await world.post(f"{base}/leave", None)).status == 200
    assert (await world.post(f"{base}/leave", None)).status == 404
    assert not group.joined


# --- content ---


@in_world()
async def test_a_picture_can_be_fetched_until_it_is_taken_back(world: World) -> None:
    """With its bytes and type; 410 once it is gone, 404 for what never was."""
    sent = await world.hana.send_image(b"picture", "image/jpeg")
    path = f"/v2/bot/message/{sent.message_id}/content"
    told = await world.get(path)
    assert (told.status, told.data, told.headers["Content-Type"]) == (200, b"picture", "image/jpeg")
    assert (await world.get(f"{path}/preview")).status == 200
    await world.hana.unsend(sent.message_id)
    assert (await world.get(path)).status == 410
    assert (await world.get("/v2/bot/message/1/content")).status == 404


@in_world()
async def test_a_video_is_prepared_first(world: World) -> None:
    """202 and ``processing`` until then."""
    sent = await world.hana.send_video(b"moving", transcoding=10)
    path = f"/v2/bot/message/{sent.message_id}/content"
    assert (await world.get(path)).status == 202
    assert (await world.get(f"{path}/transcoding")).json == {"status": "processing"}
    world.clock.turn(seconds=10)
    assert (await world.get(f"{path}/transcoding")).json == {"status": "succeeded"}
    assert (await world.get(path)).data == b"moving"
    world.channel.contents[sent.message_id].failed = True
    assert (await world.get(f"{path}/transcoding")).json == {"status": "failed"}


@in_world()
async def test_content_belongs_to_its_channel(world: World) -> None:
    """Another bot cannot fetch it."""
    sent = await world.hana.send_image()
    token = world.platform.channel("魚屋").access_token()
    told = await world.get(f"/v2/bot/message/{sent.message_id}/content", token=token)
    assert told.status == 404


# --- small signs ---


@in_world()
async def test_the_loading_sign_takes_five_to_sixty_seconds(world: World) -> None:
    """In steps of five, in a one-to-one chat."""
    body = {"chatId": world.hana.user_id}
    path = "/v2/bot/chat/loading/start"
    for seconds in (5, 60):
        assert (await world.post(path, body | {"loadingSeconds": seconds})).status == 202
    for wrong in (0, 4, 7, 65, "5"):
        assert (await world.post(path, body | {"loadingSeconds": wrong})).status == 400
    assert (await world.post(path, {"chatId": "C" + "0" * 32})).status == 400
    assert [seconds for _, seconds in world.channel.loading] == [5, 60]


@in_world()
async def test_messages_are_marked_as_read(world: World) -> None:
    """By the user's id, or by the token of the message."""
    said = await world.hana.say("やあ")
    token = said.event["message"]["markAsReadToken"]
    by_user = {"chat": {"userId": world.hana.user_id}}
    assert (await world.post("/v2/bot/message/markAsRead", by_user)).status == 200
    by_token = {"markAsReadToken": token}
    assert (await world.post("/v2/bot/chat/markAsRead", by_token)).status == 200
    assert world.channel.marked_read == [world.hana.user_id, token]
    for path in ("/v2/bot/message/markAsRead", "/v2/bot/chat/markAsRead"):
        assert (await world.post(path, {})).status == 400


# --- the webhook's settings ---


@in_world()
async def test_the_webhook_is_set_shown_and_tested(world: World) -> None:
    """The test posts an empty, signed body to it, and tells what came back."""
    world.platform.reachable[PUBLIC] = world.listener.url.rpartition("/line")[0]
    path = "/v2/bot/channel/webhook/endpoint"
    body = {"endpoint": f"{PUBLIC}/line/shop"}
    assert (await world.ask("PUT", path, body)).status == 200
    assert (await world.get(path)).json == body | {"active": True}
    told = (await world.post("/v2/bot/channel/webhook/test", {})).json
    assert (told["success"], told["statusCode"], told["reason"]) == (True, 200, "OK")
    ((ping, signed),) = world.listener.heard
    assert json.loads(ping) == {"destination": world.channel.bot_user_id, "events": []}
    assert signed


@in_world()
async def test_a_webhook_that_fails_its_test_is_told_why(world: World) -> None:
    """A wrong status, and nobody there."""
    world.platform.reachable[PUBLIC] = world.listener.url.rpartition("/line")[0]
    path = "/v2/bot/channel/webhook/test"
    world.listener.answers = [503]
    told = (await world.post(path, {"endpoint": f"{PUBLIC}/line/shop"})).json
    assert (told["success"], told["statusCode"]) == (False, 503)
    assert told["reason"] == "ERROR_STATUS_CODE"
    told = (await world.post(path, {"endpoint": "https://example.com/"})).json
    assert (told["success"], told["reason"]) == (False, "COULD_NOT_CONNECT")


@pytest.mark.parametrize(
    "url", ["", "http://gw.example.jp/line", "https://", "https://[", "x" * 501, None, 1]
)
@in_world()
async def test_a_webhook_must_be_public_and_encrypted(world: World, url: object) -> None:
    """HTTPS, and at most 500 characters."""
    path = "/v2/bot/channel/webhook/endpoint"
    assert (await world.ask("PUT", path, {"endpoint": url})).status == 400
    assert world.channel.webhook_url == world.listener.url
