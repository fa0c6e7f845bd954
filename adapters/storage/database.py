"""What the store asks of an engine, and how statements are prepared for it.

Statements are written in SQLAlchemy Core, compiled once to the engine's SQL, and run straight on
its driver: executing Core itself costs several times what the statement does.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Executable,
    Table,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect


class Rerun(Exception):
    """The transaction lost against another one; running it again is right."""


class Taken(Rerun):
    """A row was there already: another process was faster, or made the same id."""


class Away(Exception):
    """The engine cannot be reached, or cannot write; nothing is wrong with the transaction."""


class Prepared(NamedTuple):
    """A statement in the engine's own SQL."""

    sql: str
    names: tuple[str, ...]
    """The parameters in their order."""
    constants: dict[str, Any]
    """Parameters that the statement itself fills, such as SQLite's OFFSET beside a LIMIT."""

    def values(self, parameters: dict[str, Any]) -> list[Any]:
        """The values of all parameters, in their order."""
        if self.constants:
            parameters = self.constants | parameters
        return [parameters[name] for name in self.names]


class Bulk(NamedTuple):
    """A statement that writes many rows of one table at once."""

    sql: str


class Connection(Protocol):
    """One connection, used by one thread.

    Every method raises ``Rerun`` or ``Away`` as their docstrings say, and the driver's own error
    for anything else.
    """

    def begin(self) -> None:
        """Start a transaction that will write."""

    def rows(self, prepared: Prepared, **parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""

    def run(self, prepared: Prepared, **parameters: Any) -> int:
        """Run a statement; returns the number of rows it touched."""

    def write(self, writes: Sequence[tuple[Bulk, list[tuple[Any, ...]]]]) -> None:
        """Write rows, a statement a table; ``Taken`` where a row was there already."""

    def commit(self) -> None:
        """Make the transaction durable."""

    def rollback(self) -> None:
        """Forget the transaction; never fails."""

    def close(self) -> None:
        """Give the connection back; never fails."""


class Database(Protocol):
    """An engine: it opens connections and takes care of its own guards."""

    dialect: Dialect
    url: str
    """For SQLAlchemy and Alembic; holds no password."""

    def writer(self) -> Connection:
        """A connection that writes; ``Away`` where there is none to be had."""

    def reader(self) -> Connection:
        """A read-only connection whose statements end after two seconds."""

    def guard(self) -> None:
        """Refuse settings under which an answer would not be durable, and a second daemon where
        the engine allows one only; raises ``Misconfigured``. Held until :meth:`release`.
        """

    def release(self) -> None:
        """Give up what :meth:`guard` holds."""


def prepare(dialect: Dialect, statement: Executable) -> Prepared:
    """``statement`` as ``dialect`` spells it."""
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # every Core one has it
    names = tuple(compiled.positiontup or ())
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return Prepared(str(compiled), names, constants)


def among(dialect: Dialect, one: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """``one`` is one of the list given as parameter ``name``."""
    if dialect.name == "sqlite":
        given = func.json_each(bindparam(name)).table_valued("value")
        return one.in_(select(given.c.value))
    return one == any_(bindparam(name, type_=ARRAY(one.type)))


def among_pairs(
    dialect: Dialect, columns: tuple[ColumnElement[Any], ColumnElement[Any]], name: str
) -> ColumnElement[bool]:
    """Two texts are a pair of the parameter ``name``: JSON, a list of lists of two."""
    if dialect.name == "sqlite":
        given = func.json_each(bindparam(name)).table_valued("value")
    else:
        texts = func.json_array_elements(cast(bindparam(name), JSON))
        given = texts.table_valued(column("value", JSON))
    pairs = select(*(given.c.value.op("->>")(literal_column(place)) for place in ("0", "1")))
    return tuple_(*columns).in_(pairs)


def prepare_bulk(
    dialect: Dialect, table: Table, *, update: Sequence[str] = (), least: Sequence[str] = ()
) -> Bulk:
    """An insert of whole rows of ``table``. A row that is there is left, or it gets the columns
    ``update`` anew and keeps the smaller value of the columns ``least``.
    """
    names = [column.name for column in table.c]
    keys = [column.name for column in table.primary_key]
    statement: Any
    if dialect.name == "sqlite":
        statement = sqlite_insert(table)
    else:
        # One statement however many rows: each column comes as one array.
        arrays = [bindparam(column.name, type_=ARRAY(column.type)) for column in table.c]
        given = func.unnest(*arrays).table_valued(*names).render_derived("given")
        statement = postgresql_insert(table).from_select(names, select(*given.c))
    if update or least:
        smaller = func.min if dialect.name == "sqlite" else func.least
        new = {name: statement.excluded[name] for name in update}
        new |= {name: smaller(table.c[name], statement.excluded[name]) for name in least}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=new)
    else:
        statement = statement.on_conflict_do_nothing()
    return Bulk(prepare(dialect, statement).sql)


@contextmanager
def reading(connection: Connection) -> Iterator[Connection]:
    """A read of several statements that sees one state of the store."""
    connection.begin()
    try:
        yield connection
    finally:
        connection.rollback()
