"""What friends did not ask for: not in quiet hours, and not to who said stop or left meanwhile."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.domain.hours import month_of
from gateway.domain.line.friends import Friend
from gateway.domain.pushes import after_quiet
from gateway.domain.values import EVERYBODY, SECOND
from gateway.ports import Transaction
from gateway.usecases import quota
from gateway.usecases.quota import Reading
from tests.adapters.line.sending_world import Office, office, ours, texts_of
from tests.adapters.line.simulator.world import World, in_world
from tests.support.stores import Engine

HOUR = 3600
QUIET = "21:00-09:00"
DAY = 86_400 * SECOND


def _know(tx: Transaction, users: Sequence[str]) -> tuple[None, tuple[()]]:
    for number, user in enumerate(users, 5):
        tx.line.friend(EVERYBODY, "shop", user)
        tx.line.save(EVERYBODY, Friend("shop", user, number, "acme", 1, followed_at=2))
    return None, ()


def _stop(tx: Transaction, friend: int) -> tuple[None, tuple[()]]:
    tx.pushes.stops.stop(EVERYBODY, friend, "acme", "shop", 1, "test")
    return None, ()


def _block(tx: Transaction, user: str) -> tuple[None, tuple[()]]:
    tx.line.friend(EVERYBODY, "shop", user)
    gone = Friend("shop", user, 5, "acme", 1, followed_at=2, unfollowed_at=3)
    tx.line.save(EVERYBODY, gone)
    return None, ()


@in_world()
@pytest.mark.parametrize("origin", ["push:7", "step:a:1", "coupon-reminder", "card-notice"])
async def test_what_was_held_into_the_night_goes_in_the_morning(
    world: World, engine: Engine, origin: str
) -> None:
    """Halted by day and resumed in the quiet hours, it waits for their end."""
    async with office(world, engine, quiet=QUIET) as o:
        await o.store.run(_know, [world.hana.user_id])
        o.halted.add("acme")
        await o.ask(o.push("a", origin=origin, give_up_at=world.clock() + DAY))
        await o.rest()
        o.halted.clear()
        await o.turn(14 * HOUR)
        row = o.row("a", "state", "last_error", "attempts", "due_at")
        morning = after_quiet(QUIET, world.clock())
        assert row == ("waiting", "quiet", 0, morning)
        await o.finish()
        assert (o.received, world.clock()) == (["a"], morning)


@in_world()
async def test_what_waits_for_the_morning_holds_up_neither_replies_nor_staff(
    world: World, engine: Engine
) -> None:
    """They go in quiet hours as at any time; what waits leaves the friend's stream."""
    async with office(world, engine, quiet=QUIET) as o:
        await o.store.run(_know, [world.hana.user_id])
        await o.turn(14 * HOUR)
        now, stream = world.clock(), o.stream
        await o.ask(o.push("a", origin="coupon-reminder", stream=stream, order_at=now))
        await o.rest()
        assert o.row("a", "state", "stream") == ("waiting", f"{stream}/aside")
        staff = o.push("s", origin="staff:kim", stream=stream, order_at=now + 1)
        await o.ask(staff, o.reply("r", await o.token(), order_at=now + 2))
        await o.rest()
        assert o.received == ["s", "r"]
        await o.finish()
        assert o.received == ["s", "r", "a"]


@in_world()
async def test_what_was_tried_before_the_night_is_tried_again_after_it(
    world: World, engine: Engine
) -> None:
    """With the retry key of its first attempt, which did arrive: the friend gets it once."""
    async with office(world, engine, quiet="10:00-20:00") as o:
        await o.store.run(_know, [world.hana.user_id])
        world.clock.turn(seconds=399)  # a second before ten
        world.platform.faults.lose_answers(1)
        await o.ask(o.push("a", origin="push:7", give_up_at=world.clock() + DAY))
        await o.rest()
        await o.turn(2)
        assert o.row("a", "state", "last_error", "unclear") == ("waiting", "quiet", 1)
        await o.finish()
        assert o.received == ["a"]
        assert o.row("a", "state") == ("done",)


@in_world()
@pytest.mark.parametrize("how", ["stopped", "blocked"])
async def test_who_stops_while_it_waits_does_not_get_it(
    world: World, engine: Engine, how: str
) -> None:
    """A push of their own ends, counted as refused; what was reserved for it goes back."""
    async with office(world, engine) as o:
        user, now = world.hana.user_id, world.clock()
        await o.store.run(_know, [user])
        await o.store.run(quota.keep, Reading("shop", "acme", "limited", 5, 0, now))
        await o.store.run(_reserve, (o, 1))
        o.halted.add("acme")
        payload = {"to": user, "messages": texts_of("a"), "reserved": month_of(now)}
        await o.ask(o.effect("push", "a", payload=payload, origin="step:a:1"), o.push("s"))
        await o.rest()
        if how == "stopped":
            await o.store.run(_stop, 5)
        else:
            await o.store.run(_block, user)
        o.halted.clear()
        await o.finish()
        assert o.row("a", "state", "last_error") == ("dead", how)
        assert o.received == ["s"]  # what nobody sends unasked is not looked at
        assert o.counted == {("push", "refused"): 1, ("push", "sent"): 1}
        assert o.engine.rows("SELECT reserved, spent FROM line_quotas") == [(0, 1)]


def _reserve(tx: Transaction, given: tuple[Office, int]) -> tuple[bool, tuple[()]]:
    office_, count = given
    month = month_of(office_.world.clock())
    return quota.reserve(tx, ours(office_.world), count, month), ()


@in_world()
async def test_who_stops_leaves_a_multicast_before_its_first_attempt_alone(
    world: World, engine: Engine
) -> None:
    """Later its bytes stay what they were: the platform knows its retry key by them."""
    async with office(world, engine) as o:
        friends = [world.hana, *await world.crowd(3)]
        users = [friend.user_id for friend in friends]
        await o.store.run(_know, users)
        o.halted.add("acme")
        payload: dict[str, Any] = {"to": users, "messages": texts_of("皆さん")}
        await o.ask(o.effect("multicast", "m", payload=payload, origin="step:a:1"))
        await o.rest()
        await o.store.run(_stop, 6)
        o.halted.clear()
        world.platform.faults.fail(1, 500)
        await o.turn(10)
        assert o.row("m", "state", "attempts") == ("waiting", 1)
        await o.store.run(_stop, 7)
        await o.finish()
        (accepted,) = world.platform.accepted
        assert list(accepted.to) == [users[0], *users[2:]]
        assert o.counted == {("multicast", "sent"): 3}


@in_world()
async def test_a_multicast_that_nobody_wants_any_more_ends(world: World, engine: Engine) -> None:
    """All of them stopped, or were forgotten."""
    async with office(world, engine) as o:
        users = [world.hana.user_id, "U" + "9" * 32]
        await o.store.run(_know, users[:1])
        await o.store.run(_stop, 5)
        both = {"to": users, "messages": texts_of("一")}
        none: dict[str, Any] = {"to": [], "messages": texts_of("二")}
        await o.ask(
            o.effect("multicast", "m", payload=both, origin="push:7"),
            o.effect("multicast", "n", payload=none, origin="push:7"),
        )
        await o.rest()
        assert o.row("m", "state", "last_error") == ("dead", "stopped")
        assert o.row("n", "state", "last_error") == ("dead", "nobody_left")
        assert world.platform.accepted == []
