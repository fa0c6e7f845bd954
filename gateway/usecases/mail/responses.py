"""Who follows the links of a mail, and who seems to have opened it."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.domain.mail.tokens import Named
from gateway.domain.values import EVERYBODY, Counted
from gateway.ports import Fact, Transaction

What = Literal["click", "open"]
"""``open`` is what it looks like: programs open mails, too, and people do without pictures."""

_PEOPLE: dict[What, str] = {"click": "clickers", "open": "openers"}


class Response(msgspec.Struct, frozen=True):
    """Somebody whom a true token names did something with a mail."""

    what: What
    named: Named
    advertiser: str
    at: int


def respond(tx: Transaction, response: Response) -> tuple[bool, Sequence[Fact]]:
    """Count it; whether it is the recipient's first of its kind. Each press counts, and each person
    once.
    """
    campaign, recipient, what = response.named.campaign, response.named.recipient, response.what
    is_first = tx.campaigns.figures.responded(EVERYBODY, campaign, recipient, what, response.at)
    amounts = {what: 1} | ({_PEOPLE[what]: 1} if is_first else {})
    tx.campaigns.figures.add(EVERYBODY, campaign, amounts)
    return is_first, (counted(response.advertiser, what),)


def counted(advertiser: str, what: Literal["click", "open", "bot", "unrecorded"]) -> Counted:
    """A fact of the metric ``mail_responses_total``."""
    return Counted(advertiser, "mail_responses_total", (what,))
