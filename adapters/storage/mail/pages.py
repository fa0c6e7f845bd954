"""What the pages of mail look up, read beside the writer."""

from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare
from adapters.storage.schema.campaigns import mail_campaigns, mail_links
from adapters.storage.schema.mail import mail_consents, mail_recipients, mail_signups
from gateway.domain.mail.tokens import Named
from gateway.ports.mail.lists import Signup
from gateway.ports.mail.pages import CountedLink


class MailPageReader:
    """See :class:`gateway.ports.mail.pages.MailPageReading`."""

    def __init__(self, dialect: Dialect) -> None:
        named: Any = bindparam("named")
        campaigns, links = mail_campaigns.c, mail_links.c
        self._link = prepare(
            dialect,
            select(campaigns.advertiser, links.url)
            .join(mail_campaigns, campaigns.id == links.campaign)
            .where(links.campaign == named, links.n == bindparam("n")),
        )
        self._advertiser = prepare(
            dialect, select(campaigns.advertiser).where(campaigns.id == named)
        )
        self._recipient = prepare(
            dialect, select(mail_recipients.c.list).where(mail_recipients.c.id == named)
        )
        self._consent = prepare(
            dialect,
            select(mail_consents.c.list)
            .where(mail_consents.c.recipient == named)
            .order_by(mail_consents.c.id)
            .limit(1),
        )
        self._signup = prepare(dialect, select(mail_signups).where(mail_signups.c.id == named))

    def link(self, connection: Connection, campaign: int, n: int) -> CountedLink | None:
        rows = connection.rows(self._link, named=campaign, n=n)
        return CountedLink(*rows[0]) if rows else None

    def advertiser(self, connection: Connection, campaign: int) -> str | None:
        rows = connection.rows(self._advertiser, named=campaign)
        return str(rows[0][0]) if rows else None

    def signup(self, connection: Connection, id_: int) -> Signup | None:
        rows = connection.rows(self._signup, named=id_)
        return Signup(*rows[0]) if rows else None

    def list_of(self, connection: Connection, named: Named) -> str | None:
        rows = connection.rows(self._recipient, named=named.recipient)
        rows = rows or connection.rows(self._consent, named=named.recipient)
        if rows:
            return str(rows[0][0])
        signup = self.signup(connection, named.recipient)  # of a mail that asks to confirm
        return None if signup is None else signup.list
