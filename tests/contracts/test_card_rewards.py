"""Rewards of shop cards: each one that is earned is handed out, now or once it can be."""

from typing import Any

import msgspec
import pytest

from adapters.storage.store import SqlStore
from gateway.domain.cards import Reward
from gateway.domain.values import EVERYBODY
from gateway.usecases import card_points
from gateway.usecases.card_desk import Undoing, take_back
from gateway.usecases.card_points import Prize
from gateway.usecases.cards import scan
from gateway.usecases.coupons import Correction, void
from tests.support.card_stores import ACME, STAFF, befriended, is_right, opened, reader
from tests.support.cards import (
    COFFEE,
    DAY,
    NOON,
    REWARDING,
    befriend,
    card,
    code,
    coming,
    scanning,
    seed,
    user,
)
from tests.support.coupons import ask, asking, token_in
from tests.support.stores import Engine, Recorder, on_a_loop

_replace = msgspec.structs.replace

QUICK = card(points=2, limit="none", rewards=(Reward(2, "coffee"),))
"""A card that two points fill."""


async def filled(
    store: SqlStore, who: int = 1, at: int = NOON, points: int = 2
) -> tuple[Prize, ...]:
    """What a friend is told to have won by points."""
    scanned = await store.run(scan, scanning(code(points=points, at=at), who, at))
    assert scanned.refusal is None
    return scanned.prizes


async def owed(store: SqlStore, engine: Engine) -> int:
    """How many rewards staff see that are owed."""
    record = await store.read(reader(engine).card, EVERYBODY, "acme-card")
    assert record is not None
    return record.figures.owed


def tickets(engine: Engine) -> int:
    """How many tickets there are."""
    return len(engine.rows("SELECT id FROM coupon_tickets"))


@on_a_loop
async def test_rewards_are_told_and_coupons_issued_once(engine: Engine) -> None:
    """Also where a visit is taken back and made again."""
    async with opened(engine, REWARDING) as store:
        (friend,) = await befriended(store)
        second = await store.run(scan, scanning(code(points=2)))
        assert [(prize.at, prize.text, prize.url) for prize in second.prizes] == [(2, "おまけ", "")]
        (entry,) = await store.read(
            reader(engine).history, EVERYBODY, "acme-card", friend, after=None, limit=9
        )
        await store.run(
            take_back, Undoing(ACME, "acme-card", friend, entry.id, STAFF, NOON, seed())
        )
        again = await store.run(scan, scanning(code(points=3)))
    assert again.filled
    assert [prize.at for prize in again.prizes] == [3]
    assert again.prizes[0].text == COFFEE.title
    assert again.prizes[0].url.startswith("https://gw.example.jp/c/")
    assert len(engine.rows("SELECT id FROM coupon_tickets")) == 1
    assert is_right(engine)


@on_a_loop
async def test_every_full_card_earns_a_coupon_of_its_own(engine: Engine) -> None:
    """Whether the one before was used or not, and whatever a friend gets of it otherwise."""
    async with opened(engine, QUICK) as store:
        await befriended(store)
        asked = token_in(await store.run(ask, asking("coffee", user(1), at=NOON)))
        prizes = [*await filled(store), *await filled(store), *await filled(store, points=4)]
        assert await owed(store, engine) == 0
    urls = {prize.url for prize in prizes}
    assert len(urls) == 4
    assert f"https://gw.example.jp/c/{asked}" not in urls
    assert tickets(engine) == 5
    cards = engine.rows("SELECT card FROM coupon_tickets WHERE card <> 0")
    assert len(set(cards)) == 4
    assert is_right(engine)


@on_a_loop
async def test_a_reward_leaves_a_friend_what_messages_hand_out(engine: Engine) -> None:
    """It is shown to who asks while it is open; once it is used, their own one is made."""
    async with opened(engine, QUICK) as store:
        await befriended(store)
        (prize,) = await filled(store)
        shown = token_in(await store.run(ask, asking("coffee", user(1), at=NOON)))
        assert prize.url.endswith(shown)
        ((ticket,),) = engine.rows("SELECT id FROM coupon_tickets")
        await store.run(void, Correction(ACME, ticket, "token:1", NOON))
        own = token_in(await store.run(ask, asking("coffee", user(1), at=NOON)))
    assert own != shown


@pytest.mark.parametrize(
    ("changed", "at"),
    [
        ({"starts": NOON + 3 * DAY}, NOON + 3 * DAY),
        ({"ends": NOON - 1}, NOON + DAY),
        ({"total": 0}, NOON + DAY),  # set-up allows 1 at least
    ],
    ids=["early", "over", "sold_out"],
)
@on_a_loop
async def test_a_reward_that_cannot_be_handed_out_is_owed(
    engine: Engine, changed: dict[str, Any], at: int
) -> None:
    """It is told once, staff see it, and the first points after it can be had bring it."""
    observer = Recorder()
    async with opened(engine, QUICK, observer=observer) as store:
        engine.provision(_replace(COFFEE, **changed))
        await befriended(store)
        (prize,) = await filled(store)
        assert (prize.is_owed, prize.url, prize.text) == (True, "", COFFEE.title)
        assert await filled(store, points=1) == ()
        assert (await owed(store, engine), tickets(engine)) == (1, 0)
        if "starts" not in changed:
            engine.provision(COFFEE)
        late, new = await filled(store, at=at, points=1), await filled(store, at=at)
        assert await owed(store, engine) == 0
    assert [prize.is_owed for prize in (*late, *new)] == [False] * 3
    assert len({prize.url for prize in (*late, *new)}) == tickets(engine) == 3


@on_a_loop
async def test_a_reward_outlives_its_coupon_and_its_card_s_change(engine: Engine) -> None:
    """What was earned is what is handed out, with its words, whatever the card says by now."""
    worded = _replace(QUICK, rewards=(Reward(2, "coffee", "一杯どうぞ"),))
    async with opened(engine, worded) as store:
        await befriended(store)
        engine.provision(removed=(COFFEE,))
        (prize,) = await filled(store)
        assert (prize.is_owed, prize.text) == (True, "一杯どうぞ")
        engine.provision(COFFEE, _replace(QUICK, rewards=()))
        (prize,) = await filled(store, points=1)
    assert (prize.is_owed, prize.text) == (False, "一杯どうぞ")
    ((coupon,),) = engine.rows("SELECT coupon FROM coupon_tickets")
    assert coupon == "coffee"


@on_a_loop
async def test_what_one_friend_is_owed_nobody_else_gets(engine: Engine) -> None:
    """The last ticket goes to who comes first; the other one keeps waiting."""
    async with opened(engine, QUICK) as store:
        engine.provision(_replace(COFFEE, total=1))
        await befriended(store, 1, 2)
        (first,) = await filled(store, 1)
        (second,) = await filled(store, 2)
        assert (first.is_owed, second.is_owed) == (False, True)
        engine.provision(_replace(COFFEE, total=2))
        assert await filled(store, 1, points=1) == ()
        (second,) = await filled(store, 2, points=1)
    assert not second.is_owed
    assert tickets(engine) == 2


@on_a_loop
async def test_what_a_follow_brings_is_handed_out_where_it_is_seen(engine: Engine) -> None:
    """The points come with the webhook, which shows nothing; the coupon with the next ones."""
    async with opened(engine, QUICK) as store:
        assert (await store.run(scan, scanning(code(points=2)))).pending
        await store.run(befriend, coming(at=NOON))
        assert (await owed(store, engine), tickets(engine)) == (1, 0)
        (prize,) = await filled(store, points=1)
    assert (prize.is_owed, tickets(engine)) == (False, 1)


@on_a_loop
async def test_a_scan_hands_out_so_many_and_the_next_one_the_rest(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one scan has no ids for is not lost."""
    monkeypatch.setattr(card_points, "MOST_TICKETS", 2)
    async with opened(sqlite, QUICK) as store:
        await befriended(store)
        prizes = await filled(store, points=6)
        assert [prize.is_owed for prize in prizes] == [False, False, True]
        (prize,) = await filled(store, points=1)
    assert not prize.is_owed
    assert tickets(sqlite) == 3
