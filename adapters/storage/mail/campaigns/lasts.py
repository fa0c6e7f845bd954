"""The last mails of recipients: what strikes in a row are counted of."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, bindparam, func, literal_column, select, true
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare
from adapters.storage.schema.campaigns import mail_campaigns, mail_sends
from gateway.ports.mail.campaigns import Send

LAST = 12
"""So many mails of each are looked at."""

CAMPAIGNS = 100
"""In so many campaigns of the list. A mail that arrived further back than these was settled long
ago, and whoever was struck before it was forgiven then."""


class LastStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        campaigns = mail_campaigns.c
        self._recent = prepare(
            dialect,
            select(campaigns.id)
            .where(
                campaigns.list == bindparam("of_list"), campaigns.started_at > literal_column("0")
            )
            .order_by(campaigns.id.desc())
            .limit(literal_column(str(CAMPAIGNS))),
        )
        self._has_laterals = dialect.name != "sqlite"
        if self._has_laterals:
            given = func.unnest(bindparam("ids", type_=ARRAY(BigInteger)))
            ids = given.table_valued("id").render_derived("given")
            last = _last(dialect, ids.c.id).lateral("last")
            self._of = prepare(dialect, select(*last.c).select_from(ids.join(last, true())))
        else:
            self._of = prepare(dialect, _last(dialect, bindparam("whom")))

    def of(self, connection: Connection, list_: str, recipients: Sequence[int]) -> list[Send]:
        """The last mails of recipients of a list, the latest campaign first."""
        rows, ids = connection.rows, sorted(set(recipients))
        named = [id_ for (id_,) in rows(self._recent, of_list=list_)]
        if self._has_laterals:
            found = rows(self._of, ids=ids, named=named)
        else:
            # In our own process a statement costs little more than its rows.
            found = [row for whom in ids for row in rows(self._of, whom=whom, named=named)]
        sends = (Send(*row) for row in found)
        return sorted(sends, key=lambda send: send.campaign, reverse=True)


def _last(dialect: Dialect, whom: Any) -> Any:
    """One recipient's."""
    sends = mail_sends.c
    return (
        select(mail_sends)
        .where(
            among(dialect, sends.campaign, "named"),
            sends.recipient == whom,
            sends.state.in_((literal_column("'sent'"), literal_column("'failed'"))),
        )
        .order_by(sends.campaign.desc())
        .limit(literal_column(str(LAST)))
    )
