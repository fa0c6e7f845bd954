"""Notes and templates in the store. Every write is made at once."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, or_, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare, prepare_bulk
from adapters.storage.schema.inbox import inbox_notes, inbox_templates
from gateway.domain.values import Scope, first_id
from gateway.ports.inbox import Note, Template

_astuple = msgspec.structs.astuple
_LAST = 2**63 - 1


class InboxStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        notes, templates = inbox_notes, inbox_templates
        self.insert_note = prepare_bulk(dialect, notes)
        self.delete_note = prepare(
            dialect,
            delete(notes).where(
                notes.c.friend == bindparam("whose"), notes.c.id == bindparam("note")
            ),
        )
        old = (
            select(notes.c.id)
            .where(notes.c.id < bindparam("before"))
            .order_by(notes.c.id)
            .limit(bindparam("most"))
        )
        self.forget_notes = prepare(dialect, delete(notes).where(notes.c.id.in_(old)))
        one = templates.c.id == bindparam("template")
        self.template = prepare(dialect, select(templates).where(one).with_for_update())
        self.upsert_template = prepare_bulk(
            dialect, templates, update=["name", "messages", "at", "actor"]
        )
        self.delete_template = prepare(dialect, delete(templates).where(one))


class InboxInTransaction:
    """See :class:`gateway.ports.inbox.Inbox`."""

    def __init__(self, connection: Connection, statements: InboxStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def note(self, scope: Scope, note: Note) -> None:
        self.writes += 1
        self._connection.write([(self._sql.insert_note, [_astuple(note)])])

    def drop_note(self, scope: Scope, friend: int, note: int) -> bool:
        touched = self._connection.run(self._sql.delete_note, whose=friend, note=note)
        self.writes += touched  # where nothing was touched, a refusal is that unit's alone
        return touched > 0

    def forget_notes(self, scope: Scope, before: int, limit: int) -> int:
        self.writes += 1
        return self._connection.run(self._sql.forget_notes, before=first_id(before), most=limit)

    def template(self, scope: Scope, id_: int) -> Template | None:
        for row in self._connection.rows(self._sql.template, template=id_):
            found = Template(*row)
            return found if scope.covers(found.advertiser) else None
        return None

    def save_template(self, scope: Scope, template: Template) -> None:
        self.writes += 1
        self._connection.write([(self._sql.upsert_template, [_astuple(template)])])

    def drop_template(self, scope: Scope, id_: int) -> None:
        self.writes += 1
        self._connection.run(self._sql.delete_template, template=id_)

    def flush(self) -> None:
        """Nothing waits."""


class InboxReader:
    """See :class:`gateway.ports.inbox.InboxReading`."""

    def __init__(self, dialect: Dialect) -> None:
        notes, templates = inbox_notes, inbox_templates
        self._notes = prepare(
            dialect,
            select(notes)
            .where(notes.c.friend == bindparam("whose"), notes.c.id < bindparam("before"))
            .order_by(notes.c.id.desc())
            .limit(bindparam("most")),
        )
        page = (
            select(templates)
            .where(
                templates.c.id > bindparam("after"),
                or_(
                    bindparam("of_all", type_=templates.c.id.type) == 1,
                    templates.c.channel == "",
                    templates.c.channel == bindparam("channel"),
                ),
            )
            .order_by(templates.c.id)
            .limit(bindparam("most"))
        )
        self._page = prepare(dialect, page)
        self._page_of = prepare(
            dialect, page.where(among(dialect, templates.c.advertiser, "whose"))
        )
        self._one = prepare(
            dialect, select(templates).where(templates.c.id == bindparam("template"))
        )

    def notes(
        self, connection: Connection, friend: int, *, before: int | None, limit: int
    ) -> list[Note]:
        before = _LAST if before is None else before
        rows = connection.rows(self._notes, whose=friend, before=before, most=limit)
        return [Note(*row) for row in rows]

    def templates(
        self, connection: Connection, scope: Scope, channel: str | None, *, after: int, limit: int
    ) -> Sequence[Template]:
        given: dict[str, Any] = {
            "after": after,
            "most": limit,
            "of_all": int(channel is None),
            "channel": channel or "",
        }
        if scope.advertisers is None:
            rows = connection.rows(self._page, **given)
        else:
            rows = connection.rows(self._page_of, whose=sorted(scope.advertisers), **given)
        return [Template(*row) for row in rows]

    def template(self, connection: Connection, scope: Scope, id_: int) -> Template | None:
        rows = connection.rows(self._one, template=id_)
        found = Template(*rows[0]) if rows else None
        return found if found is not None and scope.covers(found.advertiser) else None
