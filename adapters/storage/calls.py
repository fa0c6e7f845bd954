"""Calls and their events in the store: loaded by one statement a table, written likewise."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, func, select, tuple_
from sqlalchemy.engine import Dialect

from adapters.storage.database import (
    Bulk,
    Connection,
    Prepared,
    among,
    prepare,
    prepare_bulk,
    reading,
)
from adapters.storage.retention import Progress
from adapters.storage.schema.calls import (
    call_events,
    call_payloads,
    callers,
    calls,
    provider_keys,
    unknown_calls,
)
from gateway.domain.calls import Call, Event
from gateway.domain.values import SECOND, Reply, Scope, encode_reply, first_id
from gateway.ports import CallRecord, History
from gateway.usecases.calls import Incoming

_ROWS_OF_A_CALL = 10
"""About so many rows go with a call: its key, its events, their payloads."""

_ADOPTED_WITHIN = 86_400 * SECOND
"""A call bears the id of its first event, which may have come so long before its own webhook."""

_astuple = msgspec.structs.astuple
_FIXED = {"id", "provider", "sid", "number", "caller", "advertiser", "medium", "received_at"}


def _load_events(dialect: Dialect) -> Prepared:
    return prepare(dialect, select(call_events).where(among(dialect, call_events.c.call_id, "ids")))


class CallStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        by_id = among(dialect, calls.c.id, "ids")
        self.lock_keys = prepare(
            dialect,
            select(provider_keys.c.key, provider_keys.c.id)
            .where(
                provider_keys.c.provider == bindparam("provider"),
                among(dialect, provider_keys.c.key, "keys"),
            )
            .order_by(provider_keys.c.key)
            .with_for_update(),
        )
        self.load_calls = prepare(dialect, select(calls).where(by_id))
        self.load_events = _load_events(dialect)
        self.insert_keys = prepare_bulk(dialect, provider_keys)
        self.upsert_calls = prepare_bulk(
            dialect, calls, update=[c.name for c in calls.c if c.name not in _FIXED]
        )
        self.insert_events = prepare_bulk(dialect, call_events)
        self.insert_payloads = prepare_bulk(dialect, call_payloads)
        self.insert_unknown = prepare_bulk(dialect, unknown_calls)
        self.upsert_callers = prepare_bulk(dialect, callers, least=["first_call"])
        self.delete_unknown = prepare(
            dialect, delete(unknown_calls).where(among(dialect, unknown_calls.c.id, "ids"))
        )
        self.due = prepare(
            dialect,
            select(calls.c.provider, calls.c.sid, calls.c.id)
            .where(calls.c.due_at <= bindparam("now"))
            .order_by(calls.c.due_at)
            .limit(bindparam("most")),
        )
        self.key_of = prepare(
            dialect,
            select(calls.c.provider, calls.c.sid, calls.c.id).where(
                calls.c.id == bindparam("call")
            ),
        )
        self._retention(dialect, by_id)

    def _retention(self, dialect: Dialect, by_id: ColumnElement[bool]) -> None:
        key = tuple_(*call_payloads.primary_key.columns)
        oldest = (
            select(*call_payloads.primary_key.columns)
            .where(call_payloads.c.call_id < bindparam("before"))
            .order_by(call_payloads.c.call_id)
            .limit(bindparam("most"))
        )
        self.forget_payloads = prepare(dialect, delete(call_payloads).where(key.in_(oldest)))
        self.unknown_before = prepare(
            dialect,
            select(unknown_calls.c.id, unknown_calls.c.provider, unknown_calls.c.sid)
            .where(unknown_calls.c.id < bindparam("before"))
            .order_by(unknown_calls.c.id)
            .limit(bindparam("most")),
        )
        self.calls_between = prepare(
            dialect,
            select(calls.c.id, calls.c.provider, calls.c.sid)
            .where(calls.c.id >= bindparam("begin"), calls.c.id < bindparam("before"))
            .order_by(calls.c.id)
            .limit(bindparam("most")),
        )
        self.forget_keys = prepare(
            dialect,
            delete(provider_keys).where(
                provider_keys.c.provider == bindparam("provider"),
                among(dialect, provider_keys.c.key, "keys"),
            ),
        )
        going = select(calls.c.advertiser, calls.c.caller).where(by_id)
        self.forget_by_call = [
            prepare(dialect, delete(table).where(among(dialect, column, "ids"), *further))
            for table, column, *further in (
                (
                    callers,
                    callers.c.first_call,
                    tuple_(callers.c.advertiser, callers.c.caller).in_(going),
                ),
                (call_events, call_events.c.call_id),
                (call_payloads, call_payloads.c.call_id),
                (calls, calls.c.id),
            )
        ]
        self.progress = Progress(dialect)


class CallsInTransaction:
    """See :class:`gateway.ports.Calls`. Writes wait until :meth:`flush`."""

    def __init__(self, connection: Connection, statements: CallStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._loaded: dict[tuple[str, str], History] = {}
        self._new: dict[tuple[str, str], History] = {}
        self._calls: dict[int, Call] = {}
        self._events: list[tuple[Any, ...]] = []
        self._payloads: list[tuple[Any, ...]] = []
        self._callers: dict[tuple[str, str], int] = {}
        self._adopted: list[int] = []
        self._unknown: dict[int, tuple[str, str]] = {}
        self.writes = 0

    def load(self, units: Sequence[Incoming]) -> None:
        """Lock and load the calls that ``units`` are about, before any of them runs."""
        self._load([unit.key for unit in units])

    def _load(self, keys: Sequence[tuple[str, str]]) -> None:
        wanted: dict[str, list[str]] = {}
        for provider, sid in set(keys):
            wanted.setdefault(provider, []).append(sid)
        histories: dict[int, History] = {}
        for provider in sorted(wanted):
            rows = self._connection.rows(
                self._sql.lock_keys, provider=provider, keys=wanted[provider]
            )
            for sid, id_ in rows:
                key = (provider, sid)
                history = History(key, id_, events=[], replies={}, is_new=False)
                self._loaded[key] = histories[id_] = history
        self._fill(histories)

    def _fill(self, histories: dict[int, History]) -> None:
        if not histories:
            return
        ids = list(histories)
        for row in self._connection.rows(self._sql.load_calls, ids=ids):
            histories[row[0]].call = Call(*row)
        for row in self._connection.rows(self._sql.load_events, ids=ids):
            _recall(histories[row[0]], row)

    def find(self, scope: Scope, key: tuple[str, str], new_id: int) -> History:
        history = self._loaded.get(key)
        if history is None:
            history = self._loaded[key] = History(key, new_id, events=[], replies={})
        if history.call is not None and not scope.covers(history.call.advertiser):
            return History(key, new_id, events=[], replies={})
        return history

    def get(self, scope: Scope, call: int) -> History | None:
        found = self._by_id(self._connection.rows(self._sql.key_of, call=call))
        if not found or found[0].call is None or not scope.covers(found[0].call.advertiser):
            return None
        return found[0]

    def keep(self, scope: Scope, history: History, event: Event, reply: Reply, raw: str) -> None:
        self.writes += 1
        if history.is_new:
            history.is_new = False
            self._new[history.key] = history
            if event.kind not in ("voice", "fallback"):
                self._unknown[history.id] = history.key
        text = encode_reply(reply)
        history.events.append(event)
        history.replies[event.key] = text
        kind, leg, seq = event.key
        self._events.append(
            (
                history.id,
                kind,
                leg,
                seq,
                event.received_at,
                event.status,
                event.provider_at,
                event.duration,
                event.bridged,
                event.detail,
                text,
            )
        )
        if raw:
            self._payloads.append((history.id, kind, leg, seq, raw))

    def save(self, scope: Scope, history: History, call: Call) -> None:
        self.writes += 1
        known = history.call
        if known is None and history.key not in self._new:
            self._adopted.append(history.id)
        elif known is None:
            self._unknown.pop(history.id, None)
        if call.settled_at is not None and call.caller is not None:
            who = (call.advertiser, call.caller)
            self._callers[who] = min(call.id, self._callers.get(who, call.id))
        history.call = self._calls[call.id] = call

    def due(self, scope: Scope, now: int, limit: int) -> Sequence[History]:
        rows = self._connection.rows(self._sql.due, now=now, most=limit)
        return self._by_id(rows)

    def _by_id(self, rows: list[tuple[Any, ...]]) -> list[History]:
        """Lock and load the calls of ``rows`` (provider, its id, id)."""
        wanted = {id_: (provider, sid) for provider, sid, id_ in rows}
        self._load([key for key in wanted.values() if key not in self._loaded])
        # A call older than its key is found all the same.
        keyless = {
            id_: History(key, id_, events=[], replies={}, is_new=False)
            for id_, key in wanted.items()
            if key not in self._loaded or self._loaded[key].id != id_
        }
        self._fill(keyless)
        return [keyless.get(id_) or self._loaded[key] for id_, key in wanted.items()]

    def forget(self, scope: Scope, what: str, before: int, limit: int) -> int:
        self.writes += 1
        cut = first_id(before)
        if what == "payloads":
            return self._connection.run(self._sql.forget_payloads, before=cut, most=limit)
        if what == "unknown":
            return self._forget_unknown(cut, limit // _ROWS_OF_A_CALL)
        most = limit if what == "keys" else limit // _ROWS_OF_A_CALL
        begin = self._sql.progress.of(self._connection, what)
        rows = self._connection.rows(self._sql.calls_between, begin=begin, before=cut, most=most)
        if not rows:
            return 0
        self._forget(rows, calls_too=what == "calls")
        self._sql.progress.reach(self._connection, what, rows[-1][0] + 1)
        return len(rows)

    def _forget_unknown(self, cut: int, most: int) -> int:
        rows = self._connection.rows(self._sql.unknown_before, before=cut, most=most)
        # Not those that a unit before this one works on; and the others are locked before they are
        # looked at again: their call may come at this very moment, in another process.
        rows = [row for row in rows if row[1:] not in self._loaded]
        self._load([row[1:] for row in rows])
        rows = [
            row for row in rows if (held := self._loaded.get(row[1:])) is None or held.call is None
        ]
        self._forget(rows, calls_too=True)
        self._connection.run(self._sql.delete_unknown, ids=[row[0] for row in rows])
        return len(rows)

    def _forget(self, rows: list[tuple[Any, ...]], *, calls_too: bool) -> None:
        by_provider: dict[str, list[str]] = {}
        for _, provider, sid in rows:
            by_provider.setdefault(provider, []).append(sid)
        for provider, sids in by_provider.items():
            self._connection.run(self._sql.forget_keys, provider=provider, keys=sids)
        if calls_too:
            for statement in self._sql.forget_by_call:
                self._connection.run(statement, ids=[row[0] for row in rows])

    def flush(self) -> None:
        """Write everything that units kept and saved."""
        writes: list[tuple[Bulk, list[tuple[Any, ...]]]] = []
        if self._new:
            # Sorted, so that two processes that take the same keys wait instead of deadlocking.
            new = sorted(self._new.items())
            writes.append((self._sql.insert_keys, [(*key, h.id) for key, h in new]))
        if self._unknown:
            unknown = [(id_, *key) for id_, key in self._unknown.items()]
            writes.append((self._sql.insert_unknown, unknown))
        if self._calls:
            writes.append((self._sql.upsert_calls, [_astuple(c) for c in self._calls.values()]))
        if self._events:
            writes.append((self._sql.insert_events, self._events))
        if self._payloads:
            writes.append((self._sql.insert_payloads, self._payloads))
        if self._callers:
            who = [(*pair, id_) for pair, id_ in sorted(self._callers.items())]
            writes.append((self._sql.upsert_callers, who))
        if writes:
            self._connection.write(writes)
        if self._adopted:
            self._connection.run(self._sql.delete_unknown, ids=self._adopted)


def _recall(history: History, row: tuple[Any, ...]) -> None:
    _, kind, leg, seq, received_at, status, provider_at, duration, bridged, detail, reply = row
    event = Event(
        provider=history.key[0],
        call=history.key[1],
        kind=kind,
        received_at=received_at,
        leg=leg,
        seq=seq,
        status=status,
        provider_at=provider_at,
        duration=duration,
        bridged=None if bridged is None else bool(bridged),
        detail=detail,
    )
    history.events.append(event)
    history.replies[event.key] = reply


def with_first_call() -> Select[Any]:
    """Calls, each with the first call of its caller at the advertiser, as
    :meth:`CallReader.records` takes them.
    """
    known = and_(callers.c.advertiser == calls.c.advertiser, callers.c.caller == calls.c.caller)
    return select(calls, callers.c.first_call).select_from(calls.outerjoin(callers, known))


class CallReader:
    """The reading side: never on the writer's connection."""

    def __init__(self, dialect: Dialect) -> None:
        self._load_events = _load_events(dialect)
        page = (
            with_first_call()
            .where(calls.c.id > bindparam("after"), calls.c.received_at >= bindparam("since"))
            .order_by(calls.c.id)
            .limit(bindparam("most"))
        )
        self._page = prepare(dialect, page)
        self._page_of = prepare(dialect, page.where(among(dialect, calls.c.advertiser, "whose")))
        self._in_progress = prepare(
            dialect, select(func.count()).select_from(calls).where(calls.c.due_at.is_not(None))
        )

    def page(
        self, connection: Connection, scope: Scope, *, after: int, since: int, limit: int
    ) -> list[CallRecord]:
        """At most ``limit`` calls with ids beyond ``after``, received at ``since`` or later."""
        after = max(after, first_id(since - _ADOPTED_WITHIN) - 1)
        if scope.advertisers is None:
            rows = connection.rows(self._page, after=after, since=since, most=limit)
        else:
            whose = sorted(scope.advertisers)
            rows = connection.rows(self._page_of, after=after, since=since, most=limit, whose=whose)
        return self.records(connection, rows)

    def records(self, connection: Connection, rows: list[tuple[Any, ...]]) -> list[CallRecord]:
        """What people see of ``rows``: each a call, and the first call of its caller."""
        histories = {
            row[0]: History((row[1], row[2]), row[0], Call(*row[:-1]), [], {}) for row in rows
        }
        if histories:
            for row in connection.rows(self._load_events, ids=list(histories)):
                _recall(histories[row[0]], row)
        return [
            CallRecord(history.call, history.events, _repeat(history.call, row[-1]))
            for row, history in zip(rows, histories.values(), strict=True)
            if history.call is not None
        ]

    def every(
        self, connection: Connection, scope: Scope, *, since: int, limit: int | None
    ) -> Iterator[CallRecord]:
        """All calls, oldest first, read in pages so that no snapshot is held for long."""
        after, left = -1, limit
        while left is None or left > 0:
            size = 500 if left is None else min(500, left)
            with reading(connection):
                found = self.page(connection, scope, after=after, since=since, limit=size)
            yield from found
            if len(found) < size:
                return
            after = found[-1].call.id
            left = None if left is None else left - len(found)

    def in_progress(self, connection: Connection) -> int:
        """How many calls are not settled."""
        return int(connection.rows(self._in_progress)[0][0])


def _repeat(call: Call, first_call: int | None) -> bool | None:
    if call.caller is None or call.settled_at is None or first_call is None:
        return None
    return first_call < call.id
