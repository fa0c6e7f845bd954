"""Every answer and every event of the simulator is as the official descriptions say."""

import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from adapters.line.simulator.endpoints import ROUTES
from tests.adapters.line.simulator.given import ASSERTION, COUPON, MENU, START, jwt, picture
from tests.adapters.line.simulator.schemas import SPECS, known_properties, problems, spec
from tests.adapters.line.simulator.test_webhooks import EVENTS
from tests.adapters.line.simulator.world import HELLO, PUBLIC, Told, World, in_world

pytestmark = pytest.mark.skipif(
    not SPECS.exists(), reason="the official descriptions of LINE are not on this machine"
)

APIS = ("messaging-api", "channel-access-token", "manage-audience", "insight")

UNDESCRIBED = {("POST", "/oauth2/v2.1/verify")}
"""LINE Login's, which these descriptions do not cover."""

UNPLAYED = {
    "addAudienceToAudienceGroup by file": "/v2/bot/audienceGroup/upload/byFile",
    "audiences of clicks": "/v2/bot/audienceGroup/click",
    "audiences of impressions": "/v2/bot/audienceGroup/imp",
    "shared audiences": "/v2/bot/audienceGroup/shared",
    "insight of menus": "/v2/bot/insight/richmenu",
    "memberships": "/v2/bot/membership",
    "notification messages": "/bot/pnp",
}
"""What the simulator does not play, by the beginning of its path."""

Asked = tuple[str, str, Told]


def operations() -> dict[tuple[str, str], tuple[Any, Any]]:
    """The description and the operation of each (method, path)."""
    return {
        (method.upper(), path): (spec(name), operation)
        for name in APIS
        for path, methods in spec(name)["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post", "put", "delete")
    }


def operation_of(method: str, path: str) -> tuple[str, str]:
    """The described (method, path) that a request belongs to: the one with most fixed parts."""
    fitting = [
        described
        for verb, described in operations()
        if verb == method
        and re.fullmatch(re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(described)), path)
    ]
    return method, min(fitting, key=lambda described: described.count("{"))


async def ask(world: World, method: str, path: str, body: Any = None, **options: Any) -> Asked:
    told = await world.ask(method, path, body, **options)
    return method, path.partition("?")[0], told


async def sending(world: World) -> AsyncIterator[Asked]:
    """Every way to send, well and wrongly."""
    hana = world.hana.user_id
    await world.crowd(30)
    said = await world.hana.say("やあ")
    messages = {"messages": [HELLO]}
    token = said.event["replyToken"]
    for kind, more in (
        ("reply", {"replyToken": token}),
        ("push", {"to": hana, "customAggregationUnits": ["spring"]}),
        ("multicast", {"to": [hana]}),
        ("narrowcast", {}),
        ("broadcast", {}),
    ):
        yield await ask(world, "POST", f"/v2/bot/message/{kind}", messages | more)
        yield await ask(world, "POST", f"/v2/bot/message/validate/{kind}", messages)
        yield await ask(world, "POST", f"/v2/bot/message/{kind}", {"messages": [{"type": "text"}]})


async def reading(world: World) -> AsyncIterator[Asked]:
    """What was sent, who is there, what came of it; at last the bot leaves its chats."""
    hana = world.hana.user_id
    group = world.channel.group("町内会", world.hana)
    room = world.channel.group("三人", world.hana, room=True)
    await group.join()
    await room.join()
    sent = await world.hana.send_video()
    request_ids = {one.kind: one.request_id for one in world.platform.accepted}
    for part in (
        f"message/progress/narrowcast?requestId={request_ids['narrowcast']}",
        "message/quota",
        "message/quota/consumption",
        *(
            f"message/delivery/{kind}?date=20261129"
            for kind in ("reply", "push", "multicast", "broadcast", "pnp")
        ),
        "message/aggregation/info",
        "message/aggregation/list",
        f"message/{sent.message_id}/content",
        f"message/{sent.message_id}/content/preview",
        f"message/{sent.message_id}/content/transcoding",
        f"profile/{hana}",
        "profile/unknown",
        "followers/ids?limit=2",
        "info",
        f"group/{group.id}/summary",
        *(
            f"{kind}/{chat.id}/{what}"
            for kind, chat in (("group", group), ("room", room))
            for what in (f"member/{hana}", "members/ids", "members/count")
        ),
        "insight/followers?date=20261129",
        "insight/message/delivery?date=20261129",
        f"insight/message/event?requestId={request_ids['broadcast']}",
        "insight/message/event/aggregation?customAggregationUnit=spring&from=20261130&to=20261130",
        "insight/demographic",
    ):
        yield await ask(world, "GET", f"/v2/bot/{part}")
    for kind, chat in (("group", group), ("room", room)):
        yield await ask(world, "POST", f"/v2/bot/{kind}/{chat.id}/leave")


async def settings(world: World) -> AsyncIterator[Asked]:
    """Small signs, and the webhook."""
    hana = world.hana.user_id
    said = await world.hana.say("やあ")
    yield await ask(world, "POST", f"/v2/bot/user/{hana}/linkToken")
    yield await ask(world, "POST", "/v2/bot/chat/loading/start", {"chatId": hana})
    yield await ask(world, "POST", "/v2/bot/message/markAsRead", {"chat": {"userId": hana}})
    read = {"markAsReadToken": said.event["message"]["markAsReadToken"]}
    yield await ask(world, "POST", "/v2/bot/chat/markAsRead", read)
    yield await ask(world, "GET", "/v2/bot/channel/webhook/endpoint")
    endpoint = {"endpoint": f"{PUBLIC}/line/shop"}
    yield await ask(world, "PUT", "/v2/bot/channel/webhook/endpoint", endpoint)
    yield await ask(world, "POST", "/v2/bot/channel/webhook/test", {})


async def coupons(world: World) -> AsyncIterator[Asked]:
    """Two kinds of coupons, a wrong one and an unknown one."""
    made = await ask(world, "POST", "/v2/bot/coupon", COUPON)
    yield made
    lottery = {"type": "lottery", "lotteryProbability": 5, "maxAcquireCount": 9}
    fixed = {"type": "cashBack", "priceInfo": {"type": "fixed", "fixedAmount": 100}}
    other = COUPON | {"acquisitionCondition": lottery, "reward": fixed}
    won = await ask(world, "POST", "/v2/bot/coupon", other)
    yield await ask(world, "POST", "/v2/bot/coupon", COUPON | {"endTimestamp": START})
    yield await ask(world, "GET", "/v2/bot/coupon?limit=1")
    for one in (made, won):
        path = f"/v2/bot/coupon/{one[2].json['couponId']}"
        yield await ask(world, "GET", path)
        for _ in range(2):
            yield await ask(world, "PUT", f"{path}/close")
    yield await ask(world, "GET", "/v2/bot/coupon/unknown")


async def menus(world: World) -> AsyncIterator[Asked]:
    """A menu from its making to its end."""
    hana = world.hana.user_id
    yield await ask(world, "POST", "/v2/bot/richmenu/validate", MENU)
    made = await ask(world, "POST", "/v2/bot/richmenu", MENU)
    yield made
    menu_id = made[2].json["richMenuId"]
    headers = {"Content-Type": "image/png"}
    path = f"/v2/bot/richmenu/{menu_id}"
    yield await ask(world, "POST", f"{path}/content", data=picture(), headers=headers)
    yield await ask(world, "GET", f"{path}/content")
    alias = {"richMenuAliasId": "a", "richMenuId": menu_id}
    users = {"userIds": [hana]}
    batch = {"operations": [{"type": "link", "from": menu_id, "to": menu_id}]}
    for method, part, body in (
        ("GET", f"richmenu/{menu_id}", None),
        ("GET", "richmenu/list", None),
        ("POST", f"user/all/richmenu/{menu_id}", None),
        ("GET", "user/all/richmenu", None),
        ("DELETE", "user/all/richmenu", None),
        ("POST", "richmenu/alias", alias),
        ("POST", "richmenu/alias", alias),
        ("GET", "richmenu/alias/a", None),
        ("POST", "richmenu/alias/a", alias),
        ("GET", "richmenu/alias/list", None),
        ("DELETE", "richmenu/alias/a", None),
        ("POST", f"user/{hana}/richmenu/{menu_id}", None),
        ("GET", f"user/{hana}/richmenu", None),
        ("DELETE", f"user/{hana}/richmenu", None),
        ("POST", "richmenu/bulk/link", users | {"richMenuId": menu_id}),
        ("POST", "richmenu/bulk/unlink", users),
        ("POST", "richmenu/validate/batch", batch),
    ):
        yield await ask(world, method, f"/v2/bot/{part}", body)
    batched = await ask(world, "POST", "/v2/bot/richmenu/batch", batch)
    yield batched
    query = f"requestId={batched[2].request_id}"
    yield await ask(world, "GET", f"/v2/bot/richmenu/progress/batch?{query}")
    yield await ask(world, "DELETE", path)


async def audiences(world: World) -> AsyncIterator[Asked]:
    """An audience from its making to its end."""
    hana = world.hana.user_id
    upload = "/v2/bot/audienceGroup/upload"
    made = await ask(world, "POST", upload, {"description": "常連", "audiences": [{"id": hana}]})
    yield made
    number = made[2].json["audienceGroupId"]
    yield await ask(world, "PUT", upload, {"audienceGroupId": number, "audiences": []})
    yield await ask(world, "GET", f"/v2/bot/audienceGroup/{number}")
    yield await ask(world, "GET", "/v2/bot/audienceGroup/list?page=1")
    renamed = {"description": "別名"}
    yield await ask(world, "PUT", f"/v2/bot/audienceGroup/{number}/updateDescription", renamed)
    yield await ask(world, "DELETE", f"/v2/bot/audienceGroup/{number}")


async def tokens(world: World) -> AsyncIterator[Asked]:
    """Tokens of all kinds."""
    proof = jwt(
        iss=world.channel.id,
        sub=world.channel.id,
        aud="https://api.line.me/",
        exp=START + 60,
        token_exp=60,
    )
    given = {"client_assertion_type": ASSERTION, "client_assertion": proof}
    grant = {"grant_type": "client_credentials"}
    credentials = {"client_id": world.channel.id, "client_secret": world.channel.secret}
    yield await ask(world, "POST", "/oauth2/v3/token", data=grant | credentials)
    chosen = await ask(world, "POST", "/oauth2/v2.1/token", data=grant | given)
    yield chosen
    bearer = {"access_token": chosen[2].json["access_token"]}
    yield await ask(world, "GET", "/oauth2/v2.1/tokens/kid", params=given)
    yield await ask(world, "GET", "/oauth2/v2.1/verify", params=bearer)
    yield await ask(world, "POST", "/oauth2/v2.1/revoke", data=credentials | bearer)
    short = await ask(world, "POST", "/v2/oauth/accessToken", data=grant | credentials)
    yield short
    yield await ask(world, "POST", "/v2/oauth/accessToken", data=grant)
    bearer = {"access_token": short[2].json["access_token"]}
    yield await ask(world, "POST", "/v2/oauth/verify", data=bearer)
    yield await ask(world, "POST", "/v2/oauth/revoke", data=bearer)


SECTIONS = (sending, reading, settings, coupons, menus, audiences, tokens)


@in_world()
async def test_every_answer_is_as_described(world: World) -> None:
    """Its status is a documented one, and its body what the description says of that."""
    found: list[str] = []
    asked: set[tuple[str, str]] = set()
    questions = [one for section in SECTIONS async for one in section(world)]
    for method, path, told in questions:
        operation = operation_of(method, path)
        asked.add(operation)
        root, described = operations()[operation]
        answers = described["responses"]
        if str(told.status) not in answers:
            # Only errors that the description leaves out: it lists few of them.
            assert told.status >= 400, (method, path, told.status)
            assert isinstance(told.json["message"], str)
            continue
        for kind, content in answers[str(told.status)].get("content", {}).items():
            if kind == "application/json":
                wrong = problems(root, content["schema"], told.json, f"{method} {path}")
                found += wrong
    assert found == []
    played = {key for key in operations() if not key[1].startswith(tuple(UNPLAYED.values()))}
    assert asked == played


def test_no_endpoint_is_the_simulators_own_invention() -> None:
    """Each route is described by the platform, apart from the Login one."""
    described = {(method, re.sub(r"\{.*?\}", "{}", path)) for method, path in operations()}
    delivery = {("GET", "/v2/bot/message/delivery/{}")}  # one handler for its five kinds
    ours = {(route.method, route.path) for route in ROUTES}
    assert ours - described == UNDESCRIBED | delivery


@pytest.mark.parametrize("name", EVENTS)
@in_world()
async def test_every_event_is_as_described(world: World, name: str) -> None:
    """With all that is required, and with nothing that the description does not know."""
    verb: Callable[[World], Any] = EVENTS[name][2]
    await verb(world)
    root = spec("webhook")
    schema = root["components"]["schemas"]["CallbackRequest"]
    body = json.loads(world.listener.heard[0][0])
    assert problems(root, schema, body) == []
    event = body["events"][0]
    known = known_properties(root, root["components"]["schemas"]["Event"], event)
    if event["type"] != "messageEdited":  # newer than the description
        assert set(event) <= known


def test_the_checker_sees_what_is_wrong() -> None:
    """A missing, a wrong and an unlisted value each."""
    root = spec("webhook")
    event = {
        "type": "message",
        "timestamp": "now",
        "mode": "asleep",
        "deliveryContext": {"isRedelivery": False},
        "message": {"type": "text", "id": "1", "text": "やあ"},
    }
    body = {"destination": "U" + "0" * 32, "events": [event]}
    found = problems(root, root["components"]["schemas"]["CallbackRequest"], body)
    assert {problem.partition(":")[0] for problem in found} == {
        "$.events[0].timestamp",
        "$.events[0].mode",
        "$.events[0].webhookEventId is missing",
        "$.events[0].message.quoteToken is missing",
    }
