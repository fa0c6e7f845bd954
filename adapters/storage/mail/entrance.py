"""Sign-ups and imports in the store."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy import bindparam, case, delete, func, literal_column, select, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.schema.mail import mail_import_lines, mail_imports, mail_signups
from gateway.domain.mail.importing.imports import Import, Outcome
from gateway.domain.values import Scope
from gateway.ports.mail.lists import Countable, Signup

_astuple = msgspec.structs.astuple
_NONE: Any = literal_column("''")


class EntranceStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self._signups(dialect)
        imports, lines = mail_imports.c, mail_import_lines.c
        self.insert_import = prepare_bulk(dialect, mail_imports)
        self.save_import = prepare_bulk(
            dialect, mail_imports, update=[c.name for c in imports if c.name != "id"]
        )
        # A run that died may have kept a line already.
        self.lines = prepare_bulk(dialect, mail_import_lines, update=["outcome", "reason"])
        self.find_import = prepare(
            dialect,
            select(mail_imports).where(imports.id == bindparam("named")).with_for_update(),
        )
        self.running = prepare(
            dialect,
            select(mail_imports)
            .where(imports.state == literal_column("'running'"))
            .order_by(imports.id),
        )
        self.oldest = prepare(
            dialect,
            select(imports.id)
            .where(imports.at < bindparam("before"))
            .order_by(imports.id)
            .limit(literal_column("1")),
        )
        some = (
            select(lines.line)
            .where(lines["import"] == bindparam("named"))
            .order_by(lines.line)
            .limit(bindparam("most"))
        )
        self.forget_lines = prepare(
            dialect,
            delete(mail_import_lines).where(
                lines["import"] == bindparam("named"), lines.line.in_(some)
            ),
        )
        self.forget_import = prepare(
            dialect, delete(mail_imports).where(imports.id == bindparam("named"))
        )

    def _signups(self, dialect: Dialect) -> None:
        columns = mail_signups.c
        named: Any = bindparam("named")
        self.insert = prepare_bulk(dialect, mail_signups)
        self.find = prepare(
            dialect, select(mail_signups).where(columns.id == named).with_for_update()
        )
        is_dropped = bindparam("new_state", type_=columns.state.type) == literal_column("'dropped'")
        said = {
            name: case((is_dropped, _NONE), else_=columns[name])
            for name in ("address", "attributes", "evidence")
        }
        # The row itself stays: it counts towards the limits of the address.
        blank = dict.fromkeys(("address", "attributes", "evidence"), _NONE)
        self.drop = prepare(
            dialect,
            update(mail_signups)
            .where(columns.advertiser == bindparam("whose"), columns.hash == named)
            .values(state=literal_column("'dropped'"), **blank),
        )
        self.settle = prepare(
            dialect,
            update(mail_signups)
            .where(columns.id == named)
            .values(state=bindparam("new_state"), **said),
        )

        by_form: Any = (columns.how == literal_column("'form'")) & (columns.list == named)
        self.count = {
            by: prepare(
                dialect,
                select(func.count())
                .select_from(mail_signups)
                .where(condition, columns.at >= bindparam("since")),
            )
            for by, condition in (
                ("hash", columns.hash == named),
                ("network", columns.network == named),
                ("form", by_form),
            )
        }
        old = (
            select(columns.id)
            .where(columns.at < bindparam("before"))
            .order_by(columns.at)
            .limit(bindparam("most"))
        )
        self.forget = prepare(dialect, delete(mail_signups).where(columns.id.in_(old)))


class SignupsInTransaction:
    """See :class:`gateway.ports.mail.lists.Signups`. Written at once."""

    def __init__(self, connection: Connection, statements: EntranceStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def add(self, scope: Scope, signup: Signup) -> None:
        self.writes += 1
        self._connection.write([(self._sql.insert, [_astuple(signup)])])

    def find(self, scope: Scope, signup: int) -> Signup | None:
        rows = self._connection.rows(self._sql.find, named=signup)
        found = Signup(*rows[0]) if rows else None
        return found if found is not None and scope.covers(found.advertiser) else None

    def settle(self, scope: Scope, signup: int, state: str) -> None:
        if self.find(scope, signup) is None:
            return
        self.writes += 1
        self._connection.run(self._sql.settle, named=signup, new_state=state)

    def count(self, scope: Scope, by: Countable, of: bytes | str, since: int) -> int:
        ((found,),) = self._connection.rows(self._sql.count[by], named=of, since=since)
        return int(found)

    def drop(self, scope: Scope, advertiser: str, hash_: bytes) -> int:
        if not scope.covers(advertiser):
            return 0
        self.writes += 1
        return self._connection.run(self._sql.drop, whose=advertiser, named=hash_)

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        self.writes += 1
        return self._connection.run(self._sql.forget, before=before, most=limit)


class ImportsInTransaction:
    """See :class:`gateway.ports.mail.lists.Imports`. Written at once."""

    def __init__(self, connection: Connection, statements: EntranceStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def add(self, scope: Scope, imported: Import) -> None:
        self.writes += 1
        self._connection.write([(self._sql.insert_import, [_astuple(imported)])])

    def find(self, scope: Scope, imported: int) -> Import | None:
        found = imports_of(self._connection.rows(self._sql.find_import, named=imported), scope)
        return found[0] if found else None

    def save(
        self, scope: Scope, imported: Import, lines: Sequence[tuple[int, Outcome, str]]
    ) -> None:
        self.writes += 1
        self._connection.write([(self._sql.save_import, [_astuple(imported)])])
        if lines:
            rows = [(imported.id, *line) for line in lines]
            self._connection.write([(self._sql.lines, rows)])

    def running(self, scope: Scope) -> list[Import]:
        return imports_of(self._connection.rows(self._sql.running), scope)

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """One import at a time, its report first."""
        self.writes += 1
        rows = self._connection.rows(self._sql.oldest, before=before)
        if not rows:
            return 0
        named = rows[0][0]
        gone = self._connection.run(self._sql.forget_lines, named=named, most=limit)
        if gone < limit:
            gone += self._connection.run(self._sql.forget_import, named=named)
        return gone


class EntranceInTransaction:
    """See :class:`gateway.ports.mail.lists.Entrance`."""

    def __init__(self, connection: Connection, statements: EntranceStatements) -> None:
        self._connection = connection
        self._sql = statements

    @cached_property
    def signups(self) -> SignupsInTransaction:
        return SignupsInTransaction(self._connection, self._sql)

    @cached_property
    def imports(self) -> ImportsInTransaction:
        return ImportsInTransaction(self._connection, self._sql)

    @property
    def writes(self) -> int:
        return self.signups.writes + self.imports.writes


def imports_of(rows: Sequence[tuple[Any, ...]], scope: Scope) -> list[Import]:
    """Those of rows that lie in a scope."""
    return [Import(*row) for row in rows if scope.covers(row[1])]
