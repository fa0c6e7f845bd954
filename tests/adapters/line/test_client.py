"""Whatever the platform or the network does to a message becomes one value."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.line.client import Messages
from adapters.line.tokens import PATH as TOKENS
from adapters.line.tokens import Tokens
from gateway.domain.line.channel import Channel
from gateway.domain.line.sending import (
    Accepted,
    Answer,
    BadToken,
    Exhausted,
    Kind,
    Limited,
    Refused,
    Unauthorized,
    Unclear,
    Unreached,
    retry_key,
)
from tests.adapters.line.sending_world import asked, messages_of, ours, serving
from tests.adapters.line.simulator.world import HELLO, KEY, World, in_world

PUSH = "/v2/bot/message/push"


def body(**fields: Any) -> bytes:
    return json.dumps({"messages": [HELLO]} | fields).encode()


async def push(world: World, key: str = KEY, **fields: Any) -> Answer:
    return await messages_of(world).send(
        ours(world), "push", body(to=world.hana.user_id, **fields), key
    )


@in_world()
async def test_each_kind_of_message_is_taken(world: World) -> None:
    """Reply, push, multicast, narrowcast and broadcast, with the ids where there are any."""
    said = await world.hana.say("やあ")
    messages, channel = messages_of(world), ours(world)
    requests: list[tuple[Kind, bytes]] = [
        ("reply", body(replyToken=said.event["replyToken"])),
        ("push", body(to=world.hana.user_id)),
        ("multicast", body(to=[world.hana.user_id])),
        ("broadcast", body()),
        ("narrowcast", body()),
    ]
    ids: dict[str, int] = {}
    for kind, sent in requests:
        key = None if kind == "reply" else retry_key(kind)
        answer = await messages.send(channel, kind, sent, key)
        assert isinstance(answer, Accepted)
        assert answer.request
        assert not answer.repeated
        ids[kind] = len(answer.messages)
    assert ids == {"reply": 1, "push": 1, "multicast": 0, "broadcast": 0, "narrowcast": 0}
    kinds = [received.kind for received in world.hana.inbox]
    assert kinds[:4] == ["reply", "push", "multicast", "broadcast"]


@in_world()
async def test_a_repeated_key_is_a_success_that_sends_nothing(world: World) -> None:
    """409 tells which request was accepted, and what it sent."""
    first = await push(world)
    again = await push(world)
    assert isinstance(first, Accepted)
    assert again == Accepted(first.request, first.messages, repeated=True)
    assert len(world.hana.inbox) == 1


@in_world()
async def test_a_reply_has_no_retry_key(world: World) -> None:
    """The platform allows none there."""
    said = await world.hana.say("やあ")
    sent = body(replyToken=said.event["replyToken"])
    assert isinstance(await messages_of(world).send(ours(world), "reply", sent), Accepted)
    assert world.platform.asked[-1].retry_key is None


@in_world()
async def test_a_used_or_late_reply_token_is_told(world: World) -> None:
    """The second use, and one after its minute, are the same to the platform."""
    said = await world.hana.say("やあ")
    sent = body(replyToken=said.event["replyToken"])
    messages = messages_of(world)
    await messages.send(ours(world), "reply", sent)
    assert isinstance(await messages.send(ours(world), "reply", sent), BadToken)
    late = await world.hana.say("まだ？")
    world.clock.turn(seconds=61)
    sent = body(replyToken=late.event["replyToken"])
    assert isinstance(await messages.send(ours(world), "reply", sent), BadToken)


@in_world()
async def test_what_the_platform_refuses_is_kept_in_its_own_words(world: World) -> None:
    """Status, message and each property's message."""
    answer = await push(world, messages=[{"type": "text", "text": ""}])
    assert isinstance(answer, Refused)
    assert answer.status == 400
    assert answer.message
    assert answer.request
    assert answer.details[0][0] == "messages[0].text"


@in_world()
async def test_the_two_kinds_of_429_are_told_apart(world: World) -> None:
    """Too quick is for a moment; a month that is used up is for long."""
    world.channel.quota = 0
    assert isinstance(await push(world), Exhausted)
    world.channel.quota = None
    world.platform.faults.fail(1, 429, path=PUSH)
    assert isinstance(await push(world), Limited)


@in_world()
async def test_what_may_have_been_taken_is_unclear(world: World) -> None:
    """500 and a connection that was cut before or after; a repeat by the key then tells."""
    faults = world.platform.faults
    faults.fail(1, 500)
    faults.fail(1, 503, handled=True)
    faults.cut_before(1)
    faults.lose_answers(1)
    answers = [await push(world, retry_key(str(number))) for number in range(4)]
    assert answers[:2] == [
        Unclear(500, answers[0].request),  # type: ignore[union-attr]  # asserted right here
        Unclear(503, answers[1].request),  # type: ignore[union-attr]  # the same
    ]
    assert answers[2:] == [Unclear(), Unclear()]
    again = [await push(world, retry_key(str(number))) for number in range(4)]
    assert [a.repeated for a in again if isinstance(a, Accepted)] == [False, True, False, True]
    assert len(world.hana.inbox) == 4


@in_world()
async def test_a_token_that_is_not_taken_is_renewed_once(world: World) -> None:
    """The message goes out with the new one, and nobody notices."""
    messages, channel = messages_of(world), ours(world)
    sent = body(to=world.hana.user_id)
    await messages.send(channel, "push", sent, retry_key("1"))
    world.clock.turn(seconds=1000)  # the platform's clock alone: our token is expired there
    assert isinstance(await messages.send(channel, "push", sent, retry_key("2")), Accepted)
    assert asked(world, TOKENS) == 2


@in_world()
async def test_credentials_that_never_work_are_told(world: World) -> None:
    """Wrong secrets, and tokens that the platform issues and then refuses."""
    channel = ours(world, channel_secret="x" * 32)
    assert isinstance(await messages_of(world).send(channel, "push", b"{}", KEY), Unauthorized)
    world.platform.faults.fail(2, 401, path=PUSH)
    assert isinstance(await push(world), Unauthorized)
    assert world.hana.inbox == []


@in_world()
async def test_without_a_token_nothing_is_sent(world: World) -> None:
    """A platform that issues no token at the moment was not reached."""
    world.platform.faults.fail(1, 500, path=TOKENS)
    assert await push(world) == Unreached()
    assert asked(world, PUSH) == 0


@in_world()
async def test_exactly_the_given_bytes_are_sent(world: World) -> None:
    """Whatever the spelling of the JSON."""
    sent = b' {"messages": [{"text":"\\u3042","type":"text"}] , "to":"%s"}' % (
        world.hana.user_id.encode()
    )
    heard: list[bytes] = []

    async def platform(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == TOKENS:
            return web.json_response({"access_token": "t", "expires_in": 900})
        heard.append(await request.read())
        return web.json_response({"sentMessages": [{"id": "1"}]})

    async with serving(platform) as (session, url):
        assert await _send(session, url, sent) == Accepted("", ("1",))
    assert heard == [sent]


async def _send(session: aiohttp.ClientSession, url: str, sent: bytes = b"{}") -> Answer:
    messages = Messages(session, url, Tokens(session, url))
    return await messages.send(Channel("shop", "acme", "1", "s"), "push", sent, KEY)


@pytest.mark.parametrize("said", [b"", b"<html>", b"[]", b'{"sentMessages":null}', b"\xff"])
def test_an_answer_without_sense_still_counts_by_its_status(said: bytes) -> None:
    """200 was taken, whatever stands beside it; 400 was not."""
    statuses = {200: Accepted, 400: Refused, 302: Refused, 500: Unclear, 429: Limited}

    async def ask() -> None:
        for status, kind in statuses.items():

            async def platform(request: web.BaseRequest, status: int = status) -> Any:
                if request.path == TOKENS:
                    return web.json_response({"access_token": "t", "expires_in": 900})
                return web.Response(body=said, status=status)

            async with serving(platform) as (session, url):
                assert isinstance(await _send(session, url), kind)

    asyncio.run(ask())


def test_a_closed_door_is_no_unclear_answer() -> None:
    """Where nothing listens, nothing was sent."""

    async def ask() -> None:
        async def tokens(request: web.BaseRequest) -> web.StreamResponse:
            return web.json_response({"access_token": "t", "expires_in": 900})

        async with serving(tokens) as (session, url):
            messages = Messages(session, "http://127.0.0.1:9", Tokens(session, url))
            channel = Channel("shop", "acme", "1", "s")
            assert await messages.send(channel, "push", b"{}", KEY) == Unreached()

    asyncio.run(ask())
