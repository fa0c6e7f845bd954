"""Tables of shop cards, of the codes that were scanned, and of the keys they are signed with."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    and_,
)

from adapters.storage.schema.base import Id, Instant, metadata

# The columns are the fields of gateway.domain.cards.Card, in their order.
cards = Table(
    "cards",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("root", Text, nullable=False),
    Column("card", Text, nullable=False),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("friend", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("points", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("visited_at", Instant, nullable=False),
    Column("full_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("noticed_at", Instant, nullable=False),
    UniqueConstraint("root", "friend", "number", name="cards_in_order"),
)
Index("cards_friend", cards.c.friend)
_active = cards.c.state == "active"
# Partial: what can expire.
Index("cards_due", cards.c.expires_at, sqlite_where=_active, postgresql_where=_active)

# The columns are the fields of gateway.domain.cards.Entry, in their order.
card_points = Table(
    "card_points",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("card_id", BigInteger, nullable=False),
    Column("points", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("how", Text, nullable=False),
    Column("ref", Text, nullable=False),
)
Index("card_points_of", card_points.c.card_id, card_points.c.id)

card_rewards = Table(
    "card_rewards",
    metadata,
    Column("card_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at_points", Integer, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("earned_at", Instant, nullable=False),
    Column("coupon", Text, nullable=False),  # empty: words alone
    Column("text", Text, nullable=False),
    Column("ticket", BigInteger, nullable=False),  # 0: none (yet)
)
_owed = and_(card_rewards.c.ticket == 0, card_rewards.c.coupon != "")
# Partial: what friends have not got yet.
Index("card_rewards_owed", card_rewards.c.card_id, sqlite_where=_owed, postgresql_where=_owed)

# The columns are the fields of gateway.ports.cards.Scan, in their order.
card_scans = Table(
    "card_scans",
    metadata,
    Column("nonce", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("card", Text, nullable=False),
    Column("how", Text, nullable=False),
    Column("points", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", Text, nullable=False),  # given | pending | lapsed
    Column("first_id", BigInteger, nullable=False),
)
_pending = card_scans.c.state == "pending"
# Partial and small: who scanned before being a friend.
Index(
    "card_scans_pending",
    card_scans.c.channel,
    card_scans.c.user,
    sqlite_where=_pending,
    postgresql_where=_pending,
)
Index("card_scans_at", card_scans.c.at)

card_tries = Table(
    "card_tries",
    metadata,
    Column("advertiser", Text, nullable=False),
    Column("card", Text, primary_key=True),
    Column("user", Text, primary_key=True),  # empty: all together
    Column("day", Integer, primary_key=True),  # days since 1970 in Asia/Tokyo
    Column("printed", Integer, nullable=False),
    Column("wrong", Integer, nullable=False),
)
Index("card_tries_day", card_tries.c.day)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
)

WITHOUT_ADVERTISER = {
    "signing_keys": "one key for the codes of all",
}
