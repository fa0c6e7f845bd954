"""Single mails in the store, and those that failed."""

from typing import Any

from sqlalchemy import and_, bindparam, delete, exists, literal_column, or_, select
from sqlalchemy.engine import Dialect

from adapters.storage.campaigns.rows import Abouts, campaigns_of
from adapters.storage.campaigns.sends import SendsInTransaction
from adapters.storage.database import Connection, among, prepare
from adapters.storage.schema.campaigns import (
    AMISS,
    mail_campaigns,
    mail_responses,
    mail_sends,
)
from gateway.domain.mail.campaigns import ALL, IN_DOUBT, Campaign
from gateway.domain.values import Scope
from gateway.ports.mail.campaigns import Send

_ONE: Any = literal_column("1")


class LookupStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        sends, campaigns = mail_sends.c, mail_campaigns.c
        named: Any = bindparam("named")
        to: Any = bindparam("whom")
        most: Any = bindparam("most")
        self.one = prepare(
            dialect,
            select(mail_sends)
            .where(sends.campaign == named, sends.recipient == to)
            .with_for_update(),
        )
        self.of = prepare(
            dialect,
            select(mail_sends)
            .select_from(mail_campaigns)
            .join(mail_sends, sends.campaign == campaigns.id)
            .where(campaigns.advertiser == bindparam("whose"), sends.recipient == to)
            .order_by(campaigns.id.desc()),
        )

        def amiss(*conditions: Any) -> Any:
            return (
                select(sends.recipient)
                .where(
                    sends.campaign == named,
                    AMISS,
                    *conditions,
                    sends.recipient > bindparam("after"),
                )
                .order_by(sends.recipient)
                .limit(most)
                .subquery()
            )

        # What may have gone is not sent again, whoever counted it as failed.
        failed = amiss(
            sends.state == literal_column("'failed'"),
            sends["class"] != literal_column(f"'{IN_DOUBT}'"),
        )
        bounced = amiss(
            sends.state == literal_column("'sent'"), sends["class"] != literal_column("''")
        )
        both = select(failed.c.recipient).union_all(select(bounced.c.recipient))
        self.failed = prepare(dialect, both.order_by("recipient").limit(most))
        self.oldest = prepare(
            dialect,
            select(campaigns.id)
            .where(
                campaigns.started_at > literal_column("0"),
                campaigns.started_at < bindparam("before"),
                # A cancelled one may still have some on the wire: only its end is the end.
                campaigns.settled_at > literal_column("0"),
                campaigns.state.in_((literal_column("'done'"), literal_column("'canceled'"))),
                exists(select(_ONE).where(sends.campaign == campaigns.id)),
            )
            .order_by(campaigns.id)
            .limit(_ONE),
        )
        self.unfinished = prepare(
            dialect,
            select(mail_campaigns)
            .where(
                campaigns.advertiser == bindparam("whose"),
                or_(
                    campaigns.state.in_(
                        [
                            literal_column(f"'{state}'")
                            for state in ("scheduled", "fixing", "sending", "paused")
                        ]
                    ),
                    and_(
                        campaigns.due_at.is_not(None),
                        or_(
                            campaigns.ended_at == literal_column("0"),
                            campaigns.fixed_to != literal_column(str(ALL)),
                        ),
                    ),
                ),
            )
            .order_by(campaigns.id)
            .limit(_ONE),
        )
        self.some = prepare(
            dialect,
            select(sends.recipient)
            .where(sends.campaign == named)
            .order_by(sends.recipient)
            .limit(most),
        )
        self.forget = prepare(
            dialect,
            delete(mail_sends).where(
                sends.campaign == named, among(dialect, sends.recipient, "ids")
            ),
        )
        responses = mail_responses.c
        self.forget_responses = prepare(
            dialect,
            delete(mail_responses).where(
                responses.campaign == named, among(dialect, responses.recipient, "ids")
            ),
        )


class LookupsInTransaction:
    """See :class:`gateway.ports.mail.campaigns.SendLookups`."""

    def __init__(
        self,
        connection: Connection,
        statements: LookupStatements,
        abouts: Abouts,
        sends: SendsInTransaction,
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._abouts = abouts
        self._sends = sends
        self.writes = 0

    def one(self, scope: Scope, campaign: int, recipient: int) -> Send | None:
        if not self._abouts.covers(scope, campaign):
            return None
        rows = self._connection.rows(self._sql.one, named=campaign, whom=recipient)
        return Send(*rows[0]) if rows else None

    def failed(self, scope: Scope, campaign: int, after: int, limit: int) -> list[int]:
        if not self._abouts.covers(scope, campaign):
            return []
        rows = self._connection.rows(self._sql.failed, named=campaign, after=after, most=limit)
        return [recipient for (recipient,) in rows]

    def of(self, scope: Scope, advertiser: str, recipient: int) -> list[Send]:
        if not scope.covers(advertiser):
            return []
        rows = self._connection.rows(self._sql.of, whose=advertiser, whom=recipient)
        return [Send(*row) for row in rows]

    def cancel(self, scope: Scope, campaign: int, now: int, limit: int) -> int:
        return self._sends.cancel(scope, campaign, now, limit)

    def unfinished(self, scope: Scope, advertiser: str) -> Campaign | None:
        rows = self._connection.rows(self._sql.unfinished, whose=advertiser)
        found = campaigns_of(rows, scope)
        return found[0] if found else None

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """A campaign at a time; who opened or clicked goes with the mails."""
        self.writes += 1
        rows = self._connection.rows(self._sql.oldest, before=before)
        if not rows:
            return 0
        named = rows[0][0]
        ids = [id_ for (id_,) in self._connection.rows(self._sql.some, named=named, most=limit)]
        self._connection.run(self._sql.forget_responses, named=named, ids=ids)
        return self._connection.run(self._sql.forget, named=named, ids=ids)
