"""Trials: a campaign's message sent to a few addresses, for people to look at."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.domain.effects import Effect
from gateway.domain.hours import TOKYO
from gateway.domain.mail.addresses import normalised
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.profiles import checked_attributes
from gateway.domain.mail.tokens import Keys, hash_of
from gateway.domain.values import EVERYBODY, SECOND, Scope, Seed, moment
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.locks import OfCampaign
from gateway.usecases.mail.campaigns import found
from gateway.usecases.mail.lists import list_of
from gateway.usecases.mail.signups import stream_of

MOST = 5
"""Addresses that one trial goes to."""

MOST_A_DAY = 50
"""Addresses that all trials of a list go to within a day of Asia/Tokyo: nobody of them consented,
and nothing of the list needs to be confirmed or checked before."""

KIND = "mail.test"
"""The kind of effect that carries one; its payload is JSON: campaign, address, values."""

_GIVE_UP_SECONDS = 3600


class Trial(OfCampaign, frozen=True):
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
            of them stopped the list, or what the campaign says is not kept any more; sends are
            halted (SENDS_HALTED); or the list had its trials of this day (TOO_MANY_TRIALS).
    """
    campaign = found(tx, wish.scope, wish.campaign)
    mail_list = list_of(tx, wish.scope, campaign.list)
    addresses = list({each.casefold(): each for each in map(normalised, wish.addresses)}.values())
    if not 0 < len(addresses) <= MOST:
        raise Refused(Refusal.INVALID_FIELD, f"addresses: 1 to {MOST}")
    values = checked_attributes(wish.values, mail_list.attributes)
    if tx.campaigns.content(EVERYBODY, campaign.id) is None:
        raise Refused(Refusal.CONTENT_GONE, "what it says is not kept any more")
    if tx.outbox.stops.halts(EVERYBODY, campaign.advertiser):
        raise Refused(Refusal.SENDS_HALTED, "`gateway stop-sends --resume` lets them go on")
    hashes = [hash_of(address, wish.keys) for address in addresses]
    _see_stops(tx, campaign, hashes, wish.now)
    _count(tx, mail_list, len(addresses), wish.now)
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


def _see_stops(tx: Transaction, campaign: Campaign, hashes: Sequence[bytes], now: int) -> None:
    stops = tx.mail.suppressions.of(EVERYBODY, campaign.advertiser, hashes)
    if any(each.covers(campaign.list, campaign.topic, now) for of in stops.values() for each in of):
        raise Refused(Refusal.RECIPIENT_STOPPED, "one of the addresses stopped this list")


def _count(tx: Transaction, mail_list: MailList, addresses: int, now: int) -> None:
    day = f"{moment(now).astimezone(TOKYO):%Y-%m-%d}"
    if not tx.campaigns.standing.tried(EVERYBODY, mail_list, day, addresses, MOST_A_DAY):
        raise Refused(Refusal.TOO_MANY_TRIALS, f"{MOST_A_DAY} addresses a day and list")
