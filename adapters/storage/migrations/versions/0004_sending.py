"""The tables of sending: monthly quotas, halted sends; and attempts that nobody can judge."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Make the tables."""
    op.add_column("outbox", sa.Column("unclear", sa.Integer, nullable=False, server_default="0"))
    failed = sa.text("state IN ('dead', 'unknown')")
    op.create_index("outbox_failed", "outbox", ["id"], sqlite_where=failed, postgresql_where=failed)
    op.create_table(
        "line_quotas",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("month", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("monthly_limit", "used", "read_at", "spent", "reserved", "instead")
        ),
    )
    op.create_table(
        "send_stops",
        sa.Column("advertiser", sa.Text, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("send_stops")
    op.drop_table("line_quotas")
    op.drop_index("outbox_failed", "outbox")
    op.drop_column("outbox", "unclear")
