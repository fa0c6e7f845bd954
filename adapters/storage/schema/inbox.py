"""Tables of the inbox: notes, templates, and the contents of messages."""

from sqlalchemy import BigInteger, Column, Index, Table, Text, text

from adapters.storage.schema.base import Id, Instant, metadata
from adapters.storage.schema.line import line_friends

# The columns are the fields of gateway.ports.inbox.Note, in their order.
inbox_notes = Table(
    "inbox_notes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("friend", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("text", Text, nullable=False),
)
Index("inbox_notes_friend", inbox_notes.c.friend, inbox_notes.c.id)

# The columns are the fields of gateway.ports.inbox.Template, in their order.
inbox_templates = Table(
    "inbox_templates",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("messages", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
)
Index("inbox_templates_of", inbox_templates.c.advertiser, inbox_templates.c.id)

# The columns are the fields of gateway.domain.line.contents.Content, in their order.
line_contents = Table(
    "line_contents",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("friend", BigInteger, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("state", Text, nullable=False),  # waiting | kept | removing | gone
    Column("why", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("fetched_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
Index("line_contents_friend", line_contents.c.friend)
KEPT = text("state = 'kept'")
REMOVING = text("state = 'removing'")
"""As the partial indexes have them: SQLite takes those only where it finds their own words."""
Index(
    "line_contents_kept",
    line_contents.c.fetched_at,
    line_contents.c.bytes,
    sqlite_where=KEPT,
    postgresql_where=KEPT,
)
Index(
    "line_contents_removing",
    line_contents.c.asked_at,
    sqlite_where=REMOVING,
    postgresql_where=REMOVING,
)

# Conversations: all by their latest message, and the few that somebody has to do with.
Index("line_friends_latest", line_friends.c.advertiser, line_friends.c.last_at, line_friends.c.id)
UNREAD = text("unread > 0")
ASSIGNED = text("assigned <> ''")
Index(
    "line_friends_unread",
    line_friends.c.advertiser,  # alone: with the instant, each message would move it
    sqlite_where=UNREAD,
    postgresql_where=UNREAD,
)
Index(
    "line_friends_assigned",
    line_friends.c.advertiser,
    line_friends.c.last_at,
    sqlite_where=ASSIGNED,
    postgresql_where=ASSIGNED,
)

WITHOUT_ADVERTISER: dict[str, str] = {}
