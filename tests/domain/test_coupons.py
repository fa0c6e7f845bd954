"""Coupons: who gets a ticket, how long it is good, who stamps it, what it may be worth."""

from collections import Counter
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.coupons import messages, platform, premiums, tickets
from gateway.domain.coupons.coupon import ODDS_OF, Coupon, Lottery
from gateway.domain.coupons.tickets import TOKENS, TRANSITIONS, Ticket, token_of, tokens_of
from gateway.domain.line.messages import problems, render
from gateway.domain.values import SECOND, Seed, micros
from gateway.errors import Refusal
from tests.support.coupons import DAY, coupon, ticket
from tests.support.line import NOON

_replace = msgspec.structs.replace
HOUR = 3600 * SECOND


def local(text: str) -> int:
    """The instant of a time in Japan."""
    return micros(datetime.fromisoformat(f"{text}+09:00"))


# --- tokens and codes ---


@given(st.integers(0, TOKENS - 1))
def test_a_token_stands_for_one_number(number: int) -> None:
    """Different numbers have different tokens, which are taken as they are."""
    token = token_of(number)
    assert tokens_of(token) == (token, token)
    assert tickets.is_token(token)
    assert token_of((number + 1) % TOKENS) != token


@given(st.integers(0, TOKENS - 1), st.booleans())
def test_a_code_is_understood_as_people_type_it(number: int, small: bool) -> None:
    """Small letters, blanks for hyphens, and letters that look like digits are taken."""
    made = ticket(token=token_of(number))
    typed = made.code.replace("-", " ").replace("0", "O").replace("1", "l")
    first, last = tokens_of(typed.lower() if small else typed) or ("", "")
    assert first <= made.token <= last
    assert not tickets.is_token(made.code)


@pytest.mark.parametrize("key", ["", "ABC", "ABC-DEF-GH*", "A" * 25, "あ" * 9, "U" * 9])
def test_what_is_no_token_finds_nothing(key: str) -> None:
    """A key of another length or with other signs is none."""
    assert tokens_of(key) is None


# --- who gets one ---


def test_a_friend_gets_a_ticket_once() -> None:
    """The second wish shows the ticket that is not used yet; after its use there is none."""
    once = coupon()
    assert tickets.offer(once, [], 0, NOON) == ("new", None)
    held = ticket()
    assert tickets.offer(once, [held], 1, NOON) == ("again", held)
    assert tickets.offer(once, [ticket(state="used")], 1, NOON) == ("enough", None)


def test_a_friend_gets_as_many_as_the_coupon_allows() -> None:
    """With three for each friend a new one comes after one was used, three times."""
    thrice = coupon(per_friend=3)
    held = [ticket(id=1, state="used"), ticket(id=2, state="expired")]
    assert tickets.offer(thrice, held, 2, NOON)[0] == "new"
    assert tickets.offer(thrice, [*held, ticket(id=3, state="used")], 3, NOON)[0] == "enough"


def test_a_ticket_that_was_taken_back_does_not_count() -> None:
    """After a void ticket a friend gets a new one."""
    assert tickets.offer(coupon(), [ticket(state="void")], 0, NOON)[0] == "new"


@pytest.mark.parametrize(
    ("at", "issued", "expected"),
    [
        (NOON - DAY - 1, 0, "early"),
        (NOON - DAY, 0, "new"),
        (NOON + 30 * DAY, 0, "new"),
        (NOON + 30 * DAY + 1, 0, "over"),
        (NOON, 9, "new"),
        (NOON, 10, "sold_out"),
        (NOON, 11, "sold_out"),
    ],
)
def test_time_and_total_bound_the_hand_out(at: int, issued: int, expected: str) -> None:
    """Nothing is handed out before the beginning, after the end, or beyond the total."""
    assert tickets.offer(coupon(total=10), [], issued, at)[0] == expected


def test_a_campaign_has_a_limit_of_its_own() -> None:
    """Whoever has won one of a campaign's prizes wins no other one; blanks do not count."""
    second = coupon(id="second", campaign="spring")
    won = ticket(id=1, coupon="first", campaign="spring", state="used")
    blank = _replace(won, state="lost")
    assert tickets.offer(second, [won], 0, NOON)[0] == "enough"
    assert tickets.offer(second, [blank], 0, NOON)[0] == "new"
    assert tickets.offer(_replace(second, campaign_limit=2), [won], 0, NOON)[0] == "new"


def test_a_reward_is_beside_what_a_friend_gets_otherwise() -> None:
    """It is shown while it is open, and counts neither for the coupon nor for its campaign."""
    spring = coupon(campaign="spring")
    reward = ticket(card=5, campaign="spring")
    assert tickets.offer(spring, [reward], 1, NOON) == ("again", reward)
    spent = _replace(reward, state="used")
    assert tickets.offer(spring, [spent], 1, NOON) == ("new", None)
    assert tickets.offer(spring, [spent, _replace(spent, card=0)], 2, NOON) == ("enough", None)


@pytest.mark.parametrize(
    ("changed", "issued", "at", "allowed"),
    [
        ({}, 99, NOON, True),
        ({"total": 10}, 9, NOON, True),
        ({"total": 10}, 10, NOON, False),
        ({}, 0, NOON - DAY - 1, False),
        ({}, 0, NOON + 30 * DAY, True),
        ({}, 0, NOON + 30 * DAY + 1, False),
        ({"kind": "line"}, 0, NOON, False),
    ],
)
def test_a_reward_is_bound_by_time_and_total_alone(
    changed: dict[str, Any], issued: int, at: int, allowed: bool
) -> None:
    """What its friend has had of the coupon is not asked."""
    assert tickets.may_reward(coupon(**changed), issued, at) is allowed


def test_a_blank_is_a_draw() -> None:
    """Who drew as often as allowed draws no more, whatever came of it."""
    lots = coupon(lottery=Lottery(10), per_friend=2)
    assert tickets.offer(lots, [ticket(state="lost")], 0, NOON)[0] == "new"
    two = [ticket(id=1, state="lost"), ticket(id=2, state="lost")]
    assert tickets.offer(lots, two, 0, NOON)[0] == "enough"


def test_line_keeps_the_number_of_prizes_of_its_own_lottery() -> None:
    """Where LINE draws, the total is of prizes, and bounds no hand-out of ours."""
    lots = coupon(kind="line", lottery=Lottery(10), total=1)
    assert tickets.offer(lots, [], 50, NOON)[0] == "new"
    ours = _replace(lots, campaign="spring")
    assert tickets.offer(ours, [], 50, NOON)[0] == "sold_out"


# --- odds ---


def test_the_odds_are_what_is_written() -> None:
    """Of 100,000 draws every number comes as often as chance has it, and so do the wins."""
    draws = 100_000
    drawn = Counter(
        Seed(0, 1, ordinal.to_bytes(16)).draw().below(ODDS_OF) for ordinal in range(draws)
    )
    expected = draws / ODDS_OF
    chi_square = sum((drawn[luck] - expected) ** 2 / expected for luck in range(ODDS_OF))
    # With 99 degrees of freedom an honest draw crosses this once in 10,000 tries; the seeds are
    # fixed, so that the test is the same each time.
    assert chi_square < 157.0
    for probability in (1, 10, 50, 99):
        lots = coupon(lottery=Lottery(probability))
        wins = sum(count for luck, count in drawn.items() if lots.is_won_by(luck))
        share = probability / 100
        deviation = (draws * share * (1 - share)) ** 0.5
        assert abs(wins - draws * share) < 4 * deviation


# --- how long ---


def test_a_ticket_ends_with_a_day_in_japan() -> None:
    """So many days after the hand-out, at the day's end; never after the coupon."""
    week = coupon(valid_days=7)
    assert tickets.expiry(week, local("2026-11-03T23:30")) == local("2026-11-11T00:00") - 1
    assert tickets.expiry(week, local("2026-11-04T00:30")) == local("2026-11-12T00:00") - 1
    assert tickets.expiry(coupon(valid_days=0), NOON) == local("2026-11-04T00:00") - 1
    assert tickets.expiry(coupon(valid_days=300), NOON) == NOON + 30 * DAY
    assert tickets.expiry(coupon(), NOON) == NOON + 30 * DAY


def test_a_reminder_comes_in_the_morning() -> None:
    """At ten in Japan so many days before; not where that has passed, nor for LINE's own."""
    reminded = coupon(reminder_days=3)
    ends = local("2026-11-30T23:59:59")
    assert tickets.reminder(reminded, ends, NOON) == local("2026-11-27T10:00")
    assert tickets.reminder(reminded, ends, local("2026-11-27T10:00")) == 0
    assert tickets.reminder(coupon(reminder_days=0), local("2026-11-30T09:00"), NOON) == 0
    assert tickets.reminder(coupon(), ends, NOON) == 0
    assert tickets.reminder(_replace(reminded, kind="line"), ends, NOON) == 0


@pytest.mark.parametrize(
    ("clock", "allowed"), [("08:59", False), ("09:00", True), ("19:59", True), ("20:00", False)]
)
def test_nobody_is_disturbed_at_night(clock: str, allowed: bool) -> None:
    """Reminders go out by day."""
    assert tickets.is_day(local(f"2026-11-04T{clock}")) is allowed


# --- the stamp ---


def test_each_state_is_refused_by_its_name() -> None:
    """Why a ticket cannot be stamped is told apart."""
    good, autumn = ticket(), coupon()
    assert tickets.objection(autumn, good, NOON) is None
    assert tickets.objection(autumn, good, good.expires_at) is None
    assert tickets.objection(autumn, good, good.expires_at + 1) is Refusal.COUPON_EXPIRED
    assert tickets.objection(None, good, NOON) is Refusal.COUPON_VOID
    for state, why in (
        ("used", Refusal.COUPON_USED),
        ("expired", Refusal.COUPON_EXPIRED),
        ("void", Refusal.COUPON_VOID),
        ("lost", Refusal.NOT_FOUND),
        ("sent", Refusal.NOT_FOUND),
    ):
        assert tickets.objection(autumn, ticket(state=state), NOON) is why


def test_a_ticket_for_any_number_of_uses_stays_open() -> None:
    """It counts its stamps, and an undo takes the last one."""
    pass_ = coupon(uses_per_ticket=0)
    twice = tickets.used(tickets.used(ticket(), pass_, "pin", NOON), pass_, "pin", NOON + 1)
    assert (twice.state, twice.uses, twice.used_at) == ("issued", 2, NOON + 1)
    once = tickets.unstamped(twice)
    assert once is not None
    assert (once.state, once.uses, once.used_by) == ("issued", 1, "pin")


def test_every_fifth_wrong_pin_locks_for_twice_as_long() -> None:
    """Ten minutes, then twenty, and so on up to a day; a right PIN forgets them."""
    held, locks = ticket(), []
    for _ in range(60):
        before, held = held, tickets.mistaken(held, NOON)
        if held.locked_until != before.locked_until or held.wrong % 5 == 0:
            locks.append((held.wrong, (held.locked_until - NOON) // SECOND))
    assert locks[:3] == [(5, 600), (10, 1200), (15, 2400)]
    assert locks[-1] == (60, 86_400)
    used = tickets.used(held, coupon(), "pin", NOON)
    assert (used.wrong, used.locked_until) == (0, 0)


_STEPS: dict[str, Any] = {
    "stamp": lambda held, now: (
        tickets.used(held, coupon(), "pin", now)
        if tickets.objection(coupon(), held, now) is None
        else None
    ),
    "undo": lambda held, now: tickets.unstamped(held),
    "void": lambda held, now: tickets.voided(held),
    "expire": lambda held, now: (
        tickets.expired(held) if held.state == "issued" and now > held.expires_at else None
    ),
    "mistake": lambda held, now: tickets.mistaken(held, now) if held.is_open(now) else None,
}


@given(st.lists(st.tuples(st.sampled_from(sorted(_STEPS)), st.integers(0, 20 * DAY))))
def test_no_history_leaves_the_table_of_states(history: list[tuple[str, int]]) -> None:
    """Whatever is done in any order, a state is left as the table says, and use and stamp agree."""
    held, now = ticket(), NOON
    for step, later in history:
        now += later
        after: Ticket | None = _STEPS[step](held, now)
        if after is None:
            continue
        assert after.state == held.state or after.state in TRANSITIONS[held.state]
        assert after.uses in (0, 1)
        assert (after.state == "used") <= (after.uses == 1)
        held = after


# --- the law ---


@pytest.mark.parametrize(
    ("price", "most"),
    [(1, 20), (500, 10_000), (4_999, 99_980), (5_000, 100_000), (90_000, 100_000)],
)
def test_a_prize_of_a_lottery_is_bounded(price: int, most: int) -> None:
    """Twenty times the price up to 100,000 yen; 300,000 where a quarter holds it together."""
    assert premiums.most_of_lottery(price, joint=False) == most
    assert premiums.most_of_lottery(price, joint=True) == 300_000


@pytest.mark.parametrize(
    ("price", "most"), [(1, 200), (999, 200), (1_000, 200), (1_005, 201), (10_000, 2_000)]
)
def test_a_premium_for_everybody_is_bounded(price: int, most: int) -> None:
    """A fifth of the price, or 200 yen."""
    assert premiums.most_for_all(price) == most


@given(st.integers(0, 10**10), st.booleans())
def test_all_prizes_are_bounded_by_the_sales(sales: int, joint: bool) -> None:
    """Two per cent, or three: never rounded up."""
    most = premiums.most_of_all_prizes(sales, joint=joint)
    percent = 3 if joint else 2
    assert most * 100 <= sales * percent < (most + 1) * 100


# --- what is said ---


@pytest.mark.parametrize("language", ["ja", "en-GB", ""])
def test_messages_fit_the_platform(language: str) -> None:
    """The longest title still makes a button that LINE takes, and its braces stay braces."""
    longest = coupon(title="{" * 59 + "券")
    link = f"https://gw.example.jp/c/{ticket().token}"
    for message in (
        messages.ticket_message(longest, ticket(), link, language),
        messages.reminder_message(longest, ticket(), link, language),
        messages.refusal_message(longest, "sold_out", language),
        messages.refusal_message(longest, "early", language),
        messages.lost_message(longest, language),
    ):
        assert problems(message) == []
        shown = render(message, {})
        assert message["type"] == "text" or shown["altText"].count("{") == 59


def test_times_are_told_in_japan() -> None:
    """Days are written as people read them there."""
    at = local("2026-11-30T23:59")
    assert messages.day_of(at, english=False) == "2026年11月30日(月) 23:59"
    assert messages.day_of(at, english=True) == "Nov 30, 2026, 23:59 (JST)"


@pytest.mark.parametrize(
    ("at", "japanese", "english"),
    [
        (local("2027-01-21T00:00"), "2027年1月20日(水) 24:00", "the end of Jan 20, 2027 (JST)"),
        (local("2027-01-21T00:00") - 1, "2027年1月20日(水) 24:00", "the end of Jan 20, 2027 (JST)"),
        (local("2027-01-21T00:01"), "2027年1月21日(木) 00:01", "Jan 21, 2027, 00:01 (JST)"),
        (local("2027-01-20T18:30"), "2027年1月20日(水) 18:30", "Jan 20, 2027, 18:30 (JST)"),
    ],
)
def test_an_end_at_midnight_is_that_of_the_day_before(at: int, japanese: str, english: str) -> None:
    """Nobody reads a coupon as good on the day whose first moment is its end."""
    assert messages.until_of(at, english=False) == japanese
    assert messages.until_of(at, english=True) == english
    ends = ticket(expires_at=at)
    for message in (messages.ticket_message, messages.reminder_message):
        assert f"有効期限：{japanese}まで" in message(coupon(), ends, "https://x", "ja")["altText"]
        assert f"Valid until {english}" in message(coupon(), ends, "https://x", "en")["altText"]


# --- LINE's own ---


def test_a_plain_coupon_is_asked_for_with_all_that_the_platform_requires() -> None:
    """Title, condition, uses, times in seconds, zone, visibility and reward are always there."""
    asked = platform.request_of(coupon(kind="line"))
    assert asked == {
        "title": "秋の10%OFF",
        "acquisitionCondition": {"type": "normal"},
        "maxUseCountPerTicket": 1,
        "startTimestamp": (NOON - DAY) // SECOND,
        "endTimestamp": (NOON + 30 * DAY) // SECOND,
        "timezone": "ASIA_TOKYO",
        "visibility": "UNLISTED",
        "reward": {"type": "others"},
    }


def test_line_draws_unless_a_campaign_needs_us() -> None:
    """LINE's lottery has no limit over several coupons; what we draw for is hidden from others."""
    lots: Coupon = coupon(
        kind="line", lottery=Lottery(25), total=40, visibility="PUBLIC", uses_per_ticket=0
    )
    asked = platform.request_of(lots)
    assert asked["acquisitionCondition"] == {
        "type": "lottery",
        "lotteryProbability": 25,
        "maxAcquireCount": 40,
    }
    assert (asked["visibility"], asked["maxUseCountPerTicket"]) == ("PUBLIC", -1)
    ours = platform.request_of(_replace(lots, campaign="spring"))
    assert ours["acquisitionCondition"] == {"type": "normal"}
    assert ours["visibility"] == "UNLISTED"


def test_what_the_platform_shows_is_known_again() -> None:
    """A coupon is recognised by what was asked for, however the platform adds to it."""
    asked = platform.request_of(coupon(kind="line", description="二人で"))
    shown = {**asked, "couponId": "01X", "status": "RUNNING", "usageCondition": ""}
    assert platform.is_same(asked, shown)
    assert not platform.is_same(asked, {**shown, "endTimestamp": asked["endTimestamp"] + 1})
