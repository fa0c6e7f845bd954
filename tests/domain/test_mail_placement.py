"""Where a slot or a condition is lost is told when a draft is checked, not when its mails go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.composing.inlining import inlined
from gateway.domain.mail.message.content import Content, check_content
from gateway.domain.mail.message.display import Display
from gateway.domain.mail.message.placement import misplaced
from gateway.domain.mail.message.templates import compile_template
from gateway.errors import Refusal, Refused

IF = "{% if a %}x{% endif %}"

LOST = {
    "<style>p { color: {{ a }} }</style><p>x</p><p>y</p>": "<style>",
    f"<STYLE>{IF}</STYLE><p>x</p>": "<style>",
    "<style><!-- {{ a }} --></style><p>x</p>": "<style>",
    "<style media='{{ a }}'>p { color: red }</style><p>x</p>": "<style>",
    "<svg><style>{{ a }}</style></svg>": "<style>",
    "<p>x</p><style>{{ a }}": "<style>",
    f"<title>{IF}</title><p>x</p>": "<title>",
    f"<textarea>{IF}</textarea>": "<textarea>",
    "<link rel='stylesheet' href='{{ a }}'><p>x</p>": "<link>",
    "<h{{ a }}>x</h{{ a }}>": "name of a tag",
    "<{{ a }}>x": "name of a tag",
    "<p>x</p class='{{ a }}'>": "closing tag",
}
KEPT = (
    "<p>{{ a }}</p>",
    "<title>{{ a }}</title><p>x</p>",
    "<p class='{% if a %}x{% endif %}' style='color: {{ a }}'>x</p>",
    "<!-- <style> {{ a }} --><p>{{ a }}</p><!-- </style> -->",
    f"<table>{IF}<tr><td>{{{{ a }}}}</td></tr></table>",
    "<style>p { color: red }</style>{{ a }}<p>1 < {{ a }}</p>",
    f"<styled>{{{{ a }}}}</styled><links>{IF}</links>",
)


@pytest.mark.parametrize("html", LOST)
def test_what_would_be_lost_is_refused_by_its_place(html: str) -> None:
    """Wherever the style's way into the elements would lose it; it says which slot and where."""
    template = compile_template(html, "html")
    with pytest.raises(Refused):
        inlined(template)
    told = list(misplaced(template))
    assert told
    assert all("a stands in " in each and LOST[html] in each for each in told)


@pytest.mark.parametrize("html", KEPT)
def test_what_is_kept_is_not_refused(html: str) -> None:
    """In texts, attributes, comments and between rows."""
    template = compile_template(html, "html")
    inlined(template)
    assert list(misplaced(template)) == []


@pytest.mark.parametrize("inside", ["var a = '{{ a }}'", IF])
def test_no_value_goes_into_a_script(inside: str) -> None:
    """What makes a value safe for HTML does not make it safe there."""
    (told,) = misplaced(compile_template(f"<script>{inside}</script>", "html"))
    assert "<script>" in told


def test_a_draft_is_refused_for_it() -> None:
    """As of anything else that keeps a content from being sent."""
    html = "<style>p { color: {{ name }} }</style><p>x</p>"
    content = Content(subject="x", text="x", html=html, footer="ja")
    (problem,) = check_content(content, Display("Acme", "Tokyo", "a@b.example"), ["name"])
    assert (problem.where, problem.reason) == ("html", Refusal.TEMPLATE_INVALID)
    assert problem.detail.startswith("name stands in <style>")


@given(st.lists(st.sampled_from(["<", "</", "style", "a", ">", " ", "'", "<!--", "-->", "é"])))
def test_no_html_without_slots_is_refused(pieces: list[str]) -> None:
    """Whatever it is."""
    assert list(misplaced(compile_template("".join(pieces), "html"))) == []
