"""Finds the class that a server's words speak of."""

import re
from functools import cache, lru_cache

from gateway.domain.mail.returns.bounces import BounceClass
from gateway.domain.mail.returns.phrases import LOOSE, RULES, Rule

CAP = 2_000
"""Characters of a text that are looked at."""

_LINK = re.compile(r"\b(?:https?|ftp)://\S{0,300}|\bwww\.\S{0,300}")
_LISTS = re.compile(r"spamhaus|spamcop|sorbs|barracudacentral|abuseat|uceprotect")
_ADDRESS = re.compile(r"<?[^\s<>@,;:()\[\]\"']{1,100}@[a-z0-9._-]{1,150}>?")
_CODES = re.compile(
    r"(?<![\w.])[2-5]\d\d[- ](?:[245]\.\d{1,3}\.\d{1,3}\b)?|#?\b[245]\.\d\.\d{1,2}\b"
)
# IronPort puts its own title before every refusal and quotes the server's words after it.
_TITLE = re.compile(r"[245]\.\d\.\d - [a-z ]{3,60} (?=[245]\d\d[- ])")
# What qmail adds to any reason: qmail-remote that it gives up, qmail-send after a week.
_GIVEN_UP = re.compile(
    r"giving up on [\w.:-]{1,80}"
    r"|i'm not going to try again; this message has been in the queue too long"
)
# Postfix's title before every refusal of an access table, a policy server or a verification.
_REFUSAL = re.compile(r"(?:recipient|client|sender) address rejected: (?=\w)(?!access denied)")
_KEPT_CODE = "5.4.1"  # Microsoft's, which a rule needs


def plain(text: str) -> str:
    """``text`` as the table reads it: short, on one line, in lower case, without links, addresses
    (an address leaves ``<@>``) and the codes that servers repeat on each line.
    """
    lowered = " ".join(text[: CAP * 2].split()).lower()[:CAP]
    lowered = _ADDRESS.sub("<@>", _LINK.sub(_listed, lowered)).replace("’", "'").replace("_", " ")
    lowered = _REFUSAL.sub(_shortened, _TITLE.sub("", lowered))
    if len(without := _GIVEN_UP.sub(" ", lowered)) > 20:
        lowered = without
    keep = f"{_KEPT_CODE} " if _KEPT_CODE in lowered else ""
    return keep + " ".join(_CODES.sub(" ", lowered).split())


def _listed(link: re.Match[str]) -> str:
    # Of links only the host of a block list is read: some servers answer with nothing else.
    host = link[0].partition("//")[2].partition("/")[0] or link[0].partition("/")[0]
    found = _LISTS.search(host)
    return f" {found[0]} " if found else " "


def _shortened(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith("sender") else f"{match[0].partition(' ')[0]}: "


@cache
def _compiled(table: tuple[Rule, ...]) -> tuple[tuple[re.Pattern[str], BounceClass], ...]:
    # Compiled at first use: a command that reads no mail starts without.
    return tuple((re.compile("|".join(rule.phrases)), rule.bounce_class) for rule in table)


@lru_cache(maxsize=64)  # a report says the same of a recipient in several places
def class_of(words: str) -> BounceClass | None:
    """The class that ``words``, made by :func:`plain`, speak of; None: they say nothing."""
    return _first(words, RULES)


def loosely(words: str) -> BounceClass | None:
    """The class that single words of ``words`` hint at; for where :func:`class_of` is at a loss."""
    return _first(words, LOOSE)


def _first(words: str, table: tuple[Rule, ...]) -> BounceClass | None:
    for pattern, bounce_class in _compiled(table):
        if pattern.search(words):
            return bounce_class
    return None
