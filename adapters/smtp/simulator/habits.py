"""How a server behaves: what it offers, how slowly it answers, whom it refuses, where it cuts."""

import fnmatch
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from adapters.smtp.simulator.luck import luck

Step = Literal["connect", "greeting", "ehlo", "mail", "rcpt", "data", "body", "end"]
"""Where something happens; ``body``: while the message arrives, ``end``: after the final dot."""

Cut = Literal["", "before", "after", "silence"]
"""``before``: the connection is cut without an effect. ``after``: cut in place of the answer; at
``end`` the letter is kept. ``silence``: no answer comes, and the connection stays."""


@dataclass(frozen=True)
class Rule:
    """What happens at one step, and to whom.

    At the steps before RCPT nobody is known yet: ``recipient`` and ``share`` are of no effect
    there, ``times`` is.
    """

    at: Step
    reply: str = ""
    """A reply with its code, ``{recipient}`` filled in; several lines are parted by a newline."""
    cut: Cut = ""
    recipient: str = "*"
    """A pattern of the shell, compared without regard to case."""
    share: float = 1.0
    """Which share of those addresses it strikes; always the same ones."""
    first: int = 0
    """Only so many times for each address; 0: each time."""
    times: int = 0
    """Only so many times in all; 0: without end."""


@dataclass(frozen=True)
class Habits:
    """One server's ways."""

    name: str = "mx.example.jp"
    esmtp: bool = True
    """Whether EHLO is known."""
    pipelining: bool = True
    starttls: bool = False
    implicit_tls: bool = False
    size: int = 10 * 1024 * 1024
    """Bytes of the largest message."""
    logins: tuple[tuple[str, str], ...] = ()
    """Who may log in with AUTH; none: it is not offered."""
    delay: float = 0.0
    """Seconds before replies are written; those to a group of commands are written together."""
    bytewise: bool = False
    """Whether replies come one byte at a time."""
    silence_seconds: float = 300.0
    """A client that says nothing for so long is sent away."""
    behind_starttls: bytes = b""
    """What somebody on the way adds in clear text to the announcement of TLS."""
    rules: tuple[Rule, ...] = ()
    """The first that fits is followed."""


class Fate:
    """Which rule strikes whom, counted; one for a whole server."""

    def __init__(self, rules: tuple[Rule, ...], seed: int) -> None:
        self._rules = rules
        self._seed = seed
        self._struck: Counter[int] = Counter()
        self._met: Counter[tuple[int, str]] = Counter()

    def strikes(self, at: Step, recipient: str = "") -> Rule | None:
        """The rule that strikes now; it is thereby counted."""
        address = recipient.lower()
        for place, rule in enumerate(self._rules):
            if rule.at != at or (rule.times and self._struck[place] >= rule.times):
                continue
            if address and not self._fits(place, rule, address):
                continue
            self._struck[place] += 1
            return rule
        return None

    def _fits(self, place: int, rule: Rule, address: str) -> bool:
        if not fnmatch.fnmatchcase(address, rule.recipient.lower()):
            return False
        if rule.share < 1 and luck(self._seed, f"rule {place}", address) >= rule.share:
            return False
        if rule.first:
            self._met[place, address] += 1
            return self._met[place, address] <= rule.first
        return True


def greylisting(times: int = 1, recipient: str = "*") -> tuple[Rule, ...]:
    """Each address is put off so many times before it is taken (RFC 6647)."""
    return (Rule("rcpt", "450 4.7.1 {recipient}: Greylisted, try later", "", recipient, 1, times),)


def docomo(unknown: float, filtered: float) -> tuple[Rule, ...]:
    """NTT docomo says the same of an unknown user, at RCPT, and of a filtered letter, after it."""
    return (
        Rule("rcpt", "550 Unknown user {recipient}", recipient="*@docomo.ne.jp", share=unknown),
        Rule("end", "550 Unknown user {recipient}", recipient="*@docomo.ne.jp", share=filtered),
    )


def kddi(unknown: float, filtered: float) -> tuple[Rule, ...]:
    """KDDI names the address of an unknown user, and leaves it out where the user filters."""
    return tuple(
        rule
        for domain in ("*@ezweb.ne.jp", "*@au.com")
        for rule in (
            Rule("rcpt", "550 <{recipient}>: User unknown", recipient=domain, share=unknown),
            Rule("end", "550 : User unknown", recipient=domain, share=filtered),
        )
    )


def yahoo_japan(times: int) -> tuple[Rule, ...]:
    """yahoo.co.jp puts off a sender that it finds too eager, so many times."""
    reply = "421 4.7.0 [TSS04] Messages temporarily deferred due to user complaints - 4.16.55.1"
    return (Rule("mail", reply, times=times),)
