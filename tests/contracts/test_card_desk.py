"""Codes, points by hand, expiry and figures of shop cards, on both engines."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.domain.cards import Code, day_of, end_of_day, read
from gateway.domain.cards.messages import notice_message
from gateway.domain.line.channel import Message
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Transaction
from gateway.usecases.card_chores import AT_ONCE, KEPT_FOR, Noticing, expire, forget, notice
from gateway.usecases.card_codes import Issue, Print, issue, print_code, signing_key
from gateway.usecases.card_desk import ByHand, Undoing, give_by_hand, take_back
from gateway.usecases.cards import scan
from tests.support.card_stores import (
    ACME,
    OTHER,
    STAFF,
    all_of,
    befriended,
    counted,
    holders,
    is_right,
    opened,
    reader,
)
from tests.support.cards import (
    CAFE,
    DAY,
    HOUR,
    NOON,
    PIN,
    Leaving,
    Showing,
    block,
    card,
    printed,
    scanning,
    seed,
    show,
    user,
)
from tests.support.stores import PATIENT, Engine, Recorder, on_a_loop

# --- codes and keys ---


@on_a_loop
async def test_the_signing_key_is_made_once(postgresql: Engine) -> None:
    """Two processes that ask for it first at the same moment get the same one."""
    async with opened(postgresql, card()) as one, postgresql.store(limits=PATIENT) as other:
        keys = await asyncio.gather(
            *((one, other)[n % 2].run(signing_key, bytes([n]) * 32) for n in range(10))
        )
    assert len(set(keys)) == 1


@on_a_loop
async def test_a_code_of_the_screen_leads_into_line(engine: Engine) -> None:
    """It names card, counter and points, each has its own nonce, and is signed by the store."""
    async with opened(engine, card()) as store:
        asked = [Issue(EVERYBODY, "acme-card", "till-1", 2, 60, NOON, seed(0)) for _ in range(2)]
        first, second = [await store.run(issue, each) for each in asked]
        key = await store.run(signing_key, b"another")
        with pytest.raises(Refused):
            await store.run(issue, Issue(OTHER, "acme-card", "", 1, 60, NOON, seed(0)))
    read_ = read(first.token, key)
    assert (read_.kind, read_.card, read_.counter, read_.points) == (
        "screen",
        "acme-card",
        "till-1",
        2,
    )
    assert read_.expires_at == first.expires_at == NOON + 60 * 10**6
    assert read(second.token, key).nonce != read_.nonce
    assert first.url == f"https://liff.line.me/{CAFE.liff_id}/p/{first.token}"


@on_a_loop
async def test_the_printed_code_stays_the_same(sqlite: Engine) -> None:
    """It can be printed again; a card without one has none."""
    async with opened(sqlite, printed(), card("plain")) as store:
        codes = [await store.run(print_code, Print(ACME, "acme-card", seed(0))) for _ in range(2)]
        assert codes[0] == codes[1]
        with pytest.raises(Refused):
            await store.run(print_code, Print(ACME, "plain", seed(0)))


# --- by hand ---


def by_hand(friend: int, points: int = 1, scope: Scope = ACME) -> ByHand:
    return ByHand(scope, "acme-card", friend, points, "a paper card", STAFF, NOON, seed())


@on_a_loop
async def test_points_by_hand_are_audited(engine: Engine) -> None:
    """Whoever gave them stands in the ledger and in the audit."""
    observer = Recorder()
    async with opened(engine, card(), observer=observer) as store:
        (friend,) = await befriended(store)
        given = await store.run(give_by_hand, by_hand(friend, 4))
        assert given.points == 4
        (entry,) = await store.read(
            reader(engine).history, ACME, "acme-card", friend, after=None, limit=9
        )
        undoing = Undoing(ACME, "acme-card", friend, entry.id, STAFF, NOON + HOUR, seed(1))
        undone = await store.run(take_back, undoing)
        assert undone.stand is not None
        assert undone.stand.card.points == 0
        with pytest.raises(Refused) as refused:
            await store.run(take_back, undoing)
    assert refused.value.reason is Refusal.ALREADY_UNDONE
    assert (entry.how, entry.ref) == ("manual", "token:1")
    rows = engine.rows("SELECT actor, advertiser, action, subject, detail FROM audit ORDER BY id")
    assert [row[:4] for row in rows] == [
        ("token:1", "acme", "card.points_given", "acme-card"),
        ("token:1", "acme", "card.points_undone", "acme-card"),
    ]
    assert json.loads(rows[0][4])["points"] == 4
    assert counted(observer, "card_points_total") == {"manual": 4, "undo": 4}
    assert is_right(engine)


@on_a_loop
async def test_another_advertiser_s_cards_are_not_there(engine: Engine) -> None:
    """Neither to be given to, nor to be read."""
    async with opened(engine, card()) as store:
        (friend,) = await befriended(store)
        await store.run(scan, scanning())
        with pytest.raises(Refused) as refused:
            await store.run(give_by_hand, by_hand(friend, scope=OTHER))
        assert refused.value.reason is Refusal.NOT_FOUND
        with pytest.raises(Refused):
            await store.run(give_by_hand, by_hand(friend + 1))
        of = reader(engine)
        for scope, count in ((ACME, 1), (OTHER, 0), (EVERYBODY, 1)):
            every: list[Sequence[Any]] = [
                await store.read(of.cards, scope, after="", limit=9),
                await store.read(of.holders, scope, "acme-card", after=None, limit=9),
                await store.read(of.of_friend, scope, friend, before=None, limit=9),
                await store.read(of.history, scope, "acme-card", friend, after=None, limit=9),
            ]
            assert [len(found) for found in every] == [count] * 4
            assert bool(await store.read(of.card, scope, "acme-card")) == bool(count)
            assert await store.read(of.has_friend, scope, friend) == bool(count)


@on_a_loop
async def test_a_line_of_an_earlier_card_is_not_taken_back(engine: Engine) -> None:
    """Another one was begun since: its first point is not to be the second's last."""
    async with opened(engine, card(points=1)) as store:
        (friend,) = await befriended(store)
        await store.run(scan, scanning())
        (entry,) = await store.read(
            reader(engine).history, EVERYBODY, "acme-card", friend, after=None, limit=9
        )
        for wanted, reason in ((entry.id, Refusal.CARD_FULL), (1, Refusal.NOT_FOUND)):
            undoing = Undoing(ACME, "acme-card", friend, wanted, STAFF, NOON, seed(1))
            with pytest.raises(Refused) as refused:
                await store.run(take_back, undoing)
            assert refused.value.reason is reason


@on_a_loop
async def test_figures_tell_of_all_cards(engine: Engine) -> None:
    """Holders are friends, however many cards they filled."""
    async with opened(engine, card(points=2), card("unused")) as store:
        first, second = await befriended(store, 1, 2)
        await store.run(give_by_hand, by_hand(first, 5))
        await store.run(give_by_hand, by_hand(second, 1))
        records = await store.read(reader(engine).cards, EVERYBODY, after="", limit=9)
        page = await store.read(
            reader(engine).holders, EVERYBODY, "acme-card", after=first, limit=9
        )
    figures = {record.card.id: record.figures for record in records}
    used = figures["acme-card"]
    assert (used.holders, used.active, used.full, used.expired, used.points) == (2, 2, 2, 0, 6)
    assert figures["unused"].holders == 0
    assert [holding.card.friend for holding in page] == [second]


# --- by the clock ---


@on_a_loop
async def test_cards_expire_and_are_counted_once(engine: Engine) -> None:
    """The clean-up takes those whose time is over, whatever their number."""
    observer = Recorder()
    kind = card(expires="first", expires_days=1)
    async with opened(engine, kind, observer=observer) as store:
        await befriended(store, *range(AT_ONCE + 5))
        await all_of(store, [scanning(who=who) for who in range(AT_ONCE + 5)])
        end = end_of_day(day_of(NOON) + 1)
        assert await store.run(expire, end - 1) == 0
        assert [await store.run(expire, end) for _ in range(3)] == [AT_ONCE, 5, 0]
        held = await holders(store, engine)
    assert {holding.card.state for holding in held} == {"expired"}
    assert counted(observer, "cards_total") == {"started": AT_ONCE + 5, "expired": AT_ONCE + 5}


@on_a_loop
async def test_holders_are_told_once_before_a_card_expires(engine: Engine) -> None:
    """By day, by a push; where a visit put the expiry off, another one comes."""
    kind = card(expires="last", expires_days=10, notice_days=3)
    night = NOON + 8 * DAY + 10 * HOUR  # 22:00
    morning = night + 11 * HOUR
    async with opened(engine, kind) as store:
        await befriended(store, 1, 2)
        await all_of(store, [scanning(who=who) for who in (1, 2)])
        await store.run(block, Leaving(user(2), NOON + HOUR))
        looked = [
            await store.run(notice, Noticing(at, seed(AT_ONCE)))
            for at in (NOON + 7 * DAY, night, morning - 1, morning, morning + HOUR)
        ]
        await store.run(scan, scanning(at=morning + HOUR))
        looked.append(await store.run(notice, Noticing(morning + 9 * DAY, seed(AT_ONCE))))
    assert looked == [0, 0, 0, 2, 0, 1]
    rows = engine.rows("SELECT kind, payload, due_at, give_up_at FROM outbox ORDER BY due_at")
    assert [(row[0], row[2]) for row in rows] == [
        ("line.push", morning),
        ("line.push", morning + 9 * DAY),
    ]
    said = json.loads(rows[0][1])
    assert said["to"] == user(1)
    assert "1ポイント" in said["messages"][0]["altText"]
    assert rows[0][3] == end_of_day(day_of(NOON) + 10)


@on_a_loop
async def test_a_notice_that_cannot_be_made_holds_up_no_other(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is put aside and counted."""
    observer = Recorder()
    kind = card(expires="last", expires_days=10, notice_days=3)
    made: list[object] = []

    def failing(*args: Any) -> Message:
        made.append(args)
        if len(made) == 1:
            raise KeyError("soon")
        return notice_message(*args)

    monkeypatch.setattr("gateway.usecases.card_chores.notice_message", failing)
    async with opened(engine, kind, observer=observer) as store:
        await befriended(store, 1, 2)
        await all_of(store, [scanning(who=who) for who in (1, 2)])
        at = NOON + 8 * DAY
        looked = [await store.run(notice, Noticing(at, seed(AT_ONCE))) for _ in range(2)]
    assert looked == [2, 0]
    assert engine.rows("SELECT origin FROM outbox") == [("card-notice",)]
    assert counted(observer, "put_aside_total") == {"card-notice": 1}


@on_a_loop
async def test_who_stopped_pushes_is_not_told(engine: Engine) -> None:
    """The card is looked at all the same, and not again."""
    kind = card(expires="last", expires_days=10, notice_days=3)
    async with opened(engine, kind) as store:
        (friend,) = await befriended(store)
        await store.run(scan, scanning())
        await store.run(stop_pushes, friend)
        looked = [
            await store.run(notice, Noticing(NOON + 8 * DAY + hours * HOUR, seed(AT_ONCE)))
            for hours in (0, 1)
        ]
    assert looked == [1, 0]
    assert engine.rows("SELECT kind FROM outbox") == []


def stop_pushes(tx: Transaction, friend: int) -> tuple[None, tuple[()]]:
    tx.pushes.stops.stop(EVERYBODY, friend, "acme", "acme-shop", NOON, "test")
    return None, ()


@on_a_loop
async def test_old_scans_are_forgotten(engine: Engine) -> None:
    """The ledger stays."""
    async with opened(engine, printed()) as store:
        await befriended(store)
        await store.run(scan, scanning())
        await store.run(scan, scanning(Code("printed", "acme-card"), at=NOON + DAY, pin=PIN))
        assert await store.run(forget, NOON + KEPT_FOR) == 0
        assert await store.run(forget, NOON + KEPT_FOR + 3 * DAY) > 0
    assert engine.rows("SELECT nonce FROM card_scans") == []
    assert engine.rows("SELECT day FROM card_tries") == []
    assert len(engine.rows("SELECT id FROM card_points")) == 2


# --- in messages ---


@on_a_loop
async def test_a_friend_is_sent_the_card_as_it_stands(engine: Engine) -> None:
    """With a button to a page that shows it; of what is not there nothing is sent."""
    async with opened(engine, card()) as store:
        (friend,) = await befriended(store)
        (none,) = await store.run(show, Showing(user(1), "acme-card", seed()))
        await store.run(scan, scanning())
        (one,) = await store.run(show, Showing(user(1), "acme-card", seed()))
        assert await store.run(show, Showing(user(1), "gone", seed())) == []
        key = await store.run(signing_key, b"another")
    assert "QRコード" in none["altText"]
    assert "1/10ポイント" in one["altText"]
    url = one["template"]["actions"][0]["uri"]
    assert url.startswith("https://gw.example.jp/p/")
    shown = read(url.rpartition("/")[2], key)
    assert (shown.kind, shown.nonce) == ("view", str(friend))
