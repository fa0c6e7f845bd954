"""Tables of what sends may cost, and of who must not send."""

from sqlalchemy import BigInteger, Column, Table, Text

from adapters.storage.schema.base import Instant, metadata

# The columns are the fields of gateway.domain.line.quota.Quota, in their order.
line_quotas = Table(
    "line_quotas",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("monthly_limit", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("read_at", Instant, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("instead", BigInteger, nullable=False),
)

send_stops = Table(
    "send_stops",
    metadata,
    Column("advertiser", Text, primary_key=True),  # or * for everybody
    Column("since", Instant, nullable=False),
    Column("by", Text, nullable=False),
)

WITHOUT_ADVERTISER: dict[str, str] = {}
