"""CSS in the elements, links and openings counted, and templates that stay templates."""

import html as entities
import resource
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.composing.inliner import CPU_SECONDS_TO_LOOK, CPU_SECONDS_TO_SEND
from adapters.smtp.composing.inlining import OPENED, Links, counted_text, inlined
from gateway.domain.mail.message.templates import Slot, Template, compile_template, walk
from gateway.errors import Refusal, Refused


def html_of(source: str, values: Mapping[str, str], links: Links | None = None) -> str:
    made = inlined(compile_template(source, "html"), links)
    clicks = {f"#{number}": f"https://gw/{number}" for number in range(99)}
    return made.fill({**values, **clicks}, entities.escape)


def text_of(source: str, links: Links) -> str:
    made = counted_text(compile_template(source, "text"), links)
    return made.fill({"id": "7", **{f"#{number}": f"<{number}>" for number in range(99)}})


# --- styles ---


def test_rules_go_into_the_elements() -> None:
    """Media queries stay, for the programs that know them."""
    source = "<style>p{color:red}@media print{p{color:blue}}</style><p>あ</p>"
    made = html_of(source, {})
    assert '<p style="color: red;">あ</p>' in made
    assert "@media print" in made


@pytest.mark.parametrize("scheme", ["file://{}", "{}", "http://127.0.0.1:9/x.css", "//h/x.css"])
def test_nothing_is_fetched(scheme: str, tmp_path: Path) -> None:
    """Style sheets elsewhere, on this machine too, are dropped."""
    sheet = tmp_path / "x.css"
    sheet.write_text("p{color:red}")
    link = f'<link rel="stylesheet" href="{scheme.format(sheet)}">'
    made = html_of(f"<html><head>{link}</head><body><p>x</p></body></html>", {})
    assert "red" not in made
    assert "x.css" not in made


def test_slots_stay_where_they_were() -> None:
    """In text, attributes, styles and comments."""
    source = (
        "<style>p{color:red}</style><p style='width:{{ w }}' title={{ t }}>{{ n }}</p>"
        "<!--[if mso]>{{ n }}<![endif]--><title>{{ n }}</title>"
    )
    made = html_of(source, {"w": "1px", "t": 'a"b', "n": "<i>"})
    assert 'style="color: red;width: 1px"' in made
    assert 'title="a&quot;b"' in made
    assert ">&lt;i&gt;</p>" in made
    assert "<!--[if mso]>&lt;i&gt;<![endif]-->" in made


@pytest.mark.parametrize("vip", ["", "1"])
def test_conditions_may_stand_between_rows(vip: str) -> None:
    """Text there would be moved out of the table."""
    source = (
        "<table><tr><td>a</td></tr>{% if vip %}<tr><td>{{ n }}</td></tr>"
        "{% else %}<tr><td>-</td></tr>{% endif %}</table>"
    )
    made = html_of(source, {"vip": vip, "n": "N"})
    assert ("<td>N</td>" in made) == bool(vip)
    assert ("<td>-</td>" in made) == (not vip)
    assert made.index("<table>") < made.index("<td>a") < made.index("</table>")


def test_conditions_may_stand_in_attributes() -> None:
    """And within each other."""
    source = "<p class='a {% if x %}b{% if y %}c{% endif %}{% else %}d{% endif %}'>t</p>"
    assert 'class="a bc"' in html_of(source, {"x": "1", "y": "1"})
    assert 'class="a d"' in html_of(source, {})


@pytest.mark.parametrize(
    "source",
    [
        "<style>p{color:{{ c }}}</style><p>x</p>",
        "<title>{% if a %}x{% endif %}</title>",
        "<{{ tag }}>x",
        "<p {{ a }}={{ b }} {{ a }}=1 {{ c }}>x</p>{% if a %}</body>{% endif %}<link href={{ d }}>",
    ],
)
def test_what_cannot_be_kept_is_refused(source: str) -> None:
    """A slot is never lost in silence; where it can be kept it is."""
    try:
        made = inlined(compile_template(source, "html"))
    except Refused as refused:
        reason = refused.reason
    else:
        reason = Refusal.TEMPLATE_INVALID
        assert made.names == compile_template(source, "html").names
    assert reason is Refusal.TEMPLATE_INVALID


PIECES = ["<p>", "</p>", "<table>", "<td>", "{{ a }}", "{% if b %}", "x", '<a href="', '">', "<"]
PIECES += ["<!--", "-->", "<style>", "</style>", "<title>", "&lt;", "'", "<script>"]


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_any_html_keeps_its_slots_or_is_refused(pieces: list[str]) -> None:
    """Whatever the nesting, slots come out in their order."""
    source = "".join(pieces) + "{% endif %}" * pieces.count("{% if b %}")
    template = compile_template(source, "html")
    try:
        made = inlined(template, Links(), opens=True)
    except Refused as refused:
        assert refused.reason is Refusal.TEMPLATE_INVALID  # noqa: PT017  # either way is right
        return
    wanted = [part.name for part in walk(template.parts) if not isinstance(part, str)]
    found = [part.name for part in walk(made.parts) if not isinstance(part, str)]
    assert [name for name in found if name[0] != "#"] == wanted
    assert "zq" not in "".join(part for part in walk(made.parts) if isinstance(part, str))


@pytest.mark.parametrize(
    "source", ["<div>" * 190_000, "<style>" + "*{a:b}" * 20_000 + "</style>" + "<p>x" * 100_000]
)
@pytest.mark.slow
def test_what_would_break_or_stop_the_daemon_is_refused(source: str) -> None:
    """Deep nesting overflows css-inline's stack, and some rules take it minutes."""
    with pytest.raises(Refused) as caught:
        inlined(Template((source,)))
    assert caught.value.reason is Refusal.TEMPLATE_INVALID


def test_what_grows_too_large_is_refused() -> None:
    """A rule that is written into each of many elements."""
    rule = "color:red;margin:0 1px 2px 3px;border:1px solid #123456"
    with pytest.raises(Refused) as caught:
        inlined(compile_template(f"<style>p{{{rule}}}</style>{'<p>' * 39_000}", "html"))
    assert caught.value.reason is Refusal.CONTENT_TOO_LARGE


# --- links ---


def test_links_are_counted_once_for_each_address() -> None:
    """In HTML and in text, entities understood."""
    links = Links()
    made = html_of(
        "<a href='https://a.example/?x=1&amp;y=2'>1</a><a class=b href=HTTP://b.example/>2</a>"
        "<map><area href='https://a.example/?x=1&y=2'></map>",
        {},
        links,
    )
    assert made.count('href="https://gw/0"') == 2
    assert made.count('href="https://gw/1"') == 1
    assert text_of("https://a.example/?x=1&y=2 https://c.example", links) == "<0> <2>"
    assert links.urls == ("https://a.example/?x=1&y=2", "HTTP://b.example/", "https://c.example")


@pytest.mark.parametrize(
    "href",
    ["mailto:a@b.example", "tel:+8131", "#top", "{{ stop_url }}", "https://a.example/?id={{ id }}"],
)
def test_other_links_are_left(href: str) -> None:
    """Stops must not be counted, and an address with a slot differs for each recipient."""
    links = Links()
    made = html_of(f'<a href="{href}">x</a>', {"stop_url": "https://s/u", "id": "7"}, links)
    assert "https://gw/" not in made
    assert links.urls == ()


@pytest.mark.parametrize(
    ("text", "wanted", "urls"),
    [
        ("「https://a.example/」をご覧", "「<0>」をご覧", ["https://a.example/"]),
        ("(https://a.example/b).", "(<0>).", ["https://a.example/b"]),
        ("https://a.example/b_(c)", "<0>", ["https://a.example/b_(c)"]),
        ("https://a.exampleです。", "<0>です。", ["https://a.example"]),
        ("https://a.example/{{ id }}", "https://a.example/7", []),
        ("https://a.example {{ id }}", "<0> 7", ["https://a.example"]),
        ("{{ id }}https://a.example!", "7<0>!", ["https://a.example"]),
        ("https:// と http", "https:// と http", []),
        ("https://a.example/秋?q=靴", "<0>", ["https://a.example/%E7%A7%8B?q=%E9%9D%B4"]),
        ("https://a.example/秋。次", "<0>。次", ["https://a.example/%E7%A7%8B"]),
        ("https://a.example/autumnをご覧", "<0>をご覧", ["https://a.example/autumn"]),
        ("https://a.example/秋をご覧", "https://a.example/秋をご覧", []),
        ("https://a.example/autumn秋", "https://a.example/autumn秋", []),
        ("https://秋.example/", "https://秋.example/", []),
        ("https://a.example/秋{{ id }}", "https://a.example/秋7", []),
        ("{% if id %}https://a.example{% endif %}", "<0>", ["https://a.example"]),
    ],
)
def test_links_in_text_end_where_people_see_it(text: str, wanted: str, urls: list[str]) -> None:
    """Signs of the sentence are no part of an address, Japanese ones least of all."""
    links = Links()
    assert text_of(text, links) == wanted
    assert list(links.urls) == urls


def test_links_of_html_are_kept_in_ascii_and_without_control_characters() -> None:
    """What is kept becomes a header of the page that leads on."""
    links = Links()
    hrefs = (
        "https://a.example/秋",
        "https://a.example/&#1;x",
        "https://a.example/&#x7f;",
        "https://秋.example/",
    )
    html_of("".join(f"<a href='{href}'>x</a>" for href in hrefs), {}, links)
    assert links.urls == ("https://a.example/%E7%A7%8B",)


def test_a_picture_counts_openings_of_those_who_have_one() -> None:
    """It stands at the end of the body, and is left out where openings are not counted."""
    made = inlined(compile_template("<p>x</p>", "html"), opens=True)
    assert Slot(OPENED) in walk(made.parts)
    picture = '<img src="https://gw/o?a&amp;b" width="1" height="1" alt=""></body>'
    assert picture in made.fill({OPENED: "https://gw/o?a&b"}, entities.escape)
    assert "<img" not in made.fill({OPENED: ""}, entities.escape)


def test_a_style_gets_as_much_of_a_processor_as_it_is_given() -> None:
    """Rules for everything would take minutes: who looks at a draft is told sooner."""
    rules = "".join(f"div :not(.a{number}) ~ p{{color:red}}" for number in range(20_000))
    template = compile_template(f"<style>{rules}</style><div>{'<p>x</p>' * 3_000}</div>", "html")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(Refused) as refused:
        inlined(template, cpu_seconds=1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert refused.value.reason is Refusal.TEMPLATE_INVALID
    taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert taken < 2 * CPU_SECONDS_TO_LOOK < CPU_SECONDS_TO_SEND
