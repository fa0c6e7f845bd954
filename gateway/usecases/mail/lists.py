"""Recipients of mail lists: added with their consent, changed, taken out; and the keys of mail."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from gateway.domain.access import Access
from gateway.domain.mail import consent
from gateway.domain.mail.addresses import normalised
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.lanes import lane_of
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.profiles import checked_attributes, checked_tags, merged
from gateway.domain.mail.recipients import Consent, How, Recipient, Suppression
from gateway.domain.mail.tokens import Keys, hash_of, keys_of
from gateway.domain.values import EVERYBODY, Draw, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.locks import OfList

KEY = "mail"
"""The secret that all keys of mail are derived from."""

MOST_EVIDENCE = 1_200
"""Characters of a consent's evidence that are kept."""


def mail_keys(tx: Transaction, fresh: bytes) -> tuple[Keys, Sequence[Fact]]:
    """The keys of mail; ``fresh`` becomes their secret where there is none yet."""
    return keys_of(tx.signing.key(EVERYBODY, KEY, fresh)), ()


def list_of(tx: Transaction, scope: Scope, list_: str) -> MailList:
    """A list in scope.

    Raises:
        Refused: there is no such list.
    """
    found = tx.entities.find(scope, MailList, list_)
    if found is None:
        raise Refused(Refusal.NOT_FOUND, "there is no such list")
    return found


def wholly_stopped(suppressions: Sequence[Suppression], list_: str, now: int) -> bool:
    """Whether somebody is to get nothing of a list now, whatever it is about."""
    return any(each.covers(list_, "", now) for each in suppressions)


class OfAddress(msgspec.Struct, frozen=True):
    """A question about an address, and a list whose advertiser may know it."""

    mail_list: MailList
    address: str
    keys: Keys


def is_listed(tx: Transaction, asked: OfAddress) -> tuple[bool, Sequence[Fact]]:
    """Whether an address is on any list of an advertiser, or was until not long ago: there is a
    consent of it.

    Raises:
        Refused: the address is none.
    """
    hash_ = hash_of(normalised(asked.address), asked.keys)
    return bool(tx.mail.consents.of_hash(EVERYBODY, asked.mail_list.advertiser, hash_)), ()


class Add(OfList, frozen=True):
    """A recipient whom somebody adds, with the consent that was stated."""

    scope: Scope
    list: str
    address: str
    consent: Stated
    actor: str
    now: int
    seed: Seed
    """With two ids."""
    keys: Keys
    attributes: Mapping[str, str] = {}
    tags: tuple[str, ...] = ()
    corrects: bool = True
    """Whether attributes and tags of who is there already may change: not by the operator, who may
    only delete or stop (rule R104)."""


class Added(msgspec.Struct, frozen=True):
    """A recipient, and what became of the wish."""

    recipient: Recipient
    outcome: Literal["added", "updated", "unchanged"]


def add(tx: Transaction, wish: Add) -> tuple[Added, Sequence[Fact]]:
    """Put somebody on a list; one who is there already gets what is new of them.

    Raises:
        Refused: there is no such list; the address, an attribute, a tag or the consent is unfit; or
            they stopped it before (RECIPIENT_STOPPED): only they themselves can come back.
    """
    mail_list = list_of(tx, wish.scope, wish.list)
    address = normalised(wish.address)
    stated = consent.checked(wish.consent, wish.now)
    attributes = checked_attributes(wish.attributes, mail_list.attributes)
    tags = checked_tags(wish.tags)
    hash_ = hash_of(address, wish.keys)
    stops = tx.mail.suppressions.of(EVERYBODY, mail_list.advertiser, (hash_,))
    if wholly_stopped(stops.get(hash_, ()), mail_list.id, wish.now):
        raise Refused(Refusal.RECIPIENT_STOPPED, "they stopped this list; only they can come back")
    draw = wish.seed.draw()
    known = tx.mail.recipients.find(EVERYBODY, mail_list.id, (hash_,)).get(hash_)
    if known is not None and not wish.corrects:
        attributes, tags = {}, ()
    recipient = entry(known, mail_list, address, hash_, attributes, draw, wish.now)
    if recipient != known:
        tx.mail.recipients.save(EVERYBODY, (recipient,), wish.now)
    has_new_tags = _tag(tx, recipient, tags)
    given = consent_of(recipient, "api", stated.at, stated.told, stated.notice, draw, wish.now)
    is_new_consent = keep_consent(tx, given, is_known=known is not None)
    _audit(tx, wish.now, wish.actor, recipient, "mail.recipient_added")
    if known is None:
        return Added(recipient, "added"), ()
    has_changed = recipient != known or has_new_tags or is_new_consent
    return Added(recipient, "updated" if has_changed else "unchanged"), ()


class Change(OfList, frozen=True):
    """What is to be known of a recipient from now on."""

    scope: Scope
    access: Access
    list: str
    recipient: int
    now: int
    attributes: Mapping[str, str] = {}
    """Those that change; one that is given empty goes."""
    tags: tuple[str, ...] = ()
    untags: tuple[str, ...] = ()


def change(tx: Transaction, wish: Change) -> tuple[Recipient, Sequence[Fact]]:
    """Change attributes and tags of a recipient.

    Raises:
        Refused: they are not on the list, a value is unfit, or the operator asks, which may only
            delete or stop (rule R104).
    """
    if wish.access.role == "operator":
        raise Refused(Refusal.ROLE_NOT_ALLOWED, "the operator may only delete or stop")
    mail_list = list_of(tx, wish.scope, wish.list)
    attributes = checked_attributes(wish.attributes, mail_list.attributes)
    tags, untags = checked_tags(wish.tags), checked_tags(wish.untags)
    known = _on_list(tx, wish.scope, mail_list, wish.recipient)
    changed = msgspec.structs.replace(known, attributes=merged(known.attributes, attributes))
    if changed != known:
        tx.mail.recipients.save(EVERYBODY, (changed,), wish.now)
    _tag(tx, changed, tags)
    if untags:
        tx.mail.tags.remove(EVERYBODY, (changed.id,), untags)
    _audit(tx, wish.now, wish.access.actor, changed, "mail.recipient_changed")
    return changed, ()


class Remove(OfList, frozen=True):
    """A recipient whom the contractor takes off a list."""

    scope: Scope
    list: str
    recipient: int
    actor: str
    now: int


def remove(tx: Transaction, wish: Remove) -> tuple[Recipient, Sequence[Fact]]:
    """Take somebody off a list. What they stopped stays stopped, and why they were mailed stays
    on record. At a recipient's own wish: :func:`gateway.usecases.mail.rights.erase`.

    Raises:
        Refused: they are not on the list.
    """
    mail_list = list_of(tx, wish.scope, wish.list)
    known = _on_list(tx, wish.scope, mail_list, wish.recipient)
    tx.mail.recipients.delete(EVERYBODY, (known.id,), wish.now)
    _audit(tx, wish.now, wish.actor, known, "mail.recipient_removed")
    return known, ()


# --- what imports and sign-ups share with it ---


def entry(
    known: Recipient | None,
    mail_list: MailList,
    address: str,
    hash_: bytes,
    attributes: Mapping[str, str],
    draw: Draw,
    now: int,
) -> Recipient:
    """A recipient as they stand on the list once these attributes are known: the one who is there,
    or a new one, who takes an id of ``draw``. Nothing is written.
    """
    if known is not None:
        return msgspec.structs.replace(known, attributes=merged(known.attributes, attributes))
    return Recipient(
        id=draw.id(),
        advertiser=mail_list.advertiser,
        list=mail_list.id,
        address=address,
        hash=hash_,
        lane=lane_of(address),
        attributes=merged("", attributes),
        added_at=now,
        contract=mail_list.contract,
    )


def consent_of(
    recipient: Recipient, how: How, at: int, evidence: str, notice: str, draw: Draw, now: int
) -> Consent:
    """The record of a consent; takes an id of ``draw``. Nothing is written."""
    return Consent(
        id=draw.id(),
        advertiser=recipient.advertiser,
        list=recipient.list,
        recipient=recipient.id,
        hash=recipient.hash,
        at=at,
        how=how,
        evidence=evidence[:MOST_EVIDENCE],
        notice=notice,
        recorded_at=now,
    )


def keep_consent(tx: Transaction, given: Consent, *, is_known: bool) -> bool:
    """Keep a consent, unless the same one is on record; whether it was kept."""
    if is_known and any(_is_same(given, each) for each in consents_of(tx, given.recipient)):
        return False
    tx.mail.consents.add(EVERYBODY, (given,))
    return True


def consents_of(tx: Transaction, recipient: int) -> Sequence[Consent]:
    """The consents of a recipient, the oldest first."""
    return tx.mail.consents.of(EVERYBODY, recipient)


def _is_same(one: Consent, other: Consent) -> bool:
    fields = ("list", "hash", "at", "how", "evidence", "notice")
    return all(getattr(one, field) == getattr(other, field) for field in fields)


def _tag(tx: Transaction, recipient: Recipient, tags: Sequence[str]) -> bool:
    """Give somebody tags; whether one of them is new."""
    if not tags:
        return False
    had = tx.mail.tags.of(EVERYBODY, (recipient.id,)).get(recipient.id, frozenset())
    tx.mail.tags.add(EVERYBODY, (recipient,), tags)
    return not had.issuperset(tags)


def _on_list(tx: Transaction, scope: Scope, mail_list: MailList, recipient: int) -> Recipient:
    known = tx.mail.recipients.get(scope, (recipient,)).get(recipient)
    if known is None or known.list != mail_list.id:
        raise Refused(Refusal.NOT_FOUND, "nobody of that id is on the list")
    return known


def _audit(tx: Transaction, now: int, actor: str, recipient: Recipient, action: str) -> None:
    detail = {"list": recipient.list}
    tx.access.audit(EVERYBODY, now, actor, recipient.advertiser, action, str(recipient.id), detail)
