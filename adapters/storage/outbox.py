"""The outbox in the store: effects that wait to be carried out, and those that were."""

from collections.abc import Sequence, Set
from typing import Any, get_args

import msgspec
from sqlalchemy import (
    bindparam,
    func,
    select,
)
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, among, prepare
from adapters.storage.outbox_statements import FAILED, WAITING, OutboxStatements
from adapters.storage.quota import QuotasInTransaction
from adapters.storage.schema.effects import outbox
from adapters.storage.schema.sending import send_stops
from gateway.domain.effects import NEVER, Effect, Kind
from gateway.domain.values import SECOND, Scope, first_id
from gateway.ports.outbox import FORGOTTEN, HALTED, Claimed, Ended, Outcome, Rewritten

EVERYBODYS = "*"
"""Stands for all advertisers where sends are halted."""

COUNTED = 100_000
"""What waits is counted every few seconds: of each kind no further than this."""

_LOOKS = 8
"""So often one claim looks again, having parked what it found behind another."""

_HALTED_SECONDS = 10
"""So long a halted effect is put off: as long as it may take to go on after `--resume`."""


class OutboxInTransaction:
    """See :class:`gateway.ports.outbox.Outbox`. New effects wait until :meth:`flush`."""

    def __init__(self, connection: Connection, statements: OutboxStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._new: dict[str, Effect] = {}
        self._quotas: QuotasInTransaction | None = None
        self._writes = 0
        self.stops = StopsInTransaction(connection, statements)
        self.is_behind = False

    @property
    def writes(self) -> int:
        quotas = 0 if self._quotas is None else self._quotas.writes
        return self._writes + self.stops.writes + quotas

    @property
    def quotas(self) -> QuotasInTransaction:
        if self._quotas is None:
            self._quotas = QuotasInTransaction(self._connection, self._sql.quotas)
        return self._quotas

    @property
    def has_new(self) -> bool:
        """Whether effects were asked for, and not taken back."""
        return bool(self._new)

    def add(self, scope: Scope, effect: Effect) -> None:
        self._writes += 1
        self._new.setdefault(effect.key, effect)

    def cancel(
        self, scope: Scope, stream: str, kind: str = "", begin: int = 0, before: int = NEVER
    ) -> int:
        queued = [
            key
            for key, effect in self._new.items()
            if effect.stream == stream
            and begin <= effect.order_at < before
            and kind in ("", effect.kind)
        ]
        for key in queued:
            del self._new[key]
        given = {"of_stream": stream, "begin": begin, "before": before}
        if kind:
            gone = self._connection.run(self._sql.cancel_kind, only_kind=kind, **given)
        else:
            gone = self._connection.run(self._sql.cancel, **given)
        if gone:
            self._free({stream}, {stream})
        self._writes += len(queued) + gone  # where none was, a refusal is that unit's alone
        return len(queued) + gone

    def withdraw(self, scope: Scope, stream: str, keys: Sequence[str]) -> Sequence[str]:
        queued = [key for key in keys if self._new.pop(key, None) is not None]
        gone = self._connection.run(self._sql.withdraw, of_stream=stream, keys=list(keys))
        if gone:
            self._free({stream}, {stream})
        self._writes += len(queued) + gone
        return [key for (key,) in self._connection.rows(self._sql.there, keys=list(keys))]

    def recall(self, scope: Scope, kind: str, friend: int, message: str) -> int:
        named = msgspec.json.encode(message).decode()
        queued = [
            key for key, new in self._new.items() if new.kind == kind and named in new.payload
        ]
        for key in queued:
            del self._new[key]
        given = {"only_kind": kind, "whose": friend, "message": message, "named": named}
        cleared = self._connection.run(self._sql.recall, **given)
        self._writes += len(queued) + cleared
        return len(queued) + cleared

    def clear(self, scope: Scope, stream: str) -> int:
        gone = self.cancel(scope, stream)
        cleared = self._connection.run(self._sql.clear, of_stream=stream)
        self._writes += cleared
        return gone + cleared

    def claim(
        self, scope: Scope, now: int, kinds: Sequence[str], limit: int, lease_seconds: int
    ) -> Sequence[Claimed]:
        self._writes += 1
        self.is_behind = False
        run, rows, sql = self._connection.run, self._connection.rows, self._sql
        store_now = now if sql.clock is None else rows(sql.clock)[0][0]
        given = {
            "now": now,
            "store_now": store_now,
            "latest": max(now, store_now),
            "kinds": list(kinds),
            "most": limit,
        }
        if stopped := self.stops.stopped():
            whose = {
                "halted": list(HALTED),
                "whose": sorted(stopped),
                "all_halted": int(EVERYBODYS in stopped),
            }
            until = now + _HALTED_SECONDS * SECOND
            run(sql.put_off, now=now, most=limit, put_off_until=until, **whose)
            ids = self._due(sql.due_but_halted, given | whose)
        else:
            ids = self._due(sql.due, given)
        if not ids:
            return []
        run(sql.lease, ids=ids, until=store_now + lease_seconds * SECOND, now=now)
        return [Claimed(*row) for row in rows(sql.claimed, ids=ids)]

    def _due(self, due: Prepared, given: dict[str, Any]) -> list[int]:
        """The ids of what may go. What is found behind another is parked: it is not found again
        before that one is out of its way, however much of it there is.
        """
        free: list[int] = []
        for _ in range(_LOOKS):
            found = self._connection.rows(due, **given)
            blocked = [row for row in found if row[3] is not None]
            free = [row[0] for row in found if row[3] is None]
            if not blocked or not self._park(blocked):
                return free
        self.is_behind = True  # more came at once than one claim parks
        return free

    def _park(self, blocked: Sequence[tuple[Any, ...]]) -> bool:
        """Park what is behind another for certain: rows of id, kind, stream, and the other's id;
        whether it is all of them.
        """
        ids = sorted({ahead for *_, ahead in blocked})
        known = {row[0]: row[1:] for row in self._connection.rows(self._sql.ahead, ids=ids)}
        parked = []
        for id_, kind, stream, ahead in blocked:
            its_stream, its_kind, its_state = known.get(ahead, ("", "", ""))
            overtaken = its_state == "waiting" and its_kind in HALTED and kind not in HALTED
            if its_stream == stream and not overtaken:
                parked.append(id_)
        if parked:
            self._connection.run(self._sql.park, ids=parked)
        return len(parked) == len(blocked)

    def _free(self, ended: set[str], eased: set[str]) -> None:
        """Have claims look again at what is next: in streams of which something has ended, and
        what is no push in those where a push has gone back to wait.
        """
        ended, eased = ended - {""}, eased - {""}
        if ended or eased:
            self._connection.run(self._sql.free, ended=sorted(ended), eased=sorted(eased))

    def settle(
        self, scope: Scope, now: int, outcomes: Sequence[tuple[Claimed, Outcome]]
    ) -> Sequence[Outcome]:
        self._writes += 1
        ids = [claimed.id for claimed, _ in outcomes]
        held = {row[0]: row[1:] for row in self._connection.rows(self._sql.held, ids=ids)}
        standing: dict[int, tuple[Claimed, Outcome]] = {}
        for claimed, outcome in outcomes:
            state, attempts, _ = held.get(claimed.id, ("done", 0, ""))
            ours = state == "leased" and attempts == claimed.attempts
            if ours or (outcome.state == "done" and state != "done"):
                standing[claimed.id] = (claimed, outcome)
        if standing:
            settled = [_settled(now, *pair) for pair in standing.values()]
            self._connection.write([(self._sql.settle, settled)])
            ended: set[str] = set()
            eased: set[str] = set()
            for claimed, outcome in standing.values():
                streams = {claimed.stream, held[claimed.id][2]}  # it may have left the former
                if outcome.state != "waiting":
                    ended |= streams
                    eased |= streams
                elif claimed.kind in HALTED:
                    eased |= streams
            self._free(ended, eased)
        gone = [
            id_
            for id_, (claimed, outcome) in standing.items()
            if claimed.kind in FORGOTTEN and outcome.state != "waiting"
        ]
        if gone:
            self._connection.run(self._sql.blank, ids=gone)
        return [outcome for _, outcome in standing.values()]

    def rewrite(self, scope: Scope, rewritten: Sequence[Rewritten]) -> None:
        self._writes += 1
        if not rewritten:
            return
        found = self._connection.rows(self._sql.held, ids=[r.id for r in rewritten])
        held = {id_: stream for id_, state, _, stream in found if state == "leased"}
        kept = [r for r in rewritten if r.id in held]
        rows = [(r.kind, r.payload, r.stream, r.give_up_at, r.id) for r in kept]
        if rows:
            self._connection.write([(self._sql.rewrite, rows)])
        left = {held[r.id] for r in kept if held[r.id] != r.stream}
        self._free(left, left)

    def failed(self, scope: Scope, effect: int) -> Ended | None:
        for advertiser, *columns in self._connection.rows(self._sql.failed, effect=effect):
            if scope.covers(advertiser):
                return Ended(*columns)
        return None

    def resend(self, scope: Scope, effect: int, payload: str, now: int, give_up_at: int) -> None:
        self._writes += 1
        self._connection.run(
            self._sql.resend, effect=effect, new_payload=payload, now=now, until=give_up_at
        )

    def forget(self, scope: Scope, what: str, before: int, limit: int) -> int:
        self._writes += 1
        cut = first_id(before)
        if what == "outbox":
            return self._connection.run(self._sql.forget, before=cut, most=limit)
        begin = self._sql.progress.of(self._connection, what)
        rows = self._connection.rows(self._sql.between, begin=begin, before=cut, most=limit)
        if rows:
            self._connection.run(self._sql.blank, ids=[id_ for (id_,) in rows])
            self._sql.progress.reach(self._connection, what, rows[-1][0] + 1)
        return len(rows)

    def flush(self) -> None:
        """Write everything that units asked for."""
        if self._new:
            # Sorted, so that two processes that ask for the same wait instead of deadlocking.
            rows = [_row(effect) for _, effect in sorted(self._new.items())]
            self._connection.write([(self._sql.insert, rows)])
        if self._quotas is not None:
            self._quotas.flush()


def _row(effect: Effect) -> tuple[Any, ...]:
    """The columns of a new effect."""
    return (
        effect.id,
        effect.advertiser,
        effect.kind,
        effect.key,
        effect.payload,
        "waiting",
        effect.due_at,
        None,  # leased_until
        0,  # attempts
        None,  # last_error
        effect.stream,
        effect.order_at,
        effect.give_up_at,
        None,  # tried_at
        None,  # ended_at
        effect.origin,
        "",  # result
        0,  # unclear
        0,  # parked
    )


def _settled(now: int, claimed: Claimed, outcome: Outcome) -> tuple[Any, ...]:
    """The columns of :data:`_SETTLED`, and the id."""
    attempts = claimed.attempts if outcome.tried else claimed.attempts - 1
    return (
        outcome.state,
        outcome.due_at or now,
        None,
        attempts,
        claimed.unclear + outcome.unclear,
        claimed.tried_at if attempts else None,
        outcome.error or (None if outcome.tried else claimed.last_error),
        None if outcome.state == "waiting" else now,
        outcome.result,
        claimed.id,
    )


class StopsInTransaction:
    """See :class:`gateway.ports.outbox.Stops`."""

    def __init__(self, connection: Connection, statements: OutboxStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def knows(self, scope: Scope, advertiser: str) -> bool:
        return bool(self._connection.rows(self._sql.advertiser, whose=advertiser))

    def stop(self, scope: Scope, advertiser: str, now: int, by: str) -> None:
        self.writes += 1
        self._connection.write([(self._sql.insert_stops, [(advertiser, now, by)])])

    def resume(self, scope: Scope, advertiser: str) -> bool:
        self.writes += 1
        return self._connection.run(self._sql.delete_stop, whose=advertiser) > 0

    def halts(self, scope: Scope, advertiser: str) -> bool:
        return is_halted(advertiser, self.stopped())

    def stopped(self) -> set[str]:
        """Whose sends are halted."""
        return {advertiser for (advertiser,) in self._connection.rows(self._sql.stops)}


def is_halted(advertiser: str, stopped: Set[str]) -> bool:
    """Whether an advertiser's sends are halted: by themselves, or with everybody's."""
    return not stopped.isdisjoint((advertiser, EVERYBODYS))


class Failed(msgspec.Struct, frozen=True):
    """An effect that did not happen, or of which nobody knows; without its payload."""

    id: int
    advertiser: str
    kind: str
    state: str
    stream: str
    origin: str
    attempts: int
    last_error: str | None
    tried_at: int | None
    ended_at: int | None
    result: str


class OutboxReader:
    """What waits and what failed, read beside the writer."""

    def __init__(self, dialect: Dialect) -> None:
        oldest = (
            select(outbox.c.due_at)
            .where(WAITING, outbox.c.kind == bindparam("of_kind"))
            .order_by(outbox.c.due_at)
            .limit(bindparam("most"))
            .subquery()
        )
        self._waiting = prepare(dialect, select(func.count(), func.min(oldest.c.due_at)))
        failed = (
            select(*(outbox.c[name] for name in Failed.__struct_fields__))
            .where(FAILED, outbox.c.id > bindparam("after"))
            .order_by(outbox.c.id)
            .limit(bindparam("most"))
        )
        self._failed = prepare(dialect, failed)
        self._failed_of = prepare(
            dialect, failed.where(among(dialect, outbox.c.advertiser, "whose"))
        )
        self._halts = prepare(dialect, select(send_stops.c.advertiser, send_stops.c.since))

    def waiting(self, connection: Connection) -> dict[str, tuple[int, int]]:
        """By kind: how many effects wait, counted up to :data:`COUNTED`, and when the oldest was
        due (microseconds).
        """
        found = {}
        for kind in get_args(Kind):
            count, oldest = connection.rows(self._waiting, of_kind=kind, most=COUNTED)[0]
            if count:
                found[kind] = (count, oldest)
        return found

    def failed(
        self, connection: Connection, scope: Scope, *, after: int, limit: int
    ) -> list[Failed]:
        """Effects that are dead or unknown, oldest first, with ids beyond ``after``."""
        if scope.advertisers is None:
            rows = connection.rows(self._failed, after=after, most=limit)
        else:
            whose = sorted(scope.advertisers)
            rows = connection.rows(self._failed_of, after=after, most=limit, whose=whose)
        return [Failed(*row) for row in rows]

    def stopped(self, connection: Connection) -> frozenset[str]:
        """Whose sends are halted; ``*`` for everybody's."""
        return frozenset(self.halts(connection))

    def is_halted(self, connection: Connection, advertiser: str) -> bool:
        """Whether an advertiser's sends are."""
        return is_halted(advertiser, self.stopped(connection))

    def halts(self, connection: Connection) -> dict[str, int]:
        """The same, each with since when."""
        return dict(connection.rows(self._halts))
