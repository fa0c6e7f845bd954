"""The links and pictures of mails: they lead where the mail says, and count people alone."""

from typing import Any

import pytest

from adapters.http.pages.bounds import MOST_OF_ONE
from adapters.http.pages.mail_links import PICTURE, clicked
from adapters.storage.store import SqlStore
from gateway.domain.mail.tokens import Named, sealed
from gateway.domain.values import Counted
from gateway.errors import Refused
from tests.support.browser import Site
from tests.support.mail_lists import KEYS, MailDesk
from tests.support.mail_pages import CAMPAIGN, LINKS, away, campaign, opened_at
from tests.support.stores import Engine, on_a_loop

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
TOKEN = sealed(Named(CAMPAIGN, 5), KEYS.click)
OPENED = sealed(Named(CAMPAIGN, 5), KEYS.open)


async def ask(shop: Site, method: str, path: str, agent: str = IPHONE, **more: str) -> Any:
    """An answer, without following where it leads."""
    headers = {"User-Agent": agent, **{name.replace("_", "-"): v for name, v in more.items()}}
    return await shop.http.request(method, shop.url + path, headers=headers, allow_redirects=False)


def counted(shop: Site) -> list[str]:
    """What was counted of responses, in order."""
    return [
        fact.labels[0]
        for fact in shop.observer.facts
        if isinstance(fact, Counted) and fact.metric == "mail_responses_total"
    ]


def figures(engine: Engine) -> dict[str, int]:
    """The campaign's figures."""
    return dict(engine.rows("SELECT name, amount FROM mail_figures ORDER BY name"))


@on_a_loop
async def test_a_link_leads_to_what_the_mail_says(engine: Engine) -> None:
    """By its number, kept by no cache; nothing of the request has a say in it."""
    desk = MailDesk(engine)
    campaign(desk)
    async with opened_at(engine, desk) as shop:
        for path, url in (
            (f"/m/{TOKEN}-0", LINKS[0]),
            (f"/m/{TOKEN}-1?url=https://evil.example/&next=//evil.example", LINKS[1]),
            (f"/m/{sealed(Named(CAMPAIGN, 6, 1), KEYS.click)}", LINKS[1]),
        ):
            answer = await ask(shop, "GET", path)
            assert (answer.status, answer.headers["Location"]) == (302, url)
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert counted(shop) == ["click"] * 3
    assert figures(engine) == {"click": 3, "clickers": 2}


@on_a_loop
async def test_programs_are_led_on_and_not_counted(sqlite: Engine) -> None:
    """HEAD, previews, scanners and what is fetched ahead."""
    desk = MailDesk(sqlite)
    campaign(desk)
    async with opened_at(sqlite, desk) as shop:
        for method, agent, more in (
            ("HEAD", IPHONE, {}),
            ("GET", "SomeScanner/1.0", {}),
            ("GET", "", {}),
            ("GET", IPHONE, {"Sec_Purpose": "prefetch"}),
        ):
            answer = await ask(shop, method, f"/m/{TOKEN}-0", agent, **more)
            assert (answer.status, answer.headers["Location"]) == (302, LINKS[0])
        assert counted(shop) == ["bot"] * 4
    assert figures(sqlite) == {}


@on_a_loop
async def test_a_picture_counts_an_opening(engine: Engine) -> None:
    """Fetched by mail programs' proxies, too, which is why the figure is unreliable."""
    desk = MailDesk(engine)
    campaign(desk)
    async with opened_at(engine, desk) as shop:
        for agent in (IPHONE, "Mozilla/5.0 (via ggpht.com GoogleImageProxy)", ""):
            answer = await ask(shop, "GET", f"/o/{OPENED}", agent)
            assert (answer.status, await answer.read()) == (200, PICTURE)
            assert answer.headers["Content-Type"] == "image/gif"
            assert answer.headers["Cache-Control"] == "no-store"
        assert (await ask(shop, "HEAD", f"/o/{OPENED}")).status == 200
        assert counted(shop) == ["open", "open", "open", "bot"]
    assert figures(engine) == {"open": 3, "openers": 1}


@on_a_loop
async def test_what_is_repeated_is_not_recorded(sqlite: Engine) -> None:
    """So many a minute of one recipient; the rest costs no writer."""
    desk = MailDesk(sqlite)
    campaign(desk)
    async with opened_at(sqlite, desk) as shop:
        for _ in range(MOST_OF_ONE + 5):
            assert (await ask(shop, "GET", f"/m/{TOKEN}-0")).status == 302
        assert counted(shop).count("unrecorded") == 5
    assert figures(sqlite)["click"] == MOST_OF_ONE


@on_a_loop
async def test_links_lead_on_while_nothing_can_be_written(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read beside the writer."""
    desk = MailDesk(sqlite)
    campaign(desk)

    async with opened_at(sqlite, desk) as shop:
        monkeypatch.setattr(SqlStore, "run", away)
        answer = await ask(shop, "GET", f"/m/{TOKEN}-1")
        assert (answer.status, answer.headers["Location"]) == (302, LINKS[1])
        assert (await ask(shop, "GET", f"/o/{OPENED}")).status == 200
        assert counted(shop) == ["unrecorded"] * 2


@on_a_loop
async def test_what_is_no_link_leads_nowhere(sqlite: Engine) -> None:
    """Forged, of another purpose, of no campaign, or beyond the mail's links."""
    desk = MailDesk(sqlite)
    campaign(desk)
    async with opened_at(sqlite, desk) as shop:
        for path in (
            f"/m/{TOKEN}-2",
            f"/m/{TOKEN[:-1]}_-0",
            f"/m/{OPENED}-0",
            f"/o/{TOKEN}",
            f"/m/{sealed(Named(0, 5), KEYS.click)}",
            f"/o/{sealed(Named(99, 5), KEYS.open)}",
            "/m/x",
            "/o/é",
        ):
            assert (await ask(shop, "GET", path)).status == 404, path
    assert figures(sqlite) == {}


@pytest.mark.parametrize("end", ["-", "-x", "x", "-00000", "-99999", "-1-1", "-１", "--1", "-+1"])
def test_a_number_is_a_small_one(end: str) -> None:
    """Written in ASCII, in at most five digits."""
    if end == "-00000":
        assert clicked(TOKEN + end, KEYS).link == 0
        return
    with pytest.raises(Refused):
        clicked(TOKEN + end, KEYS)
