"""The tables of rich menus, and of the files that entities name."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "blobs",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("entity", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("advertiser", "hash")),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
    )
    texts = ("advertiser", "channel", "platform_id", "version", "state", "error")
    op.create_table(
        "menus_platform",
        sa.Column("menu", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("synced_at", sa.BigInteger, nullable=False),
    )
    op.create_index("menus_platform_channel", "menus_platform", ["channel"])
    op.create_table(
        "menu_channels",
        sa.Column("channel", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("advertiser", "digest")),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("due_at", "leased_until", "synced_at")
        ),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_table(
        "menu_links",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("friend", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("platform_id", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Take the tables away again."""
    for table in ("menu_links", "menu_channels", "menus_platform", "blobs"):
        op.drop_table(table)
