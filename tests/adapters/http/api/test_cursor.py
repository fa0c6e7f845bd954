"""Cursors lead on where they came from, and nowhere else."""

import hypothesis
import pytest
from hypothesis import strategies as st

from adapters.http.api import cursor
from gateway.errors import Refusal, Refused

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
KEYS = st.lists(st.integers(0, 2**63 - 1) | TEXTS, min_size=1, max_size=3).map(tuple)
SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def is_refused(path: str, text: str, *types: type) -> bool:
    try:
        cursor.read(path, text, *types)
    except Refused as refused:
        return refused.reason is Refusal.INVALID_CURSOR
    return False


@hypothesis.given(KEYS)
def test_a_cursor_leads_to_its_key(key: cursor.Key) -> None:
    """What a page wrote, the next one reads."""
    assert cursor.read("/calls", cursor.written("/calls", key), *map(type, key)) == key


@hypothesis.given(KEYS, st.data())
def test_a_changed_cursor_is_refused(key: cursor.Key, data: st.DataObject) -> None:
    """Not one of its signs can be another, go or come."""
    text = cursor.written("/calls", key)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(SIGNS).filter(lambda sign: sign != text[at]))
    types = tuple(map(type, key))
    assert is_refused("/calls", text[:at] + other + text[at + 1 :], *types)
    assert is_refused("/calls", text[:at] + text[at + 1 :], *types)
    assert is_refused("/calls", text[:at] + other + text[at:], *types)


@hypothesis.given(st.text(max_size=60))
def test_anything_else_is_refused(text: str) -> None:
    """Whatever comes as a cursor is one, or a refusal."""
    assert is_refused("/calls", text, int)


@pytest.mark.parametrize(
    ("key", "types"),
    [
        ((1,), (str,)),
        (("a",), (int,)),
        ((1, 2), (int,)),
        ((1,), (int, int)),
        ((2**63,), (int,)),
        (("a\0",), (str,)),  # PostgreSQL takes no such text
    ],
)
def test_a_cursor_with_another_key_is_refused(key: cursor.Key, types: tuple[type, ...]) -> None:
    """A key of other values, or one that no column holds, is none of this list's."""
    assert is_refused("/calls", cursor.written("/calls", key), *types)


def test_a_cursor_of_another_list_is_refused() -> None:
    """A mistake is told, not answered with some page."""
    assert is_refused("/coupons", cursor.written("/calls", (1,)), int)
