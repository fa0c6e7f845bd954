"""Tables of the API: who may ask, what was answered to writes, and the audit."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from adapters.storage.schema.base import Id, Instant, metadata

tokens = Table(
    "tokens",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False, unique=True),  # SHA-256; the token is kept nowhere
    Column("role", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("advertisers", Text, nullable=False),  # space-separated ids; empty: everybody
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)

# The columns are the fields of gateway.ports.access.Repeat, in their order.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("token", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
)
Index("idempotency_keys_at", idempotency_keys.c.at)

# Rows are only ever appended, and numbered as they come.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("advertiser", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
)
Index("audit_of", audit.c.advertiser, audit.c.id)

WITHOUT_ADVERTISER = {
    "tokens": "a token may be for several advertisers, or for everybody",
    "idempotency_keys": "belongs to a token, and is kept for a day",
}
