"""Keywords: which rules a text meets, in which order, and in how short a time."""

import random
import re
import time
import unicodedata
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.line import keywords
from gateway.domain.line.keywords import (
    MOST_CHARACTERS,
    MOST_EFFORT,
    Words,
    check_keywords,
    check_pattern,
    folded,
)

Match = Literal["exact", "contains", "regex", "postback"]


class Rule(msgspec.Struct, frozen=True):
    keyword: str
    match: Match = "exact"


def met(text: str, *rules: Rule) -> list[int]:
    return list(Words(rules).matches(text))


# --- what is met ---


@pytest.mark.parametrize("text", ["ｸｰﾎﾟﾝ", " クーポン\n", "クーポン"])
def test_width_and_space_do_not_matter(text: str) -> None:
    """A keyword is met however wide it is written, with space around it or without."""
    assert met(
        text, Rule("クーポン"), Rule("クーポン", "contains"), Rule("^クーポン$", "regex")
    ) == [0, 1, 2]


@pytest.mark.parametrize("text", ["COUPON", "Coupon", "ｃｏｕｐｏｎ"])
def test_case_does_not_matter(text: str) -> None:
    """Letters are the same in capitals and in full width."""
    rules = [Rule("coupon"), Rule("OUP", "contains"), Rule("C[A-Z]+N", "regex")]
    assert met(text, *rules) == [0, 1, 2]


def test_exact_is_the_whole_text() -> None:
    """An exact keyword is met by itself alone."""
    assert met("クーポンください", Rule("クーポン"), Rule("クーポン", "contains")) == [1]


def test_a_keyword_is_no_expression() -> None:
    """What is contained is meant letter by letter."""
    assert met("1+1は?", Rule("1+1", "contains"), Rule(".*", "contains"), Rule("a.c", "exact")) == [
        0
    ]
    assert met("abc", Rule("a.c"), Rule("a.c", "contains"), Rule("a.c", "regex")) == [2]


def test_rules_are_met_in_their_order() -> None:
    """All rules that a text meets come in the order in which the shop wrote them."""
    rules = [
        Rule("予約|変更", "regex"),
        Rule("変更"),
        Rule("無い"),
        Rule("変", "contains"),
        Rule("変更"),
    ]
    assert met("変更", *rules) == [0, 1, 3, 4]


def test_data_of_buttons_is_no_text() -> None:
    """A rule for a button is not met by a friend who types its data."""
    assert met("reserve", Rule("reserve", "postback")) == []


def test_nothing_is_met_by_an_empty_text_or_keyword() -> None:
    """A keyword of space is met by nothing, and neither is anything by a text of space."""
    assert met(" ", Rule("クーポン"), Rule(" "), Rule(" ", "contains")) == []
    assert met("クーポン", Rule(""), Rule("\u3000", "contains"), Rule("", "regex")) == []


def test_halves_of_characters_break_nothing() -> None:
    """A lone surrogate in a text is no letter, and the rest of the text counts."""
    assert met("\ud83dクーポン\udc00", Rule("クーポン", "contains"), Rule("ポン.", "regex")) == [
        0,
        1,
    ]


def test_a_text_is_looked_at_up_to_its_longest() -> None:
    """What no friend can send is not looked at, even where letters become many."""
    assert met("あ" * MOST_CHARACTERS + "い", Rule("い", "contains")) == []
    assert len(folded("\ufdfa" * MOST_CHARACTERS)) <= MOST_CHARACTERS


def test_a_broken_expression_leaves_the_other_rules() -> None:
    """Should an expression come to be refused by a later RE2, the other rules go on."""
    rules = [Rule("(", "regex"), Rule("クー", "contains"), Rule("ポン$", "regex"), Rule("クーポン")]
    assert met("クーポン", *rules) == [1, 2, 3]


def test_the_same_rules_are_prepared_once() -> None:
    """The same sequence gives the same words, another one its own."""
    rules, others = (Rule("a"), Rule("b", "regex")), (Rule("a"), Rule("c", "regex"))
    assert Words.of(rules) is Words.of(rules)
    assert Words.of(others) is not Words.of(rules)
    assert list(Words.of(others).matches("c")) == [1]


# --- against the plainest way ---

letters = st.text("aAａbｂあア（(1１. ", max_size=8)
sound_patterns = st.sampled_from(
    ["a+b", "^あ", "b$", "[ab]1", "a|あ", "(a|b)+1", r"\(", "1.", "(?:ab)+"]
)
rules_of_all_kinds = st.lists(
    st.builds(Rule, letters, st.sampled_from(["exact", "contains"]))
    | st.builds(Rule, sound_patterns, st.just("regex")),
    max_size=12,
)


def meets(text: str, rule: Rule) -> bool:
    def plain(said: str) -> str:
        return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", said).casefold()).strip()

    if rule.match == "regex":
        return re.search(rule.keyword, plain(text), re.IGNORECASE) is not None
    keyword = plain(rule.keyword)
    if not keyword:
        return False
    return keyword == plain(text) if rule.match == "exact" else keyword in plain(text)


@given(rules_of_all_kinds, letters)
def test_rules_are_met_as_one_by_one(rules: list[Rule], text: str) -> None:
    """All rules together are met where each for itself is."""
    expected = [ordinal for ordinal, rule in enumerate(rules) if meets(text, rule)]
    assert met(text, *rules) == expected


@given(rules_of_all_kinds, letters)
def test_without_the_set_the_answer_is_the_same(rules: list[Rule], text: str) -> None:
    """Where the rules are too large for one pass, they are matched one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keywords, "_MOST_IN_SET", 0)
        one_by_one = met(text, *rules)
    assert one_by_one == met(text, *rules)


class Silent:
    """A set that ran out of memory."""

    def Match(self, _: str) -> None:  # noqa: N802 - the name that RE2 gave it
        return None


def test_a_set_without_memory_loses_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set that says nothing, not even of the member that all texts meet, is not believed."""
    monkeypatch.setattr(keywords, "_set", lambda _: Silent())
    assert met("クーポン", Rule("クー", "contains"), Rule("^ポン", "regex")) == [0]


# --- time ---


def seconds(words: Words, text: str) -> float:
    start = time.perf_counter()
    list(words.matches(text))
    return time.perf_counter() - start


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+b", "(a*)*b", "(a|a)*b$", "a{0,300}a{300}b"])
def test_an_expression_that_explodes_elsewhere_answers_at_once(pattern: str) -> None:
    """What takes Python's own expressions for ever is answered within 50 ms."""
    words = Words([Rule(pattern, "regex")])
    assert min(seconds(words, "a" * 5_000 + "!") for _ in range(3)) < 0.05


@pytest.mark.parametrize("match", ["exact", "contains", "regex"])
def test_500_rules_are_met_within_a_millisecond(match: Match) -> None:
    """A long text and as many rules as a channel may have take less than a millisecond."""
    rng = random.Random(1)
    text = "".join(rng.choices("あいうえおかきくけこ予約変更クーポン番0123456789", k=5_000))
    rules = [Rule(f"予約.*{number}番|変更{number}時", match) for number in range(500)]
    words = Words(rules)
    assert min(seconds(words, text) for _ in range(20)) < 0.001


def test_the_most_that_is_allowed_is_still_short() -> None:
    """Expressions as large as they may be, and a text made for them, take well below a second."""
    rng = random.Random(2)
    rules = [Rule(f"予約.{{0,50}}変更{number}", "regex") for number in range(60)]
    allowed = rules[: next(check_keywords(rules))[0]]
    text = "".join(rng.choices(["予約", "変更", "1", "あ"], k=5_000))
    assert min(seconds(Words(allowed), text) for _ in range(2)) < 0.5


# --- what is checked at set-up ---


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("クーポン(?=ください)", "a look-ahead (?=…)"),
        ("クーポン(?!券)", "a look-ahead (?!…)"),
        ("(?<=割引)クーポン", "a look-behind (?<=…)"),
        ("(?<!割引)クーポン", "a look-behind (?<!…)"),
        (r"(あ)\1", "a back-reference \\1"),
        ("(?P<a>あ)(?P=a)", "a back-reference (?P=…)"),
        (r"(?<a>あ)\k<a>", "a back-reference \\k"),
        ("(?>あ)", "an atomic group"),
        ("あ++", "a possessive repetition"),
        ("(あ)?(?(1)い|う)", "a condition"),
        (r"クーポン\Z", "write $"),
        (r"\u3042", "the character itself"),
        ("あ{2000}", "at most 1000 repetitions"),
        ("((あ{100}){100}){100}", "at most 1000 repetitions"),
        (r"(\pL{100}x){5}", "too large"),
        ("(", "no regular expression"),
        ("[あ", "no regular expression"),
        ("*", "no regular expression"),
        ("クーポン|", "met by every text"),
        (".*", "met by every text"),
        ("", "1 to 300 characters"),
        ("あ" * 301, "1 to 300 characters"),
        ("\ud83d", "half a character"),
        ("１枚", 'write "1"'),
        ("（仮）", r'write "\("'),
        ("ｸｰﾎﾟﾝ", 'write "ク"'),
    ],
)
def test_an_expression_that_cannot_be_is_told(pattern: str, told: str) -> None:
    """Each feature that RE2 lacks has its name, and each problem a remedy."""
    problem = check_pattern(pattern)
    assert problem
    assert told in problem
    assert "; " in problem


@pytest.mark.parametrize(
    "pattern",
    ["クーポン", "^予約.*(変更|取消)$", r"\d{4}年", r"\p{Han}+店", "(?i)coupon", "(a+)+$", "👍+"],
)
def test_a_sound_expression_passes(pattern: str) -> None:
    """What RE2 knows and not every text meets is taken."""
    assert check_pattern(pattern) is None


@given(st.text(max_size=30))
def test_whatever_is_written_is_checked_without_breaking(pattern: str) -> None:
    """Any text is a sound expression or has a problem, and what passes can be prepared."""
    if check_pattern(pattern) is None:
        assert list(Words([Rule(pattern, "regex")]).matches("")) == []


def test_the_effort_of_a_channel_is_bounded() -> None:
    """Expressions that are each fine may be too many together."""
    rules = [Rule(f"予約.{{0,50}}変更{number}", "regex") for number in range(100)]
    (ordinal, problem), *others = check_keywords(rules)
    assert 0 < ordinal < 100
    assert MOST_EFFORT == 4_000
    assert problem.endswith("write some as contains or exact")
    assert others == []
    assert list(check_keywords(rules[:ordinal])) == []


def test_keywords_without_letters_are_told() -> None:
    """A keyword of space would meet nothing, so it is a mistake; a button's data is its own."""
    rules = [Rule(" "), Rule("\u3000", "contains"), Rule("(", "regex"), Rule(" ", "postback")]
    assert [ordinal for ordinal, _ in check_keywords(rules)] == [0, 1, 2]
