"""Who must not be mailed, in the store."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import bindparam, delete, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.mail.given import Hashes, in_parts
from adapters.storage.mail.recipients import by_advertiser
from adapters.storage.mail.sizes import SizesInTransaction
from adapters.storage.schema.mail import SUPPRESSION_ENDS, mail_suppressions
from gateway.domain.hours import month_of
from gateway.domain.mail.recipients import Suppression
from gateway.domain.values import Scope

_astuple = msgspec.structs.astuple


class SuppressionStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.hashes = Hashes(dialect)
        columns = mail_suppressions.c
        self.of = prepare(
            dialect,
            select(mail_suppressions)
            .where(columns.advertiser == bindparam("whose"), self.hashes.among(columns.hash))
            .order_by(columns.id),
        )
        self.write = prepare_bulk(
            dialect, mail_suppressions, update=["id", "at", "until", "source"]
        )
        self.lift = prepare(
            dialect,
            delete(mail_suppressions).where(
                columns.advertiser == bindparam("whose"),
                columns.hash == bindparam("named"),
                columns.list == bindparam("of_list"),
                columns.topic == bindparam("of_topic"),
            ),
        )
        self.ended = prepare(
            dialect,
            select(columns.advertiser, columns.hash, columns.until)
            .where(SUPPRESSION_ENDS, columns.until <= bindparam("now"))
            .order_by(columns.until)
            .limit(bindparam("most")),
        )
        self.forget = prepare(
            dialect,
            delete(mail_suppressions)
            .where(
                columns.advertiser == bindparam("whose"),
                self.hashes.among(columns.hash),
                SUPPRESSION_ENDS,
                columns.until <= bindparam("now"),
            )
            .returning(*mail_suppressions.c),
        )


class SuppressionsInTransaction:
    """See :class:`gateway.ports.mail.lists.Suppressions`. Written at once."""

    def __init__(
        self, connection: Connection, statements: SuppressionStatements, sizes: SizesInTransaction
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._sizes = sizes
        self.writes = 0

    def of(
        self, scope: Scope, advertiser: str, hashes: Sequence[bytes]
    ) -> Mapping[bytes, Sequence[Suppression]]:
        found: dict[bytes, list[Suppression]] = {}
        if scope.covers(advertiser):
            for one in self._of(advertiser, hashes):
                found.setdefault(one.hash, []).append(one)
        return found

    def add(self, scope: Scope, suppressions: Sequence[Suppression]) -> int:
        count = 0
        for advertiser, some in by_advertiser(suppressions):
            about = [one.hash for one in some]
            sendable = self._sizes.sendable(advertiser, about)
            until = {_key(one): one.until for one in self._of(advertiser, about)}
            new: dict[tuple[bytes, str, str], Suppression] = {}
            for one in some:
                if one.until > until.get(_key(one), -1):
                    until[_key(one)] = one.until
                    new[_key(one)] = one
            if not new:
                continue
            self.writes += 1
            for one in new.values():
                sendable.suppress(one)
            self._connection.write([(self._sql.write, [_astuple(new[key]) for key in sorted(new)])])
            self._sizes.change(advertiser, sendable.more(), max(one.at for one in new.values()))
            count += len(new)
        return count

    def lift(self, scope: Scope, suppression: Suppression, now: int) -> bool:
        whose = suppression.advertiser
        if not scope.covers(whose):
            return False
        sendable = self._sizes.sendable(whose, [suppression.hash])
        gone = self._connection.run(
            self._sql.lift,
            whose=whose,
            named=suppression.hash,
            of_list=suppression.list,
            of_topic=suppression.topic,
        )
        if gone:
            self.writes += 1
            sendable.lift(suppression)
            self._sizes.change(whose, sendable.more(), now)
        return gone > 0

    def forget(self, scope: Scope, now: int, limit: int) -> int:
        ended = self._connection.rows(self._sql.ended, now=now, most=limit)
        # Whose stop ends may be mailed from that instant on, whenever this runs: it counts for its
        # month, even where that is over by now.
        pieces: dict[tuple[str, str], list[tuple[bytes, int]]] = {}
        for advertiser, hash_, until in ended:
            if scope.covers(advertiser):
                month = pieces.setdefault((month_of(until), advertiser), [])
                month.append((bytes(hash_), until))
        self._sizes.lock(scope, {advertiser for _, advertiser in pieces})
        return sum(
            self._end(advertiser, [hash_ for hash_, _ in piece], max(until for _, until in piece))
            for (_, advertiser), piece in sorted(pieces.items())
        )

    def _end(self, advertiser: str, hashes: Sequence[bytes], by: int) -> int:
        """Delete what ended until an instant; how much."""
        sendable = self._sizes.sendable(advertiser, hashes)
        about = sorted(set(hashes))
        rows = in_parts(
            self._connection,
            self._sql.forget,
            self._sql.hashes,
            about,
            whose=advertiser,
            now=by,
        )
        self.writes += 1
        for row in rows:
            sendable.lift(Suppression(*row))
        self._sizes.change(advertiser, sendable.more(), by)
        return len(rows)

    def _of(self, advertiser: str, hashes: Sequence[bytes]) -> list[Suppression]:
        about = sorted(set(hashes))
        rows = in_parts(self._connection, self._sql.of, self._sql.hashes, about, whose=advertiser)
        return [Suppression(*row) for row in rows]


def _key(suppression: Suppression) -> tuple[bytes, str, str]:
    return suppression.hash, suppression.list, suppression.topic
