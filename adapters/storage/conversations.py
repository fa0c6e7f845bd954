"""Conversations as the API reads them: never on the writer's connection."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    TextClause,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, among, prepare
from adapters.storage.schema.effects import outbox
from adapters.storage.schema.inbox import ASSIGNED, UNREAD, line_contents
from adapters.storage.schema.line import line_events, line_friends
from gateway.domain.line.contents import Content
from gateway.domain.line.friends import Friend
from gateway.domain.line.sending import streams_of
from gateway.domain.values import Scope
from gateway.ports.inbox import Said, Search, Unread

_LAST = 2**63 - 1
_CHUNK = 500
"""Friends that are looked at together where a filter is not the store's."""

SENT = ("line.reply", "line.push")
"""Effects that are something said to one friend."""


class ConversationReader:
    """See :class:`gateway.ports.inbox.ConversationReading`."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._one = prepare(
            dialect, select(line_friends).where(line_friends.c.id == bindparam("friend"))
        )
        events = line_events
        self._events = prepare(
            dialect,
            select(
                *(events.c[n] for n in ("id", "at", "received_at", "kind", "message_id", "body"))
            )
            .where(
                events.c.friend == bindparam("whose"),
                events.c.id < bindparam("before"),
                events.c.kind != "unsend",
            )
            .order_by(events.c.id.desc())
            .limit(bindparam("most")),
        )
        self._sent = prepare(
            dialect,
            select(*(outbox.c[n] for n in ("id", "order_at", "kind", "payload", "state", "origin")))
            .where(
                among(dialect, outbox.c.stream, "streams"),
                outbox.c.id < bindparam("before"),
                among(dialect, outbox.c.kind, "kinds"),
            )
            .order_by(outbox.c.id.desc())
            .limit(bindparam("most")),
        )
        self._unsent = prepare(
            dialect,
            select(events.c.message_id).where(
                events.c.channel == bindparam("of_channel"),
                literal_column("kind = 'unsend'"),  # as the partial index has it
                among(dialect, events.c.message_id, "messages"),
            ),
        )
        self._contents = prepare(
            dialect,
            select(line_contents).where(
                line_contents.c.channel == bindparam("of_channel"),
                among(dialect, line_contents.c.message_id, "messages"),
            ),
        )
        self._unread = _counting(dialect, UNREAD, func.sum(line_friends.c.unread))
        mine = case((line_friends.c.assigned == bindparam("actor"), 1), else_=0)
        self._taken = _counting(dialect, ASSIGNED, func.sum(mine))
        self._listings: dict[tuple[str, bool, bool, bool], Prepared] = {}

    # --- lists ---

    def conversations(
        self,
        connection: Connection,
        scope: Scope,
        search: Search,
        *,
        after: tuple[int, int] | None,
        limit: int,
    ) -> list[Friend]:
        found: list[Friend] = []
        chunk = _CHUNK if search.wanted == "staffed" else limit
        while True:
            some = self._some(connection, scope, search, after, chunk)
            found += [f for f in some if search.wanted != "staffed" or search.is_staffed(f)]
            if len(found) >= limit or len(some) < chunk:
                return found[:limit]
            after = (some[-1].last_at, some[-1].id)

    def _some(
        self,
        connection: Connection,
        scope: Scope,
        search: Search,
        after: tuple[int, int] | None,
        limit: int,
    ) -> list[Friend]:
        given: dict[str, Any] = {"most": limit}
        if after is not None:
            given |= {"after_at": after[0], "after_id": after[1]}
        if search.channel is not None:
            given["of_channel"] = search.channel
        if scope.advertisers is not None:
            given["whose"] = sorted(scope.advertisers)
        if search.wanted == "mine":
            given["actor"] = search.actor
        elif search.wanted == "staffed":
            given["since"] = search.since
        listing = self._listing(
            search.wanted, "of_channel" in given, "whose" in given, after is not None
        )
        return [Friend(*row) for row in connection.rows(listing, **given)]

    def _listing(self, wanted: str, channel: bool, whose: bool, after: bool) -> Prepared:
        """The page with these filters, compiled when it is first asked for."""
        key = (wanted, channel, whose, after)
        if key not in self._listings:
            friends = line_friends.c
            page: Select[Any] = (
                select(line_friends)
                .where(friends.last_at > literal_column("0"))
                .order_by(friends.last_at.desc(), friends.id.desc())
                .limit(bindparam("most"))
            )
            if after:
                behind = tuple_(bindparam("after_at"), bindparam("after_id"))
                page = page.where(tuple_(friends.last_at, friends.id) < behind)
            if channel:
                page = page.where(friends.channel == bindparam("of_channel"))
            if whose:
                page = page.where(among(self._dialect, friends.advertiser, "whose"))
            if wanted == "unread":
                page = page.where(UNREAD)
            elif wanted == "assigned":
                page = page.where(ASSIGNED)
            elif wanted == "mine":
                page = page.where(ASSIGNED, friends.assigned == bindparam("actor"))
            elif wanted == "staffed":
                page = page.where(
                    friends.staffed_at > 0,
                    friends.staffed_at >= friends.rested_at,
                    or_(
                        friends.staffed_at > bindparam("since"),
                        friends.last_at > bindparam("since"),
                    ),
                )
            self._listings[key] = prepare(self._dialect, page)
        return self._listings[key]

    def conversation(self, connection: Connection, scope: Scope, friend: int) -> Friend | None:
        rows = connection.rows(self._one, friend=friend)
        found = Friend(*rows[0]) if rows else None
        return found if found is not None and scope.covers(found.advertiser) else None

    def unread(self, connection: Connection, scope: Scope, actor: str) -> list[Unread]:
        given: dict[str, Any] = {}
        if scope.advertisers is not None:
            given["whose"] = sorted(scope.advertisers)
        rows = connection.rows(self._unread[bool(given)], **given)
        waiting = {channel: (count, int(messages)) for channel, count, messages in rows}
        rows = connection.rows(self._taken[bool(given)], **given, actor=actor)
        taken = {channel: (count, int(mine)) for channel, count, mine in rows}
        return [
            Unread(channel, *waiting.get(channel, (0, 0)), *taken.get(channel, (0, 0)))
            for channel in sorted({*waiting, *taken})
        ]

    # --- one conversation ---

    def messages(
        self, connection: Connection, friend: Friend, *, before: int | None, limit: int
    ) -> list[Said]:
        before = _LAST if before is None else before
        said = [
            *self._heard(connection, friend, before, limit),
            *(
                Said(id_, "out", at, kind, payload, state=state, origin=origin)
                for id_, at, kind, payload, state, origin in connection.rows(
                    self._sent,
                    streams=streams_of(friend.channel, friend.user, own_pushes=False),
                    before=before,
                    kinds=list(SENT),
                    most=limit,
                )
            ),
        ]
        return sorted(said, key=lambda each: each.id, reverse=True)[:limit]

    def _heard(
        self, connection: Connection, friend: Friend, before: int, limit: int
    ) -> Iterator[Said]:
        rows = connection.rows(self._events, whose=friend.id, before=before, most=limit)
        given: dict[str, Any] = {
            "of_channel": friend.channel,
            "messages": [row[4] for row in rows if row[4]],
        }
        unsent, contents = set(), {}
        if given["messages"]:
            unsent = {message for (message,) in connection.rows(self._unsent, **given)}
            found = [Content(*row) for row in connection.rows(self._contents, **given)]
            contents = {content.message_id: content for content in found}
        for id_, at, received_at, kind, message_id, body in rows:
            yield Said(
                id_,
                "in",
                at or received_at,
                kind,
                body,
                message_id,
                is_unsent=message_id in unsent,
                content=contents.get(message_id),
            )


def _counting(
    dialect: Dialect, condition: TextClause, amount: ColumnElement[Any]
) -> dict[bool, Prepared]:
    """Conversations under a condition and an amount of them, by channel: of all, and of a scope."""
    counted = (
        select(line_friends.c.channel, func.count(), amount)
        .where(condition)
        .group_by(line_friends.c.channel)
    )
    whose = among(dialect, line_friends.c.advertiser, "whose")
    return {False: prepare(dialect, counted), True: prepare(dialect, counted.where(whose))}
