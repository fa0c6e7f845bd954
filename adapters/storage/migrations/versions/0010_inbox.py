"""The tables of the inbox: notes, templates and contents; and the order of conversations."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "inbox_notes",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("friend", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("inbox_notes_friend", "inbox_notes", ["friend", "id"])
    op.create_table(
        "inbox_templates",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("messages", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
    op.create_index("inbox_templates_of", "inbox_templates", ["advertiser", "id"])
    _contents()
    op.create_index("line_friends_latest", "line_friends", ["advertiser", "last_at", "id"])
    _partial("line_friends_unread", "line_friends", ["advertiser"], "unread > 0")
    _partial("line_friends_assigned", "line_friends", ["advertiser", "last_at"], "assigned <> ''")


def _contents() -> None:
    op.create_table(
        "line_contents",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("friend", sa.BigInteger, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("fetched_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("line_contents_friend", "line_contents", ["friend"])
    _partial("line_contents_kept", "line_contents", ["fetched_at", "bytes"], "state = 'kept'")
    _partial("line_contents_removing", "line_contents", ["asked_at"], "state = 'removing'")


def _partial(name: str, table: str, columns: Sequence[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Take them away."""
    for name in ("line_friends_assigned", "line_friends_unread", "line_friends_latest"):
        op.drop_index(name, "line_friends")
    for table in ("line_contents", "inbox_templates", "inbox_notes"):
        op.drop_table(table)
