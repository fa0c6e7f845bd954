"""The stop page: one click stops a list whatever it looks like, and a look changes nothing."""

import asyncio
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.http.pages.mail_senders import about
from adapters.http.pages.stops import page_fields
from adapters.storage.store import SqlStore
from gateway.domain.effects import NEVER
from gateway.domain.mail.tokens import TRIAL, Named, sealed
from gateway.domain.values import EVERYBODY
from gateway.ports import Request
from gateway.usecases.mail import signups
from gateway.usecases.mail.signups import Ask
from tests.support.browser import Site
from tests.support.mail_lists import DAY, KEYS, NEWS, NOON, MailDesk
from tests.support.mail_pages import CAMPAIGN, Noted, away, campaign, opened_at
from tests.support.stores import Engine, on_a_loop

ONE_CLICK = "List-Unsubscribe=One-Click"
WHO = "a@b.example.com"


def path_of(desk: MailDesk, campaign_: int = 0, key: bytes = KEYS.stop) -> str:
    """The path of somebody who was just put on the list."""
    recipient = desk.add(WHO).recipient
    return f"/u/{sealed(Named(campaign_, recipient.id), key)}"


async def ask(shop: Site, method: str, path: str, data: Any = None, **headers: str) -> Any:
    """An answer as a mail program gets it, without following anything."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await shop.http.request(
        method, shop.url + path, data=data, headers=sent, allow_redirects=False
    )


@on_a_loop
async def test_one_click_stops_the_list_at_once(engine: Engine) -> None:
    """By either encoding, without cookie and redirect, again and again; and the sender hears it
    before the answer.
    """
    desk, noted = MailDesk(engine), Noted()
    path = path_of(desk)
    async with opened_at(engine, desk, noted) as shop:
        multipart = aiohttp.FormData(default_to_multipart=True)
        multipart.add_field("List-Unsubscribe", "One-Click")
        for data in ({"List-Unsubscribe": "One-Click"}, multipart):
            answer = await ask(shop, "POST", path, data)
            assert answer.status == 200
            assert "Set-Cookie" not in answer.headers
            assert answer.headers["Cache-Control"] == "no-store"
        assert [(each.list, each.topic) for each in noted.suppressions] == [(NEWS.id, "")] * 2
    ((stop,)) = desk.stops(WHO)
    assert (stop.list, stop.topic, stop.until, stop.source) == (NEWS.id, "", NEVER, "one_click")


@on_a_loop
async def test_a_look_changes_nothing(engine: Engine) -> None:
    """Scanners and previews open each link; the page names who sends, and asks."""
    desk = MailDesk(engine)
    path = path_of(desk)
    async with opened_at(engine, desk) as shop:
        page = await shop.get(path)
        assert page.status == 200
        for text in ("株式会社Acme", "配信を停止する", 'value="sale"', "mailto:info@acme.example"):
            assert text in page.text
        assert ">Stop<" in (await shop.get(path, Accept_Language="en")).text
        head = await ask(shop, "HEAD", path)
        assert (head.status, await head.read()) == (200, b"")
        assert (await ask(shop, "PUT", path)).status == 405
    assert desk.stops(WHO) == []


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", ""),
        (b"", "application/x-www-form-urlencoded"),
        (ONE_CLICK.encode(), "text/plain"),
        (b"\xff\xfe=%zz&&&", "application/x-www-form-urlencoded"),
        (b"a=1&a=2", "application/x-www-form-urlencoded"),
        (b"--x\r\nbroken", "multipart/form-data"),
        (b"{}", "application/json"),
        (f"page=1&topic=sale&{ONE_CLICK}".encode(), "application/x-www-form-urlencoded"),
    ],
)
def test_whatever_is_posted_stops_the_list(sqlite: Engine, data: bytes, kind: str) -> None:
    """Unless it is our own page that says otherwise."""

    async def post() -> None:
        desk = MailDesk(sqlite)
        path = path_of(desk)
        async with opened_at(sqlite, desk) as shop:
            answer = await ask(shop, "POST", path, data, Content_Type=kind)
            assert answer.status == 200
        assert [(each.topic, each.until) for each in desk.stops(WHO)] == [("", NEVER)]

    asyncio.run(post())


@on_a_loop
async def test_the_page_chooses_topic_and_day(engine: Engine) -> None:
    """What is chosen is stopped, and told; a day is one on Tokyo's clocks."""
    desk = MailDesk(engine)
    path = path_of(desk)
    async with opened_at(engine, desk) as shop:
        page = await shop.post(path, {"page": "1", "topic": "sale", "until": "2026-12-31"})
        assert page.status == 200
        assert "2026年12月31日まで、「sale」のメールは配信されません" in page.text
        assert "今後" not in page.text
        ((stop,)) = desk.stops(WHO)
        assert (stop.topic, stop.source) == ("sale", "page")
        assert stop.until == NOON + 58 * DAY + DAY // 2  # the midnight after that day
        page = await shop.post(path, {"page": "1", "topic": "", "until": "2026-12-01"})
        assert "2026年12月1日まで、このリストのメールは配信されません" in page.text
        assert "今後" not in page.text
        page = await shop.post(path, {"page": "1", "topic": "", "until": ""})
        assert "今後、このリストのメールは配信されません" in page.text
        assert {each.topic for each in desk.stops(WHO)} == {"sale", ""}


@on_a_loop
async def test_the_page_tells_what_stands(sqlite: Engine) -> None:
    """A stop until a day takes nothing from one for good."""
    desk = MailDesk(sqlite)
    path = path_of(desk)
    async with opened_at(sqlite, desk) as shop:
        await shop.post(path, {"page": "1", "until": ""})
        page = await shop.post(path, {"page": "1", "until": "2026-12-31"})
        assert "今後、このリストのメールは配信されません" in page.text
        assert "12月31日" not in page.text


@on_a_loop
async def test_a_day_that_is_over_is_asked_again(sqlite: Engine) -> None:
    """Nothing is stopped, and the page says what is wrong."""
    desk = MailDesk(sqlite)
    path = path_of(desk)
    async with opened_at(sqlite, desk) as shop:
        for day in ("2026-11-01", "soon", "9999-12-31", "2026-02-31"):
            page = await shop.post(path, {"page": "1", "until": day})
            assert (page.status, "日付は今日以降" in page.text) == (400, True)
        assert set(shop.observer.refusals) == {("pages", "mail_stop", "absurd_value")}
    assert desk.stops(WHO) == []


@on_a_loop
async def test_a_forged_token_is_none(sqlite: Engine) -> None:
    """Nor is one of another purpose; nobody learns of what there is."""
    desk = MailDesk(sqlite)
    path = path_of(desk)
    other = sealed(Named(0, 1), KEYS.click)
    async with opened_at(sqlite, desk) as shop:
        for forged in (path[:-1] + "_", path + "A", f"/u/{other}", "/u/x", "/u/%FF", "/u/é"):
            assert (await shop.get(forged)).status == 404
            assert (await shop.post(forged, {"List-Unsubscribe": "One-Click"})).status == 404
    assert desk.stops(WHO) == []


@on_a_loop
async def test_who_was_deleted_is_stopped_all_the_same(engine: Engine) -> None:
    """The next import must not bring them back; nor does one who never was break anything."""
    desk = MailDesk(engine)
    path = path_of(desk)
    found = desk.find(WHO)
    assert found is not None
    with desk.transaction() as tx:
        tx.mail.recipients.delete(EVERYBODY, (found.id,), NOON)
    async with opened_at(engine, desk) as shop:
        assert "株式会社Acme" in (await shop.get(path)).text
        assert (await shop.post(path, b"")).status == 200
        nobody = f"/u/{sealed(Named(0, 12345), KEYS.stop)}"
        assert (await shop.get(nobody)).status == 200
        assert (await shop.post(nobody, b"")).status == 200
    assert len(desk.stops(WHO)) == 1


@on_a_loop
async def test_the_mail_that_asks_to_confirm_is_stopped_by_a_page_that_names_the_sender(
    engine: Engine,
) -> None:
    """Who never heard of the list learns whose mail it was."""
    desk = MailDesk(engine)
    wish = Ask(NEWS.id, WHO, "a network", "form", "https://gw", NOON, desk.seed(2), KEYS)
    assert desk.run(signups.ask, wish) == "asked"
    ((signup,),) = engine.rows("SELECT id FROM mail_signups")
    path = f"/u/{sealed(Named(0, signup), KEYS.stop)}"
    async with opened_at(engine, desk) as shop:
        assert "「株式会社Acme」からのメール配信を停止します" in (await shop.get(path)).text
        assert "株式会社Acme" in (await shop.post(path, {"page": "1"})).text
    assert len(desk.stops(WHO)) == 1


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ('https://acme.example/ask?a=1&b="', 'href="https://acme.example/ask?a=1&amp;b=&quot;"'),
        ("info@acme.example", 'href="mailto:info@acme.example"'),
        ("03-1234-5678", "お問い合わせ: 03-1234-5678<"),
        ("javascript:alert(1)", "お問い合わせ: javascript:alert(1)<"),
        ("https://a.example (平日)", "お問い合わせ: https://a.example (平日)<"),
    ],
)
def test_where_to_ask_is_a_link_where_it_can_be_followed(contact: str, shown: str) -> None:
    """An address of the web or of mail, and nothing else."""
    assert shown in about("ja", msgspec.structs.replace(NEWS, contact=contact))


@on_a_loop
async def test_the_link_of_a_trial_works_and_stops_nobody(engine: Engine) -> None:
    """Looked at, pressed, or by one click of a mail program: it says that it was a trial."""
    desk, noted = MailDesk(engine), Noted()
    desk.add(WHO)
    path = f"/u/{sealed(TRIAL, KEYS.stop)}"
    async with opened_at(engine, desk, noted) as shop:
        for page in (await shop.get(path), await shop.post(path, {"page": "1", "until": "x"})):
            assert page.status == 200
            assert "テスト配信" in page.text
        assert "a trial" in (await shop.get(path, Accept_Language="en")).text
        answer = await ask(shop, "POST", path, {"List-Unsubscribe": "One-Click"})
        assert answer.status == 200
        assert (await ask(shop, "HEAD", path)).status == 200
    assert noted.suppressions == []
    assert engine.rows("SELECT count(*) FROM mail_suppressions") == [(0,)]


@on_a_loop
async def test_a_campaign_counts_who_stopped_because_of_it(sqlite: Engine) -> None:
    """Each once, however often the button is pressed."""
    desk = MailDesk(sqlite)
    campaign(desk)
    path = path_of(desk, CAMPAIGN)
    async with opened_at(sqlite, desk) as shop:
        for _ in range(3):
            assert (await shop.post(path, b"")).status == 200
    rows = sqlite.rows("SELECT amount FROM mail_figures WHERE name = 'stop'")
    assert rows == [(1,)]


@on_a_loop
async def test_without_the_store_nobody_is_told_it_is_done(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, and mail programs come again."""
    desk, noted = MailDesk(sqlite), Noted()
    path = path_of(desk)
    async with opened_at(sqlite, desk, noted) as shop:
        monkeypatch.setattr(SqlStore, "run", away)
        assert (await shop.post(path, {"List-Unsubscribe": "One-Click"})).status == 503
        assert (await ask(shop, "POST", path, ONE_CLICK)).status == 503
    assert noted.suppressions == []


@on_a_loop
async def test_a_huge_body_is_too_much(sqlite: Engine) -> None:
    """Within the limit anything goes, beyond it nothing."""
    desk = MailDesk(sqlite)
    path = path_of(desk)
    async with opened_at(sqlite, desk) as shop:
        assert (await shop.post(path, b"x" * 70_000)).status == 413
        assert desk.stops(WHO) == []
        assert (await shop.post(path, b"x" * 60_000)).status == 200


_KINDS = st.sampled_from(
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "text/plain"]
) | st.text(max_size=30)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300) | st.text(max_size=80).map(str.encode), _KINDS)
def test_no_body_breaks_the_reading_of_the_page(body: bytes, kind: str) -> None:
    """It gives our page's fields, or none."""
    headers = CIMultiDict({"Content-Type": kind})
    fields = page_fields(Request("POST", "/u/x", "", headers, body, NOON, "r"))
    assert not fields or "page" in fields
    assert "List-Unsubscribe" not in fields
