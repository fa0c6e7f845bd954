"""Checks and confirmations of mail lists in the store, and who is mailed again after a bounce."""

import msgspec
from sqlalchemy import BindParameter, bindparam, literal_column, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.mail.given import prepare_indexed
from adapters.storage.schema.mail import mail_checks, mail_confirmations, mail_recipients
from gateway.domain.mail.recipients import Recipient
from gateway.domain.values import Scope
from gateway.ports.mail.standing import Confirmation, MailCheck

_astuple = msgspec.structs.astuple


class StandingStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        confirmations, checks, recipients = mail_confirmations.c, mail_checks.c, mail_recipients.c
        of_list: BindParameter[str] = bindparam("of_list")
        self.confirmation = prepare(
            dialect,
            select(*(confirmations[name] for name in Confirmation.__struct_fields__)).where(
                confirmations.list == of_list
            ),
        )
        self.confirm = prepare_bulk(
            dialect, mail_confirmations, update=["advertiser", "at", "actor"]
        )
        self.check = prepare(
            dialect,
            select(*(checks[name] for name in MailCheck.__struct_fields__)).where(
                checks.list == of_list
            ),
        )
        self.keep = prepare_bulk(dialect, mail_checks, update=MailCheck.__struct_fields__[1:])
        paused = (
            select(mail_recipients)
            .where(
                recipients.list == of_list,
                # As the partial index has it, which holds only those that were struck.
                recipients.strikes > literal_column("0"),
                recipients.state == literal_column("'paused'"),
                recipients.struck_at < bindparam("before"),
            )
            .order_by(recipients.id)
            .limit(bindparam("most"))
            .with_for_update()
        )
        self.paused = prepare_indexed(dialect, paused, mail_recipients, "mail_recipients_struck")


class StandingInTransaction:
    """See :class:`gateway.ports.mail.standing.Standing`. Written at once."""

    def __init__(self, connection: Connection, statements: StandingStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def confirmation(self, scope: Scope, list_: str) -> Confirmation | None:
        rows = self._connection.rows(self._sql.confirmation, of_list=list_)
        found = Confirmation(*rows[0]) if rows else None
        return found if found is not None and scope.covers(found.advertiser) else None

    def confirm(self, scope: Scope, confirmation: Confirmation) -> None:
        if scope.covers(confirmation.advertiser):
            self.writes += 1
            self._connection.write([(self._sql.confirm, [_astuple(confirmation)])])

    def check(self, scope: Scope, list_: str) -> MailCheck | None:
        rows = self._connection.rows(self._sql.check, of_list=list_)
        if not rows or not scope.covers(rows[0][1]):
            return None
        found = MailCheck(*rows[0])
        # A number in SQLite; and not all drivers give bytes.
        return msgspec.structs.replace(found, aligned=bool(found.aligned), about=bytes(found.about))

    def keep(self, scope: Scope, check: MailCheck) -> None:
        if scope.covers(check.advertiser):
            self.writes += 1
            self._connection.write([(self._sql.keep, [_astuple(check)])])

    def paused(self, scope: Scope, list_: str, before: int, limit: int) -> list[Recipient]:
        rows = self._connection.rows(self._sql.paused, of_list=list_, before=before, most=limit)
        found = (Recipient(*row) for row in rows)
        return [each for each in found if scope.covers(each.advertiser)]

    def flush(self) -> None:
        """Nothing waits."""
