"""Series of steps on their way to friends, in the store."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Dialect

from adapters.storage.audience import can_receive, has_stopped
from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.schema.audience import step_runs
from adapters.storage.schema.line import line_friends
from gateway.domain.pushes import StepRun
from gateway.domain.values import Scope
from gateway.ports.pushes import Recipient, StepDue

_FIELDS = len(StepRun.__struct_fields__)


class StepStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        of_friend = step_runs.c.friend == bindparam("whose")
        self.find = prepare(
            dialect,
            select(step_runs)
            .where(step_runs.c.series == bindparam("named"), of_friend)
            .with_for_update(),
        )
        self.running = prepare(
            dialect,
            select(step_runs)
            .where(of_friend, step_runs.c.due_at.is_not(None))
            .order_by(step_runs.c.series)
            .with_for_update(),
        )
        self.due = prepare(
            dialect,
            select(step_runs, line_friends.c.id, line_friends.c.user, can_receive, has_stopped)
            .select_from(step_runs.join(line_friends, line_friends.c.id == step_runs.c.friend))
            .where(step_runs.c.due_at.is_not(None), step_runs.c.due_at <= bindparam("now"))
            .order_by(step_runs.c.due_at)
            .limit(bindparam("most"))
            .with_for_update(of=step_runs, skip_locked=True),
        )
        self.write = prepare_bulk(
            dialect,
            step_runs,
            update=[c.name for c in step_runs.c if c.name not in ("series", "friend")],
        )


class StepsInTransaction:
    """See :class:`gateway.ports.pushes.Steps`. Every write is made at once."""

    def __init__(self, connection: Connection, statements: StepStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def find(self, scope: Scope, series: str, friend: int) -> StepRun | None:
        rows = self._connection.rows(self._sql.find, named=series, whose=friend)
        return StepRun(*rows[0]) if rows else None

    def running(self, scope: Scope, friend: int) -> list[StepRun]:
        return [StepRun(*row) for row in self._connection.rows(self._sql.running, whose=friend)]

    def due(self, scope: Scope, now: int, limit: int) -> list[StepDue]:
        found = []
        for row in self._connection.rows(self._sql.due, now=now, most=limit):
            friend, user, receives, stopped = row[_FIELDS:]
            to = Recipient(friend, user, bool(receives), bool(stopped))
            found.append(StepDue(StepRun(*row[:_FIELDS]), to))
        return found

    def save(self, scope: Scope, runs: Sequence[StepRun]) -> None:
        if runs:
            self.writes += 1
            # Sorted, so that two processes that take the same runs wait instead of deadlocking.
            rows = sorted(map(msgspec.structs.astuple, runs))
            self._connection.write([(self._sql.write, rows)])
