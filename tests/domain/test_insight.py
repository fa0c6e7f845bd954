"""Figures of days and months: whole months in Tokyo, sums that add up, and nulls that stay null."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.insight import (
    FLOWS,
    Clicks,
    Day,
    Figures,
    Own,
    Sent,
    Tally,
    Told,
    added,
    asked_from,
    attributed,
    begin_of,
    change,
    date_of,
    day_of,
    day_on,
    month_before,
    month_days,
    push_of,
    total,
)
from gateway.domain.line.friends import Friend
from gateway.domain.values import SECOND, micros
from tests.support.figures import stood

HOUR = 3600 * SECOND

_replace = msgspec.structs.replace


# --- days and months ---


def test_days_are_those_of_tokyo() -> None:
    """A day ends at three in the afternoon UTC."""
    midnight = micros(datetime(2026, 11, 21, 15, tzinfo=UTC))
    day = day_on(date(2026, 11, 22))
    assert (day_of(midnight - 1), day_of(midnight)) == (day - 1, day)
    assert begin_of(day) == midnight
    assert date_of(day) == date(2026, 11, 22)


@given(st.dates(date(2000, 2, 1), date(2099, 12, 31)))
def test_every_day_is_in_one_month(day: date) -> None:
    """Months are whole, and follow each other without a gap."""
    month = f"{day:%Y-%m}"
    days = month_days(month)
    assert day_on(day) in days
    assert date_of(days[0]).day == 1
    assert (date_of(days[-1]) + timedelta(1)).day == 1
    before = month_days(month_before(month))
    assert before.stop == days.start


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "2026-1", "1999-12", "２026-11", ""])
def test_what_is_no_month_has_no_days(month: str) -> None:
    """Whoever asks for it finds nothing."""
    assert not month_days(month)


def test_line_is_asked_about_a_day_the_next_morning() -> None:
    """At nine in Tokyo."""
    day = day_on(date(2026, 11, 22))
    assert asked_from(day) == micros(datetime(2026, 11, 23, 0, tzinfo=UTC))


# --- what somebody was to a channel ---

_instants = st.integers(0, 9)


@given(_instants, _instants, _instants, _instants)
def test_after_all_is_told_somebody_is_what_the_friend_says(
    followed: int, unfollowed: int, heard: int, first: int
) -> None:
    """The present is as :class:`Friend` has it."""
    friend = Friend("shop", "U", 1, "acme", first, False, followed, unfollowed, heard)
    state = {"friend": "friend", "blocked": "blocked", "unknown": ""}[friend.state]
    assert stood(followed, unfollowed, first, by=10, heard_at=heard) == state


@given(st.lists(st.integers(1, 30), unique=True, max_size=6), st.integers(0, 31))
def test_what_somebody_was_is_known_of_the_day_before(moments: list[int], by: int) -> None:
    """Whoever came and went in turn is known exactly, unless both happened since then twice."""
    turns = sorted(moments)
    came, went = turns[::2], turns[1::2]
    so_far = [moment for moment in turns if moment < by]
    truth = ("friend" if len(so_far) % 2 else "blocked") if so_far else ""
    since = len(turns) - len(so_far)
    told = stood(max(came, default=0), max(went, default=0), turns[0] if turns else 0, by)
    if since <= 2:
        assert told == truth


# --- sums ---

_counts = st.integers(0, 10**6)
_told = st.one_of(st.none(), st.integers(20, 10**6))
_owns = st.builds(Own, **dict.fromkeys(Own.__struct_fields__, _counts))
_platforms = st.builds(
    Told,
    state=st.sampled_from(["", "unready", "ready", "out_of_service"]),
    followers=_told,
    targeted_reaches=_told,
    blocks=_told,
    delivery_state=st.sampled_from(["", "unready", "ready"]),
    deliveries=st.dictionaries(st.sampled_from(["api_push", "api_reply", "chat"]), _counts),
)
_sents = st.lists(
    st.builds(
        Sent,
        st.just("shop"),
        st.text(max_size=5),
        st.just("acme"),
        st.integers(0, 9),
        read_at=st.integers(0, 1),
        impressions=_told,
        clicks=_told,
    ),
    max_size=8,
)


@st.composite
def _days(draw: st.DrawFn) -> list[Day]:
    return [
        Day("shop", day, "acme", draw(st.integers(0, 1)), draw(_owns), draw(_platforms))
        for day in range(draw(st.integers(0, 9)))
    ]


def _pieces(days: Sequence[Day], sent: Sequence[Sent], at: int) -> tuple[Figures, Figures]:
    early = [message for message in sent if message.day < at]
    late = [message for message in sent if message.day >= at]
    return total(days[:at], early), total(days[at:], late)


def _or_none(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


@given(_days(), _sents, st.integers(0, 9))
def test_days_add_up_to_the_month(days: list[Day], sent: list[Sent], at: int) -> None:
    """However a month is cut in two, what happened in the pieces is what happened in it."""
    whole = total(days, sent)
    first, second = _pieces(days, sent, at)
    for flow in FLOWS:
        assert getattr(whole.own, flow) == getattr(first.own, flow) + getattr(second.own, flow)
    assert whole.own_days == first.own_days + second.own_days
    assert whole.platform_messages == first.platform_messages + second.platform_messages
    assert whole.platform_withheld == first.platform_withheld + second.platform_withheld
    for name in ("platform_impressions", "platform_clicks"):
        pieces = _or_none(getattr(first, name), getattr(second, name))
        assert getattr(whole, name) == pieces
    last = second if second.own_days else first
    assert (whole.own.friends, whole.own.blocked) == (last.own.friends, last.own.blocked)


@given(_days(), _sents)
def test_what_line_withholds_is_never_nothing(days: list[Day], sent: list[Sent]) -> None:
    """A figure of which no part was told is null, and one that was told is at least its parts."""
    whole = total(days, sent)
    clicks = [message.clicks for message in sent if message.read_at]
    if all(each is None for each in clicks):
        assert whole.platform_clicks is None
    else:
        assert whole.platform_clicks == sum(each for each in clicks if each is not None)
    assert whole.platform_withheld == sum(each is None for each in clicks)
    if not any(day.platform.state == "ready" for day in days):
        assert whole.platform_followers is None
    if not any(day.platform.delivery_state == "ready" for day in days):
        assert whole.platform_deliveries is None


def test_followers_are_those_of_the_last_day_that_was_told() -> None:
    """Days that LINE still counts say nothing; nor are they added up."""
    told = [Told("ready", 100), Told("ready", 110), Told("unready")]
    days = [Day("shop", day, "acme", 0, Own(), each) for day, each in enumerate(told)]
    found = total(days)
    assert (found.platform_followers, found.platform_days, found.platform_blocks) == (110, 2, None)


def test_a_change_is_known_where_both_months_are() -> None:
    """Ours where days of both were counted, LINE's where it told of both."""
    now = Figures(Own(friends=12, follows=3), 30, platform_followers=40, platform_clicks=None)
    before = Figures(Own(friends=10, follows=5), 31, platform_followers=38, platform_clicks=25)
    changes = change(now, before)
    assert (changes["own_friends"], changes["own_follows"]) == (2, -2)
    assert (changes["platform_followers"], changes["platform_clicks"]) == (2, None)
    assert change(now, Figures())["own_friends"] is None


# --- counting ---

_tallies = st.lists(
    st.builds(
        Tally,
        st.sampled_from(["one", "two"]),
        st.just("acme"),
        st.integers(0, 3),
        st.sampled_from([*FLOWS, "last_at"]),
        st.integers(0, 100),
    ),
    max_size=30,
)


@given(_tallies, st.randoms(use_true_random=False))
def test_tallies_add_up_in_any_order(tallies: list[Tally], luck: object) -> None:
    """Each counts once, for its channel and day; of times the latest is kept."""
    days = added(tallies)
    assert days == added(tallies[::-1])
    for (channel, day), found in days.items():
        mine = [each for each in tallies if (each.channel, each.day) == (channel, day)]
        for flow in FLOWS:
            wanted = sum(each.amount for each in mine if each.figure == flow)
            assert getattr(found.own, flow) == wanted
        latest = (each.amount for each in mine if each.figure == "last_at")
        assert found.own.last_at == max(latest, default=0)


def test_clicks_belong_to_the_channel_that_is_known_best() -> None:
    """The friend's, the push's, the link's, or the only one that there is."""
    click = Clicks("mine", "acme", 1, "sale", "push:7", 2)
    pushes, links, channels = {7: "pushed"}, {"sale": "linked"}, {"acme": ["only"]}

    def found(click: Clicks) -> list[str]:
        return [tally.channel for tally in attributed([click], pushes, links, channels)]

    assert found(click) == ["mine"]
    click = _replace(click, channel="")
    assert found(click) == ["pushed"]
    click = _replace(click, origin="push:8")
    assert found(click) == ["linked"]
    click = _replace(click, link="other", origin="")
    assert found(click) == ["only"]
    channels["acme"].append("another")
    assert found(click) == []


def test_an_origin_may_be_a_push() -> None:
    """Others are not, whatever they look like."""
    assert push_of("push:12") == 12
    assert [push_of(origin) for origin in ("", "step:12", "push:", "push:x", "12")] == [None] * 5


def test_months_of_a_year_follow_each_other() -> None:
    """Twelve of them, 365 days."""
    months = [month_days(f"2026-{month:02}") for month in range(1, 13)]
    assert all(one.stop == other.start for one, other in pairwise(months))
    assert sum(map(len, months)) == 365
