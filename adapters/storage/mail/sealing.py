"""What goes at a contract's end beside recipients and their consents: whatever else was said."""

from typing import Any

from sqlalchemy import bindparam, delete, select, tuple_, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare
from adapters.storage.mail.given import prepare_indexed
from adapters.storage.schema.campaigns import (
    BOUNCE_TOLD,
    SEND_TOLD,
    mail_bounces,
    mail_campaigns,
    mail_sends,
)
from adapters.storage.schema.mail import mail_import_lines, mail_imports, mail_signups


class SealStatements:
    """The statements of this module, compiled once; each clears a number of rows."""

    def __init__(self, dialect: Dialect) -> None:
        whose: Any = bindparam("whose")
        most: Any = bindparam("most")
        signups, imports, lines = mail_signups.c, mail_imports.c, mail_import_lines.c
        line = (lines["import"], lines.line)
        some_lines = (
            select(*line)
            .join(mail_imports, imports.id == lines["import"])
            .where(imports.advertiser == whose)
            .limit(most)
        )
        some_imports = select(imports.id).where(imports.advertiser == whose).limit(most)
        some_signups = select(signups.id).where(signups.advertiser == whose).limit(most)
        send = (mail_sends.c.campaign, mail_sends.c.recipient)
        some_sends = (
            select(*send)
            .join(mail_campaigns, mail_campaigns.c.id == mail_sends.c.campaign)
            .where(mail_campaigns.c.advertiser == whose, SEND_TOLD)
            .limit(most)
        )
        bounces = mail_bounces.c
        some_bounces = (
            select(bounces.id).where(bounces.advertiser == whose, BOUNCE_TOLD).limit(most)
        )
        sends = update(mail_sends).where(tuple_(*send).in_(some_sends)).values(text="")
        logged = update(mail_bounces).where(bounces.id.in_(some_bounces)).values(text="")
        self._statements = (
            prepare(dialect, delete(mail_signups).where(signups.id.in_(some_signups))),
            prepare(dialect, delete(mail_import_lines).where(tuple_(*line).in_(some_lines))),
            prepare(dialect, delete(mail_imports).where(imports.id.in_(some_imports))),
            prepare_indexed(dialect, sends, mail_sends, "mail_sends_told"),
            prepare_indexed(dialect, logged, mail_bounces, "mail_bounces_told"),
        )

    def clear(self, connection: Connection, advertiser: str, limit: int) -> int:
        """Clear at most ``limit`` rows of the first table that has any; how many."""
        for statement in self._statements:
            if gone := connection.run(statement, whose=advertiser, most=limit):
                return gone
        return 0
