"""Surveys: the way through the questions, and which answers are right."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.line.messages import problems, render
from gateway.domain.surveys import Progress, Question, accepted, asked, pressed, read_data, tags_of
from gateway.domain.surveys.messages import asking, invitation, told
from gateway.domain.surveys.survey import DONE, SKIP, buttons
from tests.support.surveys import DISHES, TASTE, WISH, survey

CHAT = survey(way="chat", questions=(TASTE, DISHES))


def test_questions_come_one_after_the_other() -> None:
    """A choice leads on at once, several choices when they are done."""
    progress = Progress()
    for question, option in (("taste", "good"), ("dishes", "fish"), ("dishes", "rice")):
        progress = pressed(CHAT, progress, question, option) or pytest.fail("was refused")
    assert progress == Progress({"taste": ("good",)}, ("fish", "rice"))
    progress = pressed(CHAT, progress, "dishes", DONE) or pytest.fail("was refused")
    assert progress.answers == {"taste": ("good",), "dishes": ("rice", "fish")}
    assert asked(CHAT, progress) is None


@pytest.mark.parametrize(
    ("question", "option"),
    [
        ("dishes", "rice"),  # not asked yet
        ("taste", "rice"),
        ("taste", ""),
        ("taste", SKIP),  # it is required
        ("taste", DONE),
        ("unknown", "good"),
    ],
)
def test_what_is_not_shown_cannot_be_pressed(question: str, option: str) -> None:
    """Buttons of other questions, and made-up ones, change nothing."""
    assert pressed(CHAT, Progress(), question, option) is None


def test_what_need_not_be_answered_can_be_left_out() -> None:
    """By a button of its own."""
    free = Question("free", "?", options=TASTE.options, required=False)
    done = pressed(survey(questions=(free,)), Progress(), "free", SKIP)
    assert done == Progress({"free": ()})
    none = pressed(survey(questions=(DISHES,)), Progress(), "dishes", DONE)
    assert none == Progress({"dishes": ()})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["taste", "dishes", "x"]),
            st.text(max_size=5)
            | st.sampled_from(["good", "bad", "rice", "soup", "fish", DONE, SKIP]),
        ),
        max_size=30,
    )
)
def test_the_way_is_only_ever_forward(presses: list[tuple[str, str]]) -> None:
    """Whatever is pressed, in whatever order: answers that stand stay, and all are right."""
    progress = Progress()
    for question, option in presses:
        after = pressed(CHAT, progress, question, option)
        if after is None:
            continue
        assert after.answers.items() >= progress.answers.items()
        assert after != progress
        progress = after
    if asked(CHAT, progress) is None:
        assert accepted(CHAT, progress.answers) == (progress.answers, ())


def test_every_button_shown_can_be_pressed() -> None:
    """And nothing else is shown."""
    progress = Progress({"taste": ("bad",)}, ("soup",))
    shown = [option for option, _ in buttons(DISHES, progress.picked)]
    assert shown == ["rice", "fish", DONE]
    assert all(pressed(CHAT, progress, "dishes", option) for option in shown)


# --- the page ---


@pytest.mark.parametrize(
    ("given_", "wrong"),
    [
        ({"taste": ["good"]}, ()),
        ({"taste": ["good"], "dishes": ["rice", "rice"], "wish": [" もっと\r\n多く "]}, ()),
        ({}, ("taste",)),
        ({"taste": [""]}, ("taste",)),
        ({"taste": ["good", "bad"]}, ("taste",)),
        ({"taste": ["great"]}, ("taste",)),
        ({"taste": ["good"], "dishes": ["meat"]}, ("dishes",)),
        ({"taste": ["good"], "wish": ["x" * 21]}, ("wish",)),
        ({"taste": ["good"], "wish": ["a", "b"]}, ("wish",)),
        ({"taste": ["good"], "other": ["1"]}, ("",)),
    ],
)
def test_answers_are_checked(given_: dict[str, Any], wrong: tuple[str, ...]) -> None:
    """Each question's own rule holds; what belongs to none makes the whole wrong."""
    answers, found = accepted(survey(), given_)
    assert found == wrong
    if not wrong:
        assert answers["taste"] == ("good",)


@given(st.dictionaries(st.sampled_from(["taste", "dishes", "wish"]), st.lists(st.text())))
def test_a_text_is_kept_as_far_as_it_can_be_seen(given_: dict[str, list[str]]) -> None:
    """No control characters, halves of characters, or blanks at its ends get into the store."""
    answers, _ = accepted(survey(questions=(WISH,)), given_)
    for text in answers.get("wish", ()):
        text.encode()
        assert "\0" not in text
        assert 0 < len(text) <= WISH.most
        assert text == text.strip()


def test_options_give_their_tags() -> None:
    """Those that were chosen, in the order of the questions."""
    assert tags_of(survey(), {"taste": ("good",), "dishes": ("rice", "fish")}) == ["fan", "fish"]
    assert tags_of(survey(), {"taste": ("bad",)}) == []


# --- messages ---


@pytest.mark.parametrize("language", ["ja", "en-GB"])
def test_every_message_can_be_sent(language: str) -> None:
    """The platform takes what is asked and told, with as many buttons as there can be."""
    url = "https://gw.example.jp/q/" + "x" * 20
    long = survey(title="題" * 60, way="chat", questions=(TASTE, DISHES, WISH))
    sent = [told(key, long, language) for key in ("thanks", "again", "closed")]
    sent += [invitation(long, url, language), invitation(long, url, language, "text")]
    for question, progress in (
        (TASTE, Progress()),
        (DISHES, Progress({"taste": ()}, ("rice",))),
        (WISH, Progress({"taste": (), "dishes": ()})),
    ):
        sent.append(asking(long, question, progress, url, language))
    for message in sent:
        assert problems(message) == []
        assert render(message, {}) == message


def test_the_data_of_buttons_is_read_back() -> None:
    """And nothing else is taken for it."""
    message = asking(CHAT, TASTE, Progress(), "https://gw.example.jp/q/x", "ja")
    data = [item["action"]["data"] for item in message["quickReply"]["items"]]
    assert data == ["gw/survey/autumn/taste/good", "gw/survey/autumn/taste/bad"]
    assert read_data(data[0]) == ("autumn", "taste", "good")
    for other in ("", "gw/survey/", "gw/survey/a/b", "gw/survey/a/b/c/d", "menu"):
        assert read_data(other) is None
