"""To how many addresses trials of a mail list went; and two indexes less, of servers' words."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Make the table; whole rows are deleted at a contract's end, so nobody looks for words."""
    op.drop_index("mail_sends_told", "mail_sends")
    op.drop_index("mail_bounces_told", "mail_bounces")
    op.create_table(
        "mail_trials",
        sa.Column("list", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("addresses", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Drop it, and make the indexes again."""
    op.drop_table("mail_trials")
    told = sa.text("text <> ''")
    for table, columns in (
        ("mail_sends", ["campaign", "recipient"]),
        ("mail_bounces", ["advertiser"]),
    ):
        name = f"{table}_told"
        op.create_index(name, table, columns, sqlite_where=told, postgresql_where=told)
