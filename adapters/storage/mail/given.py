"""Many rows or many hashes as the parameters of one statement, on both engines."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Executable,
    FromClause,
    LargeBinary,
    Table,
    any_,
    bindparam,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from adapters.storage.database import Bulk, Connection, Prepared, prepare

MOST = 500
"""So many rows go into one statement."""


class Hashes:
    """A list of hashes as parameters. SQLite has no arrays, and JSON holds no bytes: there they
    come as one run of bytes, with the places where to cut it.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._is_sqlite = dialect.name == "sqlite"

    def among(self, column: ColumnElement[bytes]) -> ColumnElement[bool]:
        """``column`` is one of the hashes that :meth:`given` hands in."""
        if not self._is_sqlite:
            return column == any_(bindparam("hashes", type_=ARRAY(LargeBinary)))
        cuts = func.json_each(bindparam("cuts")).table_valued("value", name="cut")
        begin, length = (cuts.c.value.op("->>")(literal_column(place)) for place in ("0", "1"))
        run = bindparam("run", type_=LargeBinary)
        return column.in_(select(func.substr(run, begin, length)))

    def given(self, hashes: Sequence[bytes]) -> dict[str, Any]:
        """The parameters."""
        if not self._is_sqlite:
            return {"hashes": list(hashes)}
        cuts, begin = [], 1
        for one in hashes:
            cuts.append((begin, len(one)))
            begin += len(one)
        return {"run": b"".join(hashes), "cuts": cuts}


class Rows:
    """Rows of numbers and texts as a table in a statement; the parameters are :meth:`given`."""

    def __init__(self, dialect: Dialect, columns: dict[str, TypeEngine[Any]]) -> None:
        self._names = list(columns)
        self._is_sqlite = dialect.name == "sqlite"
        self.table: FromClause
        if self._is_sqlite:
            each = func.json_each(bindparam("given_rows")).table_valued("value", name="each_row")
            self.table = select(
                *(
                    each.c.value.op("->>", return_type=type_)(literal_column(str(place))).label(
                        name
                    )
                    for place, (name, type_) in enumerate(columns.items())
                )
            ).subquery("given")
        else:
            arrays = [
                bindparam(f"given_{name}", type_=ARRAY(type_)) for name, type_ in columns.items()
            ]
            self.table = func.unnest(*arrays).table_valued(*columns).render_derived("given")

    def given(self, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """The parameters: ``rows``, at least one."""
        if self._is_sqlite:
            return {"given_rows": list(rows)}
        columns = zip(*rows, strict=True)
        return {f"given_{name}": list(c) for name, c in zip(self._names, columns, strict=True)}


class Additions:
    """An insert of whole rows of numbers and texts, of which those that are there stay."""

    def __init__(self, dialect: Dialect, table: Table) -> None:
        self._rows = Rows(dialect, {column.name: column.type for column in table.c})
        insert: Any = sqlite_insert if dialect.name == "sqlite" else postgresql_insert
        names = [column.name for column in table.c]
        # SQLite takes what follows a SELECT without WHERE for a part of its joins.
        every = select(*self._rows.table.c).where(literal_column("1") == literal_column("1"))
        statement = insert(table).from_select(names, every).on_conflict_do_nothing()
        self._insert = prepare(dialect, statement)

    def write(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> int:
        """Write rows; how many were new."""
        parts = (rows[at : at + MOST] for at in range(0, len(rows), MOST))
        return sum(connection.run(self._insert, **self._rows.given(part)) for part in parts)


def prepare_update(
    dialect: Dialect, table: Table, columns: Sequence[str], keys: Sequence[str]
) -> Bulk:
    """An update of many rows by their key; a row of values is ``columns``, then ``keys``."""
    if dialect.name == "sqlite":
        named = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in columns}
        statement = (
            update(table)
            .where(*(table.c[name] == bindparam(f"the_{name}") for name in keys))
            .ordered_values(*((table.c[name], value) for name, value in named.items()))
        )
        return Bulk(prepare(dialect, statement).sql)
    arrays = [
        bindparam(f"new_{name}", type_=ARRAY(table.c[name].type)) for name in (*columns, *keys)
    ]
    given = func.unnest(*arrays).table_valued(*columns, *keys).render_derived("given")
    joined = (
        update(table)
        .where(*(table.c[name] == given.c[name] for name in keys))
        .ordered_values(*((table.c[name], given.c[name]) for name in columns))
    )
    return Bulk(prepare(dialect, joined).sql)


def prepare_indexed(dialect: Dialect, statement: Executable, table: Table, index: str) -> Prepared:
    """``statement``, which reads ``table`` by an index that SQLite would not choose: without
    figures about the rows it takes a million of them for ten. SQLAlchemy cannot say so.
    """
    prepared = prepare(dialect, statement)
    if dialect.name != "sqlite":
        return prepared
    read = rf"\b(FROM|JOIN) {table.name}\b"
    sql, count = re.subn(read, rf"\g<0> INDEXED BY {index}", prepared.sql, count=1)
    if not count:
        raise ValueError(f"nothing is read from {table.name}")
    return prepared._replace(sql=sql)


def in_parts(
    connection: Connection, prepared: Prepared, hashes: Hashes, given: Sequence[bytes], **more: Any
) -> list[tuple[Any, ...]]:
    """The rows of a query about hashes, however many."""
    found: list[tuple[Any, ...]] = []
    for at in range(0, len(given), MOST):
        found += connection.rows(prepared, **hashes.given(given[at : at + MOST]), **more)
    return found
