"""Who is on a list, in the store."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import bindparam, delete, literal_column, select, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Taken, among, prepare, prepare_bulk
from adapters.storage.mail.given import Hashes, in_parts
from adapters.storage.mail.sizes import SizesInTransaction
from adapters.storage.schema.mail import mail_consents, mail_recipients, mail_tags
from gateway.domain.mail.recipients import Consent, Recipient, Suppression
from gateway.domain.values import Scope

_astuple = msgspec.structs.astuple
_FIXED = ("id", "advertiser", "list", "hash", "contract")

T = TypeVar("T", Recipient, Suppression, Consent)


def by_advertiser(values: Iterable[T]) -> Iterator[tuple[str, list[T]]]:
    """Values by their advertiser, in the order in which advertisers are locked."""
    found: dict[str, list[T]] = {}
    for value in values:
        found.setdefault(value.advertiser, []).append(value)
    yield from sorted(found.items())


class RecipientStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.hashes = Hashes(dialect)
        columns = mail_recipients.c
        every = select(mail_recipients).order_by(columns.id)
        self.find = prepare(
            dialect,
            # In the order of their index, which is thus taken, and in which they are locked.
            select(mail_recipients)
            .where(
                columns.advertiser == bindparam("whose"),
                self.hashes.among(columns.hash),
                columns.list == bindparam("of_list"),
            )
            .order_by(columns.hash)
            .with_for_update(),
        )
        self.whose = prepare(
            dialect,
            select(columns.advertiser)
            .where(columns.list == bindparam("of_list"))
            .order_by(columns.id.desc())
            .limit(literal_column("1")),
        )
        self.get = prepare(
            dialect, every.where(among(dialect, columns.id, "ids")).with_for_update()
        )
        self.everywhere = prepare(
            dialect,
            every.where(
                columns.advertiser == bindparam("whose"), columns.hash == bindparam("named")
            ).with_for_update(),
        )
        self.page = prepare(
            dialect,
            every.where(
                columns.list == bindparam("of_list"), columns.id > bindparam("after")
            ).limit(bindparam("most")),
        )
        self.write = prepare_bulk(
            dialect, mail_recipients, update=[c.name for c in columns if c.name not in _FIXED]
        )
        self.delete = prepare(
            dialect, delete(mail_recipients).where(among(dialect, columns.id, "ids"))
        )
        self.orphan = prepare(
            dialect,
            update(mail_consents)
            .where(among(dialect, mail_consents.c.recipient, "ids"))
            .values(orphan=literal_column("1")),
        )
        self.untag = prepare(
            dialect, delete(mail_tags).where(among(dialect, mail_tags.c.recipient, "ids"))
        )
        self.some_of = prepare(
            dialect,
            select(columns.id)
            .where(columns.advertiser == bindparam("whose"))
            .limit(bindparam("most")),
        )


class RecipientsInTransaction:
    """See :class:`gateway.ports.mail.lists.Recipients`. Written at once."""

    def __init__(
        self, connection: Connection, statements: RecipientStatements, sizes: SizesInTransaction
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._sizes = sizes
        self.writes = 0

    def find(self, scope: Scope, list_: str, hashes: Sequence[bytes]) -> dict[bytes, Recipient]:
        about = sorted(set(hashes))
        whose = self._connection.rows(self._sql.whose, of_list=list_)
        if not whose:
            return {}
        rows = in_parts(
            self._connection,
            self._sql.find,
            self._sql.hashes,
            about,
            of_list=list_,
            whose=whose[0][0],
        )
        return {recipient.hash: recipient for recipient in recipients_of(rows, scope)}

    def get(self, scope: Scope, recipients: Sequence[int]) -> dict[int, Recipient]:
        if not recipients:
            return {}
        rows = self._connection.rows(self._sql.get, ids=sorted(set(recipients)))
        return {recipient.id: recipient for recipient in recipients_of(rows, scope)}

    def everywhere(self, scope: Scope, advertiser: str, hash_: bytes) -> list[Recipient]:
        rows = self._connection.rows(self._sql.everywhere, whose=advertiser, named=hash_)
        return recipients_of(rows, scope)

    def save(self, scope: Scope, recipients: Sequence[Recipient], now: int) -> None:
        if not recipients:
            return
        self.writes += 1
        for advertiser, some in by_advertiser(recipients):
            sendable = self._sizes.sendable(advertiser, [one.hash for one in some])
            for one in some:
                if not sendable.put(one):
                    raise Taken("an address was there already")
            # Sorted, so that two processes that change the same wait instead of deadlocking.
            rows = sorted(_astuple(one) for one in some)
            self._connection.write([(self._sql.write, rows)])
            self._sizes.change(advertiser, sendable.more(), now)

    def delete(self, scope: Scope, recipients: Sequence[int], now: int) -> int:
        found = self.get(scope, recipients)
        if not found:
            return 0
        self.writes += 1
        for advertiser, some in by_advertiser(found.values()):
            sendable = self._sizes.sendable(advertiser, [one.hash for one in some])
            for one in some:
                sendable.take(one.id)
            ids = [one.id for one in some]
            for statement in (self._sql.orphan, self._sql.untag, self._sql.delete):
                self._connection.run(statement, ids=ids)
            self._sizes.change(advertiser, sendable.more(), now)
        return len(found)

    def page(self, scope: Scope, list_: str, after: int, limit: int) -> list[Recipient]:
        rows = self._connection.rows(self._sql.page, of_list=list_, after=after, most=limit)
        return recipients_of(rows, scope)

    def empty(self, scope: Scope, advertiser: str, now: int, limit: int) -> int:
        """Delete some of an advertiser; how many."""
        rows = self._connection.rows(self._sql.some_of, whose=advertiser, most=limit)
        return self.delete(scope, [id_ for (id_,) in rows], now)


def recipients_of(rows: Sequence[tuple[Any, ...]], scope: Scope) -> list[Recipient]:
    """Those of rows that lie in a scope."""
    return [Recipient(*row) for row in rows if scope.covers(row[1])]
