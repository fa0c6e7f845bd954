"""Calls that the API looks for, and how many there are: read beside the writer."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, func, literal_column, select
from sqlalchemy.engine import Dialect

from adapters.storage.calls import CallReader, with_first_call
from adapters.storage.database import Connection, Prepared, among, prepare
from adapters.storage.schema.calls import calls
from gateway.domain.values import SECOND, Scope, first_id
from gateway.ports.calls import CallCount, CallRecord, CallSearch, Grouping

_ADOPTED_WITHIN = 86_400 * SECOND
"""A call's id may be so much older than the call, or, where a clock was set, younger."""

_BIGGEST = 2**63 - 1
_LIKES = 27
"""How many rows a group has at most: one for each result (none among them) and outcome."""


def _in_tokyo(seconds: int) -> ColumnElement[int]:
    """How many whole times ``seconds`` a call came after 1970 began in Tokyo, which has had no
    summer time since.
    """
    ahead = literal_column(str(9 * 3600 * SECOND), BigInteger)
    return (calls.c.received_at + ahead) // literal_column(str(seconds * SECOND), BigInteger)


_GROUPS: dict[str, ColumnElement[Any]] = {
    "advertiser": calls.c.advertiser,
    "medium": calls.c.medium,
    "number": calls.c.number,
    "hour": _in_tokyo(3600) % literal_column("24", BigInteger),
    "day": _in_tokyo(86_400),
}


class CallSearches:
    """See :class:`gateway.ports.calls.CallReading`. A statement is compiled when a search with
    just these conditions first comes.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._reader = CallReader(dialect)
        self._prepared: dict[tuple[str, ...], Prepared] = {}

    def search(
        self,
        connection: Connection,
        scope: Scope,
        search: CallSearch,
        *,
        after: int | None,
        limit: int,
    ) -> list[CallRecord]:
        given = _given(scope, search)
        if after is not None:
            given["before" if search.newest_first else "after"] = after
        order = "down" if search.newest_first else "up"
        statement = self._statement(order, given)
        return self._reader.records(connection, connection.rows(statement, **given, most=limit))

    def one(self, connection: Connection, scope: Scope, call: int) -> CallRecord | None:
        given = {**_given(scope, CallSearch()), "call": call}
        rows = connection.rows(self._statement("one", given), **given)
        found = self._reader.records(connection, rows)
        return found[0] if found else None

    def count(
        self,
        connection: Connection,
        scope: Scope,
        by: Grouping,
        search: CallSearch,
        *,
        after: str | int | None,
        limit: int,
    ) -> list[CallCount]:
        given = _given(scope, search)
        if after is not None:
            given["group_after"] = after
        statement = self._statement(by, given)
        rows = connection.rows(statement, **given, most=limit * _LIKES)
        return [CallCount(*row) for row in rows]

    def _statement(self, kind: str, given: dict[str, Any]) -> Prepared:
        names = (kind, *sorted(given))
        known = self._prepared.get(names)
        if known is None:
            conditions = self._conditions(kind, given)
            known = prepare(self._dialect, _of(kind).where(*conditions))
            self._prepared[names] = known
        return known

    def _conditions(self, kind: str, given: dict[str, Any]) -> list[ColumnElement[bool]]:
        column = calls.c
        known: dict[str, Any] = {
            "whose": lambda: among(self._dialect, column.advertiser, "whose"),
            "since": lambda: column.received_at >= bindparam("since"),
            "until": lambda: column.received_at < bindparam("until"),
            "first": lambda: column.id >= bindparam("first"),
            "last": lambda: column.id < bindparam("last"),
            "after": lambda: column.id > bindparam("after"),
            "before": lambda: column.id < bindparam("before"),
            "call": lambda: column.id == bindparam("call"),
            "number": lambda: column.number == bindparam("number"),
            "state": lambda: column.state == bindparam("state"),
            "result": lambda: column.result == bindparam("result"),
            "group_after": lambda: _GROUPS[kind] > bindparam("group_after"),
        }
        return [known[name]() for name in given]


def _given(scope: Scope, search: CallSearch) -> dict[str, Any]:
    """The values of the conditions that there are; ids bound the search, as times have no index."""
    given: dict[str, Any] = {}
    if scope.advertisers is not None:
        given["whose"] = sorted(scope.advertisers)
    if search.since is not None:
        given["since"] = search.since
        given["first"] = min(first_id(search.since - _ADOPTED_WITHIN), _BIGGEST)
    if search.until is not None:
        given["until"] = search.until
        given["last"] = min(first_id(search.until + _ADOPTED_WITHIN), _BIGGEST)
    equal = {"number": search.number, "state": search.state, "result": search.result}
    return given | {name: value for name, value in equal.items() if value is not None}


def _of(kind: str) -> Select[Any]:
    """What is selected, still without its conditions."""
    if kind == "one":
        return with_first_call()
    if kind == "up":
        return with_first_call().order_by(calls.c.id).limit(bindparam("most"))
    if kind == "down":
        return with_first_call().order_by(calls.c.id.desc()).limit(bindparam("most"))
    group = _GROUPS[kind]  # the other kinds are above
    return (
        select(
            group,
            calls.c.result,
            calls.c.outcome,
            func.count(),
            func.coalesce(func.sum(calls.c.ring_seconds), literal_column("0")),
            func.coalesce(func.sum(calls.c.talk_seconds), literal_column("0")),
        )
        .group_by(group, calls.c.result, calls.c.outcome)
        .order_by(group, calls.c.result, calls.c.outcome)
        .limit(bindparam("most"))
    )
