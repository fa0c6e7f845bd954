"""Opening hours: days, holidays, single dates, nights, and when they change next."""

import datetime as dt
from typing import Literal
from zoneinfo import ZoneInfo

import holidays
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.hours import (
    STAFF,
    TOKYO,
    Date,
    Hours,
    Span,
    Spans,
    is_open,
    next_change,
    parse_spans,
    read_hours,
)
from gateway.domain.values import SECOND, micros

MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
JAPAN = holidays.country_holidays("JP", years=range(2025, 2029))


def at(text: str, zone: dt.tzinfo = TOKYO) -> int:
    return micros(dt.datetime.fromisoformat(text).replace(tzinfo=zone))


def every_day(name: str, spans: str) -> Hours:
    return read_hours(name, {"mon-sun": spans}, "open", {})


# --- the rule that a table is named for ---


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-24 09:59:59.999999", False),
        ("2026-11-24 10:00", True),
        ("2026-11-24 17:59:59.999999", True),
        ("2026-11-24 18:00", False),
        ("2026-11-21 12:00", False),  # Saturday
        ("2026-11-22 12:00", False),  # Sunday
        ("2026-11-23 12:00", False),  # Labour Thanksgiving Day, a Monday
        ("2026-05-06 12:00", False),  # stands in for Constitution Day, a Sunday
        ("2026-09-22 12:00", False),  # between two holidays, and so one itself
        ("2026-12-31 12:00", True),  # closed by custom, not by law
    ],
)
def test_r112_people_answer_on_weekdays_that_are_no_holidays(moment: str, expected: bool) -> None:
    """R112: people answer from 10:00 to 18:00 on weekdays that are no holidays of Japan."""
    assert is_open(STAFF, at(moment)) is expected


def test_r112_the_next_change_leaps_over_a_long_weekend() -> None:
    """R112: after Friday evening people answer again on Tuesday where Monday is a holiday."""
    assert next_change(STAFF, at("2026-11-20 18:00")) == at("2026-11-24 10:00")


# --- what wins over what ---


def test_a_holiday_may_be_closed_open_or_have_hours_of_its_own() -> None:
    """Holidays are closed, days like others, or have spans of their own."""
    noon, late = at("2026-11-23 12:00"), at("2026-11-23 16:00")
    weekly = {"mon-fri": "10:00-18:00"}
    closed = read_hours("a", weekly, "closed", {})
    like_others = read_hours("a", weekly, "open", {})
    short = read_hours("a", weekly, "11:00-15:00", {})
    assert [is_open(closed, noon), is_open(closed, late)] == [False, False]
    assert [is_open(like_others, noon), is_open(like_others, late)] == [True, True]
    assert [is_open(short, noon), is_open(short, late)] == [True, False]


def test_a_single_date_wins_over_holidays_and_weekdays() -> None:
    """What is written for one date holds, whatever day it is."""
    dates = {"2026-11-23": "12:00-13:00", "2026-11-24": "closed"}
    hours = read_hours("a", {"mon-sun": "10:00-18:00"}, "closed", dates)
    assert is_open(hours, at("2026-11-23 12:30"))
    assert not is_open(hours, at("2026-11-24 12:30"))
    assert is_open(hours, at("2026-11-25 12:30"))


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    """A bar that closes at two is open in the first hours of its closing day."""
    hours = read_hours("bar", {"sat": "19:00-02:00"}, "closed", {"2026-11-28": "closed"})
    assert is_open(hours, at("2026-11-22 01:59"))
    assert not is_open(hours, at("2026-11-22 02:00"))
    assert not is_open(hours, at("2026-11-29 01:00"))


def test_a_night_before_a_holiday_goes_on_into_it() -> None:
    """Hours that began the day before a closed holiday still end when they were to end."""
    hours = read_hours("bar", {"mon-sun": "19:00-26:00"}, "closed", {})
    assert is_open(hours, at("2026-11-23 01:00"))
    assert not is_open(hours, at("2026-11-23 20:00"))
    assert not is_open(hours, at("2026-11-24 01:00"))


def test_hours_are_read_on_the_clocks_of_a_zone() -> None:
    """The same table opens later in a zone further west."""
    noon = at("2026-11-24 12:00")
    assert is_open(STAFF, noon)
    assert not is_open(STAFF, noon, ZoneInfo("Europe/Berlin"))


def test_an_hour_that_the_clocks_repeat_is_open_once() -> None:
    """Where clocks are set back, a span within the repeated hour is one stretch of time."""
    berlin = ZoneInfo("Europe/Berlin")
    hours = every_day("a", "02:15-02:45")
    first = micros(dt.datetime(2026, 10, 25, 2, 30, tzinfo=berlin))
    again = micros(dt.datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=1))
    assert [is_open(hours, first, berlin), is_open(hours, again, berlin)] == [True, False]
    assert next_change(hours, first, berlin) == first + 15 * MINUTE


@pytest.mark.parametrize("instant", [-(2**63), 0, 253_402_300_799_999_000, 2**63])
def test_an_absurd_instant_has_an_answer(instant: int) -> None:
    """Whenever an event claims to be of, it is asked for without an error."""
    assert not is_open(every_day("a", "closed"), instant)
    assert next_change(every_day("a", "closed"), instant) is None


# --- when it changes next ---


def test_spans_that_meet_are_no_change() -> None:
    """Between two spans without a gap nothing changes, not at midnight either."""
    hours = every_day("a", "00:00-12:00, 12:00-24:00")
    assert next_change(hours, at("2026-11-24 11:00")) is None


def test_a_table_that_never_opens_never_changes() -> None:
    """Where nothing changes within 400 days there is no next change."""
    assert next_change(read_hours("a", {}, "closed", {}), at("2026-11-24 11:00")) is None


def test_a_single_date_far_ahead_is_found() -> None:
    """A change more than a year away is found, one beyond 400 days is not."""
    start = at("2026-11-24 11:00")
    soon = read_hours("a", {}, "closed", {"2027-12-01": "10:00-11:00"})
    late = read_hours("a", {}, "closed", {"2028-06-01": "10:00-11:00"})
    assert next_change(soon, start) == at("2027-12-01 10:00")
    assert next_change(late, start) is None


# --- against a calendar drawn minute by minute ---

minutes = st.integers(0, 24 * 60 - 1)


@st.composite
def some_spans(draw: st.DrawFn) -> Spans:
    start, more = draw(minutes), draw(st.integers(1, 24 * 60))
    later = draw(st.lists(minutes, max_size=2))
    spans = [Span(start, start + more)] if draw(st.booleans()) else []
    spans += [Span(begin, begin + 45) for begin in later]
    return tuple(spans)


@st.composite
def tables(draw: st.DrawFn) -> Hours:
    mon, tue, wed, thu, fri, sat, sun = (draw(some_spans()) for _ in range(7))
    days = st.dates(dt.date(2026, 10, 30), dt.date(2026, 11, 10))
    dates = draw(st.dictionaries(days, some_spans(), max_size=3))
    words: list[Literal["closed", "open"]] = ["closed", "open"]
    special: Literal["closed", "open"] | Spans = draw(st.sampled_from(words) | some_spans())
    singles = tuple(Date(day, spans) for day, spans in dates.items())
    return Hours("t", (mon, tue, wed, thu, fri, sat, sun), special or "closed", singles)


def spans_of(hours: Hours, day: dt.date) -> Spans:
    singles = {single.date: single.spans for single in hours.dates}
    if day in singles:
        return singles[day]
    if day in JAPAN and hours.holidays != "open":
        return () if hours.holidays == "closed" else hours.holidays
    return hours.weekly[day.weekday()]


def open_minutes(hours: Hours, first: dt.date, days: int) -> set[int]:
    """Every minute since the midnight before ``first`` at which it is open."""
    return {
        24 * 60 * ahead + minute
        for ahead in range(-1, days)
        for span in spans_of(hours, first + dt.timedelta(ahead))
        for minute in range(span.start, span.end)
    }


@given(tables(), st.dates(dt.date(2026, 11, 1), dt.date(2026, 11, 6)))
def test_it_is_open_when_the_calendar_says_so(hours: Hours, day: dt.date) -> None:
    """Each quarter of a day is open exactly where a calendar, drawn minute by minute, is."""
    drawn = open_minutes(hours, day, 1)
    midnight = micros(dt.datetime.combine(day, dt.time(), tzinfo=TOKYO))
    for minute in range(0, 24 * 60, 15):
        assert is_open(hours, midnight + minute * MINUTE) == (minute in drawn)


@given(tables(), st.dates(dt.date(2026, 11, 1), dt.date(2026, 11, 3)), minutes)
def test_the_next_change_is_the_first_one(hours: Hours, day: dt.date, minute: int) -> None:
    """Up to the next change nothing changes, and then it does."""
    drawn = open_minutes(hours, day, 8)
    midnight = micros(dt.datetime.combine(day, dt.time(), tzinfo=TOKYO))
    changes = (m for m in range(minute + 1, 6 * 24 * 60) if (m in drawn) != (minute in drawn))
    found = next_change(hours, midnight + minute * MINUTE)
    expected = next(changes, None)
    if expected is not None:
        assert found == midnight + expected * MINUTE
    else:
        assert found is None or found >= midnight + 6 * DAY


# --- as people write them ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10:00-18:00, 19:00-24:00", ((600, 1080), (1140, 1440))),
        ("19:00-24:00,9:30-12:00", ((570, 720), (1140, 1440))),
        ("22:00-02:00", ((1320, 1560),)),
        ("22:00-26:00", ((1320, 1560),)),
        ("00:00-24:00", ((0, 1440),)),
        ("１０：００〜１８：００、１９：００～２０：００", ((600, 1080), (1140, 1200))),
        ("closed", ()),
    ],
)
def test_spans_are_read_as_people_write_them(
    text: str, expected: tuple[tuple[int, int], ...]
) -> None:
    """Spans come in order, past midnight, in full width, or not at all."""
    assert parse_spans(text) == tuple(Span(*span) for span in expected)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "write them like"),
        ("10-18", "write them like"),
        ("10:60-18:00", "write them like"),
        ("10:00-18:00,", "write them like"),
        ("10:00-10:00", 'write "00:00-24:00"'),
        ("24:00-25:00", "begin before 24:00"),
        ("10:00-35:00", "at most 24 hours"),
        ("10:00-12:00, 11:00-13:00", "each minute of a day once"),
        ("22:00-02:00, 23:00-23:30", "each minute of a day once"),
        (10, 'write them like "10:00-18:00"'),
    ],
)
def test_wrong_spans_are_told_with_what_to_write(text: object, told: str) -> None:
    """A span that cannot be is refused with a remedy."""
    with pytest.raises(ValueError, match="; ") as raised:
        parse_spans(text)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("weekly", "holidays_", "dates", "told"),
    [
        ({"monday": "10:00-18:00"}, "closed", {}, "mon to sun"),
        ({"fri-mon": "10:00-18:00"}, "closed", {}, "mon to sun"),
        ({"mon-fri": "10:00-18:00", "wed": "closed"}, "closed", {}, "wed twice"),
        ({"mon": "10:00"}, "closed", {}, "weekly.mon: hours have another form"),
        ({}, "maybe", {}, "holidays: hours have another form"),
        ({}, "closed", {"12-31": "closed"}, "2026-12-31"),
        ({}, "closed", {"2026-12-31": True}, "dates.2026-12-31: hours are no text"),
    ],
)
def test_a_wrong_table_is_told_with_its_place(
    weekly: dict[str, object], holidays_: object, dates: dict[str, object], told: str
) -> None:
    """What is wrong in a table of a file is told with the key and a remedy."""
    with pytest.raises(ValueError, match="; ") as raised:
        read_hours("shop", weekly, holidays_, dates)
    assert told in str(raised.value)


@given(tables())
def test_a_table_survives_its_json(hours: Hours) -> None:
    """A table is the same after it was kept as JSON."""
    assert msgspec.json.decode(msgspec.json.encode(hours), type=Hours) == hours
