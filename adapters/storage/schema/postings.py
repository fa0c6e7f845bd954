"""Table of the posting calendar."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from adapters.storage.schema.base import Id, Instant, metadata

# The columns are the fields of gateway.domain.postings.Posting, in their order.
posting_entries = Table(
    "posting_entries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("title", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("responsible", Text, nullable=False),
    Column("state", Text, nullable=False),  # planned | done | skipped
    Column("friend", BigInteger, nullable=False),  # whom a push reminds, or 0
    Column("remind_at", Instant, nullable=False),  # 0: not (any more)
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", Text, nullable=False),
)
Index("posting_entries_of", posting_entries.c.channel, posting_entries.c.at, posting_entries.c.id)
_reminded = posting_entries.c.remind_at > 0
# Partial and small: reminders that are still to come.
Index(
    "posting_entries_reminders",
    posting_entries.c.remind_at,
    sqlite_where=_reminded,
    postgresql_where=_reminded,
)

WITHOUT_ADVERTISER: dict[str, str] = {}
