"""Single mails in the store, and those that did not reach anybody."""

from typing import Any

from sqlalchemy import and_, bindparam, delete, exists, literal_column, not_, or_, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare
from adapters.storage.mail.campaigns.rows import Abouts, campaigns_of
from adapters.storage.mail.campaigns.sends import SendsInTransaction
from adapters.storage.schema.campaigns import mail_campaigns, mail_responses, mail_sends
from gateway.domain.mail.campaigns import ALL, Campaign, is_missed
from gateway.domain.values import Scope
from gateway.ports.mail.campaigns import Send

_ONE: Any = literal_column("1")

_LOOKED_AT = 10
"""So many mails are looked at for each that is asked for, to find those that were missed."""


class LookupStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        sends = mail_sends.c
        named: Any = bindparam("named")
        to: Any = bindparam("whom")
        self.one = prepare(
            dialect,
            select(mail_sends)
            .where(sends.campaign == named, sends.recipient == to)
            .with_for_update(),
        )
        self.page = prepare(
            dialect,
            select(sends.recipient, sends.state, sends["class"])
            .where(sends.campaign == named, sends.recipient > bindparam("after"))
            .order_by(sends.recipient)
            .limit(bindparam("most")),
        )
        self.unfinished = prepare(dialect, _unfinished())
        self._retention(dialect)

    def _retention(self, dialect: Dialect) -> None:
        sends, responses, campaigns = mail_sends.c, mail_responses.c, mail_campaigns.c
        named: Any = bindparam("named")
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
        self.some = prepare(
            dialect,
            select(sends.recipient)
            .where(sends.campaign == named)
            .order_by(sends.recipient)
            .limit(bindparam("most")),
        )
        self.forget = prepare(
            dialect,
            delete(mail_sends).where(
                sends.campaign == named, among(dialect, sends.recipient, "ids")
            ),
        )
        self.forget_responses = prepare(
            dialect,
            delete(mail_responses).where(
                responses.campaign == named, among(dialect, responses.recipient, "ids")
            ),
        )


def _unfinished() -> Any:
    """A campaign of an advertiser that has something to send, or to note."""
    campaigns = mail_campaigns.c
    states: list[Any] = [
        literal_column(f"'{state}'") for state in ("scheduled", "fixing", "sending", "paused")
    ]
    is_noted = and_(
        campaigns.ended_at != literal_column("0"), campaigns.fixed_to == literal_column(str(ALL))
    )
    return (
        select(mail_campaigns)
        .where(
            campaigns.advertiser == bindparam("whose"),
            or_(campaigns.state.in_(states), and_(campaigns.due_at.is_not(None), not_(is_noted))),
        )
        .order_by(campaigns.id)
        .limit(_ONE)
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

    def missed(self, scope: Scope, campaign: int, after: int, limit: int) -> tuple[list[int], int]:
        """By the key of the table: no index has the cancelled ones, and what is looked at is
        bounded.
        """
        if not self._abouts.covers(scope, campaign):
            return [], 0
        ids: list[int] = []
        reached = 0
        most = _LOOKED_AT * limit
        rows = self._connection.rows(self._sql.page, named=campaign, after=after, most=most)
        for reached, state, bounce_class in rows:
            if is_missed(state, bounce_class):
                ids.append(reached)
            if len(ids) == limit:
                break
        return ids, reached

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
