"""Postings: when they are due, whom to remind, and the calendar that programs read."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.postings import (
    DUE_SECONDS,
    Posting,
    calendar,
    remind_at,
    reminder,
)
from gateway.domain.values import SECOND, micros

NOON = micros(datetime(2026, 11, 3, 3, tzinfo=UTC))
"""In Tokyo."""

HOUR = 3600 * SECOND


def posting(**given: Any) -> Posting:
    """One for noon."""
    wanted = {
        "id": 7,
        "advertiser": "acme",
        "channel": "acme-shop",
        "at": NOON,
        "title": "冬のメニュー",
        "what": "写真を3枚",
        "place": "LINE VOOM",
        "responsible": "佐藤",
        "state": "planned",
        "friend": 0,
        "remind_at": 0,
        "changed_at": NOON - HOUR,
        "changed_by": "token:1",
    }
    return msgspec.convert(wanted | given, Posting)


@pytest.mark.parametrize(
    ("seconds", "timing"),
    [
        (-DUE_SECONDS - 1, "ahead"),
        (-DUE_SECONDS, "due"),
        (DUE_SECONDS - 1, "due"),
        (DUE_SECONDS, "overdue"),
    ],
)
def test_a_posting_is_due_about_its_time(seconds: int, timing: str) -> None:
    """From an hour before until an hour after; later it is overdue, until somebody says more."""
    now = NOON + seconds * SECOND
    assert posting().timing(now) == timing
    assert posting(state="done").timing(now) == "over"
    assert posting(state="skipped").timing(now) == "over"


def test_somebody_is_reminded_before_it_is_too_late() -> None:
    """Only whoever is named, of what is planned and ahead."""
    at = NOON
    assert remind_at(at, 60, 5, "planned", NOON - 3 * HOUR) == NOON - HOUR
    assert remind_at(at, 60, 5, "planned", NOON - 60) == NOON - HOUR
    assert remind_at(at, 60, 5, "planned", NOON) == 0
    assert remind_at(at, 60, 0, "planned", NOON - 3 * HOUR) == 0
    assert remind_at(at, 60, 5, "done", NOON - 3 * HOUR) == 0


def test_a_reminder_is_in_the_friend_s_language() -> None:
    """Japanese unless they read something else; what is empty takes no line."""
    japanese = reminder(posting(), "")["text"]
    assert japanese.splitlines() == [
        "投稿のお知らせ:11月3日 12:00 に手動で投稿してください",
        "■ 冬のメニュー",
        "LINE VOOM",
        "写真を3枚",
    ]
    assert reminder(posting(), "ja-JP")["text"] == japanese
    english = reminder(posting(what=""), "en")["text"].splitlines()
    assert english[0] == "Reminder: to be posted by hand at 12:00 on 2026-11-03"
    assert len(english) == 3


# --- the calendar ---


def read(text: str) -> list[tuple[str, str]]:
    """The names and values of a calendar, unfolded and unescaped as RFC 5545 says."""
    assert text.endswith("\r\n")
    lines = text.replace("\r\n ", "").split("\r\n")[:-1]
    found = []
    for line in lines:
        name, _, value = line.partition(":")
        plain, escaped = "", False
        for sign in value:
            if escaped:
                plain += "\n" if sign in "nN" else sign
                escaped = False
            elif sign == "\\":
                escaped = True
            else:
                plain += sign
        found.append((name, plain))
    return found


def test_a_posting_is_an_entry_of_the_calendar() -> None:
    """With an id that stays, times in UTC, and its state."""
    entries = [posting(), posting(id=8, state="done"), posting(id=9, state="skipped")]
    found = read(calendar("Acme", "acme-shop.tsunagi", entries))
    assert found[0] == ("BEGIN", "VCALENDAR")
    assert found[-1] == ("END", "VCALENDAR")
    assert ("X-WR-CALNAME", "Acme") in found
    begins = [place for place, line in enumerate(found) if line == ("BEGIN", "VEVENT")]
    first = dict(found[begins[0] : begins[1]])
    assert first["UID"] == "posting-7@acme-shop.tsunagi"
    assert first["DTSTART"] == "20261103T030000Z"
    assert first["DTSTAMP"] == "20261103T020000Z"
    assert first["SUMMARY"] == "冬のメニュー"
    assert first["DESCRIPTION"] == "写真を3枚\n佐藤"
    assert first["LOCATION"] == "LINE VOOM"
    states = [value for name, value in found if name == "STATUS"]
    assert states == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert dict(found[begins[1] : begins[2]])["SUMMARY"] == "✓ 冬のメニュー"


@given(st.text(max_size=200), st.text(max_size=300))
def test_no_text_breaks_the_calendar(title: str, what: str) -> None:
    """Lines are of 75 octets at most, and say again what was written; nothing becomes a line."""
    text = calendar("x", "h", [posting(title=title, what=what, responsible="")])
    raw = text.encode(errors="replace")
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    values = dict(read(text))
    assert values["SUMMARY"] == plain(title)
    assert values["DESCRIPTION"] == plain(what)


def plain(text: str) -> str:
    """``text`` without the signs that a calendar cannot hold."""
    joined = "\n".join(text.splitlines())
    return "".join(s for s in joined if s in "\n\t" or (s >= " " and s != "\x7f"))
