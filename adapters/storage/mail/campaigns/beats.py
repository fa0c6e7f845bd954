"""Which processes send, and which fell silent, in the store."""

from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.schema.campaigns import ATTEMPTING, mail_senders, mail_sends, mail_watches
from gateway.domain.values import SECOND, Scope

_DAY = 86_400 * SECOND


class BeatStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        sends = mail_sends.c
        senders = mail_senders.c
        self.beat = prepare_bulk(dialect, mail_senders, update=["beat_at"])
        whose: Any = bindparam("whose")
        self.gone = prepare(dialect, delete(mail_senders).where(senders.owner == whose))
        self.heard = prepare(dialect, select(senders.owner, senders.beat_at))
        self.attempting = prepare(
            dialect, select(sends.owner).distinct().where(ATTEMPTING).order_by(sends.owner)
        )
        watches = mail_watches.c
        self.watched = prepare(
            dialect,
            select(watches.owner, watches.beat_at, watches.seen_at).where(watches.looker == whose),
        )
        self.watch = prepare_bulk(dialect, mail_watches, update=["beat_at", "seen_at"])
        self.looks_no_more = prepare(dialect, delete(mail_watches).where(watches.looker == whose))
        self.unwatch = prepare(
            dialect,
            delete(mail_watches).where(
                watches.looker == whose, watches.owner == bindparam("watched")
            ),
        )


class BeatsInTransaction:
    """See :class:`gateway.ports.mail.campaigns.SenderBeats`. Written at once."""

    def __init__(self, connection: Connection, statements: BeatStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def beat(self, scope: Scope, owner: int, now: int) -> None:
        self.writes += 1
        self._connection.write([(self._sql.beat, [(owner, now)])])

    def silent(self, scope: Scope, looker: int, now: int, patience: int) -> list[int]:
        rows = self._connection.rows
        heard: dict[int, int] = dict(rows(self._sql.heard))
        attempting = [owner for (owner,) in rows(self._sql.attempting) if owner != looker]
        watched = {
            owner: (at, seen_at) for owner, at, seen_at in rows(self._sql.watched, whose=looker)
        }
        seen: dict[int, int] = {}
        news: list[tuple[int, int, int, int]] = []
        for owner in sorted({*heard, *attempting} - {looker}):
            said = heard.get(owner, 0)
            before, seen[owner] = watched.get(owner, (-1, now))
            if before != said or seen[owner] > now:  # the latter: the looker's clock was set back
                seen[owner] = now
                news.append((looker, owner, said, now))
        if news:
            self.writes += 1
            self._connection.write([(self._sql.watch, news)])
        for owner in sorted(watched.keys() - seen.keys()):
            self.writes += 1
            self._connection.run(self._sql.unwatch, whose=looker, watched=owner)
        for owner, at in seen.items():
            if owner in heard and now - at >= _DAY:
                self._drop(owner)
        return [owner for owner in attempting if now - seen[owner] >= patience]

    def _drop(self, owner: int) -> None:
        """Keep nothing of one that said nothing for a day: it is silent all the same."""
        self.writes += 1
        self._connection.run(self._sql.gone, whose=owner)
        self._connection.run(self._sql.looks_no_more, whose=owner)
