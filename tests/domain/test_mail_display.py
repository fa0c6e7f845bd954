"""The law's items: found where they are shown, missed where they are not."""

import pytest

from gateway.domain.mail.message.display import Display, Item, Language, missing_items, with_footer
from gateway.domain.mail.message.templates import Template, compile_template

SHOWN = Display("株式会社Acme", "東京都千代田区丸の内1-1", "info@acme.example")
ALL: list[Item] = ["sender_name", "sender_address", "contact", "stop_link", "stop_sentence"]
TEXT = """\
{{ sender_name }}
{{ sender_address }}
{{ contact }}
配信停止: {{ stop_url }}
"""
HTML = """\
<p>{{ sender_name }}<br>{{ sender_address }}<br>{{ contact }}</p>
<p>配信停止は<a href="{{ stop_url }}">こちら</a></p>
"""


def missing(source: str, *, is_html: bool = False) -> list[Item]:
    template = compile_template(source, "html" if is_html else "text")
    return missing_items(template, SHOWN, is_html=is_html)


@pytest.mark.parametrize("is_html", [False, True])
def test_an_empty_part_lacks_everything(is_html: bool) -> None:
    """Each item is named."""
    assert missing("こんにちは", is_html=is_html) == ALL


def test_a_whole_text_lacks_nothing() -> None:
    """Slots of the list's own names show its items."""
    assert missing(TEXT) == []
    assert missing(HTML, is_html=True) == []


def test_items_may_be_written_out() -> None:
    """Widths of characters, blanks and line ends make no difference."""
    text = "株式会社Ａｃｍｅ\n東京都 千代田区\n丸の内１－１\ninfo@acme.example\n"
    assert missing(text + "解除\n{{ stop_url }}") == []


@pytest.mark.parametrize("name", ["sender_name", "sender_address", "contact"])
def test_each_item_is_missed(name: Item) -> None:
    """In the text as in the HTML."""
    slot = f"{{{{ {name} }}}}"
    assert missing(TEXT.replace(slot, "")) == [name]
    assert missing(HTML.replace(slot, ""), is_html=True) == [name]


def test_the_sentence_must_stand_beside_the_link() -> None:
    """The next line will do; a paragraph further will not."""
    base = TEXT.replace("配信停止: ", "")
    assert missing(base) == ["stop_sentence"]
    assert missing(base.replace("{{ stop_url }}", "配信の停止はこちら\n\n{{ stop_url }}")) == []
    assert missing("配信停止\na\nb\n" + base) == ["stop_sentence"]


@pytest.mark.parametrize(
    "sentence",
    [
        "メールの受信を停止する",
        "購読解除",
        "登録を解除",
        "Unsubscribe",
        "opt-out",
        "You can stop it",
    ],
)
def test_senders_say_it_in_many_ways(sentence: str) -> None:
    """Japanese and English words for it are known."""
    assert missing(TEXT.replace("配信停止", sentence)) == []


def test_what_is_under_a_condition_does_not_count() -> None:
    """Some recipients would not see it."""
    hidden = "{% if vip %}{{ contact }}{% else %}{{ contact }}{% endif %}"
    assert missing(TEXT.replace("{{ contact }}", hidden)) == ["contact"]


@pytest.mark.parametrize(
    "around",
    [
        '<div style="display:none">{}</div>',
        '<div style="DISPLAY : none !important">{}</div>',
        '<span style="font-size:0">{}</span>',
        '<span style="visibility: hidden">{}</span>',
        '<p style="max-height:0px;overflow:hidden">{}</p>',
        "<div hidden>{}</div>",
        "<!-- {} -->",
        "<style>{}</style>",
        "<script>{}</script>",
        "<title>{}</title>",
        "<textarea>{}</textarea>",
        '<img src="x" title="{}">',
        '<div style="color:#fff;background:white">{}</div>',
        '<div style="color: rgb(255, 255, 255); background-color: #FFF">{}</div>',
        '<div style="color:transparent">{}</div>',
        '<div style="color:rgba(0,0,0,0)">{}</div>',
        '<div style="font-size:1px">{}</div>',
        '<div style="font:0/0 a">{}</div>',
        '<div style="opacity:.01">{}</div>',
        '<div style="position:absolute;left:-9999px">{}</div>',
        '<div style="text-indent:-100em">{}</div>',
        '<div style="height:0;overflow:hidden">{}</div>',
        '<div style="display/**/:/* */none">{}</div>',
        '<div style="d\\69splay:none">{}</div>',
        '<div style="' + "color:red;" * 600 + '">{}</div>',
    ],
)
def test_what_cannot_be_seen_does_not_count(around: str) -> None:
    """The law wants it easily noticed."""
    assert missing(around.replace("{}", HTML), is_html=True) == ALL


@pytest.mark.parametrize(
    "style",
    [
        "",
        "color:#333;background:#fff",
        "color:#fff;background-color:#336",
        "font:700 13px/1.5 sans-serif",
        "font-size:0.9em;line-height:1.6;overflow:hidden",
        "font-size:80%",
        "font-size:small",
        "height:1.5em;overflow:hidden",
        "margin:0 -10px;padding:0",
        "width:100%;max-width:600px;overflow:hidden",
        "opacity:1",
        "background:url(x.png) #fff",
        "color:inherit",
    ],
)
def test_what_is_merely_styled_is_seen(style: str) -> None:
    """As mails have it everywhere."""
    assert missing(f'<div style="{style}">{HTML}</div>', is_html=True) == []


@pytest.mark.parametrize(
    "link",
    [
        '<a href="https://evil.example/?x={{ stop_url }}">こちら</a>',
        '<a href="{{ stop_url }}x">こちら</a>',
        '<a href="{{ stop_url }}">.</a>',
        '<a href="{{ stop_url }}">\u200b</a>',
        '<a href="{{ stop_url }}"><img width="1" height="1" alt="停止"></a>',
    ],
)
def test_a_link_that_does_not_stop_or_cannot_be_pressed_is_none(link: str) -> None:
    """It leads to the recipient's own page, and has a letter, a digit or a picture with some."""
    html = HTML.replace('<a href="{{ stop_url }}">こちら</a>', link)
    assert missing(html, is_html=True) == ["stop_link", "stop_sentence"]


def test_what_follows_a_hidden_element_is_seen() -> None:
    """A preheader that is hidden hides nothing else."""
    before = '<div style="display:none">見出し<br><p>x</div>'
    assert missing(before + HTML, is_html=True) == []
    assert missing('<p style="font-size:0.9em;opacity:0.8">' + HTML, is_html=True) == []


def test_a_link_without_anything_to_press_is_none() -> None:
    """An empty element is not seen; a picture with its text is."""
    assert missing(HTML.replace("こちら", ""), is_html=True) == ["stop_link", "stop_sentence"]
    picture = '<img src="stop.png" alt="解除">'
    assert missing(HTML.replace("こちら", picture), is_html=True) == []


def test_html_knows_lines_by_its_elements() -> None:
    """Line ends of the source are none, those of elements are."""
    apart = HTML.replace("配信停止は<a", "配信停止<p>a<p>b<p><a")
    assert missing(apart, is_html=True) == ["stop_sentence"]
    assert missing(HTML.replace("は<a", "は\n\n\n<a"), is_html=True) == []


def test_broken_html_is_read() -> None:
    """Whatever it is, there is an answer."""
    for source in ("<", "<a href='", "</p></p>", "<div" * 3000, "<p>" * 10_000, "<![CDATA["):
        assert missing(source, is_html=True) == ALL


@pytest.mark.parametrize(
    "unit",
    [
        "<a ",
        "<a/",
        "<a b c ",
        "<a href='",
        '<x y="1" ',
        "<!--",
        "<div>",
        "<div hidden>",
        "<div hidden></p>",
        "<a href=x>",
        "<style>",
        "<p style='font-size: '>",
        "</",
        "&#",
        "{{ stop_url }}\n",
    ],
)
def test_html_that_was_made_to_be_slow_is_read_in_one_pass(unit: str) -> None:
    """1 MB of it; a parser that goes back would take hours."""
    source = unit * (200 if "{{" in unit else 990_000 // len(unit))
    template = compile_template(source, "html") if "{{" in unit else Template((source + "</x>",))
    assert missing_items(template, SHOWN, is_html=True)


def test_attributes_are_read_as_browsers_do() -> None:
    """Quotes of either kind or none, entities, capitals, and the first of two."""
    for link in (
        "<A HREF = {{ stop_url }} >",
        "<a class=x href='{{ stop_url }}'title=y>",
        '<a\nhref="&#32;{{ stop_url }}" href="other"/>',
    ):
        assert missing(HTML.replace('<a href="{{ stop_url }}">', link), is_html=True) == []
    other = '<a href="x" href="{{ stop_url }}">'
    html = HTML.replace('<a href="{{ stop_url }}">', other)
    assert missing(html, is_html=True) == ["stop_link", "stop_sentence"]
    entities = HTML.replace("{{ contact }}", "info&#64;acme&period;example")
    assert missing(entities, is_html=True) == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_ready_made_footer_has_everything(language: Language) -> None:
    """In both parts; in HTML within the body."""
    assert missing(with_footer("本文", language, is_html=False)) == []
    made = with_footer("<html><body><p>本文</BODY></html>", language, is_html=True)
    assert missing(made, is_html=True) == []
    assert made.endswith("</BODY></html>")
    assert missing(with_footer("<p>本文", language, is_html=True), is_html=True) == []


def test_a_sender_without_a_name_is_told_of() -> None:
    """An empty item of the list is shown nowhere."""
    template = compile_template(TEXT, "text")
    assert missing_items(template, Display("", " ", "a@b.example"), is_html=False) == [
        "sender_name",
        "sender_address",
    ]
