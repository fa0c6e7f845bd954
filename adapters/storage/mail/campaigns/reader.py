"""Mail campaigns, read beside the writer."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, bindparam, exists, func, literal_column, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, among, prepare
from adapters.storage.mail.campaigns.rows import campaigns_of
from adapters.storage.mail.given import prepare_indexed
from adapters.storage.schema.campaigns import (
    ACTIVE,
    AMISS,
    ATTEMPTING,
    mail_bounces,
    mail_campaigns,
    mail_figures,
    mail_sends,
)
from adapters.storage.schema.mail import mail_recipients
from gateway.domain.mail.campaigns import ALL, Campaign, SendState
from gateway.domain.values import EVERYBODY, Scope
from gateway.ports.mail.campaigns import Bounce, Send

_ADDRESS = func.coalesce(mail_recipients.c.address, literal_column("''"))
_AMISS = ("deferred", "failed", "suppressed", "held")


def _behind(some: Select[Any], id_: Any, *, newest_first: bool) -> Select[Any]:
    """Rows behind an id, in the order of their ids."""
    after: Any = bindparam("after")
    if newest_first:
        some = some.where(id_ < after).order_by(id_.desc())
    else:
        some = some.where(id_ > after).order_by(id_)
    return some.limit(bindparam("most"))


def _from(after: int, *, newest_first: bool) -> int:
    return ALL if newest_first and not after else after


class CampaignReader:
    """See :class:`gateway.ports.mail.campaigns.CampaignReading`."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._prepared: dict[tuple[str, ...], Prepared] = {}
        campaigns = mail_campaigns.c
        named: Any = bindparam("named")
        self._whose = prepare(dialect, select(campaigns.advertiser).where(campaigns.id == named))
        self._figures = prepare(
            dialect,
            select(mail_figures.c.name, mail_figures.c.amount)
            .where(mail_figures.c.campaign == named)
            .order_by(mail_figures.c.name),
        )
        self._active = prepare(dialect, select(mail_campaigns).where(ACTIVE).order_by(campaigns.id))
        self._due = prepare(
            dialect,
            select(
                exists(
                    select(literal_column("1")).where(
                        campaigns.due_at.is_not(None), campaigns.due_at <= bindparam("now")
                    )
                )
            ),
        )

    def page(
        self,
        connection: Connection,
        scope: Scope,
        *,
        list_: str | None,
        after: int,
        limit: int,
        newest_first: bool = False,
    ) -> list[Campaign]:
        columns = mail_campaigns.c
        some = _behind(select(mail_campaigns), columns.id, newest_first=newest_first)
        given: dict[str, Any] = {"after": _from(after, newest_first=newest_first), "most": limit}
        kind = ("campaigns", "down" if newest_first else "up")
        rows = self._some(connection, kind, some, columns, scope, list_, given)
        return campaigns_of(rows, scope)

    def figures(self, connection: Connection, scope: Scope, campaign: int) -> Mapping[str, int]:
        if not self._covers(connection, scope, campaign):
            return {}
        return dict(connection.rows(self._figures, named=campaign))

    def sends(
        self,
        connection: Connection,
        scope: Scope,
        campaign: int,
        *,
        state: SendState | None,
        after: int,
        limit: int,
    ) -> list[tuple[Send, str]]:
        if not self._covers(connection, scope, campaign):
            return []
        given: dict[str, Any] = {"named": campaign, "after": after, "most": limit}
        if state is not None:
            given["in_state"] = state
        rows = connection.rows(self._prepare_sends(state), **given)
        return [(Send(*row[:-1]), row[-1]) for row in rows]

    def bounces(
        self,
        connection: Connection,
        scope: Scope,
        *,
        campaign: int | None,
        after: int,
        limit: int,
        newest_first: bool = False,
    ) -> list[tuple[Bounce, str]]:
        columns = mail_bounces.c
        logged = select(mail_bounces, _ADDRESS).outerjoin(
            mail_recipients, mail_recipients.c.id == columns.recipient
        )
        some = _behind(logged, columns.id, newest_first=newest_first)
        given: dict[str, Any] = {"after": _from(after, newest_first=newest_first), "most": limit}
        kind: tuple[str, ...] = ("bounces", "down" if newest_first else "up")
        if campaign is not None:
            some = some.where(columns.campaign == bindparam("named"))
            given["named"] = campaign
            kind += ("of one",)
        rows = self._some(connection, kind, some, columns, scope, None, given)
        return [(Bounce(*row[:-1]), row[-1]) for row in rows]

    def active(self, connection: Connection) -> list[Campaign]:
        return campaigns_of(connection.rows(self._active), EVERYBODY)

    def due(self, connection: Connection, now: int) -> bool:
        return bool(connection.rows(self._due, now=now)[0][0])

    def _covers(self, connection: Connection, scope: Scope, campaign: int) -> bool:
        if scope.advertisers is None:
            return True
        rows = connection.rows(self._whose, named=campaign)
        return bool(rows) and scope.covers(rows[0][0])

    def _some(
        self,
        connection: Connection,
        kind: tuple[str, ...],
        some: Select[Any],
        columns: Any,
        scope: Scope,
        list_: str | None,
        given: dict[str, Any],
    ) -> Sequence[tuple[Any, ...]]:
        """Rows of ``some`` in a scope, and of one list where one is named."""
        if scope.advertisers is not None:
            some = some.where(among(self._dialect, columns.advertiser, "whose"))
            given["whose"] = sorted(scope.advertisers)
            kind += ("whose",)
        if list_ is not None:
            some = some.where(columns.list == bindparam("of_list"))
            given["of_list"] = list_
            kind += ("of list",)
        if kind not in self._prepared:
            self._prepared[kind] = prepare(self._dialect, some)
        return connection.rows(self._prepared[kind], **given)

    def _prepare_sends(self, state: SendState | None) -> Prepared:
        """Mails of a campaign; of a state that is seldom an index knows them."""
        kind = ("sends", state or "")
        if kind not in self._prepared:
            columns = mail_sends.c
            some = (
                select(mail_sends, _ADDRESS)
                .outerjoin(mail_recipients, mail_recipients.c.id == columns.recipient)
                .where(
                    columns.campaign == bindparam("named"), columns.recipient > bindparam("after")
                )
                .order_by(columns.recipient)
                .limit(bindparam("most"))
            )
            if state is not None:
                some = some.where(columns.state == bindparam("in_state"))
            if state in _AMISS:
                amiss = some.where(AMISS)
                prepared = prepare_indexed(self._dialect, amiss, mail_sends, "mail_sends_amiss")
            elif state == "attempting":
                now = some.where(ATTEMPTING)
                prepared = prepare_indexed(self._dialect, now, mail_sends, "mail_sends_attempting")
            else:
                prepared = prepare(self._dialect, some)
            self._prepared[kind] = prepared
        return self._prepared[kind]
