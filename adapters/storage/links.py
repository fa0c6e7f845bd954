"""Short links in the store: their codes, and who follows them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, distinct, func, literal_column, select, tuple_
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, among, prepare, prepare_bulk
from adapters.storage.schema.audience import link_clicks, link_codes, link_days, link_entries
from gateway.domain.links import ENTRY_HOURS, ENTRY_SECONDS_LATE, Code, Visitor, day_of
from gateway.domain.values import SECOND, Scope, first_id
from gateway.ports.links import Click, Clicked, DayCount, EntryVisit

_astuple = msgspec.structs.astuple
_BEFORE = ENTRY_HOURS * 3600 * SECOND
_AFTER = ENTRY_SECONDS_LATE * SECOND


class LinkStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.find = prepare(
            dialect, select(link_codes).where(link_codes.c.code == bindparam("wanted"))
        )
        self.codes = prepare(
            dialect,
            select(link_codes).where(
                link_codes.c.link == bindparam("of_link"),
                link_codes.c.origin == bindparam("for_origin"),
                among(dialect, link_codes.c.friend, "friends"),
            ),
        )
        self.insert_codes = prepare_bulk(dialect, link_codes)
        self.insert_click = prepare_bulk(dialect, link_clicks)
        self.count = _prepare_count(dialect)
        self.visit = prepare_bulk(dialect, link_entries, update=["advertiser", "link", "at"])
        one = (
            link_entries.c.channel == bindparam("on_channel"),
            link_entries.c.user == bindparam("of_user"),
        )
        self.entry = prepare(dialect, select(link_entries).where(*one).with_for_update())
        self.delete_entry = prepare(dialect, delete(link_entries).where(*one))
        oldest = (
            select(link_clicks.c.id)
            .where(link_clicks.c.id < bindparam("before"))
            .order_by(link_clicks.c.id)
            .limit(bindparam("most"))
        )
        self.forget_clicks = prepare(
            dialect, delete(link_clicks).where(link_clicks.c.id.in_(oldest))
        )
        key = (link_entries.c.channel, link_entries.c.user)
        passed = (
            select(*key).where(link_entries.c.at < bindparam("before")).limit(bindparam("most"))
        )
        self.forget_entries = prepare(dialect, delete(link_entries).where(tuple_(*key).in_(passed)))


def _prepare_count(dialect: Dialect) -> Prepared:
    """Adds to the figures of a link's day, which may not be there yet."""
    insert: Any = sqlite_insert if dialect.name == "sqlite" else postgresql_insert
    given: dict[str, Any] = {c.name: bindparam(f"given_{c.name}") for c in link_days.c}
    statement = insert(link_days).values(**given)
    summed = {
        name: link_days.c[name] + statement.excluded[name] for name in ("people", "bots", "friends")
    }
    return prepare(
        dialect, statement.on_conflict_do_update(index_elements=["link", "day"], set_=summed)
    )


class LinksInTransaction:
    """See :class:`gateway.ports.links.LinkRoom`. Every write is made at once."""

    def __init__(self, connection: Connection, statements: LinkStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def find(self, scope: Scope, code: str) -> Code | None:
        rows = self._connection.rows(self._sql.find, wanted=code)
        found = Code(*rows[0]) if rows else None
        return found if found is not None and scope.covers(found.advertiser) else None

    def codes(
        self, scope: Scope, link: str, origin: str, friends: Sequence[int]
    ) -> dict[int, Code]:
        rows = self._connection.rows(
            self._sql.codes, of_link=link, for_origin=origin, friends=list(friends)
        )
        found = (Code(*row) for row in rows)
        return {code.friend: code for code in found}

    def add(self, scope: Scope, codes: Sequence[Code]) -> None:
        if codes:
            self.writes += 1
            self._connection.write([(self._sql.insert_codes, [_astuple(code) for code in codes])])

    def count(self, scope: Scope, click: Click, visitor: Visitor) -> None:
        self.writes += 1
        if visitor == "person":
            self._connection.write([(self._sql.insert_click, [_astuple(click)])])
            self._add(click.link, click.at, click.advertiser, people=1)
        else:
            self._add(click.link, click.at, click.advertiser, bots=1)

    def visit(self, scope: Scope, visit: EntryVisit) -> None:
        self.writes += 1
        self._connection.write([(self._sql.visit, [_astuple(visit)])])

    def came(self, scope: Scope, channel: str, user: str, at: int) -> EntryVisit | None:
        given = {"on_channel": channel, "of_user": user}
        rows = self._connection.rows(self._sql.entry, **given)
        visit = EntryVisit(*rows[0]) if rows else None
        if visit is None or not at - _BEFORE <= visit.at <= at + _AFTER:
            return None
        self.writes += 1
        self._connection.run(self._sql.delete_entry, **given)
        self._add(visit.link, at, visit.advertiser, friends=1)
        return visit

    def forget(self, scope: Scope, what: str, before: int, limit: int) -> int:
        self.writes += 1
        if what == "link-entries":
            return self._connection.run(self._sql.forget_entries, before=before, most=limit)
        return self._connection.run(self._sql.forget_clicks, before=first_id(before), most=limit)

    def flush(self) -> None:
        """Nothing waits."""

    def _add(
        self, link: str, at: int, advertiser: str, people: int = 0, bots: int = 0, friends: int = 0
    ) -> None:
        self._connection.run(
            self._sql.count,
            given_link=link,
            given_day=day_of(at),
            given_advertiser=advertiser,
            given_people=people,
            given_bots=bots,
            given_friends=friends,
        )


class LinkReader:
    """See :class:`gateway.ports.links.LinkReading`."""

    def __init__(self, dialect: Dialect) -> None:
        printed = select(link_codes.c.link, link_codes.c.code, link_codes.c.advertiser).where(
            among(dialect, link_codes.c.link, "links"),
            link_codes.c.origin == literal_column("''"),
            link_codes.c.friend == literal_column("0"),
        )
        self._printed = prepare(dialect, printed)
        self._code = prepare(
            dialect, select(link_codes).where(link_codes.c.code == bindparam("wanted"))
        )
        self._days = prepare(
            dialect,
            select(
                link_days.c.day,
                link_days.c.people,
                link_days.c.bots,
                link_days.c.friends,
                link_days.c.advertiser,
            )
            .where(
                link_days.c.link == bindparam("link"),
                link_days.c.day >= bindparam("since"),
                link_days.c.day < bindparam("until"),
            )
            .order_by(link_days.c.day),
        )
        clicked = select(
            func.count(),
            func.count(distinct(link_clicks.c.friend)).filter(link_clicks.c.friend > 0),
        ).where(link_clicks.c.origin == bindparam("origin"))
        self._clicked = prepare(dialect, clicked)
        self._clicked_of = prepare(
            dialect, clicked.where(among(dialect, link_clicks.c.advertiser, "whose"))
        )

    def code(self, connection: Connection, code: str) -> Code | None:
        rows = connection.rows(self._code, wanted=code)
        return Code(*rows[0]) if rows else None

    def printed(self, connection: Connection, scope: Scope, links: Sequence[str]) -> dict[str, str]:
        rows = connection.rows(self._printed, links=list(links))
        return {link: code for link, code, advertiser in rows if scope.covers(advertiser)}

    def uncoded(self, connection: Connection, links: Sequence[str]) -> list[str]:
        coded = {link for link, _, _ in connection.rows(self._printed, links=list(links))}
        return [link for link in links if link not in coded]

    def days(
        self, connection: Connection, scope: Scope, link: str, *, since: int, until: int
    ) -> list[DayCount]:
        rows = connection.rows(self._days, link=link, since=since, until=until)
        return [DayCount(*row[:-1]) for row in rows if scope.covers(row[-1])]

    def clicked(self, connection: Connection, scope: Scope, origin: str) -> Clicked:
        if scope.advertisers is None:
            rows = connection.rows(self._clicked, origin=origin)
        else:
            whose = sorted(scope.advertisers)
            rows = connection.rows(self._clicked_of, origin=origin, whose=whose)
        return Clicked(*rows[0])
