"""What is kept of one person, in the store."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, bindparam, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, among, prepare
from adapters.storage.schema.campaigns import (
    mail_bounces,
    mail_campaigns,
    mail_responses,
    mail_sends,
)
from adapters.storage.schema.mail import mail_signups
from gateway.domain.values import Scope
from gateway.ports.mail.campaigns import Bounce, Send
from gateway.ports.mail.lists import Signup
from gateway.ports.mail.traces import Response, Sent


class TraceStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.sends = _of_campaigns(dialect, mail_sends, mail_campaigns.c.list, *mail_sends.c)
        self.responses = _of_campaigns(
            dialect, mail_responses, mail_campaigns.c.list, *mail_responses.c
        )
        self.bounces = _of_campaigns(dialect, mail_bounces, *mail_bounces.c)
        signups = mail_signups.c
        self.signups = prepare(
            dialect,
            select(mail_signups)
            .where(signups.hash == bindparam("named"), signups.advertiser == bindparam("whose"))
            .order_by(signups.at.desc(), signups.id.desc())
            .limit(bindparam("most")),
        )


def _of_campaigns(dialect: Dialect, table: Table, *columns: Any) -> Prepared:
    """Rows of recipients; each table knows them by campaign."""
    campaigns = mail_campaigns.c
    return prepare(
        dialect,
        select(*columns)
        .select_from(mail_campaigns)
        .join(table, table.c.campaign == campaigns.id)
        .where(
            campaigns.advertiser == bindparam("whose"),
            among(dialect, table.c.recipient, "ids"),
        )
        .order_by(campaigns.id.desc(), *list(table.primary_key.columns))
        .limit(bindparam("most")),
    )


class TracesInTransaction:
    """See :class:`gateway.ports.mail.lists.Traces`."""

    def __init__(self, connection: Connection, statements: TraceStatements) -> None:
        self._connection = connection
        self._sql = statements

    def sends(
        self, scope: Scope, advertiser: str, recipients: Sequence[int], limit: int
    ) -> list[Sent]:
        rows = self._of(self._sql.sends, scope, advertiser, recipients, limit)
        return [Sent(row[0], Send(*row[1:])) for row in rows]

    def responses(
        self, scope: Scope, advertiser: str, recipients: Sequence[int], limit: int
    ) -> list[Response]:
        rows = self._of(self._sql.responses, scope, advertiser, recipients, limit)
        return [Response(*row) for row in rows]

    def bounces(
        self, scope: Scope, advertiser: str, recipients: Sequence[int], limit: int
    ) -> list[Bounce]:
        rows = self._of(self._sql.bounces, scope, advertiser, recipients, limit)
        return [Bounce(*row) for row in rows]

    def signups(self, scope: Scope, advertiser: str, hash_: bytes, limit: int) -> list[Signup]:
        if not scope.covers(advertiser):
            return []
        given = {"named": hash_, "whose": advertiser, "most": limit}
        return [Signup(*row) for row in self._connection.rows(self._sql.signups, **given)]

    def _of(
        self,
        statement: Prepared,
        scope: Scope,
        advertiser: str,
        recipients: Sequence[int],
        limit: int,
    ) -> Sequence[tuple[Any, ...]]:
        if not recipients or not scope.covers(advertiser):
            return []
        ids = sorted(set(recipients))
        return self._connection.rows(statement, whose=advertiser, ids=ids, most=limit)
