"""Calls and their reports over the API."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from gateway.domain.values import SECOND, moment
from tests.adapters.http.api.world import ACME_NUMBER, OTHER_NUMBER, World
from tests.support.calls import CALLER

HOUR = 3600 * SECOND


@pytest.fixture(autouse=True)
def later(world: World) -> None:
    """A day on which nothing was kept yet, for each test; the tests of a file share one store."""
    world.now += 100 * 24 * HOUR


def since(world: World) -> str:
    """The part of a query that leaves out what other tests kept."""
    return "since=" + moment(world.now - HOUR).isoformat()


def ids(answer: Any) -> list[str]:
    assert answer.status == 200
    return [item["id"] for item in answer.json["items"]]


def test_a_call_has_the_public_form(world: World) -> None:
    """In a list as alone: times with their offset, ids as text, legs within."""
    id_ = world.call()
    alone = world.get(f"/calls/{id_}").json
    assert world.get(f"/calls?{since(world)}").json == {"items": [alone], "next": None}
    assert alone["caller"] == CALLER
    assert (alone["number"], alone["medium"], alone["advertiser"]) == (ACME_NUMBER, "flyer", "acme")
    assert (alone["state"], alone["result"], alone["outcome"]) == ("ended", "answered", "accepted")
    assert (alone["ring_seconds"], alone["talk_seconds"]) == (6, 42)
    assert alone["received_at"].endswith("+09:00")
    assert [leg["state"] for leg in alone["legs"]] == ["completed", "canceled"]


def test_calls_come_in_pages(world: World) -> None:
    """Following ``next`` shows every call once, oldest or newest first."""
    kept = [world.call(at=world.now + n * SECOND) for n in range(5)]
    for order in ("asc", "desc"):
        found: list[str] = []
        path = f"/calls?limit=2&order={order}&{since(world)}"
        page = world.get(path)
        found += ids(page)
        while page.json["next"]:
            page = world.get(f"{path}&cursor={page.json['next']}")
            found += ids(page)
        assert found == (kept if order == "asc" else kept[::-1])


def test_calls_are_filtered(world: World) -> None:
    """By number, result, state, time and advertiser, all of which must fit."""
    acme, other = world.call(), world.call(OTHER_NUMBER)
    assert ids(world.get(f"/calls?{since(world)}")) == [acme, other]
    for query, wanted in (
        (f"number={ACME_NUMBER}", [acme]),
        ("advertiser=other", [other]),
        ("result=answered&state=ended", [acme, other]),
        ("result=busy", []),
        ("state=ringing", []),
        ("until=2026-01-01T00:00:00Z", []),
        ("advertiser=nobody", []),
    ):
        assert ids(world.get(f"/calls?{since(world)}&{query}")) == wanted, query


def test_viewers_see_callers_masked(world: World) -> None:
    """Enough to tell two callers apart, not enough to ring one up; others see the number."""
    id_ = world.call()
    for role, shown in (("viewer", "+8190***78"), ("staff", CALLER), ("manager", CALLER)):
        token = world.token(role, "acme")  # type: ignore[arg-type]  # roles, all three
        assert world.get(f"/calls/{id_}", token=token).json["caller"] == shown
        assert world.get(f"/calls?{since(world)}", token=token).json["items"][0]["caller"] == shown


def test_a_withheld_caller_is_nobody(world: World) -> None:
    """For viewers, too: there is nothing to mask."""
    id_ = world.call(caller=None)
    found = world.get(f"/calls/{id_}", token=world.token("viewer", "acme")).json
    assert (found["caller"], found["caller_known"]) == (None, False)


@pytest.mark.parametrize(
    "id_", ["0", "9" * 19, "9" * 20, "-1", "1.0", "abc", "１２", "%00", "1%2F2"]
)
def test_what_is_no_call_is_not_found(world: World, id_: str) -> None:
    """Whatever stands in the place of the id."""
    answer = world.get(f"/calls/{quote(id_, safe='%')}")
    assert (answer.status, answer.reason) == (404, "not_found")


def test_a_wrong_cursor_is_refused(world: World) -> None:
    """It is not read as the first page."""
    for cursor in ("x", "", "AAAAAA", "%FF"):
        answer = world.get(f"/calls?cursor={cursor}")
        assert answer.status == 400
        assert answer.reason in ("invalid_cursor", "invalid_utf8")


# --- outcomes ---


def test_a_manager_judges_a_call(world: World) -> None:
    """The answer and the call tell the new outcome."""
    id_ = world.call()
    answer = world.ask(
        "PUT",
        f"/calls/{id_}/outcome",
        token=world.token("manager", "acme"),
        body={"outcome": "rejected", "reason": "納入業者"},
    )
    wanted = {"id": id_, "outcome": "rejected", "outcome_reason": "納入業者"}
    assert (answer.status, answer.json) == (200, wanted)
    call = world.get(f"/calls/{id_}").json
    assert (call["outcome"], call["outcome_reason"]) == ("rejected", "納入業者")


@pytest.mark.parametrize("role", ["viewer", "staff"])
def test_others_do_not_judge(world: World, role: Any) -> None:
    """Reading is all that they may."""
    path = f"/calls/{world.call()}/outcome"
    answer = world.ask("PUT", path, token=world.token(role, "acme"), body={"outcome": "accepted"})
    assert (answer.status, answer.reason) == (403, "role_not_allowed")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"outcome": "pending"}, "invalid_field"),
        ({}, "invalid_field"),
        ({"outcome": "accepted", "reason": "a" * 201}, "invalid_field"),
        ({"outcome": "accepted", "why": ""}, "unknown_field"),
        (b"", "not_json"),
    ],
)
def test_a_wrong_word_is_refused(world: World, body: Any, reason: str) -> None:
    """Only the two outcomes that a person can give, in the declared form."""
    headers = {"Content-Type": "application/json"}
    token = world.token("operator")
    answer = world.ask(
        "PUT", f"/calls/{world.call()}/outcome", token=token, body=body, headers=headers
    )
    assert (answer.status, answer.reason) == (400, reason)


# --- reports ---


def report(world: World, query: str, **given: Any) -> list[dict[str, Any]]:
    world.now += HOUR  # a report ends now, unless it is told otherwise
    answer = world.get(f"/reports/calls?{query}", **given)
    assert answer.status == 200
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def test_a_report_adds_up_each_group(world: World) -> None:
    """Calls by result and outcome, and their seconds; all results are there."""
    world.call(talk=42)
    world.call(talk=10)
    world.call(OTHER_NUMBER, talk=5)
    flyer, sign = report(world, f"by=medium&{since(world)}")
    assert flyer.pop("results") == {
        "answered": 2,
        "busy": 0,
        "no_answer": 0,
        "failed": 0,
        "canceled": 0,
        "voicemail": 0,
        "blocked": 0,
        "abandoned": 0,
    }
    assert flyer.pop("outcomes") == {"pending": 1, "accepted": 1, "rejected": 0}
    assert flyer == {
        "key": "flyer",
        "calls": 2,
        "in_progress": 0,
        "ring_seconds": 12,
        "talk_seconds": 52,
    }
    assert (sign["key"], sign["calls"], sign["talk_seconds"]) == ("sign", 1, 5)


@pytest.mark.parametrize(
    ("by", "key"),
    [("number", ACME_NUMBER), ("advertiser", "acme"), ("day", None), ("hour", None)],
)
def test_a_report_is_by_what_was_asked(world: World, by: str, key: str | None) -> None:
    """Days are dates, hours two digits, both of Tokyo."""
    tokyo = moment(world.now) + timedelta(hours=9)
    world.call()
    shown = {"day": f"{tokyo:%Y-%m-%d}", "hour": f"{tokyo:%H}"}
    assert [item["key"] for item in report(world, f"by={by}&{since(world)}")] == [key or shown[by]]


def test_a_report_comes_in_pages(world: World) -> None:
    """Each group whole, on one page."""
    for number in (ACME_NUMBER, OTHER_NUMBER):
        for talk in (5, 42):
            world.call(number, talk=talk)
    world.now += HOUR
    for by in ("number", "medium", "advertiser"):
        first = world.get(f"/reports/calls?by={by}&limit=1&{since(world)}").json
        second = world.get(
            f"/reports/calls?by={by}&limit=1&{since(world)}&cursor={first['next']}"
        ).json
        assert [item["calls"] for item in first["items"] + second["items"]] == [2, 2]
        assert second["next"] is None


def test_a_report_is_bounded(world: World) -> None:
    """400 days at most; without times it is the last month's."""
    world.call()
    assert report(world, "by=day")
    world.now += 40 * 24 * HOUR
    assert report(world, "by=day") == []
    query = "by=day&since=2026-01-01T00:00:00Z&until=2027-03-01T00:00:00Z"
    answer = world.get(f"/reports/calls?{query}")
    assert (answer.status, answer.reason) == (400, "invalid_parameter")
    assert world.get("/reports/calls").reason == "invalid_parameter"
    assert world.get("/reports/calls?by=moon").reason == "invalid_parameter"


def test_a_report_shows_the_token_s_data_alone(world: World) -> None:
    """Another advertiser's calls are in no sum."""
    world.call()
    world.call(OTHER_NUMBER)
    (item,) = report(world, f"by=day&{since(world)}", token=world.token("viewer", "other"))
    assert item["calls"] == 1
