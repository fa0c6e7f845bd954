"""Trials: a campaign's message sent to a few addresses, for people to look at."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.domain.effects import Effect
from gateway.domain.mail.addresses import normalised
from gateway.domain.mail.profiles import checked_attributes
from gateway.domain.mail.tokens import Keys, hash_of
from gateway.domain.values import EVERYBODY, SECOND, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.usecases.mail.campaigns import found
from gateway.usecases.mail.lists import list_of, wholly_stopped
from gateway.usecases.mail.signups import stream_of

MOST = 5
"""Addresses that one trial goes to."""

KIND = "mail.test"
"""The kind of effect that carries one; its payload is JSON: campaign, address, values."""

_GIVE_UP_SECONDS = 3600


class Trial(msgspec.Struct, frozen=True):
    """A person wants to see a campaign's message in mailboxes they name."""

    scope: Scope
    actor: str
    campaign: int
    addresses: tuple[str, ...]
    values: Mapping[str, str]
    """What stands in the place of a recipient's attributes."""
    now: int
    seed: Seed
    """With :data:`MOST` ids."""
    keys: Keys


def try_out(tx: Transaction, wish: Trial) -> tuple[int, Sequence[Fact]]:
    """Send a message as it stands to at most :data:`MOST` addresses; to how many.

    It counts in no figure. Whoever stopped the list gets no trial of it, either.

    Raises:
        Refused: there is no such campaign, an address or a value is unfit, there are too many, one
            of them stopped the list, or what the campaign says is not kept any more.
    """
    campaign = found(tx, wish.scope, wish.campaign)
    mail_list = list_of(tx, wish.scope, campaign.list)
    addresses = list({each.casefold(): each for each in map(normalised, wish.addresses)}.values())
    if not 0 < len(addresses) <= MOST:
        raise Refused(Refusal.INVALID_FIELD, f"addresses: 1 to {MOST}")
    values = checked_attributes(wish.values, mail_list.attributes)
    if tx.campaigns.content(EVERYBODY, campaign.id) is None:
        raise Refused(Refusal.CONTENT_GONE, "what it says is not kept any more")
    hashes = [hash_of(address, wish.keys) for address in addresses]
    stops = tx.mail.suppressions.of(EVERYBODY, mail_list.advertiser, hashes)
    if any(wholly_stopped(each, mail_list.id, wish.now) for each in stops.values()):
        raise Refused(Refusal.RECIPIENT_STOPPED, "one of the addresses stopped this list")
    draw = wish.seed.draw()
    for address, hash_ in zip(addresses, hashes, strict=True):
        id_ = draw.id()
        payload = {"campaign": campaign.id, "address": address, "values": values}
        effect = Effect(
            id=id_,
            advertiser=campaign.advertiser,
            kind=KIND,
            key=f"trial:{id_}",
            payload=msgspec.json.encode(payload).decode(),
            due_at=wish.now,
            stream=stream_of(campaign.advertiser, hash_),
            order_at=wish.now,
            give_up_at=wish.now + _GIVE_UP_SECONDS * SECOND,
            origin=f"mail:{campaign.id}",
        )
        tx.outbox.add(EVERYBODY, effect)
    detail = {"list": campaign.list, "addresses": len(addresses)}
    tx.access.audit(
        EVERYBODY,
        wish.now,
        wish.actor,
        campaign.advertiser,
        "campaign.tried_out",
        str(campaign.id),
        detail,
    )
    return len(addresses), ()
