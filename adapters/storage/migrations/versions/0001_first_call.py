"""The tables of the first service: calls, provisioning, and the outbox that later ones fill."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    version = op.create_table(
        "provisioning_version",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("starts", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(version, [{"id": 1, "version": 0, "starts": 0}])
    _provisioning()
    _calls()
    op.create_table(
        "retention",
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("done_until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("leased_until", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.UniqueConstraint("idempotency_key", name="outbox_once"),
    )


def _provisioning() -> None:
    op.create_table(
        "advertisers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("parent", sa.Text, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_advertisers_version", "advertisers", ["version"])
    op.create_table(
        "tracked_numbers",
        sa.Column("number", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("medium", sa.Text, nullable=False),
        sa.Column("forward_to", sa.Text, nullable=False),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("ring_seconds", sa.Integer, nullable=False),
        sa.Column("time_limit_seconds", sa.Integer, nullable=False),
        sa.Column("caller_id", sa.Text, nullable=False),
        sa.Column("record", sa.Boolean, nullable=False),
        sa.Column("min_talk_seconds", sa.Integer),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_tracked_numbers_version", "tracked_numbers", ["version"])


def _calls() -> None:
    op.create_table(
        "provider_keys",
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("id", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "calls",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("sid", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("caller", sa.Text),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("medium", sa.Text, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("targets", sa.Integer, nullable=False),
        sa.Column("sequential", sa.Boolean, nullable=False),
        sa.Column("ring_limit", sa.Integer, nullable=False),
        sa.Column("time_limit", sa.Integer, nullable=False),
        sa.Column("min_talk", sa.Integer),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("closed_by", sa.Text),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("ring_seconds", sa.Integer),
        sa.Column("talk_seconds", sa.Integer),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("outcome_reason", sa.Text),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("due_at", sa.BigInteger),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index("calls_due", "calls", ["due_at"], sqlite_where=due, postgresql_where=due)
    event_key = (
        sa.Column("call_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("leg", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
    )
    op.create_table(
        "call_events",
        *event_key,
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("provider_at", sa.BigInteger),
        sa.Column("duration", sa.Integer),
        sa.Column("bridged", sa.Boolean),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("reply", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "call_payloads",
        *(column._copy() for column in event_key),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "unknown_calls",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("sid", sa.Text, nullable=False),
    )
    op.create_table(
        "callers",
        sa.Column("advertiser", sa.Text, primary_key=True),
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("first_call", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Take the tables away again."""
    for table in (
        "outbox",
        "retention",
        "callers",
        "unknown_calls",
        "call_payloads",
        "call_events",
        "calls",
        "provider_keys",
        "tracked_numbers",
        "advertisers",
        "provisioning_version",
    ):
        op.drop_table(table)
