"""The page of a survey: it asks, takes the answers once, and believes nobody's word but LINE's."""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from adapters.http.pages.base import Pages, source_of
from adapters.http.pages.survey_views import _SUBMIT
from adapters.http.pages.surveys import SurveyPages
from adapters.storage.store import SqlStore
from adapters.storage.survey_reader import SurveyReader
from gateway.domain.line.channel import Channel
from gateway.domain.surveys import Survey
from gateway.domain.values import Ids
from gateway.errors import Refusal, Refused
from gateway.ports import Route
from tests.support.browser import Shown, Site, site
from tests.support.coupons import coupon
from tests.support.line import NOON
from tests.support.stores import Engine, dialect_of, on_a_loop
from tests.support.surveys import LIFF_SHOP, do, survey, token_in, user, wish


class Named:
    """Stands for LINE Login: a token is the number of whom it was given to."""

    async def verify(self, id_token: str, login_channel_id: str) -> str:
        assert login_channel_id == LIFF_SHOP.login_channel_id
        if not id_token.isdigit():
            raise Refused(Refusal.ID_TOKEN_INVALID)
        return user(int(id_token))


def opened(
    engine: Engine, *held: Survey, channel: Channel = LIFF_SHOP
) -> AbstractAsyncContextManager[Site]:
    """Pages of a shop with these surveys."""
    engine.provision(channel, *held)
    reader = SurveyReader(dialect_of(engine.name))

    def routes(store: SqlStore, pages: Pages) -> Sequence[Route]:
        return SurveyPages(store, reader, pages, Ids(3), Named()).routes()

    return site(engine, routes, NOON)


async def path_of(shop: Site, number: int = 0) -> str:
    """The path of a friend's page."""
    return f"/q/{token_in(await shop.store.run(do, wish(number=number)))}"


async def inside(shop: Site, path: str, **body: Any) -> Shown:
    """What LIFF's page gets for what it sends."""
    return await shop.post(path, json.dumps(body), Content_Type="application/json", Accept="*/*")


@on_a_loop
async def test_a_page_asks_all_questions(sqlite: Engine) -> None:
    """Escaped, with a field for each option, and no script."""
    asked = survey(title="<b>秋</b>")
    async with opened(sqlite, asked) as shop:
        page = await shop.get(await path_of(shop))
        english = await shop.get(await path_of(shop), Accept_Language="en")
    assert page.status == 200
    for text in (
        "&lt;b&gt;秋&lt;/b&gt;",
        '<input type="radio" name="taste" value="good" required>',
        '<input type="checkbox" name="dishes/fish" value="fish">',
        '<textarea name="wish" rows="3" maxlength="20"',
        "お味は",
        "回答を送る",
    ):
        assert text in page.text
    assert "<script" not in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "required" in english.text
    assert ">Send<" in english.text


@on_a_loop
async def test_a_page_is_sent_once(engine: Engine) -> None:
    """Thanks, now and whenever the page is opened again; a second form is told it is one."""
    async with opened(engine, survey()) as shop:
        path = await path_of(shop)
        fields = {"taste": "good", "dishes/rice": "rice", "dishes/fish": "fish", "wish": ""}
        done = await shop.post(path, fields)
        assert (done.status, "ありがとうございました" in done.text) == (200, True)
        assert "ありがとうございました" in (await shop.get(path)).text
        again = await shop.post(path, fields)
        assert (again.status, "すでにご回答" in again.text) == (409, True)
    rows = engine.rows("SELECT question, option FROM survey_answers ORDER BY question, option")
    assert rows == [("dishes", "fish"), ("dishes", "rice"), ("taste", "good")]
    assert shop.observer.refusals == [("pages", "survey_answer", "survey_answered")]


@on_a_loop
async def test_an_incomplete_form_comes_back_as_it_was(sqlite: Engine) -> None:
    """With what was written, marked where something is wrong; nothing is kept."""
    async with opened(sqlite, survey()) as shop:
        path = await path_of(shop)
        back = await shop.post(path, {"dishes/soup": "soup", "wish": "</textarea><b>"})
        assert back.status == 400
        assert 'aria-invalid="true"><legend class="bad">お味は' in back.text
        assert 'value="soup" checked' in back.text
        assert "\n&lt;/textarea&gt;&lt;b&gt;</textarea>" in back.text
        assert (await shop.post(path, {"taste": "good", "x": "1"})).status == 400
        assert (await shop.post(path, b"taste", Content_Type="text/plain")).status == 400
    assert sqlite.rows("SELECT count(*) FROM survey_answers") == [(0,)]


@on_a_loop
async def test_what_was_chosen_in_the_chat_is_there(sqlite: Engine) -> None:
    """The page goes on where the chat stopped, in the middle of a question, too."""
    async with opened(sqlite, survey(way="chat")) as shop:
        await shop.store.run(do, wish("gw/survey/autumn/taste/bad"))
        await shop.store.run(do, wish("gw/survey/autumn/dishes/soup"))
        ((token,),) = sqlite.rows("SELECT token FROM survey_sessions")
        page = await shop.get(f"/q/{token}")
    assert 'value="bad" checked' in page.text
    assert 'value="soup" checked' in page.text
    assert page.text.count(" checked") == 2


@on_a_loop
async def test_a_page_outside_its_time_is_over(sqlite: Engine) -> None:
    """410 before and after; a survey that was taken away is not found."""
    asked = survey()
    async with opened(sqlite, asked) as shop:
        path = await path_of(shop)
        for shop.now in (asked.starts - 1, asked.ends + 1):
            assert (await shop.get(path)).status == 410
            assert (await shop.get("/q/autumn")).status == 410
            assert (await shop.post(path, {"taste": "good"})).status == 410
        shop.now = asked.ends
        sqlite.provision(removed=[asked])
        assert (await shop.post(path, {"taste": "good"})).status == 404
        assert (await shop.get(path)).status == 404


@on_a_loop
async def test_thanks_lead_to_a_coupon(sqlite: Engine) -> None:
    """On the page that follows, and on the same page later."""
    sqlite.provision(coupon(id="thanks"))
    thanks = ({"type": "coupon", "coupon": "thanks"},)
    async with opened(sqlite, survey(thanks=thanks)) as shop:
        path = await path_of(shop)
        for page in (await shop.post(path, {"taste": "good"}), await shop.get(path)):
            assert 'href="https://gw.example.jp/c/' in page.text


# --- inside LINE ---


@on_a_loop
async def test_inside_line_everybody_has_one_address(sqlite: Engine) -> None:
    """Its script is the only one beside LINE's own; without LIFF there is no such page."""
    async with opened(sqlite, survey()) as shop:
        page = await shop.get("/q/autumn")
        policy = page.headers["Content-Security-Policy"]
        assert f'data-liff="{LIFF_SHOP.liff_id}"' in page.text
        assert source_of(_SUBMIT) in policy
        assert "https://static.line-scdn.net/liff/" in policy
        sqlite.provision(msgspec.structs.replace(LIFF_SHOP, liff_id=""))
        await shop.store.run(lambda tx, _: (None, ()), None)  # takes up what was provisioned
        assert (await shop.get("/q/autumn")).status == 404


@on_a_loop
async def test_who_answers_line_says(sqlite: Engine) -> None:
    """The answers are those of whom the ID token was given to, once."""
    async with opened(sqlite, survey()) as shop:
        await shop.store.run(do, wish("unknown", 7))  # a friend
        answers = {"taste": "good", "dishes": ["rice"]}
        done = await inside(shop, "/q/autumn", id_token="7", answers=answers)
        assert done.status == 200
        assert "ありがとうございました" in json.loads(done.text)["html"]
        again = await inside(shop, "/q/autumn", id_token="7", answers=answers)
        assert (again.status, json.loads(again.text)["reason"]) == (409, "survey_answered")
        assert "すでにご回答" in json.loads(again.text)["html"]
    ((friend,),) = sqlite.rows("SELECT DISTINCT friend FROM survey_answers")
    assert sqlite.rows(f"SELECT user FROM line_friends WHERE id = {friend}") == [(user(7),)]


@on_a_loop
async def test_nobody_says_themselves_who_they_are(sqlite: Engine) -> None:
    """Wrong tokens, claimed names, strangers and others' pages are refused by name."""
    async with opened(sqlite, survey()) as shop:
        path = await path_of(shop, 1)
        right = {"id_token": "1", "answers": {"taste": "good"}}
        for changed, at, status, reason in (
            ({"id_token": "x"}, "/q/autumn", 403, "id_token_invalid"),
            ({"userId": user(1)}, "/q/autumn", 400, "client_claimed_user"),
            ({"id_token": 1}, "/q/autumn", 400, "invalid_field"),
            ({"answers": []}, "/q/autumn", 400, "invalid_field"),
            ({"answers": {"taste": "great"}}, "/q/autumn", 400, "survey_invalid"),
            ({"id_token": "9"}, "/q/autumn", 403, "not_friend"),
            ({"id_token": "9"}, path, 404, "not_found"),
            ({}, "/q/unknown", 404, "not_found"),
        ):
            answer = await inside(shop, at, **{**right, **changed})
            assert (answer.status, json.loads(answer.text)["reason"]) == (status, reason)
        for body in (b"{", b'{"id_token": "\\ud800"}', b"[" * 100_000):
            bad = await shop.post(path, body, Content_Type="application/json", Accept="*/*")
            assert (bad.status, json.loads(bad.text)["reason"]) == (400, "not_json")
        assert (await inside(shop, path, **right)).status == 200
    assert sqlite.rows("SELECT count(*) FROM survey_answers") == [(1,)]
