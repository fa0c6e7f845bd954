"""The page of a ticket: it shows, and never spends; the shop's PIN stamps once."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest

from adapters.http.pages.base import Pages
from adapters.http.pages.coupons import CouponPages
from adapters.storage.coupon_reader import CouponReader
from adapters.storage.store import SqlStore
from gateway.domain.coupons.coupon import Coupon, Lottery
from gateway.domain.values import EVERYBODY, SECOND, Counted
from gateway.ports import Route
from gateway.usecases import coupons
from tests.support.browser import Site, site
from tests.support.coupons import PIN, SALON, ask, asking, coupon, token_in
from tests.support.line import NOON
from tests.support.stores import Engine, dialect_of, on_a_loop

_replace = msgspec.structs.replace


def opened(engine: Engine, *held: Coupon) -> AbstractAsyncContextManager[Site]:
    """Pages of a shop with these coupons."""
    engine.provision(SALON, *held)
    reader = CouponReader(dialect_of(engine.name))

    def routes(store: SqlStore, pages: Pages) -> Sequence[Route]:
        return CouponPages(store, reader, pages, "https://gw.example.jp").routes()

    return site(engine, routes, NOON)


async def path_of(shop: Site, **wish: Any) -> str:
    """The path of a friend's page."""
    return f"/c/{token_in(await shop.store.run(ask, asking(**wish)))}"


def used(shop: Site) -> int:
    """How many stamps were counted."""
    facts = [fact for fact in shop.observer.facts if isinstance(fact, Counted)]
    return sum(fact.amount for fact in facts if fact.labels == ("used",))


@on_a_loop
async def test_a_friend_sees_what_they_hold(sqlite: Engine) -> None:
    """Title, shop, conditions, end, code and the field for the PIN; all of it escaped."""
    shown = coupon(
        title="<b>秋</b>",
        description="一行目\n<二行目>",
        usage="お一人様",
        image_url="https://i.example/a.png",
    )
    async with opened(sqlite, shown) as shop:
        path = await path_of(shop)
        page = await shop.get(path)
    token = path.removeprefix("/c/")
    assert page.status == 200
    for text in (
        "&lt;b&gt;秋&lt;/b&gt;",
        "Acme",
        "一行目<br>&lt;二行目&gt;",
        "お一人様",
        "2026年12月3日",
        f"{token[:3]}-{token[3:6]}-{token[6:9]}",
        'name="pin"',
        'src="https://i.example/a.png"',
        "ご利用いただけます",
        "<svg",
    ):
        assert text in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    policy = page.headers["Content-Security-Policy"]
    assert "img-src https://i.example;" in policy + ";"
    assert "unsafe" not in policy


@on_a_loop
async def test_showing_a_page_spends_nothing(sqlite: Engine) -> None:
    """However often it is opened, by whatever previews links, the ticket stays as it is."""
    async with opened(sqlite, coupon()) as shop:
        path = await path_of(shop)
        before = sqlite.rows("SELECT * FROM coupon_tickets")
        for _ in range(3):
            assert (await shop.get(f"{path}?pin={PIN}")).status == 200
        assert sqlite.rows("SELECT * FROM coupon_tickets") == before


@on_a_loop
async def test_the_page_speaks_english_too(sqlite: Engine) -> None:
    """By Accept-Language."""
    async with opened(sqlite, coupon()) as shop:
        page = await shop.get(await path_of(shop), Accept_Language="en")
    assert '<html lang="en">' in page.text
    assert "Ready to use" in page.text
    assert "Staff only" in page.text


@on_a_loop
async def test_the_pin_stamps_the_ticket(sqlite: Engine) -> None:
    """The page says so, now and later, and takes no second stamp."""
    async with opened(sqlite, coupon()) as shop:
        path = await path_of(shop)
        stamped = await shop.post(path, {"pin": PIN})
        assert (stamped.status, "使用済みにしました" in stamped.text) == (200, True)
        later = await shop.get(path)
        assert "使用済み（2026年11月3日" in later.text
        assert 'name="pin"' not in later.text
        again = await shop.post(path, {"pin": PIN})
        assert (again.status, used(shop)) == (409, 1)
        assert "使用済み（" in again.text
    assert shop.observer.refusals == [("pages", "coupon_stamp", "coupon_used")]


@on_a_loop
async def test_a_hundred_stamps_over_http_are_one(engine: Engine) -> None:
    """A hundred requests at once: one page says done, the others say used."""
    async with opened(engine, coupon()) as shop:
        path = await path_of(shop)
        answers = await asyncio.gather(*(shop.post(path, {"pin": PIN}) for _ in range(100)))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 99}
    assert used(shop) == 1


@on_a_loop
async def test_wrong_pins_are_refused_and_lock(sqlite: Engine) -> None:
    """Told on the page, which keeps its field; after five the right one has to wait, too, and the
    page says until when instead of asking.
    """
    async with opened(sqlite, coupon()) as shop:
        path = await path_of(shop)
        for ordinal in range(5):
            wrong = await shop.post(path, {"pin": "0000"})
            is_last = ordinal == 4
            assert (wrong.status, 'name="pin"' in wrong.text) == (403, not is_last)
            assert ("暗証番号が違います" in wrong.text) is not is_last
        shop.now += 1
        locked = await shop.post(path, {"pin": PIN})
        assert locked.status == 429
        for page in (wrong, locked, await shop.get(path)):
            assert "2026年11月3日(火) 12:10まで入力できません" in page.text
            assert "<form" not in page.text
        english = await shop.get(path, Accept_Language="en")
        assert "Try again after Nov 3, 2026, 12:10 (JST)." in english.text
        shop.now += 600 * SECOND
        assert (await shop.post(path, {"pin": PIN})).status == 200
    reasons = Counter(reason for _, _, reason in shop.observer.refusals)
    assert reasons == {"coupon_pin_wrong": 5, "coupon_pin_locked": 1}


@on_a_loop
async def test_the_end_of_a_lock_is_never_told_too_early(sqlite: Engine) -> None:
    """A time without seconds is the next full minute."""
    async with opened(sqlite, coupon()) as shop:
        path = await path_of(shop)
        shop.now += SECOND
        for _ in range(5):
            await shop.post(path, {"pin": "0000"})
        assert "12:11まで入力できません" in (await shop.get(path)).text


@on_a_loop
async def test_after_too_many_wrong_pins_a_shop_takes_none_that_day(sqlite: Engine) -> None:
    """The page says so instead of asking, for tickets that nobody has mistyped, too."""
    async with opened(sqlite, coupon()) as shop:
        for user in range(coupons.WRONG_PINS_OF_ALL // 5):
            path = await path_of(shop, user=user)
            for _ in range(5):
                assert (await shop.post(path, {"pin": "0000"})).status == 403
        locked = await shop.post(await path_of(shop, user=99), {"pin": PIN})
    assert locked.status == 429
    assert "本日は入力できません" in locked.text
    assert "<form" not in locked.text


@on_a_loop
async def test_a_coupon_without_a_description_has_no_gap(sqlite: Engine) -> None:
    """What a shop left out takes no place."""
    async with opened(sqlite, coupon()) as shop:
        assert "<p></p>" not in (await shop.get(await path_of(shop))).text


@on_a_loop
async def test_a_coupon_for_several_uses_is_stamped_with_praise(sqlite: Engine) -> None:
    """What went well does not look like a mistake, where the ticket stays open."""
    async with opened(sqlite, coupon(uses_per_ticket=2)) as shop:
        page = await shop.post(await path_of(shop), {"pin": PIN})
    assert '<p class="state good" role="alert">使用済みにしました' in page.text


@on_a_loop
async def test_a_stamp_after_the_end_is_named(sqlite: Engine) -> None:
    """410, on the page and as a problem document, each counted."""
    async with opened(sqlite, coupon()) as shop:
        path = await path_of(shop)
        shop.now = coupon().ends + 1
        assert "有効期限が切れました" in (await shop.get(path)).text
        late = await shop.post(path, {"pin": PIN})
        assert (late.status, "有効期限が切れました" in late.text) == (410, True)
        program = await shop.post(path, {"pin": PIN}, Accept="application/json")
        assert program.headers["Content-Type"] == "application/problem+json"
        assert (program.status, json.loads(program.text)["reason"]) == (410, "coupon_expired")
    assert [reason for *_, reason in shop.observer.refusals] == ["coupon_expired"] * 2
    assert used(shop) == 0


@on_a_loop
async def test_what_is_not_there_is_not_found(sqlite: Engine) -> None:
    """Unknown tokens, codes, and blanks of a lottery have no page, for showing and for stamping."""
    lots = coupon(id="lots", lottery=Lottery(1))
    async with opened(sqlite, coupon(), lots) as shop:
        token = (await path_of(shop)).removeprefix("/c/")
        for user in range(9):
            await shop.store.run(ask, asking("lots", user))
        rows = sqlite.rows("SELECT token FROM coupon_tickets WHERE state = 'lost'")
        for key in ("0" * 24, "x", token[:9], rows[0][0]):
            page = await shop.get(f"/c/{key}")
            assert (page.status, "見つかりません" in page.text) == (404, True)
            assert (await shop.post(f"/c/{key}", {"pin": PIN})).status == 404


@on_a_loop
async def test_bad_forms_are_named(sqlite: Engine) -> None:
    """A form without a PIN, and what is no form, are refused before the store is asked."""
    async with opened(sqlite, coupon()) as shop:
        path = await path_of(shop)
        assert (await shop.post(path, {"other": "1"})).status == 400
        assert (await shop.post(path, b"{}", Content_Type="application/json")).status == 400
        assert (await shop.post(path, {"pin": "9" * 5_000})).status == 413
        assert (await shop.post(path, {"pin": "9" * 100})).status == 403


@on_a_loop
async def test_a_removed_coupon_is_over(sqlite: Engine) -> None:
    """Its tickets are worth nothing from then on."""
    autumn = coupon()
    async with opened(sqlite, autumn) as shop:
        path = await path_of(shop)
        sqlite.provision(removed=[autumn])
        assert (await shop.post(path, {"pin": PIN})).status == 410
        assert (await shop.get(path)).status == 410


@pytest.mark.parametrize(("stamp", "pin"), [("staff", PIN), ("both", "")])
def test_without_a_pin_there_is_no_field(sqlite: Engine, stamp: str, pin: str) -> None:
    """Coupons for staff's devices, and shops without a PIN, show code and QR alone."""

    @on_a_loop
    async def looked_at() -> None:
        async with opened(sqlite, coupon(stamp=stamp)) as shop:
            sqlite.provision(_replace(SALON, staff_secret=pin))
            page = await shop.get(await path_of(shop))
            assert 'name="pin"' not in page.text
            assert "<svg" in page.text

    looked_at()


@on_a_loop
async def test_a_ticket_taken_back_says_so(sqlite: Engine) -> None:
    """Its page shows that it cannot be used, and stamping it is refused by name."""
    async with opened(sqlite, coupon()) as shop:
        path = await path_of(shop)
        ((ticket,),) = sqlite.rows("SELECT id FROM coupon_tickets")
        await shop.store.run(coupons.void, coupons.Correction(EVERYBODY, ticket, "token:1", NOON))
        assert "ご利用いただけません" in (await shop.get(path)).text
        assert (await shop.post(path, {"pin": PIN})).status == 410
