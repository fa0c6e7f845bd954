"""Surveys in the API: figures, texts, and a table that spreadsheets open."""

import csv
from io import StringIO
from typing import Any

import pytest

from adapters.http.api.surveys import _guarded
from adapters.http.api.surveys import endpoints as surveys
from adapters.storage.survey_reader import SurveyReader
from gateway.main.parts import Deps
from tests.adapters.http.api.conversations import given_survey
from tests.adapters.http.api.world import World
from tests.support.surveys import user


@pytest.fixture
def world(sqlite_template: Any, tmp_path: Any) -> Any:
    """A running API."""

    def served(deps: Deps) -> Any:
        return surveys(SurveyReader(deps.database.dialect))

    made = World(sqlite_template, tmp_path, served)
    made.open()
    yield made
    made.close()


def table(world: World, role: Any = "staff") -> list[list[str]]:
    """The rows of a survey's table, the head first."""
    answer = world.ask(
        "GET",
        "/surveys/autumn/results",
        token=world.token(role, "acme"),
        headers={"Accept": "text/csv"},
    )
    assert (answer.status, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"] == 'attachment; filename="autumn.csv"'
    assert answer.body.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(StringIO(answer.body.decode("utf-8-sig"), newline="")))


def test_results_are_counted_by_option(world: World) -> None:
    """Shares are of those who answered the question; an option that nobody chose is there, too."""
    given_survey(
        world,
        {"taste": ["good"], "dishes": ["rice", "fish"]},
        {"taste": ["good"], "dishes": ["fish"], "wish": ["もっと"]},
        {"taste": ["bad"]},
    )
    (listed,) = world.get("/surveys").json["items"]
    assert (listed["offered"], listed["answered"], listed["questions"]) == (3, 3, 3)
    assert listed["liff_url"] == "https://liff.line.me/2000000000-abcdefgh/q/autumn"
    taste, dishes, wishes = world.get("/surveys/autumn/results").json["questions"]
    assert [(o["id"], o["count"], o["share"]) for o in taste["options"]] == [
        ("good", 2, 0.6667),
        ("bad", 1, 0.3333),
    ]
    assert (dishes["answered"], dishes["options"][0]["text"]) == (2, "ごはん")
    assert [(o["count"], o["share"]) for o in dishes["options"]] == [(1, 0.5), (0, 0.0), (2, 1.0)]
    assert (wishes["answered"], wishes["options"]) == (1, [])


def test_texts_come_in_pages(world: World) -> None:
    """Newest first; whose they are, the role viewer is not told."""
    given_survey(world, *({"taste": ["bad"], "wish": [f"{n}"]} for n in range(3)))
    path = "/surveys/autumn/texts?question=wish&limit=2"
    first = world.get(path).json
    second = world.get(f"{path}&cursor={first['next']}").json
    assert [item["text"] for item in first["items"] + second["items"]] == ["2", "1", "0"]
    assert (first["items"][0]["name"], second["next"]) == ("花子", None)
    seen = world.get(path, token=world.token("viewer", "acme")).json["items"][0]
    assert (seen["name"], seen["text"]) == (None, "2")
    assert world.get("/surveys/autumn/texts").status == 400


def test_the_table_has_a_row_for_each_friend(world: World) -> None:
    """With what was chosen in words, in the order of the questions."""
    given_survey(
        world,
        {"taste": ["good"], "dishes": ["rice", "fish"], "wish": ['"a", b']},
        {"taste": ["bad"], "wish": ["=1+1"]},
    )
    head, first, second = table(world)
    assert head == ["at", "friend", "name", "お味は", "お好きなものは", "ご要望は"]
    assert first[2:] == ["花子", "よい", "ごはん / 魚", '"a", b']
    assert second[3:] == ["わるい", "", "'=1+1"]
    rows = world.engine.rows(f"SELECT id FROM line_friends WHERE user = '{user(0)}'")
    assert first[1] == str(rows[0][0])
    assert table(world, "viewer")[1][2] == ""


def test_an_anonymous_table_says_neither_who_nor_when(world: World) -> None:
    """Only what was answered, in no order."""
    given_survey(world, {"taste": ["good"]}, {"taste": ["bad"]}, anonymous=True)
    head, *rows = table(world)
    assert head[0] == "お味は"
    assert sorted(row[0] for row in rows) == ["よい", "わるい"]


@pytest.mark.parametrize("cell", ["=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_cannot_be_a_formula(cell: str) -> None:
    """A quote before it makes it a text."""
    assert _guarded(cell) == "'" + cell
    assert _guarded("a" + cell) == "a" + cell
