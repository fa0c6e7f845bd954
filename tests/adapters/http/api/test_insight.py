"""Figures and reports over the API: ours and LINE's side by side, months that are whole."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.insight import FLOWS, Own, OwnDay, Sent, Told, begin_of, day_on
from gateway.domain.values import EVERYBODY, SECOND
from gateway.main.insight import part
from gateway.ports.insight import Ask
from tests.adapters.http.api.world import World
from tests.support.line import SHOP
from tests.support.stores import statements_of

OCTOBER, NOVEMBER = day_on(date(2026, 10, 1)), day_on(date(2026, 11, 1))
HOUR = 3600 * SECOND
EVIL = "<script>alert(1)</script>"

PATH = f"/channels/{SHOP.id}"


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API with two months of a shop: November has two days and a message."""
    folder = tmp_path_factory.mktemp("api")
    made = World(sqlite_template, folder, lambda deps: part(deps).endpoints)
    made.engine.provision(SHOP)
    _fill(made)
    made.now = begin_of(NOVEMBER + 1) + HOUR
    made.open()
    yield made
    made.close()


def _fill(world: World) -> None:
    days = {
        OCTOBER: Own(friends=9, follows=9, clicks=1),
        OCTOBER + 30: Own(friends=10, follows=2, blocks=1),
        NOVEMBER: Own(friends=12, blocked=1, follows=3, blocks=1, coupons_used=2, points=-1),
        NOVEMBER + 1: Own(friends=11, blocked=2, clicks=5, points=4),
    }
    told = Told("ready", 15, 9, 2, "ready", {"api_push": 30})
    message = Sent(SHOP.id, "request:r1", "acme", NOVEMBER, 1, 300, 140, None)
    with closing(world.engine.database().writer()) as connection:
        tx = StoreTransaction(connection, statements_of("sqlite"), RouteCache())
        for day, own in days.items():
            tx.insight.keep_own(EVERYBODY, [OwnDay(SHOP.id, "acme", day, own)], begin_of(day + 1))
        tx.platform_figures.keep_day(EVERYBODY, Ask(SHOP.id, "acme", NOVEMBER), told, None)
        tx.platform_figures.expect(EVERYBODY, [Ask(SHOP.id, "acme", NOVEMBER, message.ref)])
        tx.platform_figures.keep_sent(EVERYBODY, message, None)
        tx.platform_figures.expect(EVERYBODY, [Ask(SHOP.id, "acme", NOVEMBER + 3)])
        connection.commit()


def test_days_are_listed_with_both_figures(world: World) -> None:
    """Each by its name; what was not told or not counted is null."""
    page = world.get(f"{PATH}/insight?since=2026-11-01&until=2026-12-01").json
    first, second, third = page["items"]
    assert page["next"] is None
    assert (first["day"], first["own_friends"], first["own_points"]) == ("2026-11-01", 12, -1)
    assert (first["platform_followers"], first["platform_state"]) == (15, "ready")
    assert first["platform_deliveries"] == {"api_push": 30}
    assert (first["platform_impressions"], first["platform_clicks"]) == (140, None)
    assert (first["platform_messages"], first["platform_withheld"]) == (1, 1)
    assert (second["platform_followers"], second["platform_deliveries"]) == (None, None)
    assert second["own_at"] == "2026-11-03T00:00:00+09:00"
    assert (third["day"], third["own_friends"], third["own_at"]) == ("2026-11-04", None, None)


def test_days_come_in_pages(world: World) -> None:
    """Whatever days are missing in between."""
    found, cursor = [], ""
    while True:
        query = f"since=2026-10-01&until=2026-12-01&limit=2{cursor}"
        page = world.get(f"{PATH}/insight?{query}").json
        found += [day["day"] for day in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == ["2026-10-01", "2026-10-31", "2026-11-01", "2026-11-02", "2026-11-04"]


def test_without_a_span_it_is_the_last_month(world: World) -> None:
    """Today is the last day of it."""
    page = world.get(f"{PATH}/insight").json
    assert [day["day"] for day in page["items"]][-1] == "2026-11-02"
    assert "2026-10-01" not in str(page)
    assert world.get(f"{PATH}/insight?since=2026-11-20&until=2026-11-25").json["items"] == []


@pytest.mark.parametrize(
    "query",
    ["since=2026-02-30", "since=yesterday", "since=2025-01-01&until=2026-11-01", "limit=0"],
)
def test_a_span_that_is_none_is_refused(world: World, query: str) -> None:
    """No such day, another form, too long."""
    answer = world.get(f"{PATH}/insight?{query}")
    assert (answer.status, answer.reason) == (400, "invalid_parameter")


def test_a_report_adds_up_and_compares(world: World) -> None:
    """The days' sums, the last day's friends, and what is more or less than the month before."""
    report = world.get(f"{PATH}/reports/2026-11").json
    figures = report["figures"]
    for flow in FLOWS:
        days = [day[f"own_{flow}"] or 0 for day in report["days"]]
        assert figures[f"own_{flow}"] == sum(days)
    assert (figures["own_friends"], figures["own_blocked"]) == (11, 2)
    assert (report["previous"]["own_friends"], report["previous"]["own_follows"]) == (10, 11)
    change = report["change"]
    assert (change["own_friends"], change["own_follows"], change["own_clicks"]) == (1, -8, 4)
    assert change["platform_followers"] is None
    assert (report["own_days"], report["platform_days"]) == (2, 1)
    assert (report["name"], report["is_complete"]) == ("Acme", False)
    assert report["notes"] is None


def test_a_month_is_complete_when_it_is_over_for_a_day(world: World) -> None:
    """In Tokyo."""
    now = world.now
    try:
        world.now = begin_of(NOVEMBER) + 24 * HOUR - 1
        assert world.get(f"{PATH}/reports/2026-10").json["is_complete"] is False
        world.now += 1
        assert world.get(f"{PATH}/reports/2026-10").json["is_complete"] is True
    finally:
        world.now = now


def test_an_empty_month_is_a_report_of_nothing(world: World) -> None:
    """Nothing counted is null, not 0; the first month that can be named has none before it."""
    for month in ("2031-01", "2000-01"):
        report = world.get(f"{PATH}/reports/{month}").json
        assert report["figures"]["own_friends"] is None
        assert set(report["change"].values()) == {None}
        assert report["days"] == []


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "1999-12", "now"])
def test_what_is_no_month_is_not_found(world: World, month: str) -> None:
    """For reading and for writing."""
    assert world.get(f"{PATH}/reports/{month}").status == 404
    written = world.ask(
        "PUT",
        f"{PATH}/reports/{month}/notes",
        token=world.token("manager", "acme"),
        body={"text": "x"},
    )
    assert written.status == 404


def test_findings_take_the_place_of_earlier_ones(world: World) -> None:
    """With who wrote them and when; the audit knows of both, without the text."""
    token = world.token("manager", "acme")
    path = f"{PATH}/reports/2026-10/notes"
    for text in ("first", "Friends grew.\nMore menus."):
        answer = world.ask("PUT", path, token=token, body={"text": text})
        assert answer.status == 200
    notes = world.get(f"{PATH}/reports/2026-10").json["notes"]
    assert notes == answer.json
    assert notes["text"] == "Friends grew.\nMore menus."
    assert notes["by"].startswith("token:")
    rows = world.engine.rows("SELECT detail FROM audit WHERE action = 'report.noted'")
    assert rows == [('{"month":"2026-10"}',)] * 2
    assert world.get(f"{PATH}/reports/2026-11").json["notes"] is None


def test_support_calls_are_logged_and_counted(world: World) -> None:
    """By the month in which they were; the same key logs one."""
    token = world.token("staff", "acme")
    body = {"who": "Sato", "minutes": 25, "subject": "menu", "at": "2026-10-31T23:59:00+09:00"}
    for _ in range(2):
        answer = world.ask(
            "POST",
            f"{PATH}/support-calls",
            token=token,
            body=body,
            headers={"Idempotency-Key": "call-1"},
        )
        assert answer.status == 201
    now = world.ask("POST", f"{PATH}/support-calls", token=token, body=body | {"at": None}).json
    assert now["at"] == "2026-11-02T01:00:00+09:00"
    calls = world.get(f"{PATH}/support-calls?limit=1").json
    assert [call["id"] for call in calls["items"]] == [answer.json["id"]]
    rest = world.get(f"{PATH}/support-calls?limit=1&cursor={calls['next']}").json
    assert [call["id"] for call in rest["items"]] == [now["id"]]
    october = world.get(f"{PATH}/reports/2026-10").json
    assert (october["support_minutes"], len(october["support_calls"])) == (25, 1)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59Z"])
def test_a_time_beyond_the_century_is_refused(world: World, at: str) -> None:
    """It would be no error of the caller's elsewhere."""
    body = {"who": "Sato", "minutes": 1, "subject": "menu", "at": at}
    answer = world.ask(
        "POST", f"{PATH}/support-calls", token=world.token("staff", "acme"), body=body
    )
    assert (answer.status, answer.reason) == (400, "invalid_field")


# --- the page ---


class _Read(HTMLParser):
    """The tags of a page that are open at its end, and all its text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "rect", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(world: World, month: str, language: str = "ja") -> tuple[Any, _Read]:
    """A report as a browser gets it."""
    headers = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": language}
    token = world.token("operator")
    answer = world.ask("GET", f"{PATH}/reports/{month}", token=token, headers=headers)
    reader = _Read()
    reader.feed(answer.body.decode())
    return answer, reader


def test_a_report_can_be_printed(world: World) -> None:
    """A page of its own, which loads nothing; the figures are those of the JSON."""
    answer, read = page(world, "2026-11")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert read.open == []
    loading = [tag for tag, attributes in read.tags if {"src", "href"} & set(attributes)]
    assert loading == []
    assert "月次レポート 2026-11" in read.text
    assert "この月はまだ集計中です" in read.text
    assert "20未満" in read.text
    assert re.search(r"友だち\(月末\)\s*11\s*\+1", read.text)
    bars = [attributes for tag, attributes in read.tags if tag == "rect"]
    assert bars
    for bar in bars:
        assert int(bar["height"] or 0) >= 1
        assert int(bar["y"] or -1) >= 0
    english = page(world, "2026-11", "en")[1].text
    assert "monthly report 2026-11" in english
    assert "Friends (end of month)" in english


def test_nothing_that_people_write_becomes_markup(world: World) -> None:
    """Names, findings and calls are text."""
    token = world.token("manager", "acme")
    world.ask("PUT", f"{PATH}/reports/2026-09/notes", token=token, body={"text": EVIL})
    call = {
        "who": EVIL,
        "minutes": 1,
        "subject": EVIL,
        "outcome": EVIL,
        "at": "2026-09-05T10:00:00+09:00",
    }
    world.ask("POST", f"{PATH}/support-calls", token=token, body=call)
    world.engine.provision(msgspec.structs.replace(SHOP, name=EVIL))
    try:
        answer, read = page(world, "2026-09")
    finally:
        world.engine.provision(SHOP)
    assert b"<script" not in answer.body
    assert read.text.count(EVIL) == 6  # twice the name: in the title, too
