"""Sign-ups by form: the same answer to everybody, and nobody is on a list who did not confirm."""

import re

import msgspec
import pytest
from multidict import CIMultiDict

from adapters.http.pages.visits import peer_of
from adapters.storage.store import SqlStore
from gateway.domain.mail.signups import CONFIRM_SECONDS, network_of
from gateway.domain.values import SECOND, Counted
from gateway.ports import Request
from tests.support.browser import Site
from tests.support.mail_lists import CLUB, KEYS, NEWS, MailDesk
from tests.support.mail_pages import away, opened_at
from tests.support.stores import Engine, on_a_loop

PATH = f"/s/{NEWS.id}"
WHO = "a@b.example.com"


def mailed(engine: Engine) -> list[dict[str, str]]:
    """What was to be mailed, oldest first."""
    return [
        msgspec.json.decode(payload)
        for (payload,) in engine.rows(
            "SELECT payload FROM outbox WHERE kind = 'mail.single' ORDER BY id"
        )
    ]


def link_in(mail: dict[str, str]) -> str:
    """The path that a mail asks to open."""
    found = re.search(r"https://gw\.example\.jp(/s/\S+)", mail["text"])
    assert found is not None
    return found[1]


def results(shop: Site) -> list[str]:
    """What was counted of sign-ups, in order."""
    return [
        fact.labels[0]
        for fact in shop.observer.facts
        if isinstance(fact, Counted) and fact.metric == "mail_signups_total"
    ]


@on_a_loop
async def test_a_sign_up_is_confirmed_by_a_mail(engine: Engine) -> None:
    """The form shows the notice, the mail a link, the link a button; only the button counts."""
    desk = MailDesk(engine)
    async with opened_at(engine, desk) as shop:
        page = await shop.get(PATH)
        assert page.status == 200
        for text in (NEWS.notice, NEWS.sender_name, NEWS.sender_address, NEWS.contact):
            assert text in page.text
        assert (await shop.post(PATH, {"address": WHO})).status == 200
        (mail,) = mailed(engine)
        assert mail["address"] == WHO
        link = link_in(mail)
        for _ in range(2):
            assert "登録を確定する" in (await shop.get(link)).text
        assert desk.find(WHO) is None
        done = await shop.post(link, b"", Content_Type="application/x-www-form-urlencoded")
        assert (done.status, "登録が完了しました" in done.text) == (200, True)
        assert "登録が完了しました" in (await shop.post(link, b"")).text
        assert "登録が完了しました" in (await shop.get(link)).text
        assert results(shop) == ["asked", "confirmed"]
    assert desk.find(WHO) is not None
    (consent,) = desk.consents(WHO)
    assert (consent.how, consent.notice) == ("form", NEWS.notice_version)
    assert consent.evidence.count("https://gw.example.jp/s/acme-news") == 2


@on_a_loop
async def test_nobody_learns_who_is_on_the_list(sqlite: Engine) -> None:
    """Whoever is there, is not, or asked too often: the page is the same to the byte."""
    desk = MailDesk(sqlite)
    desk.add("there@b.example.com")
    async with opened_at(sqlite, desk) as shop:
        told = {
            (await shop.post(PATH, {"address": address}, X_Forwarded_For=f"192.0.2.{n}")).text
            for n, address in enumerate(["there@b.example.com", WHO, WHO, WHO, WHO, WHO])
        }
        assert len(told) == 1
        assert results(shop) == ["already", *["asked"] * 3, *["limited_address"] * 2]
    assert len(mailed(sqlite)) == 4


@on_a_loop
async def test_a_network_asks_only_so_often(sqlite: Engine) -> None:
    """By the address that the proxy names, not by what a client says before it."""
    desk = MailDesk(sqlite)
    async with opened_at(sqlite, desk) as shop:
        for number in range(25):
            forwarded = f"203.0.113.{number}, 198.51.100.{number}"
            address = f"a{number}@b.example.com"
            await shop.post(PATH, {"address": address}, X_Forwarded_For=forwarded)
        assert results(shop) == [*["asked"] * 20, *["limited_network"] * 5]


@on_a_loop
async def test_without_a_proxy_it_is_who_connects_that_asks(sqlite: Engine) -> None:
    """And not all who come without the header together."""
    desk = MailDesk(sqlite)
    async with opened_at(sqlite, desk) as shop:
        await shop.post(PATH, {"address": WHO})
    assert sqlite.rows("SELECT network FROM mail_signups") == [(network_of("127.0.0.1", KEYS),)]


@pytest.mark.parametrize(
    ("peer", "said", "expected"),
    [
        ("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("::1", "", ""),
        ("8.8.8.8", "203.0.113.9", "8.8.8.8"),
        ("2001:4860::8888", "203.0.113.9", "2001:4860::8888"),
        ("8.8.8.8", "", "8.8.8.8"),
    ],
)
def test_only_a_proxy_of_ours_is_believed(peer: str, said: str, expected: str) -> None:
    """Whoever connects from the Internet claims what they like, to be counted as many."""
    headers = [("X-Forwarded-For", said)] if said else []
    request = Request("GET", PATH, "", CIMultiDict(headers), b"", 0, "", peer=peer)
    assert peer_of(request) == expected


@on_a_loop
async def test_looking_at_a_confirmation_waits_for_nobody(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No unit is queued before the writer; and a token that is forged is not even looked up."""
    desk = MailDesk(sqlite)
    async with opened_at(sqlite, desk) as shop:
        await shop.post(PATH, {"address": WHO})
        (mail,) = mailed(sqlite)
        link = link_in(mail)
        monkeypatch.setattr(SqlStore, "run", away)
        assert "登録を確定する" in (await shop.get(link)).text
        assert (await shop.get(link.replace(NEWS.id, CLUB.id))).status == 404
        monkeypatch.setattr(SqlStore, "read", away)
        assert (await shop.get(link)).status == 503
        forged = f"{link[:-1]}{'a' if link[-1] != 'a' else 'b'}"
        assert (await shop.get(forged)).status == 404
        assert (await shop.post(forged, b"")).status == 404
    assert desk.find(WHO) is None


@on_a_loop
async def test_a_bad_address_is_asked_again(sqlite: Engine) -> None:
    """With what was typed, escaped; anything that is no form is refused."""
    desk = MailDesk(sqlite)
    async with opened_at(sqlite, desk) as shop:
        for address in ("", 'x"><b>', "a@b\r\nBcc: c@d.example", "a@localhost"):
            page = await shop.post(PATH, {"address": address})
            assert (page.status, "メールアドレスをご確認" in page.text) == (400, True)
            assert "<b>" not in page.text
        assert (await shop.post(PATH, b"x", Content_Type="text/plain")).status == 400
    assert mailed(sqlite) == []


@on_a_loop
async def test_an_address_in_full_width_is_the_same_address(sqlite: Engine) -> None:
    """Phones in Japan write it so; the browser does not refuse it before we see it."""
    desk = MailDesk(sqlite)
    async with opened_at(sqlite, desk) as shop:
        assert 'type="email"' not in (await shop.get(PATH)).text
        page = await shop.post(PATH, {"address": "　ａ＠ｂ．ｅｘａｍｐｌｅ．ｃｏｍ "})
        assert page.status == 200
    (mail,) = mailed(sqlite)
    assert mail["address"] == WHO


@on_a_loop
async def test_only_an_open_list_has_a_form(sqlite: Engine) -> None:
    """A closed one is not there, nor is one that does not exist."""
    desk = MailDesk(sqlite)
    async with opened_at(sqlite, desk) as shop:
        for path in (f"/s/{CLUB.id}", "/s/nothing", f"/s/{CLUB.id}?t=x"):
            assert (await shop.get(path)).status == 404
            assert (await shop.post(path, {"address": WHO})).status == 404


@on_a_loop
async def test_a_confirmation_ends_and_is_not_forged(sqlite: Engine) -> None:
    """After 48 hours it is over; another list's page does not take it."""
    desk = MailDesk(sqlite)
    async with opened_at(sqlite, desk) as shop:
        await shop.post(PATH, {"address": WHO})
        link = link_in(mailed(sqlite)[0])
        for wrong in (link[:-1] + "_", f"{link}AAAA", f"{PATH}?t={'x' * 200}", f"{PATH}?a&t=é"):
            assert (await shop.get(wrong)).status == 404
            assert (await shop.post(wrong, b"")).status == 404
        shop.now += CONFIRM_SECONDS * SECOND
        assert (await shop.get(link)).status == 410
        assert (await shop.post(link, b"")).status == 410
    assert desk.find(WHO) is None


@on_a_loop
async def test_without_the_store_nothing_is_promised(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, rather than a mail that never comes."""
    desk = MailDesk(sqlite)
    async with opened_at(sqlite, desk) as shop:
        monkeypatch.setattr(SqlStore, "run", away)
        assert (await shop.post(PATH, {"address": WHO})).status == 503
