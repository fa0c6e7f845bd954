"""Checks, confirmations and trials of mail lists in the store, and who is mailed again after a
bounce.
"""

from typing import Any

import msgspec
from sqlalchemy import BindParameter, bindparam, case, literal_column, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, prepare, prepare_bulk
from adapters.storage.mail.given import prepare_indexed
from adapters.storage.schema.mail import (
    mail_checks,
    mail_confirmations,
    mail_recipients,
    mail_trials,
)
from gateway.domain.mail.lists import MailList
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
        self.tried = _prepare_tried(dialect)
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


def _prepare_tried(dialect: Dialect) -> Prepared:
    """One statement, as several may count at once. A row holds the last day alone."""
    insert: Any = sqlite_insert if dialect.name == "sqlite" else postgresql_insert
    columns = mail_trials.c
    names = ("list", "advertiser", "day", "addresses")
    statement = insert(mail_trials).values({name: bindparam(f"of_{name}") for name in names})
    new = statement.excluded
    sum_ = case((columns.day == new.day, columns.addresses + new.addresses), else_=new.addresses)
    statement = statement.on_conflict_do_update(
        index_elements=[columns.list],
        set_={"day": new.day, "addresses": sum_},
        where=sum_ <= bindparam("most"),
    )
    return prepare(dialect, statement)


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

    def tried(self, scope: Scope, mail_list: MailList, day: str, more: int, most: int) -> bool:
        if not scope.covers(mail_list.advertiser) or more > most:
            return False
        counted = self._connection.run(
            self._sql.tried,
            of_list=mail_list.id,
            of_advertiser=mail_list.advertiser,
            of_day=day,
            of_addresses=more,
            most=most,
        )
        self.writes += counted
        return counted > 0

    def paused(self, scope: Scope, list_: str, before: int, limit: int) -> list[Recipient]:
        rows = self._connection.rows(self._sql.paused, of_list=list_, before=before, most=limit)
        found = (Recipient(*row) for row in rows)
        return [each for each in found if scope.covers(each.advertiser)]
