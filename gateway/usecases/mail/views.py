"""What people see of mail lists and recipients, where it is more than a page of rows."""

from collections.abc import Sequence

import msgspec

from gateway.domain.mail.importing.imports import Import
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.recipients import Consent, Recipient, Suppression
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.standing import Confirmation, MailCheck
from gateway.usecases.mail.lists import consents_of, list_of


class About(msgspec.Struct, frozen=True):
    """A list, and for a question about one of its recipients their id."""

    scope: Scope
    list: str
    recipient: int = 0


class ListStanding(msgspec.Struct, frozen=True):
    """What a list's sends wait for."""

    confirmation: Confirmation | None
    check: MailCheck | None


def standing(tx: Transaction, asked: About) -> tuple[ListStanding, Sequence[Fact]]:
    """What was confirmed and found of a list.

    Raises:
        Refused: there is no such list.
    """
    mail_list = list_of(tx, asked.scope, asked.list)
    kept = tx.campaigns.standing
    return ListStanding(
        kept.confirmation(EVERYBODY, mail_list.id), kept.check(EVERYBODY, mail_list.id)
    ), ()


class Known(msgspec.Struct, frozen=True):
    """A recipient with all that says why they may be mailed, or may not."""

    recipient: Recipient
    tags: tuple[str, ...]
    consents: tuple[Consent, ...]
    stops: tuple[Suppression, ...]
    """Also those of all lists of the advertiser, and of other lists."""


def known(tx: Transaction, asked: About) -> tuple[Known, Sequence[Fact]]:
    """One recipient of a list.

    Raises:
        Refused: there is no such list, or they are not on it.
    """
    mail_list = list_of(tx, asked.scope, asked.list)
    recipient = tx.mail.recipients.get(EVERYBODY, (asked.recipient,)).get(asked.recipient)
    if recipient is None or recipient.list != mail_list.id:
        raise Refused(Refusal.NOT_FOUND, "nobody of that id is on the list")
    tags = tx.mail.tags.of(EVERYBODY, (recipient.id,)).get(recipient.id, frozenset())
    stops = tx.mail.suppressions.of(EVERYBODY, mail_list.advertiser, (recipient.hash,))
    return Known(
        recipient,
        tuple(sorted(tags)),
        tuple(consents_of(tx, recipient.id)),
        tuple(stops.get(recipient.hash, ())),
    ), ()


class Export(msgspec.Struct, frozen=True):
    """Recipients of a list by id, to be taken out."""

    scope: Scope
    list: str
    actor: str
    now: int
    after: int
    limit: int


class Exported(msgspec.Struct, frozen=True):
    """Recipients with their tags."""

    mail_list: MailList
    rows: tuple[tuple[Recipient, tuple[str, ...]], ...]


def export(tx: Transaction, wish: Export) -> tuple[Exported, Sequence[Fact]]:
    """Take recipients out; that it was done is audited.

    Raises:
        Refused: there is no such list, or its contract forbids it (EXPORT_FORBIDDEN, rule R83).
    """
    mail_list = list_of(tx, wish.scope, wish.list)
    if not mail_list.may_export:
        raise Refused(Refusal.EXPORT_FORBIDDEN, "the contract of this list forbids it (R83)")
    page = tx.mail.recipients.page(EVERYBODY, mail_list.id, wish.after, wish.limit)
    tags = tx.mail.tags.of(EVERYBODY, [each.id for each in page]) if page else {}
    tx.access.audit(
        EVERYBODY,
        wish.now,
        wish.actor,
        mail_list.advertiser,
        "mail.exported",
        mail_list.id,
        {"after": str(wish.after), "recipients": len(page)},
    )
    rows = tuple((each, tuple(sorted(tags.get(each.id, ())))) for each in page)
    return Exported(mail_list, rows), ()


def import_of(tx: Transaction, imported: int) -> tuple[Import | None, Sequence[Fact]]:
    """One import, whoever's it is; ``None``: there is none."""
    return tx.mail.entrance.imports.find(EVERYBODY, imported), ()
