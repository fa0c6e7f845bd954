"""Mail lists, read beside the writer."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare
from adapters.storage.mail.entrance import imports_of
from adapters.storage.mail.recipients import recipients_of
from adapters.storage.mail.sizes import of_month
from adapters.storage.schema.mail import (
    mail_import_lines,
    mail_imports,
    mail_months,
    mail_recipients,
    mail_sizes,
    mail_suppressions,
)
from gateway.domain.mail.importing.imports import Import, Outcome
from gateway.domain.mail.lists import Contract
from gateway.domain.mail.recipients import Recipient, Suppression
from gateway.domain.values import Scope


class MailReader:
    """See :class:`gateway.ports.mail.lists.MailReading`."""

    def __init__(self, dialect: Dialect) -> None:
        beyond: Any = bindparam("after")
        most: Any = bindparam("most")
        recipients, imports, lines = mail_recipients.c, mail_imports.c, mail_import_lines.c
        of_list: Any = bindparam("of_list")
        self._recipients = prepare(
            dialect,
            select(mail_recipients)
            .where(recipients.list == of_list, recipients.id > beyond)
            .order_by(recipients.id)
            .limit(most),
        )
        self._imports = prepare(
            dialect,
            select(mail_imports)
            .where(imports.list == of_list, imports.id > beyond)
            .order_by(imports.id)
            .limit(most),
        )
        self._whose = prepare(
            dialect, select(imports.advertiser).where(imports.id == bindparam("named"))
        )
        self._lines = prepare(
            dialect,
            select(lines.line, lines.outcome, lines.reason)
            .where(lines["import"] == bindparam("named"), lines.line > beyond)
            .order_by(lines.line)
            .limit(most),
        )
        self._sizes = prepare(dialect, select(mail_sizes))
        months = mail_months.c
        self._months = prepare(
            dialect,
            select(mail_months)
            .where(months.month >= bindparam("of_month"))
            .order_by(months.advertiser, months.contract, months.month.desc()),
        )
        self._suppressed = prepare(
            dialect,
            select(mail_suppressions)
            .where(mail_suppressions.c.id > beyond)
            .order_by(mail_suppressions.c.id),
        )

    def recipients(
        self, connection: Connection, scope: Scope, list_: str, *, after: int, limit: int
    ) -> list[Recipient]:
        rows = connection.rows(self._recipients, of_list=list_, after=after, most=limit)
        return recipients_of(rows, scope)

    def imports(
        self, connection: Connection, scope: Scope, list_: str, *, after: int, limit: int
    ) -> list[Import]:
        rows = connection.rows(self._imports, of_list=list_, after=after, most=limit)
        return imports_of(rows, scope)

    def lines(
        self, connection: Connection, scope: Scope, imported: int, *, after: int, limit: int
    ) -> Sequence[tuple[int, Outcome, str]]:
        whose = connection.rows(self._whose, named=imported)
        if not whose or not scope.covers(whose[0][0]):
            return []
        rows = connection.rows(self._lines, named=imported, after=after, most=limit)
        return [(line, outcome, reason) for line, outcome, reason in rows]

    def sizes(
        self, connection: Connection, scope: Scope, month: str
    ) -> Mapping[tuple[str, Contract], tuple[int, int]]:
        # Of each size the earliest month from this one on comes last, and so stands.
        first = {row[:2]: [row[2:]] for row in connection.rows(self._months, of_month=month)}
        return {
            (whose, contract): (size, of_month(first.get((whose, contract), []), month, size))
            for whose, contract, size in connection.rows(self._sizes)
            if scope.covers(whose)
        }

    def suppressed_since(self, connection: Connection, after: int) -> list[Suppression]:
        return [Suppression(*row) for row in connection.rows(self._suppressed, after=after)]
