"""What an answer means for a letter: sent, tried again later, failed, or in doubt."""

import re

from gateway.domain.mail.addresses import domain_of, without_addresses
from gateway.domain.mail.answers import Answer
from gateway.domain.mail.campaigns import Letter, Result, SendState
from gateway.domain.mail.returns.replies import classify
from gateway.domain.values import SECOND

FIRST_PAUSE_SECONDS = 300
"""Before the second attempt; doubled from one to the next."""

CUT_PAUSE_SECONDS = 10
"""The same after a connection that broke amid the letter."""

MOST_PAUSE_SECONDS = 4 * 3600

AGAIN_SECONDS = 1
"""Before a letter that was not tried at all is handed out once more."""

LUCK = 1_000
"""Luck is a number below this; it spreads a pause by a fifth to either side, so that those who
were put off together do not come back together."""

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_IN_LETTER = ("rcpt", "data", "end")


def result_of(letter: Letter, answer: Answer, give_up_seconds: int, now: int, luck: int) -> Result:
    """What came of a letter.

    A letter is given up ``give_up_seconds`` after its first attempt, with the class ``expired``
    (RFC 5321, 4.5.4.1), and not before: it is tried a last time then. One that a connection took
    along before its turn was not tried, and does not count; one at which it broke did: else a
    letter that breaks each connection would be tried for ever.
    """
    if answer.outcome == "accepted":
        return _result(letter, answer, "sent", now)
    if answer.outcome == "unknown":
        return _result(letter, answer, "held", now)
    if answer.outcome == "unsent" and answer.stage not in _IN_LETTER:
        return put_back(letter, now)
    class_ = class_of(letter, answer)
    if answer.outcome == "permanent":
        return _result(letter, answer, "failed", now, class_)
    end = (letter.first_at or now) + give_up_seconds * SECOND
    if now >= end:
        return _result(letter, answer, "failed", now, "expired")
    due_at = min(now + _pause(letter, answer, luck), end)
    return _result(letter, answer, "deferred", now, class_, due_at)


def put_back(letter: Letter, now: int, due_at: int = 0) -> Result:
    """A letter that was not tried goes back to where it waited; ``due_at`` 0: for a moment."""
    due_at = due_at or now + AGAIN_SECONDS * SECOND
    return Result(letter.campaign, letter.recipient, "queued", now, due_at, tried=False)


def class_of(letter: Letter, answer: Answer) -> str:
    """The class of a refusal; empty where there was none."""
    if answer.outcome not in ("temporary", "permanent") or not answer.code:
        return "other" if answer.outcome == "permanent" else ""
    domain = domain_of(letter.address)
    return classify(answer.stage, answer.code, answer.enhanced, answer.text, domain)[0]


def status_in(text: str) -> str:
    """The enhanced status code (RFC 3463) that a reply's text begins with; empty: none."""
    found = _ENHANCED.match(text)
    return found[0] if found else ""


def _pause(letter: Letter, answer: Answer, luck: int) -> int:
    """Microseconds until the next attempt."""
    first = CUT_PAUSE_SECONDS if answer.outcome == "unsent" else FIRST_PAUSE_SECONDS
    seconds = min(MOST_PAUSE_SECONDS, first << min(letter.attempts, 20))
    spread = LUCK * 4 // 5 + luck * 2 // 5  # four fifths to six fifths, in thousandths
    return seconds * SECOND * spread // LUCK


def _result(
    letter: Letter,
    answer: Answer,
    state: SendState,
    now: int,
    class_: str = "",
    due_at: int | None = None,
) -> Result:
    text = "" if state == "sent" else without_addresses(answer.text, letter.address)
    return Result(
        letter.campaign,
        letter.recipient,
        state,
        now,
        due_at,
        code=answer.code,
        bounce_class=class_,
        text=text,
    )
