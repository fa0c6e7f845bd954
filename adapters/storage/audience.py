"""Tags of friends in the store, and the filters of segments as SQL."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare, prepare_bulk
from adapters.storage.schema.audience import friend_tags, push_stops
from adapters.storage.schema.line import line_friends
from gateway.domain.audience import (
    ActiveWithin,
    AllOf,
    AnyOf,
    CameBy,
    Condition,
    FollowedBefore,
    FollowedSince,
    FollowedWithin,
    NoneOf,
    Tagged,
    since,
)
from gateway.domain.values import Scope
from gateway.ports.audience import Members, TagCount, TagOf, Whose

can_receive: ColumnElement[bool] = and_(
    line_friends.c.is_group.is_(False),
    or_(line_friends.c.followed_at > 0, line_friends.c.heard_at > 0),
    or_(
        line_friends.c.unfollowed_at == 0,
        line_friends.c.unfollowed_at < line_friends.c.followed_at,
        line_friends.c.unfollowed_at < line_friends.c.heard_at,
    ),
)
"""Whether a row of friends is somebody who gets pushes: as
:attr:`gateway.domain.line.friends.Friend.state` says it."""

has_stopped: ColumnElement[bool] = exists(
    select(1).where(push_stops.c.friend == line_friends.c.id)
).correlate(line_friends)
"""Whether they stopped them."""


def sql_of(condition: Condition, now: int) -> ColumnElement[bool]:
    """``condition`` of a row of friends; a test holds it equal to
    :func:`gateway.domain.audience.holds`.
    """
    friend = line_friends.c
    if isinstance(condition, AllOf):
        return and_(true(), *(sql_of(each, now) for each in condition.of))
    if isinstance(condition, AnyOf):
        return or_(*(sql_of(each, now) for each in condition.of))
    if isinstance(condition, NoneOf):
        return not_(or_(*(sql_of(each, now) for each in condition.of)))
    if isinstance(condition, Tagged):
        tagged = select(1).where(
            friend_tags.c.friend == friend.id, friend_tags.c.tag == condition.name
        )
        return exists(tagged).correlate(line_friends)
    if isinstance(condition, FollowedSince):
        return friend.followed_at >= condition.at
    if isinstance(condition, FollowedBefore):
        return friend.followed_at < condition.at
    if isinstance(condition, FollowedWithin):
        return friend.followed_at >= since(condition.days, now)
    if isinstance(condition, ActiveWithin):
        return friend.last_at >= since(condition.days, now)
    return _came_by(condition)


def _came_by(condition: CameBy) -> ColumnElement[bool]:
    return line_friends.c.entry == condition.link


class AudienceStatements:
    """The statements of this module, compiled once; those with a filter when they are run."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.tags = prepare(
            dialect, select(friend_tags.c.tag).where(friend_tags.c.friend == bindparam("whose"))
        )
        self.insert = prepare_bulk(dialect, friend_tags)
        self.delete = prepare(
            dialect,
            delete(friend_tags).where(
                friend_tags.c.friend == bindparam("whose"), friend_tags.c.tag == bindparam("named")
            ),
        )
        self.nth = prepare(
            dialect,
            select(line_friends.c.user)
            .where(
                line_friends.c.channel == bindparam("channel"),
                line_friends.c.user > bindparam("behind"),
            )
            .order_by(line_friends.c.user)
            .limit(1)
            .offset(bindparam("skipped")),
        )
        self.named = prepare(
            dialect,
            select(line_friends.c.id)
            .where(
                among(dialect, line_friends.c.id, "friends"),
                line_friends.c.channel == bindparam("channel"),
                line_friends.c.is_group.is_(False),
            )
            .order_by(line_friends.c.id),
        )


class AudienceInTransaction:
    """See :class:`gateway.ports.audience.Audiences`. Every write is made at once: the next unit
    sees it.
    """

    def __init__(self, connection: Connection, statements: AudienceStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def tags(self, scope: Scope, friend: int) -> frozenset[str]:
        return frozenset(tag for (tag,) in self._connection.rows(self._sql.tags, whose=friend))

    def tag(self, scope: Scope, tag: TagOf) -> bool:
        if tag.tag in self.tags(scope, tag.friend):
            return False
        self.writes += 1
        self._connection.write([(self._sql.insert, [msgspec.structs.astuple(tag)])])
        return True

    def untag(self, scope: Scope, friend: int, tag: str) -> bool:
        self.writes += 1
        return bool(self._connection.run(self._sql.delete, whose=friend, named=tag))

    def members(
        self, scope: Scope, channel: str, condition: Condition, now: int, after: str, limit: int
    ) -> Members:
        nth = self._connection.rows(self._sql.nth, channel=channel, behind=after, skipped=limit - 1)
        until = nth[0][0] if nth else ""
        some = select(line_friends.c.id).where(
            line_friends.c.channel == channel,
            line_friends.c.user > after,
            can_receive,
            sql_of(condition, now),
        )
        if until:
            some = some.where(line_friends.c.user <= until)
        rows = self._connection.rows(prepare(self._sql.dialect, some.order_by(line_friends.c.user)))
        return Members(tuple(id_ for (id_,) in rows), until)

    def named(self, scope: Scope, channel: str, friends: Sequence[int]) -> tuple[int, ...]:
        rows = self._connection.rows(self._sql.named, channel=channel, friends=list(friends))
        return tuple(id_ for (id_,) in rows)

    def flush(self) -> None:
        """Nothing waits."""


class AudienceReader:
    """See :class:`gateway.ports.audience.AudienceReading`."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        friend = select(line_friends.c.id, line_friends.c.advertiser, line_friends.c.channel).where(
            line_friends.c.id == bindparam("friend")
        )
        self._friend = prepare(dialect, friend)
        self._tags = prepare(
            dialect,
            select(friend_tags)
            .where(friend_tags.c.friend == bindparam("friend"))
            .order_by(friend_tags.c.tag),
        )
        counts = (
            select(friend_tags.c.tag, func.count())
            .where(
                friend_tags.c.channel == bindparam("channel"),
                friend_tags.c.tag > bindparam("after"),
            )
            .group_by(friend_tags.c.tag)
            .order_by(friend_tags.c.tag)
            .limit(bindparam("most"))
        )
        self._counts = prepare(dialect, counts)
        self._counts_of = prepare(
            dialect, counts.where(among(dialect, friend_tags.c.advertiser, "whose"))
        )

    def friend(self, connection: Connection, scope: Scope, friend: int) -> Whose | None:
        rows = connection.rows(self._friend, friend=friend)
        found = Whose(*rows[0]) if rows else None
        return found if found is not None and scope.covers(found.advertiser) else None

    def tags(self, connection: Connection, scope: Scope, friend: int) -> list[TagOf]:
        found = [TagOf(*row) for row in connection.rows(self._tags, friend=friend)]
        return [tag for tag in found if scope.covers(tag.advertiser)]

    def tag_counts(
        self, connection: Connection, scope: Scope, channel: str, *, after: str, limit: int
    ) -> list[TagCount]:
        given: dict[str, Any] = {"channel": channel, "after": after, "most": limit}
        if scope.advertisers is None:
            rows = connection.rows(self._counts, **given)
        else:
            rows = connection.rows(self._counts_of, **given, whose=sorted(scope.advertisers))
        return [TagCount(*row) for row in rows]

    def size(
        self, connection: Connection, scope: Scope, channel: str, condition: Condition, now: int
    ) -> int:
        counted: Select[Any] = (
            select(func.count())
            .select_from(line_friends)
            .where(
                line_friends.c.channel == channel,
                can_receive,
                not_(has_stopped),
                sql_of(condition, now),
            )
        )
        given: dict[str, Any] = {}
        if scope.advertisers is not None:
            counted = counted.where(among(self._dialect, line_friends.c.advertiser, "whose"))
            given["whose"] = sorted(scope.advertisers)
        return int(connection.rows(prepare(self._dialect, counted), **given)[0][0])
