"""Surveys in provisioning files: what they describe, and the defaults of what is left out."""

from pathlib import Path

from gateway.domain.surveys import Option, Question, Survey
from gateway.provisioning import read
from tests.support.line import SHOP

HEAD = """
[[advertiser]]
id = "acme"
name = "Acme"
kind = "advertiser"

[[survey]]
id = "autumn"
advertiser = "acme"
channel = "acme-shop"
title = "秋のアンケート"
starts = 2026-11-01T00:00:00+09:00
ends = 2026-11-30T23:59:59+09:00
"""


def planned(folder: Path, text: str) -> Survey:
    """The survey of a file."""
    path = folder / "surveys.toml"
    path.write_text(HEAD + text)
    plan = read([path], {"line_channel": {SHOP.id: SHOP}})
    (survey,) = (entity for entity in plan.wanted if isinstance(entity, Survey))
    return survey


def test_the_required_keys_are_enough(tmp_path: Path) -> None:
    """A page, with names, thanks of ours, and a choice that must be made."""
    survey = planned(
        tmp_path,
        'questions = [{ id = "q", text = "?", options = [{ id = "a", text = "はい" },'
        ' { id = "b", text = "いいえ" }] }]',
    )
    options = (Option("a", "はい"), Option("b", "いいえ"))
    assert survey == Survey(
        id="autumn",
        advertiser="acme",
        channel="acme-shop",
        title="秋のアンケート",
        questions=(Question("q", "?", "choice", options, required=True, most=500),),
        starts=1_793_458_800_000_000,
        ends=1_796_050_799_000_000,
    )


def test_every_key_of_a_survey_is_read(tmp_path: Path) -> None:
    """Each reaches the plan, down to the tags of an option."""
    survey = planned(
        tmp_path,
        """
        way = "chat"
        thanks = [{ type = "text", text = "{name}さん、どうも" }]
        [[survey.questions]]
        id = "q"
        text = "?"
        kind = "choices"
        required = false
        options = [{ id = "a", text = "はい", tags = ["fan"] }, { id = "b", text = "いいえ" }]
        [[survey.questions]]
        id = "w"
        text = "?"
        kind = "text"
        most = 100
        """,
    )
    assert survey.way == "chat"
    assert survey.thanks == ({"type": "text", "text": "{name}さん、どうも"},)
    choices, words = survey.questions
    assert (choices.kind, choices.required) == ("choices", False)
    assert choices.options[0] == Option("a", "はい", ("fan",))
    assert (words.kind, words.most) == ("text", 100)


def test_a_survey_without_names_says_so(tmp_path: Path) -> None:
    """It is anonymous where the file says it."""
    text = 'anonymous = true\nquestions = [{ id = "w", text = "?", kind = "text" }]'
    assert planned(tmp_path, text).anonymous
