"""What all requests share: bodies, paths, request ids, and answers that go wrong on purpose."""

import asyncio
import io
import json

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.line.simulator.world import HELLO, KEY, World, a_world, in_world, until

PUSH = "/v2/bot/message/push"


@in_world()
async def test_every_answer_has_a_request_id(world: World) -> None:
    """Good or bad."""
    for path in ("/v2/bot/info", "/v2/bot/profile/x", "/nowhere"):
        assert (await world.get(path)).request_id
    assert (await world.get("/v2/bot/info", token="x")).request_id


@in_world()
async def test_unknown_paths_and_methods_are_told(world: World) -> None:
    """404 and 405."""
    assert (await world.get("/v2/bot/nothing")).status == 404
    assert (await world.get(PUSH)).status == 405
    assert (await world.get("/v2/bot/profile/")).status == 404


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"to":' + b"9" * 5000 + b"}", "application/json", 400),
        (json.dumps({"messages": [HELLO]}).encode(), "text/plain", 415),
        (b"x" * (2 * 1024 * 1024 + 1), "application/json", 413),
    ],
)
@in_world()
async def test_a_body_that_is_not_an_object_of_json_is_refused(
    world: World, data: bytes, content_type: str, status: int
) -> None:
    """400 for what cannot be parsed, 415 for another type, 413 beyond 2 MB."""
    headers = {"Content-Type": content_type}
    told = await world.ask("POST", PUSH, data=io.BytesIO(data), headers=headers)
    assert told.status == status
    assert set(told.json) == {"message"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["to", "messages", "type", "text", "contents", "template", "actions", "altText"]
            ),
            inner | st.sampled_from(["text", "flex", "template", "bubble", "buttons", "postback"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)
_PATHS = [
    PUSH,
    "/v2/bot/message/reply",
    "/v2/bot/message/multicast",
    "/v2/bot/message/broadcast",
    "/v2/bot/message/narrowcast",
    "/v2/bot/coupon",
    "/v2/bot/richmenu",
    "/v2/bot/richmenu/batch",
    "/v2/bot/richmenu/alias",
    "/v2/bot/richmenu/bulk/link",
    "/v2/bot/audienceGroup/upload",
    "/v2/bot/chat/loading/start",
    "/v2/bot/message/markAsRead",
    "/v2/bot/channel/webhook/test",
]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies=st.lists(st.dictionaries(st.sampled_from(["to", "messages"]), _JSON), max_size=5))
def test_no_body_makes_the_platform_stumble(bodies: list[object]) -> None:
    """Whatever is sent, the answer is one that the platform documents."""

    async def play() -> set[int]:
        async with a_world(rate_limits=False) as world:
            asked = [world.post(path, body) for path in _PATHS for body in bodies]
            return {told.status for told in await asyncio.gather(*asked)}

    assert asyncio.run(play()) <= {200, 202, 400, 404, 413}


# --- faults ---


@in_world()
async def test_a_failure_before_handling_sends_nothing(world: World) -> None:
    """The next request is handled as usual, with the same key."""
    world.platform.faults.fail(next=2, status=500)
    assert [(await world.push(key=KEY)).status for _ in range(3)] == [500, 500, 200]
    assert len(world.hana.inbox) == 1


@in_world()
async def test_a_failure_after_handling_is_found_out_by_the_key(world: World) -> None:
    """500, and yet it was accepted."""
    world.platform.faults.fail(next=1, status=500, handled=True)
    assert (await world.push(key=KEY)).status == 500
    assert (await world.push(key=KEY)).status == 409
    assert len(world.hana.inbox) == 1


@in_world()
async def test_a_lost_answer_leaves_the_message_delivered(world: World) -> None:
    """The connection is cut after the handling."""
    world.platform.faults.lose_answers(1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await world.push(key=KEY)
    assert len(world.hana.inbox) == 1
    assert world.platform.asked[-1].status is None
    assert (await world.push(key=KEY)).status == 409


@in_world()
async def test_a_connection_cut_before_handling_delivers_nothing(world: World) -> None:
    """To the bot it looks the same as a lost answer."""
    world.platform.faults.cut_before(1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await world.push(key=KEY)
    assert world.hana.inbox == []
    assert (await world.push(key=KEY)).status == 200


@in_world()
async def test_faults_concern_their_paths_and_can_be_cleared(world: World) -> None:
    """By default whatever sends; a rate stays until it is cleared."""
    world.platform.faults.fail(probability=1.0)
    assert (await world.get("/v2/bot/info")).status == 200
    assert {(await world.push()).status for _ in range(3)} == {500}
    world.platform.faults.clear()
    assert (await world.push()).status == 200
    world.platform.faults.fail(1, 503, path="/v2/bot/info")
    assert (await world.get("/v2/bot/info")).status == 503


@in_world()
async def test_a_delay_outlasts_an_impatient_bot_and_the_message_still_goes(
    world: World,
) -> None:
    """A time-out of the bot says nothing about what the platform did."""
    world.platform.faults.delay(0.3)
    with pytest.raises(TimeoutError):
        await world.push(key=KEY, timeout=aiohttp.ClientTimeout(total=0.05))
    world.platform.faults.clear()
    await until(lambda: world.hana.inbox)
    assert (await world.push(key=KEY)).status == 409
