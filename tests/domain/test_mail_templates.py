"""Templates of mails: what may be written, and what each recipient gets."""

import html
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from gateway.domain.mail.message import templates
from gateway.domain.mail.message.templates import (
    ALLOWED,
    MOST_SLOTS,
    Choice,
    Slot,
    Template,
    compile_template,
    plain,
)
from gateway.errors import Refusal, Refused


def refused(source: str, where: str = "text") -> Refused:
    with pytest.raises(Refused) as caught:
        compile_template(source, where)  # type: ignore[arg-type]  # the parameters of tests
    return caught.value


def test_slots_are_filled() -> None:
    """Values stand where their names were."""
    made = compile_template("{{ name }} 様、{{ points }} 点", "text")
    assert made.fill({"name": "山田", "points": "3"}) == "山田 様、3 点"
    assert made.names == {"name", "points"}


@pytest.mark.parametrize("values", [{}, {"name": ""}, {"name": " 　"}])
def test_a_missing_value_keeps_the_mail_back(values: dict[str, str]) -> None:
    """Blank counts as missing: no mail goes out with "様" alone."""
    made = compile_template("{{ name }} 様", "text")
    with pytest.raises(Refused) as caught:
        made.fill(values)
    assert (caught.value.reason, caught.value.detail) == (Refusal.VALUE_MISSING, "name")


def test_a_default_stands_in_for_a_missing_value() -> None:
    """An empty one has to be said."""
    made = compile_template('{{ name | default("お客") }}様{{ note | default("") }}', "text")
    assert made.fill({}) == "お客様"


def test_a_condition_asks_whether_there_is_a_value() -> None:
    """What is under it is only asked for where it holds."""
    made = compile_template("{% if name %}{{ name }}様{% else %}お客様{% endif %}へ", "text")
    assert made.fill({"name": "山田"}) == "山田様へ"
    assert made.fill({}) == "お客様へ"
    nested = compile_template("{% if a %}{% if b %}{{ c }}{% endif %}{% endif %}", "text")
    assert nested.fill({"a": "1"}) == ""
    with pytest.raises(Refused) as caught:
        nested.fill({"a": "1", "b": "1"})
    assert caught.value.detail == "c"


def test_values_are_escaped_and_the_template_is_not() -> None:
    """In HTML a value cannot become an element; defaults are values, too."""
    made = compile_template('<b>{{ name | default("<i>") }}</b>', "html")
    assert made.fill({"name": '<a&"'}, html.escape) == "<b>&lt;a&amp;&quot;</b>"
    assert made.fill({}, html.escape) == "<b>&lt;i&gt;</b>"


def test_a_value_is_never_read_as_a_template() -> None:
    """What a recipient typed is text."""
    made = compile_template("{{ a }}", "text")
    assert made.fill({"a": "{{ b }}{% if c %}"}) == "{{ b }}{% if c %}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ a.b }}",
        "{{ a['b'] }}",
        "{{ a() }}",
        "{{ ''.__class__ }}",
        "{{ a | upper }}",
        '{{ a | default("x") | safe }}',
        "{{ a | default(b) }}",
        '{{ a | default("x", true) }}',
        "{{ a | default(1) }}",
        "{{ a | default }}",
        '{{ a | default(*"x") }}',
        "{{ a + b }}",
        "{{ 'x' }}",
        "{{ a if b }}",
        "{{ A }}",
        "{{ 名前 }}",
        "{{ " + "a" * 41 + " }}",
        "{% for a in b %}{% endfor %}",
        "{% set a = 1 %}",
        "{% if a == b %}{% endif %}",
        "{% if not a %}{% endif %}",
        "{% if a %}{% elif b %}{% endif %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% block x %}{% endblock %}",
        "{% filter upper %}{% endfilter %}",
        "{% with a = 1 %}{% endwith %}",
        "{% call m() %}{% endcall %}",
        "{% autoescape false %}{% endautoescape %}",
        "{% if a %}",
        "{{ a",
        "{{ }}",
        "{# never ended",
        "{% raw %}x",
    ],
)
def test_everything_else_is_refused_with_its_line(source: str) -> None:
    """Whoever wrote it is told where, and what is allowed."""
    error = refused("\n\n" + source)
    assert error.reason is Refusal.TEMPLATE_INVALID
    assert "text, line 3: " in error.detail or "line 1" in error.detail
    assert error.detail.endswith(ALLOWED)


@pytest.mark.parametrize("source", ["{{" + "(" * 100_000, "{% if a %}" * 40_000, "{{ -" * 90_000])
def test_deep_nesting_is_refused(source: str) -> None:
    """The parser's stack is bounded."""
    assert refused(source).reason is Refusal.TEMPLATE_INVALID


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("{{a}}" * 99_999, "text"),
        ("{##}" * 124_000, "text"),
        ("{% if a %}" + "{% elif a %}" * 30_000 + "{% endif %}", "text"),
        ("{{ a" + "+a" * 100_000 + " }}", "text"),
        ('{{ a|default("}}")' + "+a" * 100_000 + " }}", "text"),
        ('{{ a|default("' + "x" * 3_001 + '") }}', "text"),
        ("{{ a" + " " * 400_000 + "}}", "text"),
        ('{{ a|default("}}")|' + "9" * 400_000 + ".e }}", "text"),
        ("</a>" * 240_000, "html"),
    ],
)
def test_what_would_keep_the_parser_busy_is_refused_unparsed(
    source: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes seconds for them; braces are counted first."""
    monkeypatch.setattr(templates, "_READER", _Unparsing())
    assert refused(source, where).reason in (
        Refusal.TEMPLATE_INVALID,
        Refusal.CONTENT_TOO_LARGE,
    )


class _Unparsing:
    """Tells tokens apart, but parses nothing."""

    lexer = Environment(autoescape=True).lexer


@pytest.mark.parametrize(
    "source", ["{{ " + "9" * 2_900 + " }}", "{{ 9" + "_9" * 2_900 + " }}", "{{ 1e999 }}"]
)
def test_numbers_are_refused_however_long(source: str) -> None:
    """Python reads none beyond some thousand digits."""
    assert refused(source).reason is Refusal.TEMPLATE_INVALID


@pytest.mark.parametrize("sign", ["\\x00", "\\ud800", "\\r\\n", "\\x85", "\\u2028"])
def test_defaults_hold_no_control_characters(sign: str) -> None:
    """An escape is read where the source itself has none."""
    for where in ("subject", "text", "html"):
        error = refused(f'{{{{ a | default("x{sign}Bcc: b") }}}}', where)
        assert error.reason is Refusal.TEMPLATE_INVALID


def test_slots_are_limited() -> None:
    """Two hundred of one template are enough."""
    compile_template("{{ a }}" * MOST_SLOTS, "text")
    assert "slots" in refused("{{ a }}" * (MOST_SLOTS + 1)).detail


@pytest.mark.parametrize(
    ("where", "size"), [("subject", 999), ("text", 500_001), ("html", 2_000_000)]
)
def test_too_much_is_refused_by_name(where: str, size: int) -> None:
    """An HTML of 2 MB is not even read."""
    assert refused("a" * size, where).reason is Refusal.CONTENT_TOO_LARGE
    assert refused("あ" * (size // 3 + 1), where).reason is Refusal.CONTENT_TOO_LARGE


@pytest.mark.parametrize("sign", ["\r", "\n", "\0", "\x1b", "\u2028", "\x85"])
def test_a_subject_is_one_line(sign: str) -> None:
    """A line end in a subject would begin another header."""
    assert refused(f"a{sign}Bcc: b", "subject").reason is Refusal.TEMPLATE_INVALID


@pytest.mark.parametrize("sign", ["\0", "\x1b", "\x7f", "\ud800"])
def test_texts_hold_no_control_characters(sign: str) -> None:
    """The line of the first is told."""
    assert "line 2" in refused(f"a\nb{sign}").detail


def test_blanks_of_japanese_are_no_control_characters() -> None:
    """An ideographic space may stand in a subject."""
    assert compile_template("秋の　お知らせ", "subject").fill({}) == "秋の　お知らせ"


def test_raw_and_comments_are_read() -> None:
    """Braces can be written, and remarks that nobody gets."""
    made = compile_template("{% raw %}{{ x }}{% endraw %}{# note #}!", "text")
    assert made == Template(("{{ x }}!",))


@given(st.text(st.sampled_from("{}%#-|()'\"ab ifelsnd\n"), max_size=60))
def test_any_text_is_read_or_refused(source: str) -> None:
    """Nothing but a template or a named refusal comes of it."""
    try:
        made = compile_template(source, "text")
    except Refused as error:
        reason = error.reason
    else:
        made.fill(dict.fromkeys(made.names, "x"))
        reason = Refusal.TEMPLATE_INVALID
    assert reason is Refusal.TEMPLATE_INVALID


TEXTS = st.text(string.ascii_letters + "あ\n<&", max_size=10)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["a", "b"])), max_size=8), TEXTS)
def test_filling_is_replacing(pieces: list[tuple[str, str]], end: str) -> None:
    """A template without conditions says what its source says, names replaced by values."""
    source = "".join(f"{text}{{{{ {name} }}}}" for text, name in pieces) + end
    values = {"a": "1", "b": "2"}
    wanted = "".join(text + values[name] for text, name in pieces) + end
    assert compile_template(source, "text").fill(values) == wanted


def test_parts_are_as_few_as_can_be() -> None:
    """Neighbouring texts are one, and empty ones none."""
    made = compile_template("a{# x #}b{{ c }}{% if d %}{% endif %}", "text")
    assert made.parts == ("ab", Slot("c"), Choice("d", ()))


@given(st.text())
def test_a_plain_value_has_no_line_ends(value: str) -> None:
    """It is as long as before, and can be written into a header."""
    made = plain(value)
    assert len(made) == len(value)
    assert len(made.splitlines()) <= 1
    made.encode()
