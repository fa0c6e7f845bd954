"""Channel access tokens are there before they are needed, and asked for once."""

import asyncio

import aiohttp
import pytest

from adapters.line.tokens import PATH, Tokens
from gateway.domain.line.channel import Channel
from gateway.errors import Permanent, Transient, Trouble
from tests.adapters.line.sending_world import Hand, asked, ours, tokens_of
from tests.adapters.line.simulator.world import World, in_world, until
from tests.support.stores import PATIENCE

LIFE = 900.0


@in_world()
async def test_however_many_wait_for_a_token_it_is_asked_for_once(world: World) -> None:
    """A burst of sends is one request for a token, which is good."""
    tokens = tokens_of(world)
    got = await asyncio.gather(*(tokens.of(ours(world)) for _ in range(20)))
    assert len(set(got)) == 1
    assert asked(world, PATH) == 1
    assert (await world.get("/v2/bot/info", token=got[0])).status == 200


@in_world()
async def test_a_token_is_renewed_ahead_while_nobody_waits(world: World) -> None:
    """After four fifths of its life the old one is still given, and a new one fetched."""
    clock = Hand()
    tokens = tokens_of(world, clock)
    first = await tokens.of(ours(world))
    clock.now += 0.79 * LIFE
    assert await tokens.of(ours(world)) == first
    assert asked(world, PATH) == 1
    clock.now += 0.02 * LIFE
    assert await tokens.of(ours(world)) == first
    await until(lambda: asked(world, PATH) == 2)
    async with asyncio.timeout(PATIENCE):
        while await tokens.of(ours(world)) == first:  # noqa: ASYNC110 - the renewal has no event
            await asyncio.sleep(0.001)
    assert asked(world, PATH) == 2


@in_world()
async def test_a_renewal_that_fails_is_no_failure_yet(world: World) -> None:
    """The old token is given until its end; only then somebody has to wait, and is told."""
    clock = Hand()
    tokens = tokens_of(world, clock)
    first = await tokens.of(ours(world))
    world.platform.faults.fail(probability=1.0, path=PATH)
    clock.now += 0.9 * LIFE
    assert await tokens.of(ours(world)) == first
    await until(lambda: asked(world, PATH) == 2)
    assert await tokens.of(ours(world)) == first
    clock.now += 0.2 * LIFE
    with pytest.raises(Transient) as failed:
        await tokens.of(ours(world))
    assert failed.value.reason is Trouble.PLATFORM_DOWN
    await tokens.close()


@in_world()
async def test_two_secrets_work_while_one_is_rotated(world: World) -> None:
    """The new secret may not be the platform's yet, or the old one not any more."""
    right = world.channel.secret
    for secrets in ((right, "x" * 32), ("x" * 32, right)):
        channel = ours(world, channel_secret=secrets[0], channel_secret_previous=secrets[1])
        assert await tokens_of(world).of(channel)


@in_world()
async def test_wrong_secrets_are_told_without_telling_them(world: World) -> None:
    """The error is final, and holds neither secret."""
    channel = ours(world, channel_secret="s3cret" * 5)
    with pytest.raises(Permanent) as failed:
        await tokens_of(world).of(channel)
    assert failed.value.reason is Trouble.PLATFORM_REFUSED
    assert "s3cret" not in str(failed.value)


@in_world()
async def test_a_new_secret_gets_a_new_token(world: World) -> None:
    """What was made of other credentials is not given any more."""
    tokens = tokens_of(world)
    await tokens.of(ours(world))
    await tokens.of(
        ours(world, channel_secret="y" * 32, channel_secret_previous=world.channel.secret)
    )
    assert asked(world, PATH) == 3


@in_world()
async def test_a_dropped_token_is_replaced(world: World) -> None:
    """Unless somebody else has replaced it already."""
    tokens, channel = tokens_of(world), ours(world)
    first = await tokens.of(channel)
    tokens.drop(channel, first)
    second = await tokens.of(channel)
    tokens.drop(channel, first)
    assert second != first
    assert await tokens.of(channel) == second


@in_world()
async def test_who_stops_waiting_takes_the_token_from_nobody(world: World) -> None:
    """A cancelled send does not cancel the request that others wait for."""
    tokens, channel = tokens_of(world), ours(world)
    world.platform.faults.delay(0.05, path=PATH)
    one, two = (asyncio.create_task(tokens.of(channel)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    assert await two
    assert one.cancelled()


def test_a_platform_that_is_away_is_transient() -> None:
    """Nothing answers: it may be tried again."""

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            tokens = Tokens(session, "http://127.0.0.1:9", Hand())
            with pytest.raises(Transient) as failed:
                await tokens.of(Channel("shop", "acme", "1", "s"))
            assert failed.value.reason is Trouble.PLATFORM_DOWN

    asyncio.run(ask())
