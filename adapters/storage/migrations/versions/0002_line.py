"""The tables of LINE's friends and events, other provisioned entities, and more of the outbox."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "entities",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_entities_version", "entities", ["version"])
    _outbox()
    _friends()
    _events()


def _outbox() -> None:
    never = "9223372036854775807"
    for column in (
        sa.Column("stream", sa.Text, nullable=False, server_default=""),
        sa.Column("order_at", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("give_up_at", sa.BigInteger, nullable=False, server_default=never),
        sa.Column("tried_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("origin", sa.Text, nullable=False, server_default=""),
        sa.Column("result", sa.Text, nullable=False, server_default=""),
        sa.Column("parked", sa.Integer, nullable=False, server_default="0"),
    ):
        op.add_column("outbox", column)
    is_open = "state IN ('waiting', 'leased')"
    for name, columns, condition in (
        ("outbox_due", ["due_at"], f"{is_open} AND parked = 0"),
        ("outbox_open_stream", ["stream", "parked", "order_at", "id"], is_open),
        ("outbox_waiting", ["kind", "due_at"], "state = 'waiting'"),
    ):
        where = sa.text(condition)
        op.create_index(name, "outbox", columns, sqlite_where=where, postgresql_where=where)
    op.create_index("outbox_stream", "outbox", ["stream", "id"])


def _friends() -> None:
    texts = ("assigned", "name", "picture_url", "language", "entry", "talk")
    instants = (
        "followed_at",
        "unfollowed_at",
        "heard_at",
        "last_at",
        "staffed_at",
        "rested_at",
    )
    op.create_table(
        "line_friends",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("is_group", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in instants),
        sa.Column("unread", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.UniqueConstraint("id", name="line_friends_id"),
        sqlite_with_rowid=False,
    )


def _events() -> None:
    op.create_table(
        "line_events",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("friend", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("event", "channel", name="line_events_once"),
    )
    op.create_index("line_events_friend", "line_events", ["friend", "id"])
    unsend = sa.text("kind = 'unsend'")
    op.create_index(
        "line_events_unsent",
        "line_events",
        ["message_id"],
        sqlite_where=unsend,
        postgresql_where=unsend,
    )


def downgrade() -> None:
    """Take them away."""
    for name in ("line_events", "line_friends", "entities"):
        op.drop_table(name)
    for name in ("outbox_due", "outbox_open_stream", "outbox_waiting", "outbox_stream"):
        op.drop_index(name, "outbox")
    with op.batch_alter_table("outbox") as outbox:
        for name in (
            "stream",
            "order_at",
            "give_up_at",
            "tried_at",
            "ended_at",
            "origin",
            "result",
            "parked",
        ):
            outbox.drop_column(name)
