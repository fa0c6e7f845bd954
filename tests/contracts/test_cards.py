"""What scans of shop-card codes leave in the store, whichever engine it stands on."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from gateway.domain.cards import Card, Code, day_of
from gateway.domain.effects import NEVER
from gateway.domain.values import SECOND
from gateway.errors import Refusal, Refused
from gateway.ports.cards import Holding
from gateway.usecases.cards import WRONG_PINS, WRONG_PINS_OF_ALL, Befriending, confirm, scan
from gateway.usecases.line import record
from tests.support.card_stores import (
    all_of,
    befriended,
    counted,
    holders,
    is_right,
    opened,
)
from tests.support.cards import (
    CAFE,
    DAY,
    HOUR,
    NOON,
    PIN,
    Leaving,
    befriend,
    block,
    card,
    code,
    coming,
    printed,
    scanning,
    seed,
    user,
)
from tests.support.line import NOON as LINE_NOON
from tests.support.line import body, event
from tests.support.stores import PATIENT, Engine, Recorder, on_a_loop

# --- scans ---


@on_a_loop
async def test_a_scan_gives_its_points(engine: Engine) -> None:
    """A card is started, kept as it was decided, and counted once."""
    observer = Recorder()
    async with opened(engine, card(bonus=2), observer=observer) as store:
        (friend,) = await befriended(store)
        scanned = await store.run(scan, scanning(code(points=3)))
        (held,) = await holders(store, engine)
    assert (scanned.refusal, scanned.points, scanned.pending) == (None, 5, False)
    assert scanned.stand is not None
    assert held == Holding(scanned.stand.card, "花子")
    assert held.card == Card(
        id=held.card.id,
        root="acme-card",
        card="acme-card",
        advertiser="acme",
        channel=CAFE.id,
        friend=friend,
        number=1,
        state="active",
        points=5,
        started_at=NOON,
        last_at=NOON,
        visited_at=NOON,
        full_at=0,
        expires_at=NEVER,
        noticed_at=0,
    )
    assert counted(observer, "card_points_total") == {"bonus": 2, "qr": 3}
    assert counted(observer, "cards_total") == {"started": 1}
    assert counted(observer, "card_refusals_total") == {}
    assert is_right(engine)


@on_a_loop
async def test_a_hundred_who_scan_one_code_get_one_point(engine: Engine) -> None:
    """A code that was photographed and shared is worth what one customer gets."""
    observer = Recorder()
    async with opened(engine, card(), observer=observer) as store:
        await befriended(store, *range(100))
        shared = code()
        results = await all_of(store, [scanning(shared, who) for who in range(100)])
        held = await holders(store, engine)
    refusals = Counter(result.refusal for result in results)
    assert refusals == {None: 1, Refusal.CODE_USED: 99}
    assert [holding.card.points for holding in held] == [1]
    assert counted(observer, "card_points_total") == {"qr": 1}
    assert counted(observer, "card_refusals_total") == {"code_used": 99}


@on_a_loop
async def test_a_hundred_repeats_by_one_friend_give_one_point(engine: Engine) -> None:
    """Even where the card has no limit: a code is spent by its first scan. They see their card."""
    async with opened(engine, card(limit="none")) as store:
        await befriended(store)
        mine = code()
        results = await all_of(store, [scanning(mine) for _ in range(100)])
    assert Counter(result.refusal for result in results) == {None: 1, Refusal.CODE_USED: 99}
    assert {result.stand.card.points for result in results if result.stand} == {1}


@on_a_loop
async def test_two_processes_spend_a_code_once(postgresql: Engine) -> None:
    """A store that several share gives one point, whichever process is asked."""
    async with (
        opened(postgresql, card(limit="none")) as one,
        postgresql.store(limits=PATIENT) as other,
    ):
        await befriended(one, *range(20))
        shared = [code(f"shared-{number}") for number in range(3)]
        results = await asyncio.gather(
            *(
                (one, other)[who % 2].run(scan, scanning(each, who))
                for each in shared
                for who in range(20)
            )
        )
        held = await holders(one, postgresql)
    assert Counter(result.refusal for result in results) == {None: 3, Refusal.CODE_USED: 57}
    assert sum(holding.card.points for holding in held) == 3
    assert is_right(postgresql)


@pytest.mark.parametrize("luck", range(5))
@on_a_loop
async def test_no_interleaving_gives_more_than_is_allowed(sqlite: Engine, luck: int) -> None:
    """Codes scanned again, by others, late, and at once: one visit a code, one a friend and day."""
    random_ = random.Random(luck)
    observer = Recorder()
    codes = [code(f"c-{n}", at=NOON + n // 10 * DAY, points=1 + n % 2) for n in range(40)]
    async with opened(sqlite, card(points=4, bonus=1), observer=observer) as store:
        await befriended(store, *range(6))
        waiting = [
            scanning(
                each, random_.randrange(6), each.expires_at + random_.randrange(-60, 9) * 10**6
            )
            for each in codes
            for _ in range(random_.randrange(1, 6))
        ]
        random_.shuffle(waiting)
        waiting.sort(key=lambda each: day_of(each.at))
        results = []
        while waiting:
            batch, waiting = waiting[: random_.randrange(1, 20)], waiting[20:]
            results += list(zip(batch, await all_of(store, batch), strict=True))
    given = [(asked, result) for asked, result in results if result.refusal is None]
    assert len({asked.code.nonce for asked, _ in given}) == len(given)
    assert len({(asked.user, day_of(asked.at)) for asked, _ in given}) == len(given)
    assert all(asked.at < asked.code.expires_at for asked, _ in given)
    points = sum(asked.code.points for asked, _ in given)
    assert counted(observer, "card_points_total")["qr"] == points
    assert is_right(sqlite)


@pytest.mark.parametrize(
    ("at", "refusal"),
    [
        (NOON + 60 * 10**6 - 1, None),
        (NOON + 60 * 10**6, Refusal.CODE_EXPIRED),
    ],
)
@on_a_loop
async def test_a_code_is_good_until_its_end(
    sqlite: Engine, at: int, refusal: Refusal | None
) -> None:
    """A picture of the screen is worth nothing a minute later, and the code stays unspent."""
    async with opened(sqlite, card()) as store:
        await befriended(store)
        assert (await store.run(scan, scanning(code(), at=at))).refusal is refusal
    assert len(sqlite.rows("SELECT nonce FROM card_scans")) == (refusal is None)


@on_a_loop
async def test_who_comes_too_soon_leaves_the_code_to_others(engine: Engine) -> None:
    """And is shown the card as it stands."""
    async with opened(engine, card()) as store:
        await befriended(store, 1, 2)
        await store.run(scan, scanning())
        shown = code()
        soon = await store.run(scan, scanning(shown))
        assert (soon.refusal, soon.stand and soon.stand.card.points) == (Refusal.TOO_SOON, 1)
        assert (await store.run(scan, scanning(shown, 2))).refusal is None


@on_a_loop
async def test_a_card_that_is_gone_is_not_found(sqlite: Engine) -> None:
    """Neither is a code that only shows a card something to be scanned."""
    async with opened(sqlite, card()) as store:
        for wrong in (code(card="gone"), Code("view", "acme-card", nonce="1")):
            with pytest.raises(Refused) as refused:
                await store.run(scan, scanning(wrong))
            assert refused.value.reason is Refusal.NOT_FOUND


# --- who is no friend ---


@on_a_loop
async def test_a_stranger_s_point_waits_for_the_friendship(engine: Engine) -> None:
    """It comes with the follow, once, and the code is spent from the scan on."""
    observer = Recorder()
    async with opened(engine, card(), observer=observer) as store:
        await befriended(store, 2)
        shared = code(points=2)
        assert (await store.run(scan, scanning(shared))).pending
        assert (await store.run(scan, scanning(shared))).pending
        assert (await store.run(scan, scanning())).pending
        assert (await store.run(scan, scanning(shared, 2))).refusal is Refusal.CODE_USED
        assert await holders(store, engine) == []
        for _ in range(3):
            await store.run(befriend, coming(1, NOON + HOUR))
        (held,) = await holders(store, engine)
        later = await store.run(scan, scanning(shared))
    assert (held.card.points, held.card.started_at) == (2, NOON + HOUR)
    assert later.refusal is Refusal.CODE_USED
    assert later.stand is not None
    assert counted(observer, "card_points_total") == {"qr": 2}
    refusals = counted(observer, "card_refusals_total")
    assert refusals == {"not_friend": 3, "code_used": 2}


@on_a_loop
async def test_a_point_waits_for_its_day_alone(engine: Engine) -> None:
    """Whoever becomes a friend tomorrow starts with nothing, and may scan then."""
    async with opened(engine, card()) as store:
        await store.run(scan, scanning())
        await store.run(befriend, coming(1, NOON + 12 * HOUR))
        assert await holders(store, engine) == []
        assert (await store.run(scan, scanning(at=NOON + 13 * HOUR))).refusal is None


@on_a_loop
async def test_who_blocked_the_shop_is_no_friend(engine: Engine) -> None:
    """A visit from before the block still counts once they come back the same day."""
    observer = Recorder()
    async with opened(engine, card(), observer=observer) as store:
        await befriended(store)
        await store.run(scan, scanning())
        await store.run(block, Leaving(user(1), NOON + HOUR))
        assert (await store.run(scan, scanning(at=NOON + HOUR))).pending
        await store.run(befriend, coming(1, NOON + 2 * HOUR))
        (held,) = await holders(store, engine)
    assert held.card.points == 1
    refusals = counted(observer, "card_refusals_total")
    assert refusals == {"not_friend": 1, "too_soon": 1}


@on_a_loop
async def test_the_platform_s_word_makes_a_friend_of_an_old_one(engine: Engine) -> None:
    """Who was a friend before our webhook was set gets the point at once."""
    async with opened(engine, card()) as store:
        await store.run(scan, scanning())
        word = Befriending(CAFE.id, user(1), "花子", "", "ja", NOON, seed(1))
        scanned = await store.run(confirm, word)
        assert (scanned.points, scanned.pending) == (1, False)
        again = await store.run(scan, scanning(at=NOON + DAY))
        (held,) = await holders(store, engine)
    assert (again.refusal, held.card.points, held.name) == (None, 2, "花子")


# --- printed codes ---

PRINTED = Code("printed", "acme-card")


def typed(pin: str = PIN, who: int = 1, at: int = NOON) -> Any:
    return scanning(PRINTED, who, at, pin)


@on_a_loop
async def test_a_printed_code_takes_the_pin_and_gives_one_a_day(engine: Engine) -> None:
    """The PIN may come from a Japanese keyboard."""
    observer = Recorder()
    async with opened(engine, printed(limit="none"), observer=observer) as store:
        await befriended(store)
        assert (await store.run(scan, typed("0000"))).refusal is Refusal.PIN_WRONG
        assert (await store.run(scan, typed(" ４６４９"))).refusal is None
        assert (await store.run(scan, typed(at=NOON + HOUR))).refusal is Refusal.TOO_SOON
        assert (await store.run(scan, typed(at=NOON + DAY))).points == 1
    assert counted(observer, "card_points_total") == {"printed": 2}
    assert counted(observer, "card_refusals_total") == {"pin_wrong": 1, "too_soon": 1}


@on_a_loop
async def test_five_wrong_pins_lock_one_phone_for_the_day(engine: Engine) -> None:
    """The right one comes too late there; others are not held up, and tomorrow is another day."""
    async with opened(engine, printed()) as store:
        await befriended(store, 1, 2)
        wrong = [await store.run(scan, typed(f"{n:04}")) for n in range(WRONG_PINS)]
        assert {result.refusal for result in wrong} == {Refusal.PIN_WRONG}
        assert (await store.run(scan, typed())).refusal is Refusal.PIN_LOCKED
        assert (await store.run(scan, typed(who=2))).refusal is None
        assert (await store.run(scan, typed(at=NOON + DAY))).refusal is None


@on_a_loop
async def test_a_pin_cannot_be_searched_for_by_many(sqlite: Engine) -> None:
    """After fifty wrong ones of all phones nobody gets anything by the printed code that day."""
    async with opened(sqlite, printed()) as store:
        await befriended(store, *range(12))
        wrong = [typed("0000", who) for who in range(11) for _ in range(WRONG_PINS)]
        refusals = Counter(result.refusal for result in await all_of(store, wrong))
        assert refusals[Refusal.PIN_WRONG] == WRONG_PINS_OF_ALL
        assert (await store.run(scan, typed(who=11))).refusal is Refusal.PIN_LOCKED


@on_a_loop
async def test_a_printed_code_gives_no_more_than_its_limit_a_day(engine: Engine) -> None:
    """However many come at once; strangers' points that wait are counted in."""
    async with opened(engine, printed(printed_a_day=3)) as store:
        await befriended(store, *range(1, 10))
        results = await all_of(store, [typed(who=who) for who in range(10)])
    assert sum(result.refusal is Refusal.PRINTED_LIMIT for result in results) == 7


@on_a_loop
async def test_a_card_without_printed_code_takes_none(sqlite: Engine) -> None:
    """Also where there was one before."""
    async with opened(sqlite, card()) as store:
        await befriended(store)
        assert (await store.run(scan, typed())).refusal is Refusal.CODE_EXPIRED


@on_a_loop
async def test_the_webhook_of_a_follow_brings_the_points(engine: Engine) -> None:
    """Told twice, as the platform may, it brings them once."""
    received = NOON + HOUR
    told = event("follow", (received - LINE_NOON) // SECOND, user=user(1))
    async with opened(engine, card()) as store:
        assert (await store.run(scan, scanning(code(points=2)))).pending
        for _ in range(2):
            await store.run(record, body(told, received_at=received))
        (held,) = await holders(store, engine)
    assert held.card.points == 2
