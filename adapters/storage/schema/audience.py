"""Tables of tags, pushes, steps and links."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint

from adapters.storage.schema.base import Id, Instant, metadata

friend_tags = Table(
    "friend_tags",
    metadata,
    Column("friend", BigInteger, primary_key=True, autoincrement=False),
    Column("tag", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),  # what tagged: a rule, a link, a coupon, a person
    sqlite_with_rowid=False,
)
Index("friend_tags_of", friend_tags.c.channel, friend_tags.c.tag)

# Friends who do not want to be pushed anything; replies go on.
push_stops = Table(
    "push_stops",
    metadata,
    Column("friend", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),
)

# The columns are the fields of gateway.domain.pushes.Push, in their order.
pushes = Table(
    "pushes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("messages", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", Instant),
    Column("silent", Boolean, nullable=False),
    Column("unit", Text, nullable=False),
    Column("partial", Boolean, nullable=False),
    Column("singly", Boolean, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("filter", Text, nullable=False),
    Column("prepared_to", Text, nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("budget", Integer, nullable=False),
    Column("handed", Integer, nullable=False),
    Column("closed", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    Column("taken_back", Integer, nullable=False),
    Column("stopped", Integer, nullable=False),
    Column("blocked", Integer, nullable=False),
    Column("over_quota", Integer, nullable=False),
    Column("request", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("reserved_in", Text, nullable=False),
)
_open = pushes.c.due_at.is_not(None)
# Partial: it holds what is still to happen, and stays small however many have passed.
Index("pushes_due", pushes.c.due_at, sqlite_where=_open, postgresql_where=_open)
Index("pushes_of", pushes.c.advertiser, pushes.c.id)

# Who gets a push, fixed at its beginning; a batch is one multicast, or pushes one by one.
push_recipients = Table(
    "push_recipients",
    metadata,
    Column("push", BigInteger, primary_key=True, autoincrement=False),
    Column("batch", Integer, primary_key=True, autoincrement=False),
    Column("friend", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("push_recipients_friend", push_recipients.c.friend)

# The platform counts 1,000 different names a month.
aggregation_units = Table(
    "aggregation_units",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    sqlite_with_rowid=False,
)

# The columns are the fields of gateway.domain.pushes.StepRun, in their order.
step_runs = Table(
    "step_runs",
    metadata,
    Column("series", Text, primary_key=True),
    Column("friend", BigInteger, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("round", Integer, nullable=False),
    Column("next_step", Integer, nullable=False),
    Column("due_at", Instant),
    Column("state", Text, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("ended_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
_running = step_runs.c.due_at.is_not(None)
Index("step_runs_due", step_runs.c.due_at, sqlite_where=_running, postgresql_where=_running)
Index("step_runs_friend", step_runs.c.friend)

# The columns are the fields of gateway.domain.links.Code, in their order.
link_codes = Table(
    "link_codes",
    metadata,
    Column("code", Text, primary_key=True),
    Column("link", Text, nullable=False),
    Column("advertiser", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("friend", BigInteger, nullable=False),
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("link", "origin", "friend", name="link_codes_once"),
    sqlite_with_rowid=False,
)

# Visits of people, one by one; those of programs are only counted.
link_clicks = Table(
    "link_clicks",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("code", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("advertiser", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("friend", BigInteger, nullable=False),  # to whom the code was sent alone, or 0
    Column("origin", Text, nullable=False),
)
Index("link_clicks_origin", link_clicks.c.origin, link_clicks.c.id)

link_days = Table(
    "link_days",
    metadata,
    Column("link", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # of Asia/Tokyo, since 1970
    Column("advertiser", Text, nullable=False),
    Column("people", Integer, nullable=False),
    Column("bots", Integer, nullable=False),
    Column("friends", Integer, nullable=False),  # who came to be friends by it
    sqlite_with_rowid=False,
)

# The latest verified visit of a user to an entry link: it tells how a friend came.
link_entries = Table(
    "link_entries",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

WITHOUT_ADVERTISER = {
    "push_recipients": "belongs to a push by its id",
}
