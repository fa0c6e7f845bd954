"""The tables of shop cards, of scanned codes, and of the keys that codes are signed with."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _cards()
    op.create_table(
        "card_points",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("card_id", sa.BigInteger, nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
    )
    op.create_index("card_points_of", "card_points", ["card_id", "id"])
    op.create_table(
        "card_rewards",
        sa.Column("card_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_points", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("earned_at", sa.BigInteger, nullable=False),
        sa.Column("coupon", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("ticket", sa.BigInteger, nullable=False),
    )
    owed = sa.text("ticket = 0 AND coupon <> ''")
    op.create_index(
        "card_rewards_owed", "card_rewards", ["card_id"], sqlite_where=owed, postgresql_where=owed
    )
    _scans()
    op.create_table(
        "signing_keys",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("secret", sa.LargeBinary, nullable=False),
    )


def _cards() -> None:
    instants = ("started_at", "last_at", "visited_at", "full_at", "expires_at", "noticed_at")
    op.create_table(
        "cards",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("card", sa.Text, nullable=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("friend", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in instants),
        sa.UniqueConstraint("root", "friend", "number", name="cards_in_order"),
    )
    op.create_index("cards_friend", "cards", ["friend"])
    active = sa.text("state = 'active'")
    op.create_index(
        "cards_due", "cards", ["expires_at"], sqlite_where=active, postgresql_where=active
    )


def _scans() -> None:
    op.create_table(
        "card_scans",
        sa.Column("nonce", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("advertiser", "channel", "user", "card", "how")
        ),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("first_id", sa.BigInteger, nullable=False),
    )
    pending = sa.text("state = 'pending'")
    op.create_index(
        "card_scans_pending",
        "card_scans",
        ["channel", "user"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_index("card_scans_at", "card_scans", ["at"])
    op.create_table(
        "card_tries",
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("card", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("printed", sa.Integer, nullable=False),
        sa.Column("wrong", sa.Integer, nullable=False),
    )
    op.create_index("card_tries_day", "card_tries", ["day"])


def downgrade() -> None:
    """Take the tables away again."""
    for table in (
        "signing_keys",
        "card_tries",
        "card_scans",
        "card_rewards",
        "card_points",
        "cards",
    ):
        op.drop_table(table)
