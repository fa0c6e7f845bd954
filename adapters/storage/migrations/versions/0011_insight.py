"""The tables of figures by day, of reports and support calls, and of the posting calendar."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_COUNTS = (
    "friends",
    "blocked",
    "follows",
    "blocks",
    "messages",
    "replies",
    "pushes",
    "clicks",
    "coupons_issued",
    "coupons_used",
    "points",
    "visits",
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "insight_days",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("own_at", sa.BigInteger, nullable=False),
        *(sa.Column(f"own_{count}", sa.Integer, nullable=False) for count in _COUNTS),
        sa.Column("own_last_at", sa.BigInteger, nullable=False),
        sa.Column("platform_state", sa.Text, nullable=False),
        sa.Column("platform_followers", sa.Integer),
        sa.Column("platform_targeted_reaches", sa.Integer),
        sa.Column("platform_blocks", sa.Integer),
        sa.Column("platform_delivery_state", sa.Text, nullable=False),
        sa.Column("platform_deliveries", sa.Text, nullable=False),
        sa.Column("platform_due_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "insight_messages",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("ref", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("read_at", sa.BigInteger, nullable=False),
        sa.Column("delivered", sa.Integer),
        sa.Column("impressions", sa.Integer),
        sa.Column("clicks", sa.Integer),
        sa.Column("due_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("insight_messages_of", "insight_messages", ["channel", "day"])
    _reports()
    _postings()
    _partial("insight_days_due", "insight_days", "platform_due_at", "platform_due_at IS NOT NULL")
    _partial("insight_messages_due", "insight_messages", "due_at", "due_at IS NOT NULL")


def _reports() -> None:
    op.create_table(
        "report_notes",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("month", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "support_calls",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("logged_by", sa.Text, nullable=False),
    )
    op.create_index("support_calls_of", "support_calls", ["channel", "id"])


def _postings() -> None:
    op.create_table(
        "posting_entries",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("responsible", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("friend", sa.BigInteger, nullable=False),
        sa.Column("remind_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
    )
    op.create_index("posting_entries_of", "posting_entries", ["channel", "at", "id"])
    _partial("posting_entries_reminders", "posting_entries", "remind_at", "remind_at > 0")


def _partial(name: str, table: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Take them away."""
    for table in (
        "posting_entries",
        "support_calls",
        "report_notes",
        "insight_messages",
        "insight_days",
    ):
        op.drop_table(table)
