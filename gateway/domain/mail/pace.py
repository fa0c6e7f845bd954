"""Pace: how fast each lane takes mail, and how long it is left alone after what it answered.

Japan's carriers and yahoo.co.jp refuse bursts. What they bear is known in part only: the
connections and the rate of yahoo.co.jp and its pause of an hour are those of KumoMTA's published
shaping; the rates of the carriers are our own caution, and a pause by their answers does the rest.
"""

import re
from collections.abc import Mapping

import msgspec

from gateway.domain.mail.answers import Answer
from gateway.domain.mail.lanes import Lane
from gateway.domain.values import SECOND

FAR = 2**63 - 1
"""An instant that nobody knows."""

_HOUR = 3600


class Pace(msgspec.Struct, frozen=True):
    """What a lane bears."""

    a_second: float = 0.0
    """Letters a second; 0: as many as there are."""
    at_once: int = 0
    """Letters on the wire at a time; 0: any number."""

    @property
    def burst(self) -> float:
        """Letters that may go at once after a silence."""
        return max(1.0, self.a_second / 4)


PACES: Mapping[Lane, Pace] = {
    "docomo": Pace(30, 4),
    "au": Pace(20, 2),
    "softbank": Pace(30, 4),
    "ymobile": Pace(30, 4),
    "rakuten": Pace(30, 4),
    "yahoo_jp": Pace(10, 2),
    "gmail": Pace(100, 5),
    "outlook": Pace(50, 5),
    "icloud": Pace(50, 5),
    "other": Pace(),
}

# Answers after which a whole lane waits, and for how many seconds.
_TELLING: tuple[tuple[re.Pattern[str], int], ...] = (
    # Yahoo: too many complaints, or too much at once.
    (re.compile(r"\[(?:TSS?0[0-9]|IPTS0[0-9])\]|VS98-IP0", re.IGNORECASE), _HOUR),
    # Gmail: an unusual rate of mail (support.google.com, "SMTP errors": 4.7.0, 4.7.28).
    (re.compile(r"\b4\.7\.28\b|unusual rate|rate ?limit", re.IGNORECASE), 600),
    # docomo, au and others, in their own words.
    (re.compile(r"too many (?:connections|mails|messages|errors)", re.IGNORECASE), 300),
)

_GREY = re.compile(r"gr[ae]y-?list", re.IGNORECASE)
"""Greylisting puts off one recipient's first mail, and says nothing of the others."""

_OF_RELAY = re.compile(r"4\.3\.[0-9]")
"""RFC 3463, 3.4: the state of the mail system that speaks to us, here the relay itself."""

_BEFORE_RECIPIENT = ("connect", "tls", "greeting", "ehlo", "auth", "mail")

_FIRST_SECONDS = 60
_MOST_SECONDS = _HOUR
_RELAY_FIRST_SECONDS = 5
_RELAY_MOST_SECONDS = 300
_MOST_DOMAINS = 10_000


class _Halt:
    """Something that is left alone, the longer the more often it says no."""

    __slots__ = ("times", "until")

    def __init__(self) -> None:
        self.times = 0
        self.until = 0

    def more(self, now: int, first: int, most: int) -> None:
        if now < self.until:
            return  # letters that were under way say the same again
        seconds = min(most, first * 2 ** min(self.times, 16))
        self.times += 1
        self.until = now + seconds * SECOND


class Pacer:
    """Whether a letter may go now. All instants are microseconds; nothing is asked of a clock."""

    def __init__(self, paces: Mapping[Lane, Pace] = PACES) -> None:
        self._paces: dict[str, Pace] = dict(paces.items())
        self._tokens: dict[str, tuple[float, int]] = {}
        self._on_wire: dict[str, int] = {}
        self._lanes: dict[str, _Halt] = {}
        self._domains: dict[str, _Halt] = {}

    def room(self, lane: str, now: int, seconds: float) -> int | None:
        """How many letters a lane can take within so many seconds; ``None``: any number."""
        if now < self.paused(lane):
            return 0
        pace = self._pace(lane)
        if not pace.a_second:
            return None
        return int(self._filled(lane, pace, now) + pace.a_second * seconds)

    def paused(self, lane: str, domain: str = "") -> int:
        """Until when a lane, or a domain of it, is left alone; 0: it is not."""
        halts = (self._lanes.get(lane), self._domains.get(domain))
        return max((halt.until for halt in halts if halt is not None), default=0)

    def may_go(self, lane: str, now: int) -> bool:
        """Whether the next letter of a lane may go."""
        return self.next_at(lane, now) <= now

    def next_at(self, lane: str, now: int) -> int:
        """When the next letter of a lane may go, as far as that is known; where it waits for one
        on the wire, it is :data:`FAR`.
        """
        pace = self._pace(lane)
        if pace.at_once and self._on_wire.get(lane, 0) >= pace.at_once:
            return FAR
        at = max(now, self.paused(lane))
        if pace.a_second:
            lack = 1.0 - self._filled(lane, pace, now)
            if lack > 0:
                at = max(at, now + int(lack / pace.a_second * SECOND) + 1)
        return at

    def went(self, lane: str, now: int) -> None:
        """A letter of a lane goes."""
        pace = self._pace(lane)
        self._on_wire[lane] = self._on_wire.get(lane, 0) + 1
        if pace.a_second:
            self._tokens[lane] = (self._filled(lane, pace, now) - 1.0, now)

    def heard(self, lane: str, domain: str, answer: Answer, class_: str, now: int) -> None:
        """What came of a letter that went."""
        self._on_wire[lane] = max(0, self._on_wire.get(lane, 0) - 1)
        if answer.outcome == "accepted":
            # Only where the pause is over: letters that were under way prove nothing.
            for halts, name in ((self._lanes, lane), (self._domains, domain)):
                if (halt := halts.get(name)) is not None and now >= halt.until:
                    del halts[name]
        elif answer.outcome in ("temporary", "permanent"):
            self._heard_no(lane, domain, answer, class_, now)

    def _heard_no(self, lane: str, domain: str, answer: Answer, class_: str, now: int) -> None:
        said = f"{answer.enhanced} {answer.text}"
        for pattern, seconds in _TELLING:
            if pattern.search(said):
                self._halt(lane, domain).more(now, seconds, max(seconds, _MOST_SECONDS))
                return
        if answer.outcome == "temporary" and class_ == "throttled" and not _GREY.search(said):
            self._halt(lane, domain).more(now, _FIRST_SECONDS, _MOST_SECONDS)

    def _halt(self, lane: str, domain: str) -> _Halt:
        """Whom an answer concerns: all domains of a lane have the same servers, but of others."""
        if lane != "other":
            return self._lanes.setdefault(lane, _Halt())
        if len(self._domains) >= _MOST_DOMAINS:
            self._domains.pop(next(iter(self._domains)))
        return self._domains.setdefault(domain, _Halt())

    def _pace(self, lane: str) -> Pace:
        return self._paces.get(lane) or _NONE

    def _filled(self, lane: str, pace: Pace, now: int) -> float:
        tokens, at = self._tokens.get(lane, (pace.burst, now))
        return min(pace.burst, tokens + max(0, now - at) / SECOND * pace.a_second)


class RelayPause:
    """How long a relay is left alone after it said that it is itself in trouble."""

    def __init__(self) -> None:
        self._halt = _Halt()

    @property
    def until(self) -> int:
        """Until when (microseconds); 0: it is not."""
        return self._halt.until

    def heard(self, answer: Answer, now: int) -> bool:
        """Take an answer in; whether it is about the relay, not about a recipient."""
        if answer.outcome == "temporary" and is_of_relay(answer):
            self._halt.more(now, _RELAY_FIRST_SECONDS, _RELAY_MOST_SECONDS)
            return True
        if answer.outcome == "accepted" and now >= self._halt.until:
            self._halt = _Halt()
        return False


def is_of_relay(answer: Answer) -> bool:
    """Whether a refusal for now is about the relay itself: its disk, its load, its patience.

    RFC 3463, 3.4: ``4.3.x`` is the state of the system that answers; before RCPT nobody was named.
    """
    return answer.stage in _BEFORE_RECIPIENT or bool(_OF_RELAY.match(answer.enhanced))


_NONE = Pace()
