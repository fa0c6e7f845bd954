"""Rich menus in the store, and the files that entities name."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.engine import Dialect

from adapters.storage.audience import can_receive, sql_of
from adapters.storage.database import Connection, among, prepare, prepare_bulk
from adapters.storage.schema.line import line_friends
from adapters.storage.schema.menus import blobs, menu_channels, menu_links, menus_platform
from gateway.domain.audience import Condition
from gateway.domain.menus import Shown
from gateway.domain.provisioning import Blob
from gateway.domain.values import Scope
from gateway.ports.menus import Linked, Placed, Tended

_astuple = msgspec.structs.astuple


class MenuStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        of_channel: BindParameter[str] = bindparam("of_channel")
        self.tended = prepare(
            dialect, select(menu_channels).order_by(menu_channels.c.channel).with_for_update()
        )
        self.begin = prepare_bulk(dialect, menu_channels)
        self.tend = prepare_bulk(
            dialect,
            menu_channels,
            update=[c.name for c in menu_channels.c if c.name != "channel"],
        )
        self.placed = prepare(
            dialect, select(menus_platform).where(menus_platform.c.channel == of_channel)
        )
        self.place = prepare_bulk(
            dialect,
            menus_platform,
            update=[c.name for c in menus_platform.c if c.name != "menu"],
        )
        self.leave = [
            prepare(dialect, delete(table).where(table.c.channel == of_channel))
            for table in (menu_channels, menus_platform, menu_links)
        ]
        self.link = prepare_bulk(dialect, menu_links, update=["platform_id"])
        self.unlink = prepare(
            dialect,
            delete(menu_links).where(
                menu_links.c.channel == of_channel, among(dialect, menu_links.c.friend, "friends")
            ),
        )


class MenusInTransaction:
    """See :class:`gateway.ports.menus.Menus`. Every write is made at once."""

    def __init__(self, connection: Connection, statements: MenuStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._known: set[str] = set()
        self.writes = 0

    def tended(self, scope: Scope) -> Mapping[str, Tended]:
        found = [Tended(*row) for row in self._connection.rows(self._sql.tended)]
        self._known = {each.channel for each in found}
        return {each.channel: each for each in found if scope.covers(each.advertiser)}

    def tend(self, scope: Scope, tended: Tended) -> None:
        self.writes += 1
        # A new one must not be there: another process that takes it now has it for itself.
        statement = self._sql.tend if tended.channel in self._known else self._sql.begin
        self._connection.write([(statement, [_astuple(tended)])])
        self._known.add(tended.channel)

    def leave(self, scope: Scope, channel: str) -> None:
        self.writes += 1
        self._known.discard(channel)
        for statement in self._sql.leave:
            self._connection.run(statement, of_channel=channel)

    def placed(self, scope: Scope, channel: str) -> Sequence[Placed]:
        rows = self._connection.rows(self._sql.placed, of_channel=channel)
        return [
            placed for placed in (Placed(*row) for row in rows) if scope.covers(placed.advertiser)
        ]

    def place(self, scope: Scope, placed: Placed) -> None:
        self.writes += 1
        self._connection.write([(self._sql.place, [_astuple(placed)])])

    def link(self, scope: Scope, linked: Linked) -> None:
        self.writes += 1
        if linked.platform_id:
            rows = [
                (linked.channel, friend, linked.advertiser, linked.platform_id)
                for friend in linked.friends
            ]
            self._connection.write([(self._sql.link, rows)])
        else:
            friends = list(linked.friends)
            self._connection.run(self._sql.unlink, of_channel=linked.channel, friends=friends)

    def flush(self) -> None:
        """Nothing waits."""


class BlobStatements:
    """The statements of files, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.keep = prepare_bulk(
            dialect, blobs, update=["advertiser", "hash", "media_type", "bytes"]
        )
        self.drop = prepare(dialect, delete(blobs).where(*_entity()))


class BlobsInTransaction:
    """See :class:`gateway.ports.menus.Blobs`."""

    def __init__(self, connection: Connection, statements: BlobStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def keep(self, scope: Scope, table: str, key: str, advertiser: str, blob: Blob) -> None:
        self.writes += 1
        row = (table, key, advertiser, blob.hash, blob.media_type, blob.body)
        self._connection.write([(self._sql.keep, [row])])

    def drop(self, scope: Scope, table: str, key: str) -> None:
        self.writes += 1
        self._connection.run(self._sql.drop, of_kind=table, of_entity=key)

    def flush(self) -> None:
        """Nothing waits."""


class MenuReader:
    """See :class:`gateway.ports.menus.MenuReading`."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._placed = prepare(
            dialect, select(menus_platform).where(among(dialect, menus_platform.c.menu, "menus"))
        )
        self._tended = prepare(dialect, select(menu_channels).order_by(menu_channels.c.channel))
        self._blob = prepare(
            dialect,
            select(blobs.c.advertiser, blobs.c.hash, blobs.c.media_type, blobs.c.bytes).where(
                *_entity()
            ),
        )

    def placed(self, connection: Connection, scope: Scope, menus: Sequence[str]) -> list[Placed]:
        found = [Placed(*row) for row in connection.rows(self._placed, menus=list(menus))]
        return [placed for placed in found if scope.covers(placed.advertiser)]

    def tended(self, connection: Connection, scope: Scope) -> list[Tended]:
        found = [Tended(*row) for row in connection.rows(self._tended)]
        return [tended for tended in found if scope.covers(tended.advertiser)]

    def shown(
        self,
        connection: Connection,
        scope: Scope,
        channel: str,
        conditions: Sequence[Condition],
        *,
        now: int,
        after: str,
        limit: int,
    ) -> list[Shown]:
        # Spelt out and not as parameters: they are compiled anew for each list of conditions.
        fits = case(
            *(
                (and_(can_receive, sql_of(condition, now)), literal_column(str(ordinal)))
                for ordinal, condition in enumerate(conditions)
            ),
            (true(), literal_column("-1")),
        )
        page = (
            select(
                line_friends.c.user,
                line_friends.c.id,
                func.coalesce(menu_links.c.platform_id, literal_column("''")),
                fits,
            )
            .select_from(
                line_friends.join(
                    menu_links,
                    and_(
                        menu_links.c.channel == line_friends.c.channel,
                        menu_links.c.friend == line_friends.c.id,
                    ),
                    isouter=bool(conditions),
                )
            )
            .where(
                line_friends.c.channel == channel,
                line_friends.c.user > after,
                line_friends.c.is_group.is_(False),
            )
            .order_by(line_friends.c.user)
            .limit(limit)
        )
        return [Shown(*row) for row in connection.rows(prepare(self._dialect, page))]

    def blob(self, connection: Connection, scope: Scope, table: str, key: str) -> Blob | None:
        for advertiser, hash_, media_type, body in connection.rows(
            self._blob, of_kind=table, of_entity=key
        ):
            return Blob(hash_, media_type, bytes(body)) if scope.covers(advertiser) else None
        return None


def _entity() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (blobs.c.kind == bindparam("of_kind"), blobs.c.entity == bindparam("of_entity"))
