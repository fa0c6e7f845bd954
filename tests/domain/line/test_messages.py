"""Message objects are checked against the platform's limits when they are set up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.line import messages
from gateway.domain.line.actions import action_problems
from gateway.domain.line.messages import problems, problems_of, text_length
from tests.domain.line.messages import (
    IMAGE,
    OURS,
    SOUND,
    Json,
    box,
    bubble,
    buttons,
    flex,
    hinted,
    quick,
    text,
)


@pytest.mark.parametrize("name", SOUND | OURS)
def test_a_message_that_the_platform_takes_passes(name: str) -> None:
    """One message of each kind, with all that it may have, has no problem."""
    assert problems((SOUND | OURS)[name]) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


# --- fields and types ---


def test_an_unknown_type_is_told_with_the_known_ones() -> None:
    """A mistyped type is answered with all types."""
    told = hinted({"type": "txt", "text": "a"}, "type")
    assert "write text, textV2, sticker" in told
    assert told.endswith("card or survey")


def test_a_mistyped_field_is_told_with_the_nearest() -> None:
    """A field that a type does not have is an error, and the likely one is named."""
    message = SOUND["flex"] | {"alttext": "a"}
    assert 'write "altText"' in hinted(message, "message")
    assert "take it out" in hinted(text(zzzz=1), "message")


def test_a_missing_field_is_told_with_its_place() -> None:
    """What a type must have is asked for at its place."""
    assert "is missing" in hinted({"type": "text"}, "text")
    message = buttons(actions=[{"type": "message", "label": "a"}])
    assert "is missing" in hinted(message, "template.actions[0].text")


@pytest.mark.parametrize("value", [None, 1, "text", [], {}, {"type": 1}, {"type": ["text"]}])
def test_what_is_no_message_at_all_is_told(value: Any) -> None:
    """A value of any other kind has a problem, and breaks nothing."""
    assert len(problems(value)) == 1


def test_all_problems_are_told_at_once() -> None:
    """A message with three mistakes has three problems."""
    message = text("", sender={"name": "あ" * 21, "iconUrl": "http://shop.example.jp/a.png"})
    assert len(problems(message)) == 3


def test_a_problem_never_shows_a_value() -> None:
    """What a person wrote may be private, and stays out of messages about it."""
    message = text("090-1234-5678 {x}", quickReply=quick({"type": "uri", "label": "秘密" * 20}))
    told = " ".join(problems(message))
    assert told
    assert "1234" not in told
    assert "秘密" not in told


def test_deep_nesting_is_told_and_does_not_use_up_the_stack() -> None:
    """Boxes within boxes without end are a problem, not a crash."""
    nested = box()
    for _ in range(5_000):
        nested = box(nested)
    assert any("nested too deep" in problem for problem in problems(flex(bubble(nested))))


# --- texts ---


@given(st.text(st.characters(exclude_categories=[]), max_size=40))
def test_a_text_is_counted_in_utf16(said: str) -> None:
    """The length is the one that the platform counts, with lone surrogates as one each."""
    assert text_length(said) == sum(2 if character > "\uffff" else 1 for character in said)


def test_a_text_may_have_5000_units() -> None:
    """Emoji count twice: 2,500 of them are a text, one letter more is too much."""
    assert problems(text("🍎" * 2500)) == []
    assert "at most 5,000" in hinted(text("🍎" * 2500 + "a"), "text")


@pytest.mark.parametrize("said", ["", " ", "\u3000\n", "{name}", " {name} "])
def test_a_text_that_may_be_empty_is_a_problem(said: str) -> None:
    """The platform refuses empty texts, also those that are empty for friends without a name."""
    assert "is empty" in hinted(text(said), "text")


def test_a_shop_always_has_a_name() -> None:
    """A text of the shop's name alone is never empty."""
    assert problems(text("{shop}")) == []
    assert problems(text("{points}")) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{namae}さん", "unknown variable"),
        ("{ name }", "unknown variable"),
        ("{}", "unknown variable"),
        ("a {", "single brace"),
        ("a }", "single brace"),
        ("{{{name}}", "single brace"),
    ],
)
def test_a_misused_brace_is_told(said: str, told: str) -> None:
    """An unknown variable and a brace by itself are told, with what to write."""
    assert told in hinted(text(said), "text")


@pytest.mark.parametrize("said", ["{{name}}", "{{{name}}}", "{{}} {{ }}", "{{{{", "}}{name}様"])
def test_doubled_braces_are_sound(said: str) -> None:
    """A doubled brace stands for one."""
    assert problems(text(said)) == []


@pytest.mark.parametrize("said", ["\ud83d", "a\udc00b", "a\0", "a\x1b[31m"])
def test_what_no_platform_takes_is_told(said: str) -> None:
    """Halves of characters and control characters are no text."""
    assert problems(text(said))


def test_emoji_stand_where_their_index_says() -> None:
    """An index counts UTF-16 units to a $, each once, in a text without variables."""
    emoji = {"productId": "5ac1", "emojiId": "001"}
    assert problems(text("🍎$", emojis=[emoji | {"index": 2}])) == []
    assert "no $ is" in hinted(text("🍎$", emojis=[emoji | {"index": 1}]), "emojis[0]")
    assert "two emojis" in hinted(text("$", emojis=[emoji | {"index": 0}] * 2), "message")
    assert "textV2" in hinted(text("$ {shop}", emojis=[emoji | {"index": 0}]), "message")


def test_a_placeholder_needs_a_substitution_or_a_variable() -> None:
    """In textV2 a brace holds one of the platform's keys or one of ours."""
    message: Json = {"type": "textV2", "text": "{who}と{name}様", "substitution": {}}
    assert "substitution" in hinted(message, "text")
    bad_key = message | {"substitution": {"誰": {"type": "mention"}}, "text": "a"}
    assert "letters, digits and _" in hinted(bad_key, "substitution")


def test_a_text_has_at_most_twenty_mentions() -> None:
    """A mention counts as often as it is put in."""
    message = {
        "type": "textV2",
        "text": "{all}" * 21,
        "substitution": {"all": {"type": "mention", "mentionee": {"type": "all"}}},
    }
    assert "at most 20" in hinted(message, "message")


# --- addresses ---


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://shop.example.jp/a.png", "begin it with https:"),
        ("shop.example.jp/a.png", "begin it with https:"),
        ("https:", "begin it with https:"),
        ("https:///a.png", "no fixed host"),
        ("https://{shop}.example.jp/a.png", "no fixed host"),
        ("https://shop.example.jp:99999/a", "no fixed host"),
        ("https://shop.example.jp/あ.png", "percent-encode"),
        ("https://shop.example.jp/a b.png", "percent-encode"),
        ("https://shop.example.jp/100%", "percent-encode"),
        ("https://shop.example.jp/{", "percent-encode"),
        ("https://shop.example.jp/{nmae}", "unknown variable"),
        ("https://shop.example.jp/" + "a" * 1980, "at most 2,000"),
    ],
)
def test_a_wrong_address_is_told(address: str, told: str) -> None:
    """An image is fetched by https, from a fixed host, by an encoded address."""
    message = {"type": "image", "originalContentUrl": address, "previewImageUrl": IMAGE}
    assert told in hinted(message, "originalContentUrl")


@pytest.mark.parametrize(
    ("uri", "sound"),
    [
        ("http://shop.example.jp/", True),
        ("line://ti/p/@shop", True),
        ("tel:09001234567", True),
        ("tel:あ", False),
        ("mailto:a@shop.example.jp", False),
        ("javascript:alert(1)", False),
        ("https://shop.example.jp/?n={name}&p={points}", True),
        ("https://shop.example.jp/" + "a" * 976, True),
        ("https://shop.example.jp/" + "a" * 977, False),
    ],
)
def test_a_tap_opens_web_line_and_telephone(uri: str, sound: bool) -> None:
    """A button opens http, https, line and tel, in at most 1,000 characters."""
    assert (
        action_problems({"type": "uri", "label": "開く", "uri": uri}, "template") == []
    ) is sound


# --- ours ---


@pytest.mark.parametrize(
    "message",
    [
        {"type": "coupon"},
        {"type": "coupon", "coupon": "Autumn"},
        {"type": "coupon", "coupon": "autumn", "couponId": "01JY"},
        {"type": "coupon", "coupon": "autumn", "deliveryTag": "a"},
        {"type": "coupon", "couponId": "01JY", "deliveryTag": "秋"},
        {"type": "card"},
        {"type": "card", "card": "a" * 41},
        {"type": "survey", "survey": 1},
        {"type": "survey", "survey": "a", "text": "b"},
    ],
)
def test_our_own_objects_name_one_thing_of_ours(message: Json) -> None:
    """Coupons, cards and surveys are named by an id, and a coupon is ours or the platform's."""
    assert len(problems(message)) == 1


# --- requests ---


def test_a_request_has_one_to_five_messages() -> None:
    """Each message of a request is checked, and their number."""
    assert problems_of([text()] * 5) == []
    assert problems_of([]) == ["messages: has 0 items; write at least 1"]
    assert problems_of([text()] * 6) == ["messages: has 6 items; write at most 5"]
    (told,) = problems_of([text(), text("")], "greeting")
    assert told.startswith("greeting[1].text: is empty")


def test_a_request_has_a_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that are each fine may be too heavy together, with what is put into them."""
    named = text("{name}様")
    monkeypatch.setattr(messages, "REQUEST_BYTES", 1_000)
    assert problems_of([named] * 2) == []
    assert "1,000 bytes" in problems_of([named] * 4)[0]


@given(json_values)
def test_whatever_is_written_is_checked_without_breaking(value: Any) -> None:
    """Any JSON in the place of any part gets problems or none, never an error."""
    for sound in (SOUND | OURS).values():
        for name in sound:
            problems(sound | {name: value})
    problems(buttons(actions=[value], text=value))
    problems(flex(bubble(value, hero=value)))
    problems_of(value)
