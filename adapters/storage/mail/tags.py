"""Tags of recipients in the store."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare
from adapters.storage.mail.given import Additions
from adapters.storage.schema.mail import mail_tags
from gateway.domain.mail.recipients import Recipient
from gateway.domain.values import Scope


class TagStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        tags = mail_tags.c
        theirs = among(dialect, tags.recipient, "ids")
        self.of = prepare(dialect, select(tags.recipient, tags.tag, tags.advertiser).where(theirs))
        self.additions = Additions(dialect, mail_tags)
        these = among(dialect, tags.tag, "tags")
        self.remove = prepare(dialect, delete(mail_tags).where(theirs, these))
        self.remove_of = prepare(
            dialect,
            delete(mail_tags).where(theirs, these, among(dialect, tags.advertiser, "whose")),
        )


class TagsInTransaction:
    """See :class:`gateway.ports.mail.lists.Tags`. Written at once."""

    def __init__(self, connection: Connection, statements: TagStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def of(self, scope: Scope, recipients: Sequence[int]) -> Mapping[int, frozenset[str]]:
        found: dict[int, set[str]] = {}
        if recipients:
            rows = self._connection.rows(self._sql.of, ids=sorted(set(recipients)))
            for recipient, tag, advertiser in rows:
                if scope.covers(advertiser):
                    found.setdefault(recipient, set()).add(tag)
        return {recipient: frozenset(tags) for recipient, tags in found.items()}

    def add(self, scope: Scope, recipients: Sequence[Recipient], tags: Sequence[str]) -> None:
        rows = [
            (recipient.id, tag, recipient.advertiser, recipient.list)
            for recipient in sorted(recipients, key=lambda one: one.id)
            if scope.covers(recipient.advertiser)
            for tag in sorted(set(tags))
        ]
        if rows:
            self.writes += 1
            self._sql.additions.write(self._connection, rows)

    def remove(self, scope: Scope, recipients: Sequence[int], tags: Sequence[str]) -> None:
        if not recipients or not tags:
            return
        self.writes += 1
        given = {"ids": list(recipients), "tags": list(tags)}
        if scope.advertisers is None:
            self._connection.run(self._sql.remove, **given)
        else:
            whose = sorted(scope.advertisers)
            self._connection.run(self._sql.remove_of, whose=whose, **given)
