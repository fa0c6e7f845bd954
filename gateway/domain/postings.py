"""The posting calendar: what people post by hand, where LINE offers no API, as on LINE VOOM."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from gateway.domain.values import SECOND, moment

State = Literal["planned", "done", "skipped"]
Timing = Literal["ahead", "due", "overdue", "over"]
"""``over``: it was posted, or is not going to be."""

DUE_SECONDS = 3600
"""So long before its time and after it a posting is due; later it is overdue."""

_TOKYO = ZoneInfo("Asia/Tokyo")
_MOST_OCTETS = 75


class Posting(msgspec.Struct, frozen=True):
    """Something to be posted; the fields are the columns of the store, in order."""

    id: int
    advertiser: str
    channel: str
    at: int
    title: str
    what: str
    """What is to be posted, for whoever does it."""
    place: str
    """Where, such as ``LINE VOOM``."""
    responsible: str
    state: State
    friend: int
    """The friend of the channel, one of the staff, whom a push reminds; 0: nobody."""
    remind_at: int
    """When; 0: not (any more)."""
    changed_at: int
    changed_by: str
    """The actor, as the audit names it."""

    def timing(self, now: int) -> Timing:
        """How it stands at ``now``."""
        if self.state != "planned":
            return "over"
        if now < self.at - DUE_SECONDS * SECOND:
            return "ahead"
        return "due" if now < self.at + DUE_SECONDS * SECOND else "overdue"


def remind_at(at: int, minutes: int, friend: int, state: State, now: int) -> int:
    """When somebody is to be reminded of a posting at ``at``, so many minutes before; 0: never.

    Where that is past, but the posting is not, it is at once.
    """
    if not friend or state != "planned" or at <= now:
        return 0
    return max(at - minutes * 60 * SECOND, 1)


def reminder(posting: Posting, language: str) -> dict[str, Any]:
    """The message that reminds of a posting; Japanese unless the friend reads something else."""
    when = moment(posting.at).astimezone(_TOKYO)
    if language and not language.startswith("ja"):
        head = f"Reminder: to be posted by hand at {when:%H:%M on %Y-%m-%d}"
    else:
        head = f"投稿のお知らせ:{when.month}月{when.day}日 {when:%H:%M} に手動で投稿してください"
    lines = (head, f"■ {posting.title}", posting.place, posting.what)
    return {"type": "text", "text": "\n".join(filter(None, lines))}


# --- as a calendar ---

_STATUS: dict[State, str] = {"planned": "CONFIRMED", "done": "CONFIRMED", "skipped": "CANCELLED"}
_MARK: dict[State, str] = {"planned": "", "done": "✓ ", "skipped": ""}


def calendar(name: str, host: str, postings: Iterable[Posting]) -> str:
    """``postings`` as an iCalendar object (RFC 5545) that is called ``name``.

    ``host`` makes the ids of its entries unique in the world.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tsunagi//posting calendar//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_text(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
    ]
    for posting in postings:
        lines += _event(posting, host)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _event(posting: Posting, host: str) -> list[str]:
    about = (posting.what, posting.responsible)
    return [
        "BEGIN:VEVENT",
        f"UID:posting-{posting.id}@{host}",
        f"DTSTAMP:{_utc(posting.changed_at)}",
        f"DTSTART:{_utc(posting.at)}",
        f"SUMMARY:{_text(_MARK[posting.state] + posting.title)}",
        f"DESCRIPTION:{_text(chr(10).join(filter(None, about)))}",
        f"LOCATION:{_text(posting.place)}",
        f"STATUS:{_STATUS[posting.state]}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _utc(instant: int) -> str:
    return f"{moment(instant):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    """``value`` as RFC 5545, section 3.3.11, has text; other control signs are left out."""
    plain = "\n".join(value.splitlines())
    plain = "".join(sign for sign in plain if sign in "\n\t" or (sign >= " " and sign != "\x7f"))
    for sign in "\\;,":
        plain = plain.replace(sign, f"\\{sign}")
    return plain.replace("\n", "\\n")


def _folded(line: str) -> Iterator[str]:
    """``line`` in pieces of 75 octets at most (RFC 5545, section 3.1), no character cut in two."""
    piece, size = "", 0
    for sign in line:
        octets = len(sign.encode(errors="replace"))
        if size + octets > _MOST_OCTETS:
            yield piece
            piece, size = " ", 1
        piece += sign
        size += octets
    yield piece
