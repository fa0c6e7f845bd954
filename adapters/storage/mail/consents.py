"""Why somebody may be mailed, in the store, and what is left of it at a contract's end."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, func, select, tuple_, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare, prepare_bulk
from adapters.storage.mail.given import Hashes, in_parts
from adapters.storage.mail.recipients import RecipientsInTransaction
from adapters.storage.mail.sealing import SealStatements
from adapters.storage.schema.campaigns import mail_sends
from adapters.storage.schema.mail import (
    ORPHANED,
    mail_consents,
    mail_proofs,
    mail_recipients,
)
from gateway.domain.mail.recipients import Consent
from gateway.domain.values import Scope

_astuple = msgspec.structs.astuple
_COLUMNS = [mail_consents.c[name] for name in Consent.__struct_fields__]


class ConsentStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.sealing = SealStatements(dialect)
        columns = mail_consents.c
        self.insert = prepare_bulk(dialect, mail_consents)
        every = select(*_COLUMNS).order_by(columns.at, columns.id)
        self.of = prepare(dialect, every.where(columns.recipient == bindparam("whose")))
        whose: Any = bindparam("whose")
        named: Any = bindparam("named")
        there = select(mail_recipients.c.id).where(
            mail_recipients.c.advertiser == whose, mail_recipients.c.hash == named
        )
        self.of_those_there = prepare(dialect, every.where(columns.recipient.in_(there)))
        self.of_those_gone = prepare(
            dialect, every.where(columns.advertiser == whose, columns.hash == named, ORPHANED)
        )
        sends = mail_sends.c
        self.looked_at = prepare(
            dialect,
            select(sends.recipient, sends.state)
            .where(sends.campaign == bindparam("of_campaign"), sends.recipient > bindparam("after"))
            .order_by(sends.recipient)
            .limit(bindparam("most")),
        )
        # SQLite's own ``max`` of two; NULL would be nothing's maximum, so none is compared.
        later = func.max if dialect.name == "sqlite" else func.greatest
        self.sent = prepare(
            dialect,
            update(mail_consents)
            .where(
                among(dialect, columns.recipient, "ids"),
                sends.campaign == bindparam("of_campaign"),
                sends.recipient == columns.recipient,
            )
            .values(last_sent_at=later(columns.last_sent_at, sends.at)),
        )
        self._sealing(dialect)
        self._retention(dialect)

    def _sealing(self, dialect: Dialect) -> None:
        columns = mail_consents.c
        self.some_of = prepare(
            dialect,
            select(*_COLUMNS)
            .where(columns.advertiser == bindparam("whose"))
            .order_by(columns.id)
            .limit(bindparam("most"))
            .with_for_update(),
        )
        self.delete = prepare(
            dialect, delete(mail_consents).where(among(dialect, columns.id, "ids"))
        )
        self.hashes = Hashes(dialect)
        proofs = mail_proofs.c
        self.proofs = prepare(
            dialect,
            select(mail_proofs).where(
                proofs.advertiser == bindparam("whose"), self.hashes.among(proofs.hash)
            ),
        )
        self.prove = prepare_bulk(
            dialect, mail_proofs, update=["at", "how", "last_sent_at", "sealed_at"]
        )

    def _retention(self, dialect: Dialect) -> None:
        columns, proofs = mail_consents.c, mail_proofs.c
        before: Any = bindparam("before")
        old = (
            select(columns.id)
            .where(ORPHANED, columns.last_sent_at < before, columns.at < before)
            .limit(bindparam("most"))
        )
        self.forget = prepare(dialect, delete(mail_consents).where(columns.id.in_(old)))
        key = tuple(mail_proofs.primary_key)
        old_proofs = (
            select(*key)
            .where(proofs.last_sent_at < before, proofs.at < before)
            .limit(bindparam("most"))
        )
        self.forget_proofs = prepare(
            dialect, delete(mail_proofs).where(tuple_(*key).in_(old_proofs))
        )


class Proof(msgspec.Struct):
    """What is left of the consents of an address on a list; the fields are the columns, in order:
    the last word, and the last mail.
    """

    advertiser: str
    list: str
    hash: bytes
    at: int
    how: str
    last_sent_at: int
    sealed_at: int


class ConsentsInTransaction:
    """See :class:`gateway.ports.mail.lists.Consents`. Written at once."""

    def __init__(
        self,
        connection: Connection,
        statements: ConsentStatements,
        recipients: RecipientsInTransaction,
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._recipients = recipients
        self.writes = 0

    def add(self, scope: Scope, consents: Sequence[Consent]) -> None:
        if consents:
            self.writes += 1
            self._connection.write([(self._sql.insert, [(*_astuple(one), 0) for one in consents])])

    def of(self, scope: Scope, recipient: int) -> list[Consent]:
        return _consents(self._connection.rows(self._sql.of, whose=recipient), scope)

    def of_hash(self, scope: Scope, advertiser: str, hash_: bytes) -> list[Consent]:
        rows = self._connection.rows
        found = rows(self._sql.of_those_there, whose=advertiser, named=hash_)
        found += rows(self._sql.of_those_gone, whose=advertiser, named=hash_)
        return sorted(_consents(found, scope), key=lambda one: (one.at, one.id))

    def sent(self, scope: Scope, campaign: int, after: int, limit: int) -> int:
        rows = self._connection.rows(
            self._sql.looked_at, of_campaign=campaign, after=after, most=limit
        )
        sent = [recipient for recipient, state in rows if state == "sent"]
        if sent:
            self.writes += 1
            self._connection.run(self._sql.sent, of_campaign=campaign, ids=sent)
        return int(rows[-1][0]) if len(rows) == limit else 0

    def seal(self, scope: Scope, advertiser: str, now: int, limit: int) -> int:
        if not scope.covers(advertiser):
            return 0
        self.writes += 1
        return (
            self._prove(advertiser, now, limit)
            or self._recipients.empty(scope, advertiser, now, limit)
            or self._sql.sealing.clear(self._connection, advertiser, limit)
        )

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        self.writes += 1
        run = self._connection.run
        gone = run(self._sql.forget, before=before, most=limit)
        if gone < limit:
            gone += run(self._sql.forget_proofs, before=before, most=limit - gone)
        return gone

    def _prove(self, advertiser: str, now: int, limit: int) -> int:
        """Turn some consents into proofs; how many."""
        rows, sql = self._connection.rows, self._sql
        consents = [Consent(*row) for row in rows(sql.some_of, whose=advertiser, most=limit)]
        if not consents:
            return 0
        about = sorted({one.hash for one in consents})
        there = in_parts(self._connection, sql.proofs, sql.hashes, about, whose=advertiser)
        proofs = {(row[1], bytes(row[2])): Proof(*row) for row in there}
        for one in consents:
            new = Proof(advertiser, one.list, one.hash, one.at, one.how, one.last_sent_at, now)
            proof = proofs.setdefault((one.list, one.hash), new)
            proof.last_sent_at = max(proof.last_sent_at, one.last_sent_at)
            if one.at > proof.at:
                proof.at, proof.how = one.at, one.how
            proof.sealed_at = now
        self._connection.write([(sql.prove, [_astuple(proofs[key]) for key in sorted(proofs)])])
        self._connection.run(sql.delete, ids=[one.id for one in consents])
        return len(consents)


def _consents(rows: Sequence[tuple[Any, ...]], scope: Scope) -> list[Consent]:
    return [Consent(*row) for row in rows if scope.covers(row[1])]
