"""Whether a list may send: the law confirmed by a person, and its domains checked (rule R130)."""

import hashlib
from collections.abc import Sequence

import msgspec

from gateway.domain.mail.lists import MailList
from gateway.domain.values import EVERYBODY, SECOND, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.mail.standing import Confirmation, MailCheck
from gateway.usecases.mail.lists import list_of

CHECK_DAYS = 7
"""So long a check of a list's domains is good for."""

_DAY = 86_400 * SECOND


class Confirm(msgspec.Struct, frozen=True):
    """A person's word that 特定商取引法, 景品表示法 and the election law are kept."""

    scope: Scope
    actor: str
    list: str
    now: int


def confirm(tx: Transaction, wish: Confirm) -> tuple[Confirmation, Sequence[Fact]]:
    """Keep a person's word, for all sends of a list from now on.

    Raises:
        Refused: there is no such list.
    """
    mail_list = list_of(tx, wish.scope, wish.list)
    said = Confirmation(mail_list.id, mail_list.advertiser, wish.now, wish.actor)
    tx.campaigns.standing.confirm(EVERYBODY, said)
    _audit(tx, wish.now, wish.actor, mail_list, "mail.law_confirmed")
    return said, ()


class Checked(msgspec.Struct, frozen=True):
    """What was found of a list's domains."""

    scope: Scope
    list: str
    aligned: bool
    """Whether From, DKIM and SPF agree on whose mail it is."""
    findings: tuple[str, ...]
    """For people: a line each."""
    now: int


def keep_check(tx: Transaction, found: Checked) -> tuple[MailCheck, Sequence[Fact]]:
    """Keep a check in the place of the one before; what was overridden of that is so no more.

    Raises:
        Refused: there is no such list.
    """
    mail_list = list_of(tx, found.scope, found.list)
    findings = msgspec.json.encode(found.findings).decode()
    check = MailCheck(
        mail_list.id,
        mail_list.advertiser,
        found.now,
        found.aligned,
        findings,
        about=_about(mail_list),
    )
    tx.campaigns.standing.keep(EVERYBODY, check)
    return check, ()


class Override(msgspec.Struct, frozen=True):
    """A person's wish that a list sends although its domains are not aligned."""

    scope: Scope
    list: str
    by: str
    """Their name, as they gave it."""
    actor: str
    now: int


def override(tx: Transaction, wish: Override) -> tuple[MailCheck, Sequence[Fact]]:
    """Let a list send until its next check.

    Raises:
        Refused: there is no such list, nobody is named, or it was not checked within a week.
    """
    mail_list = list_of(tx, wish.scope, wish.list)
    name = wish.by.strip()
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise Refused(Refusal.INVALID_FIELD, "by: is the name of a person, up to 100 characters")
    check = _fresh(tx.campaigns.standing.check(EVERYBODY, mail_list.id), mail_list, wish.now)
    check = msgspec.structs.replace(check, overridden_by=name, overridden_at=wish.now)
    tx.campaigns.standing.keep(EVERYBODY, check)
    # The next check takes the place of this one: who overrode it stays in the audit.
    _audit(tx, wish.now, wish.actor, mail_list, "mail.check_overridden", by=name)
    return check, ()


def may_send(tx: Transaction, mail_list: MailList, now: int) -> None:
    """See that a list may send.

    Raises:
        Refused: nobody confirmed that the law is kept; its domains were not checked within a week,
            or are others by now; or they are not aligned, and nobody overrode that.
    """
    if tx.campaigns.standing.confirmation(EVERYBODY, mail_list.id) is None:
        detail = "a person must first confirm that the law is kept (R130)"
        raise Refused(Refusal.LAW_UNCONFIRMED, detail)
    check = _fresh(tx.campaigns.standing.check(EVERYBODY, mail_list.id), mail_list, now)
    if not check.aligned and not check.overridden_by:
        detail = "From, DKIM and SPF are not aligned: see `gateway mail check`"
        raise Refused(Refusal.MAIL_UNALIGNED, detail)


class Stands(msgspec.Struct, frozen=True):
    """Whether a list may send, and why."""

    confirmed_at: int
    """When a person confirmed that the law is kept; 0: nobody did."""
    check: MailCheck | None
    """The last check of its domains."""
    is_checked: bool
    """Whether that counts: it is no more than a week old, and of the domains as they are."""

    @property
    def until(self) -> int:
        """How long the check is good for at most; 0 where it counts no more."""
        return self.check.at + CHECK_DAYS * _DAY if self.check and self.is_checked else 0

    @property
    def domains(self) -> bool:
        """Whether its domains let it send, or a person answers for them."""
        check = self.check
        return (
            self.is_checked and check is not None and (check.aligned or bool(check.overridden_by))
        )

    @property
    def may_send(self) -> bool:
        """Whether a campaign may be scheduled."""
        return self.domains and bool(self.confirmed_at)


def stands(tx: Transaction, mail_list: MailList, now: int) -> Stands:
    """Whether a list may send now, as :func:`may_send` sees it, for people."""
    confirmation = tx.campaigns.standing.confirmation(EVERYBODY, mail_list.id)
    check = tx.campaigns.standing.check(EVERYBODY, mail_list.id)
    try:
        is_checked = bool(_fresh(check, mail_list, now))
    except Refused:
        is_checked = False
    return Stands(confirmation.at if confirmation else 0, check, is_checked)


def _fresh(check: MailCheck | None, mail_list: MailList, now: int) -> MailCheck:
    if check is None or check.at < now - CHECK_DAYS * _DAY:
        detail = f"run `gateway mail check`: the last one is missing, or over {CHECK_DAYS} days old"
        raise Refused(Refusal.MAIL_UNCHECKED, detail)
    if check.about != _about(mail_list):
        detail = "run `gateway mail check`: the sender, the bounce domain or DKIM changed since"
        raise Refused(Refusal.MAIL_UNCHECKED, detail)
    return check


def _about(mail_list: MailList) -> bytes:
    """A digest of what a check looks at."""
    dkim = mail_list.dkim
    signs = (dkim.domain, dkim.selector, dkim.key) if dkim else ()
    settings = (mail_list.sender, mail_list.bounce_domain, *signs)
    return hashlib.sha256(msgspec.json.encode(settings)).digest()


def _audit(
    tx: Transaction, now: int, actor: str, mail_list: MailList, action: str, **detail: str
) -> None:
    advertiser = mail_list.advertiser
    tx.access.audit(EVERYBODY, now, actor, advertiser, action, mail_list.id, detail)
