"""Short links as people, previews and LINE ask for them."""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest

from adapters.http.pages.base import Pages, source_of
from adapters.http.pages.bounds import MOST_OF_ALL, MOST_OF_ONE, Bounds
from adapters.http.pages.landing import Landing
from adapters.http.pages.links import _SCRIPT, LinkPages
from adapters.storage.links import LinkReader
from adapters.storage.store import SqlStore
from gateway.domain.line.channel import Channel
from gateway.domain.links import Code, Link
from gateway.domain.values import SECOND, Counted, Ids, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Route
from gateway.usecases import links
from tests.support.audience import NOON, SHOP, Following, follow, friend, user_of
from tests.support.browser import Shown, Site, site
from tests.support.stores import Engine, dialect_of, on_a_loop

MENU = Link("menu", "acme", "https://shop.example.jp/menu?a=1&b=2")
FLYER = Link("flyer", "acme", "https://line.me/R/ti/p/@acme", SHOP.id, "entry", ("by-flyer",))
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Mobile/15E148 Safari Line/14.9.0"
)
PREVIEW = "facebookexternalhit/1.1;line-poker/1.0"


class Named:
    """Stands for LINE Login: a token is the number of whom it was given to."""

    async def verify(self, id_token: str, login_channel_id: str) -> str:
        assert login_channel_id == SHOP.login_channel_id
        if not id_token.isdigit():
            raise Refused(Refusal.ID_TOKEN_INVALID)
        return user_of(int(id_token))


def opened(engine: Engine, channel: Channel = SHOP) -> AbstractAsyncContextManager[Site]:
    """Links of a shop."""
    engine.provision(channel, MENU, FLYER)
    reader = LinkReader(dialect_of(engine.name))

    def routes(store: SqlStore, pages: Pages) -> Sequence[Route]:
        shown = LinkPages(store, reader, pages, Ids(3), Named())
        return [*shown.routes(), *Landing(pages, {"/r": shown.channel}).routes()]

    return site(engine, routes, NOON)


async def path_of(shop: Site, engine: Engine, link: str = "menu") -> str:
    """The path of a link's printed code."""
    job = links.Coding((link,), NOON, Seed(0, 0, f"a secret of {link}".encode()))
    await shop.store.run(links.give_codes, job)
    rows = engine.rows(f"SELECT code FROM link_codes WHERE link = '{link}'")
    return f"/r/{rows[0][0]}"


async def ask(shop: Site, method: str, path: str, agent: str = IPHONE, **more: Any) -> Any:
    """An answer, without following where it leads."""
    further = {name.replace("_", "-"): value for name, value in more.items()}
    headers = {"User-Agent": agent, "Accept": "text/html", **further}
    return await shop.http.request(method, shop.url + path, headers=headers, allow_redirects=False)


async def inside(shop: Site, path: str, **body: Any) -> Shown:
    """What the page's script is told for what it sends."""
    return await shop.post(path, json.dumps(body), Content_Type="application/json", Accept="*/*")


def kinds(shop: Site) -> list[str]:
    """What was counted of visits, in order."""
    return [
        fact.labels[0]
        for fact in shop.observer.facts
        if isinstance(fact, Counted) and fact.metric == "link_clicks_total"
    ]


@on_a_loop
async def test_a_person_is_led_to_what_was_provisioned(engine: Engine) -> None:
    """By 302, kept by no cache, with no trace of the code for whom it leads to."""
    async with opened(engine) as shop:
        path = await path_of(shop, engine)
        answer = await ask(shop, "GET", path)
        assert answer.status == 302
        assert answer.headers["Location"] == MENU.url
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        answer = await ask(shop, "GET", f"{path}?url=https://evil.example/&next=//evil.example")
        assert answer.headers["Location"] == MENU.url
        assert kinds(shop) == ["person", "person"]


@on_a_loop
async def test_previews_and_heads_are_counted_apart(engine: Engine) -> None:
    """They are led on like people, and are none."""
    async with opened(engine) as shop:
        path = await path_of(shop, engine)
        for method, agent, more in (
            ("HEAD", IPHONE, {}),
            ("GET", PREVIEW, {}),
            ("GET", IPHONE, {"Sec-Purpose": "prefetch"}),
        ):
            answer = await ask(shop, method, path, agent, **more)
            assert (answer.status, answer.headers["Location"]) == (302, MENU.url)
        assert kinds(shop) == ["bot", "bot", "bot"]
    assert engine.rows("SELECT people, bots FROM link_days") == [(0, 3)]


@on_a_loop
async def test_what_is_repeated_is_led_on_and_not_recorded(sqlite: Engine) -> None:
    """Of one address so many a minute, of each code so many of all; the rest costs no writer."""
    async with opened(sqlite) as shop:
        path = await path_of(shop, sqlite)
        for of_whom, visits, recorded in (("a", 40, 30), ("forged, b", 40, 30), ("b", 5, 0)):
            before = kinds(shop).count("person")
            for _ in range(visits):
                answer = await ask(shop, "GET", path, X_Forwarded_For=of_whom)
                assert (answer.status, answer.headers["Location"]) == (302, MENU.url)
            assert kinds(shop).count("person") - before == recorded
        assert kinds(shop).count("unrecorded") == 25
        shop.now += 60 * SECOND
        await ask(shop, "GET", path, X_Forwarded_For="a")
    assert sqlite.rows("SELECT people, bots FROM link_days") == [(61, 0)]
    assert sqlite.rows("SELECT count(*) FROM link_clicks") == [(61,)]


@on_a_loop
async def test_who_tries_out_codes_does_not_reach_the_writer(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither with codes that there are not, nor with what is no code, nor with too many visits."""
    async with opened(sqlite) as shop:
        path = await path_of(shop, sqlite)
        for _ in range(MOST_OF_ONE):
            await ask(shop, "GET", path, X_Forwarded_For="a")

        async def refuse(*_: Any) -> None:
            raise AssertionError("the writer was asked")

        monkeypatch.setattr(shop.store, "run", refuse)
        for unknown in ("/r/0123456789", "/r/a", "/r/" + "a" * 150):
            assert (await ask(shop, "GET", unknown)).status == 404
        assert (await ask(shop, "GET", path, X_Forwarded_For="a")).status == 302


def test_a_code_has_its_bound_whoever_comes() -> None:
    """A friend's own a small one, one that many have a large one; programs take nobody's place."""
    own, printed = Code("own0000", "menu", "acme", "push:1", 7), Code("all00000", "menu", "acme")
    for code, most in ((own, MOST_OF_ONE), (printed, MOST_OF_ALL)):
        bounds = Bounds()
        taken = [bounds.take(code, "person", f"10.{n}", NOON) for n in range(MOST_OF_ALL + 5)]
        assert (sum(taken), all(taken[:most])) == (most, True)
        assert bounds.take(code, "bot", "10.0", NOON)
        assert bounds.take(code, "person", "", NOON + 60 * SECOND)


@on_a_loop
async def test_an_unknown_code_is_a_page_that_says_so(engine: Engine) -> None:
    """Of any form; nothing is counted but the refusal."""
    async with opened(engine) as shop:
        for path in ("/r/0123456789", "/r/a", "/r/%2e%2e", "/r/" + "a" * 150):
            page = await shop.get(path, Accept_Language="ja")
            assert page.status == 404
            assert "ページが見つかりません" in page.text
        gone = await shop.get("/r/0123456789", Accept="*/*")
        assert json.loads(gone.text)["reason"] == "unknown_code"
        assert ("pages", "link", Refusal.UNKNOWN_CODE) in shop.observer.refusals
        assert kinds(shop) == []


@on_a_loop
async def test_an_entry_link_asks_line_who_comes(engine: Engine) -> None:
    """Its page runs one script of ours and LIFF's, and has a way on without either."""
    async with opened(engine) as shop:
        path = await path_of(shop, engine, "flyer")
        page = await shop.get(path, User_Agent=IPHONE)
        assert page.status == 200
        assert f'data-liff="{SHOP.liff_id}"' in page.text
        assert f'data-next="{FLYER.url}"' in page.text
        assert f'<a class="button" href="{FLYER.url}">友だちに追加</a>' in page.text
        policy = page.headers["Content-Security-Policy"]
        assert source_of(_SCRIPT) in policy
        assert "https://static.line-scdn.net/liff/" in policy
        assert "unsafe" not in policy
        english = await shop.get(path, User_Agent=IPHONE, Accept_Language="en")
        assert "Add as a friend" in english.text
        preview = await ask(shop, "GET", path, PREVIEW)
        assert preview.headers["Location"] == FLYER.url
        landed = await shop.get(f"/?liff.state={path}")
        assert (landed.status, f'data-liff="{SHOP.liff_id}"' in landed.text) == (200, True)


@on_a_loop
async def test_who_comes_by_a_flyer_is_known_by_line_s_word_alone(engine: Engine) -> None:
    """A verified token is remembered until the follow; a userId that a client sends is refused."""
    async with opened(engine) as shop:
        path = await path_of(shop, engine, "flyer")
        told = await inside(shop, path, id_token="1")
        assert json.loads(told.text) == {"is_friend": False, "url": FLYER.url}
        for body, status, reason in (
            ({"id_token": "1", "userId": user_of(2)}, 400, "client_claimed_user"),
            ({"id_token": "forged"}, 403, "id_token_invalid"),
            ({}, 400, "invalid_field"),
        ):
            refused = await inside(shop, path, **body)
            assert (refused.status, json.loads(refused.text)["reason"]) == (status, reason)
        for number in (1, 2):
            known = friend(number, followed_at=NOON)
            new = Following(known, Seed(100 + number, 1, b"a secret of tests"))
            await shop.store.run(follow, new)
        again = await inside(shop, path, id_token="1")
        assert json.loads(again.text)["is_friend"] is True
    assert engine.rows("SELECT id, entry FROM line_friends ORDER BY id") == [(1, "flyer"), (2, "")]
    assert engine.rows("SELECT friends FROM link_days") == [(1,)]


@on_a_loop
async def test_without_a_login_channel_an_entry_link_only_leads_on(sqlite: Engine) -> None:
    """Nobody is guessed: visits are counted, and that is all."""
    plain = msgspec.structs.replace(SHOP, login_channel_id="")
    async with opened(sqlite, plain) as shop:
        path = await path_of(shop, sqlite, "flyer")
        answer = await ask(shop, "GET", path)
        assert (answer.status, answer.headers["Location"]) == (302, FLYER.url)
        refused = await inside(shop, path, id_token="1")
        assert (refused.status, json.loads(refused.text)["reason"]) == (404, "unknown_code")
        short = await inside(shop, await path_of(shop, sqlite), id_token="1")
        assert short.status == 404
        assert kinds(shop) == ["person"]
