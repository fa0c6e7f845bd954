"""Tables of LINE's friends and of what they did."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint

from adapters.storage.schema.base import Id, Instant, metadata

# The columns are the fields of gateway.domain.line.friends.Friend, in their order.
line_friends = Table(
    "line_friends",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("id", BigInteger, nullable=False),
    Column("advertiser", Text, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("is_group", Boolean, nullable=False),
    Column("followed_at", Instant, nullable=False),
    Column("unfollowed_at", Instant, nullable=False),
    Column("heard_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("staffed_at", Instant, nullable=False),
    Column("rested_at", Instant, nullable=False),
    Column("unread", Integer, nullable=False),
    Column("assigned", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("picture_url", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("talk", Text, nullable=False),
    UniqueConstraint("id", name="line_friends_id"),
    sqlite_with_rowid=False,
)

line_events = Table(
    "line_events",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("channel", Text, nullable=False),
    Column("event", Text, nullable=False),  # webhookEventId: a repeat is known by it
    Column("advertiser", Text, nullable=False),
    Column("friend", BigInteger, nullable=False),  # 0 where the event has no source
    Column("at", Instant, nullable=False),  # when it happened, by the platform's clock
    Column("received_at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message_id", Text, nullable=False),  # of an unsend: the message taken back
    Column("body", Text, nullable=False),  # as it came; empty once it was taken back or is old
    # The event first: its id begins with its time, so that what comes now lies together.
    UniqueConstraint("event", "channel", name="line_events_once"),
)
Index("line_events_friend", line_events.c.friend, line_events.c.id)
_unsend = line_events.c.kind == "unsend"
# Partial and small: whether a message was taken back before it came.
Index(
    "line_events_unsent",
    line_events.c.message_id,
    sqlite_where=_unsend,
    postgresql_where=_unsend,
)

WITHOUT_ADVERTISER: dict[str, str] = {}
