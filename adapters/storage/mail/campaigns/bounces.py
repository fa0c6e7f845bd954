"""What came back, and which processes send, in the store."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, exists, literal_column, select, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.mail.campaigns.lasts import LastStatements
from adapters.storage.mail.campaigns.rows import Abouts
from adapters.storage.mail.given import prepare_indexed
from adapters.storage.schema.campaigns import (
    ATTEMPTING,
    mail_bounces,
    mail_senders,
    mail_sends,
    mail_watches,
)
from adapters.storage.schema.mail import mail_recipients
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.values import SECOND, Scope, first_id
from gateway.ports.mail.campaigns import Bounce, Send

_astuple = msgspec.structs.astuple
_NONE: Any = literal_column("''")
_ZERO: Any = literal_column("0")
_SENT: Any = literal_column("'sent'")

_DAY = 86_400 * SECOND


class BounceStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        sends, to, bounces = mail_sends.c, mail_recipients.c, mail_bounces.c
        named: Any = bindparam("named")
        self.insert = prepare_bulk(dialect, mail_bounces)
        self.lasts = LastStatements(dialect)
        self.mark = prepare(
            dialect,
            update(mail_sends)
            .where(
                sends.campaign == named,
                sends.recipient == bindparam("whom"),
                sends.state == _SENT,
                sends["class"] == _NONE,
            )
            .values({"class": bindparam("new_class")}),
        )
        arrived = exists(
            select(literal_column("1")).where(
                sends.campaign == named,
                sends.recipient == to.id,
                sends.state == _SENT,
                sends["class"] == _NONE,
                sends.at > to.struck_at,
            )
        )
        # Whoever is paused waits for the campaign that struck them.
        struck = (
            select(to.id)
            .where(
                to.list == bindparam("of_list"),
                to.strikes > _ZERO,
                to.state == literal_column("'active'"),
                arrived,
            )
            .limit(bindparam("most"))
            .with_for_update()
        )
        reset = (
            update(mail_recipients)
            .where(to.id.in_(struck))
            .values(strikes=_ZERO, struck_by=_ZERO, struck_at=_ZERO)
        )
        self.reset = prepare_indexed(dialect, reset, mail_recipients, "mail_recipients_struck")
        old = (
            select(bounces.id)
            .where(bounces.id < bindparam("before"))
            .order_by(bounces.id)
            .limit(bindparam("most"))
        )
        self.forget = prepare(dialect, delete(mail_bounces).where(bounces.id.in_(old)))
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


class BouncesInTransaction:
    """See :class:`gateway.ports.mail.campaigns.Bounces`. Written at once."""

    def __init__(
        self, connection: Connection, statements: BounceStatements, abouts: Abouts
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._abouts = abouts
        self.writes = 0

    def add(self, scope: Scope, bounces: Sequence[Bounce]) -> None:
        if bounces:
            self.writes += 1
            self._connection.write([(self._sql.insert, [_astuple(one) for one in bounces])])

    def mark(self, scope: Scope, campaign: int, recipient: int, bounce_class: str) -> bool:
        if not self._abouts.covers(scope, campaign):
            return False
        self.writes += 1
        given = {"named": campaign, "whom": recipient, "new_class": bounce_class}
        return self._connection.run(self._sql.mark, **given) > 0

    def last(self, scope: Scope, list_: str, recipients: Sequence[int]) -> dict[int, list[Send]]:
        found: dict[int, list[Send]] = {}
        if recipients:
            for send in self._sql.lasts.of(self._connection, list_, recipients):
                if self._abouts.covers(scope, send.campaign):
                    found.setdefault(send.recipient, []).append(send)
        return found

    def reset(self, scope: Scope, campaign: Campaign, limit: int) -> int:
        self.writes += 1
        return self._connection.run(
            self._sql.reset, named=campaign.id, of_list=campaign.list, most=limit
        )

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        self.writes += 1
        return self._connection.run(self._sql.forget, before=first_id(before), most=limit)


class BeatsInTransaction:
    """See :class:`gateway.ports.mail.campaigns.SenderBeats`. Written at once."""

    def __init__(self, connection: Connection, statements: BounceStatements) -> None:
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
