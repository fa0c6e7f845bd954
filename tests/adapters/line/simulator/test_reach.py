"""Audiences, narrowcasts and insight: whom a message is for, and what came of it."""

from typing import Any

import pytest

from tests.adapters.line.simulator.world import HELLO, KEY, SECOND, World, in_world

UPLOAD = "/v2/bot/audienceGroup/upload"
NARROWCAST = "/v2/bot/message/narrowcast"
PROGRESS = "/v2/bot/message/progress/narrowcast"


async def audience(world: World, *users: str, name: str = "常連") -> int:
    body = {"description": name, "audiences": [{"id": user} for user in users]}
    told = await world.post(UPLOAD, body)
    assert told.status == 202
    return int(told.json["audienceGroupId"])


async def cast(world: World, **fields: Any) -> tuple[int, Any]:
    """The status, and the progress or the error."""
    told = await world.post(NARROWCAST, {"messages": [HELLO]} | fields)
    if told.status != 202:
        return told.status, told.json
    return 202, (await world.get(PROGRESS, params={"requestId": told.request_id})).json


# --- audiences ---


@in_world()
async def test_an_audience_holds_those_who_follow(world: World) -> None:
    """It is made, added to, shown, renamed, listed and deleted."""
    (taro,) = await world.following("太郎")
    number = await audience(world, world.hana.user_id, "U" + "0" * 32)
    more = {"audienceGroupId": number, "audiences": [{"id": taro.user_id}]}
    assert (await world.ask("PUT", UPLOAD, more)).status == 202
    path = f"/v2/bot/audienceGroup/{number}"
    told = (await world.get(path)).json
    assert told["audienceGroup"]["audienceCount"] == 2
    assert told["audienceGroup"]["status"] == "READY"
    assert len(told["jobs"]) == 2
    renamed = await world.ask("PUT", f"{path}/updateDescription", {"description": "新しい"})
    assert renamed.status == 200
    listed = (await world.get("/v2/bot/audienceGroup/list?page=1")).json
    assert [one["description"] for one in listed["audienceGroups"]] == ["新しい"]
    assert (listed["totalCount"], listed["hasNextPage"]) == (1, False)
    assert (await world.ask("DELETE", path)).status == 200
    assert (await world.get(path)).status == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"description": ""},
        {"description": "あ" * 121},
        {"description": "改\n行"},
        {"description": "a", "audiences": [{"id": "x"}]},
        {"description": "a", "audiences": ["U" + "0" * 32]},
        {"description": "a", "audiences": [{"id": "U" + "0" * 32}] * 10_001},
    ],
)
@in_world()
async def test_an_audience_against_the_rules_is_refused(world: World, body: dict[str, Any]) -> None:
    """Nothing is made."""
    assert (await world.post(UPLOAD, body)).status == 400
    assert world.channel.audiences == {}


@in_world()
async def test_an_audience_takes_its_time(world: World) -> None:
    """It is in progress first, expired after 180 days, and not sent to before it is ready."""
    world.channel.audience_seconds = 60
    number = await audience(world, world.hana.user_id)
    path = f"/v2/bot/audienceGroup/{number}"
    recipient = {"type": "audience", "audienceGroupId": number}
    states = [(await world.get(path)).json["audienceGroup"]["status"]]
    assert (await cast(world, recipient=recipient))[0] == 400
    world.clock.turn(seconds=60)
    states.append((await world.get(path)).json["audienceGroup"]["status"])
    world.clock.turn(days=180)
    later = await world.get(path, token=world.channel.access_token())
    states.append(later.json["audienceGroup"]["status"])
    assert states == ["IN_PROGRESS", "READY", "EXPIRED"]


# --- narrowcast ---


@in_world()
async def test_a_narrowcast_without_conditions_reaches_everybody(world: World) -> None:
    """202, and the progress tells how many."""
    (taro,) = await world.following("太郎")
    status, told = await cast(world)
    assert status == 202
    assert (told["phase"], told["successCount"], told["targetCount"]) == ("succeeded", 2, 2)
    assert [got.kind for got in taro.inbox] == ["narrowcast"]


@in_world()
async def test_a_narrowcast_to_audiences_combines_them(world: World) -> None:
    """And, or and not, as sets."""
    world.platform.least_audience = 1
    hana, (taro, jiro) = world.hana, await world.following("太郎", "次郎")
    first = await audience(world, hana.user_id, taro.user_id)
    second = await audience(world, taro.user_id, jiro.user_id)
    both = [{"type": "audience", "audienceGroupId": number} for number in (first, second)]
    not_second = {"type": "operator", "not": both[1]}
    for recipient, wanted in (
        (both[0], {hana, taro}),
        ({"type": "operator", "and": both}, {taro}),
        ({"type": "operator", "or": both}, {hana, taro, jiro}),
        ({"type": "operator", "and": [both[0], not_second]}, {hana}),
    ):
        before = {friend: len(friend.inbox) for friend in (hana, taro, jiro)}
        status, told = await cast(world, recipient=recipient)
        assert (status, told["phase"]) == (202, "succeeded")
        assert {friend for friend in before if len(friend.inbox) > before[friend]} == wanted


@in_world()
async def test_a_narrowcast_goes_again_to_those_who_got_an_earlier_one(world: World) -> None:
    """By the earlier request's id."""
    earlier = await world.post("/v2/bot/message/broadcast", {"messages": [HELLO]})
    (taro,) = await world.following("太郎")
    recipient = {"type": "redelivery", "requestId": earlier.request_id}
    await cast(world, recipient=recipient)
    assert (len(world.hana.inbox), len(taro.inbox)) == (2, 0)


@in_world()
async def test_too_small_an_audience_fails_later(world: World) -> None:
    """It is accepted, and its progress says why nothing went."""
    recipient = {"type": "audience", "audienceGroupId": await audience(world, world.hana.user_id)}
    status, told = await cast(world, recipient=recipient)
    assert (status, told["phase"], told["errorCode"]) == (202, "failed", 4)
    assert world.hana.inbox == []


@in_world()
async def test_a_filter_needs_a_hundred_friends(world: World) -> None:
    """With fewer it fails later; with more it chooses by what the platform thinks they are."""
    women = {"filter": {"demographic": {"type": "gender", "oneOf": ["female"]}}}
    status, told = await cast(world, **women)
    assert (status, told["phase"], told["errorCode"]) == (202, "failed", 2)
    friends = [world.hana, *await world.crowd(99)]
    status, told = await cast(world, **women)
    assert told["phase"] == "succeeded"
    reached = {friend for friend in friends if friend.inbox}
    assert reached == {friend for friend in friends if friend.person.gender == "female"}


@pytest.mark.parametrize(
    "demographic",
    [
        {"type": "appType", "oneOf": ["ios"]},
        {"type": "area", "oneOf": ["jp_13", "jp_27"]},
        {"type": "age", "gte": "age_20", "lt": "age_40"},
        {"type": "subscriptionPeriod", "lt": "day_7"},
        {
            "type": "operator",
            "and": [
                {"type": "age", "gte": "age_20"},
                {"type": "operator", "not": {"type": "gender", "oneOf": ["male"]}},
            ],
        },
    ],
)
@in_world()
async def test_every_filter_is_understood(world: World, demographic: dict[str, Any]) -> None:
    """Each chooses some."""
    world.platform.least_reach = 1
    await world.crowd(30)
    status, told = await cast(world, filter={"demographic": demographic})
    assert (status, told["phase"]) == (202, "succeeded")
    assert told["targetCount"] > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"recipient": []},
        {"recipient": {"type": "friends"}},
        {"recipient": {"type": "audience", "audienceGroupId": 1}},
        {"recipient": {"type": "redelivery", "requestId": "x"}},
        {"recipient": {"type": "operator"}},
        {"recipient": {"type": "operator", "and": []}},
        {"filter": "all"},
        {"filter": {"demographic": {"type": "age"}}},
        {"filter": {"demographic": {"type": "age", "gte": "20"}}},
        {"filter": {"demographic": {"type": "gender"}}},
        {"filter": {"demographic": {"type": "income"}}},
        {"limit": {"max": 0}},
        {"limit": {"max": "many"}},
    ],
)
@in_world()
async def test_a_narrowcast_against_the_rules_is_refused(
    world: World, fields: dict[str, Any]
) -> None:
    """400, and nobody gets anything."""
    assert (await cast(world, **fields))[0] == 400
    assert world.hana.inbox == []


@in_world()
async def test_a_narrowcast_can_be_limited(world: World) -> None:
    """To so many, and to what the quota still allows."""
    await world.crowd(9)
    assert (await cast(world, limit={"max": 4}))[1]["targetCount"] == 4
    world.channel.quota = 4 + 3
    assert (await cast(world))[0] == 429
    partial = {"upToRemainingQuota": True}
    status, told = await cast(world, limit=partial | {"forbidPartialDelivery": True})
    assert (status, told["phase"], told["errorCode"]) == (202, "failed", 5)
    assert (await cast(world, limit=partial))[1]["targetCount"] == 3
    assert world.channel.used(world.clock.now) == 7


@in_world()
async def test_a_narrowcasts_progress_takes_its_time_and_is_kept_for_a_fortnight(
    world: World,
) -> None:
    """Waiting, sending, succeeded; then nothing."""
    world.channel.narrowcast_seconds = 30
    told = await world.post(NARROWCAST, {"messages": [HELLO]}, key=KEY)
    phases = []
    for seconds in (0, 15, 15):
        world.clock.turn(seconds=seconds)
        asked = await world.get(PROGRESS, params={"requestId": told.request_id})
        phases.append(asked.json["phase"])
    assert phases == ["waiting", "sending", "succeeded"]
    world.clock.turn(days=14)
    asked = await world.get(PROGRESS, params={"requestId": told.request_id})
    assert asked.status == 404


# --- insight ---


@in_world()
async def test_friends_are_counted_by_day(world: World) -> None:
    """All who ever followed, those who block, and those who can be reached."""
    taro, _ = await world.following("太郎", "次郎")
    world.clock.turn(days=1)
    await taro.unfollow()
    world.clock.turn(days=1)
    first = (await world.get("/v2/bot/insight/followers?date=20261130")).json
    second = (await world.get("/v2/bot/insight/followers")).json
    assert first == {"status": "ready", "followers": 3, "targetedReaches": 3, "blocks": 0}
    assert second == {"status": "ready", "followers": 3, "targetedReaches": 2, "blocks": 1}
    today = await world.get("/v2/bot/insight/followers?date=20261202")
    assert today.json == {"status": "unready"}
    long_ago = await world.get("/v2/bot/insight/followers?date=20150101")
    assert long_ago.json == {"status": "out_of_service"}
    assert (await world.get("/v2/bot/insight/followers?date=today")).status == 400


@in_world()
async def test_deliveries_are_told_by_kind(world: World) -> None:
    """Only kinds that were sent."""
    await world.push()
    await world.reply(await world.hana.say("やあ"))
    world.clock.turn(days=1)
    told = (await world.get("/v2/bot/insight/message/delivery?date=20261130")).json
    assert told == {"status": "ready", "apiPush": 1, "apiReply": 1}


@in_world()
async def test_what_a_broadcast_was_looked_at_is_told_from_twenty_on(world: World) -> None:
    """The same figures each time; too small ones are withheld."""
    link = {"type": "uri", "label": "見る", "uri": "https://example.jp/sale"}
    template = {"type": "buttons", "text": "売出し", "actions": [link]}
    message = {"type": "template", "altText": "売出し", "template": template}
    few = await world.post("/v2/bot/message/broadcast", {"messages": [message]})
    await world.crowd(299)
    many = await world.post("/v2/bot/message/broadcast", {"messages": [message]})
    path = "/v2/bot/insight/message/event"
    small = (await world.get(path, params={"requestId": few.request_id})).json
    assert small["overview"]["delivered"] == 1
    assert small["overview"]["uniqueImpression"] is None
    large = (await world.get(path, params={"requestId": many.request_id})).json
    assert large["overview"]["timestamp"] == world.clock.now // SECOND
    assert 150 <= large["overview"]["uniqueImpression"] <= 240
    assert [click["url"] for click in large["clicks"]] == ["https://example.jp/sale"]
    assert (await world.get(path, params={"requestId": many.request_id})).json == large
    pushed = await world.push()
    assert (await world.get(path, params={"requestId": pushed.request_id})).status == 404


@in_world()
async def test_pushes_are_told_by_their_units_name(world: World) -> None:
    """As the only way to know of a push."""
    body = {"to": world.hana.user_id, "messages": [HELLO], "customAggregationUnits": ["spring"]}
    await world.post("/v2/bot/message/push", body)
    query = {"customAggregationUnit": "spring", "from": "20261130", "to": "20261130"}
    told = (await world.get("/v2/bot/insight/message/event/aggregation", params=query)).json
    assert set(told) == {"overview", "messages", "clicks"}
    assert [message["seq"] for message in told["messages"]] == [1]


@in_world()
async def test_demographics_need_twenty_friends(world: World) -> None:
    """Shares that add up."""
    path = "/v2/bot/insight/demographic"
    assert (await world.get(path)).json == {"available": False}
    await world.crowd(40)
    told = (await world.get(path)).json
    assert told["available"] is True
    assert sum(tile["percentage"] for tile in told["genders"]) == pytest.approx(100, abs=0.5)
    assert {tile["subscriptionPeriod"] for tile in told["subscriptionPeriods"]} == {"within7days"}
