"""Tables of what provisioning files describe."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text

from adapters.storage.schema.base import metadata

provisioning_version = Table(
    "provisioning_version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("starts", BigInteger, nullable=False),  # of daemons; each takes its number for its ids
)

advertisers = Table(
    "advertisers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("parent", Text, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False, index=True),
)

tracked_numbers = Table(
    "tracked_numbers",
    metadata,
    Column("number", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("medium", Text, nullable=False),
    Column("forward_to", Text, nullable=False),  # space-separated E.164
    Column("strategy", Text, nullable=False),
    Column("ring_seconds", Integer, nullable=False),
    Column("time_limit_seconds", Integer, nullable=False),
    Column("caller_id", Text, nullable=False),
    Column("record", Boolean, nullable=False),
    Column("min_talk_seconds", Integer),
    Column("removed", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False, index=True),
)

# Every other kind of entity: read as a whole, changed by `apply` alone, kept in memory by daemons.
entities = Table(
    "entities",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON of the entity's struct
    Column("removed", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False, index=True),
)

WITHOUT_ADVERTISER = {
    "provisioning_version": "one row for all",
    "advertisers": "its id is the advertiser",
}
