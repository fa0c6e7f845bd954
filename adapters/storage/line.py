"""LINE's friends and events in the store: loaded by a statement a table, written likewise."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, literal_column, select, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import (
    Bulk,
    Connection,
    among,
    among_pairs,
    prepare,
    prepare_bulk,
)
from adapters.storage.retention import Progress
from adapters.storage.schema.line import line_events, line_friends
from gateway.domain.line.events import Event
from gateway.domain.line.friends import Friend
from gateway.domain.values import Scope, first_id
from gateway.ports.line import MOST_ANEW, Kept
from gateway.usecases.line import Incoming

_astuple = msgspec.structs.astuple
_encode = msgspec.json.encode
_FIXED = {"channel", "user", "id", "advertiser", "first_at", "is_group"}


class LineStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.known = prepare(
            dialect,
            select(line_events.c.channel, line_events.c.event).where(
                among(dialect, line_events.c.event, "events")
            ),
        )
        self.unsent = prepare(
            dialect,
            select(line_events.c.channel, line_events.c.message_id).where(
                # Spelt as its index spells it: SQLite would compile it anew each time to see that.
                line_events.c.kind == literal_column("'unsend'"),
                among(dialect, line_events.c.message_id, "messages"),
            ),
        )
        key = (line_friends.c.channel, line_friends.c.user)
        self.friends = prepare(
            dialect,
            select(line_friends)
            .where(among_pairs(dialect, key, "users"))
            .order_by(*key)
            .with_for_update(),
        )
        self.friend_by_id = prepare(
            dialect,
            select(line_friends).where(line_friends.c.id == bindparam("friend")).with_for_update(),
        )
        self.messages = prepare(
            dialect,
            select(line_events)
            .where(
                line_events.c.friend == bindparam("whose"),
                line_events.c.kind == "message",
                line_events.c.at >= bindparam("begin"),
                line_events.c.at < bindparam("before"),
                line_events.c.body != "",
            )
            .order_by(line_events.c.id.desc())
            .limit(MOST_ANEW),
        )
        self.insert_friends = prepare_bulk(dialect, line_friends)
        self.upsert_friends = prepare_bulk(
            dialect,
            line_friends,
            update=[c.name for c in line_friends.c if c.name not in _FIXED],
        )
        self.insert_events = prepare_bulk(dialect, line_events)
        self.blank = prepare(
            dialect,
            update(line_events)
            .where(
                line_events.c.friend == bindparam("whose"),
                line_events.c.message_id == bindparam("message"),
                line_events.c.kind != "unsend",
            )
            .values(body=""),
        )
        old = (
            select(line_events.c.id)
            .where(line_events.c.id < bindparam("before"))
            .order_by(line_events.c.id)
            .limit(bindparam("most"))
        )
        self.forget_events = prepare(dialect, delete(line_events).where(line_events.c.id.in_(old)))
        self.between = prepare(
            dialect,
            select(line_events.c.id)
            .where(line_events.c.id >= bindparam("begin"), line_events.c.id < bindparam("before"))
            .order_by(line_events.c.id)
            .limit(bindparam("most")),
        )
        self.forget_texts = prepare(
            dialect,
            update(line_events).where(among(dialect, line_events.c.id, "ids")).values(body=""),
        )
        self.progress = Progress(dialect)


class LineInTransaction:
    """See :class:`gateway.ports.line.Line`. Writes wait until :meth:`flush`."""

    def __init__(self, connection: Connection, statements: LineStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._known: set[tuple[str, str]] = set()
        self._unsent: set[tuple[str, str]] = set()
        self._friends: dict[tuple[str, str], Friend] = {}
        self._asked: set[tuple[str, str]] = set()
        self._new: set[tuple[str, str]] = set()
        self._changed: set[tuple[str, str]] = set()
        self._events: dict[int, Kept] = {}
        self.writes = 0

    def load(self, bodies: Sequence[Incoming]) -> None:
        """Lock and load the friends that ``bodies`` are about, and which events are known."""
        events = [(body.channel, event) for body in bodies for event in body.events]
        if not events:
            return
        users = {(channel, event.place or event.user) for channel, event in events}
        # First of all: what another process writes of them is seen once they are locked.
        self._load_friends({key for key in users if key[1]})
        rows, sql = self._connection.rows, self._sql
        # Ids are the platform's, and its own alone: one look-up for all channels.
        self._known.update(rows(sql.known, events=[event.id for _, event in events]))
        if messages := [event.message_id for _, event in events if event.message_id]:
            self._unsent.update(rows(sql.unsent, messages=messages))

    def _load_friends(self, users: Collection[tuple[str, str]]) -> None:
        """Lock and load them, by channel and user."""
        if not users:
            return
        self._asked.update(users)
        given = _encode(list(users)).decode()
        for row in self._connection.rows(self._sql.friends, users=given):
            self._friends[row[0], row[1]] = Friend(*row)

    def is_known(self, scope: Scope, channel: str, event: str) -> bool:
        return (channel, event) in self._known

    def is_unsent(self, scope: Scope, channel: str, event: Event) -> bool:
        return bool(event.message_id) and (channel, event.message_id) in self._unsent

    def friend(self, scope: Scope, channel: str, user: str) -> Friend | None:
        if (channel, user) not in self._asked:
            self._load_friends([(channel, user)])
        found = self._friends.get((channel, user))
        return found if found is not None and scope.covers(found.advertiser) else None

    def friends(self, scope: Scope, channel: str, users: Collection[str]) -> Sequence[Friend]:
        self._load_friends({(channel, user) for user in users} - self._asked)
        found = (self._friends.get((channel, user)) for user in dict.fromkeys(users))
        return [each for each in found if each is not None and scope.covers(each.advertiser)]

    def friend_by_id(self, scope: Scope, id_: int) -> Friend | None:
        for row in self._connection.rows(self._sql.friend_by_id, friend=id_):
            key = (row[0], row[1])
            self._asked.add(key)
            found = self._friends.setdefault(key, Friend(*row))
            return found if scope.covers(found.advertiser) else None
        return next((f for f in self._friends.values() if f.id == id_), None)

    def save(self, scope: Scope, friend: Friend) -> None:
        key = (friend.channel, friend.user)
        known = self._friends.get(key)
        if known == friend:
            return
        self.writes += 1
        (self._new if known is None or key in self._new else self._changed).add(key)
        self._friends[key] = friend

    def keep(self, scope: Scope, kept: Kept) -> None:
        self.writes += 1
        self._known.add((kept.channel, kept.event))
        if kept.kind == "unsend":
            self._unsent.add((kept.channel, kept.message_id))
        self._events[kept.id] = kept

    def blank(self, scope: Scope, friend: int, message_id: str) -> None:
        self.writes += 1
        for kept in self._events.values():
            if kept.friend == friend and kept.message_id == message_id and kept.kind != "unsend":
                self._events[kept.id] = msgspec.structs.replace(kept, body="")
        self._connection.run(self._sql.blank, whose=friend, message=message_id)

    def messages(self, scope: Scope, friend: int, begin: int, before: int) -> Sequence[Kept]:
        rows = self._connection.rows(self._sql.messages, whose=friend, begin=begin, before=before)
        found = [Kept(*row) for row in rows]
        found += [
            kept
            for kept in self._events.values()
            if kept.friend == friend
            and kept.kind == "message"
            and begin <= kept.at < before
            and kept.body
        ]
        return sorted(found, key=lambda kept: kept.at)[-MOST_ANEW:]

    def forget(self, scope: Scope, what: str, before: int, limit: int) -> int:
        self.writes += 1
        cut = first_id(before)
        if what == "line-events":
            return self._connection.run(self._sql.forget_events, before=cut, most=limit)
        begin = self._sql.progress.of(self._connection, what)
        rows = self._connection.rows(self._sql.between, begin=begin, before=cut, most=limit)
        if rows:
            self._connection.run(self._sql.forget_texts, ids=[id_ for (id_,) in rows])
            self._sql.progress.reach(self._connection, what, rows[-1][0] + 1)
        return len(rows)

    def flush(self) -> None:
        """Write everything that units kept and saved."""
        writes: list[tuple[Bulk, list[tuple[Any, ...]]]] = []
        # Sorted, so that two processes that take the same friends wait instead of deadlocking.
        if self._new:
            new = [_astuple(self._friends[key]) for key in sorted(self._new)]
            writes.append((self._sql.insert_friends, new))
        if self._changed:
            changed = [_astuple(self._friends[key]) for key in sorted(self._changed)]
            writes.append((self._sql.upsert_friends, changed))
        if self._events:
            rows = [_astuple(kept) for kept in self._events.values()]
            writes.append((self._sql.insert_events, rows))
        if writes:
            self._connection.write(writes)
