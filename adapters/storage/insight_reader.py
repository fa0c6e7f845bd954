"""Channels and their figures as the API shows them: read beside the writer."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, func, literal_column, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare
from adapters.storage.entity_reader import EntityReader
from adapters.storage.insight import told_of
from adapters.storage.schema.cards import card_scans
from adapters.storage.schema.insight import (
    insight_days,
    insight_messages,
    report_notes,
    support_calls,
)
from adapters.storage.schema.sending import line_quotas
from gateway.domain.insight import Day, Own, Sent, begin_of, month_days
from gateway.domain.line.channel import Channel
from gateway.domain.line.quota import Quota
from gateway.domain.values import Scope
from gateway.ports.insight import ChannelState, Month, Note, SupportCall

_OWN = [column for column in insight_days.c if column.name.startswith("own_")]
_TOLD = [column for column in insight_days.c if column.name.startswith("platform_")][:-1]
_MOST_CALLS = 1_000
"""Support calls that one month's report shows."""


class ChannelReader:
    """See :class:`gateway.ports.insight.ChannelReading`."""

    def __init__(self, dialect: Dialect) -> None:
        self._channels = EntityReader(dialect, Channel)
        self._quotas = prepare(
            dialect,
            select(line_quotas).where(
                line_quotas.c.month == bindparam("of_month"),
                among(dialect, line_quotas.c.channel, "channels"),
            ),
        )
        counted = insight_days.c.own_at > 0
        latest = (
            select(insight_days.c.channel, func.max(insight_days.c.day).label("day"))
            .where(among(dialect, insight_days.c.channel, "channels"), counted)
            .group_by(insight_days.c.channel)
            .subquery()
        )
        self._latest = prepare(
            dialect,
            select(insight_days.c.channel, *_OWN).join(
                latest,
                (latest.c.channel == insight_days.c.channel) & (latest.c.day == insight_days.c.day),
            ),
        )
        self._heard = prepare(
            dialect,
            select(insight_days.c.channel, func.max(insight_days.c.own_last_at))
            .where(among(dialect, insight_days.c.channel, "channels"))
            .group_by(insight_days.c.channel),
        )
        known: ColumnElement[str] = literal_column("'given'")  # who is no friend yet is pending
        self._logins = prepare(
            dialect,
            select(
                func.count(card_scans.c.user.distinct()),
                func.count(card_scans.c.user.distinct()).filter(card_scans.c.state == known),
            ).where(
                card_scans.c.at >= bindparam("since"),
                card_scans.c.channel == bindparam("of_channel"),
            ),
        )

    def channels(
        self, connection: Connection, scope: Scope, *, month: str, after: str, limit: int
    ) -> list[ChannelState]:
        found = self._channels.page(connection, scope, after=after, limit=limit)
        ids = [channel.id for channel in found]
        if not ids:
            return []
        quotas = {
            row[0]: Quota(*row)
            for row in connection.rows(self._quotas, of_month=month, channels=ids)
        }
        heard = dict(connection.rows(self._heard, channels=ids))
        own: dict[str, tuple[Own, int]] = {}
        for row in connection.rows(self._latest, channels=ids):
            latest = Own(*row[2:])
            own[row[0]] = (msgspec.structs.replace(latest, last_at=heard[row[0]]), row[1])
        never = (Own(), 0)
        return [
            ChannelState(channel, quotas.get(channel.id), *own.get(channel.id, never))
            for channel in found
        ]

    def channel(self, connection: Connection, scope: Scope, id_: str) -> Channel | None:
        return next(iter(self._channels.one(connection, scope, id_)), None)

    def logins(self, connection: Connection, scope: Scope, id_: str, since: int) -> tuple[int, int]:
        ((users, friends),) = connection.rows(self._logins, of_channel=id_, since=since)
        return users, friends


class InsightReader:
    """See :class:`gateway.ports.insight.InsightReading`."""

    def __init__(self, dialect: Dialect) -> None:
        days, sent, calls = insight_days.c, insight_messages.c, support_calls.c
        self._days = prepare(
            dialect,
            _of_days(
                select(days.channel, days.day, days.advertiser, *_OWN, *_TOLD),
                days.channel,
                days.day,
            ).limit(bindparam("most")),
        )
        self._sent = prepare(
            dialect,
            _of_days(
                select(*(column for column in sent if column.name != "due_at")),
                sent.channel,
                sent.day,
            ).order_by(sent.ref),
        )
        self._note = prepare(
            dialect,
            select(report_notes).where(
                report_notes.c.channel == bindparam("of_channel"),
                report_notes.c.month == bindparam("of_month"),
            ),
        )
        logged = select(support_calls).where(calls.channel == bindparam("of_channel"))
        self._calls = prepare(
            dialect,
            logged.where(calls.id > bindparam("after")).order_by(calls.id).limit(bindparam("most")),
        )
        self._calls_in = prepare(
            dialect,
            logged.where(calls.at >= bindparam("since"), calls.at < bindparam("until"))
            .order_by(calls.at, calls.id)
            .limit(bindparam("most")),
        )

    def days(
        self,
        connection: Connection,
        scope: Scope,
        channel: str,
        *,
        since: int,
        until: int,
        limit: int,
    ) -> list[Day]:
        rows = connection.rows(self._days, of_channel=channel, since=since, until=until, most=limit)
        return [_day(row) for row in rows if scope.covers(row[2])]

    def sent(
        self, connection: Connection, scope: Scope, channel: str, *, since: int, until: int
    ) -> list[Sent]:
        rows = connection.rows(self._sent, of_channel=channel, since=since, until=until)
        return [Sent(*row) for row in rows if scope.covers(row[2])]

    def month(self, connection: Connection, scope: Scope, channel: str, month: str) -> Month:
        days = month_days(month)
        span = {"since": days.start, "until": days.stop}
        notes = connection.rows(self._note, of_channel=channel, of_month=month)
        rows = connection.rows(
            self._calls_in,
            of_channel=channel,
            since=begin_of(days.start),
            until=begin_of(days.stop),
            most=_MOST_CALLS,
        )
        return Month(
            self.days(connection, scope, channel, **span, limit=len(days)),
            self.sent(connection, scope, channel, **span),
            next((Note(*row) for row in notes if scope.covers(row[2])), None),
            [SupportCall(*row) for row in rows if scope.covers(row[1])],
        )

    def calls(
        self, connection: Connection, scope: Scope, channel: str, *, after: int, limit: int
    ) -> list[SupportCall]:
        rows = connection.rows(self._calls, of_channel=channel, after=after, most=limit)
        return [SupportCall(*row) for row in rows if scope.covers(row[1])]


def _of_days(statement: Select[Any], channel: Any, day: Any) -> Select[Any]:
    return statement.where(
        channel == bindparam("of_channel"), day >= bindparam("since"), day < bindparam("until")
    ).order_by(day)


def _day(row: Sequence[Any]) -> Day:
    channel, day, advertiser, own_at, *rest = row
    own, told = rest[: len(_OWN) - 1], rest[len(_OWN) - 1 :]
    return Day(channel, day, advertiser, own_at, Own(*own), told_of(told))
