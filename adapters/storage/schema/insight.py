"""Tables of figures by day, of what people write to a month's report, and of support calls."""

from sqlalchemy import Column, Index, Integer, Table, Text

from adapters.storage.schema.base import Id, Instant, metadata

# Ours are counted anew until the day is over for a day; LINE's stay null until it tells them, and
# null is what it withholds.
insight_days = Table(
    "insight_days",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # of Asia/Tokyo, since 1970
    Column("advertiser", Text, nullable=False),
    Column("own_at", Instant, nullable=False),  # 0: not counted yet
    # The fields of gateway.domain.insight.Own, in their order.
    Column("own_friends", Integer, nullable=False),
    Column("own_blocked", Integer, nullable=False),
    Column("own_follows", Integer, nullable=False),
    Column("own_blocks", Integer, nullable=False),
    Column("own_messages", Integer, nullable=False),
    Column("own_replies", Integer, nullable=False),
    Column("own_pushes", Integer, nullable=False),
    Column("own_clicks", Integer, nullable=False),
    Column("own_coupons_issued", Integer, nullable=False),
    Column("own_coupons_used", Integer, nullable=False),
    Column("own_points", Integer, nullable=False),
    Column("own_visits", Integer, nullable=False),
    Column("own_last_at", Instant, nullable=False),
    # The fields of gateway.domain.insight.Told, in their order.
    Column("platform_state", Text, nullable=False),
    Column("platform_followers", Integer),
    Column("platform_targeted_reaches", Integer),
    Column("platform_blocks", Integer),
    Column("platform_delivery_state", Text, nullable=False),
    Column("platform_deliveries", Text, nullable=False),  # JSON: how many of each kind
    Column("platform_due_at", Instant),  # when LINE is to be asked next; null: not any more
    sqlite_with_rowid=False,
)
_open_day = insight_days.c.platform_due_at.is_not(None)
# Partial: what is still to be asked.
Index(
    "insight_days_due",
    insight_days.c.platform_due_at,
    sqlite_where=_open_day,
    postgresql_where=_open_day,
)

# The columns but the last are the fields of gateway.domain.insight.Sent, in their order.
insight_messages = Table(
    "insight_messages",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("day", Integer, nullable=False),
    Column("read_at", Instant, nullable=False),
    Column("delivered", Integer),
    Column("impressions", Integer),
    Column("clicks", Integer),
    Column("due_at", Instant),
    sqlite_with_rowid=False,
)
Index("insight_messages_of", insight_messages.c.channel, insight_messages.c.day)
_open_message = insight_messages.c.due_at.is_not(None)
Index(
    "insight_messages_due",
    insight_messages.c.due_at,
    sqlite_where=_open_message,
    postgresql_where=_open_message,
)

# The columns are the fields of gateway.ports.insight.Note, in their order.
report_notes = Table(
    "report_notes",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    sqlite_with_rowid=False,
)

# The columns are the fields of gateway.ports.insight.SupportCall, in their order.
support_calls = Table(
    "support_calls",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("logged_by", Text, nullable=False),
)
Index("support_calls_of", support_calls.c.channel, support_calls.c.id)

WITHOUT_ADVERTISER: dict[str, str] = {}
