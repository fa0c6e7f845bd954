"""Opening hours: a weekly table, Japan's national holidays, and single dates that win over both."""

import datetime as dt
import functools
import itertools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from gateway.domain.values import SECOND, moment

TOKYO = ZoneInfo("Asia/Tokyo")

_MINUTES = 24 * 60
_LOOK_AHEAD_DAYS = 400  # beyond the longest closure that anybody writes down
_FAR = 7000 * 365 * 24 * 3600 * SECOND  # about the year 8965: calendars end a thousand years later
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def month_of(instant: int) -> str:
    """The month of an instant on Asia/Tokyo's calendar, by which all is counted: ``2026-11``."""
    return f"{moment(instant).astimezone(TOKYO):%Y-%m}"


class Span(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of a day, in minutes since its midnight; ``end`` itself is outside.

    An ``end`` beyond 1440 lies in the next day: the span belongs to the day on which it begins.
    """

    start: int
    end: int


Spans = tuple[Span, ...]
"""The stretches of one day; none: closed."""


class Date(msgspec.Struct, frozen=True):
    """What holds on one date, whatever day it is."""

    date: dt.date
    spans: Spans = ()


class Hours(msgspec.Struct, frozen=True):
    """A table of opening hours."""

    id: str
    weekly: tuple[Spans, Spans, Spans, Spans, Spans, Spans, Spans]
    """From Monday to Sunday."""
    holidays: Literal["closed", "open"] | Spans = "closed"
    """``open``: a national holiday is a day like others."""
    dates: tuple[Date, ...] = ()


_OFFICE = (Span(10 * 60, 18 * 60),)

STAFF = Hours("staff", (_OFFICE, _OFFICE, _OFFICE, _OFFICE, _OFFICE, (), ()))
"""When people answer: weekdays from 10 to 18 that are no holidays (rule R112)."""


def is_open(hours: Hours, at: int, zone: dt.tzinfo = TOKYO) -> bool:
    """Whether ``hours`` are open at ``at`` (microseconds UTC), read on the clocks of ``zone``."""
    day = _day(at, zone)
    return any(start <= at < end for start, end in _stretches(hours, day, zone))


def next_change(hours: Hours, at: int, zone: dt.tzinfo = TOKYO) -> int | None:
    """When ``hours`` open or close next after ``at`` (both in microseconds).

    ``None`` where they do not within 400 days.
    """
    day = _day(at, zone)
    now_open = is_open(hours, at, zone)
    for ahead in range(_LOOK_AHEAD_DAYS):
        today = day + dt.timedelta(ahead)
        tomorrow = _instant(today, _MINUTES, zone)
        edges = {edge for stretch in _stretches(hours, today, zone) for edge in stretch}
        for edge in sorted(edges):
            if at < edge < tomorrow and is_open(hours, edge, zone) != now_open:
                return edge
    return None


def _stretches(hours: Hours, day: dt.date, zone: dt.tzinfo) -> Iterator[tuple[int, int]]:
    """The instants between which ``hours`` are open on ``day``, also from the day before."""
    for begun in (day - dt.timedelta(1), day):
        for span in _spans(hours, begun):
            yield _instant(begun, span.start, zone), _instant(begun, span.end, zone)


def _spans(hours: Hours, day: dt.date) -> Spans:
    for single in hours.dates:
        if single.date == day:
            return single.spans
    if hours.holidays != "open" and day in _holidays(day.year):
        return () if hours.holidays == "closed" else hours.holidays
    return hours.weekly[day.weekday()]


@functools.lru_cache(8)
def _holidays(year: int) -> frozenset[dt.date]:
    """Japan's national holidays, with the days that stand in for one on a Sunday."""
    # 15 MB and a tenth of a second, which a daemon without opening hours is spared.
    import holidays  # noqa: PLC0415 - see above

    return frozenset(holidays.country_holidays("JP", years=year))


def _day(at: int, zone: dt.tzinfo) -> dt.date:
    # An event may claim to be of any instant, and must not stop all that come after it.
    return moment(max(0, min(at, _FAR))).astimezone(zone).date()


def _instant(day: dt.date, minutes: int, zone: dt.tzinfo) -> int:
    days, minutes = divmod(minutes, _MINUTES)
    clock = dt.time(*divmod(minutes, 60), tzinfo=zone)
    local = dt.datetime.combine(day + dt.timedelta(days), clock)
    return int(local.timestamp()) * SECOND


# --- as people write them ---


def read_hours(
    name: str, weekly: Mapping[str, object], holidays: object, dates: Mapping[str, object]
) -> Hours:
    """The table of a provisioning file.

    ``weekly`` has spans for days (``mon`` to ``sun``) and ranges of them (``mon-fri``); a day that
    it leaves out is closed. ``holidays`` is ``closed``, ``open`` or spans, and ``dates`` has spans
    for days like ``2026-12-31``. What is wrong raises ``ValueError`` with what to write instead.
    """
    days: dict[str, Spans] = {}
    for key, text in weekly.items():
        for day in _days(key):
            if day in days:
                raise ValueError(f"weekly has {day} twice; write each day once")
            days[day] = _spans_at(f"weekly.{key}", text)
    singles = [Date(_date(key), _spans_at(f"dates.{key}", text)) for key, text in dates.items()]
    mon, tue, wed, thu, fri, sat, sun = (days.get(day, ()) for day in _DAYS)
    special: Literal["closed", "open"] | Spans = "open"
    if holidays != "open":
        special = _spans_at("holidays", holidays) or "closed"
    return Hours(name, (mon, tue, wed, thu, fri, sat, sun), special, tuple(singles))


def _spans_at(place: str, text: object) -> Spans:
    try:
        return parse_spans(text)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def parse_spans(text: object) -> Spans:
    """The spans of a text like ``10:00-18:00, 19:00-24:00``, in order; ``closed`` has none.

    An end before its begin, or beyond 24:00, lies in the next day: ``22:00-02:00`` is
    ``22:00-26:00``. What is wrong raises ``ValueError`` with what to write instead.
    """
    if not isinstance(text, str):
        raise ValueError('hours are no text; write them like "10:00-18:00", or "closed"')
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain == "closed":
        return ()
    spans = sorted((_span(part) for part in re.split("[,、]", plain)), key=lambda span: span.start)
    for one, other in itertools.pairwise(spans):
        if other.start < one.end:
            raise ValueError("hours overlap; write each minute of a day once")
    return tuple(spans)


_CLOCK = r"\s*([0-9]{1,2}):([0-5][0-9])\s*"
_SPAN = re.compile(f"{_CLOCK}[-~〜–]{_CLOCK}")


def _span(text: str) -> Span:
    match = _SPAN.fullmatch(text)
    if not match:
        raise ValueError('hours have another form; write them like "10:00-18:00, 19:00-24:00"')
    first, first_minutes, last, last_minutes = (int(part) for part in match.groups())
    start, end = 60 * first + first_minutes, 60 * last + last_minutes
    if start == end:
        raise ValueError('hours end where they begin; write "00:00-24:00" for a whole day')
    if end < start:
        end += _MINUTES
    if start >= _MINUTES or end - start > _MINUTES:
        raise ValueError("hours are beyond a day; begin before 24:00, and write at most 24 hours")
    return Span(start, end)


def _days(key: str) -> tuple[str, ...]:
    first, _, last = key.partition("-")
    last = last or first
    if first in _DAYS and last in _DAYS and _DAYS.index(first) <= _DAYS.index(last):
        return _DAYS[_DAYS.index(first) : _DAYS.index(last) + 1]
    raise ValueError('weekly has a key that is no day; write mon to sun, or a range like "mon-fri"')


def _date(key: str) -> dt.date:
    try:
        return dt.date.fromisoformat(key)
    except ValueError:
        raise ValueError('dates has a key that is no date; write it like "2026-12-31"') from None
