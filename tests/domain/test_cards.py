"""Shop cards: points, rewards, limits, expiry, cards handed on, and the codes behind them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.cards import (
    Card,
    Code,
    Entry,
    Given,
    Grant,
    Reward,
    ShopCard,
    day_of,
    end_of_day,
    give,
    overdue,
    read,
    signed,
    undo,
)
from gateway.domain.cards.messages import card_message, last_day, notice_message
from gateway.domain.effects import NEVER
from gateway.domain.line.messages import problems
from gateway.domain.values import SECOND
from gateway.errors import Refusal, Refused

HOUR = 3_600 * SECOND
DAY = 24 * HOUR
NOON = 1_793_674_800 * SECOND
"""2026-11-03T12:00:00+09:00."""

KEY = b"a key of the store"


def design(id_: str = "acme-card", **more: Any) -> ShopCard:
    return ShopCard(id_, "acme", "acme-shop", "Acme カード", **more)


@dataclass
class Holder:
    """A friend with the cards and the ledger that decisions made."""

    root: ShopCard
    others: Sequence[ShopCard] = ()
    cards: dict[int, Card] = field(default_factory=dict)
    ledger: list[Entry] = field(default_factory=list)
    ids: Any = field(default_factory=lambda: count(1))

    @property
    def designs(self) -> Mapping[str, ShopCard]:
        return {each.id: each for each in (self.root, *self.others)}

    @property
    def held(self) -> list[Card]:
        return sorted(self.cards.values(), key=lambda card: card.number)

    @property
    def card(self) -> Card:
        return self.held[-1]

    def grant(
        self, at: int, points: int = 1, how: Literal["qr", "printed", "manual"] = "qr"
    ) -> Given | Refusal:
        new_id = lambda: next(self.ids)  # noqa: E731 - one call
        given = give(self.designs, self.root, 7, self.held, Grant(points, how, "ref", at), new_id)
        if isinstance(given, Given):
            self.cards |= {card.id: card for card in given.cards}
            self.ledger += given.entries
        return given

    def given(self, at: int, points: int = 1, **more: Any) -> Given:
        result = self.grant(at, points, **more)
        assert isinstance(result, Given)
        return result

    def undo(self, entry: int, at: int) -> Refusal | None:
        mine = [each for each in self.ledger if each.card_id == self.card.id]
        result = undo(self.card, mine, entry, at, "token:1", next(self.ids))
        if isinstance(result, Refusal):
            return result
        self.cards[result.card.id] = result.card
        self.ledger.append(result.entry)
        return None

    def sums(self) -> dict[int, int]:
        sums: Counter[int] = Counter()
        for entry in self.ledger:
            sums[entry.card_id] += entry.points
        return {card: sums[card] for card in self.cards}


# --- points ---


def test_a_first_visit_starts_a_card_with_its_bonus() -> None:
    """The bonus is a line of the ledger of its own, before the visit's point."""
    holder = Holder(design(bonus=2))
    given = holder.given(NOON)
    assert [(entry.points, entry.how) for entry in given.entries] == [(2, "bonus"), (1, "qr")]
    assert given.actions == ("started",)
    assert (given.card.points, given.card.number, given.card.state) == (3, 1, "active")


def test_a_full_card_is_handed_on_at_once() -> None:
    """The last point fills it, and the next one of its kind is there with no bonus again."""
    holder = Holder(design(points=2, bonus=1))
    given = holder.given(NOON)
    assert given.actions == ("started", "filled", "handed_on")
    assert [(card.number, card.points, card.state) for card in holder.held] == [
        (1, 2, "full"),
        (2, 0, "active"),
    ]


def test_another_kind_of_card_is_handed_on_with_its_own_bonus() -> None:
    """The shop's codes stay those of the first card."""
    gold = design("gold", points=5, bonus=2)
    holder = Holder(design(points=1, next="gold"), [gold])
    given = holder.given(NOON)
    assert (given.card.root, given.card.card, given.card.points) == ("acme-card", "gold", 2)
    holder.given(NOON + DAY)
    assert holder.card.points == 3


def test_points_beyond_a_card_go_on_the_next() -> None:
    """Nothing of a visit is lost where it fills a card."""
    holder = Holder(design(points=3))
    given = holder.given(NOON, 8)
    assert [card.points for card in holder.held] == [3, 3, 2]
    assert sum(entry.points for entry in given.entries) == 8


def test_a_full_card_without_a_next_one_takes_no_point() -> None:
    """Where the shop took the next card away, the friend is told, and nothing is written."""
    holder = Holder(design(points=1, next="gone"))
    holder.given(NOON)
    assert holder.card.state == "full"
    assert holder.grant(NOON + DAY) is Refusal.CARD_FULL
    holder.others = [design("gone")]
    assert holder.given(NOON + DAY).actions == ("handed_on",)


def test_a_card_of_a_kind_that_is_gone_goes_by_its_root() -> None:
    """The friend keeps what was collected."""
    holder = Holder(design(points=2, next="gold"), [design("gold", points=9)])
    holder.given(NOON, 4)
    holder.root, holder.others = design(points=2), []
    assert holder.given(NOON + DAY).actions == ("filled", "handed_on")
    assert (holder.card.card, holder.card.points) == ("acme-card", 1)


# --- limits ---


@pytest.mark.parametrize(
    ("before", "after", "too_soon"),
    [
        (NOON, NOON + 11 * HOUR + 59 * 60 * SECOND, True),  # 23:59
        (NOON, NOON + 12 * HOUR, False),  # midnight in Tokyo
        (NOON, NOON - HOUR, True),  # our clock was set back
        (NOON, NOON - DAY, True),
    ],
)
def test_a_day_ends_at_midnight_in_tokyo(before: int, after: int, too_soon: bool) -> None:
    """Once a day is once a calendar day of the shop, whichever way our clock went."""
    holder = Holder(design())
    holder.given(before)
    assert (holder.grant(after) is Refusal.TOO_SOON) == too_soon


def test_hours_are_counted_from_the_visit() -> None:
    """Midnight means nothing to a limit of hours."""
    holder = Holder(design(limit="hours", limit_hours=6))
    holder.given(NOON)
    assert holder.grant(NOON + 6 * HOUR - 1) is Refusal.TOO_SOON
    holder.given(NOON + 6 * HOUR)


def test_a_printed_code_gives_once_a_day_even_without_a_limit() -> None:
    """The weaker code is the stricter one."""
    holder = Holder(design(limit="none"))
    holder.given(NOON)
    holder.given(NOON)
    assert holder.grant(NOON + HOUR, how="printed") is Refusal.TOO_SOON
    holder.given(NOON + DAY, how="printed")


def test_no_limit_holds_for_points_by_hand() -> None:
    """They are no visit, and do not count as one."""
    holder = Holder(design())
    holder.given(NOON, how="manual")
    holder.given(NOON)
    holder.given(NOON, how="manual")
    assert holder.card.points == 3


def test_a_limit_goes_on_over_a_card_that_was_handed_on() -> None:
    """A new card is no new day."""
    holder = Holder(design(points=1))
    holder.given(NOON)
    assert holder.grant(NOON + HOUR) is Refusal.TOO_SOON


# --- rewards ---


def test_each_reward_is_earned_at_its_point() -> None:
    """Bonus and several points at once pass none by."""
    rewards = (Reward(2, text="a"), Reward(3, "autumn"), Reward(5, text="c"))
    holder = Holder(design(points=5, bonus=2, rewards=rewards))
    first = holder.given(NOON)
    assert [(earned.at, earned.text, earned.coupon) for earned in first.earned] == [
        (2, "a", ""),
        (3, "", "autumn"),
    ]
    assert [earned.at for earned in holder.given(NOON + DAY, 4).earned] == [5, 2]


# --- expiry ---


def test_a_card_expires_at_the_end_of_a_day_counted_from_its_first_use() -> None:
    """Later visits do not move it; what was collected is lost with the card."""
    holder = Holder(design(expires="first", expires_days=10))
    holder.given(NOON)
    holder.given(NOON + 9 * DAY)
    assert holder.card.expires_at == end_of_day(day_of(NOON) + 10)
    assert holder.given(holder.card.expires_at).actions == ("expired", "started")
    assert [(card.state, card.points) for card in holder.held] == [("expired", 2), ("active", 1)]


def test_each_use_may_put_the_expiry_off() -> None:
    """Counted from the last use."""
    holder = Holder(design(expires="last", expires_days=10))
    holder.given(NOON)
    holder.given(NOON + 9 * DAY)
    assert holder.card.expires_at == end_of_day(day_of(NOON) + 19)


def test_a_new_card_after_an_expired_one_has_no_bonus_again() -> None:
    """A bonus is for the first card of a kind, so that waiting earns nothing."""
    holder = Holder(design(bonus=3, expires="first", expires_days=1))
    holder.given(NOON)
    given = holder.given(NOON + 5 * DAY)
    assert [entry.how for entry in given.entries] == ["qr"]


def test_a_full_card_does_not_expire() -> None:
    """It was worth what it was worth."""
    full = msgspec.structs.replace(_card(), state="full", expires_at=1)
    assert overdue(full, NOON) is None
    expired = overdue(msgspec.structs.replace(_card(), expires_at=NOON), NOON)
    assert expired is not None
    assert expired.state == "expired"


def _card() -> Card:
    holder = Holder(design())
    holder.given(NOON)
    return holder.card


# --- undo ---


def test_a_visit_is_taken_back_once_and_may_be_made_again() -> None:
    """The ledger keeps both lines."""
    holder = Holder(design())
    (entry,) = holder.given(NOON).entries
    assert holder.undo(entry.id, NOON + HOUR) is None
    assert (holder.card.points, holder.sums()[holder.card.id]) == (0, 0)
    assert holder.undo(entry.id, NOON + HOUR) is Refusal.ALREADY_UNDONE
    holder.given(NOON + HOUR)
    assert holder.grant(NOON + 2 * HOUR) is Refusal.TOO_SOON


def test_only_points_of_a_person_or_a_visit_are_taken_back() -> None:
    """A bonus, an undo and a line of elsewhere are not."""
    holder = Holder(design(bonus=1))
    bonus, visit = holder.given(NOON).entries
    assert holder.undo(bonus.id, NOON) is Refusal.NOT_FOUND
    assert holder.undo(visit.id, NOON) is None
    assert holder.undo(holder.ledger[-1].id, NOON) is Refusal.NOT_FOUND
    assert holder.undo(999, NOON) is Refusal.NOT_FOUND


def test_nothing_is_taken_back_from_an_expired_card() -> None:
    """Its account is closed."""
    holder = Holder(design(expires="first", expires_days=1))
    (entry,) = holder.given(NOON).entries
    assert holder.undo(entry.id, NOON + 9 * DAY) is Refusal.CARD_EXPIRED


def test_a_full_card_that_was_not_handed_on_can_be_opened_again() -> None:
    """The last point was a mistake."""
    holder = Holder(design(points=1, next="gone"))
    (entry,) = holder.given(NOON).entries
    assert holder.undo(entry.id, NOON) is None
    assert (holder.card.state, holder.card.points, holder.card.full_at) == ("active", 0, 0)


# --- whatever happens ---

_steps = st.lists(
    st.tuples(
        st.sampled_from(["qr", "printed", "manual", "undo"]),
        st.integers(0, 40),  # hours after the step before
        st.integers(1, 10),
    ),
    max_size=40,
)
_roots = st.builds(
    design,
    points=st.integers(3, 12),
    bonus=st.integers(0, 2),
    rewards=st.just((Reward(1, text="a"), Reward(3, text="b"))),
    limit=st.sampled_from(["day", "hours", "none"]),
    limit_hours=st.integers(1, 30),
    expires=st.sampled_from(["never", "first", "last"]),
    expires_days=st.integers(1, 4),
    next=st.sampled_from(["same", "gold"]),
)


@given(_roots, _steps)
def test_points_are_the_ledger_s_sum_and_limits_hold_whatever_happens(
    root: ShopCard, steps: list[tuple[Any, int, int]]
) -> None:
    """Any visits, gifts and undos: sums, order, room and visits a day are right after each."""
    holder = Holder(root, [design("gold", points=4, bonus=1)])
    at, visits = NOON, list[int]()
    for how, hours, points in steps:
        at += hours * HOUR
        if how == "undo":
            if not holder.ledger:
                continue
            entry = holder.ledger[(points * 7) % len(holder.ledger)]
            if holder.undo(entry.id, at) is None and entry.how != "manual":
                visits.remove(entry.at)
        elif isinstance(holder.grant(at, points, how), Given) and how != "manual":
            visits.append(at)
        _check(holder, visits)


def _check(holder: Holder, visits: list[int]) -> None:
    assert {card.id: card.points for card in holder.cards.values()} == holder.sums()
    assert [card.number for card in holder.held] == [*range(1, len(holder.held) + 1)]
    for card in holder.held:
        size = holder.designs[card.card].points
        assert 0 <= card.points <= size
        assert card is holder.card or card.state != "active"
        assert card.state != "full" or card.points == size
    if holder.root.limit == "day" and all(card.card != "gold" for card in holder.held):
        assert len({day_of(at) for at in visits}) == len(visits)


@given(_roots, st.lists(st.tuples(st.integers(0, 3), st.integers(1, 10)), max_size=20))
def test_a_reward_is_earned_once_a_card(root: ShopCard, visits: list[tuple[int, int]]) -> None:
    """Without undos each reward of a card comes once, and only what the card came to."""
    holder = Holder(root, [design("gold", points=4, rewards=(Reward(4, text="c"),))])
    earned: Counter[tuple[int, int]] = Counter()
    at = NOON
    for days, points in visits:
        at += days * DAY
        result = holder.grant(at, points)
        if isinstance(result, Given):
            earned.update((each.card.id, each.at) for each in result.earned)
    expected = {
        (card.id, reward.at)
        for card in holder.held
        for reward in holder.designs[card.card].rewards
        if reward.at <= card.points
    }
    assert set(earned) == expected
    assert set(earned.values()) <= {1}


# --- codes ---

_codes = st.builds(
    Code,
    st.sampled_from(["screen", "printed", "view"]),
    st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_-]{0,20}", fullmatch=True),
    st.integers(1, 10),
    st.integers(0, 4_000_000_000 * SECOND),
    st.from_regex(r"[A-Za-z0-9_-]{0,20}", fullmatch=True),
)


@given(_codes)
def test_a_code_comes_back_as_it_was_signed(code: Code) -> None:
    """And its token fits into a path."""
    token = signed(code, KEY)
    assert read(token, KEY) == code
    assert len(token) <= 200


@given(_codes, st.data())
def test_a_changed_token_is_refused(code: Code, data: st.DataObject) -> None:
    """Whichever of its signs is another, nothing of it counts."""
    token = signed(code, KEY)
    at = data.draw(st.integers(0, len(token) - 1))
    sign = data.draw(st.sampled_from("ABCXYZabcxyz0189-_").filter(lambda s: s != token[at]))
    forged = token[:at] + sign + token[at + 1 :]
    said: Code | Refusal
    try:
        said = read(forged, KEY)  # as it was: some bits of the last sign stand for nothing
    except Refused as refused:
        said = refused.reason
    assert said in (code, Refusal.CODE_FORGED, Refusal.NOT_FOUND)


def test_another_store_s_token_is_forged() -> None:
    """Each store has its own key."""
    with pytest.raises(Refused) as refused:
        read(signed(Code("screen", "acme-card"), b"another key"), KEY)
    assert refused.value.reason is Refusal.CODE_FORGED


@pytest.mark.parametrize("token", ["", "A", "not a token", "日本", "AAAA", "A" * 200, "=" * 8])
def test_what_is_no_token_names_nothing(token: str) -> None:
    """It is not found, like any other address."""
    with pytest.raises(Refused) as refused:
        read(token, KEY)
    assert refused.value.reason is Refusal.NOT_FOUND


# --- messages ---


@pytest.mark.parametrize("language", ["", "ja", "en", "en-GB"])
def test_messages_are_such_as_the_platform_takes(language: str) -> None:
    """A title with braces is no variable, and everything fits."""
    braces = msgspec.structs.replace(design(), title="{name}" + "長" * 54)
    card = msgspec.structs.replace(_card(), expires_at=end_of_day(day_of(NOON)))
    url = "https://gw.example.jp/p/" + "x" * 180
    for message in (
        card_message(braces, None, url, language),
        card_message(braces, card, url, language),
        notice_message(braces, card, url, language),
    ):
        assert problems(message) == []
        assert "{{name}}" in message["altText"]


def test_the_last_day_is_the_one_before_the_end() -> None:
    """A card that ends at midnight is good through the day before."""
    at = end_of_day(day_of(NOON))
    assert last_day(at, english=False) == "2026年11月3日"
    assert last_day(at, english=True) == "Nov 3, 2026"
    assert last_day(NEVER, english=True) == ""
