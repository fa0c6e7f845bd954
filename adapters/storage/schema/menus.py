"""Tables of rich menus, and of the files that entities name."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from adapters.storage.schema.base import Instant, metadata

# One file an entity, as it was when it was provisioned.
blobs = Table(
    "blobs",
    metadata,
    Column("kind", Text, primary_key=True),  # the entity's table
    Column("entity", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("hash", Text, nullable=False),  # SHA-256 of the bytes
    Column("media_type", Text, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
)

# The columns are the fields of gateway.ports.menus.Placed, in their order.
menus_platform = Table(
    "menus_platform",
    metadata,
    Column("menu", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("platform_id", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("state", Text, nullable=False),  # made | ready | failed
    Column("error", Text, nullable=False),
    Column("synced_at", Instant, nullable=False),
)
Index("menus_platform_channel", menus_platform.c.channel)

# The columns are the fields of gateway.ports.menus.Tended, in their order.
menu_channels = Table(
    "menu_channels",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("leased_until", Instant, nullable=False),
    Column("synced_at", Instant, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("error", Text, nullable=False),
)

# Friends with a menu of their own.
menu_links = Table(
    "menu_links",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("friend", BigInteger, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("platform_id", Text, nullable=False),  # the richMenuId
    sqlite_with_rowid=False,
)

WITHOUT_ADVERTISER: dict[str, str] = {}
