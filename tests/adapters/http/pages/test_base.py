"""What every page is made with: nothing of a request becomes code, and errors can be read."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.http.pages.base import (
    Html,
    Pages,
    Text,
    form,
    joined,
    language_of,
    lines,
    markup,
    page,
    source_of,
)
from adapters.http.server import STATUS_OF
from gateway.errors import Refusal, Refused, Transient, Trouble
from gateway.ports import Answer, Request
from tests.support.browser import Counting
from tests.support.stores import on_a_loop


def request(body: bytes = b"", **headers: str) -> Request:
    """A request with these headers."""
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Request("GET", "/x", "", named, body, 0, "1")


class Reader(HTMLParser):
    """Collects texts, tags and attributes as a browser reads them."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, Mapping[str, str | None]]] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


# --- markup ---

_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@given(_TEXT)
def test_a_value_stays_text(value: str) -> None:
    """Whatever a value holds, a browser reads it back as it was: in text and in an attribute."""
    read = Reader(markup('<p title="{value}">{value}</p>', value=value))
    assert read.tags == [("p", {"title": value})]
    assert "".join(read.texts) == value


def test_markup_within_markup_stays_markup() -> None:
    """What was escaped once is not escaped again, and braces in values are no templates."""
    inner = markup("<b>{x}</b>", x="{y}<")
    assert markup("<p>{inner}</p>", inner=inner) == "<p><b>{y}&lt;</b></p>"
    assert joined([inner, Html("<hr>")]) == "<b>{y}&lt;</b><hr>"
    assert lines("a<\nb") == "a&lt;<br>b"


def test_a_page_allows_nothing_but_itself() -> None:
    """Its policy names its own style and script by hash, and what was asked for beside them."""
    answer = page(
        "ja", "<t>", markup("<p>x</p>"), script="go()", sources={"img-src": ["https://a.example"]}
    )
    policy = answer.headers["Content-Security-Policy"]
    document = answer.body.decode()
    (style,) = re.findall("<style>(.*?)</style>", document, re.DOTALL)
    assert f"style-src {source_of(style)}" in policy
    assert f"script-src {source_of('go()')}" in policy
    assert "img-src https://a.example" in policy
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "<title>&lt;t&gt;</title>" in document
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "unsafe" not in policy
    assert "script-src" not in page("ja", "", Html("")).headers["Content-Security-Policy"]


def test_half_a_character_breaks_no_page() -> None:
    """Lone surrogates, which no UTF-8 has, become question marks."""
    assert b"<h1>?</h1>" in page("en", "", markup("<h1>{x}</h1>", x="\ud800")).body


# --- languages ---


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "ja"),
        ("ja", "ja"),
        ("en", "en"),
        ("en-US,en;q=0.9,ja;q=0.8", "en"),
        ("ja,en-US;q=0.9", "ja"),
        ("en;q=0.5,ja;q=0.5", "ja"),
        ("fr,*;q=0.5", "ja"),
        ("fr,en;q=0.3", "en"),
        ("en;q=0", "ja"),
        ("en;q=x,;;;,=", "ja"),
        ("*", "ja"),
    ],
)
def test_japanese_unless_english_is_wanted_more(accepted: str, language: str) -> None:
    """The order of wishes counts; nonsense is none."""
    assert language_of(request(Accept_Language=accepted)) == language


def test_a_text_takes_values_in_both_languages() -> None:
    """Braces are filled; a text without values is taken as it stands."""
    text = Text("{n}枚", "{n} left")
    assert (text.to("ja", n=3), text.to("en", n=3)) == ("3枚", "3 left")
    assert Text("{", "{").to("ja") == "{"


# --- forms ---

_FORM = "application/x-www-form-urlencoded"


def test_a_form_is_read() -> None:
    """Names and values are decoded; a field that is empty is there."""
    sent = request(b"pin=12+34%20&name=%E5%BA%97&empty=", Content_Type=f"{_FORM}; charset=utf-8")
    assert form(sent) == {"pin": "12 34 ", "name": "店", "empty": ""}


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"a=1", "application/json", Refusal.NOT_A_FORM),
        (b"a=1", "", Refusal.NOT_A_FORM),
        (b"a=1&a=2", _FORM, Refusal.NOT_A_FORM),
        (b"a=%ff", _FORM, Refusal.INVALID_UTF8),
        (b"a=\xe5", _FORM, Refusal.INVALID_UTF8),
        (b"&".join(b"f%d=" % n for n in range(101)), _FORM, Refusal.NOT_A_FORM),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, kind: str, reason: Refusal) -> None:
    """Other types, a field twice, too many, and what is not UTF-8."""
    with pytest.raises(Refused) as caught:
        form(request(body, Content_Type=kind))
    assert caught.value.reason is reason


# --- errors ---


async def told(error: Exception, **headers: Any) -> tuple[Answer, Counting]:
    """What a route answers whose handler fails so."""
    observer = Counting()

    async def handler(_: Request) -> Answer:
        raise error

    route = Pages(observer, structlog.get_logger("test")).route("GET", "/x", handler, "x")
    return await route.handler(request(**headers)), observer


@on_a_loop
async def test_a_browser_gets_a_page_for_every_refusal() -> None:
    """In the reader's language, with the refusal's status, and counted once."""
    for reason in Refusal:
        answer, observer = await told(Refused(reason, "secret"), Accept="text/html")
        assert answer.status == STATUS_OF[reason]
        assert answer.content_type.startswith("text/html")
        assert b'lang="ja"' in answer.body
        assert b"secret" not in answer.body
        assert observer.refusals == [("pages", "x", reason)]


@on_a_loop
async def test_a_store_that_is_away_is_told_of() -> None:
    """A browser is asked to come back."""
    answer, _ = await told(Transient(Trouble.STORE_DOWN), Accept="text/html", Accept_Language="en")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert b"busy" in answer.body


@on_a_loop
async def test_programs_get_the_listener_s_answer() -> None:
    """Who does not ask for a page gets a problem document: the error goes on to the listener."""
    with pytest.raises(Refused):
        await told(Refused(Refusal.NOT_FOUND), Accept="application/json")
    with pytest.raises(Refused):
        await told(Refused(Refusal.NOT_FOUND))
