"""Takes a person out of the store: what tells who they are and what they said goes, figures stay.

Every column that names a friend or a user stands here, as one that is cleared or as one that may
stay; a test holds the list complete.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, null, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, prepare
from adapters.storage.schema.audience import friend_tags, link_entries, push_stops
from adapters.storage.schema.cards import card_scans, card_tries
from adapters.storage.schema.effects import outbox
from adapters.storage.schema.inbox import inbox_notes
from adapters.storage.schema.line import line_events, line_friends
from adapters.storage.schema.menus import menu_links
from adapters.storage.schema.surveys import survey_answers, survey_sessions
from gateway.domain.line.friends import Friend, stream_of
from gateway.domain.values import Scope

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
    **dict.fromkeys(("name", "picture_url", "language", "entry", "assigned"), ""),
    **dict.fromkeys(
        ("followed_at", "unfollowed_at", "last_at", "staffed_at", "rested_at", "unread"), 0
    ),
}
"""What is left of a friend: no name, no follow (so nothing is pushed to them), no conversation."""


class ErasureStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        friend: Any = bindparam("whose")
        user: Any = bindparam("who")
        of_channel: Any = bindparam("of_channel")
        nobody: Any = bindparam("nobody")
        # What went to a friend, in time or late.
        streams = outbox.c.stream.in_((bindparam("in_time"), bindparam("too_late")))
        statements: dict[str, Any] = {
            "texts": update(line_events)
            .where(line_events.c.friend == friend, line_events.c.body != "")
            .values(body=""),
            "messages": update(outbox)
            .where(streams, outbox.c.ended_at.is_not(None))
            .values(payload="", stream=nobody),
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


class ErasureInTransaction:
    """See :class:`gateway.ports.inbox.Erasure`. Every write is made at once."""

    def __init__(self, connection: Connection, statements: ErasureStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def erase(self, scope: Scope, friend: Friend, now: int) -> Mapping[str, int]:
        stream = stream_of(friend.channel, friend.user)
        given = {
            "whose": friend.id,
            "who": friend.user,
            "nobody": f"erased-{friend.id}",
            "in_time": stream,
            "too_late": f"{stream}/late",
            "of_channel": friend.channel,
            "of_advertiser": friend.advertiser,
            "now": now,
        }
        self.writes += 1
        return {
            what: self._connection.run(statement, **given)
            for what, statement in self._sql.all.items()
        }

    def flush(self) -> None:
        """Nothing waits."""
