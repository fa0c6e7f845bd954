"""What is held for quota, for the month, or for a fault: it ends as what it is."""

from typing import Any

import msgspec

from gateway.domain.hours import month_of
from gateway.domain.line.friends import Friend
from gateway.domain.line.quota import began
from gateway.domain.pushes import Step, StepRun, StepSeries
from gateway.domain.values import EVERYBODY, SECOND, Seed
from gateway.ports import Transaction
from gateway.usecases import quota, steps
from gateway.usecases.quota import Reading
from gateway.usecases.sending import Rooms
from tests.adapters.line.sending_world import Office, office, ours, texts_of
from tests.adapters.line.simulator.world import World, in_world
from tests.support.stores import Engine

DAY = 86_400 * SECOND


def months(o: Office) -> dict[str, tuple[int, int]]:
    """What is reserved and spent, by month."""
    rows = o.engine.rows("SELECT month, reserved, spent FROM line_quotas")
    return {month: (reserved, spent) for month, reserved, spent in rows}


async def told(o: Office, limit: int, now: int) -> None:
    """The platform says what a month has."""
    await o.store.run(quota.keep, Reading("shop", "acme", "limited", limit, 0, now))


@in_world()
async def test_what_was_held_for_quota_ends_so(world: World, engine: Engine) -> None:
    """Also where it was tried once, and then held until its retry key was forgotten."""
    world.channel.quota = 0
    async with office(world, engine) as o:
        await o.ask(o.push("a"))
        await o.rest()
        o.sender.hold("shop", world.clock() + 30 * 3600 * SECOND)
        await o.ask(o.push("b", give_up_at=world.clock() + DAY))
        await o.finish()
        ended = [o.row(key, "state", "last_error") for key in "ab"]
        assert ended == [("dead", "over_quota")] * 2
        assert o.counted == {("push", "over_quota"): 2}


@in_world()
async def test_what_was_halted_too_long_says_so(world: World, engine: Engine) -> None:
    """It is no fault of the quota's: it expired, halted."""
    async with office(world, engine) as o:
        o.halted.add("acme")
        await o.ask(o.push("a", give_up_at=world.clock() + 25 * SECOND))
        await o.finish()
        assert o.row("a", "state", "last_error") == ("dead", "halted")
        assert o.counted == {("push", "expired"): 1}


@in_world()
async def test_a_message_is_reserved_anew_in_the_month_it_is_sent_in(
    world: World, engine: Engine
) -> None:
    """It waits until that month is known and has room; then the old month has its promise back."""
    async with office(world, engine) as o:
        old = world.clock()
        await told(o, 5, old)
        await o.store.run(_reserve, (o, month_of(old)))
        world.clock.now = new = began(began(old) + 32 * DAY)
        payload = {"to": world.hana.user_id, "messages": texts_of("a"), "reserved": month_of(old)}
        await o.ask(o.effect("push", "a", payload=payload))
        await o.rest()
        assert o.row("a", "state", "last_error", "attempts") == ("waiting", "over_quota", 0)
        assert o.received == []
        await told(o, 5, new)
        await o.turn(60)
        assert o.received == ["a"]
        assert months(o) == {month_of(old): (0, 0), month_of(new): (0, 1)}


def _reserve(tx: Transaction, given: tuple[Office, str]) -> tuple[bool, tuple[()]]:
    return quota.reserve(tx, ours(given[0].world), 1, given[1]), ()


@in_world()
async def test_a_fault_before_anything_was_sent_is_no_riddle(world: World, engine: Engine) -> None:
    """Nothing went out, so it is dead with its reason; a reply as well as a push."""

    def offer(*_: Any) -> Any:
        raise ZeroDivisionError

    async with office(world, engine, rooms=Rooms(offers={"coupon": offer})) as o:
        await o.store.run(_befriend, world.hana.user_id)
        mine = [{"type": "coupon", "coupon": "autumn"}]
        token, to = await o.token(), world.hana.user_id
        reply = {"user": to, "token": token, "messages": mine}
        await o.ask(
            o.effect("push", "p", payload={"to": to, "messages": mine}),
            o.reply("r", token, payload=reply | {"channel": "shop"}),
        )
        await o.finish()
        assert [o.row(k, "state", "last_error") for k in "pr"] == [("dead", "preparing")] * 2
        assert o.received == []
        o.log.errors.clear()


def _befriend(tx: Transaction, user: str) -> tuple[None, tuple[()]]:
    tx.line.friend(EVERYBODY, "shop", user)
    tx.line.save(EVERYBODY, Friend("shop", user, 5, "acme", 1, followed_at=2))
    return None, ()


@in_world()
async def test_a_step_costs_the_month_what_a_push_does(world: World, engine: Engine) -> None:
    """It is not reserved: it is spent as it is taken, and waits where the month is used up."""
    series = StepSeries("welcome", "acme", "shop", "follow", (Step(0, tuple(texts_of("一"))),))
    engine.provision(series)
    async with office(world, engine) as o:
        await told(o, 1, world.clock())
        await o.store.run(_befriend, world.hana.user_id)
        for round_ in (1, 2):
            await o.store.run(_begun, (world.clock(), round_))
            seed = Seed(o.ids.block(world.clock(), 500), 500, b"a secret of tests")
            assert await o.store.run(steps.send, steps.Sending(world.clock(), seed)) == 1
            await o.rest()
            o.sender.hold("shop", world.clock() + DAY)  # as the reading of a used up month does
        assert o.received == ["一"]
        assert months(o) == {month_of(world.clock()): (0, 1)}
        waiting = engine.rows("SELECT last_error FROM outbox WHERE state = 'waiting'")
        assert waiting == [("over_quota",)]


def _begun(tx: Transaction, given: tuple[int, int]) -> tuple[None, tuple[()]]:
    now, round_ = given
    run = StepRun("welcome", 5, "acme", "shop", now, round_, due_at=now)
    tx.pushes.steps.save(EVERYBODY, [msgspec.structs.replace(run, state="running")])
    return None, ()
