"""Short links: codes, places in messages, and who follows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.links import (
    CODE,
    CODE_LENGTH,
    Link,
    day_of,
    named_in,
    new_code,
    replaced,
    visitor,
)
from gateway.domain.values import SECOND, Seed

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Mobile/15E148 Safari Line/14.9.0"
)
CUBOT = (
    "Mozilla/5.0 (Linux; Android 9; CUBOT X18 Plus) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/124.0.0.0 Mobile Safari/537.36"
)


@given(st.binary(min_size=16, max_size=16))
def test_codes_are_ten_characters_fit_for_a_path(secret: bytes) -> None:
    """Each draw gives another one, and the same seed the same."""
    draw = Seed(0, 0, secret).draw()
    codes = [new_code(draw) for _ in range(20)]
    assert all(CODE.fullmatch(code) and len(code) == CODE_LENGTH for code in codes)
    assert len(set(codes)) == 20
    assert new_code(Seed(0, 0, secret).draw()) == codes[0]


def test_links_are_found_and_replaced_anywhere_in_a_message() -> None:
    """In texts, addresses and nested parts; doubled braces are words, and nothing else changes."""
    message = {
        "type": "flex",
        "altText": "{link:a} {name} {{link:b}} {{{link:c}}}",
        "contents": [{"uri": "{link:b-2}", "n": 1}, ("{link:A}", None, True)],
    }
    assert named_in(message) == {"a", "b-2", "c"}
    told = replaced(message, lambda name: f"https://x/{name}")
    assert told == {
        "type": "flex",
        "altText": "https://x/a {name} {{link:b}} {{https://x/c}}",
        "contents": [{"uri": "https://x/b-2", "n": 1}, ["{link:A}", None, True]],
    }


@pytest.mark.parametrize(
    ("method", "agent", "purpose", "expected"),
    [
        ("GET", IPHONE, "", "person"),
        ("GET", CUBOT, "", "person"),
        ("HEAD", IPHONE, "", "bot"),
        ("GET", IPHONE, "prefetch;prerender", "bot"),
        ("GET", IPHONE, "preview", "bot"),
        ("GET", "", "", "bot"),
        ("GET", "facebookexternalhit/1.1;line-poker/1.0", "", "bot"),
        ("GET", "Mozilla/5.0 (compatible; Googlebot/2.1)", "", "bot"),
        ("GET", "Twitterbot/1.0", "", "bot"),
        ("GET", "Slackbot-LinkExpanding 1.0", "", "bot"),
        ("GET", "curl/8.5.0", "", "bot"),
        ("GET", "python-requests/2.32", "", "bot"),
        ("GET", "Mozilla/5.0 (Windows NT 10.0) HeadlessChrome/124.0", "", "bot"),
    ],
)
def test_programs_are_told_from_people(
    method: str, agent: str, purpose: str, expected: str
) -> None:
    """By method, purpose and name; LINE's own preview is a program, its browser a person."""
    assert visitor(method, agent, purpose) == expected


def test_days_are_those_of_tokyo() -> None:
    """A day begins at 15:00 UTC."""
    midnight = 20_000 * 86_400 * SECOND - 9 * 3600 * SECOND
    assert day_of(midnight) == 20_000
    assert day_of(midnight - 1) == 19_999


def test_a_link_says_whose_it_is() -> None:
    """For the store and the files."""
    link = Link("menu", "acme", "https://shop.example.jp/")
    assert (link.key, link.owner) == ("menu", "acme")
