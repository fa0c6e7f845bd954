"""Tables of mail lists: recipients, consents, suppressions, sign-ups, imports, and counts."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    literal_column,
)

from adapters.storage.schema.base import Id, Instant, metadata

# The columns are the fields of gateway.domain.mail.recipients.Recipient, in their order.
mail_recipients = Table(
    "mail_recipients",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("list", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),  # keyed; see gateway.domain.mail.tokens
    Column("lane", Text, nullable=False),
    Column("attributes", Text, nullable=False),  # JSON
    Column("state", Text, nullable=False),
    Column("strikes", Integer, nullable=False),
    Column("struck_by", BigInteger, nullable=False),  # the campaign of the last strike, or 0
    Column("struck_at", Instant, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("contract", Text, nullable=False),  # under which it counts
)
# The one index into which rows fall at random: each such costs an import as much as all else.
Index(
    "mail_recipients_once",
    mail_recipients.c.advertiser,
    mail_recipients.c.hash,
    mail_recipients.c.list,
    unique=True,
)
Index("mail_recipients_in_order", mail_recipients.c.list, mail_recipients.c.id)
_struck = mail_recipients.c.strikes > 0
Index(
    "mail_recipients_struck",
    mail_recipients.c.list,
    mail_recipients.c.struck_by,
    sqlite_where=_struck,
    postgresql_where=_struck,
)

mail_tags = Table(
    "mail_tags",
    metadata,
    Column("recipient", BigInteger, primary_key=True, autoincrement=False),
    Column("tag", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("list", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("mail_tags_of", mail_tags.c.list, mail_tags.c.tag)

# Who must not be mailed. It names nobody: it survives the deletion of the recipient, and keeps
# the next import from mailing them again. An empty list is all lists, an empty topic everything.
mail_suppressions = Table(
    "mail_suppressions",
    metadata,
    Column("advertiser", Text),
    Column("list", Text),
    Column("hash", LargeBinary),
    Column("topic", Text),
    Column("id", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("until", Instant, nullable=False),  # NEVER where it does not end
    Column("source", Text, nullable=False),
    # By the hash first: one look finds what is about an address, whatever list and topic.
    PrimaryKeyConstraint("advertiser", "hash", "list", "topic"),
    sqlite_with_rowid=False,
)
Index("mail_suppressions_new", mail_suppressions.c.id)
# Spelt the same where it is asked for: SQLite takes a partial index only then.
SUPPRESSION_ENDS = mail_suppressions.c.until < literal_column("9223372036854775807")
Index(
    "mail_suppressions_end",
    mail_suppressions.c.until,
    sqlite_where=SUPPRESSION_ENDS,
    postgresql_where=SUPPRESSION_ENDS,
)

# Why somebody may be mailed; a row for each time they said so. It outlives the recipient.
mail_consents = Table(
    "mail_consents",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("list", Text, nullable=False),
    Column("recipient", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
    Column("how", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("notice", Text, nullable=False),  # the version of the notice that was shown
    Column("recorded_at", Instant, nullable=False),
    Column("last_sent_at", Instant, nullable=False),  # 0: never
    Column("orphan", Integer, nullable=False),  # 1: the recipient is gone
)
Index("mail_consents_of", mail_consents.c.recipient)
Index("mail_consents_whose", mail_consents.c.advertiser, mail_consents.c.id)
# Those of a recipient are found by its id; by the hash, and by their age, only the others.
ORPHANED = mail_consents.c.orphan == literal_column("1")
Index(
    "mail_consents_hash",
    mail_consents.c.advertiser,
    mail_consents.c.hash,
    sqlite_where=ORPHANED,
    postgresql_where=ORPHANED,
)
Index(
    "mail_consents_old",
    mail_consents.c.last_sent_at,
    mail_consents.c.at,
    sqlite_where=ORPHANED,
    postgresql_where=ORPHANED,
)

# What is left of a consent at a contract's end.
mail_proofs = Table(
    "mail_proofs",
    metadata,
    Column("advertiser", Text),
    Column("list", Text),
    Column("hash", LargeBinary),
    Column("at", Instant, nullable=False),
    Column("how", Text, nullable=False),
    Column("last_sent_at", Instant, nullable=False),
    Column("sealed_at", Instant, nullable=False),
    PrimaryKeyConstraint("advertiser", "hash", "list"),
    sqlite_with_rowid=False,
)
Index("mail_proofs_old", mail_proofs.c.last_sent_at, mail_proofs.c.at)

# Sign-ups that wait for their confirmation.
mail_signups = Table(
    "mail_signups",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("list", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("network", Text, nullable=False),  # keyed hash of the network it came from
    Column("how", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("notice", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", Text, nullable=False),
)
Index("mail_signups_address", mail_signups.c.hash, mail_signups.c.at)
Index("mail_signups_network", mail_signups.c.network, mail_signups.c.at)
Index("mail_signups_at", mail_signups.c.at)

# The columns are the fields of gateway.domain.mail.importing.imports.Import, in their order.
mail_imports = Table(
    "mail_imports",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("list", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("suppressed", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column(
        "consent", Text, nullable=False
    ),  # JSON, of the whole file; empty: each line has its own
    Column("corrects", Boolean, nullable=False),
)
Index("mail_imports_of", mail_imports.c.list, mail_imports.c.id)

mail_import_lines = Table(
    "mail_import_lines",
    metadata,
    Column("import", BigInteger, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_with_rowid=False,
)

# How many addresses may be mailed now under a contract, and the month's maximum of that (rule R68).
# A month in which nothing changed has no row: there were as many as the next one that has a row
# began with.
mail_sizes = Table(
    "mail_sizes",
    metadata,
    Column("advertiser", Text, primary_key=True),
    Column("contract", Text, primary_key=True),
    Column("sendable", Integer, nullable=False),
    sqlite_with_rowid=False,
)
mail_months = Table(
    "mail_months",
    metadata,
    Column("advertiser", Text, primary_key=True),
    Column("contract", Text, primary_key=True),
    Column("month", Text, primary_key=True),  # of Asia/Tokyo: 2026-11
    Column("began_with", Integer, nullable=False),
    Column("maximum", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# What `gateway mail check` found of a list, and who overrode it.
mail_checks = Table(
    "mail_checks",
    metadata,
    Column("list", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("aligned", Boolean, nullable=False),
    Column("findings", Text, nullable=False),  # JSON
    Column("overridden_by", Text, nullable=False),
    Column("overridden_at", Instant, nullable=False),
    Column("about", LargeBinary, nullable=False),  # digest of what was looked at
)

# Who confirmed before the first send that the law is kept (rule R130).
mail_confirmations = Table(
    "mail_confirmations",
    metadata,
    Column("list", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
)

# To how many addresses trials of a list went, on the last day on which there were any.
mail_trials = Table(
    "mail_trials",
    metadata,
    Column("list", Text, primary_key=True),
    Column("advertiser", Text, nullable=False),
    Column("day", Text, nullable=False),  # of Asia/Tokyo: 2026-11-22
    Column("addresses", Integer, nullable=False),
)

WITHOUT_ADVERTISER = {
    "mail_import_lines": "belongs to an import by its id",
}
