"""Pushes, their recipients and who stopped them in the store."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, delete, exists, func, literal_column, or_, select, update
from sqlalchemy.engine import Dialect

from adapters.storage.audience import can_receive, has_stopped
from adapters.storage.database import Connection, among, prepare, prepare_bulk
from adapters.storage.schema.audience import (
    aggregation_units,
    push_recipients,
    push_stops,
    pushes,
    step_runs,
)
from adapters.storage.schema.effects import outbox
from adapters.storage.schema.line import line_friends
from adapters.storage.steps import StepsInTransaction, StepStatements
from gateway.domain.pushes import Push, StepRun
from gateway.domain.values import Scope, first_id
from gateway.ports.pushes import Recipient, RecipientState, Sent

_FLAGS = ("silent", "partial", "singly")
_astuple = msgspec.structs.astuple


def _push(row: tuple[Any, ...]) -> Push:
    values = dict(zip(Push.__struct_fields__, row, strict=True))
    return Push(**values | {name: bool(values[name]) for name in _FLAGS})


class PushStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.write = prepare_bulk(dialect, pushes)
        fixed = ("id", "advertiser", "channel", "audience", "messages", "created_at", "created_by")
        self.rewrite = prepare_bulk(
            dialect, pushes, update=[c.name for c in pushes.c if c.name not in fixed]
        )
        self.find = prepare(
            dialect, select(pushes).where(pushes.c.id == bindparam("push")).with_for_update()
        )
        self.due = prepare(
            dialect,
            select(pushes)
            .where(pushes.c.due_at.is_not(None), pushes.c.due_at <= bindparam("now"))
            .order_by(pushes.c.due_at, pushes.c.id)
            .limit(1)
            .with_for_update(skip_locked=True),
        )
        self.effects = prepare(
            dialect,
            select(
                outbox.c.idempotency_key,
                outbox.c.state,
                outbox.c.result,
                outbox.c.payload,
                outbox.c.last_error,
            ).where(among(dialect, outbox.c.idempotency_key, "keys")),
        )
        unit = aggregation_units.c
        month = (unit.channel == bindparam("channel"), unit.month == bindparam("of_month"))
        self.units = prepare(
            dialect,
            select(func.count(), func.count().filter(unit.unit == bindparam("named"))).where(
                *month
            ),
        )
        self.insert_unit = prepare_bulk(dialect, aggregation_units)

    @cached_property
    def steps(self) -> StepStatements:
        """Those of steps."""
        return StepStatements(self._dialect)

    @cached_property
    def recipients(self) -> "RecipientStatements":
        """Those of recipients."""
        return RecipientStatements(self._dialect)

    @cached_property
    def stops(self) -> "PushStopStatements":
        """Those of stops."""
        return PushStopStatements(self._dialect)


class PushesInTransaction:
    """See :class:`gateway.ports.pushes.Pushes`. Every write is made at once."""

    def __init__(self, connection: Connection, statements: PushStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._writes = 0

    @cached_property
    def recipients(self) -> "RecipientsInTransaction":
        return RecipientsInTransaction(self._connection, self._sql.recipients)

    @cached_property
    def stops(self) -> "PushStopsInTransaction":
        return PushStopsInTransaction(self._connection, self._sql.stops)

    @cached_property
    def steps(self) -> StepsInTransaction:
        return StepsInTransaction(self._connection, self._sql.steps)

    @property
    def writes(self) -> int:
        return self._writes + self.recipients.writes + self.stops.writes + self.steps.writes

    def add(self, scope: Scope, push: Push) -> None:
        self._writes += 1
        self._connection.write([(self._sql.write, [_astuple(push)])])

    def find(self, scope: Scope, push: int) -> Push | None:
        rows = self._connection.rows(self._sql.find, push=push)
        found = _push(rows[0]) if rows else None
        return found if found is not None and scope.covers(found.advertiser) else None

    def due(self, scope: Scope, now: int) -> Push | None:
        rows = self._connection.rows(self._sql.due, now=now)
        return _push(rows[0]) if rows else None

    def save(self, scope: Scope, push: Push) -> None:
        self._writes += 1
        self._connection.write([(self._sql.rewrite, [_astuple(push)])])

    def effects(self, scope: Scope, keys: Sequence[str]) -> dict[str, Sent]:
        rows = self._connection.rows(self._sql.effects, keys=list(keys))
        return {
            key: Sent(state, _request_of(result), _reserved_in(payload), error or "")
            for key, state, result, payload, error in rows
        }

    def use_unit(self, scope: Scope, push: Push, month: str, most: int) -> bool:
        given = {"channel": push.channel, "of_month": month, "named": push.unit}
        used, known = self._connection.rows(self._sql.units, **given)[0]
        if known:
            return True
        if used >= most:
            return False
        self._writes += 1
        row = (push.channel, month, push.unit, push.advertiser)
        self._connection.write([(self._sql.insert_unit, [row])])
        return True

    def flush(self) -> None:
        """Nothing waits."""


class _Result(msgspec.Struct):
    request: str = ""


_result = msgspec.json.Decoder(_Result).decode


class _Payload(msgspec.Struct):
    reserved: str = ""


_payload = msgspec.json.Decoder(_Payload).decode


def _reserved_in(payload: str) -> str:
    return _payload(payload).reserved if payload else ""


def _request_of(result: str) -> str:
    return _result(result).request if result else ""


class RecipientStatements:
    """The statements about recipients, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.insert = prepare_bulk(dialect, push_recipients)
        of_batch = (
            push_recipients.c.push == bindparam("whose"),
            push_recipients.c.batch == bindparam("nth"),
        )
        self.of = prepare(
            dialect,
            select(line_friends.c.id, line_friends.c.user, can_receive, has_stopped)
            .select_from(
                push_recipients.join(line_friends, line_friends.c.id == push_recipients.c.friend)
            )
            .where(*of_batch, push_recipients.c.state == bindparam("in_state"))
            .order_by(push_recipients.c.friend),
        )
        is_there = and_(
            line_friends.c.is_group, line_friends.c.unfollowed_at <= line_friends.c.followed_at
        )
        self.standing = prepare(
            dialect,
            select(line_friends.c.id, line_friends.c.user, or_(can_receive, is_there), has_stopped)
            .where(
                line_friends.c.channel == bindparam("of_channel"),
                among(dialect, line_friends.c.user, "users"),
            )
            .order_by(line_friends.c.id),
        )
        self.mark = prepare(
            dialect,
            update(push_recipients)
            .where(
                *of_batch,
                among(dialect, push_recipients.c.friend, "friends"),
                push_recipients.c.state.in_(
                    [literal_column("'fixed'"), literal_column("'handed'")]
                ),
            )
            .values(state=bindparam("new_state")),
        )
        oldest = (
            select(push_recipients.c.push)
            .where(push_recipients.c.push < bindparam("before"))
            .order_by(push_recipients.c.push, push_recipients.c.batch)
            .limit(1)
        )
        self.oldest = prepare(
            dialect,
            select(push_recipients.c.push, push_recipients.c.batch)
            .where(push_recipients.c.push == oldest.scalar_subquery())
            .order_by(push_recipients.c.batch)
            .limit(1),
        )
        self.forget = prepare(dialect, delete(push_recipients).where(*of_batch))


class RecipientsInTransaction:
    """See :class:`gateway.ports.pushes.Recipients`."""

    def __init__(self, connection: Connection, statements: RecipientStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def fix(self, scope: Scope, push: int, batch: int, friends: Sequence[int]) -> None:
        self.writes += 1
        rows = [(push, batch, friend, "fixed") for friend in friends]
        self._connection.write([(self._sql.insert, rows)])

    def of(self, scope: Scope, push: int, batch: int, state: RecipientState) -> list[Recipient]:
        rows = self._connection.rows(self._sql.of, whose=push, nth=batch, in_state=state)
        return [recipient_of(row) for row in rows]

    def standing(self, scope: Scope, channel: str, users: Sequence[str]) -> list[Recipient]:
        rows = self._connection.rows(self._sql.standing, of_channel=channel, users=list(users))
        return [recipient_of(row) for row in rows]

    def mark(
        self, scope: Scope, push: int, batch: int, state: RecipientState, friends: Sequence[int]
    ) -> int:
        if not friends:
            return 0
        self.writes += 1
        return self._connection.run(
            self._sql.mark, whose=push, nth=batch, friends=list(friends), new_state=state
        )

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """A batch at a time, as those lie together; a batch has ``limit`` rows at most."""
        self.writes += 1
        rows = self._connection.rows(self._sql.oldest, before=first_id(before))
        return sum(self._connection.run(self._sql.forget, whose=p, nth=b) for p, b in rows)


def recipient_of(row: tuple[Any, ...]) -> Recipient:
    """Of the columns id, user, whether pushes arrive, whether they were stopped."""
    friend, user, receives, stopped = row
    return Recipient(friend, user, bool(receives), bool(stopped))


class PushStopStatements:
    """The statements about stops, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        one = push_stops.c.friend == bindparam("whose")
        self.find = prepare(dialect, select(push_stops.c.at).where(one))
        self.insert = prepare_bulk(dialect, push_stops)
        self.delete = prepare(dialect, delete(push_stops).where(one))
        self.any_of = prepare(
            dialect,
            select(exists(select(1).where(push_stops.c.channel == bindparam("channel")))),
        )


class PushStopsInTransaction:
    """See :class:`gateway.ports.pushes.PushStops`."""

    def __init__(self, connection: Connection, statements: PushStopStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def has_stopped(self, scope: Scope, friend: int) -> bool:
        return bool(self._connection.rows(self._sql.find, whose=friend))

    def stop(
        self, scope: Scope, friend: int, advertiser: str, channel: str, at: int, source: str
    ) -> bool:
        if self.has_stopped(scope, friend):
            return False
        self.writes += 1
        self._connection.write([(self._sql.insert, [(friend, advertiser, channel, at, source)])])
        return True

    def start(self, scope: Scope, friend: int) -> bool:
        self.writes += 1
        return bool(self._connection.run(self._sql.delete, whose=friend))

    def any_of(self, scope: Scope, channel: str) -> bool:
        return bool(self._connection.rows(self._sql.any_of, channel=channel)[0][0])


class PushReader:
    """See :class:`gateway.ports.pushes.PushReading`."""

    def __init__(self, dialect: Dialect) -> None:
        push_due = exists(
            select(1).where(pushes.c.due_at.is_not(None), pushes.c.due_at <= bindparam("now"))
        )
        step_due = exists(
            select(1).where(step_runs.c.due_at.is_not(None), step_runs.c.due_at <= bindparam("now"))
        )
        self._due = prepare(dialect, select(push_due, step_due))
        self._one = prepare(dialect, select(pushes).where(pushes.c.id == bindparam("push")))
        self._dialect = dialect
        self._runs = prepare(
            dialect,
            select(step_runs)
            .where(step_runs.c.friend == bindparam("friend"))
            .order_by(step_runs.c.series),
        )
        self._stopped = prepare(
            dialect,
            select(push_stops.c.at, push_stops.c.advertiser).where(
                push_stops.c.friend == bindparam("friend")
            ),
        )
        self._narrowcasts = prepare(
            dialect,
            select(pushes)
            .where(
                pushes.c.id >= bindparam("first"),
                pushes.c.request != literal_column("''"),
                pushes.c.closed < pushes.c.handed,
            )
            .order_by(pushes.c.id)
            .limit(bindparam("most")),
        )

    def is_due(self, connection: Connection, now: int) -> tuple[bool, bool]:
        push, step = connection.rows(self._due, now=now)[0]
        return bool(push), bool(step)

    def one(self, connection: Connection, scope: Scope, push: int) -> Push | None:
        rows = connection.rows(self._one, push=push)
        found = _push(rows[0]) if rows else None
        return found if found is not None and scope.covers(found.advertiser) else None

    def page(
        self,
        connection: Connection,
        scope: Scope,
        *,
        channel: str | None,
        after: int,
        limit: int,
    ) -> list[Push]:
        given: dict[str, Any] = {"after": after, "most": limit}
        conditions = [pushes.c.id > bindparam("after")]
        if scope.advertisers is not None:
            conditions.append(among(self._dialect, pushes.c.advertiser, "whose"))
            given["whose"] = sorted(scope.advertisers)
        if channel is not None:
            conditions.append(pushes.c.channel == bindparam("channel"))
            given["channel"] = channel
        some = (
            select(pushes).where(and_(*conditions)).order_by(pushes.c.id).limit(bindparam("most"))
        )
        return [_push(row) for row in connection.rows(prepare(self._dialect, some), **given)]

    def runs(self, connection: Connection, scope: Scope, friend: int) -> list[StepRun]:
        found = [StepRun(*row) for row in connection.rows(self._runs, friend=friend)]
        return [run for run in found if scope.covers(run.advertiser)]

    def stopped_at(self, connection: Connection, scope: Scope, friend: int) -> int | None:
        for at, advertiser in connection.rows(self._stopped, friend=friend):
            if scope.covers(advertiser):
                return int(at)
        return None

    def narrowcasts(self, connection: Connection, since: int) -> list[Push]:
        rows = connection.rows(self._narrowcasts, first=first_id(since), most=100)
        return [_push(row) for row in rows]
