"""Consent as somebody states it: when and how it was given, what shows it, which notice they saw.

特定電子メール法, Art. 3(1) and its ordinance, Art. 4: mail needs prior consent, and whoever sends
keeps a record of it. Here no recipient comes onto a list without one (rules R73, R102).
"""

import datetime as dt
import re
from collections.abc import Mapping

import msgspec

from gateway.domain.hours import TOKYO
from gateway.domain.values import micros
from gateway.errors import Refusal, Refused

AT, HOW, EVIDENCE, NOTICE = "consent_at", "consent_how", "consent_evidence", "notice"
COLUMNS = (AT, HOW, EVIDENCE, NOTICE)
"""The columns of an import that state it."""

MOST_TEXT = 500
"""Characters of how, and of the evidence."""

FUTURE = f"{AT}: is in the future"
"""The detail of a refusal of a consent that was not given yet."""

_UNFIT = f"is longer than {MOST_TEXT} characters, or has some that cannot be seen"
_EARLIEST = micros(dt.datetime(1995, 1, 1, tzinfo=TOKYO))
_DAY = re.compile(
    r"(?P<year>[0-9]{4})(?P<mark>[-/.年])(?P<month>[0-9]{1,2})(?:(?P=mark)|月)(?P<day>[0-9]{1,2})日?"
)
_CLOCK = re.compile(r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(:(?P<second>[0-9]{2}))?")


class Stated(msgspec.Struct, frozen=True):
    """A consent as it was stated."""

    at: int
    how: str
    """In words: ``店頭の申込書``, ``web form``."""
    evidence: str
    """What shows it: the number of a receipt, the address of a form."""
    notice: str
    """The version of the notice that was shown."""

    @property
    def told(self) -> str:
        """How and evidence in one text, as the record keeps them."""
        return f"{self.how}: {self.evidence}"


_decode = msgspec.json.Decoder(Stated).decode


def encode_stated(stated: Stated | None) -> str:
    """A consent as the store keeps it; empty for none."""
    return "" if stated is None else msgspec.json.encode(stated).decode()


def decode_stated(text: str) -> Stated | None:
    """The consent that :func:`encode_stated` made ``text`` of."""
    return _decode(text) if text else None


def stated(values: Mapping[str, str], now: int) -> Stated:
    """The consent that texts of the names in :data:`COLUMNS` state.

    Raises:
        Refused: CONSENT_MISSING, of which the detail is the column, or CONSENT_INVALID, of which
            it begins with the column and goes on with what is wrong.
    """
    texts = {name: values.get(name, "").strip() for name in COLUMNS}
    for name, text in texts.items():
        _check(name, text)
    at = read_moment(texts[AT])
    if at is None:
        detail = f"{AT}: is no time; write it like 2026-11-01, or 2026-11-01T09:00:00+09:00"
        raise Refused(Refusal.CONSENT_INVALID, detail)
    return checked(Stated(at, texts[HOW], texts[EVIDENCE], texts[NOTICE]), now)


def checked(given: Stated, now: int) -> Stated:
    """``given``, where it can be true.

    Raises:
        Refused: a text is missing or unfit, or it was given in the future or before there was any
            such mail; the detail is that of :func:`stated`.
    """
    for name, text in ((HOW, given.how), (EVIDENCE, given.evidence), (NOTICE, given.notice)):
        _check(name, text)
    if given.at > now:
        raise Refused(Refusal.CONSENT_INVALID, FUTURE)
    if given.at < _EARLIEST:
        raise Refused(Refusal.CONSENT_INVALID, f"{AT}: is before there was such mail (1995)")
    return given


def _check(name: str, text: str) -> None:
    if not text.strip():
        raise Refused(Refusal.CONSENT_MISSING, name)
    if len(text) > MOST_TEXT or not text.replace("\u3000", " ").isprintable():
        raise Refused(Refusal.CONSENT_INVALID, f"{name}: {_UNFIT}")


def read_moment(text: str) -> int | None:
    """The instant (microseconds) of a text as people and spreadsheets write it: RFC 3339, or a day
    such as ``2026-11-01``, ``2026/11/1`` or ``2026年11月1日`` with or without a clock time, on
    Asia/Tokyo's clocks. ``None`` where it cannot be read.
    """
    text = " ".join(text.split())
    try:
        if "T" in text or text.endswith("Z") or re.search(r"[+-][0-9]{2}:?[0-9]{2}$", text):
            moment = dt.datetime.fromisoformat(text)
            return micros(moment if moment.tzinfo else moment.replace(tzinfo=TOKYO))
        day, _, clock = text.partition(" ")
        found = _DAY.fullmatch(day)
        timed = _CLOCK.fullmatch(clock) if clock else None
        if found is None or (clock and timed is None):
            return None
        hours = (int(timed[1]), int(timed[2]), int(timed["second"] or 0)) if timed else (0, 0, 0)
        days = (int(found["year"]), int(found["month"]), int(found["day"]))
        return micros(dt.datetime(*days, *hours, tzinfo=TOKYO))
    except (ValueError, OverflowError):
        return None
