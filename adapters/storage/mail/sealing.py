"""What goes at a contract's end beside recipients and their consents: whatever else was said, by
people, by servers, and by the contractor.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, func, literal_column, or_, select, tuple_, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare
from adapters.storage.mail.given import prepare_indexed
from adapters.storage.schema.campaigns import (
    mail_bounces,
    mail_campaigns,
    mail_contents,
    mail_links,
    mail_responses,
    mail_sends,
)
from adapters.storage.schema.effects import MAIL_TOLD, outbox
from adapters.storage.schema.mail import (
    mail_checks,
    mail_confirmations,
    mail_consents,
    mail_import_lines,
    mail_imports,
    mail_proofs,
    mail_recipients,
    mail_signups,
)


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
            .where(mail_campaigns.c.advertiser == whose)
            .limit(most)
        )
        response = tuple(mail_responses.primary_key)
        some_responses = (
            select(*response)
            .join(mail_campaigns, mail_campaigns.c.id == mail_responses.c.campaign)
            .where(mail_campaigns.c.advertiser == whose)
            .limit(most)
        )
        bounces, confirmed = mail_bounces.c, mail_confirmations.c
        some_bounces = select(bounces.id).where(bounces.advertiser == whose).limit(most)
        some_confirmed = select(confirmed.list).where(confirmed.advertiser == whose).limit(most)
        self._statements = (
            prepare(dialect, delete(mail_signups).where(signups.id.in_(some_signups))),
            prepare(dialect, delete(mail_import_lines).where(tuple_(*line).in_(some_lines))),
            prepare(dialect, delete(mail_imports).where(imports.id.in_(some_imports))),
            prepare(dialect, delete(mail_responses).where(tuple_(*response).in_(some_responses))),
            prepare(dialect, delete(mail_bounces).where(bounces.id.in_(some_bounces))),
            prepare(dialect, delete(mail_sends).where(tuple_(*send).in_(some_sends))),
            prepare(dialect, delete(mail_confirmations).where(confirmed.list.in_(some_confirmed))),
            prepare_indexed(dialect, _single_mails(whose, most), outbox, "outbox_mail"),
            *(prepare(dialect, statement) for statement in _messages(whose, most)),
        )

    def clear(self, connection: Connection, advertiser: str, limit: int) -> int:
        """Clear at most ``limit`` rows of the first table that has any; how many."""
        for statement in self._statements:
            if gone := connection.run(statement, whose=advertiser, most=limit):
                return gone
        return 0


def _single_mails(whose: Any, most: Any) -> Any:
    """Those that wait come to nothing: without a payload none is sent."""
    some = select(outbox.c.id).where(outbox.c.advertiser == whose, MAIL_TOLD).limit(most)
    return update(outbox).where(outbox.c.id.in_(some)).values(payload="")


def _messages(whose: Any, most: Any) -> tuple[Any, ...]:
    """What campaigns say, and to whom they were to go; their figures stay."""
    campaigns, contents, links = mail_campaigns.c, mail_contents.c, mail_links.c
    some_contents = (
        select(contents.campaign)
        .join(mail_campaigns, campaigns.id == contents.campaign)
        .where(campaigns.advertiser == whose)
        .limit(most)
    )
    link = (links.campaign, links.n)
    some_links = (
        select(*link)
        .join(mail_campaigns, campaigns.id == links.campaign)
        .where(campaigns.advertiser == whose)
        .limit(most)
    )
    is_told = or_(campaigns.name != "", campaigns.audience != "{}")
    some_campaigns = select(campaigns.id).where(campaigns.advertiser == whose, is_told).limit(most)
    checks = mail_checks.c  # they hold a list's addresses; who overrode one is in the audit
    some_checks = select(checks.list).where(checks.advertiser == whose).limit(most)
    return (
        delete(mail_checks).where(checks.list.in_(some_checks)),
        delete(mail_contents).where(contents.campaign.in_(some_contents)),
        delete(mail_links).where(tuple_(*link).in_(some_links)),
        update(mail_campaigns)
        .where(campaigns.id.in_(some_campaigns))
        .values(name="", audience="{}"),
    )


class SealReader:
    """What there is of an advertiser, read beside the writer."""

    def __init__(self, dialect: Dialect) -> None:
        whose: Any = bindparam("whose")
        campaigns = select(mail_campaigns.c.id).where(mail_campaigns.c.advertiser == whose)
        counted: dict[str, tuple[Any, Any]] = {
            "recipients": (mail_recipients, mail_recipients.c.advertiser == whose),
            "consents": (mail_consents, mail_consents.c.advertiser == whose),
            "sign-ups": (mail_signups, mail_signups.c.advertiser == whose),
            "imports": (mail_imports, mail_imports.c.advertiser == whose),
            "mails": (mail_sends, mail_sends.c.campaign.in_(campaigns)),
            "bounces": (mail_bounces, mail_bounces.c.advertiser == whose),
            "single mails": (outbox, (outbox.c.advertiser == whose) & MAIL_TOLD),
            "messages": (mail_contents, mail_contents.c.advertiser == whose),
        }
        one: Any = literal_column("1")
        self._counts = {
            name: prepare(dialect, select(func.count(one)).select_from(table).where(condition))
            for name, (table, condition) in counted.items()
        }
        proofs = select(func.count(one)).select_from(mail_proofs)
        self._proofs = prepare(dialect, proofs.where(mail_proofs.c.advertiser == whose))

    def counts(self, connection: Connection, advertiser: str) -> Mapping[str, int]:
        """How many rows of what would be erased, by the names that people call it."""
        return {
            name: int(connection.rows(statement, whose=advertiser)[0][0])
            for name, statement in self._counts.items()
        }

    def proofs(self, connection: Connection, advertiser: str) -> int:
        """How many sealed proofs there are."""
        return int(connection.rows(self._proofs, whose=advertiser)[0][0])
