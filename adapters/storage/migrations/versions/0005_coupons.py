"""The tables of coupons: tickets, stamps, counts, and what LINE holds of its own."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "coupon_tickets",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("coupon", sa.Text, nullable=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("friend", sa.BigInteger, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("luck", sa.Integer),
        sa.Column("remind_at", sa.BigInteger, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=False),
        sa.Column("used_by", sa.Text, nullable=False),
        sa.Column("wrong", sa.Integer, nullable=False),
        sa.Column("locked_until", sa.BigInteger, nullable=False),
        sa.Column("card", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("token", name="coupon_tickets_token"),
    )
    _indexes()
    op.create_table(
        "coupon_uses",
        sa.Column("ticket", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("coupon_uses_at", "coupon_uses", ["at"])
    op.create_table(
        "coupon_counts",
        sa.Column("coupon", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("issued", sa.Integer, nullable=False),
    )
    op.create_table(
        "coupon_platform",
        sa.Column("coupon", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("platform_id", sa.Text, nullable=False),
        sa.Column("busy_until", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )


def _indexes() -> None:
    op.create_index("coupon_tickets_friend", "coupon_tickets", ["friend", "id"])
    op.create_index("coupon_tickets_coupon", "coupon_tickets", ["coupon", "id"])
    for name, column, condition in (
        ("coupon_tickets_open", "expires_at", "state = 'issued'"),
        ("coupon_tickets_reminders", "remind_at", "remind_at > 0"),
    ):
        where = sa.text(condition)
        op.create_index(
            name, "coupon_tickets", [column], sqlite_where=where, postgresql_where=where
        )


def downgrade() -> None:
    """Take the tables away again."""
    for table in ("coupon_platform", "coupon_counts", "coupon_uses", "coupon_tickets"):
        op.drop_table(table)
