"""What the platform sends to a bot: events, signatures, redeliveries, duplicates, disorder."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from linebot.v3 import WebhookParser
from linebot.v3.webhooks import MessageEvent, TextMessageContent

from adapters.line.simulator import Delivery, Platform, Telling, signature
from tests.adapters.line.simulator.world import NOW, World, in_world, until

ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")

FAST = Delivery(redelivery_seconds=0.001, hold_seconds=0.02)


def test_the_documented_example_is_signed_so() -> None:
    """The vector of the platform's documentation."""
    body = b'{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}'
    secret = "8c570fa6dd201bb328f1c1eac23a96d8"
    assert signature(secret, body) == "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs="


@in_world()
async def test_a_message_is_told_as_the_platform_tells_it(world: World) -> None:
    """Everything that a text message's event has, signed over the bytes that were sent."""
    said = await world.hana.say("やあ 👋")
    ((body, signed),) = world.listener.heard
    digest = hmac.digest(world.channel.secret.encode(), body, hashlib.sha256)
    assert signed == base64.b64encode(digest).decode()
    assert "やあ 👋".encode() in body
    (event,) = world.listener.events
    assert world.listener.bodies[0]["destination"] == world.channel.bot_user_id
    assert event["message"]["text"] == "やあ 👋"
    assert event["message"]["id"] == said.message_id
    assert event["message"]["quoteToken"]
    assert event["source"] == {"type": "user", "userId": world.hana.user_id}
    assert event["timestamp"] == NOW // 1000
    assert event["mode"] == "active"
    assert event["deliveryContext"] == {"isRedelivery": False}
    assert ULID.fullmatch(event["webhookEventId"])
    assert said.status == 200


Verb = Callable[[World], Telling]

EVENTS: dict[str, tuple[str, bool, Verb]] = {
    "follow": ("follow", True, lambda world: world.channel.friend("太郎").follow()),
    "unfollow": ("unfollow", False, lambda world: world.hana.unfollow()),
    "text": ("message", True, lambda world: world.hana.say("やあ")),
    "quote": ("message", True, lambda world: world.hana.say("これ", quoting="1")),
    "sticker": ("message", True, lambda world: world.hana.sticker()),
    "image": ("message", True, lambda world: world.hana.send_image()),
    "video": ("message", True, lambda world: world.hana.send_video()),
    "audio": ("message", True, lambda world: world.hana.send_audio()),
    "file": ("message", True, lambda world: world.hana.send_file()),
    "location": ("message", True, lambda world: world.hana.send_location()),
    "edit": ("messageEdited", False, lambda world: world.hana.edit("1", "別の文")),
    "unsend": ("unsend", False, lambda world: world.hana.unsend("1")),
    "postback": ("postback", True, lambda world: world.hana.postback("a=1")),
    "picker": ("postback", True, lambda world: world.hana.postback("a", {"date": "2027-01-15"})),
    "beacon": ("beacon", True, lambda world: world.hana.beacon()),
    "video play": ("videoPlayComplete", True, lambda world: world.hana.watch("t")),
    "account link": ("accountLink", False, lambda world: world.hana.link_account("x", "n")),
    "membership": ("membership", True, lambda world: world.hana.membership("renewed")),
    "notification": ("delivery", False, lambda world: world.hana.delivered_notification("d")),
    "join": ("join", True, lambda world: world.channel.group("町内会").join()),
    "leave": ("leave", False, lambda world: world.channel.group("町内会").leave()),
    "room": ("join", True, lambda world: world.channel.group("三人", room=True).join()),
    "joined": (
        "memberJoined",
        True,
        lambda world: world.channel.group("町内会").add(world.hana),
    ),
    "left": ("memberLeft", False, lambda world: world.channel.group("町内会").remove(world.hana)),
    "module": (
        "module",
        False,
        lambda world: world.channel.bot_event(
            "module", module={"type": "attached", "botId": "U1", "scopes": ["message:send"]}
        ),
    ),
    "activated": ("activated", False, lambda world: world.channel.activated()),
    "deactivated": ("deactivated", False, lambda world: world.channel.deactivated()),
    "suspended": ("botSuspended", False, lambda world: world.channel.bot_event("botSuspended")),
    "resumed": ("botResumed", False, lambda world: world.channel.bot_event("botResumed")),
}


@pytest.mark.parametrize("name", EVENTS)
@in_world()
async def test_the_official_parser_understands_every_kind_of_event(world: World, name: str) -> None:
    """Each has its type, the right source, and a reply token where the platform makes one."""
    kind, replyable, verb = EVENTS[name]
    await verb(world)
    ((body, signed),) = world.listener.heard
    (event,) = WebhookParser(world.channel.secret).parse(body.decode(), signed)
    assert event.type == kind
    assert event.webhook_event_id == world.listener.events[0]["webhookEventId"]
    assert ("replyToken" in world.listener.events[0]) is replyable


@in_world()
async def test_the_official_parser_reads_what_a_friend_wrote(world: World) -> None:
    """The same text, user and reply token as the body holds."""
    said = await world.hana.say("クーポン")
    ((body, signed),) = world.listener.heard
    (event,) = WebhookParser(world.channel.secret).parse(body.decode(), signed)
    assert isinstance(event, MessageEvent)
    assert isinstance(event.message, TextMessageContent)
    assert event.message.text == "クーポン"
    assert event.source.user_id == world.hana.user_id
    assert event.reply_token == said.event["replyToken"]


@in_world()
async def test_events_that_nobody_knows_yet_can_be_sent(world: World) -> None:
    """New types, new fields, new modes, half a surrogate pair, and no source."""
    world.channel.mode = "somnolent"
    await world.hana.cause("teleported", teleport={"to": "\ud83d"})
    await world.hana.send("hologram", depth=3)
    first, second = world.listener.events
    assert (first["type"], first["mode"]) == ("teleported", "somnolent")
    assert first["teleport"] == {"to": "\ud83d"}
    assert (second["message"]["type"], second["message"]["depth"]) == ("hologram", 3)


@in_world()
async def test_a_follow_after_a_block_says_so(world: World) -> None:
    """isUnblocked tells a new friend from one who came back."""
    await world.hana.unfollow()
    await world.hana.follow()
    await world.channel.friend("太郎").follow()
    follows = [event["follow"] for event in world.listener.events if event["type"] == "follow"]
    assert follows == [{"isUnblocked": True}, {"isUnblocked": False}]


@in_world()
async def test_a_channel_in_standby_gets_no_reply_token(world: World) -> None:
    """Another module has the chat; the event says standby."""
    await world.channel.deactivated()
    await world.hana.say("やあ")
    assert world.listener.events[-1]["mode"] == "standby"
    assert "replyToken" not in world.listener.events[-1]


@in_world()
async def test_an_account_is_linked_once_and_in_time(world: World) -> None:
    """With a token that was issued for this user in the last ten minutes."""
    path = f"/v2/bot/user/{world.hana.user_id}/linkToken"
    fresh, late = [(await world.post(path, None)).json["linkToken"] for _ in range(2)]
    await world.hana.link_account(fresh, "n1")
    await world.hana.link_account(fresh, "n2")
    world.clock.turn(seconds=600)
    await world.hana.link_account(late, "n3")
    results = [event["link"] for event in world.listener.events]
    assert results == [
        {"result": "ok", "nonce": "n1"},
        {"result": "failed", "nonce": "n2"},
        {"result": "failed", "nonce": "n3"},
    ]
    assert ["replyToken" in event for event in world.listener.events] == [True, False, False]


# --- redelivery ---


@in_world(delivery=FAST)
async def test_nothing_is_redelivered_unless_it_is_switched_on(world: World) -> None:
    """Off, as it is for a new channel."""
    world.listener.answers = [500]
    said = await world.hana.say("やあ")
    assert [post.status for post in said.posts] == [500]
    assert said.posts[0].error == "error_status_code"


@in_world(delivery=FAST)
async def test_a_redelivery_is_the_same_event_marked_as_such(world: World) -> None:
    """Same id, same time, same token; isRedelivery alone is new."""
    world.channel.redelivery = True
    world.listener.answers = [500, 302, 200]
    said = await world.hana.say("やあ")
    assert [(post.attempt, post.status) for post in said.posts] == [(0, 500), (1, 302), (2, 200)]
    first, second, third = world.listener.events
    assert first["deliveryContext"] == {"isRedelivery": False}
    assert second == third == first | {"deliveryContext": {"isRedelivery": True}}


@in_world(delivery=Delivery(redeliveries=2, redelivery_seconds=0.001))
async def test_redelivery_gives_up(world: World) -> None:
    """After so many attempts the event is lost."""
    world.channel.redelivery = True
    world.listener.answers = [500] * 9
    said = await world.hana.say("やあ")
    assert [post.status for post in said.posts] == [500, 500, 500]


@in_world(delivery=FAST)
async def test_a_redelivery_renews_the_reply_token(world: World) -> None:
    """Another minute, though not beyond twenty minutes of the event."""
    world.channel.redelivery = True
    world.listener.answers = [500]
    world.listener.delay = asyncio.Event()
    said = world.hana.say("やあ")
    await until(lambda: len(world.listener.heard) == 1)
    world.clock.turn(seconds=1190)
    world.listener.delay.set()
    await said
    world.clock.turn(seconds=9)
    assert (await world.reply(said)).status == 200


@in_world(delivery=FAST)
async def test_no_redelivery_prolongs_a_token_past_twenty_minutes(world: World) -> None:
    """At the twentieth minute it is over, however young the redelivery."""
    world.channel.redelivery = True
    world.listener.answers = [500]
    world.listener.delay = asyncio.Event()
    said = world.hana.say("やあ")
    await until(lambda: len(world.listener.heard) == 1)
    world.clock.turn(seconds=1190)
    world.listener.delay.set()
    await said
    world.clock.turn(seconds=10)
    assert (await world.reply(said)).status == 400


@in_world(delivery=Delivery(timeout_seconds=0.05))
async def test_a_webhook_that_does_not_answer_is_noted_as_timed_out(world: World) -> None:
    """The platform waits for two seconds; the test for less."""
    world.listener.delay = asyncio.Event()
    said = await world.hana.say("やあ")
    assert (said.status, said.posts[0].error) == (None, "request_timeout")
    assert said.posts[0].seconds >= 0.04
    world.listener.delay.set()


@in_world()
async def test_a_stranger_is_never_called(world: World) -> None:
    """Only loopback and what was mapped to it is reached."""
    world.channel.webhook_url = "https://example.com/hook"
    said = await world.hana.say("やあ")
    assert (said.status, said.posts[0].error) == (None, "could_not_connect")
    world.platform.reachable["https://example.com"] = world.listener.url.rpartition("/line")[0]
    assert (await world.hana.say("やあ")).status == 200


@in_world()
async def test_a_channel_without_webhook_tells_nothing(world: World) -> None:
    """Friends go on all the same."""
    world.channel.webhook_active = False
    said = await world.hana.say("やあ")
    assert said.posts == []
    assert world.listener.heard == []


# --- duplicates, disorder, batches ---


@in_world(delivery=Delivery(duplicates=1.0, hold_seconds=0.01))
async def test_duplicates_are_the_same_bytes(world: World) -> None:
    """Posted once more, at once or later, with the same signature."""
    for number in range(4):
        await world.hana.say(str(number))
    await world.platform.settle()
    assert Counter(world.listener.heard).most_common(1)[0][1] == 2
    assert len(world.listener.heard) == 8
    said = [post for post in world.platform.posts if b'"message"' in post.body]
    assert sum(post.duplicate for post in said) == 4


@in_world(delivery=Delivery(disorder=0.5), seed=3)
async def test_disorder_holds_events_back_past_later_ones(world: World) -> None:
    """All arrive, each once, and not in their order; their times tell it."""
    for number in range(20):
        world.clock.turn(seconds=1)
        await world.hana.say(str(number))
    await world.platform.settle()
    texts = [int(event["message"]["text"]) for event in world.listener.events]
    assert sorted(texts) == list(range(20))
    assert texts != sorted(texts)
    times = {event["timestamp"]: event["message"]["text"] for event in world.listener.events}
    assert [times[time] for time in sorted(times)] == [str(number) for number in range(20)]


@in_world(delivery=Delivery(disorder=1.0, hold_seconds=0.01))
async def test_a_held_event_goes_by_itself_in_the_end(world: World) -> None:
    """Where nothing comes after it."""
    said = await world.hana.say("やあ")
    assert said.held
    await until(lambda: world.listener.heard)


@in_world(delivery=Delivery(batch=3, batch_seconds=0.01))
async def test_a_body_can_mix_users(world: World) -> None:
    """Events that come together share a body, up to the set number."""
    taro = world.channel.friend("太郎")
    tellings = [world.hana.say("1"), taro.say("2"), world.hana.say("3"), taro.say("4")]
    await asyncio.gather(*(_done(telling) for telling in tellings))
    sizes = [len(body["events"]) for body in world.listener.bodies]
    assert sizes == [3, 1]
    assert len({event["source"]["userId"] for event in world.listener.bodies[0]["events"]}) == 2


async def _done(telling: Telling) -> None:
    await telling


@in_world()
async def test_the_events_of_one_friend_go_in_order(world: World) -> None:
    """Without faults, and even if the friend does not wait."""
    tellings = [world.hana.say(str(number)) for number in range(30)]
    await asyncio.gather(*(_done(telling) for telling in tellings))
    texts = [event["message"]["text"] for event in world.listener.events]
    assert texts == [str(number) for number in range(30)]


def test_the_same_seed_sends_the_same_events() -> None:
    """Ids, tokens and faults are drawn from it."""

    def heard(seed: int) -> list[Any]:
        kept: list[Any] = []

        @in_world(seed=seed, delivery=Delivery(disorder=0.3))
        async def play(world: World) -> None:
            for number in range(10):
                await world.hana.say(str(number))
            await world.platform.settle()
            kept.extend(json.loads(body)["events"] for body, _ in world.listener.heard)

        play()
        return kept

    assert heard(1) == heard(1)
    assert heard(1) != heard(2)


def test_leaving_the_platform_ends_whatever_is_in_flight() -> None:
    """No task outlives it."""

    async def play() -> None:
        async with Platform(delivery=FAST) as platform:
            channel = platform.channel(webhook_url="http://127.0.0.1:1/line")
            channel.redelivery = True
            channel.friend("花子").say("やあ")
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(play())
