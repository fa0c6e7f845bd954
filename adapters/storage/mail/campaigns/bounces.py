"""What came back, in the store."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, exists, literal_column, select, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.mail.campaigns.lasts import LastStatements
from adapters.storage.mail.campaigns.rows import Abouts
from adapters.storage.mail.given import prepare_indexed
from adapters.storage.schema.campaigns import (
    mail_bounces,
    mail_sends,
)
from adapters.storage.schema.mail import mail_recipients
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.values import Scope, first_id
from gateway.ports.mail.campaigns import Bounce, Send

_astuple = msgspec.structs.astuple
_NONE: Any = literal_column("''")
_ZERO: Any = literal_column("0")
_SENT: Any = literal_column("'sent'")


class BounceStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        sends, to, bounces = mail_sends.c, mail_recipients.c, mail_bounces.c
        named: Any = bindparam("named")
        self.insert = prepare_bulk(dialect, mail_bounces)
        self.lasts = LastStatements(dialect)
        self.mark = prepare(
            dialect,
            update(mail_sends)
            .where(
                sends.campaign == named,
                sends.recipient == bindparam("whom"),
                sends.state == _SENT,
                sends["class"] == _NONE,
            )
            .values({"class": bindparam("new_class")}),
        )
        arrived = exists(
            select(literal_column("1")).where(
                sends.campaign == named,
                sends.recipient == to.id,
                sends.state == _SENT,
                sends["class"] == _NONE,
                sends.at > to.struck_at,
            )
        )
        # Whoever is paused is let go by their own time: see StandingInTransaction.paused.
        struck = (
            select(to.id)
            .where(
                to.list == bindparam("of_list"),
                to.strikes > _ZERO,
                to.state == literal_column("'active'"),
                arrived,
            )
            .limit(bindparam("most"))
            .with_for_update()
        )
        reset = (
            update(mail_recipients)
            .where(to.id.in_(struck))
            .values(strikes=_ZERO, struck_by=_ZERO, struck_at=_ZERO)
        )
        self.reset = prepare_indexed(dialect, reset, mail_recipients, "mail_recipients_struck")
        old = (
            select(bounces.id)
            .where(bounces.id < bindparam("before"))
            .order_by(bounces.id)
            .limit(bindparam("most"))
        )
        self.forget = prepare(dialect, delete(mail_bounces).where(bounces.id.in_(old)))


class BouncesInTransaction:
    """See :class:`gateway.ports.mail.campaigns.Bounces`. Written at once."""

    def __init__(
        self, connection: Connection, statements: BounceStatements, abouts: Abouts
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._abouts = abouts
        self.writes = 0

    def add(self, scope: Scope, bounces: Sequence[Bounce]) -> None:
        if bounces:
            self.writes += 1
            self._connection.write([(self._sql.insert, [_astuple(one) for one in bounces])])

    def mark(self, scope: Scope, campaign: int, recipient: int, bounce_class: str) -> bool:
        if not self._abouts.covers(scope, campaign):
            return False
        self.writes += 1
        given = {"named": campaign, "whom": recipient, "new_class": bounce_class}
        return self._connection.run(self._sql.mark, **given) > 0

    def last(self, scope: Scope, list_: str, recipients: Sequence[int]) -> dict[int, list[Send]]:
        found: dict[int, list[Send]] = {}
        if recipients:
            for send in self._sql.lasts.of(self._connection, list_, recipients):
                if self._abouts.covers(scope, send.campaign):
                    found.setdefault(send.recipient, []).append(send)
        return found

    def reset(self, scope: Scope, campaign: Campaign, limit: int) -> int:
        self.writes += 1
        return self._connection.run(
            self._sql.reset, named=campaign.id, of_list=campaign.list, most=limit
        )

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        self.writes += 1
        return self._connection.run(self._sql.forget, before=first_id(before), most=limit)
