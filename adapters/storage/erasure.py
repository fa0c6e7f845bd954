"""Takes a person out of the store: what tells who they are and what they said goes, figures stay.

Every column that names a friend or a user stands here, as one that is cleared or as one that may
stay; a test holds the list complete.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Text, and_, bindparam, case, delete, literal_column, null, select, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, among, prepare
from adapters.storage.schema.audience import (
    friend_tags,
    link_entries,
    push_recipients,
    push_stops,
    step_runs,
)
from adapters.storage.schema.cards import card_scans, card_tries
from adapters.storage.schema.effects import outbox
from adapters.storage.schema.inbox import inbox_notes
from adapters.storage.schema.line import line_events, line_friends
from adapters.storage.schema.menus import menu_links
from adapters.storage.schema.surveys import survey_answers, survey_sessions
from gateway.domain.line import forwarding
from gateway.domain.line.friends import Friend, stream_of
from gateway.domain.line.sending import OWN_PUSHES, streams_of
from gateway.domain.values import Scope
from gateway.ports.inbox import Open

STAYS: Mapping[str, str] = dict.fromkeys(
    (
        "cards",
        "coupon_tickets",
        "line_contents",
        "link_clicks",
        "link_codes",
        "posting_entries",
        "push_recipients",
        "step_runs",
    ),
    "figures, by a number that leads to nobody any more",
)
"""Tables with a friend's number that are left as they are."""

_NOBODY: dict[str, Any] = {
    **dict.fromkeys(("name", "picture_url", "language", "entry", "assigned", "talk"), ""),
    **dict.fromkeys(
        (
            "followed_at",
            "unfollowed_at",
            "heard_at",
            "last_at",
            "staffed_at",
            "rested_at",
            "unread",
        ),
        0,
    ),
}
"""What is left of a friend: no name, no follow (so nothing is pushed to them), no conversation."""


_encode = msgspec.json.encode
_decode = msgspec.json.decode


class ErasureStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        friend: Any = bindparam("whose")
        user: Any = bindparam("who")
        of_channel: Any = bindparam("of_channel")
        nobody: Any = bindparam("nobody")
        # What went to a friend, in time or late, and what they sent that went on.
        streams = among(dialect, outbox.c.stream, "streams")
        # Of what was sent it is still to be counted for which channel.
        was_sent = and_(
            outbox.c.state == literal_column("'done'"), outbox.c.payload != literal_column("''")
        )
        statements: dict[str, Any] = {
            "texts": update(line_events)
            .where(line_events.c.friend == friend, line_events.c.body != "")
            .values(body=""),
            "messages": update(outbox)
            .where(streams, outbox.c.ended_at.is_not(None))
            .values(
                payload=case((was_sent, bindparam("sent", type_=Text)), else_=literal_column("''")),
                stream=nobody,
            ),
            # What may be out already ends here: nobody tries again, and its end changes nothing.
            "pending": update(outbox)
            .where(streams, outbox.c.ended_at.is_(None))
            .values(
                payload="",
                stream=nobody,
                state="dead",
                leased_until=null(),
                last_error="erased",
                ended_at=bindparam("now"),
            ),
            "tags": delete(friend_tags).where(friend_tags.c.friend == friend),
            "stops": delete(push_stops).where(push_stops.c.friend == friend),
            "menus": delete(menu_links).where(menu_links.c.friend == friend),
            "notes": delete(inbox_notes).where(inbox_notes.c.friend == friend),
            "answers": update(survey_answers)
            .where(survey_answers.c.friend == friend)
            .values(text="", friend=0),
            "surveys": update(survey_sessions)
            .where(survey_sessions.c.friend == friend)
            .values(progress="", thanks=""),
            "visits": delete(link_entries).where(
                link_entries.c.channel == of_channel, link_entries.c.user == user
            ),
            "scans": update(card_scans)
            .where(card_scans.c.channel == of_channel, card_scans.c.user == user)
            .values(user=nobody),
            "tries": delete(card_tries).where(
                card_tries.c.user == user, card_tries.c.advertiser == bindparam("of_advertiser")
            ),
            "friend": update(line_friends)
            .where(line_friends.c.id == friend)
            .values(user=nobody, **_NOBODY),
        }
        self.all: dict[str, Prepared] = {
            what: prepare(dialect, statement) for what, statement in statements.items()
        }
        self.batches = prepare(
            dialect,
            select(push_recipients.c.push, push_recipients.c.batch).where(
                push_recipients.c.friend == friend
            ),
        )
        self.series = prepare(
            dialect, select(step_runs.c.series).where(step_runs.c.friend == friend)
        )
        columns = ("id", "idempotency_key", "origin", "payload", "state")
        naming = select(*(outbox.c[name] for name in columns)).where(
            outbox.c.payload.contains(user)
        )
        self.by_key = prepare(
            dialect, naming.where(among(dialect, outbox.c.idempotency_key, "given"))
        )
        self.by_stream = prepare(dialect, naming.where(among(dialect, outbox.c.stream, "given")))
        one = outbox.c.id == bindparam("effect")
        self.rewrite = prepare(
            dialect, update(outbox).where(one).values(payload=bindparam("new_payload"))
        )


class ErasureInTransaction:
    """See :class:`gateway.ports.inbox.Erasure`. Every write is made at once."""

    def __init__(self, connection: Connection, statements: ErasureStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def erase(self, scope: Scope, friend: Friend, now: int) -> Mapping[str, int]:
        nobody = f"erased-{friend.id}"
        streams = streams_of(friend.channel, friend.user, own_pushes=True)
        given = {
            "whose": friend.id,
            "who": friend.user,
            "nobody": nobody,
            "streams": [*streams, forwarding.stream_of(friend.channel, friend.user)],
            "sent": _encode({"channel": friend.channel}).decode(),
            "of_channel": friend.channel,
            "of_advertiser": friend.advertiser,
            "now": now,
        }
        self.writes += 1
        together = self._leave(friend, nobody)
        return {"together": together} | {
            what: self._connection.run(statement, **given)
            for what, statement in self._sql.all.items()
        }

    def expecting(self, scope: Scope, friend: Friend) -> list[Open]:
        return [
            Open(key, origin, payload)
            for _, key, origin, payload, state in self._named(friend, alone=True)
            if state in ("waiting", "leased")
        ]

    def _named(self, friend: Friend, *, alone: bool) -> Iterator[tuple[Any, ...]]:
        """What went or goes to a friend together with others, or in pushes of their own as well:
        id, key, origin, payload, state. Found by the pushes and series that they were in.
        """
        rows, sql = self._connection.rows, self._sql
        keys = [f"push/{push}/{batch}" for push, batch in rows(sql.batches, whose=friend.id)]
        streams = [f"step/{series}" for (series,) in rows(sql.series, whose=friend.id)]
        if alone:
            streams.append(stream_of(friend.channel, friend.user) + OWN_PUSHES)
        yield from rows(sql.by_key, who=friend.user, given=keys)
        yield from rows(sql.by_stream, who=friend.user, given=streams)

    def _leave(self, friend: Friend, nobody: str) -> int:
        """Take a friend out of what goes to several, or went; returns of how much."""
        run, sql = self._connection.run, self._sql
        count = 0
        for id_, _, _, payload, state in self._named(friend, alone=False):
            count += 1
            said: dict[str, Any] = _decode(payload)
            if state == "done":  # it went to as many as it went to
                said["to"] = [nobody if user == friend.user else user for user in said["to"]]
            else:
                said["to"] = [user for user in said["to"] if user != friend.user]
            # With nobody left, what waits ends where it is carried out.
            run(sql.rewrite, effect=id_, new_payload=_encode(said).decode())
        return count

    def flush(self) -> None:
        """Nothing waits."""
