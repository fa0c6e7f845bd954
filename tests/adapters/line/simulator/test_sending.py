"""Reply, push, multicast, broadcast: who gets what, what it costs, what a retry means."""

import pytest

from tests.adapters.line.simulator.world import HELLO, KEY, World, in_world

PUSH = "/v2/bot/message/push"
REPLY = "/v2/bot/message/reply"
MULTICAST = "/v2/bot/message/multicast"
BROADCAST = "/v2/bot/message/broadcast"


# --- replies ---


@in_world()
async def test_a_reply_reaches_the_friend_once_and_costs_nothing(world: World) -> None:
    """The token is used up by the first reply; the quota stays."""
    said = await world.hana.say("やあ")
    first = await world.reply(said)
    second = await world.reply(said)
    assert first.status == 200
    assert [sent["id"] for sent in first.json["sentMessages"]] == [world.hana.inbox[0].message_id]
    assert first.json["sentMessages"][0]["quoteToken"]
    assert (second.status, second.json) == (400, {"message": "Invalid reply token"})
    assert [(got.kind, got.message) for got in world.hana.inbox] == [("reply", HELLO)]
    assert world.channel.used(world.clock.now) == 0


@in_world()
async def test_a_reply_token_lives_for_one_minute(world: World) -> None:
    """After 59 s it works, after 60 s it does not."""
    early, late = await world.hana.say("1"), await world.hana.say("2")
    world.clock.turn(seconds=59)
    assert (await world.reply(early)).status == 200
    world.clock.turn(seconds=1)
    assert (await world.reply(late)).status == 400


@in_world()
async def test_a_refused_reply_leaves_its_token_usable(world: World) -> None:
    """Messages are checked before the token is used up."""
    said = await world.hana.say("やあ")
    assert (await world.reply(said, {"type": "text", "text": ""})).status == 400
    assert (await world.reply(said)).status == 200


@in_world()
async def test_a_reply_token_belongs_to_its_channel(world: World) -> None:
    """Another channel's token is no token."""
    other = world.platform.channel("魚屋")
    said = await world.hana.say("やあ")
    assert (await world.reply(said, token=other.access_token())).status == 400


@in_world()
async def test_a_reply_to_somebody_who_has_blocked_arrives_nowhere(world: World) -> None:
    """It is accepted, as the platform does not tell of blocks."""
    said = await world.hana.say("やあ")
    await world.hana.unfollow()
    assert (await world.reply(said)).status == 200
    assert world.hana.inbox == []


# --- pushes ---


@in_world()
async def test_a_push_arrives_in_order_and_counts_one_each(world: World) -> None:
    """Five messages of one request are one message of the quota."""
    texts = [{"type": "text", "text": str(number)} for number in range(5)]
    told = await world.push(*texts)
    assert [got.message for got in world.hana.inbox] == texts
    assert [sent["id"] for sent in told.json["sentMessages"]] == [
        got.message_id for got in world.hana.inbox
    ]
    assert {got.request_id for got in world.hana.inbox} == {told.request_id}
    assert world.channel.used(world.clock.now) == 1


@in_world()
async def test_a_push_to_somebody_who_has_blocked_is_accepted_and_lost(world: World) -> None:
    """200, nothing delivered, nothing charged."""
    await world.hana.unfollow()
    assert (await world.push()).status == 200
    assert world.hana.inbox == []
    assert world.channel.used(world.clock.now) == 0


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("U" + "0" * 32, "Failed to send messages"),
        ("nobody", "The property, 'to', in the request body is invalid (line: -, column: -)"),
        (17, "The property, 'to', in the request body is invalid (line: -, column: -)"),
    ],
)
@in_world()
async def test_a_push_to_nobody_is_refused(world: World, to: object, message: str) -> None:
    """An id that is nobody's, and what is no id."""
    told = await world.post(PUSH, {"to": to, "messages": [HELLO]})
    assert (told.status, told.json) == (400, {"message": message})


@in_world()
async def test_user_ids_differ_between_providers(world: World) -> None:
    """The same person has the same id for one provider's channels, another for another's."""
    same = world.platform.channel("支店").friend("花子")
    other = world.platform.channel("よその店", provider="other").friend("花子")
    assert same.user_id == world.hana.user_id
    assert other.user_id != world.hana.user_id
    told = await world.post(PUSH, {"to": other.user_id, "messages": [HELLO]})
    assert told.json == {"message": "Failed to send messages"}


# --- many ---


@in_world()
async def test_multicast_reaches_friends_only_and_counts_each(world: World) -> None:
    """Whoever has blocked, is unknown or is named twice makes no difference."""
    taro, jiro = await world.following("太郎", "次郎")
    await jiro.unfollow()
    to = [world.hana.user_id, taro.user_id, taro.user_id, jiro.user_id, "U" + "0" * 32]
    told = await world.post(MULTICAST, {"to": to, "messages": [HELLO]})
    assert (told.status, told.json) == (200, {})
    assert [len(friend.inbox) for friend in (world.hana, taro, jiro)] == [1, 1, 0]
    assert world.channel.used(world.clock.now) == 2
    assert world.platform.accepted[-1].delivered == 2


@pytest.mark.parametrize("to", [[], ["U" + "0" * 32] * 501, ["x"], "U" + "0" * 32, None])
@in_world()
async def test_multicast_takes_one_to_five_hundred_user_ids(world: World, to: object) -> None:
    """Anything else is a 400 that names the place."""
    told = await world.post(MULTICAST, {"to": to, "messages": [HELLO]})
    assert told.status == 400
    assert next(iter(told.faults)).startswith("to")


@in_world()
async def test_broadcast_reaches_all_who_follow_now(world: World) -> None:
    """Nobody else, and each counts."""
    taro, jiro = await world.following("太郎", "次郎")
    await taro.unfollow()
    assert (await world.post(BROADCAST, {"messages": [HELLO]})).json == {}
    assert [len(friend.inbox) for friend in (world.hana, taro, jiro)] == [1, 0, 1]
    assert world.hana.inbox[0].kind == "broadcast"
    assert world.channel.used(world.clock.now) == 2


@in_world()
async def test_a_message_to_a_group_counts_its_members(world: World) -> None:
    """A reply in the group arrives there, a push costs one for each member."""
    group = world.channel.group("町内会", world.hana, world.channel.friend("太郎"))
    await group.join()
    said = await world.hana.say("はい", at=group)
    assert (await world.reply(said)).status == 200
    assert (await world.push(to=group.id)).status == 200
    assert [got.kind for got in group.inbox] == ["reply", "push"]
    assert world.channel.used(world.clock.now) == 2


# --- retry keys ---


@in_world()
async def test_a_repeated_key_is_answered_with_what_was_accepted(world: World) -> None:
    """409 with the first request's id and messages; the friend gets nothing twice."""
    first = await world.push(key=KEY)
    again = await world.push(key=KEY.upper())
    assert again.status == 409
    assert again.json == {
        "message": "The retry key is already accepted",
        "sentMessages": first.json["sentMessages"],
    }
    assert again.headers["x-line-accepted-request-id"] == first.request_id
    assert again.request_id != first.request_id
    assert [got.retry_key for got in world.hana.inbox] == [KEY]


@pytest.mark.parametrize("path", [MULTICAST, BROADCAST, "/v2/bot/message/narrowcast"])
@in_world()
async def test_only_a_push_tells_sent_messages_again(world: World, path: str) -> None:
    """A 409 of the others has the message alone."""
    body = {"messages": [HELLO]} | ({"to": [world.hana.user_id]} if path == MULTICAST else {})
    first = await world.post(path, body, key=KEY)
    again = await world.post(path, body, key=KEY)
    assert first.status in (200, 202)
    assert (again.status, list(again.json)) == (409, ["message"])
    assert again.headers["x-line-accepted-request-id"] == first.request_id
    assert len(world.hana.inbox) == 1


@in_world()
async def test_after_a_day_the_same_key_sends_again(world: World) -> None:
    """One second earlier it does not."""
    await world.push(key=KEY)
    world.clock.turn(hours=24, seconds=-1)
    assert (await world.push(key=KEY)).status == 409
    world.clock.turn(seconds=1)
    assert (await world.push(key=KEY)).status == 200
    assert (await world.push(key=KEY)).status == 409
    assert len(world.hana.inbox) == 2


@in_world()
async def test_a_refused_request_does_not_use_up_its_key(world: World) -> None:
    """Neither a 400 nor a 429 is an acceptance."""
    assert (await world.push({"type": "text", "text": ""}, key=KEY)).status == 400
    world.channel.quota = 0
    assert (await world.push(key=KEY)).status == 429
    world.channel.quota = None
    assert (await world.push(key=KEY)).status == 200


@in_world()
async def test_keys_are_the_channels_own(world: World) -> None:
    """Another channel may use the same UUID."""
    other = world.platform.channel("魚屋")
    friend = other.friend("花子")
    await friend.follow()
    await world.push(key=KEY)
    assert (await world.push(key=KEY, token=other.access_token())).status == 200


@pytest.mark.parametrize("key", ["", "1", "123e4567e89b12d3a456426614174000", KEY + "0"])
@in_world()
async def test_a_key_that_is_no_uuid_is_refused(world: World, key: str) -> None:
    """The documented spelling and no other."""
    assert (await world.push(key=key)).status == 400
    assert world.hana.inbox == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", REPLY), ("GET", "/v2/bot/info"), ("POST", "/v2/bot/message/validate/push")],
)
@in_world()
async def test_a_key_where_none_is_taken_is_refused(world: World, method: str, path: str) -> None:
    """Only push, multicast, narrowcast and broadcast take one."""
    said = await world.hana.say("やあ")
    body = {"replyToken": said.event["replyToken"], "messages": [HELLO]}
    assert (await world.ask(method, path, body, key=KEY)).status == 400
    assert (await world.reply(said)).status == 200


# --- limits ---


@in_world()
async def test_the_months_quota_ends_sending_but_not_replying(world: World) -> None:
    """All or nothing: what does not fit whole is refused whole."""
    (taro,) = await world.following("太郎")
    world.channel.quota = 2
    assert (await world.get("/v2/bot/message/quota")).json == {"type": "limited", "value": 2}
    assert (await world.push()).status == 200
    assert (await world.get("/v2/bot/message/quota/consumption")).json == {"totalUsage": 1}
    told = await world.post(BROADCAST, {"messages": [HELLO]})
    assert (told.status, told.json) == (429, {"message": "You have reached your monthly limit."})
    assert taro.inbox == []
    assert (await world.push()).status == 200
    assert (await world.push()).status == 429
    assert (await world.reply(await world.hana.say("やあ"))).status == 200


@in_world()
async def test_a_reservation_counts_until_it_is_released(world: World) -> None:
    """The platform holds messages back for a moment, and consumption does not show them."""
    world.channel.quota, world.channel.reserved = 10, 10
    assert (await world.push()).status == 429
    assert (await world.get("/v2/bot/message/quota/consumption")).json == {"totalUsage": 0}
    world.channel.reserved = 0
    assert (await world.push()).status == 200


@in_world()
async def test_a_month_begins_in_japan(world: World) -> None:
    """At midnight in Tokyo, which is three in the afternoon in UTC."""
    world.channel.quota = 1
    assert (await world.push()).status == 200
    world.clock.turn(hours=14)  # 23:53 in Japan
    assert (await world.push()).status == 429
    world.clock.turn(hours=1)
    assert (await world.push()).status == 200


@in_world()
async def test_an_account_without_limit_says_so(world: World) -> None:
    """Type none, and no value."""
    assert (await world.get("/v2/bot/message/quota")).json == {"type": "none"}


@in_world()
async def test_an_endpoint_has_its_own_rate_limit(world: World) -> None:
    """Sixty broadcasts an hour for one channel; other endpoints and channels go on."""
    validated = {"messages": [HELLO]}
    for _ in range(60):
        assert (await world.post(BROADCAST, validated)).status == 200
    told = await world.post(BROADCAST, validated)
    limit = "The API rate limit has been exceeded. Try again later."
    assert (told.status, told.json) == (429, {"message": limit})
    assert (await world.push()).status == 200
    other = world.platform.channel("魚屋").access_token()
    assert (await world.post(BROADCAST, validated, token=other)).status == 200
    world.clock.turn(hours=1)
    assert (await world.post(BROADCAST, validated)).status == 200


@in_world(rate_limits=False)
async def test_rate_limits_can_be_switched_off(world: World) -> None:
    """For load that is not about them."""
    statuses = [(await world.post(BROADCAST, {"messages": [HELLO]})).status for _ in range(61)]
    assert set(statuses) == {200}


@in_world()
async def test_aggregation_units_are_one_a_request_and_are_listed(world: World) -> None:
    """Names of 30 letters at most; those of the month can be asked for."""
    body = {"to": world.hana.user_id, "messages": [HELLO]}
    for wrong in (["a", "b"], ["x" * 31], ["é"], "a"):
        told = await world.post(PUSH, body | {"customAggregationUnits": wrong})
        assert told.status == 400
    assert (await world.post(PUSH, body | {"customAggregationUnits": ["spring"]})).status == 200
    info = await world.get("/v2/bot/message/aggregation/info")
    assert info.json == {"numOfCustomAggregationUnits": 1}
    names = await world.get("/v2/bot/message/aggregation/list")
    assert names.json == {"customAggregationUnits": ["spring"]}


@in_world()
async def test_deliveries_are_counted_by_day(world: World) -> None:
    """A day is ready once it is over in Japan."""
    await world.push()
    asked = "/v2/bot/message/delivery/push?date=20261130"
    assert (await world.get(asked)).json == {"status": "unready"}
    world.clock.turn(days=1)
    assert (await world.get(asked)).json == {"status": "ready", "success": 1}
    assert (await world.get("/v2/bot/message/delivery/push?date=today")).status == 400
