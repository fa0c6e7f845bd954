"""The tables of surveys: who was asked, and what was answered."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "survey_sessions",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("survey", sa.Text, nullable=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("friend", sa.BigInteger, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("offered_at", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger, nullable=False),
        sa.Column("progress", sa.Text, nullable=False),
        sa.Column("thanks", sa.Text, nullable=False),
        sa.UniqueConstraint("survey", "friend", name="survey_sessions_once"),
        sa.UniqueConstraint("token", name="survey_sessions_token"),
    )
    op.create_index("survey_sessions_friend", "survey_sessions", ["friend"])
    op.create_index("survey_sessions_done", "survey_sessions", ["survey", "done_at"])
    op.create_table(
        "survey_answers",
        sa.Column("response", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("question", sa.Text, primary_key=True),
        sa.Column("option", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("survey", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("friend", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("survey_answers_of", "survey_answers", ["survey", "question", "response"])
    op.create_index("survey_answers_rows", "survey_answers", ["survey", "response"])
    op.create_index("survey_answers_friend", "survey_answers", ["friend"])
    texts = sa.text("text <> ''")
    op.create_index(
        "survey_answers_texts",
        "survey_answers",
        ["at", "survey"],
        sqlite_where=texts,
        postgresql_where=texts,
    )


def downgrade() -> None:
    """Take them away."""
    for table in ("survey_answers", "survey_sessions"):
        op.drop_table(table)
