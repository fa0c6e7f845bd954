"""Tables of coupons: tickets, their stamps, and what LINE holds of its own."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, UniqueConstraint

from adapters.storage.schema.base import Id, Instant, metadata

# The columns are the fields of gateway.domain.coupons.tickets.Ticket, in their order.
coupon_tickets = Table(
    "coupon_tickets",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("coupon", Text, nullable=False),
    Column("advertiser", Text, nullable=False),
    Column("campaign", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("friend", BigInteger, nullable=False),
    Column("token", Text, nullable=False),
    Column("state", Text, nullable=False),  # issued | used | expired | void | lost | sent
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("luck", Integer),
    Column("remind_at", Instant, nullable=False),  # 0: not
    Column("uses", Integer, nullable=False),
    Column("used_at", Instant, nullable=False),
    Column("used_by", Text, nullable=False),
    Column("wrong", Integer, nullable=False),
    Column("locked_until", Instant, nullable=False),
    Column("card", BigInteger, nullable=False),  # whose reward it is; 0: no card's
    UniqueConstraint("token", name="coupon_tickets_token"),
)
Index("coupon_tickets_friend", coupon_tickets.c.friend, coupon_tickets.c.id)
Index("coupon_tickets_coupon", coupon_tickets.c.coupon, coupon_tickets.c.id)
_issued = coupon_tickets.c.state == "issued"
_reminded = coupon_tickets.c.remind_at > 0
# Partial: they hold what is open, and stay small however much was handed out.
Index(
    "coupon_tickets_open",
    coupon_tickets.c.expires_at,
    sqlite_where=_issued,
    postgresql_where=_issued,
)
Index(
    "coupon_tickets_reminders",
    coupon_tickets.c.remind_at,
    sqlite_where=_reminded,
    postgresql_where=_reminded,
)

# One row a stamp: a ticket that works several times knows its latest one alone.
coupon_uses = Table(
    "coupon_uses",
    metadata,
    Column("ticket", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
Index("coupon_uses_at", coupon_uses.c.at)

# A row is the lock of whoever hands out tickets of a coupon that has a total.
coupon_counts = Table(
    "coupon_counts",
    metadata,
    Column("coupon", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("issued", Integer, nullable=False),
)

# The columns are the fields of gateway.domain.coupons.platform.Held, in their order.
coupon_platform = Table(
    "coupon_platform",
    metadata,
    Column("coupon", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("state", Text, nullable=False),  # creating | running | closing | closed | failed
    Column("request", Text, nullable=False),  # JSON: what was asked for
    Column("platform_id", Text, nullable=False),
    Column("busy_until", Instant, nullable=False),
    Column("error", Text, nullable=False),
)

WITHOUT_ADVERTISER: dict[str, str] = {}
