"""The tables of mail: lists, recipients, consents, campaigns, and what came of them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _lists()
    _campaigns()


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def _lists() -> None:
    op.create_table(
        "mail_recipients",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("list", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("attributes", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("strikes", sa.Integer, nullable=False),
        sa.Column("struck_by", sa.BigInteger, nullable=False),
        sa.Column("struck_at", sa.BigInteger, nullable=False),
        sa.Column("added_at", sa.BigInteger, nullable=False),
        sa.Column("contract", sa.Text, nullable=False),
    )
    op.create_table(
        "mail_tags",
        sa.Column("recipient", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("list", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_suppressions",
        sa.Column("advertiser", sa.Text),
        sa.Column("list", sa.Text),
        sa.Column("hash", sa.LargeBinary),
        sa.Column("topic", sa.Text),
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("advertiser", "hash", "list", "topic"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_consents",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("list", sa.Text, nullable=False),
        sa.Column("recipient", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("notice", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("last_sent_at", sa.BigInteger, nullable=False),
        sa.Column("orphan", sa.Integer, nullable=False),
    )
    op.create_table(
        "mail_proofs",
        sa.Column("advertiser", sa.Text),
        sa.Column("list", sa.Text),
        sa.Column("hash", sa.LargeBinary),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("last_sent_at", sa.BigInteger, nullable=False),
        sa.Column("sealed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("advertiser", "hash", "list"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_signups",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("list", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("network", sa.Text, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("attributes", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("notice", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_table(
        "mail_imports",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("list", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("added", sa.Integer, nullable=False),
        sa.Column("updated", sa.Integer, nullable=False),
        sa.Column("unchanged", sa.Integer, nullable=False),
        sa.Column("suppressed", sa.Integer, nullable=False),
        sa.Column("refused", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("consent", sa.Text, nullable=False),
        sa.Column("corrects", sa.Boolean, nullable=False),
    )
    op.create_table(
        "mail_import_lines",
        sa.Column("import", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_sizes",
        sa.Column("advertiser", sa.Text, primary_key=True),
        sa.Column("contract", sa.Text, primary_key=True),
        sa.Column("sendable", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_months",
        sa.Column("advertiser", sa.Text, primary_key=True),
        sa.Column("contract", sa.Text, primary_key=True),
        sa.Column("month", sa.Text, primary_key=True),
        sa.Column("began_with", sa.Integer, nullable=False),
        sa.Column("maximum", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_checks",
        sa.Column("list", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("aligned", sa.Boolean, nullable=False),
        sa.Column("findings", sa.Text, nullable=False),
        sa.Column("overridden_by", sa.Text, nullable=False),
        sa.Column("overridden_at", sa.BigInteger, nullable=False),
        sa.Column("about", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "mail_confirmations",
        sa.Column("list", sa.Text, primary_key=True),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
    once = ["advertiser", "hash", "list"]
    op.create_index("mail_recipients_once", "mail_recipients", once, unique=True)
    op.create_index("mail_recipients_in_order", "mail_recipients", ["list", "id"])
    _partial("mail_recipients_struck", "mail_recipients", ["list", "struck_by"], "strikes > 0")
    op.create_index("mail_tags_of", "mail_tags", ["list", "tag"])
    op.create_index("mail_suppressions_new", "mail_suppressions", ["id"])
    never = "until < 9223372036854775807"
    _partial("mail_suppressions_end", "mail_suppressions", ["until"], never)
    op.create_index("mail_consents_whose", "mail_consents", ["advertiser", "id"])
    _partial("mail_consents_hash", "mail_consents", ["advertiser", "hash"], "orphan = 1")
    _partial("mail_consents_old", "mail_consents", ["last_sent_at", "at"], "orphan = 1")
    op.create_index("mail_proofs_old", "mail_proofs", ["last_sent_at", "at"])
    op.create_index("mail_consents_of", "mail_consents", ["recipient"])
    op.create_index("mail_signups_address", "mail_signups", ["hash", "at"])
    op.create_index("mail_signups_network", "mail_signups", ["network", "at"])
    op.create_index("mail_signups_at", "mail_signups", ["at"])
    op.create_index("mail_imports_of", "mail_imports", ["list", "id"])


def _campaigns() -> None:
    op.create_table(
        "mail_campaigns",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("list", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("audience", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("parts", sa.Integer, nullable=False),
        sa.Column("part_seconds", sa.Integer, nullable=False),
        sa.Column("give_up_seconds", sa.Integer, nullable=False),
        sa.Column("doubt", sa.Text, nullable=False),
        sa.Column("pause_percent", sa.Integer, nullable=False),
        sa.Column("expected", sa.Integer, nullable=False),
        sa.Column("fixed", sa.Integer, nullable=False),
        sa.Column("fixed_to", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("settled_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "mail_contents",
        sa.Column("campaign", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "mail_links",
        sa.Column("campaign", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("url", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_sends",
        sa.Column("campaign", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("recipient", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("owner", sa.Integer, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("code", sa.Integer, nullable=False),
        sa.Column("class", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_figures",
        sa.Column("campaign", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("amount", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_responses",
        sa.Column("campaign", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("recipient", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_bounces",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("list", sa.Text, nullable=False),
        sa.Column("campaign", sa.BigInteger, nullable=False),
        sa.Column("recipient", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("class", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("code", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "mail_senders",
        sa.Column("owner", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("beat_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "mail_watches",
        sa.Column("looker", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("owner", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("beat_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    _partial("mail_campaigns_due", "mail_campaigns", ["due_at"], "due_at IS NOT NULL")
    op.create_index("mail_campaigns_of", "mail_campaigns", ["list", "id"])
    op.create_index("mail_campaigns_whose", "mail_campaigns", ["advertiser", "id"])
    active = (
        "state IN ('fixing', 'sending', 'paused', 'closing')"
        " OR state = 'canceled' AND due_at IS NOT NULL"
    )
    _partial("mail_campaigns_active", "mail_campaigns", ["id"], active)
    amiss = "state IN ('deferred', 'failed', 'suppressed', 'held') OR class <> ''"
    _partial("mail_sends_amiss", "mail_sends", ["campaign", "state", "recipient"], amiss)
    _partial("mail_sends_told", "mail_sends", ["campaign", "recipient"], "text <> ''")
    _partial("mail_bounces_told", "mail_bounces", ["advertiser"], "text <> ''")
    due = ["campaign", "lane", "due_at", "recipient"]
    _partial("mail_sends_due", "mail_sends", due, "due_at IS NOT NULL")
    _partial("mail_sends_attempting", "mail_sends", ["owner", "campaign"], "state = 'attempting'")
    op.create_index("mail_bounces_of", "mail_bounces", ["advertiser", "id"])
    op.create_index("mail_bounces_campaign", "mail_bounces", ["campaign", "recipient"])
    single = "kind IN ('mail.single', 'mail.test') AND payload <> ''"
    _partial("outbox_mail", "outbox", ["advertiser"], single)


def downgrade() -> None:
    """Take them away."""
    op.drop_index("outbox_mail", "outbox")
    for table in (
        "mail_recipients",
        "mail_tags",
        "mail_suppressions",
        "mail_consents",
        "mail_proofs",
        "mail_signups",
        "mail_imports",
        "mail_import_lines",
        "mail_sizes",
        "mail_months",
        "mail_checks",
        "mail_confirmations",
        "mail_campaigns",
        "mail_contents",
        "mail_links",
        "mail_sends",
        "mail_figures",
        "mail_responses",
        "mail_bounces",
        "mail_senders",
        "mail_watches",
    ):
        op.drop_table(table)
