"""What recipients may ask for: to see what is kept of them, and to be deleted (rule R104). And the
end of what is kept: consents past their time, contracts that are over.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.domain.effects import NEVER
from gateway.domain.mail.addresses import normalised
from gateway.domain.mail.profiles import attributes_of
from gateway.domain.mail.recipients import Consent, Recipient, Source, State, Suppression
from gateway.domain.mail.recipients import How as ConsentHow
from gateway.domain.mail.tokens import Keys, hash_of
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import EVERYBODY, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.campaigns import Send
from gateway.usecases.mail.signups import stream_of

AT_ONCE = 500
"""Rows that one unit of the background lane deletes."""

MOST_SENDS = 1_000
"""Mails of one recipient that a disclosure lists, the latest."""


class Entry(msgspec.Struct, frozen=True):
    """Somebody on one list."""

    list: str
    recipient: int
    address: str
    state: State
    attributes: dict[str, str]
    tags: tuple[str, ...]
    strikes: int
    added_at: int


class ConsentRecord(msgspec.Struct, frozen=True):
    """A consent on record."""

    list: str
    at: int
    how: ConsentHow
    evidence: str
    notice: str
    recorded_at: int
    last_sent_at: int


class StopRecord(msgspec.Struct, frozen=True):
    """A stop on record."""

    list: str
    """Empty: all lists."""
    topic: str
    at: int
    until: int | None
    source: Source


class Mailed(msgspec.Struct, frozen=True):
    """A mail that was sent, or was to be."""

    campaign: int
    state: str
    at: int
    code: int
    bounce_class: str


class Disclosure(msgspec.Struct, frozen=True):
    """All that is kept of an address on an advertiser's lists; instants are microseconds UTC."""

    advertiser: str
    address: str
    at: int
    entries: tuple[Entry, ...]
    consents: tuple[ConsentRecord, ...]
    stops: tuple[StopRecord, ...]
    mails: tuple[Mailed, ...]


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
    sends = [
        send
        for id_ in sorted({each.id for each in recipients} | {each.recipient for each in said})
        for send in tx.campaigns.lookups.of(EVERYBODY, wish.advertiser, id_)
    ]
    _audit(tx, wish.now, wish.actor, wish.advertiser, "mail.disclosed", hash_, {})
    return (
        Disclosure(
            advertiser=wish.advertiser,
            address=address,
            at=wish.now,
            entries=tuple(_entry(each, tags.get(each.id, frozenset())) for each in recipients),
            consents=tuple(map(_word, said)),
            stops=tuple(map(_stop, stops)),
            mails=tuple(map(_mailed, sends[:MOST_SENDS])),
        ),
        (),
    )


class Erase(msgspec.Struct, frozen=True):
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
    (:func:`forget`).

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


# --- what has passed its time ---

Kept = Literal["consents", "suppressions", "signups", "imports"]
"""What is deleted after its time: consents whose recipient is gone, stops that have ended, sign-ups
and reports of imports."""


class Forget(msgspec.Struct, frozen=True):
    """A piece of clean-up: what is of before an instant; of suppressions, what ended before it."""

    what: Kept
    before: int


def forget(tx: Transaction, job: Forget) -> tuple[int, Sequence[Fact]]:
    """Delete what has passed its retention, a bounded piece at a time; returns how much went."""
    mail = tx.mail
    does = {
        "consents": mail.consents.forget,
        "suppressions": mail.suppressions.forget,
        "signups": mail.entrance.signups.forget,
        "imports": mail.entrance.imports.forget,
    }
    return does[job.what](EVERYBODY, job.before, AT_ONCE), ()


class Seal(msgspec.Struct, frozen=True):
    """The end of an advertiser's contract (rule R81)."""

    advertiser: str
    """One that is not provisioned any more may have left something, too."""
    actor: str
    now: int


def seal(tx: Transaction, job: Seal) -> tuple[int, Sequence[Fact]]:
    """Turn consents into sealed proofs and erase all else that tells who was mailed what, a bounded
    piece at a time; returns how many rows it did, 0 at the end, which is audited.

    Figures, proofs and suppressions stay, which name nobody.

    Raises:
        Refused: a campaign has mails to send, or to note with the consents: the proofs say when the
            last one went.
    """
    campaign = tx.campaigns.lookups.unfinished(EVERYBODY, job.advertiser)
    if campaign is not None:
        detail = f"campaign {campaign.id} is {campaign.state}: cancel it, and wait for its end"
        raise Refused(Refusal.CAMPAIGN_STATE, detail)
    done = tx.mail.consents.seal(EVERYBODY, job.advertiser, job.now, AT_ONCE)
    if not done:
        whose = job.advertiser
        tx.access.audit(EVERYBODY, job.now, job.actor, whose, "mail.sealed", whose, {})
    return done, ()


def _check(tx: Transaction, scope: Scope, advertiser: str) -> None:
    if tx.entities.find(scope, Advertiser, advertiser) is None:
        raise Refused(Refusal.NOT_FOUND, "there is no such advertiser")


def _entry(recipient: Recipient, tags: frozenset[str]) -> Entry:
    return Entry(
        recipient.list,
        recipient.id,
        recipient.address,
        recipient.state,
        attributes_of(recipient.attributes),
        tuple(sorted(tags)),
        recipient.strikes,
        recipient.added_at,
    )


def _word(said: Consent) -> ConsentRecord:
    return ConsentRecord(
        said.list,
        said.at,
        said.how,
        said.evidence,
        said.notice,
        said.recorded_at,
        said.last_sent_at,
    )


def _stop(stop: Suppression) -> StopRecord:
    until = None if stop.until == NEVER else stop.until
    return StopRecord(stop.list, stop.topic, stop.at, until, stop.source)


def _mailed(send: Send) -> Mailed:
    return Mailed(send.campaign, send.state, send.at, send.code, send.bounce_class)


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
