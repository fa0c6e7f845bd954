"""What the outbox hands out reaches friends: once, in order, and told as it was."""

import json
from typing import Any

import msgspec

from adapters.line.rates import Rates
from adapters.storage.database import reading
from adapters.storage.quota import QuotaReader
from gateway.domain.line.friends import Friend
from gateway.domain.line.quota import Quota
from gateway.domain.line.sending import retry_key
from gateway.domain.values import EVERYBODY, SECOND
from gateway.ports import Transaction
from gateway.usecases.sending import Rooms
from tests.adapters.line.sending_world import Office, office, texts_of
from tests.adapters.line.simulator.world import World, in_world
from tests.support.stores import Engine

HOUR = 3600


def month(office_: Office) -> Quota:
    """The month of the world's channel."""
    connection = office_.engine.database().reader()
    with reading(connection):
        (found,) = QuotaReader(office_.engine.database().dialect).of(
            connection, EVERYBODY, "2026-11"
        )
    connection.close()
    return found


@in_world()
async def test_a_reply_arrives_and_is_kept(world: World, engine: Engine) -> None:
    """With the ids of what was sent; it costs no quota, and is counted."""
    async with office(world, engine) as o:
        await o.ask(o.reply("a", await o.token(), "一", "二"))
        await o.rest()
        assert o.received == ["一", "二"]
        state, result = o.row("a", "state", "result")
        ids = [received.message_id for received in world.hana.inbox]
        assert (state, json.loads(result)["messages"]) == ("done", ids)
        assert o.counted == {("reply", "sent"): 1}
        assert engine.rows("SELECT * FROM line_quotas") == []


@in_world()
async def test_a_push_has_the_retry_key_of_its_effect(world: World, engine: Engine) -> None:
    """And its recipients are counted, and taken off the month."""
    async with office(world, engine) as o:
        to = [world.hana.user_id, *(f.user_id for f in await world.crowd(2))]
        many = o.effect("multicast", "m", payload={"to": to, "messages": texts_of("皆さん")})
        await o.ask(o.push("p"), many)
        await o.rest()
        keys = {accepted.kind: accepted.retry_key for accepted in world.platform.accepted}
        assert keys == {"push": retry_key("p"), "multicast": retry_key("m")}
        assert o.counted == {("push", "sent"): 1, ("multicast", "sent"): 3}
        assert month(o).spent == 4


@in_world()
async def test_broadcasts_and_narrowcasts_go_out(world: World, engine: Engine) -> None:
    """They count as many as they were made for."""
    async with office(world, engine) as o:
        payload = {"messages": texts_of("皆さん"), "recipients": 7, "reserved": "2026-11"}
        await o.ask(
            *(o.effect(kind, kind, payload=payload) for kind in ("broadcast", "narrowcast"))
        )
        await o.rest()
        assert set(o.states().values()) == {"done"}
        assert o.counted == {("broadcast", "sent"): 7, ("narrowcast", "sent"): 7}


@in_world()
async def test_variables_are_filled_in_before_the_first_attempt(
    world: World, engine: Engine
) -> None:
    """And stored: a second attempt sends the same bytes, whatever the friend is called by then."""
    async with office(world, engine, rooms=Rooms(points=lambda tx, channel, friend: "3")) as o:
        await o.store.run(_named, ("shop", world.hana.user_id, "花子{shop}"))
        world.platform.faults.fail(1, 500)
        await o.ask(o.push("a", "{name}さん、{shop}です。{points}点 {{}}"))
        await o.rest()
        assert '"rendered":true' in o.row("a", "payload")[0]
        await o.store.run(_named, ("shop", world.hana.user_id, "改名"))
        await o.finish()
        assert o.received == ["花子{shop}さん、花屋です。3点 {}"]


def _named(tx: Transaction, given: tuple[str, str, str]) -> tuple[None, tuple[()]]:
    channel, user, name = given
    known = tx.line.friend(EVERYBODY, channel, user)
    friend = known or Friend(channel, user, 5, "acme", 1)
    tx.line.save(EVERYBODY, msgspec.structs.replace(friend, name=name))
    return None, ()


@in_world()
async def test_our_own_objects_become_messages_once(world: World, engine: Engine) -> None:
    """The room that knows them is asked once, however often it is tried."""
    asked: list[str] = []

    def offer(tx: Any, channel: Any, friend: Friend, id_: str, draw: Any, now: int) -> Any:
        asked.append(f"{id_} {draw.token()[:0]}{friend.user == world.hana.user_id}")
        return texts_of("券"), ()

    async with office(world, engine, rooms=Rooms(offers={"coupon": offer})) as o:
        await o.store.run(_named, ("shop", world.hana.user_id, "花子"))
        world.platform.faults.lose_answers(1)
        world.platform.faults.fail(1, 500)
        to = world.hana.user_id
        mine = [{"type": "coupon", "coupon": "autumn"}, {"type": "survey", "survey": "x"}]
        await o.ask(o.effect("push", "a", payload={"to": to, "messages": mine}))
        await o.ask(o.effect("push", "b", payload={"to": to, "messages": mine[1:]}))
        await o.finish()
        assert o.received == ["券"]
        assert asked == ["autumn True"]
        assert o.row("b", "state", "last_error") == ("dead", "nothing_left")


@in_world()
async def test_a_push_whose_answer_was_lost_arrives_once(world: World, engine: Engine) -> None:
    """The second attempt meets the key, and 409 is a success."""
    async with office(world, engine) as o:
        world.platform.faults.lose_answers(1)
        await o.ask(o.push("a"))
        await o.finish()
        assert o.received == ["a"]
        assert o.row("a", "state", "attempts", "unclear") == ("done", 2, 1)
        assert o.counted == {("push", "sent"): 1}


@in_world()
async def test_a_reply_that_never_arrived_is_tried_with_its_token(
    world: World, engine: Engine
) -> None:
    """Quickly: well within the token's minute."""
    async with office(world, engine) as o:
        world.platform.faults.cut_before(2)
        begin = world.clock()
        await o.ask(o.reply("a", await o.token()))
        await o.finish()
        assert o.received == ["a"]
        assert [a.kind for a in world.platform.accepted] == ["reply"]
        assert world.clock() - begin < 5 * SECOND


@in_world()
async def test_a_reply_that_may_have_arrived_is_listed_not_guessed(
    world: World, engine: Engine
) -> None:
    """Its token is used, and nobody can say by whom: it is not pushed, even where that is on."""
    async with office(world, engine, push_instead=True, push_cap=9) as o:
        world.platform.faults.lose_answers(1)
        await o.ask(o.reply("a", await o.token()))
        await o.finish()
        assert o.received == ["a"]
        assert o.row("a", "state", "last_error") == ("unknown", "unclear")
        assert o.counted == {("reply", "unknown"): 1}


@in_world()
async def test_a_reply_that_was_never_answered_ends_unknown(world: World, engine: Engine) -> None:
    """The platform fails for the whole of the token's life."""
    async with office(world, engine, push_instead=True, push_cap=9) as o:
        world.platform.faults.fail(probability=1.0)
        await o.ask(o.reply("a", await o.token()))
        await o.finish()
        assert o.row("a", "state") == ("unknown",)
        assert o.received == []


@in_world()
async def test_a_token_that_was_used_by_another_is_no_riddle(world: World, engine: Engine) -> None:
    """Before any attempt of ours: it is dead, and nothing is pushed behind another's answer."""
    async with office(world, engine, push_instead=True, push_cap=9) as o:
        said = await world.hana.say("やあ")
        await world.reply(said)
        await o.ask(o.reply("a", said.event["replyToken"]))
        await o.finish()
        assert o.row("a", "state", "last_error") == ("dead", "token")
        assert o.counted == {("reply", "expired"): 1}
        assert o.received == ["こんにちは"]


@in_world()
async def test_a_late_reply_is_dropped_unless_the_shop_pays(world: World, engine: Engine) -> None:
    """Fifty seconds are the limit; no push is made by itself."""
    async with office(world, engine) as o:
        late = o.reply("a", await o.token())
        world.clock.turn(seconds=51)
        await o.ask(late)
        await o.rest()
        assert o.row("a", "state", "last_error") == ("dead", "expired")
        assert o.counted == {("reply", "expired"): 1}
        assert o.received == []


@in_world()
async def test_a_shop_that_pays_gets_pushes_instead_up_to_its_cap(
    world: World, engine: Engine
) -> None:
    """With a retry key, each a month counted; what is beyond the cap is dropped."""
    async with office(world, engine, push_instead=True, push_cap=2) as o:
        late = [o.reply(key, await o.token()) for key in "abc"]
        world.clock.turn(seconds=51)
        world.platform.faults.lose_answers(1)
        await o.ask(*late)
        await o.finish()
        assert sorted(o.received) == ["a", "b"]
        assert {a.retry_key for a in world.platform.accepted} == {retry_key("a"), retry_key("b")}
        assert o.states() == {"a": "done", "b": "done", "c": "dead"}
        assert (month(o).instead, month(o).spent) == (2, 2)
        assert o.counted == {("push", "sent"): 2, ("reply", "expired"): 1}


@in_world()
async def test_what_the_platform_refuses_is_kept_with_its_words(
    world: World, engine: Engine
) -> None:
    """It is not tried again."""
    async with office(world, engine) as o:
        await o.ask(o.push("a", ""))
        await o.finish()
        state, attempts, result = o.row("a", "state", "attempts", "result")
        assert (state, attempts) == ("dead", 1)
        assert json.loads(result)["details"][0][0] == "messages[0].text"
        assert o.counted == {("push", "refused"): 1}


@in_world()
async def test_a_month_that_is_used_up_holds_pushes_and_no_replies(
    world: World, engine: Engine
) -> None:
    """One attempt tells; the others of the channel are not even tried until there is room."""
    world.channel.quota = 0
    async with office(world, engine) as o:
        await o.ask(o.push("a"))
        await o.rest()
        await o.ask(o.push("b"), o.push("c"), o.reply("r", await o.token()))
        await o.rest()
        assert o.received == ["r"]
        assert [channel.id for channel in o.exhausted] == ["shop"]
        assert o.row("a", "state", "last_error") == ("waiting", "over_quota")
        assert o.row("b", "attempts", "tried_at") == (0, None)
        world.channel.quota = 5
        o.sender.unhold("shop")
        await o.finish()
        assert sorted(o.received[1:]) == ["a", "b", "c"]


@in_world()
async def test_a_month_that_stays_used_up_ends_the_wait(world: World, engine: Engine) -> None:
    """After a day it is dead, and counted as what it is."""
    world.channel.quota = 0
    async with office(world, engine) as o:
        await o.ask(o.push("a"))
        await o.finish()
        assert o.states() == {"a": "dead"}
        assert o.counted == {("push", "over_quota"): 1}


@in_world()
async def test_a_rate_limit_is_waited_out(world: World, engine: Engine) -> None:
    """The platform says too quick: a moment later it goes."""
    async with office(world, engine) as o:
        world.platform.faults.fail(2, 429)
        await o.ask(o.push("a"))
        await o.finish()
        assert o.row("a", "state", "attempts", "unclear") == ("done", 3, 0)


@in_world()
async def test_our_own_rates_put_back_what_would_be_too_much(world: World, engine: Engine) -> None:
    """Sixty broadcasts an hour: the next waits for its hour, and the worker for nothing."""
    async with office(world, engine) as o:
        payload = {"messages": texts_of("皆")}
        await o.ask(*(o.effect("broadcast", f"{n}", payload=payload) for n in range(61)))
        await o.rest()
        assert sorted(o.states().values()) == ["done"] * 60 + ["waiting"]
        await o.ask(o.push("push"))
        await o.rest()
        assert o.states()["push"] == "done"
        await o.turn(HOUR)
        assert set(o.states().values()) == {"done"}
        assert [a.status for a in world.platform.asked if a.status == 429] == []


@in_world()
async def test_nothing_is_sent_again_after_a_day(world: World, engine: Engine) -> None:
    """The platform has forgotten the key by then: what may be out is unknown, the rest dead."""
    async with office(world, engine) as o:
        world.platform.faults.fail(1, 500, handled=True)
        world.platform.faults.fail(1, 429)
        to = world.hana.user_id
        await o.ask(o.push("unclear"))
        await o.rest()
        await o.ask(o.push("clear"))
        await o.rest()
        world.clock.turn(hours=24)
        await o.finish()
        assert o.states() == {"unclear": "unknown", "clear": "dead"}
        assert o.received == ["unclear"]
        assert len([a for a in world.platform.asked if a.path.endswith("push")]) == 2
        assert to


@in_world()
async def test_a_platform_that_fails_is_tried_further_and_further_apart(
    world: World, engine: Engine
) -> None:
    """Some hundred attempts in a day, with the same bytes and key each time."""
    async with office(world, engine) as o:
        world.platform.faults.fail(probability=1.0)
        await o.ask(o.push("a"))
        await o.finish(rounds=400)
        assert o.states() == {"a": "unknown"}
        tried = [a for a in world.platform.asked if a.path.endswith("push")]
        assert 200 < len(tried) < 400
        assert {a.retry_key for a in tried} == {retry_key("a")}
        assert tried[-1].at - tried[0].at < 24 * HOUR * SECOND


@in_world()
async def test_a_friends_replies_arrive_in_order(world: World, engine: Engine) -> None:
    """Whatever fails, and whichever was asked for first: the earlier goes before the later."""
    async with office(world, engine) as o:
        tokens = [await o.token() for _ in range(5)]
        effects = [
            o.reply(f"{n}", token, order_at=world.clock() + n) for n, token in enumerate(tokens)
        ]
        world.platform.faults.fail(3, 500)
        await o.ask(*reversed(effects))
        await o.finish()
        assert o.received == ["0", "1", "2", "3", "4"]


@in_world()
async def test_halted_sends_go_out_when_they_may(world: World, engine: Engine) -> None:
    """What was handed out already stays here; replies go on."""
    async with office(world, engine) as o:
        o.halted.add("acme")
        await o.ask(o.push("a"), o.reply("r", await o.token()))
        await o.rest()
        assert o.received == ["r"]
        assert o.row("a", "state", "attempts", "tried_at") == ("waiting", 0, None)
        o.halted.clear()
        await o.finish()
        assert o.received == ["r", "a"]


@in_world()
async def test_a_dead_workers_effects_are_taken_up(world: World, engine: Engine) -> None:
    """It died after sending and before settling: a push is not doubled, a reply is unknown."""
    async with office(world, engine) as o:
        token = await o.token()
        push, reply = o.push("p"), o.reply("r", token)
        body = {"to": world.hana.user_id, "messages": texts_of("p")}
        await world.post("/v2/bot/message/push", body, key=retry_key("p"))
        await world.post("/v2/bot/message/reply", {"replyToken": token, "messages": texts_of("r")})
        engine_now = o.world.clock()
        await o.store.run(_left_behind, (engine_now, [push, reply]))
        await o.finish()
        assert o.received == ["p", "r"]
        assert o.states() == {"p": "done", "r": "unknown"}


def _left_behind(tx: Transaction, given: tuple[int, list[Any]]) -> tuple[None, tuple[()]]:
    now, effects = given
    for effect in effects:
        tx.outbox.add(EVERYBODY, effect)
    tx.outbox.flush()  # type: ignore[attr-defined]  # the store's own transaction has it
    tx.outbox._new.clear()  # type: ignore[attr-defined]  # what is flushed is not added again
    tx.outbox.claim(EVERYBODY, now, ("line.push", "line.reply"), 9, 0)
    return None, ()


@in_world()
async def test_what_cannot_be_made_ready_is_no_end_of_others(world: World, engine: Engine) -> None:
    """They are made ready together; the one at fault is tried alone, and told of in the log."""

    def offer(*_: Any) -> Any:
        raise ZeroDivisionError

    async with office(world, engine, rooms=Rooms(offers={"coupon": offer})) as o:
        await o.store.run(_named, ("shop", world.hana.user_id, "花子"))
        bad = {"to": world.hana.user_id, "messages": [{"type": "coupon", "coupon": "autumn"}]}
        await o.ask(
            o.push("a", "{shop}1"), o.effect("push", "b", payload=bad), o.push("c", "{shop}2")
        )
        await o.finish()
        assert o.states() == {"a": "done", "b": "dead", "c": "done"}
        assert o.row("b", "last_error", "unclear") == ("preparing", 0)
        assert {line["event"] for line in o.log.errors} == {"an effect failed"}
        o.log.errors.clear()


@in_world()
async def test_a_channel_that_is_gone_sends_nothing(world: World, engine: Engine) -> None:
    """Its effects die, and say why."""
    async with office(world, engine) as o:
        payload = {"channel": "gone", "to": world.hana.user_id, "messages": texts_of("x")}
        await o.ask(o.effect("push", "a", payload=payload))
        await o.ask(o.effect("push", "b", payload=payload | {"messages": texts_of("{shop}")}))
        await o.finish()
        assert [o.row(key, "state", "last_error") for key in "ab"] == [("dead", "no_channel")] * 2


@in_world()
async def test_credentials_that_fail_wait_for_better_ones(world: World, engine: Engine) -> None:
    """Nothing was sent; once the secret is right the message goes."""
    async with office(world, engine, channel_secret="wrong" * 6) as o:
        await o.ask(o.push("a"))
        await o.rest()
        assert o.row("a", "state", "last_error") == ("waiting", "unauthorized")


def test_as_much_as_the_platform_allows_is_sent_and_no_more() -> None:
    """In any stretch of the window's length; channels and endpoints are apart."""
    rates, now = Rates(), 1_000_000 * SECOND
    half = now + SECOND // 2
    assert [rates.take("a", "multicast", now) for _ in range(150)] == [0] * 150
    assert [rates.take("a", "multicast", half) for _ in range(50)] == [0] * 50
    assert rates.take("a", "multicast", half) == now + SECOND
    assert rates.take("b", "multicast", half) == 0
    assert rates.take("a", "push", half) == 0
    assert [rates.take("a", "multicast", now + SECOND) for _ in range(150)] == [0] * 150
    assert rates.take("a", "multicast", now + SECOND) == half + SECOND
