"""What recipients may ask for: to see what is kept of them, and to be deleted (rule R104)."""

from collections.abc import Sequence

import msgspec

from gateway.domain.effects import NEVER
from gateway.domain.mail.addresses import normalised
from gateway.domain.mail.recipients import Consent, Recipient, Suppression
from gateway.domain.mail.tokens import Keys, hash_of
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import EVERYBODY, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.campaigns import Bounce
from gateway.ports.mail.lists import Signup
from gateway.ports.mail.locks import OfAdvertiser
from gateway.ports.mail.traces import Response, Sent
from gateway.usecases.mail.signups import stream_of

MOST = 1_000
"""Of each kind of thing that is kept of somebody a disclosure lists so many, the latest."""


class Entry(msgspec.Struct, frozen=True):
    """Somebody on one list."""

    recipient: Recipient
    tags: tuple[str, ...]


class Disclosure(msgspec.Struct, frozen=True):
    """All that is kept of an address on an advertiser's lists; instants are microseconds UTC."""

    advertiser: str
    address: str
    at: int
    entries: tuple[Entry, ...]
    consents: tuple[Consent, ...]
    signups: tuple[Signup, ...]
    stops: tuple[Suppression, ...]
    mails: tuple[Sent, ...]
    responses: tuple[Response, ...]
    bounces: tuple[Bounce, ...]
    more: bool
    """Whether there are more than :data:`MOST` of a kind; these are the latest."""


class Ask(msgspec.Struct, frozen=True):
    """Somebody wants to know what is kept of them."""

    scope: Scope
    advertiser: str
    address: str
    keys: Keys
    actor: str
    now: int


def disclose(tx: Transaction, wish: Ask) -> tuple[Disclosure, Sequence[Fact]]:
    """Everything about an address; that it was asked for is audited.

    Raises:
        Refused: there is no such advertiser in scope, or the address is none.
    """
    _check(tx, wish.scope, wish.advertiser)
    address = normalised(wish.address)
    hash_ = hash_of(address, wish.keys)
    mail = tx.mail
    recipients = mail.recipients.everywhere(EVERYBODY, wish.advertiser, hash_)
    tags = mail.tags.of(EVERYBODY, [each.id for each in recipients]) if recipients else {}
    said = mail.consents.of_hash(EVERYBODY, wish.advertiser, hash_)
    stops = mail.suppressions.of(EVERYBODY, wish.advertiser, (hash_,)).get(hash_, ())
    ids = sorted({each.id for each in recipients} | {each.recipient for each in said})
    traces, of = mail.traces, (EVERYBODY, wish.advertiser)
    signups = traces.signups(*of, hash_, MOST + 1)
    sends = traces.sends(*of, ids, MOST + 1)
    responses = traces.responses(*of, ids, MOST + 1)
    bounces = traces.bounces(*of, ids, MOST + 1)
    _audit(tx, wish.now, wish.actor, wish.advertiser, "mail.disclosed", hash_, {})
    return (
        Disclosure(
            advertiser=wish.advertiser,
            address=address,
            at=wish.now,
            entries=tuple(Entry(each, tuple(sorted(tags.get(each.id, ())))) for each in recipients),
            consents=tuple(said),
            signups=tuple(signups[:MOST]),
            stops=tuple(stops),
            mails=tuple(sends[:MOST]),
            responses=tuple(responses[:MOST]),
            bounces=tuple(bounces[:MOST]),
            more=any(len(each) > MOST for each in (signups, sends, responses, bounces)),
        ),
        (),
    )


class Erase(OfAdvertiser, frozen=True):
    """Somebody wants to be deleted."""

    scope: Scope
    advertiser: str
    address: str
    keys: Keys
    actor: str
    now: int
    seed: Seed
    """With one id."""


class Erased(msgspec.Struct, frozen=True):
    """What was deleted."""

    recipients: int
    signups: int
    suppressions: tuple[Suppression, ...]
    """The rows that hold now. Whoever runs it tells them to the recall before it answers."""


def erase(tx: Transaction, wish: Erase) -> tuple[Erased, Sequence[Fact]]:
    """Take an address off all lists of an advertiser, with tags, sign-ups and single mails, also
    those that were sent. A keyed hash stays, so that the next import does not mail them again; so
    does the record of their consents, which the law asks for until its time is over
    (:func:`gateway.usecases.mail.retention.forget`).

    Raises:
        Refused: there is no such advertiser in scope, or the address is none.
    """
    _check(tx, wish.scope, wish.advertiser)
    hash_ = hash_of(normalised(wish.address), wish.keys)
    mail = tx.mail
    suppression = Suppression(
        advertiser=wish.advertiser,
        list="",
        hash=hash_,
        topic="",
        id=wish.seed.draw().id(),
        at=wish.now,
        until=NEVER,
        source="deletion",
    )
    mail.suppressions.add(EVERYBODY, (suppression,))
    ids = [each.id for each in mail.recipients.everywhere(EVERYBODY, wish.advertiser, hash_)]
    gone = mail.recipients.delete(EVERYBODY, ids, wish.now) if ids else 0
    dropped = mail.entrance.signups.drop(EVERYBODY, wish.advertiser, hash_)
    tx.outbox.clear(EVERYBODY, stream_of(wish.advertiser, hash_))
    counts = {"recipients": gone, "signups": dropped}
    _audit(tx, wish.now, wish.actor, wish.advertiser, "mail.erased", hash_, counts)
    return Erased(gone, dropped, (suppression,)), ()


def _check(tx: Transaction, scope: Scope, advertiser: str) -> None:
    if tx.entities.find(scope, Advertiser, advertiser) is None:
        raise Refused(Refusal.NOT_FOUND, "there is no such advertiser")


def _audit(
    tx: Transaction,
    now: int,
    actor: str,
    advertiser: str,
    action: str,
    hash_: bytes,
    counts: dict[str, int],
) -> None:
    tx.access.audit(EVERYBODY, now, actor, advertiser, action, hash_.hex(), counts)
