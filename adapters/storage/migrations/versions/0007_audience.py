"""The tables of audience: tags, pushes, steps and links."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _tags()
    _pushes()
    _recipients()
    _steps()
    _links()


def _partial(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _tags() -> None:
    op.create_table(
        "friend_tags",
        sa.Column("friend", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("tag", sa.Text, primary_key=True),
        *_texts("advertiser", "channel"),
        sa.Column("at", sa.BigInteger, nullable=False),
        *_texts("source"),
        sqlite_with_rowid=False,
    )
    op.create_index("friend_tags_of", "friend_tags", ["channel", "tag"])
    op.create_table(
        "push_stops",
        sa.Column("friend", _Id, primary_key=True, autoincrement=False),
        *_texts("advertiser", "channel"),
        sa.Column("at", sa.BigInteger, nullable=False),
        *_texts("source"),
    )
    op.create_index("ix_push_stops_channel", "push_stops", ["channel"])


def _pushes() -> None:
    op.create_table(
        "pushes",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        *_texts("advertiser", "channel", "audience", "messages"),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        *_texts("created_by"),
        sa.Column("at", sa.BigInteger, nullable=False),
        *_texts("state"),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("silent", sa.Boolean, nullable=False),
        *_texts("unit"),
        sa.Column("partial", sa.Boolean, nullable=False),
        sa.Column("singly", sa.Boolean, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        *_texts("filter", "prepared_to"),
        *_numbers("recipients", "budget", "handed", "closed", "sent", "refused", "unknown"),
        *_numbers("taken_back", "stopped", "blocked", "over_quota"),
        *_texts("request", "reason"),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        *_texts("reserved_in"),
    )
    op.create_index("pushes_due", "pushes", ["due_at"], **_partial("due_at IS NOT NULL"))
    op.create_index("pushes_of", "pushes", ["advertiser", "id"])


def _recipients() -> None:
    op.create_table(
        "push_recipients",
        sa.Column("push", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("batch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("friend", sa.BigInteger, primary_key=True, autoincrement=False),
        *_texts("state"),
        sqlite_with_rowid=False,
    )
    op.create_index("push_recipients_friend", "push_recipients", ["friend"])
    op.create_table(
        "aggregation_units",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("month", sa.Text, primary_key=True),
        sa.Column("unit", sa.Text, primary_key=True),
        *_texts("advertiser"),
        sqlite_with_rowid=False,
    )


def _steps() -> None:
    op.create_table(
        "step_runs",
        sa.Column("series", sa.Text, primary_key=True),
        sa.Column("friend", sa.BigInteger, primary_key=True, autoincrement=False),
        *_texts("advertiser", "channel"),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        *_numbers("round", "next_step"),
        sa.Column("due_at", sa.BigInteger),
        *_texts("state"),
        *_numbers("sent", "skipped"),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("step_runs_due", "step_runs", ["due_at"], **_partial("due_at IS NOT NULL"))
    op.create_index("step_runs_friend", "step_runs", ["friend"])


def _links() -> None:
    op.create_table(
        "link_codes",
        sa.Column("code", sa.Text, primary_key=True),
        *_texts("link", "advertiser", "origin"),
        sa.Column("friend", sa.BigInteger, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("link", "origin", "friend", name="link_codes_once"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "link_clicks",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        *_texts("code", "link", "advertiser"),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("friend", sa.BigInteger, nullable=False),
        *_texts("origin"),
    )
    op.create_index("link_clicks_origin", "link_clicks", ["origin", "id"])
    op.create_table(
        "link_days",
        sa.Column("link", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        *_texts("advertiser"),
        *_numbers("people", "bots", "friends"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "link_entries",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, primary_key=True),
        *_texts("advertiser", "link"),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Take the tables away again."""
    for table in (
        "link_entries",
        "link_days",
        "link_clicks",
        "link_codes",
        "step_runs",
        "aggregation_units",
        "push_recipients",
        "pushes",
        "push_stops",
        "friend_tags",
    ):
        op.drop_table(table)
