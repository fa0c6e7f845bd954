"""Keywords: which of a channel's rules a friend's text meets.

A text is compared as its letters, whatever their width and case (NFKC, case-folded, without space
around it), and up to 5,000 characters, which is the most that a friend can send. A rule is met by
the whole text (``exact``), by a part of it (``contains``), or by a regular expression that finds
something in it (``regex``).

Rules are the shop's and texts are anybody's, and they meet while a transaction is open. So the
expressions are RE2's: its time is linear in the text, where Python's own grows exponentially with
``(a+)+$`` (https://github.com/google/re2/wiki/WhyRE2). All of a channel's are matched in one pass;
what is linear still has a factor, and the size of the compiled expressions bounds that.
"""

import functools
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import re2

from gateway.domain.line.texts import scalars

MOST_CHARACTERS = 5_000
MOST_KEYWORD = 300
MOST_EFFORT = 4_000
"""Instructions of RE2 that the expressions of a channel may have together; some 50 are usual for
one. The worst text takes up to 10 µs for each: a hostile friend holds the transaction, and so all
other shops, for some hundredths of a second, not longer."""

_MOST_EFFORT_OF_ONE = 2_000
_MOST_CHANNELS = 1024
_MOST_IN_SET = 20_000  # characters of a channel's expressions
_SET_MEMORY = 2 << 20

_UNSUPPORTED = {
    "(?=": "a look-ahead (?=…)",
    "(?!": "a look-ahead (?!…)",
    "(?<=": "a look-behind (?<=…)",
    "(?<!": "a look-behind (?<!…)",
    "(?>": "an atomic group (?>…)",
    "(?(": "a condition (?(…)…)",
    "(?#": "a comment (?#…)",
    "(?P": "a back-reference (?P=…)",
    "\\k": "a back-reference \\k",
    "*+": "a possessive repetition *+",
    "++": "a possessive repetition ++",
    "?+": "a possessive repetition ?+",
    **{f"\\{digit}": f"a back-reference \\{digit}" for digit in range(1, 10)},
}
"""What Python and Perl know and RE2 does not, as RE2 names it, and as people know it."""

_WRITTEN_OTHERWISE = {
    "\\Z": "write $ for the end of the text",
    "\\h": "write [ \\t] for a blank",
    "\\u": "write the character itself",
    "\\R": "write \\n for the end of a line",
}


class Ruled(Protocol):
    """What a rule says of a text; other kinds of ``match`` than the three are not for texts."""

    @property
    def keyword(self) -> str:
        """What a text is compared with."""

    @property
    def match(self) -> str:
        """How."""


def folded(text: str) -> str:
    """``text`` as it is compared."""
    plain = unicodedata.normalize("NFKC", scalars(text[:MOST_CHARACTERS]))[:MOST_CHARACTERS]
    return unicodedata.normalize("NFKC", plain.casefold()).strip()


class Words:
    """The keywords of a channel, ready to be compared."""

    def __init__(self, rules: Sequence[Ruled]) -> None:
        self._exact: dict[str, list[int]] = {}
        self._found: list[tuple[int, str, str]] = []  # ordinal, expression, or what is contained
        for ordinal, rule in enumerate(rules):
            keyword = folded(rule.keyword)
            if rule.match == "exact" and keyword:
                self._exact.setdefault(keyword, []).append(ordinal)
            elif rule.match == "contains" and keyword:
                self._found.append((ordinal, re2.escape(keyword), keyword))
            elif rule.match == "regex" and rule.keyword:
                self._found.append((ordinal, rule.keyword, ""))
        self._set = _set([expression for _, expression, _ in self._found])

    @classmethod
    def of(cls, rules: Sequence[Ruled]) -> "Words":
        """The keywords of ``rules``; the same sequence is prepared once."""
        return _prepared(_Same(rules))

    def matches(self, text: str) -> Iterator[int]:
        """The ordinals of the rules that ``text`` meets, in their order."""
        plain = folded(text)
        met = list(self._exact.get(plain, ()))
        together = self._set.Match(plain) if self._set else None
        if together:
            met += [self._found[place][0] for place in together if place < len(self._found)]
        else:
            met += [ordinal for ordinal, finds in self._one_by_one if finds(plain)]
        return iter(sorted(met))

    @functools.cached_property
    def _one_by_one(self) -> list[tuple[int, Callable[[str], object]]]:
        """What the set says, slower: for one that was too large, or had too little memory."""
        return [
            (ordinal, _contains(contained) if contained else _finds(expression))
            for ordinal, expression, contained in self._found
        ]


class _Same:
    """A sequence that equals itself alone: rules hold tables, which have no hash."""

    __slots__ = ("rules",)

    def __init__(self, rules: Sequence[Ruled]) -> None:
        self.rules = rules

    def __hash__(self) -> int:
        return id(self.rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.rules is self.rules


@functools.lru_cache(_MOST_CHANNELS)
def _prepared(same: _Same) -> Words:
    return Words(same.rules)


def _contains(keyword: str) -> Callable[[str], bool]:
    return lambda text: keyword in text


# --- RE2 ---


def _options(memory: int) -> re2.Options:
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False  # it would write patterns to standard error
    options.case_sensitive = False
    options.never_capture = True
    return options


_OF_ONE = _options(1 << 20)


def _finds(pattern: str) -> Callable[[str], object]:
    try:
        search: Callable[[str], object] = re2.compile(pattern, _OF_ONE).search
    except (re2.error, UnicodeError):
        return lambda _: None  # set-up does not let it pass; the channel's other rules go on
    return search


def _set(patterns: list[str]) -> Any:
    """All ``patterns`` as one that is matched in one pass; ``None`` where it would be too large.

    The last of its members is met by every text: a set that ran out of memory tells so by silence.
    """
    size = sum(map(len, patterns))
    if not patterns or size > _MOST_IN_SET:
        return None
    together = re2.Set.SearchSet(_options(_SET_MEMORY + 64 * size))
    try:
        for pattern in patterns:
            together.Add(pattern)
        together.Add("")
        together.Compile()
    except (re2.error, UnicodeError):
        return None
    return together


# --- what is checked at set-up ---


def check_pattern(pattern: str) -> str | None:
    """What is wrong with a regular expression, as ``what is wrong; what to write``, or ``None``."""
    if problem := _check_letters(pattern):
        return problem
    try:
        expression = re2.compile(pattern, _OF_ONE)
    except re2.error as error:
        return _told(error)
    if expression.programsize > _MOST_EFFORT_OF_ONE:
        return "is too large; write smaller numbers of repetitions"
    if expression.search(""):
        return "is met by every text; write what must be in it, or a uniform reply"
    return None


def check_keywords(rules: Sequence[Ruled]) -> Iterator[tuple[int, str]]:
    """What is wrong with the keywords of ``rules``: ordinal and problem of each."""
    effort = 0
    for ordinal, rule in enumerate(rules):
        if rule.match == "regex":
            if problem := check_pattern(rule.keyword):
                yield ordinal, problem
                continue
            effort += re2.compile(rule.keyword, _OF_ONE).programsize
            if effort > MOST_EFFORT:
                yield ordinal, "is one expression too many; write some as contains or exact"
                return
        elif rule.match in ("exact", "contains") and not folded(rule.keyword):
            yield ordinal, "has no letters; write what a friend says"


def _check_letters(pattern: str) -> str | None:
    if not pattern or len(pattern) > MOST_KEYWORD:
        return f"is empty or too long; write 1 to {MOST_KEYWORD} characters"
    if scalars(pattern) != pattern:
        return "holds half a character (a lone surrogate); write it anew"
    for character in pattern:
        compared = unicodedata.normalize("NFKC", character)
        if compared != character:
            # A text does not hold it once it is folded, so the expression could never be met.
            instead = re2.escape(compared)
            return f'holds "{character}", which texts are compared without; write "{instead}"'
    return None


def _told(error: Exception) -> str:
    """RE2's own words for what is wrong, or better ones."""
    said = error.args[0]
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    what, _, part = text.partition(": ")
    if part in _UNSUPPORTED:
        return f"has {_UNSUPPORTED[part]}, which RE2 does not know; write it without"
    if part in _WRITTEN_OTHERWISE:
        return f"has {part}, which RE2 does not know; {_WRITTEN_OTHERWISE[part]}"
    if what == "invalid repetition size":
        return f"repeats too often with {part}; write at most 1000 repetitions in all"
    return f"is no regular expression of RE2 ({text}); write another"
