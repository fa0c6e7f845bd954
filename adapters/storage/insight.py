"""Figures of channels, what LINE is asked for, and what people write, in the store."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Table, bindparam, or_, select, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.retention import Progress
from adapters.storage.schema.audience import pushes
from adapters.storage.schema.insight import (
    insight_days,
    insight_messages,
    report_notes,
    support_calls,
)
from gateway.domain.insight import Own, OwnDay, Sent, Told, asked_from
from gateway.domain.values import SECOND, Scope, first_id
from gateway.ports.insight import Ask, Campaign, Note, SupportCall

_astuple = msgspec.structs.astuple

PROGRESS = "insight"
"""Under this name stands the first day that is not counted for good."""

_SET_UP_AHEAD = 400 * 86_400 * SECOND  # longer than a push may be set up before it begins

_OWN = [column.name for column in insight_days.c if column.name.startswith("own_")]
_TOLD = [column.name for column in insight_days.c if column.name.startswith("platform_")]


class InsightStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.progress = Progress(dialect)
        self.keep_own = prepare_bulk(dialect, insight_days, update=["advertiser", *_OWN])
        # What is there keeps its time: a row that is written over is no conflict.
        self.expect_days = prepare_bulk(dialect, insight_days, update=["advertiser"])
        self.expect_sent = prepare_bulk(dialect, insight_messages, update=["advertiser"])
        self.keep_told = prepare_bulk(dialect, insight_days, update=_TOLD)
        self.keep_sent = prepare_bulk(
            dialect,
            insight_messages,
            update=["read_at", "delivered", "impressions", "clicks", "due_at"],
        )
        days, sent = insight_days.c, insight_messages.c
        self.due_days = prepare(dialect, _due(days.platform_due_at, insight_days, days.day))
        self.due_sent = prepare(dialect, _due(sent.due_at, insight_messages, sent.day, sent.ref))
        self.put_off_day = prepare(
            dialect,
            update(insight_days)
            .where(days.channel == bindparam("of_channel"), days.day == bindparam("of_day"))
            .values(platform_due_at=bindparam("then")),
        )
        self.put_off_sent = prepare(
            dialect,
            update(insight_messages)
            .where(sent.channel == bindparam("of_channel"), sent.ref == bindparam("of_ref"))
            .values(due_at=bindparam("then")),
        )
        self.campaigns = prepare(
            dialect,
            select(
                pushes.c.channel,
                pushes.c.advertiser,
                pushes.c.started_at,
                pushes.c.unit,
                pushes.c.request,
            )
            .where(
                pushes.c.id >= bindparam("first"),
                pushes.c.started_at >= bindparam("since"),
                or_(pushes.c.unit != "", pushes.c.request != ""),
            )
            .order_by(pushes.c.id),
        )
        self.write = prepare_bulk(dialect, report_notes, update=["advertiser", "text", "at", "by"])
        self.log = prepare_bulk(dialect, support_calls)


def _due(due_at: Any, table: Table, *further: Any) -> Any:
    """What is due of ``table``, that nobody else is about to take."""
    return (
        select(table.c.channel, table.c.advertiser, *further)
        .where(due_at <= bindparam("now"))
        .order_by(due_at, table.c.channel)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


class InsightInTransaction:
    """See :class:`gateway.ports.insight.Insight`. Written at once."""

    def __init__(self, connection: Connection, statements: InsightStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def rolled_until(self, scope: Scope) -> int:
        return self._sql.progress.of(self._connection, PROGRESS)

    def keep_own(self, scope: Scope, days: Sequence[OwnDay], at: int) -> None:
        if not days:
            return
        self.writes += 1
        rows = [
            _day_row(day.channel, day.day, day.advertiser, own_at=at, own=day.own) for day in days
        ]
        self._connection.write([(self._sql.keep_own, rows)])

    def roll_until(self, scope: Scope, day: int) -> None:
        self.writes += 1
        self._sql.progress.reach(self._connection, PROGRESS, day)

    def campaigns(self, scope: Scope, since: int) -> list[Campaign]:
        first = first_id(since - _SET_UP_AHEAD)
        rows = self._connection.rows(self._sql.campaigns, first=first, since=since)
        return [Campaign(*row) for row in rows if scope.covers(row[1])]

    def flush(self) -> None:
        """Nothing waits."""


class PlatformFiguresInTransaction:
    """See :class:`gateway.ports.insight.PlatformFigures`. Written at once."""

    def __init__(self, connection: Connection, statements: InsightStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def expect(self, scope: Scope, asks: Sequence[Ask]) -> None:
        days = [_day_row(ask.channel, ask.day, ask.advertiser) for ask in asks if not ask.ref]
        sent = [
            (
                ask.channel,
                ask.ref,
                ask.advertiser,
                ask.day,
                0,
                None,
                None,
                None,
                asked_from(ask.day),
            )
            for ask in asks
            if ask.ref
        ]
        bulks = [(self._sql.expect_days, days), (self._sql.expect_sent, sent)]
        self.writes += 1
        self._connection.write([(bulk, rows) for bulk, rows in bulks if rows])

    def claim(self, scope: Scope, now: int, until: int, limit: int) -> list[Ask]:
        asks = [
            Ask(*row)
            for statement in (self._sql.due_days, self._sql.due_sent)
            for row in self._connection.rows(statement, now=now, most=limit)
            if scope.covers(row[1])
        ]
        for ask in asks:
            self.put_off(scope, ask, until)
        return asks

    def keep_day(self, scope: Scope, ask: Ask, told: Told, due_at: int | None) -> None:
        self.writes += 1
        row = _day_row(ask.channel, ask.day, ask.advertiser, told=told)
        self._connection.write([(self._sql.keep_told, [(*row[:-1], due_at)])])

    def keep_sent(self, scope: Scope, sent: Sent, due_at: int | None) -> None:
        self.writes += 1
        self._connection.write([(self._sql.keep_sent, [(*_astuple(sent), due_at)])])

    def put_off(self, scope: Scope, ask: Ask, due_at: int | None) -> None:
        self.writes += 1
        if ask.ref:
            self._connection.run(
                self._sql.put_off_sent, of_channel=ask.channel, of_ref=ask.ref, then=due_at
            )
        else:
            self._connection.run(
                self._sql.put_off_day, of_channel=ask.channel, of_day=ask.day, then=due_at
            )

    def flush(self) -> None:
        """Nothing waits."""


class ReportsInTransaction:
    """See :class:`gateway.ports.insight.Reports`. Written at once."""

    def __init__(self, connection: Connection, statements: InsightStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def write(self, scope: Scope, note: Note) -> None:
        self.writes += 1
        self._connection.write([(self._sql.write, [_astuple(note)])])

    def log(self, scope: Scope, call: SupportCall) -> None:
        self.writes += 1
        self._connection.write([(self._sql.log, [_astuple(call)])])

    def flush(self) -> None:
        """Nothing waits."""


def _day_row(
    channel: str,
    day: int,
    advertiser: str,
    *,
    own_at: int = 0,
    own: Own = Own(),  # noqa: B008 - it is frozen
    told: Told = Told(),  # noqa: B008 - likewise
) -> tuple[Any, ...]:
    """A row of ``insight_days`` that LINE is asked about in time, whoever makes it."""
    deliveries = msgspec.json.encode(told.deliveries).decode()
    return (
        *(channel, day, advertiser, own_at),
        *_astuple(own),
        *(told.state, told.followers, told.targeted_reaches, told.blocks),
        *(told.delivery_state, deliveries, asked_from(day)),
    )


def told_of(row: Sequence[Any]) -> Told:
    """What LINE told, of the columns of that in their order."""
    state, followers, reaches, blocks, delivery_state, deliveries = row
    kinds = msgspec.json.decode(deliveries, type=dict[str, int])
    return Told(state, followers, reaches, blocks, delivery_state, kinds)
