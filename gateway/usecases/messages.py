"""Messages that people write by hand, for pushes, conversations and templates: what they may say,
and that what they name is there for the friends who get them.

Rules and steps stand in provisioning files, which are checked as a whole where they are read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.domain.cards import ShopCard
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.line.channel import Message
from gateway.domain.line.messages import problems_of
from gateway.domain.links import CODE_LENGTH, Link, named_in, replaced
from gateway.domain.provisioning import Entity
from gateway.domain.surveys import Survey
from gateway.domain.values import Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Transaction
from gateway.usecases.links import address
from gateway.usecases.sending import is_ours

_MOST_TOLD = 3
_OURS: Mapping[str, type[Entity]] = {"coupon": Coupon, "card": ShopCard, "survey": Survey}


def check_messages(
    tx: Transaction, advertiser: str, channel: str, messages: Sequence[Message]
) -> None:
    """Go on only with messages that the platform takes, and whose coupons, cards, surveys and links
    are the channel's.

    Args:
        tx: the transaction.
        advertiser: whose the channel is.
        channel: who sends them; empty for any channel of the advertiser's, where each one is asked
            again when it sends them.
        messages: LINE's message objects, and ours.

    Raises:
        Refused: they are none, or name what is not there, another advertiser's or another
            channel's. The detail begins with the field.
    """
    sample = address(tx.public_url or "https://gateway.example.jp", "0" * CODE_LENGTH)
    found = problems_of(replaced(messages, lambda _: sample))
    if found:
        raise Refused(Refusal.MESSAGE_INVALID, " · ".join(found[:_MOST_TOLD]))
    scope = Scope(frozenset({advertiser}))
    for number, message in enumerate(messages):
        place = f"messages[{number}]"
        if is_ours(message):
            kind = message["type"]
            entity = tx.entities.find(scope, _OURS[kind], message[kind])
            _check(entity, channel, f"{place}.{kind}", kind)
        for name in named_in(message):
            _check(tx.entities.find(scope, Link, name), channel, place, "link")


def _check(entity: Any, channel: str, place: str, kind: str) -> None:
    # Coupons are an advertiser's, on all channels; links may be.
    of = getattr(entity, "channel", "")
    if entity is None or (channel and of not in ("", channel)):
        raise Refused(Refusal.UNKNOWN_REFERENCE, f"{place}: the channel has no such {kind}")
