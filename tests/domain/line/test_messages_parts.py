"""Actions, templates, imagemaps and flex messages are checked against the platform's limits."""

import json

import pytest

from gateway.domain.line.actions import Place, action_problems
from gateway.domain.line.messages import problems
from tests.domain.line.messages import (
    ACTIONS,
    AREA,
    ASKING,
    FAMILY,
    IMAGE,
    SOUND,
    SWITCH,
    TAP,
    Json,
    box,
    bubble,
    buttons,
    carousel,
    column,
    confirm,
    flex,
    hinted,
    image_carousel,
    imagemap,
    quick,
    text,
)

# --- actions ---


@pytest.mark.parametrize(
    ("place", "most", "needed"),
    [
        ("template", 20, True),
        ("picture", 20, False),
        ("image carousel", 12, False),
        ("quick reply", 20, True),
        ("button", 40, True),
        ("flex", 40, False),
        ("menu", 20, False),
    ],
)
def test_a_label_depends_on_its_place(place: Place, most: int, needed: bool) -> None:
    """Each place has its longest label, counted in characters as a reader sees them."""
    for action in ACTIONS.values():
        assert action_problems(action | {"label": FAMILY * most}, place) == []
        (told,) = action_problems(action | {"label": FAMILY * (most + 1)}, place)
        assert told == f"action.label: has {most + 1} characters; write at most {most}"
        bare = {name: value for name, value in action.items() if name != "label"}
        assert bool(action_problems(bare, place)) is needed


def test_some_actions_work_in_one_place_only() -> None:
    """Camera, album and location need a quick reply; switching menus needs a menu."""
    for action in ASKING.values():
        assert action_problems(action, "quick reply") == []
        assert "quick replies only" in action_problems(action, "template")[0]
        assert "quick replies only" in action_problems(action, "flex")[0]
    assert action_problems(SWITCH, "menu") == []
    assert "rich menus only" in action_problems(SWITCH, "quick reply")[0]


@pytest.mark.parametrize(
    "change",
    [
        {"data": "あ" * 301},
        {"displayText": "a" * 301},
        {"text": "買います"},
        {"inputOption": "openVoice"},
        {"inputOption": "shout"},
        {"fillInText": "a" * 301},
        {"data": 1},
    ],
)
def test_a_postback_has_its_limits(change: Json) -> None:
    """Data and texts have 300 characters, one text is shown, and a keyboard is filled if open."""
    assert len(action_problems(ACTIONS["postback"] | change, "template")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "date"},
        {"mode": "week"},
        {"initial": "2026-10-31T23:59"},
        {"initial": "2027-01-01T00:00"},
        {"max": "2026-11-01T00:00"},
        {"min": "2026-11-31T00:00"},
        {"min": "26-11-01T00:00"},
    ],
)
def test_a_date_is_picked_within_its_bounds(change: Json) -> None:
    """Dates are in a calendar, in the form of their mode, and in order."""
    assert action_problems(ACTIONS["datetimepicker"] | change, "template")


def test_a_copied_text_has_1000_units() -> None:
    """What is copied may be long, and is something."""
    copy = ACTIONS["clipboard"]
    assert action_problems(copy | {"clipboardText": "a" * 1000}, "flex") == []
    assert action_problems(copy | {"clipboardText": "a" * 1001}, "flex")
    assert action_problems(copy | {"clipboardText": ""}, "flex")


def test_a_message_has_at_most_thirteen_quick_replies() -> None:
    """Thirteen quick replies are taken, fourteen and none are not."""
    assert problems(text(quickReply=quick(*[TAP] * 13))) == []
    assert "at most 13" in hinted(text(quickReply=quick(*[TAP] * 14)), "quickReply.items")
    assert "at least 1" in hinted(text(quickReply=quick()), "quickReply.items")


@pytest.mark.parametrize(
    ("name", "sound"),
    [("Online店", True), ("LINE店長", False), ("店 line", False), ("あ" * 20, True)],
)
def test_a_sender_is_not_called_line(name: str, sound: bool) -> None:
    """The platform refuses its own name in a sender's; a word that holds its letters is fine."""
    assert (problems(text(sender={"name": name})) == []) is sound


# --- templates and imagemaps ---


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (buttons(text="あ" * 161), "template.text"),
        (buttons(text="あ" * 61, title="題"), "template.text"),
        (buttons(text="あ" * 61, thumbnailImageUrl=IMAGE), "template.text"),
        (buttons(title="あ" * 41), "template.title"),
        (buttons(actions=[TAP] * 5), "template.actions"),
        (buttons(actions=[]), "template.actions"),
        (buttons(imageSize="huge"), "template.imageSize"),
        (buttons(imageBackgroundColor="#FFFFFFFF"), "template.imageBackgroundColor"),
        (confirm(text="あ" * 241), "template.text"),
        (confirm(actions=[TAP]), "template.actions"),
        (confirm(actions=[TAP] * 3), "template.actions"),
        (carousel(column(text="あ" * 121)), "template.columns[0].text"),
        (carousel(column(text="あ" * 61, title="題")), "template.columns[0].text"),
        (carousel(column(actions=[TAP] * 4)), "template.columns[0].actions"),
        (carousel(*[column()] * 11), "template.columns"),
        (carousel(column(), column(actions=[TAP] * 2)), "template"),
        (carousel(column(), column(title="題")), "template"),
        (carousel(column(), column(thumbnailImageUrl=IMAGE)), "template"),
        (image_carousel(action=TAP | {"label": "あ" * 13}), "template.columns[0].action.label"),
        (buttons() | {"altText": "あ" * 1501}, "altText"),
        (buttons(type="slides"), "template.type"),
    ],
)
def test_a_template_has_its_limits(message: Json, path: str) -> None:
    """Each limit of a template is told at its place."""
    hinted(message, path)


def test_texts_of_templates_are_as_long_as_they_may_be() -> None:
    """What is just within the limits passes."""
    assert problems(buttons(text=FAMILY * 160, actions=[TAP] * 4)) == []
    assert problems(buttons(text="あ" * 60, title=FAMILY * 40)) == []
    assert problems(confirm(text="あ" * 240)) == []
    assert problems(carousel(column(text="あ" * 120, actions=[TAP] * 3))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"baseSize": {"width": 1024, "height": 1040}},
        {"actions": [{"type": "uri", "linkUri": "ftp://a.example", "area": AREA}]},
        {"actions": [{"type": "message", "text": "a" * 401, "area": AREA}]},
        {"actions": [{"type": "message", "text": "a", "label": "a" * 101, "area": AREA}]},
        {"actions": [{"type": "message", "text": "a", "area": AREA | {"x": 521}}]},
        {"actions": [{"type": "message", "text": "a", "area": AREA | {"x": -1}}]},
        {"actions": [{"type": "message", "text": "a", "area": AREA | {"width": 1.5}}]},
        {"actions": [{"type": "message", "text": "a"}]},
        {"actions": [{"type": "message", "text": "a", "area": AREA}] * 51},
        {"video": {"originalContentUrl": IMAGE}},
    ],
)
def test_an_imagemap_has_its_limits(change: Json) -> None:
    """Sizes, areas, links and labels of an imagemap are checked."""
    assert problems(imagemap(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"latitude": 91},
        {"longitude": -180.1},
        {"latitude": float("nan")},
        {"latitude": True},
        {"title": "あ" * 101},
        {"address": ""},
    ],
)
def test_a_place_is_on_earth(change: Json) -> None:
    """A location has a title, an address, and coordinates that exist."""
    assert len(problems(SOUND["location"] | change)) == 1


def test_numbers_of_stickers_are_texts() -> None:
    """A sticker's numbers are written in quotes."""
    message = {"type": "sticker", "packageId": 446, "stickerId": "1988"}
    assert "digits in quotes" in hinted(message, "packageId")


# --- flex ---


@pytest.mark.parametrize(
    ("component", "told"),
    [
        ({"type": "text", "text": ""}, "is empty"),
        ({"type": "text"}, "neither text nor contents"),
        ({"type": "text", "text": "a", "contents": []}, "at least 1"),
        ({"type": "text", "text": "a", "size": "huge"}, "xxs to 5xl"),
        ({"type": "text", "text": "a", "color": "red"}, "a colour"),
        ({"type": "text", "text": "a", "color": "#F00"}, "a colour"),
        ({"type": "text", "text": "a", "wrap": "true"}, "without quotes"),
        ({"type": "text", "text": "a", "margin": "10%"}, "pixels"),
        ({"type": "text", "text": "a", "flex": -1}, "whole number"),
        ({"type": "text", "text": "a", "maxLines": None}, "whole number"),
        ({"type": "text", "contents": [{"type": "text", "text": "a"}]}, "write span"),
        ({"type": "image", "url": "http://a.example/"}, "https:"),
        ({"type": "image", "url": IMAGE, "aspectRatio": "1:4"}, "beyond 1:3"),
        ({"type": "image", "url": IMAGE, "aspectRatio": "0:0"}, "beyond 1:3"),
        ({"type": "image", "url": IMAGE, "aspectRatio": "wide"}, "a ratio"),
        ({"type": "button"}, "is missing"),
        ({"type": "button", "action": {"type": "message", "text": "a"}}, "is missing"),
        ({"type": "icon", "url": IMAGE}, "component of a box"),
        ({"type": "video", "url": IMAGE}, "component of a box"),
        ({"type": "spacer"}, "component of a box"),
        ({"type": "box", "layout": "baseline", "contents": [box()]}, "baseline box"),
        ({"type": "box", "layout": "diagonal", "contents": []}, "horizontal"),
        ({"type": "box", "layout": "vertical"}, "is missing"),
        (box(background={"type": "linearGradient", "angle": "360deg"}), "below 360"),
        (box(action=ASKING["camera"]), "quick replies only"),
    ],
)
def test_a_component_that_the_platform_refuses_is_told(component: Json, told: str) -> None:
    """Each component is checked for what it holds and how."""
    assert any(told in problem for problem in problems(flex(bubble(component))))


def test_a_bubble_has_something_in_it() -> None:
    """A bubble without any block is refused."""
    assert "has nothing in it" in hinted(flex({"type": "bubble"}), "contents")


def test_a_video_stands_alone_in_a_large_bubble() -> None:
    """A video is shown as the hero of a single bubble of some width."""
    video = SOUND["flex video"]["contents"]
    assert "kilo, mega or giga" in hinted(flex(video | {"size": "micro"}), "contents")
    many = {"type": "carousel", "contents": [video]}
    assert "only a single bubble" in hinted(flex(many), "contents")


def test_bubbles_of_a_carousel_are_alike_and_few() -> None:
    """A carousel has one to twelve bubbles of one size."""
    small, large = bubble(box(), size="micro"), bubble(box())
    assert "same size" in hinted(flex({"type": "carousel", "contents": [small, large]}), "contents")
    assert "at most 12" in hinted(
        flex({"type": "carousel", "contents": [large] * 13}), "contents.contents"
    )


def test_few_images_move() -> None:
    """Ten animated images in a message are the most."""
    moving = {"type": "image", "url": IMAGE, "animated": True}
    assert problems(flex(bubble(*[moving] * 10))) == []
    assert "at most 10" in hinted(flex(bubble(*[moving] * 11)), "message")


def test_a_bubble_has_a_weight() -> None:
    """A bubble stays below 30 KB of JSON, in UTF-8."""
    said = {"type": "text", "text": "あ"}
    spare = 30_000 - len(
        json.dumps(bubble(said), ensure_ascii=False, separators=(",", ":")).encode()
    )
    assert problems(flex(bubble({"type": "text", "text": "あ" * (1 + spare // 3)}))) == []
    told = hinted(flex(bubble({"type": "text", "text": "あ" * (2 + spare // 3)})), "contents")
    assert "30,000" in told


def test_a_bubble_is_weighed_with_its_longest_values() -> None:
    """A hundred names may be long, so they weigh what they can become."""
    named = {"type": "text", "text": "{name}様"}
    assert problems(flex(bubble(*[named] * 80))) == []
    assert "30,000" in hinted(flex(bubble(*[named] * 100)), "contents")


def test_a_carousel_has_a_weight() -> None:
    """Bubbles that are each light enough may be too heavy together."""
    heavy = bubble({"type": "text", "text": "あ" * 5_000})
    assert problems(flex({"type": "carousel", "contents": [heavy] * 3})) == []
    told = hinted(flex({"type": "carousel", "contents": [heavy] * 4}), "contents")
    assert "50,000" in told
