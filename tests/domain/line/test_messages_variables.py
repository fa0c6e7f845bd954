"""Variables are put into texts, labels and addresses, and nothing gets too long by it."""

from typing import Any
from urllib.parse import unquote

import grapheme
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.line.fields import largest
from gateway.domain.line.messages import (
    MESSAGE,
    VARIABLES,
    problems,
    render,
    text_length,
    variables_of,
)
from gateway.domain.line.texts import VALUE_MOST
from tests.domain.line.messages import FAMILY, OURS, SOUND, Json, buttons, quick, text

HANAKO = {"name": "花子", "shop": "Acme 美容室", "points": "12"}

anything = st.text(st.characters(exclude_categories=[]), max_size=60)
values = st.fixed_dictionaries(dict.fromkeys(VARIABLES, anything))


def said(template: str, **known: str) -> Any:
    return render(text(template), HANAKO | known)["text"]


def test_variables_are_put_into_what_people_read() -> None:
    """Texts, alternative texts, titles and labels get the values."""
    message = buttons(
        title="{shop}",
        text="{name}様 {points}点",
        actions=[
            {"type": "message", "label": "{points}点", "text": "{name}です"},
            {"type": "postback", "label": "買う", "data": "a", "displayText": "{shop}で買う"},
        ],
    ) | {"altText": "{name}様へ", "quickReply": quick({"type": "location", "label": "{shop}"})}
    assert problems(message) == []
    rendered = render(message, HANAKO)
    template = rendered["template"]
    assert template["title"] == "Acme 美容室"
    assert template["text"] == "花子様 12点"
    assert template["actions"][0] == {"type": "message", "label": "12点", "text": "花子です"}
    assert template["actions"][1]["displayText"] == "Acme 美容室で買う"
    assert rendered["altText"] == "花子様へ"
    assert rendered["quickReply"]["items"][0]["action"]["label"] == "Acme 美容室"


def test_variables_are_put_into_flex_texts() -> None:
    """Texts and spans of flex messages get the values, however deep."""
    rendered = render(SOUND["flex"], HANAKO)
    assert rendered["contents"]["body"]["contents"][1]["contents"][0]["text"] == "花子様"


def test_values_in_addresses_and_data_are_percent_encoded() -> None:
    """A name cannot change where an address leads or what data says."""
    known = {"name": "a&b=c/../?#花"}
    link = {"type": "uri", "label": "開く", "uri": "https://shop.example.jp/?n={name}"}
    post = {"type": "postback", "label": "買う", "data": 'n={name}&x={"a": {{1}}}'}
    message = buttons(actions=[link, post])
    assert problems(message) == []
    link, post = render(message, known)["template"]["actions"]
    assert link["uri"] == "https://shop.example.jp/?n=a%26b%3Dc%2F..%2F%3F%23%E8%8A%B1"
    assert post["data"] == 'n=a%26b%3Dc%2F..%2F%3F%23%E8%8A%B1&x={"a": {{1}}}'


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{name}}", "{name}"),
        ("{{{name}}}", "{花子}"),
        ("{{{{", "{{"),
        ("}}{{", "}{"),
        ("{name}{name}", "花子花子"),
    ],
)
def test_a_doubled_brace_becomes_one(template: str, expected: str) -> None:
    """Doubled braces are single ones in what is sent."""
    assert said(template) == expected


def test_a_value_is_not_looked_into() -> None:
    """A friend who is called {shop} does not get the shop's name."""
    assert said("{name}様", name="{shop}{{}}{name}") == "{shop}{{}}{name}様"


def test_a_value_cannot_become_one_of_the_platforms_keys() -> None:
    """In textV2 the braces of a name are doubled, so that the platform does not replace them."""
    message = SOUND["textV2"]
    rendered = render(message, HANAKO | {"name": "{who}"})
    assert rendered["text"] == "ようこそ {who} {laugh} {{who}}様 {{括弧}}"
    assert rendered["substitution"] == message["substitution"]


def test_a_key_of_the_platform_wins_over_a_variable() -> None:
    """Where textV2 substitutes {name} by itself, the platform's is meant."""
    mention = {"name": {"type": "mention", "mentionee": {"type": "all"}}}
    message: Json = {"type": "textV2", "text": "{name}様 {shop}", "substitution": mention}
    assert problems(message) == []
    assert render(message, HANAKO)["text"] == "{name}様 Acme 美容室"
    assert variables_of(message) == {"shop"}


def test_a_value_that_is_not_there_is_empty() -> None:
    """Nothing fails where a name is not known."""
    assert render(text("{name}様、{points}点"), {})["text"] == "様、点"


def test_a_value_is_one_printable_line() -> None:
    """Control characters of a name become spaces, and halves of characters U+FFFD."""
    assert said("{name}", name="花\n子\ud83d\0") == "花 子\ufffd "


def test_a_long_text_loses_its_end() -> None:
    """A text that gets too long is cut at 5,000 units."""
    template = "あ" * 4_999 + "{name}"
    assert problems(text(template)) == []
    assert said(template) == "あ" * 4_999 + "花"


def test_no_character_is_cut_in_two() -> None:
    """Neither a surrogate pair nor what a reader takes for one character is halved."""
    assert said("あ" * 4_999 + "{name}", name="🍎") == "あ" * 4_999
    assert said("あ" * 4_990 + "{name}", name=FAMILY) == "あ" * 4_990
    assert said("あ" * 4_989 + "{name}", name=FAMILY + "子") == "あ" * 4_989 + FAMILY
    assert said("あ" * 4_998 + "{name}", name="e\u0301\u0301\u0301") == "あ" * 4_998


def test_a_label_is_cut_by_characters() -> None:
    """A label keeps as many characters as it may have, however many units they are."""
    message = text(quickReply=quick({"type": "camera", "label": "{name}さんの写真を送る"}))
    rendered = render(message, {"name": FAMILY * 9})
    label = rendered["quickReply"]["items"][0]["action"]["label"]
    assert label == FAMILY * 9 + "さんの写真を送る"
    rendered = render(message, {"name": "あ" * 30})
    assert rendered["quickReply"]["items"][0]["action"]["label"] == "あ" * 20


def test_an_address_that_gets_too_long_loses_its_values() -> None:
    """Half an address leads elsewhere, so it is left without the name instead."""
    uri = "https://shop.example.jp/?a=" + "a" * 900 + "&n={name}"
    message = buttons(actions=[{"type": "uri", "label": "開く", "uri": uri}])
    rendered = render(message, {"name": "花" * 20})
    assert rendered["template"]["actions"][0]["uri"] == uri.replace("{name}", "")


@pytest.mark.parametrize("name", SOUND | OURS)
def test_a_message_without_variables_stays_as_it_is(name: str) -> None:
    """What holds no variable and no doubled brace is rendered to itself."""
    message = (SOUND | OURS)[name]
    if not variables_of(message) and "{{" not in str(message):
        assert render(message, HANAKO) == message


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (text("{name}様、{points}点"), {"name", "points"}),
        (text("{{name}} {shop}"), {"shop"}),
        (buttons(actions=[{"type": "uri", "label": "a", "uri": "https://a.jp/{shop}"}]), {"shop"}),
        (SOUND["flex carousel"], {"name"}),
        (SOUND["sticker"], set()),
        (OURS["coupon"], set()),
    ],
)
def test_the_variables_of_a_message_are_known(message: Json, expected: set[str]) -> None:
    """Whoever sends a message learns which values it needs."""
    assert variables_of(message) == expected


TEMPLATES = [
    text("{name}" * 60 + "あ" * 4_900),
    buttons(title="{name}様へ{shop}", text="{name}様" * 20),
    buttons(actions=[{"type": "uri", "label": "{name}さん", "uri": "https://a.jp/{name}{shop}"}]),
    *SOUND.values(),
]


@given(st.sampled_from(TEMPLATES), values)
def test_what_passed_the_checks_is_never_too_long(message: Json, known: dict[str, str]) -> None:
    """Whatever a friend is called, what is sent fits the limits and can be sent as UTF-8."""
    rendered = render(message, known)
    sent = msgspec.json.encode(rendered)
    assert len(sent) <= largest(MESSAGE, message)
    template = rendered.get("template", {})
    assert text_length(rendered.get("text", "")) <= 5_000
    assert grapheme.length(template.get("title", "")) <= 40
    for action in template.get("actions", ()):
        assert grapheme.length(action["label"]) <= 20
        assert text_length(action.get("uri", "")) <= 1_000


@given(anything)
def test_a_name_comes_back_out_of_an_address(name: str) -> None:
    """What was put into an address is decoded to the same value that texts get."""
    link = {"type": "uri", "label": "a", "uri": "https://a.jp/?{name}"}
    uri = render(buttons(actions=[link]), {"name": name})["template"]["actions"][0]["uri"]
    shown = said("{name}", name=name)
    assert unquote(uri.partition("?")[2]) == shown
    assert text_length(shown) <= VALUE_MOST
