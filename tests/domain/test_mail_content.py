"""Contents: what keeps them from being sent, and what ISO-2022-JP cannot say."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.mail.message.content import (
    MOST_ATTACHED,
    Attachment,
    Content,
    Lack,
    Problem,
    check_content,
    checked,
    lacking,
    problems_of,
    templates_of,
    written,
)
from gateway.domain.mail.message.display import Display
from gateway.errors import Refusal, Refused

SHOWN = Display("株式会社Acme", "東京都千代田区1-1", "info@acme.example")
GOOD = Content("{{ name }}様へ", "本文 {{ name }}", "<p>本文 {{ name }}</p>", footer="ja")
JIS = msgspec.structs.replace(GOOD, charset="iso-2022-jp")

_replace = msgspec.structs.replace


def problems(content: Content, display: Display = SHOWN) -> list[Problem]:
    return check_content(content, display, ("name", "points"))


def told(content: Content) -> set[tuple[str, Refusal]]:
    return {(problem.where, problem.reason) for problem in problems(content)}


def test_a_good_content_has_no_problems() -> None:
    """In either character set; text alone will do."""
    assert problems(GOOD) == problems(JIS) == problems(_replace(GOOD, html=None)) == []
    assert templates_of(GOOD).subject.names == {"name"}


def test_each_part_must_show_the_laws_items() -> None:
    """A footer in the text does not help the HTML."""
    found = problems(_replace(GOOD, footer=None))
    assert {problem.where for problem in found} == {"text", "html"}
    assert {problem.reason for problem in found} == {Refusal.DISPLAY_ITEM_MISSING}
    assert len(found) == 10


def test_a_problem_names_its_place_once() -> None:
    """The line within it stands in the detail."""
    [found] = problems(_replace(GOOD, subject="{{ name | upper }}"))
    assert found.where == "subject"
    assert found.detail.startswith("line 1: ")


def test_what_was_checked_holds_for_the_same_alone() -> None:
    """A list that changed, or another content, is checked anew."""
    bad = _replace(GOOD, subject="{{ nmae }}")
    known = checked(bad, SHOWN, ("name",))
    names: tuple[str, ...]
    for content, display, names in (
        (bad, SHOWN, ("name",)),
        (GOOD, SHOWN, ("name",)),
        (bad, _replace(SHOWN, contact=""), ("name",)),
        (bad, SHOWN, ("name", "nmae")),
    ):
        wanted = check_content(content, display, names)
        assert list(problems_of(content, display, names, known)) == wanted
        assert list(problems_of(content, display, names, None)) == wanted
    assert problems_of(bad, SHOWN, ("name",), known) is known.problems


def test_unknown_names_are_told() -> None:
    """A slot that no recipient can have a value for is a mistake of the author's."""
    (found,) = problems(_replace(GOOD, subject="{{ nmae }}様"))
    assert found == Problem("subject", Refusal.TEMPLATE_INVALID, "the list has no attribute nmae")
    assert told(_replace(GOOD, subject="{{ stop_url }}")) == {("subject", Refusal.TEMPLATE_INVALID)}


def test_all_problems_are_told_at_once() -> None:
    """A template that cannot be read keeps nobody from being told of the others."""
    bad = _replace(GOOD, subject="{{ a.b }}", text="{{ c }}", html="x" * 2_000_000)
    assert told(bad) == {
        ("subject", Refusal.TEMPLATE_INVALID),
        ("text", Refusal.TEMPLATE_INVALID),
        ("html", Refusal.CONTENT_TOO_LARGE),
    }
    with pytest.raises(Refused):
        templates_of(bad)


@pytest.mark.parametrize("subject", ["", "  ", "　"])
def test_an_empty_subject_is_told(subject: str) -> None:
    """It looks like a mistake, and filters take it for spam."""
    assert told(_replace(GOOD, subject=subject)) == {("subject", Refusal.TEMPLATE_INVALID)}


# --- ISO-2022-JP ---


def test_characters_that_it_lacks_are_named_with_their_place() -> None:
    """Signs of vendors, of other scripts, emoji and half-width kana."""
    assert lacking("①です\n髙橋 ｱ😀", "iso-2022-jp") == [
        Lack("①", 1, 1),
        Lack("髙", 2, 1),
        Lack("ｱ", 2, 4),
        Lack("😀", 2, 5),
    ]
    assert lacking("①髙ｱ😀", "utf-8") == []
    (found,) = problems(_replace(JIS, subject="①番 {{ name }}"))
    assert found.reason is Refusal.CHARACTERS_LACKING
    assert found.detail == "iso-2022-jp lacks ① (U+2460) line 1 column 1"


def test_many_lacking_characters_are_counted() -> None:
    """The first ten are named."""
    (found,) = problems(_replace(JIS, text="😀" * 25))
    assert found.detail.endswith("and 15 more")


def test_defaults_and_the_senders_items_are_looked_at() -> None:
    """What would be put in later is told before."""
    assert told(_replace(JIS, text='{{ name | default("髙") }}')) == {
        ("text", Refusal.CHARACTERS_LACKING)
    }
    found = problems(JIS, _replace(SHOWN, sender_name="髙島屋"))
    assert [problem.where for problem in found] == ["text", "html"]
    assert all("髙" in problem.detail for problem in found)


def test_twins_of_windows_can_be_written() -> None:
    """A wave dash from a Windows keyboard is the one that JIS has."""
    assert lacking("10～12時 －5℃ ￠", "iso-2022-jp") == []
    assert written("10～12時", "iso-2022-jp") == "10〜12時"
    assert written("10～12時", "utf-8") == "10～12時"


@given(st.text(max_size=40))
def test_what_lacks_nothing_can_be_written(text: str) -> None:
    """And what lacks something cannot."""
    try:
        written(text, "iso-2022-jp").encode("iso-2022-jp")
    except UnicodeEncodeError:
        assert lacking(text, "iso-2022-jp")
    else:
        assert lacking(text, "iso-2022-jp") == []


# --- attachments ---

PDF = Attachment("案内.pdf", "application/pdf", b"%PDF")


def test_attachments_go_with_it() -> None:
    """A name may be in Japanese."""
    assert problems(_replace(GOOD, attachments=(PDF,))) == []


def test_attachments_are_limited_together() -> None:
    """In base64 they must leave room within the carriers' 3 MB."""
    half = _replace(PDF, data=b"x" * (MOST_ATTACHED // 2 + 1))
    assert told(_replace(GOOD, attachments=(half,))) == set()
    too_large = {("attachments", Refusal.CONTENT_TOO_LARGE)}
    assert told(_replace(GOOD, attachments=(half, half))) == too_large
    assert told(_replace(GOOD, attachments=(PDF,) * 11)) == too_large


@pytest.mark.parametrize(
    "name",
    ["", " ", "..", "a/b", "a\\b", "a\r\nX: y", 'a"b', "a\0", "a\u202efdp.exe", "あ" * 67, "a "],
)
def test_a_bad_name_is_told(name: str) -> None:
    """No path, no control characters, no text that runs backwards."""
    bad = _replace(PDF, name=name)
    assert told(_replace(GOOD, attachments=(bad,))) == {("attachments", Refusal.ATTACHMENT_INVALID)}


@pytest.mark.parametrize(
    "kind", ["", "pdf", "a/b; x=y", "a/b\r\nX: y", "multipart/mixed", "message/rfc822", "A/b"]
)
def test_a_bad_media_type_is_told(kind: str) -> None:
    """Only a plain type of a file, in small letters."""
    bad = _replace(PDF, media_type=kind)
    assert told(_replace(GOOD, attachments=(bad,))) == {("attachments", Refusal.ATTACHMENT_INVALID)}
